"""What a request of the reading room needs from the database: reader, sitting and next trials, as plain rows.

Hundreds of people answer at once, so an answer needs few queries, and all of them are here: who asks, where they are,
and what has changed. The rules need no other queries; whatever a rule changes in a row is sent by `Way.save`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from quiz_app import models
from quiz_app.database import db
from quiz_app.models.outbox import queue
from quiz_app.models.study import rules_of
from quiz_app.study import readers
from quiz_app.study.settings import StudySettings


@dataclass(slots=True)
class Study:
    """A study and the size of its images."""

    id: int
    design: str
    state: str
    width: int
    height: int
    rules: StudySettings


@dataclass(slots=True)
class Reader:
    """The reader who sends the request."""

    id: int
    pseudonym: str
    is_preview: bool
    revoked_at: datetime | None
    withdrawn_at: datetime | None
    study: Study = field(kw_only=True)
    connection: sa.Connection = field(kw_only=True, repr=False)  # of the request's session

    @property
    def study_state(self) -> str:
        """The state of the study for this reader: a preview is always open."""
        return "open" if self.is_preview else self.study.state


@dataclass(slots=True)
class Sitting:
    """The sitting that counts."""

    id: int
    seed: int
    instructed_at: datetime | None
    finished_at: datetime | None
    lease: str | None
    rested_after: int
    paused_at: datetime | None
    period: int
    condition: str | None
    reader: Reader = field(kw_only=True)


@dataclass(slots=True)
class Trial:
    """One question, with its times."""

    id: int
    token: str
    position: int
    block: int
    is_training: bool
    released_at: datetime | None
    releases: int
    onset_at: datetime | None
    deadline_at: datetime | None
    answered_at: datetime | None
    response_ms: int | None
    client_ms: int | None
    late: bool | None
    zoom_max: float | None
    windowed: bool | None
    viewer: dict[str, Any] | None
    keyed_at: datetime | None
    marks_outcome: str | None
    marks_id: str | None
    marked_at: datetime | None
    sitting: Sitting = field(kw_only=True)
    cases: list[Shown] = field(default_factory=list)


@dataclass(slots=True)
class Shown:
    """A case in its place; `case` is filled in only if the caller needs it."""

    id: int
    place: int
    token: str
    hint: str | None
    hint_text: str | None
    case: Case | None = None


@dataclass(slots=True)
class Case:
    """What a design may know about a case."""

    name: str
    truth: str
    source: str
    group: str


@dataclass(slots=True)
class Answer:
    """What was said about a case under one criterion."""

    id: str
    trial_case_id: int
    criterion: str = ""
    answer: str | None = None
    certainty: str | None = None
    level: int | None = None
    chosen: bool | None = None
    realism: int | None = None
    value: str | None = None


def _columns(row: Any, model: Any) -> list[sa.Column[Any]]:
    """The columns of `model` for the fields of `row`, in the order of its constructor."""
    columns = model.__table__.c
    return [columns[entry.name] for entry in fields(row) if entry.name in columns]


_pool, _study = models.Pool.__table__, models.Study.__table__
_reader, _sitting, _trial = models.Reader.__table__, models.Sitting.__table__, models.Trial.__table__
_shown, _case, _answer = models.TrialCase.__table__, models.Case.__table__, models.Answer.__table__

# What rules may change in a sitting and in a trial.
_OF_SITTING = ("lease", "rested_after", "paused_at", "finished_at")
_OF_TRIAL = (
    *("released_at", "releases", "onset_at", "deadline_at", "answered_at", "response_ms", "client_ms", "late"),
    *("zoom_max", "windowed", "viewer", "keyed_at", "marks_outcome", "marks_id", "marked_at"),
)


def _update(table: Any, names: Sequence[str]) -> sa.Update:
    """One statement for any number of rows: it sets all of `names`, whichever have changed."""
    changed: dict[str, Any] = {name: sa.bindparam(name) for name in names}
    return sa.update(table).where(table.c.id == sa.bindparam("row")).values(changed)


_SAVE_SITTING, _SAVE_TRIAL = _update(_sitting, _OF_SITTING), _update(_trial, _OF_TRIAL)
_sitting_now, _trial_now = attrgetter(*_OF_SITTING), attrgetter(*_OF_TRIAL)


@dataclass
class Way:
    """A reader's latest sitting and where in it the reader is.

    `coming` are the next trials without an answer, practice first: the due one, those whose sealed images may be sent,
    and one more, so that there are enough when the due one has been answered. `total` counts the scored trials.
    `marking` is the answered trial for which marks are due now; nothing else is due until they have arrived.
    """

    sitting: Sitting
    coming: list[Trial]
    total: int
    marking: Trial | None = None

    def __post_init__(self) -> None:
        self._known = self.at_hand
        self._as_stored()

    @property
    def at_hand(self) -> list[Trial]:
        """The trials to which a request can refer."""
        return [self.marking, *self.coming] if self.marking else list(self.coming)

    def _as_stored(self) -> None:
        self._sitting_was, self._were = _sitting_now(self.sitting), [_trial_now(trial) for trial in self._known]

    @property
    def due(self) -> Trial | None:
        """The first trial without an answer."""
        return self.coming[0] if self.coming else None

    @property
    def answered(self) -> int:
        """The number of answered scored trials, which follows from their order."""
        if self.due is None:
            return self.total
        return 0 if self.due.is_training else self.due.position - 1

    def save(self) -> None:
        """Send to the database what has changed since it was read. The caller commits."""
        connection = self.sitting.reader.connection
        if (sitting := _sitting_now(self.sitting)) != self._sitting_was:
            connection.execute(_SAVE_SITTING, [dict(zip(_OF_SITTING, sitting, strict=True), row=self.sitting.id)])
        trials = zip(self._known, self._were, strict=True)
        changed = [(trial.id, now) for trial, was in trials if (now := _trial_now(trial)) != was]
        if changed:
            connection.execute(
                _SAVE_TRIAL, [dict(zip(_OF_TRIAL, now, strict=True), row=number) for number, now in changed]
            )
        self._as_stored()


_BY_TOKEN = (
    sa.select(
        *_columns(Reader, models.Reader),
        *(_study.c.id, _study.c.design, _study.c.state, _pool.c.width, _pool.c.height),
        sa.cast(_study.c.settings, sa.Text),  # as text, because equal texts mean equal rules, without parsing them
    )
    .select_from(_reader.join(_study, _study.c.id == _reader.c.study_id).join(_pool))
    .where(_reader.c.token_hash == sa.bindparam("token_hash"))
)
HELD = _BY_TOKEN.with_for_update(of=_reader).suffix_with("FOR SHARE OF study", dialect="postgresql")


def by_token(token: str, *, hold: bool = False) -> Reader:
    """The reader with this link, found, refused and locked like in `readers.by_token`."""
    connection = db.session.connection()
    found = connection.execute(HELD if hold else _BY_TOKEN, {"token_hash": readers.hashed(token)}).first()
    if found is None:
        return readers.admitted(None)
    *mine, number, design, state, width, height, settings = found
    study = Study(number, design, state, width, height, rules_of(design, settings))
    return readers.admitted(Reader(*mine, study=study, connection=connection))


def _looking(to_do: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The number of scored trials, the latest sitting, its next trials with something `to_do`, their places."""
    latest = (
        sa.select(_sitting.c.id)
        .where(_sitting.c.reader_id == sa.bindparam("reader"))
        .order_by(_sitting.c.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    scored = _trial.alias()
    last = sa.select(sa.func.max(scored.c.position)).where(
        scored.c.sitting_id == latest, scored.c.is_training == sa.false()
    )
    # Practice and scored trials are each read in index order, so that the query stops at the first ones found.
    most: sa.BindParameter[int] = sa.bindparam("most")
    parts = [
        sa.select(_trial)
        .where(_trial.c.sitting_id == latest, _trial.c.is_training == training, to_do)
        .order_by(_trial.c.position)
        .limit(most)
        .subquery()
        for training in (sa.true(), sa.false())
    ]
    found = sa.union_all(*map(sa.select, parts)).subquery()
    coming = sa.select(found).order_by(found.c.is_training.desc(), found.c.position).limit(most).subquery()
    return (
        sa.select(last.scalar_subquery(), *_SITTING, *(coming.c[column.name] for column in _TRIAL), *_SHOWN)
        .select_from(_sitting.outerjoin(coming, sa.true()).outerjoin(_shown, _shown.c.trial_id == coming.c.id))
        .where(_sitting.c.id == latest)
        .order_by(coming.c.is_training.desc(), coming.c.position, _shown.c.place)
    )


_SITTING, _TRIAL = _columns(Sitting, models.Sitting), _columns(Trial, models.Trial)
_SHOWN, _CASE = _columns(Shown, models.TrialCase), _columns(Case, models.Case)
_ENDS = 1 + len(_SITTING)  # the index after the sitting's columns
_UNANSWERED = _trial.c.answered_at.is_(None)
# By whether marks can be due.
_LOOK = {False: _looking(_UNANSWERED), True: _looking(sa.or_(_UNANSWERED, _trial.c.marks_outcome == models.MARKS_DUE))}


def look(reader: Reader, most: int, *, marks: bool) -> Way | None:
    """Where the reader is, and the next `most` trials, in one statement; None = no sitting has begun.

    Afterwards, the rules of the reader's study are those under the condition of the sitting.
    `marks`: whether the study asks for marks, so that an answered trial may still wait for them.
    """
    found = reader.connection.execute(_LOOK[marks], {"reader": reader.id, "most": most}).all()
    if not found:
        return None
    sitting = Sitting(*found[0][1:_ENDS], reader=reader)
    reader.study.rules = reader.study.rules.under(sitting.condition)
    trials = _trials(sitting, [row[_ENDS:] for row in found])
    marking = trials.pop(0) if trials and trials[0].answered_at is not None else None
    return Way(sitting, trials, found[0][0] or 0, marking)


_ONE_TRIAL = (
    sa.select(*_TRIAL, *_SHOWN)
    .join_from(_trial, _shown)
    .where(_trial.c.sitting_id == sa.bindparam("sitting"), _trial.c.token == sa.bindparam("token"))
    .order_by(_shown.c.place)
)


def trial_called(sitting: Sitting, token: str) -> Trial | None:
    """The trial of this sitting with this token, if there is one."""
    found = sitting.reader.connection.execute(_ONE_TRIAL, {"sitting": sitting.id, "token": token})
    return next(iter(_trials(sitting, found)), None)  # type: ignore[arg-type]


def _trials(sitting: Sitting, found: Iterable[Sequence[Any]]) -> list[Trial]:
    """Trials from their columns and those of their places, one row per place; empty if all columns are NULL."""
    trials: list[Trial] = []
    for number, *line in found:
        if number is None:
            continue
        if not trials or trials[-1].id != number:
            trials.append(Trial(number, *line[: len(_TRIAL) - 1], sitting=sitting))
        trials[-1].cases.append(Shown(*line[len(_TRIAL) - 1 :]))
    return trials


_CASES = (
    sa.select(_shown.c.id, *_CASE)
    .join_from(_shown, _case)
    .where(_shown.c.trial_id.in_(sa.bindparam("trials", expanding=True)))
)


def add_cases(trials: Sequence[Trial]) -> None:
    """Look up the case of every place of these trials, for callers that need them."""
    if not trials:
        return
    found = trials[0].sitting.reader.connection.execute(_CASES, {"trials": [trial.id for trial in trials]})
    cases = {row[0]: Case(*row[1:]) for row in found}
    for trial in trials:
        for shown in trial.cases:
            shown.case = cases[shown.id]


_STORED = sa.select(_case.c.stored).join_from(_shown, _case).where(_shown.c.id == sa.bindparam("shown"))


def stored(reader: Reader, shown: Shown) -> str:
    """The name under which the image of a place is stored."""
    return str(reader.connection.execute(_STORED, {"shown": shown.id}).scalar_one())


_GIVEN = (
    sa.select(*_columns(Answer, models.Answer))
    .join_from(_answer, _shown)
    .where(_shown.c.trial_id == sa.bindparam("trial"))
    .order_by(_shown.c.place, _answer.c.criterion)
)
_STORE = sa.insert(models.Answer)


def given(trial: Trial) -> list[Answer]:
    """The stored rows of the answer, by place and criterion; the first has the id that the browser created."""
    return [Answer(*row) for row in trial.sitting.reader.connection.execute(_GIVEN, {"trial": trial.id})]


def store(reader: Reader, answers: Sequence[Answer]) -> None:
    """Send the rows of an answer to the database, and queue them for the mirror if that is set."""
    reader.connection.execute(_STORE, [asdict(answer) for answer in answers])
    queue(reader.connection, [answer.id for answer in answers])
