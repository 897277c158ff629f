"""What the house asks of a design, whatever a trial of it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

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

    The reading room shows the trial through `templates/reader/answers/NAME.html`.
    """

    name: str

    @abstractmethod
    def faults(self, cases: Sequence[Shown], practice: Sequence[Shown], rules: StudySettings) -> list[str]:
        """Why a study cannot be opened with these scored and practice cases, each as `field: reason`."""

    @abstractmethod
    def deal(
        self, cases: Sequence[Shown], rules: StudySettings, rng: np.random.Generator, read: Sequence[int] | None
    ) -> list[int]:
        """Which `rules.cases` of `cases` a sitting gets, as indices; `read` = how often each was dealt before."""

    @abstractmethod
    def rehearse(self, practice: Sequence[Shown], rules: StudySettings, rng: np.random.Generator) -> list[Planned]:
        """The practice trials of one sitting, in order, in block 0."""

    @abstractmethod
    def compose(self, cases: Sequence[Shown], rules: StudySettings, rng: np.random.Generator) -> list[Planned]:
        """The scored trials of one sitting, in order, in blocks from 1. They follow from `rng` alone."""

    @abstractmethod
    def choices(self, rules: StudySettings) -> list[dict[str, Any]]:
        """What a reader may say: it goes over the wire with each trial, and must be the same for all of them."""

    @abstractmethod
    def check(self, said: Mapping[str, Any], rules: StudySettings, places: Sequence[int]) -> list[dict[str, Any]]:
        """The rows of an answer from what a reader sent of a trial with these places.

        A row is a `place` and columns of an answer; no two rows have the same place and `criterion`.
        Raises RefusedError (422) for whatever is not an answer in this study.
        """

    @abstractmethod
    def told(self, answers: Sequence[Said]) -> dict[str, Any]:
        """The stored rows of one trial, by place and criterion, as the reader's browser is told them."""

    @abstractmethod
    def feedback(self, told: Mapping[str, Any], truths: Sequence[str]) -> dict[str, Any]:
        """After a practice trial: the truth, and under `correct` whether what was `told` is right."""

    @abstractmethod
    def simulate(
        self, observer: Observer, cases: Sequence[tuple[str, str]], choices: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """What an observer sends of a trial with these cases (name and truth, by place), with `client_ms`."""
