"""Rows of quartets: all problems are reported at once, by row and trial."""

import pandas as pd
import pytest

from analysis.responses import ResponsesError, load_csv, load_frame
from tests.analysis.quartets import study


def faults(table):
    with pytest.raises(ResponsesError) as raised:
        load_frame(table)
    return raised.value.faults


def trial(table, reader="R1", number=0):
    """The row numbers of a trial, the real image first."""
    rows = table.index[(table["trial"] == f"t{int(reader[1:]) - 1}-{number}")]
    return list(rows)


def test_two_real_images_in_one_trial_are_named():
    table = study(2, 3)
    table.loc[table["case"] == "q00b", "truth"] = "real"
    said = faults(table)
    assert len(said) == 2  # one a reader
    assert f"row {trial(table)[2] + 1}: reader 'R1', trial 't0-0': a second real image; expected one" in said[0]


def test_a_trial_without_a_real_image_is_named():
    table = study(2, 3)
    table.loc[table["case"] == "q01r", "truth"] = "synthetic"
    assert all("no real image; expected one" in fault for fault in faults(table))


@pytest.mark.parametrize(
    ("chosen", "words"), [((1, 1, 0, 0), "a second image is chosen"), ((0, 0, 0, 0), "no image is")]
)
def test_a_trial_has_one_choice(chosen, words):
    table = study(2, 3)
    rows = trial(table, "R2", 1)
    table.loc[rows, "chosen"] = chosen
    (said,) = faults(table)
    assert f"row {rows[chosen.index(1) + 1 if 1 in chosen else 0] + 1}: reader 'R2', trial 't1-1': {words}" in said


def test_a_trial_that_was_not_answered_is_no_fault():
    table = study(2, 3).astype({"chosen": object, "realism": object})
    table.loc[trial(table), ["chosen", "realism"]] = ""
    loaded = load_frame(table)
    assert loaded.table["chosen"].isna().sum() == 4


def test_unequal_numbers_of_images_and_rows_that_are_missing_are_named():
    table = study(2, 5)
    gone = trial(table, "R1", 2)[-1]
    said = faults(table.drop(index=gone))
    assert any("reader 'R1', trial 't0-2': 3 images where most trials have 4" in fault for fault in said)
    assert any("the images shown with 'q02r' differ from those in reader 'R" in fault for fault in said)


def test_one_image_and_seven_are_too_few_and_too_many():
    table = study(1, 2)
    alone = table[table["truth"] == "real"].assign(chosen=1)
    assert "1 images; expected 2 to 6" in faults(alone)[0]


@pytest.mark.parametrize(
    ("column", "entry", "words"),
    [
        ("realism", "6", "realism '6'; expected a whole number from 1 to 5, or nothing"),
        ("realism", "2.5", "realism '2.5'; expected a whole number from 1 to 5"),
        ("realism", "real", "realism 'real'; expected a whole number"),
        ("place", "0", "place '0'; expected a whole number from 1 to 6"),
        ("chosen", "2", "chosen '2'; expected 0 or 1, or nothing"),
        ("trial", "", "trial is empty; expected the trial"),
        ("place", "5", "place 5 of 4 images"),
        ("place", "", "place is empty; other images of this trial have one"),
    ],
)
def test_an_entry_that_cannot_be_is_named_by_its_row(column, entry, words):
    table = study(2, 3).astype(str)
    row = trial(table, "R2", 1)[1]
    table.loc[row, column] = entry
    assert any(f"the DataFrame, row {row + 1}: " in fault and words in fault for fault in faults(table))


def test_a_place_given_twice_is_named():
    table = study(1, 2)
    rows = trial(table)
    table.loc[rows[1], "place"] = table.loc[rows[0], "place"]
    assert "is taken by another image" in faults(table)[0]


def test_a_quartet_put_twice_is_a_fault_unless_it_is_a_repeat():
    table = study(1, 2)
    again = table[table["trial"] == "t0-0"].assign(trial="t0-9")
    both = [table, again]
    (said,) = faults(pd.concat(both, ignore_index=True))
    assert "trial 't0-9': the same images as in reader 'R1', trial 't0-0'; is it a repeat?" in said
    assert len(load_frame(pd.concat([table, again.assign(is_repeat=1)], ignore_index=True)).scored) == 8


def test_a_missing_column_is_named(tmp_path):
    study(1, 2).drop(columns="chosen").to_csv(tmp_path / "r.csv", index=False)
    with pytest.raises(ResponsesError, match="column 'chosen' is missing"):
        load_csv(tmp_path / "r.csv")


def test_the_table_that_was_loaded_loads_again():
    first = load_frame(study(2, 3))
    again = load_frame(first.table)
    assert again.table["chosen"].tolist() == first.table["chosen"].tolist()
    assert set(again.table["quartet"]) == {"q00r", "q01r", "q02r"}
