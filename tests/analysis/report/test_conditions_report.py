"""A study with conditions in the report: section, tables, figure, schema, files, and its archive computed again."""

import csv
import json

import jsonschema
import openpyxl
import pytest

from analysis import load
from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report import document, main, write
from analysis.report.figures import conditions as lines
from analysis.report.files import exchange
from analysis.responses import ResponsesError, load_csv
from analysis.verify import main as verify
from tests.analysis.crossovers import files, rows, study

QUICK = Settings(bootstrap=50)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crossover")
    both = files(folder, rows(readers=6, cases=24, seed=4))
    given = ["--responses", str(both.responses), "--conditions", str(both.conditions), "--bootstrap", "50"]
    assert main([*given, "--out", str(folder / "report")]) == 0
    return folder / "report"


def test_the_report_compares_the_conditions(made):
    page = (made / "report.html").read_text("utf-8")
    for words in ("Differences between conditions", "Condition, period and carry-over", "whether the hint was right"):
        assert words in page
    assert "use the answers under “" in page
    assert "“hinted”" in (made / "findings.txt").read_text("utf-8")
    methods = (made / "methods.txt").read_text("utf-8")
    assert "Hills and Armitage 1979" in methods
    results = json.loads((made / "results.json").read_text("utf-8"))
    jsonschema.validate(results, json.loads((made / "results.schema.json").read_text("utf-8")))
    assert results["conditions"]["rest"] == "alone"


def test_each_readers_line_says_who_did_worse(made):
    results = json.loads((made / "results.json").read_text("utf-8"))
    drawn = list(csv.DictReader((made / "figures" / "conditions.csv").read_text().splitlines()))
    assert len(drawn) == 6 * 2 * 2
    worse = {row["reader"] for row in drawn if row["figure"] == "auc" and row["worse"] == "True"}
    told = results["conditions"]["readers"]
    assert worse == {name for name, one in told.items() if one["differences"][0]["worse"]}
    assert lines.lacking({"conditions": {"names": [], "readers": {}}}).startswith("no reader has a result")


def test_other_programs_get_the_conditions_as_modalities(made):
    frame = list(csv.DictReader((made / "exchange" / "mrmcaov.csv").read_text().splitlines()))
    assert {row["treatment"] for row in frame} == {"alone", "hinted"}
    assert len(frame) == 6 * 2 * 24
    assert "NM: 2" in (made / "exchange" / "readings.imrmc").read_text()


def test_a_readers_sheet_says_under_which_condition_each_answer_was_given(made):
    page = openpyxl.load_workbook(made / "results.xlsx")["R2"]
    header, *lines = page.iter_rows(values_only=True)
    assert header[-3:] == ("condition", "period", "hint")
    assert [line[-3:-1] for line in lines] == [("hinted", 1)] * 24 + [("alone", 2)] * 24
    assert {line[-1] for line in lines} == {"0.1", "0.9", None}


def test_other_programs_get_the_sources_as_modalities_with_all_real_cases(tmp_path):
    made = [row | {"source": "ab"[int(row["case"][1:]) // 2 % 2]} for row in rows(readers=3, cases=24)]
    both = files(tmp_path, made)
    found = exchange(load_csv(both.responses, both.conditions))
    frame = list(csv.DictReader(found["mrmcaov_sources.csv"].splitlines()))
    told = {(row["treatment"], row["truth"]): set() for row in frame}
    for row in frame:
        told[row["treatment"], row["truth"]].add(row["case"])
    assert {key: len(cases) for key, cases in told.items()} == {
        ("a", "0"): 12, ("b", "0"): 12, ("a", "1"): 6, ("b", "1"): 6,
    }  # fmt: skip
    assert len(frame) == 3 * (12 + 6) * 2  # of the first condition alone
    assert found["readings_sources.imrmc"].splitlines()[:4] == ["NR: 3", "N0: 12", "N1: 12", "NM: 2"]
    one = exchange(study(tmp_path, readers=3, cases=24))
    assert sorted(one) == ["imrmc.csv", "mrmcaov.csv", "readings.imrmc"]


def test_the_archive_gives_the_same_numbers(made, capsys):
    assert verify([str(made / "archive.zip")]) == 0


def test_readers_of_one_condition_each_are_dots(tmp_path):
    page = write(study(tmp_path, readers=8, cases=24, by="between"), tmp_path / "out", QUICK).read_text("utf-8")
    assert "Each reader read under one of 2 conditions." in page
    assert "a dot is a reader" in page


@pytest.mark.parametrize(
    ("readers", "said"),
    [(3, "Those shown use Welch"), (2, "no interval of a difference over readers is known to reach")],
)
def test_few_readers_are_warned_of(tmp_path, readers, said):
    page = write(study(tmp_path, readers=readers, cases=24), tmp_path / "out", QUICK).read_text("utf-8")
    assert said in page.replace("&#39;", "'")


@pytest.mark.parametrize(("readers", "cases", "named"), [(4, 40, True), (4, 12, True), (6, 40, False)])
def test_the_methods_name_the_critical_values_that_were_used_however_few_the_cases(tmp_path, readers, cases, named):
    made = [row | {"source": "ab"[int(row["case"][1:]) // 2 % 2]} for row in rows(readers=readers, cases=cases)]
    both = files(tmp_path, made)
    methods = document.text(measure(load_csv(both.responses, both.conditions), QUICK), "methods")
    for start in ("Conditions were compared", "The sources of synthetic images"):
        told = next(part for part in methods.split("\n\n") if part.startswith(start))
        assert ("Welch's critical values for few readers" in told) == named


def test_one_condition_alone_has_no_comparison(tmp_path):
    both = files(tmp_path, [row for row in rows(readers=3, cases=12) if row["condition"] == "alone"])
    page = load(both.responses, conditions=both.conditions).report(tmp_path / "out", bootstrap=50).read_text("utf-8")
    assert "Conditions are not compared: a difference needs two conditions" in page


def test_conditions_belong_to_a_table_of_ours(tmp_path, capsys):
    both = files(tmp_path, rows(readers=2, cases=6))
    with pytest.raises(ResponsesError, match="conditions: can only be used with our own table"):
        load("panodiff", conditions=both.conditions)
    with pytest.raises(SystemExit):
        main(["--example", "--conditions", str(both.conditions), "--out", str(tmp_path / "out")])
    assert "--conditions can only be used with a table given by --responses" in capsys.readouterr().err
