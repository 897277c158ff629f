"""Draw images for a pool at random, regardless of quality: single images, quartets or comparisons.

The draw is balanced over sources, and excludes second versions of a radiograph and, unless requested, images on which
the generator was trained.
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
Read = radiographs.Reading | InputError  # the result of reading an image
METHODS = range(2, 5)  # images of a comparison, not counting its reference
REFERENCE = "reference"  # the source of the image that is shown to readers as the reference


@dataclass(frozen=True)
class Candidate:
    """An image that may enter the pool."""

    path: Path
    truth: str
    source: str
    stem: str  # shared by the outputs of several models for one input
    phantom: bool = False
    frame: int | None = None  # of a file with several images, from 0
    origin: Path | None = None  # the original file, if `path` is a prepared copy
    # From `Reading`; None for a prepared copy of an unknown file.
    lossy: bool | None = False
    notes: tuple[str, ...] | None = ()
    header: Mapping[str, str] | None = field(default_factory=dict)
    training: bool = False  # whether a generator was trained on it
    text: bool | None = None  # whether it seems to contain text; None if not yet checked
    faults: tuple[KnownFault, ...] = ()  # known faults


@dataclass
class Drawn:
    """Images chosen so far, with which the next one is compared. Images are stored at `size` if given."""

    size: tuple[int, int] | None = None
    candidates: list[Candidate] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    images: list[Image.Image] = field(default_factory=list)
    signatures: list[duplicates.Signature] = field(default_factory=list)
    lost: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # by reason and truth
    unreadable: list[str] = field(default_factory=list)
    spare: list[str] = field(default_factory=list)  # numbers of images that are not needed
    lacking: list[str] = field(default_factory=list)  # cases left out, with reasons
    prints: set[bytes] = field(default_factory=set)  # fingerprints of images that may occur only once
    together: bool = False  # whether images of a practice case are versions of one, like those of a group

    @property
    def duplicates(self) -> int:
        return self.lost["near_duplicate"].total()

    def flow(self, given: Mapping[str, int], *left_out: Mapping[str, Mapping[str, int]]) -> dict:
        """Return `flow` for pool.json: numbers given, left out before or during the draw, and taken; see `flow`."""
        return flow.counted(given, by_truth(self.candidates), self.lost, *left_out)

    def take(self, candidate: Candidate, read: Read, group: str) -> bool:
        """Add an image unless it cannot be read, or is a version of one already chosen."""
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
        """Add all versions of one case, or none if one cannot be read or is identical to another."""
        looked = [self._sound(candidate, one) for candidate, one in zip(versions, read, strict=True)]
        found = [one for one in looked if one is not None]
        if len(found) < len(versions):
            readable = (candidate for candidate, one in zip(versions, looked, strict=True) if one is not None)
            self.lost["unmatched"].update(candidate.truth for candidate in readable)
            return False
        prints = [hashlib.sha256(self._shaped(one.image).tobytes()).digest() for one in found]
        for number, candidate in enumerate(versions):
            if prints[number] in self.prints or prints[number] in prints[:number]:
                self.lacking.append(f"{case}: the image of {candidate.source} is identical to another one")
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
    """Return the images in folders; `frames` as in `corpus.prepare`. Raises InputError naming the folder.

    The sources are the sets of a prepared corpus, whose training images are left out; a pool gives its scored cases of
    this truth, whose original files are unknown; otherwise the subfolders are the sources, or the folder itself if it
    has none.
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
    """Count the candidates of each class."""
    return Counter(one.truth for one in found)


def sound(found: Sequence[Candidate], faults: list[str]) -> list[Candidate]:
    """Return the candidates whose files can be read; add the problems of the others to `faults`."""
    kept = set(radiographs.readable([one.path for one in found], faults))
    return [one for one in found if one.path in kept]


def _read_ahead(lot: Sequence[Candidate]) -> closing[Generator[Read, None, None]]:
    """Read the images on all cores, a few ahead; the consumer must close it when it needs no more."""
    return closing(guarded.looks_at([(one.path, one.frame, one.text is None) for one in lot]))


def by_lot(found: Sequence[Candidate], rng: np.random.Generator) -> Iterator[Candidate]:
    """Yield the candidates in a random order that alternates between sources."""
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
    """Draw the given numbers of real and synthetic single cases, and practice cases alternating between both.

    size: size of the pool, if images are only resized: thousands at full size would fill the memory.
    progress: called as progress(images drawn, total images).
    """
    drawn = Drawn(size)
    for number, (truth, found) in enumerate((("real", real), ("synthetic", synthetic))):
        wanted = [""] * counts[number] + [pool.PRACTICE] * ((practice + 1 - number) // 2)
        taken, _ = _filled(drawn, list(by_lot(found, rng)), wanted, progress, sum(counts) + practice)
        if taken < len(wanted):
            raise InputError(
                f"{len(wanted)} {truth} images are needed, but only {taken} are available: {len(found)} found, "
                f"{drawn.duplicates} left out as near-duplicates, {len(drawn.unreadable)} as unreadable",
                drawn.unreadable,
            )
    return drawn


def _filled(
    drawn: Drawn, lot: Sequence[Candidate], groups: Sequence[str], progress: pool.Progress | None, total: int
) -> tuple[int, int]:
    """Draw an image for each group; return how many were drawn, and how many candidates were not examined."""
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
    """Draw groups of one real image and one from every source (1 to 5, by name), then `practice` more for practice.

    progress as in `single`. Images that are not needed are counted in `spare`. Raises InputError naming the source with
    too few images, or for a wrong number of sources.
    """
    if not 1 <= len(sources) <= MOST_SOURCES:
        raise InputError(
            f"quartets need 1 to {MOST_SOURCES} synthetic sources in addition to the real images; got {len(sources)}"
        )
    drawn = Drawn(size)
    groups = [f"q{number:03d}" for number in range(1, count + 1)] + [pool.PRACTICE] * practice
    for name, found in {"real images": real, **sources}.items():
        lot = list(by_lot([replace(one, source=name) if name in sources else one for one in found], rng))
        taken, rest = _filled(drawn, lot, groups, progress, len(groups) * (1 + len(sources)))
        if taken < len(groups):
            wanted = f"{count} quartets" + (f" and {practice} for practice" if practice else "")
            raise InputError(
                f"{name}: {wanted} are needed, but only {taken} images are available: {len(found)} found; in all, "
                f"{drawn.duplicates} near-duplicates and {len(drawn.unreadable)} unreadable ones were left out",
                drawn.unreadable,
            )
        if rest:
            drawn.spare.append(f"{rest} of {name}")
    return drawn


def matched(methods: Mapping[str, Sequence[Candidate]]) -> tuple[dict[str, list[Candidate]], list[str]]:
    """Return the images of each case, matched by file name (without suffix), in the order of `methods`.

    Also return the problems of other cases, one line per case and method: no image, or several with the same name.
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
    """Draw groups of the images of one case by every method (2 to 4 by name, and REFERENCE), then some for practice.

    progress as in `single`. A case that lacks a method, or has an unreadable image, is left out and named in `lacking`
    or `unreadable`. Raises InputError for a wrong number of methods, or too few cases, with what was left out.
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
            f"{wanted} are needed, but only {taken} cases are available; a case has the same file name in all folders",
            [*drawn.lacking, *drawn.unreadable],
        )
    if rest := len(lot) - looked:
        drawn.spare.append(f"{rest} cases" if rest > 1 else "1 case")
    return drawn
