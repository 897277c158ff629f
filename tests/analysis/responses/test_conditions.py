"""Answers under several conditions: from files, an export, a database and an archive; every fault by its row."""

import zipfile

import pandas as pd
import pytest
import sqlalchemy as sa

from analysis.responses import COLUMNS, ResponsesError, conditions, load_csv, stored
from analysis.responses.database import load_database
from analysis.responses.exported import load_export
from analysis.responses.marks import with_marks
from tests.analysis.crossovers import files, rows, study, write


def test_a_case_counts_once_a_period(tmp_path):
    found = study(tmp_path, readers=4, cases=6)
    assert len(found.scored) == 4 * 2 * 6
    assert not found.table["superseded"].any()
    assert conditions.names(found) == ["alone", "hinted"]
    assert conditions.read_again(found)
    assert conditions.cells(found)["R2", "c3", 1].condition == "hinted"
    assert conditions.cells(found)["R2", "c3", 1].hint in ("0.1", "0.9")
    assert conditions.cells(found)["R1", "c3", 1] == ("alone", "")
    assert conditions.sequences(found)["R2"] == "hinted>alone"


def test_without_conditions_a_later_sitting_replaces_an_earlier_one(tmp_path):
    both = files(tmp_path, rows(readers=2, cases=6))
    found = load_csv(both.responses)
    assert len(found.scored) == 2 * 6
    assert conditions.names(found) == []


def test_a_sitting_that_was_begun_anew_counts_by_its_period(tmp_path):
    made = rows(readers=2, cases=6)
    again = [row | {"sitting": 3, "trial": f"again {row['trial']}"} for row in made if row["period"] == 1]
    both = files(tmp_path, made + again)
    found = load_csv(both.responses, both.conditions)
    assert found.table["superseded"].sum() == 2 * 6
    assert set(found.scored["sitting"]) == {2, 3}


def test_the_settings_say_which_condition_comes_first(tmp_path):
    found = study(tmp_path, readers=2, cases=6)
    found.study["settings"] = {"conditions": ["hinted: hints = true", "alone", "never met: limit_s = 9.0"]}
    assert conditions.names(found) == ["hinted", "alone"]


def test_a_table_without_trials_holds_for_all_answers_to_a_case(tmp_path):
    made = list(rows(readers=4, cases=6, by="between"))
    both = files(tmp_path, [{**row, "sitting": "", "trial": "", "sequence": ""} for row in made])
    write(both.responses, COLUMNS, made)
    found = load_csv(both.responses, both.conditions)
    assert conditions.sequences(found) == {"R1": "alone", "R2": "hinted", "R3": "alone", "R4": "hinted"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"condition": ""}, "conditions.csv, row 2: condition is empty"),
        ({"period": "0"}, "conditions.csv, row 2: period '0'; expected a whole number from 1 to 4"),
        ({"period": "1.5"}, "conditions.csv, row 2: period '1.5'; expected a whole number from 1 to 4"),
        ({"reader": "R9"}, "responses.csv, row 2: conditions.csv does not give the condition under which it was read"),
    ],
)
def test_a_faulty_row_is_named(tmp_path, changed, message):
    made = rows(readers=2, cases=6)
    both = files(tmp_path, made)
    write(both.conditions, conditions.COLUMNS, [made[0] | changed, *made[1:]])
    with pytest.raises(ResponsesError) as refused:
        load_csv(both.responses, both.conditions)
    assert message in refused.value.faults


def test_what_is_wrong_with_the_whole_is_said(tmp_path):
    made = rows(readers=2, cases=6)
    both = files(tmp_path, made)
    write(both.conditions, conditions.COLUMNS, [*made, made[0]])
    with pytest.raises(ResponsesError, match=r"conditions.csv, row 26: the same trial as in row 2"):
        load_csv(both.responses, both.conditions)
    write(both.conditions, conditions.COLUMNS, [row | {"condition": f"{row['trial']}"} for row in made])
    with pytest.raises(ResponsesError, match="expected at most 4"):
        load_csv(both.responses, both.conditions)
    write(both.conditions, ["reader", "case", "period"], made)
    with pytest.raises(ResponsesError, match="column 'condition' is missing"):
        load_csv(both.responses, both.conditions)


