"""Drawing images for a pool: at random and without regard to quality, alone, as quartets or as comparisons.

Alike from every source, never two versions of one radiograph, and no image that the generator was trained on unless
that is wanted.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from generation import corpus, duplicates, flow, pool, radiographs
from generation.errors import InputError
from generation.known_faults import KnownFault
from generation.radiographs import guarded
from generation.radiographs.reading import SeveralImagesError

MOST_SOURCES = 5  # synthetic images of a quartet
Read = radiographs.Reading | InputError  # what became of reading an image
METHODS = range(2, 5)  # images of a comparison beside its reference
REFERENCE = "reference"  # the source of the image that readers are shown as such


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
    # As `Reading` has them; None of a prepared copy where nobody knows what its file was.
    lossy: bool | None = False
    notes: tuple[str, ...] | None = ()
    header: Mapping[str, str] | None = field(default_factory=dict)
    training: bool = False  # a generator was trained on it
    text: bool | None = None  # whether it seems to be lettered; None where nobody has looked yet
    faults: tuple[KnownFault, ...] = ()  # as far as they are known


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
    spare: list[str] = field(default_factory=list)  # how many of what are not needed
    lacking: list[str] = field(default_factory=list)  # cases left out, and why
    prints: set[bytes] = field(default_factory=set)  # of pictures that may be there once only
    together: bool = False  # whether the images of a practice case are versions of one, as those of a group are

    @property
    def duplicates(self) -> int:
        return self.lost["near_duplicate"].total()

    def flow(self, given: Mapping[str, int], *left_out: Mapping[str, Mapping[str, int]]) -> dict:
        """`flow` of pool.json: how many were given, left out before the draw or in it, and taken; see `flow`."""
        return flow.counted(given, by_truth(self.candidates), self.lost, *left_out)

    def take(self, candidate: Candidate, read: Read, group: str) -> bool:
        """Add an image unless it could not be read, or is a version of one already chosen."""
        found = self._sound(candidate, read)
        if found is None:
            return False
        signature = duplicates.signature(found.image)
        if duplicates.pairs([signature], self.signatures):
            self.lost["near_duplicate"][candidate.truth] += 1
            return False
        self._add(candidate, group, found)
        self.signatures.append(signature)
        return True

    def take_all(self, case: str, versions: Sequence[Candidate], read: Sequence[Read], group: str) -> bool:
        """Add every version of one case, or none where one could not be read or is the same picture as another."""
        looked = [self._sound(candidate, one) for candidate, one in zip(versions, read, strict=True)]
        found = [one for one in looked if one is not None]
        if len(found) < len(versions):
            readable = (candidate for candidate, one in zip(versions, looked, strict=True) if one is not None)
            self.lost["unmatched"].update(candidate.truth for candidate in readable)
            return False
        prints = [hashlib.sha256(self._shaped(one.image).tobytes()).digest() for one in found]
        for number, candidate in enumerate(versions):
            if prints[number] in self.prints or prints[number] in prints[:number]:
                self.lacking.append(f"{case}: the image of {candidate.source} is the same as another one")
                self.lost["near_duplicate"].update(by_truth(versions))
                return False
        self.prints |= set(prints)
        for candidate, one in zip(versions, found, strict=True):
            self._add(candidate, group, one)
        return True

    def _shaped(self, image: Image.Image) -> Image.Image:
        return radiographs.high(image, self.size) if self.size else image

    def _sound(self, candidate: Candidate, read: Read) -> radiographs.Reading | None:
        if isinstance(read, InputError):
            self.unreadable.append(str(read))
            reason = "several_images" if isinstance(read, SeveralImagesError) else "unreadable"
            self.lost[reason][candidate.truth] += 1
            return None
        return read

    def _add(self, candidate: Candidate, group: str, found: radiographs.Reading) -> None:
        lossy, notes, header = (
            getattr(found, name) or getattr(candidate, name) for name in ("lossy", "notes", "header")
        )
        text = bool(found.text) if candidate.text is None else candidate.text
        image = self._shaped(found.image)
        whole = (0, 0, *found.image.size)
        faults = tuple(fault.moved(found.image.size, whole, image.size) for fault in candidate.faults)
        self.candidates.append(replace(candidate, lossy=lossy, notes=notes, header=header, text=text, faults=faults))
        self.groups.append(group)
        self.images.append(image)


def candidates(
    folders: Sequence[Path], truth: str, with_training: bool = False, frames: str = "none"
) -> list[Candidate]:
    """The images of folders; `frames` as in `corpus.prepare`. Raises InputError naming the folder.

    A prepared corpus gives its sets as sources, and leaves out its training images; a pool gives its scored cases of
    this truth, and nobody knows what their files were; of any other folder the folders within are the sources, or else
    it is one itself.
    """
    found = []
    for folder in folders:
        if (folder / "cases.csv").exists():
            other = pool.read_table(folder)
            own = [case for case in other.scored if case.truth == truth]
            found += [
                Candidate(
                    other.path(case),
                    truth,
                    case.source,
                    case.case,
                    other.phantom,
                    **corpus.told({}),
                    faults=other.faults.get(case.case, ()),
                )
                for case in own
            ]
        elif (folder / "manifest.csv").exists():
            rows = corpus.read_manifest(folder)
            for row in (row for row in rows if with_training or row["split"] != "train"):
                path, seen = folder / "hr" / f"{row['image']}.png", row["split"] == "train"
                found.append(Candidate(path, truth, row["set"], row["image"], training=seen, **corpus.told(row)))
        else:
            for path, frame in radiographs.expanded(radiographs.find(folder), frames):
                inside = path.relative_to(folder)
                source = inside.parts[0] if len(inside.parts) > 1 else folder.resolve().name
                found.append(Candidate(path, truth, source, inside.stem, frame=frame))
    return found


def by_truth(found: Sequence[Candidate]) -> Counter[str]:
    """How many there are of each class."""
    return Counter(one.truth for one in found)


def sound(found: Sequence[Candidate], faults: list[str]) -> list[Candidate]:
    """The candidates whose files can be read; what is wrong with the others is added to `faults`."""
    kept = set(radiographs.readable([one.path for one in found], faults))
    return [one for one in found if one.path in kept]


def _read_ahead(lot: Sequence[Candidate]) -> closing[Generator[Read, None, None]]:
    """What becomes of reading each of the images, on all cores and a few ahead; whoever takes no more closes it."""
    return closing(guarded.looks_at([(one.path, one.frame, one.text is None) for one in lot]))


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
    progress: pool.Progress | None = None,
) -> Drawn:
    """So many real and synthetic cases that stand alone, and practice cases of both by turns.

    size: of the pool, where nothing but resizing is done to the images: thousands at full size would fill the memory.
    progress: called as progress(images drawn, images in all).
    """
    drawn = Drawn(size)
    for number, (truth, found) in enumerate((("real", real), ("synthetic", synthetic))):
        wanted = [""] * counts[number] + [pool.PRACTICE] * ((practice + 1 - number) // 2)
        taken, _ = _filled(drawn, list(by_lot(found, rng)), wanted, progress, sum(counts) + practice)
        if taken < len(wanted):
            raise InputError(
                f"{len(wanted)} {truth} images wanted, {taken} can be had: {len(found)} found, "
                f"{drawn.duplicates} left out as near-duplicates, {len(drawn.unreadable)} as unreadable",
                drawn.unreadable,
            )
    return drawn


def _filled(
    drawn: Drawn, lot: Sequence[Candidate], groups: Sequence[str], progress: pool.Progress | None, total: int
) -> tuple[int, int]:
    """Draw an image of the lot for each group: how many there are, and how many of the lot were not looked at."""
    taken = looked = 0
    with _read_ahead(lot) as pictures:
        for candidate in lot:
            if taken == len(groups):
                break
            looked += 1
            if drawn.take(candidate, next(pictures), groups[taken]):
                taken += 1
                _tell(progress, drawn, total)
    return taken, len(lot) - looked


def _tell(progress: pool.Progress | None, drawn: Drawn, total: int) -> None:
    if progress is not None:
        progress(len(drawn.candidates), total)


def quartets(
    real: Sequence[Candidate],
    sources: Mapping[str, Sequence[Candidate]],
    count: int,
    practice: int,
    rng: np.random.Generator,
    size: tuple[int, int] | None = None,
    progress: pool.Progress | None = None,
) -> Drawn:
    """Groups of one real image and one of every source (1 to 5 of them, by name), then `practice` more for practice.

    progress as in `single`. What is not needed of a source is counted in `spare`. Raises InputError that names the
    source of which there are too few, or for another number of sources.
    """
    if not 1 <= len(sources) <= MOST_SOURCES:
        raise InputError(
            f"quartets need 1 to {MOST_SOURCES} synthetic sources beside the real images; got {len(sources)}"
        )
    drawn = Drawn(size)
    groups = [f"q{number:03d}" for number in range(1, count + 1)] + [pool.PRACTICE] * practice
    for name, found in {"real images": real, **sources}.items():
        lot = list(by_lot([replace(one, source=name) if name in sources else one for one in found], rng))
        taken, rest = _filled(drawn, lot, groups, progress, len(groups) * (1 + len(sources)))
        if taken < len(groups):
            wanted = f"{count} quartets" + (f" and {practice} for practice" if practice else "")
            raise InputError(
                f"{name}: {wanted} wanted, {taken} images can be had: {len(found)} found, {drawn.duplicates} near-"
                f"duplicates and {len(drawn.unreadable)} unreadable left out of all",
                drawn.unreadable,
            )
        if rest:
            drawn.spare.append(f"{rest} of {name}")
    return drawn


def matched(methods: Mapping[str, Sequence[Candidate]]) -> tuple[dict[str, list[Candidate]], list[str]]:
    """The images of each case, told by equal file names (without the ending), in the order of `methods`.

    And what is wrong with the others, a line a case and method: no image, or several of one name.
    """
    named = {method: Counter(one.stem for one in found) for method, found in methods.items()}
    every = sorted(set().union(*named.values()))
    faults = [f"{stem}: no image of {method}" for stem in every for method in methods if not named[method][stem]]
    faults += [
        f"{stem}: {times} images of {method} have this name"
        for method in methods
        for stem, times in sorted(named[method].items())
        if times > 1
    ]
    images = {method: {one.stem: replace(one, source=method) for one in found} for method, found in methods.items()}
    whole = [stem for stem in every if all(named[method][stem] == 1 for method in methods)]
    return {stem: [images[method][stem] for method in methods] for stem in whole}, faults


def comparisons(
    methods: Mapping[str, Sequence[Candidate]],
    count: int,
    practice: int,
    rng: np.random.Generator,
    size: tuple[int, int] | None = None,
    progress: pool.Progress | None = None,
) -> Drawn:
    """Groups of the images of one case by every method (2 to 4 by name, and REFERENCE), then some for practice.

    progress as in `single`. A case that lacks a method, or has an image that cannot be read, is left out and named in
    `lacking` or `unreadable`.
    Raises InputError for another number of methods, or too few cases, with what was left out.
    """
    compared = [method for method in methods if method != REFERENCE]
    if len(compared) not in METHODS:
        named = ", ".join(compared) or "none"
        raise InputError(f"comparisons need {METHODS[0]} to {METHODS[-1]} methods; got {len(compared)}: {named}")
    whole, lacking = matched(methods)
    drawn = Drawn(size, lacking=lacking, together=True)
    for found in methods.values():
        drawn.lost["unmatched"].update(one.truth for one in found if one.stem not in whole)
    groups = [f"c{number:03d}" for number in range(1, count + 1)] + [pool.PRACTICE] * practice
    stems = sorted(whole)
    lot = [stems[number] for number in rng.permutation(len(stems))]
    taken = looked = 0
    with _read_ahead([one for stem in lot for one in whole[stem]]) as pictures:
        for stem in lot:
            if taken == len(groups):
                break
            looked += 1
            if drawn.take_all(stem, whole[stem], list(islice(pictures, len(methods))), groups[taken]):
                taken += 1
                _tell(progress, drawn, len(groups) * len(methods))
    if taken < len(groups):
        wanted = f"{count} comparisons" + (f" and {practice} for practice" if practice else "")
        raise InputError(
            f"{wanted} wanted, {taken} cases can be had; the files of a case have the same name in every folder",
            [*drawn.lacking, *drawn.unreadable],
        )
    if rest := len(lot) - looked:
        drawn.spare.append(f"{rest} cases" if rest > 1 else "1 case")
    return drawn
