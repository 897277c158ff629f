"""discern meta: pooled reports, tables of studies and published studies, and refused input."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.meta import combine, main, write
from analysis.meta.studies import from_results, from_table
from analysis.published import TABLE, load
from analysis.report import EXAMPLE, document
from analysis.responses import ResponsesError, load_ratings
from analysis.statistics import meta
from tests.workers import made_once

OWN = """study,year,scale,modality,kind,readers,real,synthetic,correct_real,correct_synthetic,value,low,high
A,2024,accuracy,radiograph,GAN,5,50,50,150,120,,,
B,2025,accuracy,radiograph,diffusion,6,60,60,200,230,,,
C,2025,accuracy,CT,GAN,4,50,50,150,110,,,
D,2026,accuracy,CT,diffusion,8,50,50,310,220,,,
E,2026,accuracy,radiograph,diffusion,8,,,,,0.60,0.55,0.65
"""


@pytest.fixture(scope="session")
def report(tmp_path_factory) -> Path:
    """The folder of a report of the published example, its results.json alone."""

    def make(folder: Path) -> None:
        results = measure(load_ratings(EXAMPLE, title="Six dentists"), Settings(bootstrap=20))
        (folder / "results.json").write_text(document.dump(results), encoding="utf-8")

    return made_once(tmp_path_factory, "meta-report", make)


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "own.csv"
    path.write_text(OWN, encoding="utf-8")
    return path


def changed(report: Path, folder: Path, **changes) -> Path:
    results = json.loads((report / "results.json").read_text("utf-8")) | changes
    path = folder / "results.json"
    path.write_text(json.dumps(results), encoding="utf-8")
    return path


def test_a_report_comes_with_the_error_of_readers_and_cases(report):
    results = json.loads((report / "results.json").read_text("utf-8"))
    found = from_results(report, "accuracy", "excluded")
    given = results["overall"]["accuracy"]["excluded"]
    assert found.value == pytest.approx(given["value"])
    assert math.sqrt(found.variance) * found.value * (1 - found.value) == pytest.approx(given["se"])
    assert (found.readers, found.real, found.synthetic) == (6, 100, 100)


def test_counts_of_a_report_follow_the_rule_for_unsure_answers(report):
    """The published table of counts: 481 TP, 77 FN, 338 TN, 147 FP, the others unsure."""
    tp, fn, tn, fp = from_results(report, "accuracy", "excluded").counts
    assert (tp, fn, tn, fp) == (481, 77, 338, 147)
    wrong = from_results(report, "accuracy", "wrong").counts
    assert (wrong[0], wrong[0] + wrong[1], wrong[2], wrong[2] + wrong[3]) == (481, 600, 338, 600)
    fractional = from_results(report, "accuracy", "fractional").counts
    assert (fractional[0] + fractional[2]) / 1200 == pytest.approx(0.684375)


def test_the_error_comes_from_the_best_that_is_known(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "study,year,scale,readers,real,synthetic,value,low,high,sd,by_reader\n"
        "interval,2020,accuracy,3,50,50,.6,.5,.7,.01,\n"
        "spread,2020,accuracy,3,,,,,,,.5;.6;.7\n"
        "sd,2020,accuracy,4,500,500,.6,,,.2,\n"
        "answers,2020,accuracy,3,50,50,.6,,,,\n"
        "closer,2020,accuracy,3,50,50,,,,,.599;.6;.601\n"
        "alike,2020,accuracy,2,,,,,,,.6;.6\n"
        "nothing,2020,accuracy,,,,.6,,,.2,\n"
    )
    found = {one.name: one for one in from_table(path, "accuracy", "half")}
    error = {name: math.sqrt(one.variance) * 0.24 for name, one in found.items() if one.variance}
    assert error["interval"] == pytest.approx(0.1 / 1.959964)
    assert error["spread"] == pytest.approx(0.1 / math.sqrt(3))
    assert error["sd"] == pytest.approx(0.1)
    assert error["answers"] == pytest.approx(math.sqrt(0.24 / 300))
    assert error["closer"] == pytest.approx(error["answers"], rel=1e-6)
    assert "do not differ" in found["alike"].reason
    assert "it gives no interval" in found["nothing"].reason


def test_the_pooled_mean_is_that_of_the_logits(report, table):
    results = combine([report], [table], published=False)
    used = [one for one in results["studies"] if one["weight"] is not None]
    logit = meta.pool([one["effect"] for one in used], [one["variance"] for one in used])
    assert results["pooled"]["value"] == pytest.approx(1 / (1 + math.exp(-logit.value)))
    assert results["counts"] == {"studies": 6, "pooled": 6, "own": 6, "by_answers": 4}
    assert len(results["without"]) == 6
    assert results["pair"]["k"] == 5
    assert results["regression"]["kind"]["coefficients"].keys() == {"constant", "GAN, not diffusion"}


def test_published_studies_come_along_and_those_that_lack_something_say_so():
    results = combine([])
    assert results["counts"]["studies"] == len(load(TABLE))
    assert results["counts"]["pooled"] >= 5
    reasons = {one["name"]: one["reason"] for one in results["studies"] if one["weight"] is None}
    assert reasons["Barr 2025"] == "another scale: choice among several"
    assert reasons["Higaki 2022"].startswith("it gives no interval")


def test_a_published_study_that_is_among_the_reports_is_pooled_once(report, tmp_path):
    study = json.loads((report / "results.json").read_text("utf-8"))["study"] | {"title": "PanoDiff-SR again"}
    results = combine([changed(report, tmp_path, study=study)])
    (line,) = [one for one in results["studies"] if one["name"] == "PanoDiff-SR 2025"]
    assert line["weight"] is None
    assert line["reason"] == "this is one of the studies given"


def test_a_line_of_a_table_can_take_its_figures_from_a_report(report, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"study,year,scale,kind,results\nOurs,2026,accuracy,diffusion,{report}\n")
    (found,) = from_table(path, "accuracy", "half")
    assert (found.name, found.year, found.kind, found.readers) == ("Ours", 2026, "diffusion", 6)


def test_areas_under_the_curve_can_be_pooled(report):
    results = combine([report], scale="auc")
    pooled = {one["name"] for one in results["studies"] if one["weight"] is not None}
    assert pooled == {"Six dentists", "Nishio 2020"}


def test_the_folder_holds_page_numbers_tables_and_figures(report, table, tmp_path):
    path = write(combine([report], [table]), tmp_path / "out")
    page = path.read_text("utf-8")
    for heading in ("Findings in plain words", "Limitations", "Sensitivity and specificity"):
        assert heading in page
    assert "left out, because" not in page.partition('id="pair"')[2].partition('id="methods"')[0]
    names = {found.relative_to(path.parent).as_posix() for found in path.parent.rglob("*") if found.is_file()}
    assert {"meta.json", "studies.csv", "not_pooled.csv", "figures/meta_forest.svg", "figures/meta_pair.csv"} <= names
    assert json.loads((path.parent / "meta.json").read_text("utf-8"))["kind"] == "meta"


def test_readers_who_are_fooled_every_time_are_expected_below_chance(tmp_path):
    path = tmp_path / "fooled.csv"
    rows = "".join(f"{name},2026,accuracy,.2,.17,.23\n" for name in "ABCDE")
    path.write_text("study,year,scale,value,low,high\n" + rows)
    page = write(combine([], [path], published=False), tmp_path / "out").read_text("utf-8")
    assert ": below chance." in page
    assert "this includes chance" not in page
    assert "Two tests of one publication" not in page  # none of the shipped studies is here


def test_two_studies_have_a_mean_and_no_prediction(table, tmp_path):
    two = tmp_path / "two.csv"
    two.write_text("\n".join(OWN.splitlines()[:3]) + "\n")
    results = combine([], [two], published=False)
    assert results["pooled"]["prediction"] is None
    page = write(results, tmp_path / "out").read_text("utf-8")
    assert "Two studies are too few" in page
    assert "a funnel plot needs at least three studies" in page


def refused(capsys, *arguments) -> str:
    out = Path(arguments[-1])
    assert main([*map(str, arguments[:-1]), "--out", str(out)]) == 2
    assert not out.exists()
    return capsys.readouterr().err


def test_a_report_of_another_design_is_refused_by_name(report, tmp_path, capsys):
    path = changed(report, tmp_path, design="quartet")
    said = refused(capsys, path, tmp_path / "out")
    assert f"{path}: its design is quartet, expected rating; studies on different scales are not pooled" in said


def test_studies_on_different_scales_are_refused_by_name(report, table, tmp_path, capsys):
    table.write_text(OWN.replace("D,2026,accuracy", "D,2026,choice"))
    said = refused(capsys, report, "--table", table, tmp_path / "out")
    assert "own.csv, D: its scale is choice (choice among several), expected accuracy" in said


def test_all_that_is_wrong_is_said_at_once(report, table, tmp_path, capsys):
    other = tmp_path / "other.json"
    other.write_text("[1]")
    table.write_text(OWN.replace("scale", "measure"))
    said = refused(capsys, other, tmp_path / "none", "--table", table, tmp_path / "out")
    assert "3 problem(s); nothing was written" in said
    assert "other.json: is not the results.json" in said
    assert "none: cannot be read" in said
    assert "own.csv: no column scale" in said


def test_a_results_json_that_lacks_its_figures_is_refused(report, tmp_path):
    with pytest.raises(ResponsesError, match="lacks 'accuracy'"):
        from_results(changed(report, tmp_path, overall={}), "accuracy", "half")


def test_a_study_given_twice_is_refused(report):
    with pytest.raises(ResponsesError, match="two studies have this name"):
        combine([report, report])


def test_one_study_alone_is_not_pooled(report):
    with pytest.raises(ResponsesError, match="two are needed"):
        combine([report], published=False)
