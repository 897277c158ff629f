"""What the house asks of a design, whatever a trial of it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from quiz_app.designs.exposure import Past
from quiz_app.designs.observer import Observer
from quiz_app.study.settings import StudySettings


class Shown(Protocol):
    """What a design may know of a case."""

    name: str
    truth: str
    source: str
    group: str


class Said(Protocol):
    """A stored answer: what was said of one case under one criterion."""

    answer: str | None
    certainty: str | None
    level: int | None
    criterion: str
    chosen: bool | None
    realism: int | None
    value: str | None


@dataclass(frozen=True)
class Planned:
    """One trial to come: its cases, as indices into those of the sitting, in the order of their places from 1."""

    cases: tuple[int, ...]
    block: int
    is_repeat: bool = False


class Design(ABC):
    """What a trial is: which cases are in it, what may be said, and what it means. It holds no state.

    The reading room shows the trial through `templates/reader/answers/NAME.html`, whose `data-ask` names the module of
    `static/reader/` that asks; pages of its own lie in `templates/reader/NAME/`.
    """

    name: str
    settings: type[StudySettings] = StudySettings  # those of its own
    presets: Mapping[str, tuple[str, StudySettings]] = MappingProxyType({})  # by name, each with what it is
    grouped = False  # whether a group of the pool is one trial, and goes as a whole
    chooses = False  # whether a trial asks for the real one of its cases
    brief = False  # whether an image is shown for an exposure that follows the answers, and is then gone
    has_truth = True  # whether an answer is right or wrong
    has_levels = False  # whether an answer is one level of certainty, as programs for ratings read it
    has_reference = False  # whether a case may be shown as what it is, for comparison: see `reference`
    known_by = "truth"  # which column of a case a simulated reader goes by
    noun = "cases"  # what a reader judges
    measures: Mapping[str, str] = MappingProxyType({})  # what a study of it can be planned for, by end point, in words
    balance = "half of each class"
    untimed_s = 10  # how long a trial takes about, where there is no limit

    def unfit(self, cases: Sequence[Shown]) -> list[str]:
        """Why no study of this design can be made of these scored cases of a pool, each as `pool: reason`."""
        return []

    def warnings(self, rules: StudySettings) -> list[str]:
        """What should be known of these settings before a study opens, in sentences."""
        return []

    def available(self, cases: Sequence[Shown]) -> int:
        """How many different trials there are in these scored cases."""
        return len(cases)

    @abstractmethod
    def faults(self, cases: Sequence[Shown], practice: Sequence[Shown], rules: StudySettings) -> list[str]:
        """Why a study cannot be opened with these scored and practice cases, each as `field: reason`."""

    @abstractmethod
    def deal(
        self, cases: Sequence[Shown], rules: StudySettings, rng: np.random.Generator, read: Sequence[int] | None
    ) -> list[int]:
        """The cases of the `rules.cases` trials of a sitting, as indices; `read` = how often each was dealt before."""

    @abstractmethod
    def rehearse(self, practice: Sequence[Shown], rules: StudySettings, rng: np.random.Generator) -> list[Planned]:
        """The practice trials of one sitting, in order, in block 0."""

    @abstractmethod
    def compose(self, cases: Sequence[Shown], rules: StudySettings, rng: np.random.Generator) -> list[Planned]:
        """The scored trials of one sitting, in order, in blocks from 1. They follow from `rng` alone."""

    def reference(self, cases: Sequence[Shown]) -> int | None:
        """The place of that of a trial's cases which readers are shown as what it is, and do not judge.

        Asked of designs alone that say `has_reference`.
        """
        return None

    @abstractmethod
    def choices(self, rules: StudySettings) -> list[dict[str, Any]]:
        """What a reader may say: it goes over the wire with each trial, and must be the same for all of them."""

    def page(self, rules: StudySettings) -> Mapping[str, Any]:
        """What the reader's pages of this design get beside `rules`, in the reader's language, by name."""
        return {}

    @abstractmethod
    def check(self, said: Mapping[str, Any], rules: StudySettings, places: Sequence[int]) -> list[dict[str, Any]]:
        """The rows of an answer from what a reader sent of a trial with these places.

        A row is a `place` and columns of an answer; no two rows have the same place and `criterion`.
        Raises RefusedError (422) for whatever is not an answer in this study.
        """

    def is_late(self, rules: StudySettings, client_ms: int | None, viewer: Mapping[str, Any]) -> bool:
        """Whether an answer broke a limit of the design's own, by the times that the browser measured."""
        return False

    def taken_for_synthetic(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """The places of the images that a reader took for synthetic, by the rows of `check`."""
        return [row["place"] for row in rows if row.get("answer") == "synthetic"]

    @abstractmethod
    def told(self, answers: Sequence[Said]) -> dict[str, Any]:
        """The stored rows of one trial, by place and criterion, as the reader's browser is told them."""

    @abstractmethod
    def feedback(self, told: Mapping[str, Any], truths: Sequence[str]) -> dict[str, Any]:
        """After a practice trial: the truth, and under `correct` whether what was `told` is right."""

    def next_ms(self, rules: StudySettings, past: Sequence[Past], track: int, seed: int, position: int) -> float:
        """Of a `brief` design, for how long the image of the trial that is due is shown, in ms.

        `past` are the answered scored trials in their order, `track` is the `block` of the trial, `seed` the sitting's.
        """
        raise NotImplementedError

    def exposure(self, rules: StudySettings, asked_ms: float | None) -> dict[str, Any]:
        """Of a `brief` design, what a trial says of its exposure over the wire; nothing in another one."""
        return {}

    @abstractmethod
    def simulate(
        self, observer: Observer, cases: Sequence[tuple[str, str]], choices: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """What an observer sends of a trial with these cases (name and truth, by place), with `client_ms`."""
