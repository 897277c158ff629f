"""The rows of comparisons: each trial has every method once, and each image an answer to each criterion."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FEWEST, MOST = 2, 4  # images of a trial that are judged
REFERENCE = "reference"  # the source of an image that is labelled as the reference
LONGEST = 100  # the most points a scale has
# Possible answers for each kind of criterion, as numbers: higher = more of it. A scale has whole numbers.
KINDS: dict[str, dict[str, int]] = {
    "better": {"worse": -1, "same": 0, "better": 1},
    "yes-no": {"no": 0, "yes": 1},
    "choice": {"not chosen": 0, "chosen": 1},
}


def kind_of(value: str) -> str | None:
    """Return the kind of criterion to which an answer belongs; None if it is not an answer."""
    number = value.removesuffix(".0")
    if number.isdecimal() and 1 <= int(number) <= LONGEST:
        return "scale"
    return next((kind for kind, values in KINDS.items() if value in values), None)


def check(table: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[int, str]]]:
    """Return the table with `score` (a number or NaN), `kind`, `place` as a number, and `item`, the compared case.

    An item is named after its reference, or its image by the first method in order. Also return problems with row
    indices.
    """
    import pandas as pd

    value = table["value"].astype(str).str.strip().str.lower()
    faults = [(i, "trial is empty; expected the trial to which this image belongs") for i in _empty(table, "trial")]
    faults += [(i, "source is empty; expected the method that made this image") for i in _empty(table, "source")]
    kinds = value.map(kind_of)
    expected = "expected better, same or worse; yes or no; chosen or not chosen; a whole number; or nothing"
    faults += [(i, f"value {table.at[i, 'value']!r}; {expected}") for i in table.index[(value != "") & kinds.isna()]]
    unnamed = table.index[(value != "") & (table["criterion"] == "")]
    faults += [(i, "criterion is empty; expected the question that the value answers") for i in unnamed]
    reference = table["source"] == REFERENCE
    faults += [
        (i, "the reference image is not judged; expected no value") for i in table.index[reference & (value != "")]
    ]
    place = pd.to_numeric(table["place"].replace("", None), errors="coerce")
    bad = (table["place"].astype(str) != "") & ~(place.between(1, MOST + 1) & (place % 1 == 0))
    expected = f"expected a whole number from 1 to {MOST + 1}, or nothing"
    faults += [(i, f"place {table.at[i, 'place']!r}; {expected}") for i in table.index[bad]]
    usual = dict(zip(table["criterion"][kinds.notna()], kinds[kinds.notna()], strict=True))
    for i in table.index[kinds.notna()]:
        first = usual[table.at[i, "criterion"]]
        if kinds[i] != first:
            what = f"criterion {table.at[i, 'criterion']!r} has the kind {first} in other rows"
            faults.append((i, f"value {table.at[i, 'value']!r}; {what}"))
    if faults:
        return table, faults
    scores = [_score(kind, said) for kind, said in zip(kinds, value, strict=True)]
    table = table.assign(value=value, kind=kinds.fillna(""), score=scores, place=place.astype(float))
    return _trials(table, sorted(usual))


def _score(kind: Any, said: str) -> float:
    if kind == "scale":
        return float(said)
    return float(KINDS[kind][said]) if kind in KINDS else float("nan")


def _trials(table: pd.DataFrame, criteria: list[str]) -> tuple[pd.DataFrame, list[tuple[int, str]]]:
    """Check every trial by itself and against the others: the same methods, and the same images for an item."""
    faults: list[tuple[int, str]] = []
    trials: dict[tuple[str, float, str], list[Any]] = {}
    for row in table.itertuples():
        trials.setdefault((row.reader, row.sitting if row.sitting == row.sitting else -1.0, row.trial), []).append(row)
    shown = Counter(frozenset(row.source for row in rows) for rows in trials.values())
    usual = sorted(set().union(*shown))
    methods = [source for source in usual if source != REFERENCE]
    if trials and not FEWEST <= len(methods) <= MOST:
        faults.append((-1, f"{len(methods)} methods ({', '.join(methods)}); expected {FEWEST} to {MOST}"))
    item: dict[int, str] = {}
    seen: dict[str, tuple[frozenset[str], str]] = {}
    asked: dict[tuple[str, str], str] = {}
    for (reader, _, trial), rows in trials.items():
        where = f"reader {reader!r}, trial {trial!r}"
        by_source: dict[str, set[str]] = {}
        for row in rows:
            by_source.setdefault(row.source, set()).add(row.case)
        missing = [source for source in usual if source not in by_source]
        faults += [
            (rows[0].Index, f"{where}: there is no image of {source}, which other trials have") for source in missing
        ]
        twice = [source for source, cases in by_source.items() if len(cases) > 1]
        faults += [(rows[0].Index, f"{where}: {len(by_source[s])} images of {s}; expected one") for s in twice]
        if missing or twice:
            continue
        faults += _answers(rows, where, criteria, len(methods))
        (name,) = by_source[REFERENCE if REFERENCE in usual else methods[0]]
        images = frozenset(row.case for row in rows)
        item |= dict.fromkeys((row.Index for row in rows), name)
        known, first = seen.setdefault(name, (images, where))
        if images != known:
            faults.append((rows[0].Index, f"{where}: the images shown with {name!r} differ from those in {first}"))
        if not any(row.is_training or row.is_repeat or row.superseded for row in rows):
            again = asked.setdefault((reader, name), where)
            if again != where:
                faults.append((rows[0].Index, f"{where}: the same images as in {again}; is it a repeat?"))
    return table.assign(item=[item.get(i, "") for i in table.index]), faults


def _answers(rows: list[Any], where: str, criteria: list[str], methods: int) -> list[tuple[int, str]]:
    """Return problems in the answers of one trial, if it has any: missing criteria, impossible choices."""
    faults: list[tuple[int, str]] = []
    judged = [row for row in rows if row.source != REFERENCE]
    said = [row for row in judged if row.value]
    places = {row.case: row.place for row in rows if row.place == row.place}
    if len(set(places.values())) < len(places):
        faults.append((rows[0].Index, f"{where}: two images at one place"))
    if not said:
        return faults
    for criterion in criteria:
        own = [row for row in said if row.criterion == criterion]
        given = [row.value for row in own]
        if not own:
            faults.append((rows[0].Index, f"{where}: criterion {criterion!r} has no answer"))
        elif len(own) != methods:
            left = sorted({row.case for row in judged} - {row.case for row in own})
            faults.append((own[0].Index, f"{where}: criterion {criterion!r} has no answer for {', '.join(left)}"))
        elif own[0].kind == "choice" and given.count("chosen") != 1:
            what = f"{given.count('chosen')} images are chosen under {criterion!r}; expected one"
            faults.append((own[0].Index, f"{where}: {what}"))
    return faults


def _empty(table: pd.DataFrame, column: str) -> list[int]:
    return list(table.index[table[column] == ""])
