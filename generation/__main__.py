"""`python -m generation COMMAND ...`: the entry point to all commands of this package.

A command is a module with `add_arguments(parser)` and `run(args) -> int | None` (an exit code). It is imported only
when it is called, so that help does not load torch. To add a command, add a line to COMMANDS.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from generation.arguments import Parser, refuse
from generation.errors import InputError
from generation.files import REFUSALS

COMMANDS: dict[str, tuple[str, str]] = {  # name: (module, purpose)
    "phantom": (
        "generation.phantom.command",
        "draw a pool of artificial radiographs (phantoms), for demonstrations and tests",
    ),
    "pacs": ("generation.pacs.command", "fetch radiographs from a hospital archive (PACS) over DICOMweb"),
    "corpus": ("generation.corpus", "prepare radiographs for training: crop, resize, group near-duplicates and split"),
    "train": ("generation.train_command", "train a network: diffusion, super-resolution or restoration"),
    "sample": ("generation.diffusion.command", "create synthetic radiographs with a diffusion network"),
    "upscale": ("generation.superresolution.command", "enlarge small radiographs to reading size (super-resolution)"),
    "ship": (
        "generation.shipped.command",
        "pack trained networks into small, checked files, like those that come with Discern",
    ),
    "release": (
        "generation.release.command",
        "publish synthetic images as a data set: screened for copies, described, with checksums",
    ),
    "degrade": ("generation.restoration.degrade_command", "degrade good radiographs, as input for restoration"),
    "restore": (
        "generation.restoration.restore_command",
        "restore poor radiographs with several methods, and create a pool to compare them",
    ),
    "fidelity": (
        "generation.restoration.fidelity_command",
        "measure how close restored radiographs are to the originals",
    ),
    "nodules": (
        "generation.restoration.nodules_command",
        "measure how well planted nodules survive a restoration, and map what it invented",
    ),
    "pool": ("generation.mixing", "choose real and synthetic images at random and write a pool"),
    "audit": (
        "generation.audit",
        "find out whether anything other than the anatomy gives real or synthetic images away",
    ),
    "evaluate": (
        "generation.evaluation.command",
        "measure the quality of synthetic images: FID, KID, precision and more",
    ),
    "neighbours": ("generation.evaluation.memorisation", "find synthetic images that are too close to training images"),
    "detect": (
        "generation.evaluation.detector",
        "train a classifier to tell real from synthetic, and let it judge a pool",
    ),
    "looks": (
        "generation.evaluation.contact_sheets",
        "draw overviews of image sets (maps, sample sheets, mean images, spectra) or of a training",
    ),
}


def main(argv: Sequence[str] | None = None, prog: str = "python -m generation") -> int:
    """Run one command; return exit code 2 for invalid input, like argparse."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = Parser(prog=prog, description="Create images, build pools from them, and check both.")
    choices = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, purpose) in COMMANDS.items():
        room = choices.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
        if argv[:1] == [name]:
            try:
                command = import_module(module)
            except ModuleNotFoundError as missing:
                if (missing.name or "").partition(".")[0] == "generation":
                    raise
                what = (
                    f"{name} needs the package {missing.name}, which comes with the extra `generation`. Install it with"
                )
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
        return refuse(f"{error.filename or args.command}: {error.strerror}; finished work is kept")
    except KeyboardInterrupt:
        print("interrupted; finished work is kept", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
