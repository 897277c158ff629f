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


def find(name: str = "panoramic") -> Path:
    """The folder of weights of that name in the package.

    Raises InputError that says how to make some, where this copy of Discern has none.
    """
    folder = HERE / name
    if not (folder / packed.INDEX).is_file():
        raise InputError(
            "this copy of Discern comes without weights; give a --checkpoint, which these commands make:",
            [
                "discern generate train --preset phantom --out run   (phantoms, for trying it out)",
                "discern generate corpus --source DIR --out corpus   (your own radiographs)",
                "discern generate train --data corpus --out run",
                "discern generate train --data corpus --out run-sr --stage superresolution",
            ],
        )
    return folder


def load(stage: str, name: str = "panoramic") -> nn.Module:
    """The network of a stage that comes with Discern, ready to use on the CPU.

    Raises InputError where there is none, or where a part of it is missing, of another size or changed, by its name.
    """
    if stage not in LOADERS:
        raise InputError(f"stage {stage!r}: expected one of {', '.join(LOADERS)}")
    return import_module(LOADERS[stage]).load(find(name))
