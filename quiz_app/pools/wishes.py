"""A researcher's choices for images that become a pool: the upload form, and the answers to its questions."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from quiz_app.errors import InvalidInputError
from quiz_app.pools import survey

QUARTETS, COMPARISONS = "quartets", "comparisons"


@dataclass(frozen=True)
class Wishes:
    """How folders become a pool. `each` cases of each class, or sets; 0 = as many as possible."""

    name: str
    each: int = 0
    practice: int = 6
    width: int = 1024
    height: int = 512
    harmonise: bool = False
    sets: str = ""  # what a trial shows: one image, QUARTETS or COMPARISONS
    seed: int = 0

    @classmethod
    def from_form(cls, form: dict[str, str]) -> Wishes:
        """The choices in a form. Raises InvalidInputError with every problem by field."""
        faults = [] if 0 < len(form.get("name", "").strip()) <= 200 else ["name: enter 1 to 200 characters"]
        bounds = {"each": (0, 10_000), "practice": (0, 50), "width": (64, 8192), "height": (64, 8192)}
        numbers = {}
        for name, (low, high) in bounds.items():
            text = form.get(name, "")
            if text.isdecimal() and low <= int(text) <= high:
                numbers[name] = int(text)
            else:
                faults.append(f"{name}: {text!r} is not a whole number from {low} to {high}")
        if (sets := form.get("sets", "")) not in ("", QUARTETS, COMPARISONS):
            faults.append(f"sets: {sets!r} is not one of {QUARTETS}, {COMPARISONS} or empty")
        if faults:
            raise InvalidInputError(faults)
        seed = secrets.randbelow(2**31)
        return cls(
            form["name"].strip(),
            **numbers,
            harmonise=form.get("harmonise") == "yes",
            sets=sets,
            seed=seed,
        )


@dataclass(frozen=True)
class Choices:
    """The researcher's answers: the class of each folder by its index, the frames to use, what to do about text."""

    classes: dict[int, str] = field(default_factory=dict)  # real, synthetic, or empty: left out
    frames: str = "none"
    incomplete: bool = False  # whether cases that lack a method are left out
    text: str = "keep"  # images in which text seems to be burnt in, and cases compared with them: keep, leave-out

    @classmethod
    def from_form(cls, form: Mapping[str, str], found: survey.Survey, sets: str) -> Choices:
        """The answers in a form. Raises InvalidInputError with every problem by field."""
        classes = {number: form.get(f"class-{number}", "") for number in range(len(found.folders))}
        faults = [
            f"class-{number}: {found.folders[number].name or 'the upload'} has no class; choose one, or leave it out"
            for number, truth in classes.items()
            if truth not in ("real", "synthetic", "none")
        ]
        chosen = {number: truth for number, truth in classes.items() if truth != "none"}
        faults = faults or class_faults(found, chosen, sets)
        if found.faults and form.get("faults") != "leave-out":
            faults.append("faults: choose to leave these files out, or stop")
        text = form.get("text", "" if found.lettered else "keep")
        if text not in ("keep", "leave-out"):
            faults.append("text: check these images, then choose to keep them or leave them out")
        frames = form.get("frames", "none")
        if frames not in ("none", "first", "middle", "all"):
            faults.append(f"frames: {frames!r} is not one of none, first, middle, all")
        if faults:
            raise InvalidInputError(faults)
        return cls(chosen, frames, form.get("incomplete") == "leave-out", text)

    @classmethod
    def guessed(cls, found: survey.Survey) -> Choices:
        """The answers suggested by the names of the folders."""
        return cls({number: folder.guess for number, folder in enumerate(found.folders)})


def class_faults(found: survey.Survey, classes: Mapping[int, str], sets: str) -> list[str]:
    """Why no pool can be made of folders with these classes, by number, each as `field: reason`.

    In comparisons, a `synthetic` folder is a method, and a `real` one is the reference.
    """
    sources = [found.folders[one].source or "synthetic" for one, truth in classes.items() if truth == "synthetic"]
    twice = [name for name, times in Counter(sources).items() if times > 1]
    if sets != COMPARISONS:
        faults = [
            f"class-0: no folder is {truth}; a pool needs images of both classes"
            for truth in ("real", "synthetic")
            if truth not in classes.values()
        ]
        shared = [
            f"class-0: two synthetic folders have the name {name}; each source needs its own name" for name in twice
        ]
        return faults + (shared if sets == QUARTETS else [])
    from generation.drawing import METHODS

    methods, named = sources, ", ".join(sources) or "none"
    faults = [f"class-0: two methods have the name {name}" for name in twice]
    if len(methods) not in METHODS:
        faults.append(f"class-0: {len(methods)} methods ({named}); expected {METHODS[0]} to {METHODS[-1]} folders")
    if sum(truth == "real" for truth in classes.values()) > 1:
        faults.append("class-0: two folders are the reference; expected at most one")
    return faults
