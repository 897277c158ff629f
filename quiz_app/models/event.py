"""Event: what happened, in order; never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from quiz_app.database import Base, Instant


class Event(Base):
    """One line of the log of a study. It names people by pseudonym or log-in name, so that it can outlive them."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    kind: Mapped[str] = mapped_column(sa.String(60))
    study_id: Mapped[int | None] = mapped_column(sa.ForeignKey("study.id", ondelete="SET NULL"), index=True)
    sitting_id: Mapped[int | None] = mapped_column(sa.ForeignKey("sitting.id", ondelete="SET NULL"))
    actor: Mapped[str] = mapped_column(sa.String(80), default="")
    details: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
