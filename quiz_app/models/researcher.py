"""Researcher and Member: who runs a study, and with whom."""

from __future__ import annotations

import hashlib
from datetime import datetime

import sqlalchemy as sa
from flask_login import UserMixin
from sqlalchemy.orm import Mapped, mapped_column, relationship

from quiz_app.database import Base, Instant


class Researcher(UserMixin, Base):
    """Someone who can log in. An admin adds others, and owns studies without an owner."""

    __tablename__ = "researcher"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80), unique=True)
    password_hash: Mapped[str] = mapped_column(sa.String(255))
    is_admin: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    created_at: Mapped[datetime] = mapped_column(Instant)

    def get_id(self) -> str:
        """What a session stores: a new password ends every session begun with the old one."""
        return f"{self.id}-{hashlib.sha256(self.password_hash.encode()).hexdigest()[:32]}"


class Member(Base):
    """A researcher's role in somebody else's study: a collaborator can run it, a viewer can only look."""

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
