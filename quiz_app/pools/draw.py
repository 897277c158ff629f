"""Draw the cases of a pool from the images of an upload: single images, quartets or comparisons."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from generation.errors import InputError
from generation.files import sha256
from quiz_app.errors import InvalidInputError
from quiz_app.pools.wishes import COMPARISONS, QUARTETS, Wishes

if TYPE_CHECKING:
    from generation.drawing import Candidate, Drawn

    Images = dict[str, list[Candidate]]  # by class


class IncompleteError(InvalidInputError):
    """Cases to be compared lack a method, and the user has not agreed to leave them out."""


def size_of(wishes: Wishes) -> tuple[int, int] | None:
    """The size at which images are kept before drawing; None if they will be harmonised and keep their own size."""
    return None if wishes.harmonise else (wishes.width, wishes.height)


def drawn(
    images: Images, wishes: Wishes, incomplete: bool, progress: Callable[[int, int], None] | None = None
) -> tuple[Drawn, list[str]]:
    """What is drawn from the images of each class, and notes about it.

    incomplete: whether cases to be compared may be left out if they lack a method. progress: images drawn, and total.
    Raises InvalidInputError or InputError if there are not enough images, and IncompleteError for incomplete cases that
    may not be left out.
    """
    from generation import drawing

    rng = np.random.Generator(np.random.PCG64(wishes.seed))
    if wishes.sets == COMPARISONS:
        return _compared(images, wishes, incomplete, rng, progress)
    if wishes.sets == QUARTETS:
        sources = _by_source(images["synthetic"])
        each, practice, said = _quartet_counts(images["real"], sources, wishes)
        return drawing.quartets(images["real"], sources, each, practice, rng, size_of(wishes), progress), said
    each, practice = _counts(images, wishes)
    cases = "1 case" if each == 1 else f"{each} cases"
    said = [f"{cases} of each class and {practice} for practice, at random with seed {wishes.seed}"]
    found = images["real"], images["synthetic"]
    return drawing.single(*found, (each, each), practice, rng, size_of(wishes), progress), said


def methods(images: Images) -> Images:
    """The images to be compared, by method, and those of the reference, if there is one."""
    from generation.drawing import REFERENCE

    return _by_source(images["synthetic"]) | ({REFERENCE: images["real"]} if images["real"] else {})


def incomplete(images: Images) -> list[dict[str, str]]:
    """The images of cases that lack a method, as a pool records them: class, checksum and reason, but no name."""
    from generation import drawing

    whole, _ = drawing.matched(methods(images))
    why = "its case is not in every folder"
    return [
        {"truth": truth, "sha256": sha256(one.origin or one.path), "why": why}
        for truth, own in images.items()
        for one in own
        if one.stem not in whole
    ]


def _compared(
    images: Images,
    wishes: Wishes,
    incomplete: bool,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] | None,
) -> tuple[Drawn, list[str]]:
    from generation import drawing

    by_method = methods(images)
    whole, lacking = drawing.matched(by_method)
    if lacking and not incomplete:
        raise IncompleteError([f"incomplete: {fault}" for fault in lacking])
    practice = _sets(wishes.practice, len(by_method))
    each = wishes.each or max(len(whole) - practice, 0)
    if not each:
        raise InputError(f"zip: {len(whole)} file names are in all folders; one and {practice} for practice are needed")
    found = drawing.comparisons(by_method, each, practice, rng, size_of(wishes), progress)
    cases = "1 case" if each == 1 else f"{each} cases"
    said = [f"{cases} by {', '.join(by_method)} and {practice} for practice, at random with seed {wishes.seed}"]
    said += [f"not needed, at random: {', '.join(found.spare)}"] if found.spare else []
    return found, said + [f"left out: {why}" for why in found.lacking]


def _sets(practice: int, images: int) -> int:
    """How many sets of `images` images the practice cases fill."""
    return -(-practice // images)


def _counts(candidates: dict[str, list], wishes: Wishes) -> tuple[int, int]:
    """The number of cases of each class, and for practice. Raises InvalidInputError if there are too few images."""
    shares = {"real": (wishes.practice + 1) // 2, "synthetic": wishes.practice // 2}
    each = wishes.each or min(len(candidates[truth]) - shares[truth] for truth in candidates)
    if each < 1:
        have = ", ".join(f"{len(own)} {truth}" for truth, own in candidates.items())
        raise InvalidInputError(
            [f"zip: too few images ({have}) for {wishes.practice} practice cases and one of each class"]
        )
    return each, wishes.practice


def _by_source(synthetic: list) -> dict[str, list]:
    """The synthetic images by their source."""
    return {
        source: [one for one in synthetic if one.source == source]
        for source in sorted({one.source for one in synthetic})
    }


def _quartet_counts(real: list, sources: dict[str, list], wishes: Wishes) -> tuple[int, int, list[str]]:
    """The number of quartets, the number for practice (as many as the practice cases fill), and notes about them.

    Raises InvalidInputError that names every folder with too few images.
    """
    practice = _sets(wishes.practice, 1 + len(sources))
    have = {"real images": len(real)} | {source: len(own) for source, own in sources.items()}
    each = wishes.each or min(have.values()) - practice
    short = [f"{name} ({count})" for name, count in have.items() if count < each + practice or each < 1]
    if short:
        wanted = f"{max(each, 1)} quartets and {practice} for practice need {max(each, 1) + practice} of each source"
        raise InvalidInputError([f"zip: too few images: {', '.join(short)}; {wanted}"])
    said = [
        f"{each} quartets of {1 + len(sources)} images and {practice} for practice, at random with seed {wishes.seed}"
    ]
    spare = [f"{count - each - practice} of {name}" for name, count in have.items() if count > each + practice]
    return each, practice, said + ([f"not needed, at random: {', '.join(spare)}"] if spare else [])
