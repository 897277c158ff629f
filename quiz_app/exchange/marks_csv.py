"""Export the marks and the known faults of the cases: two views as rows, and what their columns mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quiz_app.exchange import responses_csv

SHARED = {name: responses_csv.DICTIONARY[name] for name in (
    "study", "design", "reader", "reader_group", "sitting", "trial", "position", "block", "is_training", "is_repeat",
)}  # fmt: skip
# Every column of the `marks` view, in order, and what it means.
MARKS: dict[str, str] = {
    **SHARED,
    "place": "Position of the marked image on the screen, from 1, if a trial shows several.",
    "case": "The marked case; empty if a trial with several images ended without a mark.",
    "truth": "real or synthetic.",
    "source": "Where the image comes from, according to the pool.",
    **{name: responses_csv.DICTIONARY[name] for name in ("answer", "certainty", "level")},
    "mark": "Number of the mark within the trial, from 1; 0 = the reader was asked but set no mark.",
    "x": "From the left edge of the image, as a share of its width.",
    "y": "From the top edge of the image, as a share of its height.",
    "reason": "What gave the image away there: one of the study's reasons.",
    "rating": "How sure the reader is of this mark, from 1 = a guess to 5 = certain; empty = not given.",
    "outcome": "marked, nothing (nothing in particular) or skipped.",
    "marked_at": "When the marks reached the server, UTC.",
    "late": "1 = the answer before them came after the deadline.",
    "study_version": responses_csv.DICTIONARY["study_version"],
}
# Every column of the `faults` view: an ellipse.
FAULTS: dict[str, str] = {
    "study": responses_csv.DICTIONARY["study"],
    "case": responses_csv.DICTIONARY["case"],
    "kind": "The kind of fault, according to the pool.",
    "x": "Its centre, from the left edge of the image, as a share of its width.",
    "y": "Its centre, from the top edge of the image, as a share of its height.",
    "rx": "Half of its first axis, as a share of the width.",
    "ry": "Half of its second axis, as a share of the height.",
    "angle": "Its counter-clockwise rotation in the picture, in degrees.",
}


def marks(session: Session, slug: str, *, blinded: bool = False) -> Iterator[Iterable[object]]:
    """The marks of a study, by reader, sitting and position; `blinded` empties the columns that reveal the truth."""
    hidden = dict.fromkeys(responses_csv.TELLING, "NULL") if blinded else {}
    columns = ", ".join(hidden.get(name, f'"{name}"') for name in MARKS)
    query = (
        f"SELECT {columns} FROM marks WHERE study = :study ORDER BY reader, sitting, is_training DESC, position, mark"
    )
    yield from session.execute(sa.text(query), {"study": slug}, execution_options={"yield_per": 1000})


def faults(session: Session, slug: str) -> Iterator[Iterable[object]]:
    """The known faults of a study's cases. They reveal the truth: do not export them before the close."""
    columns = ", ".join(f'"{name}"' for name in FAULTS)
    query = f'SELECT {columns} FROM faults WHERE study = :study ORDER BY "case", kind, x, y'
    yield from session.execute(sa.text(query), {"study": slug}, execution_options={"yield_per": 1000})


def counted(session: Session, slug: str, view: str) -> int:
    """The number of rows of a study in the view `marks` or `faults`."""
    assert view in ("marks", "faults")
    return session.scalar(sa.text(f"SELECT count(*) FROM {view} WHERE study = :study"), {"study": slug}) or 0
