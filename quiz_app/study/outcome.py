"""The results as shown on pages: the report on the current answers, its cases and its readers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from quiz_app.models import Case, Mark, Reader, Sitting, Study, Trial, TrialCase
from quiz_app.study import reports

SORTS = {
    "wrong": "most often misjudged",
    "right": "most often judged correctly",
    "split": "most disagreement",
    "slow": "longest looked at",
    "name": "name",
}
FIRST = ("roc", "forest", "pies", "agreement")
LEVELS = {1: "certainly real", 2: "probably real", 3: "unsure", 4: "probably synthetic", 5: "certainly synthetic"}


@dataclass(frozen=True)
class Outcome:
    """A finished report: its numbers, its findings in words, and its figures by name."""

    key: str
    results: dict[str, Any]
    findings: list[str]
    figures: list[str]

    @property
    def titles(self) -> dict[str, str]:
        """The title of each figure, as in the report."""
        from analysis.report.figures import title

        return {name: title(name) for name in self.figures}

    @property
    def condition(self) -> str | None:
        """The condition of the answers shown for cases and readers; None = all answers."""
        return self.results.get("conditions", {}).get("rest")

    @property
    def sources(self) -> list[str]:
        """The generators of the synthetic images, if they have names."""
        return sorted({case["source"] for case in self.results.get("cases", []) if case.get("source")})

    @property
    def groups(self) -> list[str]:
        """The groups of the readers."""
        return sorted({row["group"] for row in self.results.get("readers", {}).values() if row.get("group")})


def present(instance: Path, study: Study, key: str) -> Outcome | None:
    """The report with this key as shown on pages; None if it has not been made."""
    report = reports.find(reports.home(instance, study) / key)
    if report is None or report.work.state != "done" or "results.json" not in report.files:
        return None
    folder = reports.home(instance, study) / key
    told = (folder / "findings.txt").read_text("utf-8") if "findings.txt" in report.files else ""
    results = _results(folder / "results.json", (folder / "results.json").stat().st_mtime_ns)
    figures = [name for name in _order(results) if f"figures/{name}.svg" in report.files]
    return Outcome(key, results, [part for part in told.split("\n\n") if part.strip()], figures)


@lru_cache(maxsize=4)  # a study with 500 readers has megabytes of results
def _results(path: Path, _moment: int) -> dict[str, Any]:
    """The numbers of a report, cached until the file changes. Callers must not change them."""
    return json.loads(path.read_text("utf-8"))


def writing(outcome: Outcome) -> dict[str, Any]:
    """The template helpers that print numbers of the report: `n`, with its place in results.json, and the `rules`."""
    from analysis.report.document import PageWriter
    from analysis.report.tables.table import RULES

    return {"n": PageWriter(outcome.results).number, "rules": RULES}


def _order(results: dict[str, Any]) -> list[str]:
    """The figures of a report; those that answer the main question come first."""
    from analysis.report.figures import names

    return sorted(names(results), key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))


@dataclass(frozen=True)
class Judged:
    """One case and how it was judged; shares are of the selected readers, `split` is the spread of their levels."""

    id: int
    name: str
    truth: str
    source: str
    read: int
    wrong: float
    split: float
    ms: float | None


def wall(
    outcome: Outcome,
    numbers: Mapping[str, int],
    times: Mapping[str, float],
    *,
    truth: str = "",
    source: str = "",
    group: str = "",
    sort: str = "wrong",
) -> list[Judged]:
    """The cases of a rating study, all or of one truth or source, as judged by all readers or those of one group.

    numbers: the numbers of the pool's cases by name. times: the mean time in ms by case.
    """
    readers = outcome.results["readers"]
    members = {name for name, row in readers.items() if not group or row.get("group") == group}
    found = []
    for case in outcome.results["cases"]:
        levels = [level for name, level in case["levels"].items() if name in members and level is not None]
        fits = truth in ("", case["truth"]) and source in ("", case["source"] or "")
        if not (fits and levels and case["case"] in numbers):
            continue
        wrong = sum(level < 3 if case["truth"] == "synthetic" else level > 3 for level in levels) / len(levels)
        mean = sum(levels) / len(levels)
        split = math.sqrt(sum((level - mean) ** 2 for level in levels) / len(levels))
        found.append(
            Judged(
                numbers[case["case"]], case["case"], case["truth"], case["source"] or "", len(levels), wrong, split,
                times.get(case["case"]),
            )
        )  # fmt: skip
    keys = {
        "wrong": lambda row: (-row.wrong, row.name),
        "right": lambda row: (row.wrong, row.name),
        "split": lambda row: (-row.split, row.name),
        "slow": lambda row: (-(row.ms or 0), row.name),
    }
    return sorted(found, key=keys.get(sort, lambda row: row.name))


def numbers(session: Session, study: Study) -> dict[str, int]:
    """The numbers of the pool's cases by name."""
    query = sa.select(Case.name, Case.id).where(Case.pool_id == study.pool_id)
    return {name: number for name, number in session.execute(query)}  # noqa: C416  (to a type checker, rows are not pairs)


def _answered(study: Study, condition: str | None, *columns: Any) -> sa.Select[*tuple[Any, ...]]:
    """Answered, scored trials of the sittings that count, only under `condition` if there is one."""
    other, whose = aliased(Sitting), aliased(Reader)
    latest = (
        sa.select(other.reader_id, other.period, sa.func.max(other.number))
        .join(whose, whose.id == other.reader_id)
        .where(whose.study_id == study.id)
        .group_by(other.reader_id, other.period)
    )
    query = (
        sa.select(*columns)
        .select_from(Trial)
        .join(Sitting)
        .join(Reader)
        .join(TrialCase, TrialCase.trial_id == Trial.id)
        .join(Case, Case.id == TrialCase.case_id)
        .where(Reader.study_id == study.id, sa.not_(Reader.is_preview), sa.not_(Trial.is_training))
        .where(sa.tuple_(Sitting.reader_id, Sitting.period, Sitting.number).in_(latest), Trial.answered_at.isnot(None))
    )
    return query.where(Sitting.condition == condition) if condition else query


def times(session: Session, study: Study, condition: str | None) -> dict[str, float]:
    """The mean time from seeing a case to its answer, in ms, by case."""
    query = _answered(study, condition, Case.name, sa.func.avg(Trial.response_ms)).group_by(Case.name)
    return {name: float(ms) for name, ms in session.execute(query) if ms is not None}


def answers(session: Session, study: Study, condition: str | None, case: int) -> dict[str, float | None]:
    """The time of each reader's first answer to a case, in ms, by reader."""
    query = _answered(study, condition, Reader.pseudonym, Trial.response_ms).where(Case.id == case)
    query = query.order_by(Trial.position.desc())
    return {name: ms for name, ms in session.execute(query)}  # noqa: C416


def marks(session: Session, study: Study, condition: str | None, case: int) -> list[Mark]:
    """The readers' marks in a case."""
    query = _answered(study, condition, Mark).join(Mark, Mark.trial_case_id == TrialCase.id).where(Case.id == case)
    return list(session.scalars(query.order_by(Reader.id, Mark.number)))


def pace(session: Session, study: Study, condition: str | None, reader: str) -> list[float]:
    """The times of a reader's answers in ms, in order."""
    query = _answered(study, condition, Trial.response_ms).where(Reader.pseudonym == reader)
    query = query.order_by(Sitting.period, Trial.position)
    return [ms for ms in session.scalars(query) if ms is not None]
