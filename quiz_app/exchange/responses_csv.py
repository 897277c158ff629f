"""Export the answers: the `responses` view as CSV, row by row, and the dictionary of its columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from analysis.responses.formulas import defused
from quiz_app.designs import DESIGNS

# Every column of the `responses` view, in order, and what it means.
DICTIONARY: dict[str, str] = {
    "study": "Short name of the study.",
    "design": "What a trial is: rating, quartet, comparison or staircase.",
    "reader": "Pseudonym of the reader.",
    "reader_group": "Group of the reader, as given in the invitation or by the reader.",
    "sitting": "Number of the reader's sitting: 1, or higher after a reset.",
    "trial": "Name of the trial; the same in every export.",
    "position": "Position of the trial in the reader's order, from 1; practice is counted separately.",
    "block": "Balanced block of the order, from 1; 0 = practice. In staircases, the staircase that set the exposure.",
    "is_training": "1 = practice, never scored.",
    "is_repeat": "1 = a case shown again, to measure the reader's agreement with themselves.",
    "case": "Name of the case in its pool.",
    "truth": "real or synthetic.",
    "source": "Where the image comes from, according to the pool.",
    "answer": "real, synthetic or unsure.",
    "certainty": "full or partial; empty for unsure.",
    "level": "Answer and certainty in one: 1 surely real, 2 probably real, 3 unsure, 4 probably, 5 surely synthetic.",
    "place": "Position of the case on the screen, from 1, if a trial shows several.",
    "chosen": "1 = chosen by the reader out of several, 0 = not chosen.",
    "realism": "How realistic the case looks to the reader: from 1 = least to 4 or 5 = fully realistic.",
    "criterion": "In comparisons, the criterion that `value` answers; in staircases, exposure_ms.",
    "value": "The answer to `criterion`; in staircases, the exposure in ms that the browser measured, if it could.",
    "onset_at": "When the image was painted, UTC, by the server; at the latest interval and grace after release.",
    "answered_at": "When the answer reached the server, UTC.",
    "response_ms": "From onset to answer by the server's clock, in ms, network included; at most 2147483647 (24 days).",
    "client_ms": "From painting to answer as the browser measured it, in ms.",
    "late": "1 = answered after the deadline by the server's clock.",
    "zoom_max": "Largest magnification the reader used; 1 = the whole image.",
    "windowed": "1 = the reader changed brightness or contrast.",
    "study_version": "Version of the study's settings under which the trial was created.",
}


# Columns that reveal the truth of a case: empty in a blinded export.
TELLING = ("truth", "source")
# Exposures that depend on the answers reveal which of them were right, and with these the truth.
_BRIEF = ", ".join(f"'{name}'" for name, design in DESIGNS.items() if design.brief)
_BLINDED = dict.fromkeys(TELLING, "NULL") | {"value": f'CASE WHEN design IN ({_BRIEF}) THEN NULL ELSE "value" END'}


def lines(session: Session, slug: str, *, blinded: bool = False) -> Iterator[str]:
    """The answers of a study as CSV, line by line, in order of reader, sitting and position, practice first."""
    yield line(DICTIONARY)
    yield from map(line, rows(session, slug, blinded=blinded))


def rows(session: Session, slug: str, *, blinded: bool = False) -> Iterator[Iterable[object]]:
    """The answers as plain rows; `blinded` empties the columns that reveal the truth."""
    hidden = _BLINDED if blinded else {}
    columns = ", ".join(hidden.get(name, f'"{name}"') for name in DICTIONARY)
    query = sa.text(
        f"SELECT {columns} FROM responses WHERE study = :study "
        "ORDER BY reader, sitting, is_training DESC, position, place, criterion"
    )
    yield from session.execute(query, {"study": slug}, execution_options={"yield_per": 1000})


def dictionary() -> Iterator[str]:
    """The meaning of every column, as CSV."""
    yield line(("column", "meaning"))
    yield from map(line, DICTIONARY.items())


def line(values: Iterable[object]) -> str:
    """One line of CSV, without formulas."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(defused, values))
    return text.getvalue()
