"""Subgroups of the cases: read from a table, measured, tested with sources, and refused where they cannot be."""

import json

import jsonschema
import pytest

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report import main, tables
from analysis.report.document import dump
from analysis.report.files import SCHEMA
from analysis.responses import ResponsesError
from analysis.responses.subgroups import with_subgroups
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
        (["device", "device"], {}, "'device' is named twice"),
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
    assert "--subgroups asks for --cases or --pool" in capsys.readouterr().err
