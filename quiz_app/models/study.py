"""Study, its readers, and each reader's way through it: Reader, Sitting, Trial, TrialCase, Answer, Mark; and its Hints.

A study is a pool, a design and its settings. A trial is one question with its times; it shows one case (rating) or
several (quartet, comparison). An answer is what the reader said about one of its cases, under one criterion if the
design has several.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from quiz_app.database import Base, Instant
from quiz_app.models.pool import Case, Pool
from quiz_app.models.researcher import Researcher
from quiz_app.study.settings import StudySettings, settings_of

MARKS_DUE = "due"  # in `marks_outcome` of a trial


class Study(Base):
    """Draft, then open, then closed. `version` increases with every change of its settings."""

    __tablename__ = "study"
    __table_args__ = (sa.CheckConstraint("state IN ('draft', 'open', 'closed')", name="state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(sa.String(80), unique=True)
    title: Mapped[str] = mapped_column(sa.String(200))
    design: Mapped[str] = mapped_column(sa.String(20), default="rating")
    state: Mapped[str] = mapped_column(sa.String(10), default="draft")
    version: Mapped[int] = mapped_column(default=1)
    seed: Mapped[int]
    settings: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    pool_id: Mapped[int] = mapped_column(sa.ForeignKey("pool.id"))
    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey("researcher.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    opened_at: Mapped[datetime | None] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    unblinded_at: Mapped[datetime | None] = mapped_column(Instant)  # truth was deliberately shown before the close

    archived_at: Mapped[datetime | None] = mapped_column(Instant)  # archived: not listed with the others
    open_token_hash: Mapped[str | None] = mapped_column(
        sa.String(64), index=True
    )  # of the open link, which anybody may use
    open_cap: Mapped[int | None]  # maximum number of readers who register by it
    registration: Mapped[dict[str, Any] | None] = mapped_column(
        sa.JSON(none_as_null=True)
    )  # as created by `plan --register`

    pool: Mapped[Pool] = relationship()
    owner: Mapped[Researcher | None] = relationship()
    readers: Mapped[list[Reader]] = relationship(
        back_populates="study", order_by="Reader.id", cascade="all, delete-orphan"
    )
    hints: Mapped[list[Hint]] = relationship(order_by="Hint.id", cascade="all, delete-orphan", passive_deletes=True)

    @property
    def blinded(self) -> bool:
        """Whether researchers must not see the truth or accuracy yet."""
        return self.state != "closed" and self.unblinded_at is None

    @property
    def rules(self) -> StudySettings:
        """The settings as a typed, checked structure, cached until they change."""
        return rules_of(self.design, json.dumps(self.settings))


@lru_cache(maxsize=64)
def rules_of(design: str, settings: str) -> StudySettings:
    """The settings of a study of this design from their JSON, cached by its text."""
    return settings_of(design).from_dict(json.loads(settings))


class Hint(Base):
    """A hint shown to a reader next to a case's image, from the study's hint file. It may reveal much of the truth."""

    __tablename__ = "hint"
    __table_args__ = (sa.UniqueConstraint("study_id", "case_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id", ondelete="CASCADE"))
    case_id: Mapped[int] = mapped_column(sa.ForeignKey("case.id", ondelete="CASCADE"), index=True)
    hint: Mapped[str] = mapped_column(sa.String(80))  # such as a detector's probability
    text: Mapped[str] = mapped_column(sa.String(500), default="")  # explanation shown with it


class Reader(Base):
    """Someone who takes one study, known by a pseudonym and admitted by a link whose token is stored as a hash."""

    __tablename__ = "reader"
    __table_args__ = (sa.UniqueConstraint("study_id", "pseudonym"), sa.UniqueConstraint("study_id", "external_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id", ondelete="CASCADE"))
    pseudonym: Mapped[str] = mapped_column(sa.String(80))
    group: Mapped[str | None] = mapped_column(sa.String(80))
    years: Mapped[int | None]  # of experience
    profile: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)  # further questions of the study
    email: Mapped[str | None] = mapped_column(sa.String(254))
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    consented_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    closes_at: Mapped[datetime | None] = mapped_column(Instant)  # replaces the study's closing date
    is_preview: Mapped[bool] = mapped_column(default=False, server_default=sa.false())  # a researcher trying it out
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)  # the reader left the study
    external_id: Mapped[str | None] = mapped_column(sa.String(80))  # the reader's ID at the panel that sent them

    study: Mapped[Study] = relationship(back_populates="readers")
    sittings: Mapped[list[Sitting]] = relationship(
        back_populates="reader", order_by="Sitting.number", cascade="all, delete-orphan"
    )

    @property
    def study_state(self) -> str:
        """The state of the study for this reader: a preview is always open."""
        return "open" if self.is_preview else self.study.state

    @property
    def sitting(self) -> Sitting | None:
        """The sitting that counts: the latest."""
        return self.sittings[-1] if self.sittings else None

    @property
    def has_finished(self) -> bool:
        """Whether that sitting has every answer and is the last one."""
        return self.period_ended_at is not None and not self.has_period_left

    @property
    def period_ended_at(self) -> datetime | None:
        """When the sitting that counts was finished, if it was."""
        return self.sitting.finished_at if self.sitting else None

    @property
    def has_period_left(self) -> bool:
        """Whether a sitting under another condition follows the one that counts."""
        return self.sitting is not None and self.sitting.period < self.study.rules.periods

    @property
    def next_part_opens(self) -> datetime | None:
        """When the next period can begin, by the server's clock; None = the sitting that counts is not finished, or it
        was the last one. A preview does not wait."""
        if self.period_ended_at is None or not self.has_period_left:
            return None
        return self.period_ended_at + timedelta(days=0 if self.is_preview else self.study.rules.washout_days)

    @property
    def rules(self) -> StudySettings:
        """The settings of the study that apply to this reader now: under the condition of the sitting that counts."""
        return self.study.rules.under(self.sitting.condition) if self.sitting else self.study.rules


class Sitting(Base):
    """One reader's way through a study, resumable: its trials define the order; it resumes at the first unanswered one.

    If readers read under several conditions, there is a sitting for each, with `period` counted from 1.
    """

    __tablename__ = "sitting"
    __table_args__ = (sa.UniqueConstraint("reader_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    reader_id: Mapped[int] = mapped_column(sa.ForeignKey("reader.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(default=1)
    seed: Mapped[int] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime] = mapped_column(Instant)
    instructed_at: Mapped[datetime | None] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    lease: Mapped[str | None] = mapped_column(sa.String(64))  # the page that can act: the newest one
    rested_after: Mapped[int] = mapped_column(
        default=-1
    )  # number of scored answers when the last break ended; -1 = not begun
    paused_at: Mapped[datetime | None] = mapped_column(Instant)  # the reader asked for a pause
    device: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    period: Mapped[int] = mapped_column(default=1, server_default="1")
    condition: Mapped[str | None] = mapped_column(sa.String(40))  # NULL = the study has none
    sequence: Mapped[str | None] = mapped_column(sa.String(200))  # assigned order of conditions: A>B
    share: Mapped[int | None]  # if cases are split: by how many parts the reader's first one is rotated

    reader: Mapped[Reader] = relationship(back_populates="sittings")
    trials: Mapped[list[Trial]] = relationship(
        back_populates="sitting",
        order_by="Trial.is_training.desc(), Trial.position",
        cascade="all, delete-orphan",
    )


class Trial(Base):
    """One question put to one reader. `token` is its public name, which reveals nothing."""

    __tablename__ = "trial"
    __table_args__ = (sa.UniqueConstraint("sitting_id", "is_training", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    sitting_id: Mapped[int] = mapped_column(sa.ForeignKey("sitting.id", ondelete="CASCADE"))
    token: Mapped[str] = mapped_column(sa.String(32), unique=True)
    position: Mapped[int]  # from 1; training trials are counted separately
    block: Mapped[int]  # from 1; 0 = training
    is_training: Mapped[bool] = mapped_column(default=False)
    is_repeat: Mapped[bool] = mapped_column(default=False)
    study_version: Mapped[int]

    released_at: Mapped[datetime | None] = mapped_column(Instant)  # the image could first be seen
    releases: Mapped[int] = mapped_column(default=0)
    onset_at: Mapped[datetime | None] = mapped_column(Instant)  # the image was painted
    deadline_at: Mapped[datetime | None] = mapped_column(Instant)  # NULL = no limit
    answered_at: Mapped[datetime | None] = mapped_column(Instant)
    response_ms: Mapped[int | None]  # by the server, from onset
    client_ms: Mapped[int | None]  # by the browser, from paint
    late: Mapped[bool | None]
    zoom_max: Mapped[float | None]  # largest magnification used, 1 = the whole image
    windowed: Mapped[bool | None]  # whether brightness or contrast were changed
    viewer: Mapped[dict[str, Any] | None] = mapped_column(
        sa.JSON(none_as_null=True)
    )  # everything recorded about its use
    keyed_at: Mapped[datetime | None] = mapped_column(
        Instant
    )  # its image could be opened from now on, ahead of its turn
    # NULL = no marks were requested; MARKS_DUE = they are due; marked, nothing, skipped = the outcome.
    marks_outcome: Mapped[str | None] = mapped_column(sa.String(7))
    marks_id: Mapped[str | None] = mapped_column(sa.String(36), index=True, unique=True)  # made by the browser
    marked_at: Mapped[datetime | None] = mapped_column(Instant)  # the marks reached the server

    sitting: Mapped[Sitting] = relationship(back_populates="trials")
    cases: Mapped[list[TrialCase]] = relationship(
        back_populates="trial", order_by="TrialCase.place", cascade="all, delete-orphan"
    )


class TrialCase(Base):
    """A case in its place on the screen. `token` is the opaque address of its image for this one reader."""

    __tablename__ = "trial_case"
    __table_args__ = (sa.UniqueConstraint("trial_id", "place"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[int] = mapped_column(sa.ForeignKey("trial.id", ondelete="CASCADE"))
    case_id: Mapped[int] = mapped_column(sa.ForeignKey("case.id"), index=True)
    place: Mapped[int] = mapped_column(default=1)
    token: Mapped[str] = mapped_column(sa.String(32), unique=True)
    hint: Mapped[str | None] = mapped_column(sa.String(80))  # shown with it, as it was when the trial was created
    hint_text: Mapped[str | None] = mapped_column(sa.String(500))

    trial: Mapped[Trial] = relationship(back_populates="cases")
    case: Mapped[Case] = relationship()
    answers: Mapped[list[Answer]] = relationship(back_populates="trial_case", cascade="all, delete-orphan")
    marks: Mapped[list[Mark]] = relationship(
        back_populates="trial_case", order_by="Mark.number", cascade="all, delete-orphan", passive_deletes=True
    )


class Answer(Base):
    """What the reader said about a case. The browser creates `id`, so that a retry can be recognised."""

    __tablename__ = "answer"
    __table_args__ = (
        sa.UniqueConstraint("trial_case_id", "criterion"),
        sa.CheckConstraint("level BETWEEN 1 AND 5", name="level"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    trial_case_id: Mapped[int] = mapped_column(sa.ForeignKey("trial_case.id", ondelete="CASCADE"))
    criterion: Mapped[str] = mapped_column(sa.String(80), default="")
    answer: Mapped[str | None] = mapped_column(sa.String(9))
    certainty: Mapped[str | None] = mapped_column(sa.String(7))
    level: Mapped[int | None]
    chosen: Mapped[bool | None]
    realism: Mapped[int | None]
    value: Mapped[str | None] = mapped_column(sa.String(80))

    trial_case: Mapped[TrialCase] = relationship(back_populates="answers")


class Mark(Base):
    """A place in an image that the reader says gave it away, and the reason; `number` counts within the trial."""

    __tablename__ = "mark"
    __table_args__ = (
        sa.UniqueConstraint("trial_case_id", "number"),
        sa.CheckConstraint("x BETWEEN 0 AND 1 AND y BETWEEN 0 AND 1", name="place"),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    trial_case_id: Mapped[int] = mapped_column(sa.ForeignKey("trial_case.id", ondelete="CASCADE"))
    number: Mapped[int]  # from 1
    x: Mapped[float]  # from the left edge of the image, as a share of its width
    y: Mapped[float]  # from the top edge, as a share of its height
    reason: Mapped[str] = mapped_column(sa.String(80))
    rating: Mapped[int | None]  # how sure the reader is, 1 to 5

    trial_case: Mapped[TrialCase] = relationship(back_populates="marks")
