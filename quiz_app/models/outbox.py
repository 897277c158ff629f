"""Outgoing, Removal and Mirror: what must still be copied to Firestore or removed from it, and the state of that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from flask import current_app
from sqlalchemy.orm import Mapped, mapped_column

from quiz_app import clock
from quiz_app.database import Base, Instant


class Outgoing(Base):
    """An answer for the mirror, written in the transaction that stores the answer."""

    __tablename__ = "outgoing"

    id: Mapped[int] = mapped_column(primary_key=True)  # the order in which they are sent
    answer_id: Mapped[str] = mapped_column(sa.ForeignKey("answer.id", ondelete="CASCADE"), unique=True)
    queued_at: Mapped[datetime] = mapped_column(Instant)
    sent_at: Mapped[datetime | None] = mapped_column(Instant, index=True)


def queue(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Queue answers for the mirror, if there is one, in the transaction that stores them."""
    if current_app.config["SETTINGS"].firestore_credentials:
        now = clock.now()
        connection.execute(sa.insert(Outgoing), [{"answer_id": answer_id, "queued_at": now} for answer_id in ids])


class Removal(Base):
    """An answer that was deleted here and may still be in the mirror; the row is removed when it cannot be any more."""

    __tablename__ = "removal"

    answer_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    queued_at: Mapped[datetime] = mapped_column(Instant)


class Mirror(Base):
    """One row: the Firebase project to which this database is mirrored (empty: none reached yet), the worker that is
    sending, and the last error."""

    __tablename__ = "mirror"

    id: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(sa.String(80))
    holder: Mapped[str | None] = mapped_column(sa.String(32))
    held_until: Mapped[datetime | None] = mapped_column(Instant)
    last_error: Mapped[str] = mapped_column(sa.String(500), default="")
