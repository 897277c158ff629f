"""Pool, Case and Fault: the images, their truth, and the known faults in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from quiz_app.database import Base, Instant


class Pool(Base):
    """An imported pool folder. Its images are re-encoded and kept in the instance folder."""

    __tablename__ = "pool"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(sa.String(80), unique=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    width: Mapped[int]
    height: Mapped[int]
    manifest: Mapped[dict[str, Any]] = mapped_column(sa.JSON)  # pool.json as imported
    sha256: Mapped[str] = mapped_column(sa.String(64))  # of cases.csv, which contains the checksums of the images
    served_bytes: Mapped[int]  # every served image of the pool has this length
    created_at: Mapped[datetime] = mapped_column(Instant)

    cases: Mapped[list[Case]] = relationship(back_populates="pool", order_by="Case.id", cascade="all, delete-orphan")


class Case(Base):
    """One image with its truth."""

    __tablename__ = "case"
    __table_args__ = (
        sa.UniqueConstraint("pool_id", "name"),
        sa.CheckConstraint("truth IN ('real', 'synthetic')", name="truth"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    pool_id: Mapped[int] = mapped_column(sa.ForeignKey("pool.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(200))
    file: Mapped[str] = mapped_column(sa.String(500))
    truth: Mapped[str] = mapped_column(sa.String(9))
    source: Mapped[str] = mapped_column(sa.String(200), default="")
    group: Mapped[str] = mapped_column(sa.String(200), default="")
    sha256: Mapped[str] = mapped_column(sa.String(64))
    width: Mapped[int]
    height: Mapped[int]
    stored: Mapped[str] = mapped_column(sa.String(64), unique=True)  # opaque name of the blinded image
    excluded: Mapped[str | None] = mapped_column(sa.String(500))  # why it is left out; NULL = included
    labels: Mapped[dict[str, str]] = mapped_column(sa.JSON, default=dict, server_default="{}")  # see generation.pool

    pool: Mapped[Pool] = relationship(back_populates="cases")
    faults: Mapped[list[Fault]] = relationship(
        back_populates="case", order_by="Fault.id", cascade="all, delete-orphan", passive_deletes=True
    )

    @property
    def is_practice(self) -> bool:
        """Whether this is a practice case, which is never scored; the pool marks it by its group."""
        return self.group == "practice"


class Fault(Base):
    """A fault in an image, as an ellipse in shares of width and height. It is as secret as the truth."""

    __tablename__ = "fault"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(sa.ForeignKey("case.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(sa.Text)
    x: Mapped[float]
    y: Mapped[float]
    rx: Mapped[float]
    ry: Mapped[float]
    angle: Mapped[float]  # counter-clockwise in the picture, in degrees

    case: Mapped[Case] = relationship(back_populates="faults")
