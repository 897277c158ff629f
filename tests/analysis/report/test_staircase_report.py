"""The report of a staircase study: what it says, and where its numbers come from."""

import json
import re

import openpyxl
import pytest

from analysis.designs import DESIGNS
from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.planning.staircases import Staircases
from analysis.report import main, write
from analysis.report.document import text as passage
from analysis.responses import load_frame
from tests.analysis.designs.test_staircase import AWKWARD
from tests.analysis.report.test_report import Page, assert_traced, numbers
from tests.analysis.staircases import study


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("staircases") / "out"
    write(load_frame(study(5, 80, seed=3), "Staircases"), folder, Settings(bootstrap=50), workers=1)
    return folder


@pytest.fixture(scope="module")
def results(report):
    return json.loads((report / "results.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def page(report):
    return Page((report / "report.html").read_text("utf-8"))


def test_every_number_on_the_page_is_the_one_in_the_results_at_its_place(page, results):
    assert len(page.traced) > 300
    assert_traced(page, results, shares=(100,), others=(0.001, 1))


def test_no_number_on_the_page_comes_from_nowhere(page, results):
    loose = " ".join(page.loose)
    for name in results["readers"]:
        loose = loose.replace(name, "")
    said = r"(95|90|10|5) %|0 is (chance|without)|1 is perfect|shown as 0|between 0 and|from 0|\(1\)|level [1-5]|AC[12]"
    assert numbers(re.sub(said, "", loose.replace("\u202f", " "))) == []


def test_every_table_figure_and_passage_is_written(report):
    for name in DESIGNS["staircase"].figures:
        for ending in ("svg", "png", "csv"):
            assert (report / "figures" / f"{name}.{ending}").stat().st_size > 0
    names = {path.name for path in (report / "tables").iterdir()}
    assert {"readers.csv", "readers.tex", "errors.tex", "curve.csv", "overall.tex"} <= names
    assert {"findings.txt", "methods.txt", "limitations.txt", "references.bib"} <= {p.name for p in report.iterdir()}


def test_every_work_that_is_cited_is_listed_and_every_link_has_its_target(page):
    assert {(link.get("href") or "")[1:] for link in page.links if (link.get("href") or "").startswith("#")} <= page.ids


def test_the_workbook_has_the_exposure_of_every_answer(report, results):
    rows = list(openpyxl.load_workbook(report / "results.xlsx")["R1"].iter_rows(values_only=True))
    assert len(rows) == 1 + 80
    found = [row[rows[0].index("exposure_ms")] for row in rows[1:]]
    assert max(found) == results["readers"]["R1"]["exposures"]["most"]


def told(table, what="findings"):
    return passage(measure(load_frame(table), Settings(bootstrap=50)), what)


def test_findings_say_the_threshold_and_who_had_to_look_longer():
    said = told(study(12, 150, ratio=2.2, seed=6, model=Staircases(jitter_ms=150, reader_sd=0.1)))
    assert "An average reader is halfway between guessing and always being right after" in said
    assert "new readers had to look longer than old readers" in said
    alike = told(study(6, 60, seed=5))
    assert "This does not show that they are equal" in alike


def test_findings_say_at_a_glance_only_where_most_answers_at_the_shortest_exposure_are_right():
    said = told(study(4, 80, threshold_ms=40, seed=1)).replace("\u202f", " ")
    assert "of the exposures were the shortest one, 100 ms" in said
    assert "Readers could tell at a glance" in said
    guessed = study(4, 80, seed=1).assign(value=100, answer="real", certainty="full", level=1)
    said = told(guessed).replace("\u202f", " ")
    assert (
        "100.0 % of the exposures were the shortest one, 100 ms, and 50.0 % of the answers to these were right" in said
    )
    assert "at a glance" not in said


def test_findings_speak_of_other_readers_only_where_several_were_measured():
    table = study(3, 100, seed=4, model=Staircases(jitter_ms=150, reader_sd=0.1))
    assert "for other readers like these" in told(table)
    only = table.astype({"value": object})
    only.loc[only["reader"] != "R1", "value"] = ""
    said = told(only)
    assert "The only reader with measured exposures is halfway between guessing and always being right after" in said
    assert "This says nothing about other readers" in said
    assert "like these" not in said


def test_findings_say_on_which_side_an_interval_is_open():
    def interval(*ci):
        results = measure(load_frame(study(3, 20, seed=4)), Settings(bootstrap=50))
        results["overall"]["threshold_ms"] |= {"value": 300.0, "ci": list(ci)}
        return passage(results, "findings").replace("\u202f", " ")

    assert "(95 % CI from 120 ms on, for other readers like these)" in interval(120.0, None)
    assert "(95 % CI up to 900 ms, for other readers like these)" in interval(0.0, 900.0)
    both = interval(0.0, None)
    assert "(95 % CI without limits, for other readers like these)" in both
    assert "open to both sides" in both


def test_without_exposures_the_findings_do_not_claim_that_readers_cannot_tell():
    assert "tell real from synthetic images (no exposure was measured)" in told(AWKWARD["no exposure"])
    assert "No exposure was measured; there are no thresholds" in told(AWKWARD["no exposure"], "limitations")
    assert "This does not show that readers cannot tell them" in told(AWKWARD["all right"])


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_studies_have_a_report(name, tmp_path):
    text = write(load_frame(AWKWARD[name]), tmp_path / "out", Settings(bootstrap=50), workers=1).read_text("utf-8")
    assert "Findings in plain words" in text


def test_the_command_takes_a_file_of_a_staircase(tmp_path):
    study(3, 20).to_csv(tmp_path / "r.csv", index=False)
    assert main(["--responses", str(tmp_path / "r.csv"), "--out", str(tmp_path / "out"), "--bootstrap", "50"]) == 0
    found = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    assert found["design"] == "staircase"
    assert set(found["readers"]["R1"]) >= {"threshold_ms", "slope", "errors"}
