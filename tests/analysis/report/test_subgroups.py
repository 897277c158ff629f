"""Subgroups of the cases: read from a table, measured, tested with sources, and refused where they cannot be."""

import json
from dataclasses import replace

import jsonschema
import pytest

import analysis
from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report import document, main, tables, write
from analysis.report.document import dump
from analysis.report.files import SCHEMA
from analysis.responses import ResponsesError
from analysis.responses.subgroups import with_declared, with_subgroups
from tests.analysis.report.test_sources_report import write_study


def cases_csv(path, cases=130, device=lambda n: ("Sirona", "Planmeca")[n % 2], teeth=lambda n: 20 + n % 13):
    lines = [f"c{number},{device(number)},{teeth(number)}" for number in range(1, cases + 1)]
    path.write_text("\n".join(["case,device,teeth", *lines]) + "\n")
    return path


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path / "r.csv")


def test_every_column_has_its_figures_tests_and_interactions(study, tmp_path):
    found = measure(
        with_subgroups(study, cases_csv(tmp_path / "cases.csv"), ["device", "teeth"]), Settings(bootstrap=50)
    )
    jsonschema.validate(json.loads(dump(found)), json.loads(SCHEMA.read_text("utf-8")))
    told = found["subgroups"]
    assert list(told["device"]["each"]) == ["Planmeca", "Sirona"]
    assert sum(one["cases"] for one in told["device"]["each"].values()) == 90
    assert list(told["teeth"]["each"]) == ["above 26", "up to 26"]
    assert told["device"]["together"]["auc"]["holm"] >= told["device"]["together"]["auc"]["p"]
    assert len(told["device"]["interactions"]) == 6
    names = [table.name for table in tables.all_tables(found)]
    assert {"subgroups_each", "subgroups_together", "subgroups_interactions"} <= set(names)


def test_a_case_without_an_entry_is_in_no_subgroup_and_counted(study, tmp_path):
    path = cases_csv(tmp_path / "cases.csv", device=lambda n: "" if n < 4 else ("Sirona", "Planmeca")[n % 2])
    told = measure(with_subgroups(study, path, ["device"]), Settings(bootstrap=50))["subgroups"]["device"]
    assert told["unknown"] == 3


@pytest.mark.parametrize(
    ("columns", "made", "says"),
    [
        (["room"], {}, "column 'room' is missing"),
        (["device", "device"], {}, "'device' is given twice"),
        (["device"], {"cases": 129}, "case 'c130' of the responses has no row"),
        (["device"], {"device": lambda n: "Sirona"}, "column 'device' has 1 value(s); expected 2 to 8, or numbers"),
        (["device"], {"device": lambda n: f"D{n}"}, "column 'device' has 130 value(s); expected 2 to 8, or numbers"),
    ],
)
def test_columns_that_are_no_subgroups_are_refused_by_name(study, tmp_path, columns, made, says):
    path = cases_csv(tmp_path / "cases.csv", **made)
    with pytest.raises(ResponsesError) as bad:
        with_subgroups(study, path, columns)
    assert any(says in fault for fault in bad.value.faults)


def test_subgroups_without_a_table_are_refused(study, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["--responses", str(tmp_path / "r.csv"), "--out", str(tmp_path / "out"), "--subgroups", "device"])
    assert "--subgroups needs --cases or --pool" in capsys.readouterr().err


def declared(responses, labels):
    """As a study loads that declared the subgroup device."""
    return with_declared(replace(responses, study=responses.study | {"settings": {"subgroups": ["device"]}}), labels)


def told(responses):
    """The measurements and the texts, each passage as one line."""
    found = json.loads(dump(measure(responses, Settings(bootstrap=50))))
    jsonschema.validate(found, json.loads(SCHEMA.read_text("utf-8")))
    return found, *(
        " ".join(document.text(found, passage).split()) for passage in ("findings", "limitations", "methods")
    )


def test_what_a_study_declared_is_told_from_what_a_report_was_asked_for(study, tmp_path):
    labels = {case: {"device": "Sirona" if case < "c5" else "Planmeca"} for case in study.case_names}
    responses = declared(study, labels)
    found, _, limitations, methods = told(with_subgroups(responses, cases_csv(tmp_path / "cases.csv"), ["teeth"]))
    assert [found["subgroups"][column]["declared"] for column in ("device", "teeth")] == [True, False]
    assert "Images were compared by teeth because this was requested" in limitations
    assert "by device (declared before the study opened), teeth (chosen for this report)" in methods
    with pytest.raises(ResponsesError, match="'device' was declared in the study and is reported anyway"):
        with_subgroups(responses, tmp_path / "cases.csv", ["device"])


def test_a_difference_between_subgroups_is_found_in_plain_words_and_none_is_not_called_equality(study, tmp_path):
    kinds = study.table.drop_duplicates("case").set_index("case")["source"]
    labels = {case: {"device": "Sirona" if kind == "Diffusion" else "Planmeca"} for case, kind in kinds.items()}
    labels |= {f"c{number}": {"device": ("Sirona", "Planmeca")[number % 2]} for number in range(1, 41)}  # real ones
    _, findings, limitations, _ = told(declared(study, labels))
    assert "The proportion of synthetic images that readers called real differed by device (p " in findings
    assert "Planmeca 7.0 %, Sirona 47.3 %." in findings
    assert "Planmeca 0.854, Sirona 0.490." in findings
    assert "not declared" not in findings
    assert "does not prove its cause" in limitations
    _, findings, *_ = told(with_subgroups(study, cases_csv(tmp_path / "cases.csv"), ["device"]))
    assert "We found no difference between images by device" in findings
    assert "This does not show that there is none" in findings


def test_small_subgroups_are_named(study):
    labels = {
        case: {"device": "Sirona" if case in ("c1", "c2", "c3", "c60", "c70") else "Planmeca"}
        for case in study.case_names
    }
    found, _, limitations, _ = told(declared(study, labels))
    assert found["subgroups"]["device"]["small"] == ["Sirona"]
    assert "Sirona (device) had fewer than ten images of a class" in limitations


@pytest.mark.parametrize("entries", [{}, {"device": "Sirona"}])
def test_a_declared_column_that_turns_out_to_have_no_subgroups_is_left_out_with_its_reason(study, tmp_path, entries):
    responses = declared(study, dict.fromkeys(study.case_names, entries))
    found = told(responses)[0]["subgroups"]["device"]
    assert found["reason"] == f"has {len(entries)} value(s); expected 2 to 8, or numbers"
    write(responses, tmp_path / "report", Settings(bootstrap=50), workers=1)
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert f"Left out: device has {len(entries)} value(s)" in page


def test_the_notebooks_door_takes_subgroups(study, tmp_path):
    loaded = analysis.load(tmp_path / "r.csv", subgroups=["device"], cases=cases_csv(tmp_path / "cases.csv"))
    assert list(loaded.measure(bootstrap=50)["subgroups"]) == ["device"]
    assert "subgroups_each" in loaded.tables
    assert {"sources_forest", "sources_readers"} <= set(loaded.plots)
    assert loaded.plot("sources_forest", bootstrap=50).axes
    with pytest.raises(ResponsesError, match="subgroups, cases: must be given together"):
        analysis.load(tmp_path / "r.csv", subgroups=["device"])
    with pytest.raises(TypeError, match="expected a list of columns"):
        analysis.load(tmp_path / "r.csv", subgroups="device", cases=tmp_path / "cases.csv")
