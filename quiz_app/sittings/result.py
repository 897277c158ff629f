"""A reader's own result, and the leaderboard, if the study shows them."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from quiz_app.database import db
from quiz_app.designs import DESIGNS
from quiz_app.models import Answer, Case, Reader, Sitting, Study, Trial, TrialCase

# Scored trials, with each case only when first shown.
_FIRST = (Trial.is_training.is_(False), Trial.is_repeat.is_(False))


@dataclass(frozen=True)
class Share:
    """`right` of `given` answers."""

    right: int
    given: int

    @property
    def percent(self) -> int | None:
        """Rounded percentage; None if nothing was answered."""
        return round(100 * self.right / self.given) if self.given else None


@dataclass(frozen=True)
class Result:
    """A reader's result on the scored cases, each only when first shown. Unsure is not correct."""

    overall: Share
    by_truth: dict[str, Share]  # real, synthetic
    by_certainty: dict[str, Share]  # full, partial, unsure
    misses: list[TrialCase]
    by_chance: float = 0  # how many would be right by guessing, if one of several is chosen


def visible(reader: Reader) -> bool:
    """Whether this reader has finished and may see the result now; a preview must not unblind a researcher."""
    if reader.is_preview and reader.study.blinded:
        return False
    when = reader.study.rules.result
    return reader.has_finished and (when == "at once" or (when == "closed" and reader.study.state == "closed"))


def own(reader: Reader) -> Result:
    """The result of the reader's latest sitting."""
    if DESIGNS[reader.study.design].chooses:
        return _found(reader)
    query = sa.select(Answer, TrialCase).join(TrialCase).join(Trial).join(Sitting)
    query = query.where(Sitting.id == max(sitting.id for sitting in reader.sittings), *_FIRST).order_by(Trial.position)
    marked = [(answer, shown.case.truth, shown) for answer, shown in db.session.execute(query)]

    def share(*wanted: str | None) -> Share:
        some = [(a, truth) for a, truth, _ in marked if truth in wanted or (a.certainty or "unsure") in wanted]
        return Share(sum(a.answer == truth for a, truth in some), len(some))

    return Result(
        overall=share("real", "synthetic"),
        by_truth={truth: share(truth) for truth in ("real", "synthetic")},
        by_certainty={certainty: share(certainty) for certainty in ("full", "partial", "unsure")},
        misses=[shown for answer, truth, shown in marked if answer.answer not in (truth, "unsure")],
    )


def _found(reader: Reader) -> Result:
    """The number of trials in which the real image was chosen; the misses are the synthetic images chosen."""
    query = sa.select(TrialCase).join(Answer).join(Trial).where(Answer.chosen.is_(True))
    query = query.where(Trial.sitting_id == max(sitting.id for sitting in reader.sittings), *_FIRST)
    chosen = db.session.scalars(query.order_by(Trial.position)).all()
    misses = [shown for shown in chosen if shown.case.truth != "real"]
    by_chance = round(sum(1 / len(shown.trial.cases) for shown in chosen), 1)
    return Result(Share(len(chosen) - len(misses), len(chosen)), {}, {}, misses, by_chance)


def judged(reader: Reader) -> int:
    """The number of scored trials that the reader has answered in finished sittings, counting repeats once."""
    query = sa.select(sa.func.count(Trial.answered_at)).join(Sitting).where(Sitting.reader_id == reader.id, *_FIRST)
    return db.session.scalar(query.where(Sitting.finished_at.isnot(None))) or 0


def leaders(study: Study) -> list[tuple[str, Share]]:
    """Every reader who has finished, by the latest sitting, most accurate first."""
    chooses = DESIGNS[study.design].chooses
    is_right = Case.truth == "real" if chooses else Answer.answer == Case.truth
    right = sa.func.sum(sa.case((is_right, 1), else_=0))
    later = sa.orm.aliased(Sitting)
    latest = ~sa.exists().where(later.reader_id == Sitting.reader_id, later.number > Sitting.number)
    query = (
        sa.select(Reader.pseudonym, right, sa.func.count())
        .select_from(Answer)
        .join(TrialCase)
        .join(Case)
        .join(Trial)
        .join(Sitting)
        .join(Reader)
        .where(Reader.study_id == study.id, latest, Sitting.finished_at.isnot(None), *_FIRST)
        .where(Sitting.period >= study.rules.periods)
        .where(Reader.withdrawn_at.is_(None), Reader.is_preview.is_(False))
        .where(Answer.chosen.is_(True) if chooses else sa.true())
        .group_by(Reader.id, Reader.pseudonym)
    )
    rows = [(pseudonym, Share(int(right), given)) for pseudonym, right, given in db.session.execute(query)]
    return sorted(rows, key=lambda row: (-row[1].right / row[1].given, row[0]))
