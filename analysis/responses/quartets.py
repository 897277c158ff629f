"""The rows of quartets: each trial has one real image, one choice, and the same images for all readers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FEWEST, MOST = 2, 6  # images of a trial
SOUGHT = {"truth": 0, "chosen": 1}  # what one image of a trial must be
SCALE = 5  # the most points a scale of realism has
FLAGS = {"": None, "0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}


def check(table: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[int, str]]]:
    """The table with `chosen` as 0, 1 or NaN, `place` and `realism` as numbers, `quartet` (the real image's name).

    Also return problems with the index of their row: invalid entries, and those found by `_trial`.
    """
    import pandas as pd

    faults: list[tuple[int, str]] = []

    def typed(column: str, most: int) -> pd.Series:
        numbers = pd.to_numeric(table[column].replace("", None), errors="coerce")
        given = table[column].astype(str) != ""
        bad = given & ~(numbers.between(1, most) & (numbers % 1 == 0))
        expected = f"expected a whole number from 1 to {most}, or nothing"
        faults.extend((i, f"{column} {table.at[i, column]!r}; {expected}") for i in table.index[bad])
        return numbers.astype(float)

    place, realism = typed("place", MOST), typed("realism", SCALE)
    said = table["chosen"].astype(str).str.strip().str.lower().str.replace(r"\.0+$", "", regex=True)
    strange = ~said.isin(FLAGS)
    faults += [(i, f"chosen {table.at[i, 'chosen']!r}; expected 0 or 1, or nothing") for i in table.index[strange]]
    faults += [(i, "trial is empty; expected the trial to which this image belongs") for i in _empty(table, "trial")]
    if faults:
        return table, faults
    table = table.assign(place=place, realism=realism, chosen=said.map(FLAGS).astype(float))
    trials: dict[tuple[str, float, str], list[Any]] = {}
    for row in table.itertuples():
        trials.setdefault((row.reader, row.sitting if row.sitting == row.sitting else -1.0, row.trial), []).append(row)
    usual = Counter(len(rows) for rows in trials.values()).most_common(1)[0][0]
    quartet: dict[int, str] = {}
    seen: dict[str, tuple[set[str], str]] = {}
    asked: dict[tuple[str, str], str] = {}
    for (reader, _, trial), rows in trials.items():
        where = f"reader {reader!r}, trial {trial!r}"
        faults += _trial(rows, where, usual)
        real = [row.case for row in rows if row.truth == 0]
        if len(real) != 1:
            continue
        name, images = real[0], {row.case for row in rows}
        quartet |= dict.fromkeys((row.Index for row in rows), name)
        known, first = seen.setdefault(name, (images, where))
        if images != known:
            faults.append((rows[0].Index, f"{where}: the images shown with {name!r} differ from those in {first}"))
        if not any(row.is_training or row.is_repeat or row.superseded for row in rows):
            again = asked.setdefault((reader, name), where)
            if again != where:
                faults.append((rows[0].Index, f"{where}: the same images as in {again}; is it a repeat?"))
    return table.assign(quartet=[quartet.get(i, "") for i in table.index]), faults


def _trial(rows: list[Any], where: str, usual: int) -> list[tuple[int, str]]:
    """Return problems of one trial: too many or no real images or choices, duplicate places, missing images."""
    real, chosen = ([row.Index for row in rows if getattr(row, name) == sought] for name, sought in SOUGHT.items())
    faults = [(i, f"{where}: a second real image; expected one") for i in real[1:]]
    faults += [(i, f"{where}: a second image is chosen; expected one") for i in chosen[1:]]
    whole = []
    if not real:
        whole.append("no real image; expected one")
    if not chosen and any(row.chosen == 0 for row in rows):
        whole.append("no image is chosen; expected one, or nothing in all rows of the trial")
    if not FEWEST <= len(rows) <= MOST:
        whole.append(f"{len(rows)} images; expected {FEWEST} to {MOST}")
    elif len(rows) != usual:
        whole.append(f"{len(rows)} images where most trials have {usual}")
    faults += [(rows[0].Index, f"{where}: {what}") for what in whole]
    known = [row.place for row in rows if row.place == row.place]
    for at, row in enumerate(rows if known else []):
        if row.place != row.place:
            faults.append((row.Index, f"{where}: place is empty; other images of this trial have one"))
        elif row.place > len(rows):
            faults.append((row.Index, f"{where}: place {row.place:.0f} of {len(rows)} images"))
        elif any(row.place == earlier.place for earlier in rows[:at]):
            faults.append((row.Index, f"{where}: place {row.place:.0f} is taken by another image"))
    return faults


def _empty(table: pd.DataFrame, column: str) -> list[int]:
    return list(table.index[table[column] == ""])
