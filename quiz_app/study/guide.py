"""A study as a list of steps: what is done, what comes next, and when it is expected to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quiz_app import background, clock
from quiz_app.designs import DESIGNS
from quiz_app.models import Event, Reader, Sitting, Study, Trial
from quiz_app.settings import Settings
from quiz_app.study import lifecycle, preflight, reports
from quiz_app.study.cases import scored_cases
from quiz_app.study.monitor import Progress

RECENT = 7  # days used to estimate the pace of a study


@dataclass(frozen=True)
class Step:
    """One step of a study; `page` is where it is done, `verb` is the text on its button.

    A step that was left out is `skipped`; it does not block the next one.
    """

    name: str
    done: bool
    says: str
    page: str
    verb: str
    skipped: bool = False
    next: bool = False


def steps(
    session: Session, study: Study, rows: Sequence[Progress], settings: Settings, days: dict[date, int] | None = None
) -> list[Step]:
    """Every step in order; the first one that is not done is the next.

    rows: every reader's progress. days: the result of `answers_by_day`, if known.
    """
    listed = [
        _images(study),
        _settings(study),
        _preview(session, study),
        _preflight(session, study, settings),
        _readers(study, rows),
        _open(study),
        _reading(study, rows, answers_by_day(session, study) if days is None else days),
        _close(study),
        _report(session, study, settings),
    ]
    coming = next((number for number, step in enumerate(listed) if not (step.done or step.skipped)), None)
    return [replace(step, next=number == coming) for number, step in enumerate(listed)]


def _images(study: Study) -> Step:
    design, pool = DESIGNS[study.design], study.pool
    says = f"{design.available(scored_cases(study))} {design.noun} in the pool \u201c{pool.name}\u201d."
    return Step("Images", True, says, "show_pool", "View images")


def _settings(study: Study) -> Step:
    reasons = [] if study.state != "draft" else lifecycle.may_not_open(study)
    says = f"Before the study can open: {'; '.join(reasons)}." if reasons else f"Complete (version {study.version})."
    return Step("Settings", not reasons, says, "study_settings", "Complete settings")


def _preview(session: Session, study: Study) -> Step:
    last = session.scalar(sa.select(sa.func.max(Event.at)).where(Event.study_id == study.id, Event.kind == "previewed"))
    says = "Take the study as your readers will. Preview answers are not saved with the study."
    skipped = last is None and study.state != "draft"
    says = "Nobody has previewed the study." if skipped else says
    return Step("Preview", last is not None, says, "preview_study", "Preview as a reader", skipped)


def _preflight(session: Session, study: Study, settings: Settings) -> Step:
    work = background.find(preflight.home(session, study, settings))
    done = work is not None and work.state == "done"
    says = "The images were checked." if done else "Check whether anything besides the anatomy tells the classes apart."
    if not DESIGNS[study.design].has_truth:
        done, says = True, "The images of this design need no check."
    skipped = not done and study.state != "draft"
    says = "The images have not been checked." if skipped else says
    return Step("Pre-flight", done, says, "show_preflight", "Check images", skipped)


def _readers(study: Study, rows: Sequence[Progress]) -> Step:
    told = [f"{len(rows)} invited"] if rows else []
    told += [f"an open link for up to {study.open_cap}"] if study.open_token_hash else []
    says = f"{' and '.join(told)}." if told else "Invite readers with a personal link each, or with one open link."
    return Step("Readers", bool(told), says[0].upper() + says[1:], "list_readers", "Invite readers")


def _open(study: Study) -> Step:
    says = "Readers with a link can then start. You can change settings until the first answer."
    if study.opened_at:
        says = f"Opened on {clock.dated(study.opened_at)}."
    return Step("Open", study.state != "draft", says, "open_study", "Open study")


def _reading(study: Study, rows: Sequence[Progress], days: dict[date, int]) -> Step:
    finished, answers = sum(row.state == "finished" for row in rows), sum(row.answered for row in rows)
    coming = [row for row in rows if row.state not in ("revoked", "withdrawn")]
    done = study.state == "closed" or (study.state == "open" and bool(coming) and finished == len(coming))
    says = f"{finished} of {len(coming)} readers have finished; {answers} answers."
    if study.state == "open" and not done and (end := expected_end(study, coming, days)):
        says += f" At the current pace, expect the last answer around {clock.dated(end)}."
    return Step("Reading", done, says, "watch_study", "Watch the readers")


def _close(study: Study) -> Step:
    says = "Readers can then no longer answer. You will see the truth and the results."
    if study.closed_at:
        says = f"Closed on {clock.dated(study.closed_at)}."
    return Step("Close", study.state == "closed", says, "close_study", "Close study")


def _report(session: Session, study: Study, settings: Settings) -> Step:
    if study.blinded:
        return Step("Report", False, "Results become visible when the study is closed.", "show_results", "View results")
    key = reports.key(session, study)
    made = [report for report in reports.kept(settings.instance, study) if report.work.state == "done"]
    done = any(report.key == key for report in made)
    says = "Created from all answers." if done else "Older than the latest answers." if made else "Not created yet."
    return Step("Report", done, says, "show_results", "View results")


def answers_by_day(session: Session, study: Study) -> dict[date, int]:
    """The number of scored answers on each day (UTC), from the first to the last, including days without answers."""
    day = sa.func.substr(sa.type_coerce(Trial.answered_at, sa.String), 1, 10)
    query = (
        sa.select(day, sa.func.count())
        .select_from(Trial)
        .join(Sitting)
        .join(Reader)
        .where(Reader.study_id == study.id, sa.not_(Reader.is_preview), sa.not_(Trial.is_training))
        .where(Trial.answered_at.isnot(None))
        .group_by(day)
    )
    found = {date.fromisoformat(when): count for when, count in session.execute(query)}
    if not found:
        return {}
    first, last = min(found), max(found)
    every = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return {when: found.get(when, 0) for when in every}


def expected_end(study: Study, rows: Sequence[Progress], days: dict[date, int]) -> date | None:
    """The expected day of the last answer at the pace of the last `RECENT` days; None if there were no answers, or if
    readers read in several parts, which begin when their washout is over.

    Readers who have not begun are assumed to read as many cases as the others.
    """
    today = clock.now().date()
    recent = {when: count for when, count in days.items() if (today - when).days < RECENT}
    if not sum(recent.values()) or study.rules.periods > 1:
        return None
    design, rules = DESIGNS[study.design], study.rules
    each = max((row.total for row in rows), default=0) or rules.cases or design.available(scored_cases(study))
    left = sum((row.total or each) - row.answered for row in rows)
    elapsed = (today - min(days)).days + 1
    a_day = sum(recent.values()) / min(RECENT, elapsed)
    return today + timedelta(days=round(left / a_day))
