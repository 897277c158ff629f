"""The mixed pool: real and synthetic images chosen at random, resized and encoded alike, into a pool folder.

Chosen without regard to quality, alike from every source, never two versions of one radiograph, and no image that the
generator was trained on unless that is wanted. The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from generation import corpus, duplicates, flow, pool, radiographs
from generation.arguments import bar, left_out, whole
from generation.errors import InputError
from generation.radiographs import guarded, windows
from generation.radiographs.reading import SEVERAL

MOST_SOURCES = 5  # synthetic images of a quartet
STRETCH = (
    "more than 8 bits: by the file's window, or else between the percentiles "
    f"{windows.PERCENTILES[0]:g} and {windows.PERCENTILES[1]:g}; 8 bits as they are"
)


@dataclass(frozen=True)
class Candidate:
    """An image that may enter the pool."""

    path: Path
    truth: str
    source: str
    stem: str  # what outputs of several models for one input have in common
    phantom: bool = False
    frame: int | None = None  # of a file that holds several images, from 0
    origin: Path | None = None  # the file as it came, where `path` is a prepared copy
    lossy: bool = False
    notes: tuple[str, ...] = ()
    training: bool = False  # a generator was trained on it


@dataclass
class Drawn:
    """What has been chosen so far, to compare the next one with. Images are kept at `size` where it is given."""

    size: tuple[int, int] | None = None
    candidates: list[Candidate] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    images: list[Image.Image] = field(default_factory=list)
    signatures: list[duplicates.Signature] = field(default_factory=list)
    lost: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # by reason and truth
    unreadable: list[str] = field(default_factory=list)

    @property
    def duplicates(self) -> int:
        return self.lost["near_duplicate"].total()

    def flow(self, given: Mapping[str, int], *left_out: Mapping[str, Mapping[str, int]]) -> dict:
        """`flow` of pool.json: how many were given, left out before the draw or in it, and taken; see `flow`."""
        return flow.counted(given, _by_truth(self.candidates), self.lost, *left_out)

    def take(self, candidate: Candidate, group: str, alike: bool = False) -> bool:
        """Add an image unless it cannot be read, or is a version of one already chosen (`alike`: that is meant)."""
        try:
            found = guarded.look(candidate.path, candidate.frame)
        except InputError as error:
            self.unreadable.append(str(error))
            self.lost["several_images" if SEVERAL in str(error) else "unreadable"][candidate.truth] += 1
            return False
        image = found.image
        signature = duplicates.signature(image)
        if not alike and duplicates.pairs([signature], self.signatures):
            self.lost["near_duplicate"][candidate.truth] += 1
            return False
        lossy, notes = candidate.lossy or found.lossy, candidate.notes or found.notes
        self.candidates.append(replace(candidate, lossy=lossy, notes=notes))
        self.groups.append(group)
        self.images.append(radiographs.high(image, self.size) if self.size else image)
        self.signatures.append(signature)
        return True


def candidates(
    folders: Sequence[Path], truth: str, with_training: bool = False, frames: str = "none"
) -> list[Candidate]:
    """The images of folders; `frames` as in `corpus.prepare`. Raises InputError naming the folder.

    A prepared corpus gives its sets as sources, and leaves out its training images; a pool gives its scored cases of
    this truth; of any other folder the folders within are the sources, or else it is one itself.
    """
    found = []
    for folder in folders:
        if (folder / "cases.csv").exists():
            other = pool.read_table(folder)
            own = [case for case in other.scored if case.truth == truth]
            found += [Candidate(other.path(case), truth, case.source, case.case, other.phantom) for case in own]
        elif (folder / "manifest.csv").exists():
            rows = corpus.read_manifest(folder)
            for row in (row for row in rows if with_training or row["split"] != "train"):
                path, seen = folder / "hr" / f"{row['image']}.png", row["split"] == "train"
                found.append(Candidate(path, truth, row["set"], row["image"], training=seen))
        else:
            for path, frame in radiographs.expanded(radiographs.find(folder), frames):
                inside = path.relative_to(folder)
                source = inside.parts[0] if len(inside.parts) > 1 else folder.resolve().name
                found.append(Candidate(path, truth, source, inside.stem, frame=frame))
    return found


def sound(found: Sequence[Candidate], faults: list[str]) -> list[Candidate]:
    """The candidates whose files can be read; what is wrong with the others is added to `faults`."""
    kept = set(radiographs.readable([one.path for one in found], faults))
    return [one for one in found if one.path in kept]


def by_lot(found: Sequence[Candidate], rng: np.random.Generator) -> Iterator[Candidate]:
    """The candidates in a random order that takes from every source in turn."""
    queues = []
    for source in sorted({candidate.source for candidate in found}):
        own = [candidate for candidate in found if candidate.source == source]
        queues.append([own[number] for number in rng.permutation(len(own))])
    rng.shuffle(queues)
    for turn in range(max(map(len, queues), default=0)):
        yield from (queue[turn] for queue in queues if turn < len(queue))


def single(
    real: Sequence[Candidate],
    synthetic: Sequence[Candidate],
    counts: tuple[int, int],
    practice: int,
    rng: np.random.Generator,
    size: tuple[int, int] | None = None,
) -> Drawn:
    """So many real and synthetic cases that stand alone, and practice cases of both by turns.

    size: of the pool, where nothing but resizing is done to the images: thousands at full size would fill the memory.
    """
    drawn = Drawn(size)
    for number, (truth, found) in enumerate((("real", real), ("synthetic", synthetic))):
        lot = by_lot(found, rng)
        wanted = [""] * counts[number] + [pool.PRACTICE] * ((practice + 1 - number) // 2)
        for taken, group in enumerate(wanted):
            if not any(drawn.take(candidate, group) for candidate in lot):
                raise InputError(
                    f"{len(wanted)} {truth} images wanted, {taken} can be had: {len(found)} found, "
                    f"{drawn.duplicates} left out as near-duplicates, {len(drawn.unreadable)} as unreadable",
                    drawn.unreadable,
                )
    return drawn


def quartets(
    real: Sequence[Candidate],
    sources: Mapping[str, Sequence[Candidate]],
    count: int,
    practice: int,
    rng: np.random.Generator,
    size: tuple[int, int] | None = None,
) -> Drawn:
    """Groups of one real image and one of every source (1 to 5 of them, by name), then `practice` more for practice.

    Raises InputError that names the source of which there are too few, or for another number of sources.
    """
    if not 1 <= len(sources) <= MOST_SOURCES:
        raise InputError(
            f"quartets need 1 to {MOST_SOURCES} synthetic sources beside the real images; got {len(sources)}"
        )
    drawn = Drawn(size)
    groups = [f"q{number:03d}" for number in range(1, count + 1)] + [pool.PRACTICE] * practice
    for name, found in {"real images": real, **sources}.items():
        lot = by_lot([replace(one, source=name) if name in sources else one for one in found], rng)
        for taken, group in enumerate(groups):
            if not any(drawn.take(candidate, group) for candidate in lot):
                wanted = f"{count} quartets" + (f" and {practice} for practice" if practice else "")
                raise InputError(
                    f"{name}: {wanted} wanted, {taken} images can be had: {len(found)} found, {drawn.duplicates} near-"
                    f"duplicates and {len(drawn.unreadable)} unreadable left out of all",
                    drawn.unreadable,
                )
    return drawn


def _by_folder(folders: Sequence[Path], frames: str) -> dict[str, list[Candidate]]:
    """The synthetic images of each folder, by its name, also for training. Raises InputError for two of one name."""
    names = Counter(folder.resolve().name for folder in folders)
    if twice := [name for name, times in names.items() if times > 1]:
        raise InputError(f"two --synthetic folders are called {', '.join(twice)}; each source needs a name of its own")
    return {folder.resolve().name: candidates([folder], "synthetic", True, frames) for folder in folders}


def comparisons(
    real: Sequence[Candidate], sources: Mapping[str, Sequence[Candidate]], count: int, rng: np.random.Generator
) -> Drawn:
    """Groups of images of one case, told by equal file names: one from every source, and its real one."""
    models = [{one.stem: replace(one, source=name) for one in found} for name, found in sources.items()]
    models += [{one.stem: one for one in real}] if real else []
    shared = sorted(set.intersection(*map(set, models)))
    if len(shared) < count:
        raise InputError(f"{count} comparisons wanted, only {len(shared)} file names are in all folders")
    drawn = Drawn()
    for model in models:
        drawn.lost["unmatched"].update(one.truth for stem, one in model.items() if stem not in set(shared))
    for number, place in enumerate(rng.permutation(len(shared))[:count], start=1):
        for model in models:
            if not drawn.take(model[shared[place]], f"c{number:03d}", alike=True):
                raise InputError("a comparison needs all of its images:", drawn.unreadable)
    return drawn


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
    """Write what was drawn as a pool of `size` (width, height), in a random order.

    The brightness of either class (mean and spread over images, grey levels 0 to 255) is noted in pool.json.
    left_out, flow: as in `pool.write`.
    """
    truths = [candidate.truth for candidate in drawn.candidates]
    if harmonised:
        from generation.harmonise import harmonise

        frames = harmonise(drawn.images, truths, size, seed)
    else:
        frames = [np.asarray(radiographs.high(image, size)) for image in drawn.images]
    order = np.random.Generator(np.random.PCG64([seed, 1])).permutation(len(frames))

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
            )
            if progress is not None:
                progress(place, len(order))

    how: dict = {truth: _described(drawn, frames, truth) for truth in pool.TRUTHS}
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


def _by_truth(found: Sequence[Candidate]) -> Counter[str]:
    return Counter(one.truth for one in found)


def _described(drawn: Drawn, frames: list[np.ndarray], truth: str) -> dict:
    own = [number for number, candidate in enumerate(drawn.candidates) if candidate.truth == truth]
    means = [float(frames[number].mean()) for number in own]
    contrasts = [float(frames[number].std()) for number in own]
    return {
        "sources": dict(sorted(Counter(drawn.candidates[number].source for number in own).items())),
        "lossy": sum(drawn.candidates[number].lossy for number in own),
        "notes": dict(sorted(Counter(note for number in own for note in drawn.candidates[number].notes).items())),
        "brightness": {
            "mean": round(float(np.mean(means)), 2) if own else None,
            "spread": round(float(np.std(means)), 2) if own else None,
            "contrast": round(float(np.mean(contrasts)), 2) if own else None,
        },
    }


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
        help="groups of one real image and one of each --synthetic folder (1 to 5 of them)",
    )
    what.add_argument("--comparisons", type=whole(1), metavar="N", help="groups of one case as several models gave it")
    parser.add_argument(
        "--practice",
        type=whole(0),
        default=0,
        metavar="N",
        help="practice cases with --count, practice quartets with --quartets (default 0)",
    )
    parser.add_argument("--size", type=whole(8), nargs=2, default=radiographs.HIGH, metavar=("WIDTH", "HEIGHT"))
    corpus.add_frames(parser)
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="of the lot (default 0)")
    parser.add_argument("--name", default="", help="what the pool is called (default the folder's name)")
    parser.add_argument("--with-training", action="store_true", help="take training images of a prepared corpus, too")
    parser.add_argument(
        "--harmonise", action="store_true", help="remove what tells the classes apart besides the picture"
    )


def run(args: argparse.Namespace) -> int:
    rng = np.random.Generator(np.random.PCG64(args.seed))
    size = None if args.harmonise else tuple(args.size)
    real = candidates(args.real, "real", True, args.frames)
    if args.quartets or args.comparisons:
        sources = _by_folder(args.synthetic, "none" if args.comparisons else args.frames)
    else:
        sources = {"": candidates(args.synthetic, "synthetic", True, args.frames)}
    given = [*real, *(one for found in sources.values() for one in found)]
    trained = [one for one in given if one.training and not (args.with_training and one.truth == "real")]
    real = [one for one in real if args.with_training or not one.training]
    sources = {name: [one for one in found if not one.training] for name, found in sources.items()}
    if args.quartets:
        drawn = quartets(real, sources, args.quartets, args.practice, rng, size)
    elif args.comparisons:
        drawn = comparisons(real, sources, args.comparisons, rng)
    else:
        drawn = single(real, sources[""], tuple(args.count), args.practice, rng, size)
    with bar("images written") as progress:
        made = build(
            args.out,
            drawn,
            name=args.name or args.out.resolve().name,
            seed=args.seed,
            size=tuple(args.size),
            harmonised=args.harmonise,
            progress=progress,
            flow=drawn.flow(_by_truth(given), {"training": _by_truth(trained)}),
        )
    print(f"{made.folder}: {made.manifest['counts']}; {drawn.duplicates} near-duplicates left out")
    for truth in pool.TRUTHS:
        print(f"  {truth}: {made.manifest['how'][truth]}")
    return left_out(drawn.unreadable)
