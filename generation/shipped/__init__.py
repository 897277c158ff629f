"""The weights that come with Discern, for making images without other files (packed by `generation ship`)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from torch import nn

from generation import packed
from generation.errors import InputError

HERE = Path(__file__).parent
LOADERS = {  # stage: the module whose `load` opens it
    "diffusion": "generation.diffusion.checkpoints",
    "superresolution": "generation.superresolution.checkpoints",
}

CORPUS = "discern generate corpus --source DIR --out corpus   (your own radiographs)"
MAKE = {  # stage: the commands that make its weights
    "diffusion": [
        "discern generate train --preset phantom --out run   (phantoms, to try it out)",
        CORPUS,
        "discern generate train --data corpus --out run",
    ],
    "superresolution": [
        CORPUS,
        "discern generate train --data corpus --out run-sr --stage superresolution --preset light",
        "or enlarge without a network: --method lanczos",
    ],
}


def find(stage: str = "diffusion", name: str = "panoramic") -> Path:
    """Return the folder of weights with this name in the package.

    Raises InputError with instructions for making weights if this copy of Discern has none for the stage.
    """
    folder = HERE / name
    there = packed.index(folder / packed.INDEX) if (folder / packed.INDEX).is_file() else {}
    if stage not in {entry["about"]["stage"] for entry in there.values()}:
        raise InputError(
            f"this copy of Discern has no weights for the {stage} stage; give a --checkpoint, made by",
            MAKE[stage],
        )
    return folder


def load(stage: str, name: str = "panoramic") -> nn.Module:
    """Load the network of a stage that comes with Discern, ready to use on the CPU.

    Raises InputError if there is none, or naming any part that is missing, changed or has a wrong size.
    """
    if stage not in LOADERS:
        raise InputError(f"stage {stage!r}: expected one of {', '.join(LOADERS)}")
    return import_module(LOADERS[stage]).load(find(stage, name))
