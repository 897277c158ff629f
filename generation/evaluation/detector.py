"""A machine reader: a vision transformer trained from scratch to distinguish real from synthetic, and its answers.

The recipe is PanoDiff-SR's: grey 512 x 256 px, patches of 16, width 192, depth 6, 6 heads, 8 epochs in batches of 32,
AdamW at 3e-4 with decay .05 on a one-cycle schedule, 80 : 20. The split is by near-duplicate groups, and versions of
pool images are excluded from training. Attention roll-out (Abnar and Zuidema, 2020) shows where it looked. Its answers
are written like those of a further reader, so that the report can compare readers and machine on the same cases.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps
from PIL import Image
from scipy.stats import mannwhitneyu
from torch import Tensor, nn

from generation import corpus, duplicates, pool
from generation.arguments import bar, left_out, whole
from generation.audit import interval
from generation.drawing import Candidate, candidates, sound
from generation.errors import InputError
from generation.evaluation import features
from generation.files import atomic, output_folder, save_picture, save_text

LEAST = 10
READER = "machine"
COLUMNS = (
    *("study", "design", "reader", "reader_group", "sitting", "trial", "position", "block", "is_training", "is_repeat"),
    *("case", "truth", "source", "answer", "certainty", "level", "place", "chosen", "realism", "criterion", "value"),
    *("onset_at", "answered_at", "response_ms", "client_ms", "late", "zoom_max", "windowed", "study_version"),
)


@dataclass(frozen=True)
class Recipe:
    """The network and its training; the defaults are the published ones."""

    width: int = 512
    height: int = 256
    patch: int = 16
    dimensions: int = 192
    depth: int = 6
    heads: int = 6
    epochs: int = 8
    batch: int = 32
    learning_rate: float = 3e-4
    decay: float = 0.05

    def network(self, seed: int) -> nn.Module:
        from transformers import ViTConfig, ViTForImageClassification

        config = ViTConfig(  # type: ignore[call-arg]
            image_size=[self.height, self.width],
            patch_size=self.patch,
            num_channels=1,
            hidden_size=self.dimensions,
            num_hidden_layers=self.depth,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.dimensions,
            num_labels=2,
            attn_implementation="eager",  # other implementations do not return the attention
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return ViTForImageClassification(config)


def load(paths: Sequence[Path], recipe: Recipe) -> tuple[np.ndarray, list[duplicates.Signature]]:
    """Images as uint8 (images, height, width), and their signatures. Raises InputError naming every unreadable file."""
    pixels = np.empty((len(paths), recipe.height, recipe.width), dtype=np.uint8)
    signatures = []
    for number, image in enumerate(features.in_turn(paths)):
        signatures.append(duplicates.signature(image))
        pixels[number] = np.asarray(image.resize((recipe.width, recipe.height), Image.Resampling.LANCZOS))
    return pixels, signatures


def train(
    pixels: np.ndarray, truth: np.ndarray, recipe: Recipe, seed: int = 0, progress: pool.Progress | None = None
) -> nn.Module:
    """Return a trained network. pixels: uint8 (images, height, width); truth: 0 or 1 (images,), 1 = synthetic."""
    device = _device()
    network = recipe.network(seed).to(device).train()
    generator = torch.Generator().manual_seed(seed)
    steps = recipe.epochs * -(-len(pixels) // recipe.batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps)
    done = 0
    for _ in range(recipe.epochs):
        for chosen in torch.randperm(len(pixels), generator=generator).split(recipe.batch):
            labels = torch.from_numpy(truth[chosen.numpy()]).long().to(device)
            loss = network(_tensor(pixels[chosen.numpy()], device), labels=labels).loss
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            done += 1
            if progress is not None:
                progress(done, steps)
    return network.eval()


@torch.inference_mode()
def judge(network: nn.Module, pixels: np.ndarray, recipe: Recipe) -> Iterator[tuple[float, np.ndarray]]:
    """Yield each image's probability of being synthetic, and its roll-out map (rows, columns) of patches, sum 1."""
    device = next(network.parameters()).device
    for start in range(0, len(pixels), recipe.batch):
        found = network(_tensor(pixels[start : start + recipe.batch], device), output_attentions=True)
        maps = rollout([layer.float().cpu() for layer in found.attentions])
        grid = (recipe.height // recipe.patch, recipe.width // recipe.patch)
        for probability, attention in zip(found.logits.softmax(dim=1)[:, 1].tolist(), maps, strict=True):
            yield probability, attention.reshape(grid).numpy()


def rollout(attentions: Sequence[Tensor]) -> Tensor:
    """Attention roll-out: from layers (B, heads, 1 + patches, 1 + patches) to (B, patches), each row summing to 1."""
    flow = torch.eye(attentions[0].shape[-1])
    for layer in attentions:
        mixed = layer.mean(dim=1) + torch.eye(layer.shape[-1])  # the residual path passes its input through
        flow = mixed / mixed.sum(dim=-1, keepdim=True) @ flow
    patches = flow[:, 0, 1:]
    return patches / patches.sum(dim=-1, keepdim=True)


def level(probability: float) -> int:
    """The probability of synthetic as a reader's level: 1 and 5 beyond .1 and .9; the machine is never unsure."""
    return 1 if probability < 0.1 else 2 if probability < 0.5 else 4 if probability < 0.9 else 5


def _tensor(pixels: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(pixels).to(device).float().unsqueeze(1) / 127.5 - 1


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--real", type=Path, nargs="+", required=True, metavar="DIR", help="real images, or corpora")
    parser.add_argument("--synthetic", type=Path, nargs="+", required=True, metavar="DIR", help="synthetic images")
    parser.add_argument("--pool", type=Path, metavar="POOL", help="let the classifier judge this pool like a reader")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for detector.json, responses.csv, rollout/"
    )
    parser.add_argument(
        "--epochs", type=whole(1), default=Recipe.epochs, metavar="N", help="training epochs (default 8)"
    )
    parser.add_argument("--small", action="store_true", help="quarter-size images and network, for a quick look")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N")


def run(args: argparse.Namespace) -> int:
    faults: list[str] = []
    small = {"width": 128, "height": 64, "patch": 8, "dimensions": 48, "depth": 3, "heads": 3} if args.small else {}
    recipe = Recipe(epochs=args.epochs, **small)
    found = [one for truth in pool.TRUTHS for one in candidates(getattr(args, truth), truth, with_training=True)]
    found = sound(found, faults)
    cases = pool.read(args.pool) if args.pool else None
    pixels, signatures = load([one.path for one in found], recipe)
    asked, known = load([cases.path(case) for case in cases.scored], recipe) if cases else (pixels[:0], [])
    groups = duplicates.groups([*known, *signatures])
    chosen = _chosen(args.pool) if cases else set()
    came = np.array([bool({path.resolve() for path in (one.path, one.origin) if path} & chosen) for one in found])
    taken = np.union1d(groups[: len(known)], groups[len(known) :][came])
    free = ~np.isin(groups[len(known) :], taken)
    own = groups[len(known) :][free]
    training = corpus.split(np.unique(own, return_inverse=True)[1], (0.8, 0.0, 0.2), args.seed) == "train"
    kept = np.flatnonzero(free)
    truth = np.array([one.truth == "synthetic" for one in found])
    seen, unseen = kept[training], kept[~training]
    _enough(truth, seen, unseen)
    maps = output_folder(args.out / "rollout")
    with bar("steps") as progress:
        network = train(pixels[seen], truth[seen], recipe, args.seed, progress)
    tested = np.array([probability for probability, _ in judge(network, pixels[unseen], recipe)])
    summary = {
        "format": 1,
        "recipe": asdict(recipe),
        "seed": args.seed,
        "images": {
            "training": len(seen),
            "test": len(unseen),
            "left out as versions of pool images": int((~free).sum()),
            "left out as unreadable": len(faults),
        },
        "test": _score(tested, truth[unseen]),
    }
    judged = [(case.case, case.truth, case.source) for case in cases.scored] if cases else _named(found, unseen)
    answers, shown = [], asked if cases else pixels[unseen]
    for (name, *_), image, (probability, attention) in zip(judged, shown, judge(network, shown, recipe), strict=True):
        answers.append(probability)
        save_picture(maps / f"{name}.png", overlay(image, attention))
    if cases:
        summary["pool"] = _score(
            np.array(answers), np.array([is_synthetic == "synthetic" for _, is_synthetic, _ in judged])
        )
    save_text(args.out / "detector.json", json.dumps(summary, indent=2) + "\n")
    _write_responses(args.out / "responses.csv", cases.name if cases else "held-out images", judged, answers)
    for name in ("test", "pool"):
        if name in summary:
            score = summary[name]
            low, high = score["auc"]["ci"]  # type: ignore[index]
            print(f"{name}: accuracy {score['accuracy']:.3f}, AUC {score['auc']['value']:.3f} [{low:.3f}, {high:.3f}]")  # type: ignore[index]
    return left_out(faults)


def _chosen(folder: Path) -> set[Path]:
    """The original files of a pool's images according to `origins.csv`, because harmonised images look different."""
    path = folder / "origins.csv"
    if not path.is_file():
        return set()
    with path.open(newline="", encoding="utf-8") as stream:
        return {Path(row["origin"]).resolve() for row in csv.DictReader(stream)}


def _enough(truth: np.ndarray, seen: np.ndarray, unseen: np.ndarray) -> None:
    faults = [
        f"{name}: {int((truth[part] == synthetic).sum())} {pool.TRUTHS[synthetic]} images for {use}"
        for part, name, use, least in ((seen, "training", "training", LEAST), (unseen, "test", "the test", 2))
        for synthetic in (0, 1)
        if (truth[part] == synthetic).sum() < least
    ]
    if faults:
        raise InputError(f"too few distinct images; each class needs {LEAST} for training and 2 for the test:", faults)


def _named(found: Sequence[Candidate], numbers: np.ndarray) -> list[tuple[str, str, str]]:
    return [(f"{found[n].truth}-{n:05d}", found[n].truth, found[n].source) for n in numbers]


def _score(probabilities: np.ndarray, truth: np.ndarray) -> dict:
    synthetic, real = probabilities[truth], probabilities[~truth]
    above = mannwhitneyu(synthetic, real).statistic
    return {
        "images": len(truth),
        "accuracy": float(((probabilities >= 0.5) == truth).mean()),
        "auc": {"value": float(above / (synthetic.size * real.size)), "ci": list(interval(synthetic, real, 0.05))},
    }


def overlay(image: np.ndarray, attention: np.ndarray) -> Image.Image:
    """Overlay the roll-out map on its image, uint8 (height, width); brighter where the network looked most."""
    height, width = image.shape
    scaled = (attention - attention.min()) / max(float(np.ptp(attention)), 1e-12)
    heat = Image.fromarray((255 * scaled).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    colours = Image.fromarray((255 * colormaps["inferno"](np.asarray(heat))[..., :3]).astype(np.uint8))
    return Image.blend(Image.fromarray(image).convert("RGB"), colours, 0.45)


def _write_responses(path: Path, study: str, judged: list[tuple[str, str, str]], probabilities: list[float]) -> None:
    """Write answers with the columns of a study's export; `value` is the probability of synthetic."""
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        table.writeheader()
        for position, ((case, truth, source), probability) in enumerate(
            zip(judged, probabilities, strict=True), start=1
        ):
            own = level(probability)
            table.writerow(
                {
                    "study": study, "design": "rating", "reader": READER, "reader_group": READER, "position": position,
                    "case": case, "truth": truth, "source": source, "answer": "synthetic" if own > 3 else "real",
                    "certainty": "full" if own in (1, 5) else "partial", "level": own, "value": f"{probability:.6f}",
                }
            )  # fmt: skip
