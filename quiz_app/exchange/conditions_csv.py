"""Export the condition under which each trial was read: the `conditions` view as rows, and what its columns mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quiz_app.exchange import responses_csv

# Every column of the `conditions` view, in order, and what it means.
CONDITIONS: dict[str, str] = {
    **{name: responses_csv.DICTIONARY[name] for name in ("study", "reader")},
    "sitting": "Number of the reader's sitting: each condition has its own; a reset also increases it.",
    **{name: responses_csv.DICTIONARY[name] for name in ("trial", "case")},
    "condition": "The condition under which the case was read; empty = the study has none.",
    "period": "Which of the reader's parts it was, from 1.",
    "sequence": "The order of conditions assigned to the reader: A>B.",
    "hint": "The hint that the reader saw with the case; empty = none, or the study is blinded.",
}


def rows(session: Session, slug: str, *, blinded: bool = False) -> Iterator[Iterable[object]]:
    """The answered trials of a study with conditions or hints, by reader and sitting.

    `blinded` empties the hints: they reveal much of the truth.
    """
    columns = ", ".join("NULL" if blinded and name == "hint" else f'"{name}"' for name in CONDITIONS)
    query = f'SELECT {columns} FROM conditions WHERE study = :study ORDER BY reader, sitting, trial, "case"'
    yield from session.execute(sa.text(query), {"study": slug}, execution_options={"yield_per": 1000})


def count(session: Session, slug: str) -> int:
    """The number of rows of a study."""
    return session.scalar(sa.text("SELECT count(*) FROM conditions WHERE study = :study"), {"study": slug}) or 0


def lines(session: Session, slug: str) -> Iterator[str]:
    """The rows as CSV, line by line, with a header."""
    yield responses_csv.line(CONDITIONS)
    yield from map(responses_csv.line, rows(session, slug))


def dictionary() -> Iterator[str]:
    """The meaning of the columns that the answers do not have, as CSV without a header."""
    for name, meaning in CONDITIONS.items():
        if name not in responses_csv.DICTIONARY:
            yield responses_csv.line((name, meaning))
