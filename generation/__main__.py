"""`python -m generation COMMAND ...`: one door to every room of this wing.

A command is a module with `add_arguments(parser)` and `run(args) -> int | None` (an exit code); it is imported only
when it is called, so that asking for help loads no torch. To add one, add its line to COMMANDS.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from generation.arguments import Parser, refuse
from generation.errors import InputError
from generation.files import REFUSALS

COMMANDS: dict[str, tuple[str, str]] = {  # name: (module, purpose)
    "phantom": ("generation.phantom.command", "draw a pool of procedural phantoms, for demonstrations and tests"),
    "pacs": ("generation.pacs.command", "fetch radiographs from an archive over DICOMweb"),
    "corpus": ("generation.corpus", "prepare radiographs for training: cut, resized, near-duplicates grouped, split"),
    "train": ("generation.train_command", "train the diffusion, the super-resolution or the restoration network"),
    "sample": ("generation.diffusion.command", "make synthetic radiographs with a diffusion network"),
    "upscale": ("generation.superresolution.command", "bring small radiographs to reading size"),
    "ship": ("generation.shipped.command", "pack trained networks small and checked, as the package carries them"),
    "release": (
        "generation.release.command",
        "make synthetic images into a data set: screened, described, with checksums, in shards",
    ),
    "degrade": ("generation.restoration.degrade_command", "make good radiographs poor: the input of restoration"),
    "restore": (
        "generation.restoration.restore_command",
        "restore poor radiographs by several methods, and make the pool that compares them",
    ),
    "fidelity": (
        "generation.restoration.fidelity_command",
        "measure how near restored radiographs come to the originals",
    ),
    "nodules": (
        "generation.restoration.nodules_command",
        "measure what became of planted nodules, and map what a restoration invented",
    ),
    "pool": ("generation.mixing", "choose real and synthetic images at random and write them as a pool"),
    "audit": ("generation.audit", "find what gives the classes of a pool away besides the picture"),
    "evaluate": ("generation.evaluation.command", "judge synthetic images by numbers: FID, KID, precision and more"),
    "neighbours": ("generation.evaluation.memorisation", "find synthetic images too near to training images"),
    "detect": ("generation.evaluation.detector", "train a machine reader, and let it judge a pool"),
    "looks": (
        "generation.evaluation.contact_sheets",
        "draw sets of images to look at: maps, sheets, means, spreads, spectra; or the course of a training",
    ),
}


def main(argv: Sequence[str] | None = None, prog: str = "python -m generation") -> int:
    """Run one command; exit code 2 for bad input, as argparse has it."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = Parser(prog=prog, description="Make, gather and judge the image pool.")
    choices = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, purpose) in COMMANDS.items():
        room = choices.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
        if argv[:1] == [name]:
            try:
                command = import_module(module)
            except ModuleNotFoundError as missing:
                if (missing.name or "").partition(".")[0] == "generation":
                    raise
                what = f"{name}: needs the package {missing.name}, which comes with the extra `generation`"
                return refuse(f'{what}: python -m pip install "discern[generation]"')
            command.add_arguments(room)
    args = parser.parse_args(argv)
    try:
        return command.run(args) or 0
    except InputError as error:
        return refuse(str(error))
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        return refuse(f"{error.filename or args.command}: {error.strerror}; what is finished is kept")
    except KeyboardInterrupt:
        print("interrupted; what is finished is kept", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
