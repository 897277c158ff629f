"""The hints of a study, from a CSV file: what a reader may be told about each case next to its image."""

from __future__ import annotations

import csv
import hashlib
import io
import json

from quiz_app import log
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Hint, Study
from quiz_app.study import lifecycle
from quiz_app.study.cases import scored_cases

COLUMNS = ("case", "hint", "text")  # the last one is optional
LONGEST_HINT, LONGEST_TEXT = 80, 500
MOST_NAMED = 10  # problems of one kind that are listed


def bring(study: Study, text: str, *, name: str = "hints.csv", actor: str = "") -> int:
    """Replace the hints with those in `text` (columns case, hint and optionally text). Returns their number.

    Sittings that have begun start again. Raises InvalidInputError for a study with answers, and for every problem by
    file and row: unknown or repeated cases, scored cases without a hint, hints that are empty or too long.
    """
    lifecycle.assert_may_change(study)
    scored = {case.name: case for case in scored_cases(study)}
    known = {case.name: case for case in study.pool.cases}
    found: dict[str, Hint] = {}
    faults: list[str] = []
    for number, row in _rows(text, name):
        case, hint, words = (row.get(column, "").strip() for column in COLUMNS)
        where = f"{name}, row {number}"
        if case not in known:
            faults.append(f"{where}: case: the pool has no case called {case!r}")
        elif case in found:
            faults.append(f"{where}: case: {case!r} appears twice")
        elif not 0 < len(hint) <= LONGEST_HINT:
            faults.append(f"{where}: hint: {len(hint)} characters; expected 1 to {LONGEST_HINT}")
        elif len(words) > LONGEST_TEXT:
            faults.append(f"{where}: text: {len(words)} characters; at most {LONGEST_TEXT} are allowed")
        else:
            found[case] = Hint(case_id=known[case].id, hint=hint, text=words)
    if missing := sorted(scored.keys() - found.keys()):
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        faults.append(f"{name}: case: no hint for {', '.join(missing[:MOST_NAMED])}{more}")
    if faults:
        raise InvalidInputError(faults)
    for reader in study.readers:
        reader.sittings.clear()
    study.hints.clear()
    db.session.flush()  # delete the old hints before adding the new ones
    study.hints.extend(found.values())
    study.version += 1
    log.record("hints-brought", study=study, actor=actor, hints=len(found), version=study.version)
    return len(found)


def digest(study: Study) -> str:
    """SHA-256 of the hints, the same for the same cases, hints and texts in any order."""
    names = {case.id: case.name for case in study.pool.cases}
    told = sorted((names[hint.case_id], hint.hint, hint.text) for hint in study.hints)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _rows(text: str, name: str) -> list[tuple[int, dict[str, str]]]:
    """The rows of the file with their numbers; the header is row 1. Raises InvalidInputError."""
    try:
        rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True))
    except csv.Error as error:
        raise InvalidInputError([f"{name}: not a CSV file: {error}"]) from None
    heading = tuple(cell.strip().lower() for cell in rows[0]) if rows else ()
    if heading not in (COLUMNS, COLUMNS[:2]):
        told = ", ".join(heading) or "nothing"
        raise InvalidInputError([f"{name}, row 1: expected the columns case, hint and optionally text, found {told}"])
    numbered = [(number, row) for number, row in enumerate(rows[1:], start=2) if any(cell.strip() for cell in row)]
    if faults := [
        f"{name}, row {number}: {len(row)} fields; expected {len(heading)}"
        for number, row in numbered
        if len(row) != len(heading)
    ]:
        raise InvalidInputError(faults)
    return [(number, dict(zip(heading, row, strict=True))) for number, row in numbered]
