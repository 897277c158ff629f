"""The weights that come with Discern, so that images can be made without any file (`generation ship` packs them)."""

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
        "discern generate train --preset phantom --out run   (phantoms, for trying it out)",
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
    """The folder of weights of that name in the package.

    Raises InputError that says how to make some, where this copy of Discern has none for the stage.
    """
    folder = HERE / name
    there = packed.index(folder / packed.INDEX) if (folder / packed.INDEX).is_file() else {}
    if stage not in {entry["about"]["stage"] for entry in there.values()}:
        raise InputError(
            f"this copy of Discern comes without weights of the {stage} stage; give a --checkpoint, made by",
            MAKE[stage],
        )
    return folder


def load(stage: str, name: str = "panoramic") -> nn.Module:
    """The network of a stage that comes with Discern, ready to use on the CPU.

    Raises InputError where there is none, or where a part of it is missing, of another size or changed, by its name.
    """
    if stage not in LOADERS:
        raise InputError(f"stage {stage!r}: expected one of {', '.join(LOADERS)}")
    return import_module(LOADERS[stage]).load(find(stage, name))
