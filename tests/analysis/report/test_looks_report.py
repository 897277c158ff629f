"""A study that was looked at before its end, in the report."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.planning.looks import plan
from analysis.report import EXAMPLE, document, main, write
from analysis.responses import ResponsesError, load_ratings
from analysis.responses.looks import with_looks

QUICK = Settings(bootstrap=50)


def planned(**study):
    responses = load_ratings(EXAMPLE)
    return replace(responses, study=responses.study | study)


def looks(readers=(3, 4, 6), **settings):
    return plan("auc", readers, [200], **settings).as_dict()


def test_the_report_stops_where_the_plan_did_and_quotes_the_adjusted_figure(tmp_path):
    record = [{"look": 1, "decision": "continue"}]
    page = write(planned(looks=looks(spending="pocock"), looks_taken=record), tmp_path / "out", QUICK).read_text(
        "utf-8"
    )
    taken = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["looks"]
    assert taken["taken"] == [{"look": 1, "readers": 3, "decision": "efficacy"}]
    assert taken["readers"] == ["EC1", "EC2", "EC3"]
    assert taken["readers_after"] == 3
    low, high = taken["adjusted"]["ci"]
    assert low < taken["plain"]["ci"][0] < taken["plain"]["value"] < high
    assert "Interim looks" in page
    assert "Quote the adjusted one" in page
    assert "stop: the figure differs from chance" in page
    assert "The study's log differs from this" in page
    assert "Lan and DeMets" in (tmp_path / "out" / "methods.txt").read_text("utf-8")


def test_readers_come_in_the_order_in_which_they_finished():
    responses = planned(looks=looks(spending="pocock"))
    times = responses.table["reader"].map(
        {"EC1": "06", "EC2": "05", "EC3": "04", "EP1": "01", "EP2": "02", "EP3": "03"}
    )
    late = replace(responses, table=responses.table.assign(answered_at="2026-11-" + times))
    assert measure(late, QUICK)["looks"]["readers"] == ["EP1", "EP2", "EP3"]


def test_later_looks_are_taken_where_the_first_went_on_and_a_short_study_takes_none():
    taken = measure(planned(looks=looks()), QUICK)["looks"]["taken"]
    assert [one["decision"] for one in taken] == ["continue", "efficacy"]
    short = measure(planned(looks=looks([8, 9])), QUICK)
    assert short["looks"]["reason"] == "the first look needs 8 readers of 200 cases, and 6 finished 200"
    fewer = measure(planned(looks=plan("auc", [3, 6], [300]).as_dict()), QUICK)
    assert fewer["looks"]["reason"] == "the first look needs 3 readers of 300 cases, and 6 finished 200"


def test_accuracy_is_looked_at_by_fractional_credit():
    given = plan("accuracy", [6], [200]).as_dict()
    found = measure(planned(looks=given), QUICK)
    assert found["looks"]["plain"]["value"] == pytest.approx(found["overall"]["accuracy"]["fractional"]["value"])


@pytest.mark.parametrize(("said", "differs"), [("efficacy", False), ("continue", True)])
def test_a_record_that_says_otherwise_is_named(said, differs):
    record = [{"look": 1, "decision": said}]
    found = measure(planned(looks=looks(spending="pocock"), looks_taken=record), QUICK)
    assert found["looks"]["differs"] == differs


def test_without_a_plan_nothing_is_said_of_looks():
    found = measure(load_ratings(EXAMPLE), QUICK)
    assert "looks" not in found
    assert "Lan and DeMets" not in document.text(found, "methods")


def test_the_command_takes_the_plan_from_its_file_and_refuses_another(tmp_path, capsys):
    (tmp_path / "looks.json").write_text(json.dumps(looks()))
    assert main(
        ["--example", "--bootstrap", "50", "--looks", str(tmp_path / "looks.json"), "--out", str(tmp_path / "out")]
    ) == 0  # fmt: skip
    assert json.loads((tmp_path / "out" / "results.json").read_text())["looks"]["ended"] == 2
    for spoilt in ("{", "[]", '{"looks": 3}'):
        (tmp_path / "bad.json").write_text(spoilt)
        given = ["--example", "--looks", str(tmp_path / "bad.json"), "--out", str(tmp_path / "not")]
        assert main(given) == 2
        assert "bad.json: expected the looks.json of" in capsys.readouterr().err
        assert not Path(tmp_path / "not").exists()


def test_looks_after_numbers_of_cases_are_refused(tmp_path):
    (tmp_path / "looks.json").write_text(json.dumps(plan("accuracy", [6], [60, 120, 200]).as_dict()))
    with pytest.raises(ResponsesError, match="its looks are after 60, 120, 200 cases"):
        with_looks(planned(), tmp_path / "looks.json")


def test_looks_are_for_ratings(tmp_path):
    (tmp_path / "looks.json").write_text(json.dumps(looks()))
    other = planned(design="quartet")
    with pytest.raises(ResponsesError, match="looks are for rating studies"):
        with_looks(other, tmp_path / "looks.json")
