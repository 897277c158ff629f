"""The mixed pool: real and synthetic images drawn at random, resized and encoded in the same way, in a pool folder.

The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from generation import corpus, pool, radiographs
from generation.arguments import bar, left_out, text_found, whole
from generation.drawing import REFERENCE, Candidate, Drawn, by_truth, candidates, comparisons, quartets, single
from generation.errors import InputError
from generation.radiographs import windows

STRETCH = (
    "more than 8 bits: by the file's window, otherwise between the percentiles "
    f"{windows.PERCENTILES[0]:g} and {windows.PERCENTILES[1]:g}; 8 bits unchanged"
)


def build(
    out: str | Path,
    drawn: Drawn,
    *,
    name: str,
    seed: int,
    size: tuple[int, int] = radiographs.HIGH,
    harmonised: bool = False,
    progress: pool.Progress | None = None,
    left_out: Sequence[dict[str, str]] = (),
    flow: Mapping | None = None,
) -> pool.Pool:
    """Write the drawn images as a pool of `size` (width, height), in random order.

    If practice cases have several versions, those of each source keep the same order, which links them. The brightness
    of each class (mean and spread over images, grey levels 0 to 255) and the cases that seem to contain text are
    recorded in pool.json. left_out, flow: as in `pool.write`.
    """
    truths = [candidate.truth for candidate in drawn.candidates]
    if harmonised:
        from generation.harmonise import harmonise

        frames, boxes = harmonise(drawn.images, truths, size, seed)
    else:
        boxes = [(0, 0, *image.size) for image in drawn.images]
        frames = [np.asarray(radiographs.high(image, size)) for image in drawn.images]
    order = _in_step(drawn, np.random.Generator(np.random.PCG64([seed, 1])).permutation(len(frames)))

    def entries() -> Iterator[pool.Entry]:
        for place, number in enumerate(order, start=1):
            candidate = drawn.candidates[number]
            image = pool.encode(frames[number])
            yield pool.Entry(
                candidate.truth,
                candidate.source,
                image,
                drawn.groups[number],
                origin=str(candidate.origin or candidate.path),
                faults=tuple(fault.moved(drawn.images[number].size, boxes[number], size) for fault in candidate.faults),
            )
            if progress is not None:
                progress(place, len(order))

    how: dict = {truth: _described(drawn, frames, order, truth) for truth in pool.TRUTHS}
    how["preparation"] = f"grey, Lanczos to {size[0]} x {size[1]}, PNG" + (", harmonised" if harmonised else "")
    how["stretch"] = STRETCH
    phantom = any(candidate.phantom for candidate in drawn.candidates)
    return pool.write(
        out,
        entries(),
        name=name,
        seed=seed,
        width=size[0],
        height=size[1],
        how=how,
        phantom=phantom,
        left_out=left_out,
        flow=flow,
    )


def _in_step(drawn: Drawn, order: np.ndarray) -> list[int]:
    """Return the order, with the practice images of every source in the order drawn, if they belong together.

    All practice cases of a pool have one group, so only their order shows which images belong together.
    """
    found = [int(number) for number in order]
    places = defaultdict(list)
    for place, number in enumerate(found):
        if drawn.together and drawn.groups[number] == pool.PRACTICE:
            places[drawn.candidates[number].source].append(place)
    for own in places.values():
        for place, number in zip(own, sorted(found[place] for place in own), strict=True):
            found[place] = number
    return found


def _by_folder(folders: Sequence[Path], frames: str) -> dict[str, list[Candidate]]:
    """The synthetic images of each folder by its name, also for training. Raises InputError for duplicate names."""
    names = Counter(folder.resolve().name for folder in folders)
    if twice := [name for name, times in names.items() if times > 1]:
        raise InputError(f"two --synthetic folders are called {', '.join(twice)}; each source needs a different name")
    return {folder.resolve().name: candidates([folder], "synthetic", True, frames) for folder in folders}


def _described(drawn: Drawn, frames: list[np.ndarray], order: Sequence[int], truth: str) -> dict:
    own = [number for number, candidate in enumerate(drawn.candidates) if candidate.truth == truth]
    means = [float(frames[number].mean()) for number in own]
    contrasts = [float(frames[number].std()) for number in own]
    lettered = [
        pool.case_name(place) for place, number in enumerate(order, start=1) if _is_lettered(drawn, number, truth)
    ]
    return {
        "sources": dict(sorted(Counter(drawn.candidates[number].source for number in own).items())),
        **_told(drawn, own),
        "text": {"count": len(lettered), "cases": lettered},
        "brightness": {
            "mean": round(float(np.mean(means)), 2) if own else None,
            "spread": round(float(np.std(means)), 2) if own else None,
            "contrast": round(float(np.mean(contrasts)), 2) if own else None,
        },
    }


def _told(drawn: Drawn, own: list[int]) -> dict:
    """Count the facts read from the files of a class; None if unknown for any file, or for notes if for all."""
    lossy, notes, headers = (
        [value for number in own if (value := getattr(drawn.candidates[number], name)) is not None]
        for name in ("lossy", "notes", "header")
    )
    return {
        "lossy": sum(lossy) if len(lossy) == len(own) else None,
        "notes": dict(sorted(Counter(note for one in notes for note in one).items())) if notes or not own else None,
        "header": corpus.counted(headers) if len(headers) == len(own) else None,
    }


def _is_lettered(drawn: Drawn, number: int, truth: str) -> bool:
    candidate = drawn.candidates[number]
    return bool(candidate.truth == truth and candidate.text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--real", type=Path, nargs="+", default=[], metavar="DIR", help="real images, or prepared corpora"
    )
    parser.add_argument("--synthetic", type=Path, nargs="+", required=True, metavar="DIR", help="synthetic images")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the new pool folder")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--count",
        type=whole(1),
        nargs=2,
        default=(100, 100),
        metavar=("REAL", "SYNTHETIC"),
        help="cases (default 100 100)",
    )
    what.add_argument(
        "--quartets",
        type=whole(1),
        metavar="N",
        help="N sets, each of one real image and one from every --synthetic folder (1 to 5 folders)",
    )
    what.add_argument(
        "--comparisons",
        type=whole(1),
        metavar="N",
        help="N sets, each of one case as every --synthetic folder (2 to 4 folders) has it under the same file name",
    )
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="DIR",
        help="with --comparisons: images to show beside the others as the reference",
    )
    parser.add_argument(
        "--practice",
        type=whole(0),
        default=0,
        metavar="N",
        help="practice cases with --count or --comparisons, practice quartets with --quartets (default 0)",
    )
    parser.add_argument("--size", type=whole(8), nargs=2, default=radiographs.HIGH, metavar=("WIDTH", "HEIGHT"))
    corpus.add_frames(parser)
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="seed of the random draw (default 0)")
    parser.add_argument("--name", default="", help="name of the pool (default: the folder's name)")
    parser.add_argument(
        "--with-training", action="store_true", help="also use the training images of a prepared corpus"
    )
    parser.add_argument(
        "--harmonise", action="store_true", help="remove technical differences between real and synthetic images"
    )


def _given(args: argparse.Namespace) -> dict[str, list[Candidate]]:
    """Every image in the folders, also for training: --real under "", others by source. Raises InputError for names."""
    real = candidates(args.real, "real", True, args.frames)
    if args.reference and not args.comparisons:
        raise InputError("--reference can only be used with --comparisons")
    if args.quartets:
        return {"": real} | _by_folder(args.synthetic, args.frames)
    if not args.comparisons:
        return {"": real, "synthetic": candidates(args.synthetic, "synthetic", True, args.frames)}
    methods = _by_folder(args.synthetic, args.frames)
    methods |= {folder.resolve().name: candidates([folder], "real", True, args.frames) for folder in args.real}
    if len(methods) < len(args.synthetic) + len(args.real) or REFERENCE in methods:
        raise InputError(f"each folder needs a different name, other than {REFERENCE}, which is used by --reference")
    return methods | ({REFERENCE: candidates([args.reference], "real", True, args.frames)} if args.reference else {})


def run(args: argparse.Namespace) -> int:
    rng = np.random.Generator(np.random.PCG64(args.seed))
    size = None if args.harmonise else tuple(args.size)
    sources = _given(args)
    given = [one for found in sources.values() for one in found]
    trained = [one for one in given if one.training and not (args.with_training and one.truth == "real")]
    left = {id(one) for one in trained}
    sources = {name: [one for one in found if id(one) not in left] for name, found in sources.items()}
    with bar("images drawn") as progress:
        if args.comparisons:
            drawn = comparisons(sources, args.comparisons, args.practice, rng, size, progress)
        elif args.quartets:
            drawn = quartets(sources.pop(""), sources, args.quartets, args.practice, rng, size, progress)
        else:
            found = sources[""], sources["synthetic"]
            drawn = single(*found, tuple(args.count), args.practice, rng, size, progress)
    with bar("images written") as progress:
        made = build(
            args.out,
            drawn,
            name=args.name or args.out.resolve().name,
            seed=args.seed,
            size=tuple(args.size),
            harmonised=args.harmonise,
            progress=progress,
            flow=drawn.flow(by_truth(given), {"training": by_truth(trained)}),
        )
    print(f"{made.folder}: {made.manifest['counts']}; {drawn.duplicates} near-duplicates left out")
    for truth in pool.TRUTHS:
        how = made.manifest["how"][truth]
        print(f"  {truth}: { {name: how[name] for name in how if name != 'text'} }")
        own = [str(one.origin or one.path) for one in drawn.candidates if one.truth == truth and one.text]
        text_found(own, f"{truth} images")
    if drawn.spare:
        print(f"  not needed, left out at random: {', '.join(drawn.spare)}")
    return left_out([*drawn.lacking, *drawn.unreadable])
