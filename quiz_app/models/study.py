"""Study: a pool, a design and its settings."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from quiz_app.database import Base, Instant
from quiz_app.models.pool import Pool

if TYPE_CHECKING:
    from quiz_app.models.people import Reader, Researcher
    from quiz_app.study.settings import StudySettings


class Study(Base):
    """Draft, then open, then closed. `version` rises with every change of its settings."""

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
    unblinded_at: Mapped[datetime | None] = mapped_column(Instant)  # truth was shown on purpose before the close

    archived_at: Mapped[datetime | None] = mapped_column(Instant)  # put away: not listed with the others
    open_token_hash: Mapped[str | None] = mapped_column(sa.String(64), index=True)  # of the link that anybody may use
    open_cap: Mapped[int | None]  # readers who may come in by it

    pool: Mapped[Pool] = relationship()
    owner: Mapped[Researcher | None] = relationship()
    readers: Mapped[list[Reader]] = relationship(
        back_populates="study", order_by="Reader.id", cascade="all, delete-orphan"
    )

    @property
    def blinded(self) -> bool:
        """Whether researchers must not see truth or accuracy yet."""
        return self.state != "closed" and self.unblinded_at is None

    @property
    def rules(self) -> StudySettings:
        """The settings as a typed, checked structure."""
        from quiz_app.study.settings import StudySettings

        return StudySettings.from_dict(self.settings)