def test_a_second_answer_in_one_period_is_refused(tmp_path):
    made = rows(readers=2, cases=6)
    both = files(tmp_path, [*made, made[0] | {"trial": "one more"}])
    with pytest.raises(ResponsesError, match="answered case"):
        load_csv(both.responses, both.conditions)


def test_an_export_and_a_zip_of_it_bring_their_conditions(tmp_path):
    both = files(tmp_path, rows(readers=2, cases=6))
    assert conditions.names(load_export(tmp_path)) == ["alone", "hinted"]
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for path in both:
            archive.write(path, f"cross/{path.name}")
    assert conditions.names(load_export(tmp_path / "export.zip")) == ["alone", "hinted"]


def test_an_export_says_which_condition_comes_first(tmp_path):
    files(tmp_path, rows(readers=2, cases=6))
    told = [{"setting": "conditions", "value": '["hinted: hints = true", "alone"]', "meaning": "Conditions"}]
    write(tmp_path / "settings.csv", told[0], told)
    assert conditions.names(load_export(tmp_path)) == ["hinted", "alone"]
    write(tmp_path / "settings.csv", told[0], [told[0] | {"value": "[hinted"}])
    with pytest.raises(ResponsesError, match=r"settings\.csv, cases\.csv or"):
        load_export(tmp_path)


def test_hints_without_conditions_are_no_conditions(tmp_path):
    made = [row for row in rows(readers=2, cases=6) if row["condition"] == "hinted"]
    files(tmp_path, [row | {"condition": "", "sequence": ""} for row in made])
    found = load_export(tmp_path)
    assert conditions.names(found) == []
    assert len(found.scored) == 2 * 6


@pytest.mark.parametrize("told", [True, False])
def test_marks_go_with_the_condition_they_were_made_under(tmp_path, told):
    made = rows(readers=2, cases=6)
    again = [row | {"sitting": 3, "trial": f"again {row['trial']}"} for row in made if row["period"] == 1]
    both = files(tmp_path, made + again)
    columns = ("reader", "sitting", "trial", "case", "x", "y", "reason")
    marked = [row | {"x": 0.5, "y": 0.5, "reason": row["condition"]} for row in made + again]
    found = load_csv(both.responses, both.conditions)
    if not told:
        write(tmp_path / "marks.csv", columns, [{**row, "trial": ""} for row in marked])
        with pytest.raises(ResponsesError, match=r"marks\.csv, row 2: trial '' is not in the responses"):
            with_marks(found, tmp_path / "marks.csv", None)
        return
    found = with_marks(found, write(tmp_path / "marks.csv", columns, marked), None)
    assert len(found.marks.table) == len(found.marks.steps) == 2 * 2 * 6  # the first sitting was begun anew
    one = conditions.within(found, "hinted").marks
    assert set(one.table["reason"]) == {"hinted"}
    assert len(one.table) == len(one.steps) == 2 * 6
    levels = conditions.within(found, "hinted").scored.set_index(["reader", "case"])["level"].to_dict()
    assert one.table.set_index(["reader", "case"])["level"].to_dict() == levels
    again = stored.unpack(stored.pack(found))
    assert again.marks.table["condition"].tolist() == found.marks.table["condition"].tolist()


def test_a_database_brings_its_conditions(tmp_path):
    both = files(tmp_path, rows(readers=2, cases=6))
    url = f"sqlite:///{tmp_path / 'study.sqlite'}"
    engine = sa.create_engine(url)
    for path in both:
        pd.read_csv(path).to_sql(path.stem, engine, index=False)
    engine.dispose()
    found = load_database(url, "cross")
    assert len(found.scored) == 2 * 2 * 6
    assert conditions.names(found) == ["alone", "hinted"]


def test_the_archive_gives_the_same_conditions_back(tmp_path):
    found = study(tmp_path, readers=2, cases=6)
    again = stored.unpack(stored.pack(found))
    assert conditions.cells(again) == conditions.cells(found)
    pd.testing.assert_frame_equal(again.table, found.table)
