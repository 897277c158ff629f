"""`python -m generation phantom`: a pool of phantoms in a new folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from generation import phantom
from generation.arguments import bar, whole
from generation.phantom import chest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to create")
    parser.add_argument(
        "--count",
        type=whole(1),
        nargs=2,
        default=(100, 100),
        metavar=("REAL", "SYNTHETIC"),
        help="numbers of scored cases (default 100 100)",
    )
    parser.add_argument(
        "--practice", type=whole(0), default=6, metavar="N", help="practice cases, real and synthetic (default 6)"
    )
    parser.add_argument(
        "--seed", type=whole(0), default=0, metavar="N", help="the same seed gives the same pool (default 0)"
    )
    parser.add_argument(
        "--chest", type=whole(1), metavar="N", help="draw N chest phantoms instead of a pool: images/ and nodules.csv"
    )
    parser.add_argument(
        "--side", type=int, choices=chest.SIDES, default=chest.SIDE, help="size of a chest phantom, px (default 1024)"
    )
    parser.add_argument("--name", default="Demonstration phantoms", help="name of the pool")


def run(args: argparse.Namespace) -> None:
    with bar("phantoms drawn") as progress:
        if args.chest:
            planted = chest.make_folder(args.out, args.chest, args.seed, args.side, progress)
            total = sum(map(len, planted.values()))
            print(f"{args.out}: {len(planted)} chest phantoms with {total} nodules, all drawn")
            return
        real, synthetic = args.count
        pool = phantom.make_pool(args.out, real, synthetic, args.practice, args.seed, args.name, progress)
    print(f"{pool.folder}: {len(pool.scored)} cases and {len(pool.practice)} for practice, all phantoms")
