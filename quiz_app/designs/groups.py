"""Trials that are groups of the pool: all cases with the same `group` form one trial, each image in its place.

Cases for practice have the group `practice` and are combined in the order of the pool: the first image of each kind,
then the second, and so on.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from quiz_app.designs.design import Design, Planned, Shown
from quiz_app.designs.order import balanced_places, shown_again
from quiz_app.study.settings import StudySettings


class Grouped(Design):
    """What all designs have in common in which a trial is a group."""

    grouped = True

    @abstractmethod
    def unlike(self, cases: Sequence[Shown], practice: Sequence[Shown]) -> str:
        """How the practice cases differ from these scored cases; empty if they do not. There is at least one."""

    @abstractmethod
    def ordered(self, cases: Sequence[Shown], group: Sequence[int]) -> list[int]:
        """The images of one group: those to be judged, in the design's order, then the reference if there is one."""

    @abstractmethod
    def kind(self, case: Shown) -> str:
        """The kind of image of which a group has exactly one."""

    def available(self, cases: Sequence[Shown]) -> int:
        """The number of groups."""
        return len(self.groups(cases))

    def faults(self, cases: Sequence[Shown], practice: Sequence[Shown], rules: StudySettings) -> list[str]:
        """Groups must be complete, numerous enough for the settings, and practice must have the same sources."""
        reasons = self.unfit(cases)
        if reasons:
            return reasons
        there, ready = self.available(cases), len(self.rehearsals(practice))
        if rules.cases > there:
            reasons.append(f"cases: each reader should judge {rules.cases} {self.noun}, but the pool has {there}")
        if rules.repeats > min(rules.cases or there, there) // 3:
            most = f"at most a third of a reader's {self.noun} can be repeated"
            reasons.append(f"repeats: {rules.repeats} is too many; {most}")
        if ready < rules.practice:
            reasons.append(f"practice: the study needs {rules.practice} practice {self.noun}, but the pool has {ready}")
        unlike = self.unlike(cases, practice) if rules.practice and practice else ""
        return reasons + [f"practice: {unlike}"] * bool(unlike)

    def deal(
        self, cases: Sequence[Shown], rules: StudySettings, rng: np.random.Generator, read: Sequence[int] | None
    ) -> list[int]:
        """Deal complete groups."""
        groups = self.groups(cases)
        order = [groups[number] for number in rng.permutation(len(groups))]
        if read is not None:
            order.sort(key=lambda group: read[group[0]])  # stable: ties stay in random order
        return sorted(index for group in order[: rules.cases] for index in group)

    def rehearse(self, practice: Sequence[Shown], rules: StudySettings, rng: np.random.Generator) -> list[Planned]:
        """The number of trials in the settings, at random."""
        groups = self.rehearsals(practice)
        order = [groups[number] for number in rng.permutation(len(groups))[: rules.practice]]
        return self._placed(practice, order, [(0, False)] * len(order), rng)

    def compose(self, cases: Sequence[Shown], rules: StudySettings, rng: np.random.Generator) -> list[Planned]:
        """Every group once, some of them again, in one block."""
        groups = self.groups(cases)
        order = [int(number) for number in rng.permutation(len(groups))]
        shown = shown_again(order, order[: rules.repeats], rng)
        return self._placed(cases, [groups[number] for number, _ in shown], [(1, again) for _, again in shown], rng)

    def groups(self, cases: Sequence[Shown]) -> list[list[int]]:
        """The images of each group, `ordered`."""
        return [self.ordered(cases, group) for group in by_group(cases).values()]

    def rehearsals(self, practice: Sequence[Shown]) -> list[list[int]]:
        """The practice trials, `ordered`: the n-th image of each kind together, as long as every kind has one."""
        columns: dict[str, list[int]] = defaultdict(list)
        for index, case in enumerate(practice):
            columns[self.kind(case)].append(index)
        return [self.ordered(practice, row) for row in zip(*columns.values(), strict=False)]

    def _placed(
        self,
        cases: Sequence[Shown],
        groups: list[list[int]],
        kinds: list[tuple[int, bool]],
        rng: np.random.Generator,
    ) -> list[Planned]:
        """The trials with these images, each judged image in its place; `kinds` gives block and repeat."""
        if not groups:
            return []
        shown_as_such = self.reference([cases[index] for index in groups[0]])
        judged = len(groups[0]) if shown_as_such is None else shown_as_such - 1
        planned = []
        for group, row, (block, again) in zip(groups, balanced_places(len(groups), judged, rng), kinds, strict=True):
            at = {place: index for index, place in zip(group[:judged], row, strict=True)}
            planned.append(Planned((*(at[place] for place in range(judged)), *group[judged:]), block, again))
        return planned


def by_group(cases: Sequence[Shown]) -> dict[str, list[int]]:
    """The cases of each group of the pool, as indices in order."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, case in enumerate(cases):
        if case.group:
            groups[case.group].append(index)
    return groups
