"""What every design must provide, whatever its trials are."""

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
    """What a design may know about a case."""

    name: str
    truth: str
    source: str
    group: str


class Said(Protocol):
    """A stored answer about one case under one criterion."""

    answer: str | None
    certainty: str | None
    level: int | None
    criterion: str
    chosen: bool | None
    realism: int | None
    value: str | None


@dataclass(frozen=True)
class Planned:
    """A trial to be created: its cases, as indices into those of the sitting, in order of their places from 1."""

    cases: tuple[int, ...]
    block: int
    is_repeat: bool = False


class Design(ABC):
    """What a trial is: its cases, the possible answers and what they mean. It has no state.

    The reading room shows the trial with `templates/reader/answers/NAME.html`, whose `data-ask` names the module of
    `static/reader/` that asks the questions; pages specific to the design are in `templates/reader/NAME/`.
    """

    name: str
    settings: type[StudySettings] = StudySettings  # the design's own settings
    presets: Mapping[str, tuple[str, StudySettings]] = MappingProxyType({})  # by name, each with a description
    grouped = False  # whether a group of the pool is one trial and stays together
    chooses = False  # whether a trial asks which of its cases is real
    brief = False  # whether an image is shown only for an exposure that depends on earlier answers
    has_truth = True  # whether an answer is right or wrong
    has_levels = False  # whether an answer is one level of certainty, as programs for ratings need it
    has_reference = False  # whether a case may be labelled as the reference: see `reference`
    known_by = "truth"  # which column of a case a simulated reader bases answers on
    noun = "cases"  # what a reader judges
    measures: Mapping[str, str] = MappingProxyType(
        {}
    )  # the end points for which a study can be planned, with descriptions
    balance = "half of each class"
    untimed_s = 10  # about how long a trial takes without a time limit

    def unfit(self, cases: Sequence[Shown]) -> list[str]:
        """Why these scored cases of a pool do not fit this design, each as `pool: reason`."""
        return []

    def warnings(self, rules: StudySettings) -> list[str]:
        """What a researcher should know about these settings before opening the study, in sentences."""
        return []

    def available(self, cases: Sequence[Shown]) -> int:
        """The number of different trials in these scored cases."""
        return len(cases)

    @abstractmethod
    def faults(self, cases: Sequence[Shown], practice: Sequence[Shown], rules: StudySettings) -> list[str]:
        """Why a study cannot be opened with these scored and practice cases, each as `field: reason`."""

    @abstractmethod
    def deal(
        self, cases: Sequence[Shown], rules: StudySettings, rng: np.random.Generator, read: Sequence[int] | None
    ) -> list[int]:
        """The cases for `rules.cases` trials of a sitting, as indices; `read` = how often each was dealt before."""

    @abstractmethod
    def rehearse(self, practice: Sequence[Shown], rules: StudySettings, rng: np.random.Generator) -> list[Planned]:
        """The practice trials of one sitting, in order, in block 0."""

    @abstractmethod
    def compose(self, cases: Sequence[Shown], rules: StudySettings, rng: np.random.Generator) -> list[Planned]:
        """The scored trials of one sitting, in order, in blocks from 1. They depend only on `rng`."""

    def reference(self, cases: Sequence[Shown]) -> int | None:
        """The place of the case in a trial that is labelled as the reference and not judged.

        Only used for designs with `has_reference`.
        """
        return None

    @abstractmethod
    def choices(self, rules: StudySettings) -> list[dict[str, Any]]:
        """The possible answers: they are sent with each trial, and must be the same for all trials."""

    def page(self, rules: StudySettings) -> Mapping[str, Any]:
        """What the reader's pages of this design get in addition to `rules`, in the reader's language, by name."""
        return {}

    @abstractmethod
    def check(self, said: Mapping[str, Any], rules: StudySettings, places: Sequence[int]) -> list[dict[str, Any]]:
        """The rows of an answer that a reader sent to a trial with these places.

        A row has a `place` and columns of an answer; no two rows have the same place and `criterion`.
        Raises RefusedError (422) for anything that is not a valid answer in this study.
        """

    def is_late(self, rules: StudySettings, client_ms: int | None, viewer: Mapping[str, Any]) -> bool:
        """Whether an answer exceeded a time limit specific to the design, according to the browser's measurements."""
        return False

    def taken_for_synthetic(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """The places of the images that the reader called synthetic, from the rows of `check`."""
        return [row["place"] for row in rows if row.get("answer") == "synthetic"]

    @abstractmethod
    def told(self, answers: Sequence[Said]) -> dict[str, Any]:
        """The stored rows of one trial, by place and criterion, in the form sent to the reader's browser."""

    @abstractmethod
    def feedback(self, told: Mapping[str, Any], truths: Sequence[str]) -> dict[str, Any]:
        """Feedback after a practice trial: the truth, and in `correct` whether the answer `told` is right."""

    def next_ms(self, rules: StudySettings, past: Sequence[Past], track: int, seed: int, position: int) -> float:
        """In a `brief` design, how long the image of the trial that is due is shown, in ms.

        `past` are the answered scored trials in order, `track` is the `block` of the trial, `seed` is the sitting's.
        """
        raise NotImplementedError

    def exposure(self, rules: StudySettings, asked_ms: float | None) -> dict[str, Any]:
        """In a `brief` design, the exposure entries that are sent with a trial; empty in other designs."""
        return {}

    @abstractmethod
    def simulate(
        self, observer: Observer, cases: Sequence[tuple[str, str]], choices: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """What an observer sends for a trial with these cases (name and truth, by place), with `client_ms`."""
