"""Feature spaces for comparing images, and feature extraction. Nothing is downloaded: weights are given as files.

radiomic    no weights (generation.evaluation.radiomics)
embedding   trained on the real images at hand (generation.evaluation.embedding)
inception   the network of the FID, as StyleGAN2-ADA's TorchScript file
dinov2      a folder of a DINOv2 model as published for transformers (Stein et al., 2023, on why)
clip        a folder of a CLIP model, as used by CMMD
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from generation import radiographs
from generation.arguments import bar, whole
from generation.errors import InputError
from generation.files import sha256
from generation.pool import Progress

BATCH = 32
INCEPTION_FILE = "inception-2015-12-05.pt"
INCEPTION_SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


@dataclass
class Space:
    """A way to turn images (mode L) into features, float (images, dimensions).

    classes: class probabilities (images, classes), if the network also classifies.
    """

    name: str
    weights: str
    features: Callable[[Sequence[Image.Image]], np.ndarray]
    classes: Callable[[Sequence[Image.Image]], np.ndarray] | None = None
    seconds: float = 0.0


def radiomic() -> Space:
    """Return the space that needs no weights."""
    from generation.evaluation.radiomics import radiomics

    return Space("radiomic", "none", lambda images: np.array([radiomics(image) for image in images]))


def embedding(paths: Sequence[Path], steps: int, seed: int, save: Path, progress: Progress | None = None) -> Space:
    """Return a space trained on images; its weights are written to `save`."""
    from generation.evaluation import embedding as trained

    images = np.stack([trained.prepared(image) for image in in_turn(paths)])
    network = trained.train(images, steps, seed, progress)
    trained.save(network, save)
    return Space(
        "embedding", f"trained here, {steps} steps: {save.name}", lambda images: trained.embed(network, images)
    )


def inception(path: Path, expected: str = INCEPTION_SHA256) -> Space:
    """The FID's space. Raises InputError unless the file has this checksum: no other file gives comparable values."""
    import torch

    if not path.is_file() or sha256(path) != expected:
        raise InputError(
            f"{path}: not the Inception network of the FID; expected {INCEPTION_FILE} as StyleGAN2-ADA distributes it, "
            f"SHA-256 {expected}"
        )
    with warnings.catch_warnings(action="ignore"):  # TorchScript warns that it is deprecated
        network = torch.jit.load(str(path), map_location="cpu").eval()

    def run(images: Sequence[Image.Image], **how: bool) -> np.ndarray:
        if len({image.size for image in images}) > 1:
            return np.concatenate([run([image], **how) for image in images])
        pixels = torch.from_numpy(np.stack([np.asarray(image) for image in images]))
        with torch.inference_mode():
            return network(pixels.unsqueeze(1).expand(-1, 3, -1, -1), **how).float().numpy()

    return Space(
        "inception",
        INCEPTION_FILE,
        lambda images: run(images, return_features=True),
        lambda images: run(images, no_output_bias=True),
    )


def transformer(name: str, folder: Path) -> Space:
    """DINOv2 or CLIP from a folder with config.json and weights. Raises InputError if it contains another model."""
    import torch
    from transformers import AutoConfig, CLIPVisionModelWithProjection, Dinov2Model

    models: dict[str, tuple[Any, tuple[str, ...], tuple]] = {
        "dinov2": (Dinov2Model, ("dinov2",), IMAGENET),
        "clip": (CLIPVisionModelWithProjection, ("clip", "clip_vision_model"), CLIP),
    }
    model_class, kinds, (mean, spread) = models[name]
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{folder}: has no config.json; expected the folder of a {name} model as published for transformers"
        )
    try:
        kind = AutoConfig.from_pretrained(folder, local_files_only=True).model_type
        if kind not in kinds:
            raise InputError(f"{folder}: contains a model of kind {kind}, expected {' or '.join(kinds)}")
        model = model_class.from_pretrained(folder, local_files_only=True).eval()
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: its model cannot be read ({error})") from error
    side = 224 if name == "dinov2" else model.config.image_size

    def features(images: Sequence[Image.Image]) -> np.ndarray:
        small = [np.asarray(image.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float32) for image in images]
        pixels = torch.from_numpy(np.stack(small) / 255).unsqueeze(1).expand(-1, 3, -1, -1)
        pixels = (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(spread).view(3, 1, 1)
        with torch.inference_mode():
            found = model(pixels)
        return (found.image_embeds if name == "clip" else found.last_hidden_state[:, 0]).float().numpy()

    return Space(name, folder.name, features)


def in_turn(paths: Sequence[Path]) -> Iterator[Image.Image]:
    """Yield images (mode L), a few at a time in memory. Raises InputError naming every unreadable file."""
    faults: list[str] = []
    for found in radiographs.looks(paths):
        if isinstance(found, str):
            faults.append(found)
        elif not faults:
            yield found.image
    if faults:
        raise InputError(f"{len(faults)} file(s) cannot be read:", faults)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose spaces, for the commands that compare images."""
    parser.add_argument(
        "--inception", type=Path, metavar="FILE", help=f"{INCEPTION_FILE}, the network used for the FID"
    )
    parser.add_argument("--dinov2", type=Path, metavar="DIR", help="folder of a DINOv2 model")
    parser.add_argument("--clip", type=Path, metavar="DIR", help="folder of a CLIP model")
    parser.add_argument(
        "--steps", type=whole(0), default=300, metavar="N", help="steps to train the embedding (default 300; 0: none)"
    )


def chosen(args: argparse.Namespace, paths: Sequence[Path], save: Path) -> list[Space]:
    """The spaces chosen by the options; the embedding is trained on the images at `paths` and written to `save`."""
    spaces = [radiomic()]
    spaces += [inception(args.inception)] if args.inception else []
    spaces += [transformer(name, getattr(args, name)) for name in ("dinov2", "clip") if getattr(args, name)]
    if args.steps:
        with bar("embedding trained") as progress:
            spaces.append(embedding(paths, args.steps, args.seed, save, progress))
    return spaces


def _on_disk(path: Path, shape: tuple[int, int]) -> np.memmap:
    """Return an array on disk with its space allocated at once: a full disk later would kill the process silently."""
    array = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def extract(
    spaces: Sequence[Space],
    paths: Sequence[Path],
    folder: Path,
    progress: Progress | None = None,
    mirrored: bool = False,
) -> dict[str, np.ndarray]:
    """Return the features of images in every space, as arrays on disk in `folder`, so that memory does not grow.

    mirrored: features of the mirrored images. Class probabilities, if any, are under the name with `.classes`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    turns = map(ImageOps.mirror, in_turn(paths)) if mirrored else in_turn(paths)
    for start in range(0, len(paths), BATCH):
        images = list(islice(turns, BATCH))
        for space in spaces:
            begun = time.perf_counter()
            for name, compute in ((space.name, space.features), (f"{space.name}.classes", space.classes)):
                if compute is None:
                    continue
                found = compute(images)
                if name not in arrays:
                    shape = (len(paths), found.shape[1])
                    arrays[name] = _on_disk(folder / f"{name}.npy", shape)
                arrays[name][start : start + len(images)] = found
            space.seconds += time.perf_counter() - begun
        if progress is not None:
            progress(start + len(images), len(paths))
    return arrays
