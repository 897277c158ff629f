"""Rows of comparisons: all problems are reported at once, by row and trial."""

import pytest

from analysis.responses import ResponsesError, load_frame
from tests.analysis.comparisons import study


def faults(table):
    with pytest.raises(ResponsesError) as raised:
        load_frame(table)
    return " | ".join(raised.value.faults)


def rows(table, trial, **columns):
    found = table["trial"] == trial
    for name, entry in columns.items():
        found &= table[name] == entry
    return table.index[found]


def test_a_comparison_with_a_missing_method_is_named():
    table = study(2, 4, methods=("a", "b", "c"))
    said = faults(table.drop(index=rows(table, "t0-1", source="c")))
    assert "reader 'R1', trial 't0-1': there is no image of c, which other trials have" in said


def test_a_criterion_left_out_is_named():
    table = study(2, 4)
    assert "trial 't1-2': criterion 'nodule' has no answer" in faults(
        table.drop(index=rows(table, "t1-2", criterion="nodule"))
    )
    half = table.drop(index=rows(table, "t1-2", criterion="sharpness", source="model B"))
    assert "trial 't1-2': criterion 'sharpness' has no answer for c02b" in faults(half)


@pytest.mark.parametrize(
    ("criterion", "value", "words"),
    [
        ("report", "chosen", "2 images are chosen under 'report'; expected one"),
        ("report", "not chosen", "0 images are chosen under 'report'; expected one"),
        ("nodule", "better", "value 'better'; criterion 'nodule' has the kind yes-no in other rows"),
        ("nodule", "perhaps", "value 'perhaps'; expected better, same or worse; yes or no"),
    ],
)
def test_answers_that_cannot_be_are_named(criterion, value, words):
    table = study(2, 4)
    table.loc[rows(table, "t0-3", criterion=criterion), "value"] = value
    assert words in faults(table)


def test_a_reference_is_not_judged_and_needs_no_answer():
    table = study(2, 4, reference=True)
    assert len(load_frame(table).table) == len(table)
    table.loc[rows(table, "t0-0", source="reference"), "value"] = "yes"
    assert "the reference image is not judged" in faults(table)


def test_two_images_of_one_method_and_other_companions_are_named():
    table = study(2, 4)
    twice = table.copy()
    twice.loc[rows(table, "t0-0", source="model B", criterion="nodule"), "case"] = "c09b"
    assert "trial 't0-0': 2 images of model B; expected one" in faults(twice)
    table.loc[rows(table, "t0-0", source="model B"), "case"] = "c09b"
    assert "the images shown with 'c00a' differ from those in reader 'R1'" in faults(table)


def test_a_trial_that_was_not_answered_is_no_fault():
    table = study(2, 4)
    table.loc[rows(table, "t0-0"), ["value"]] = ""
    assert load_frame(table).table["score"].isna().sum() == 8
