"""Researcher, Member and Reader: who runs a study, with whom, and who judges its images."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from flask_login import UserMixin
from sqlalchemy.orm import Mapped, mapped_column, relationship

from quiz_app.database import Base, Instant

if TYPE_CHECKING:
    from quiz_app.models.sitting import Sitting
    from quiz_app.models.study import Study


class Researcher(UserMixin, Base):
    """Someone who may log in. An admin adds others, and owns the studies that nobody owns."""

    __tablename__ = "researcher"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80), unique=True)
    password_hash: Mapped[str] = mapped_column(sa.String(255))
    is_admin: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    created_at: Mapped[datetime] = mapped_column(Instant)

    def get_id(self) -> str:
        """What a session remembers: a new password ends every session begun with the old one."""
        return f"{self.id}-{hashlib.sha256(self.password_hash.encode()).hexdigest()[:32]}"


class Member(Base):
    """A researcher's part in somebody else's study: a collaborator runs it too, a viewer looks on."""

    __tablename__ = "member"
    __table_args__ = (
        sa.UniqueConstraint("study_id", "researcher_id"),
        sa.CheckConstraint("role IN ('collaborator', 'viewer')", name="role"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id", ondelete="CASCADE"))
    researcher_id: Mapped[int] = mapped_column(sa.ForeignKey("researcher.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(sa.String(12))

    researcher: Mapped[Researcher] = relationship()


class Reader(Base):
    """Someone who takes one study, known by a pseudonym and let in by a link whose token is stored hashed."""

    __tablename__ = "reader"
    __table_args__ = (sa.UniqueConstraint("study_id", "pseudonym"),)

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
    closes_at: Mapped[datetime | None] = mapped_column(Instant)  # instead of the study's closing date
    is_preview: Mapped[bool] = mapped_column(default=False, server_default=sa.false())  # a researcher trying it out
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)  # the reader left the study

    study: Mapped[Study] = relationship(back_populates="readers")
    sittings: Mapped[list[Sitting]] = relationship(
        back_populates="reader", order_by="Sitting.number", cascade="all, delete-orphan"
    )

    @property
    def study_state(self) -> str:
        """The state of the study as this reader meets it: a preview is always open."""
        return "open" if self.is_preview else self.study.state

    @property
    def sitting(self) -> Sitting | None:
        """The sitting that counts: the latest."""
        return self.sittings[-1] if self.sittings else None

    @property
    def has_finished(self) -> bool:
        """Whether that sitting has every answer."""
        return self.sitting is not None and self.sitting.finished_at is not None
