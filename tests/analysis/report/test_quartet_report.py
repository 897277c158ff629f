"""The report of a study of quartets: what it says, and where its numbers come from."""

import json
import re

import openpyxl
import pandas as pd
import pytest

from analysis.designs import DESIGNS
from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report import main, write
from analysis.report.document import text as passage
from analysis.responses import load_frame
from tests.analysis.designs.test_quartet import AWKWARD
from tests.analysis.quartets import SOURCES, study
from tests.analysis.report.test_report import Page, assert_traced, numbers


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quartets") / "out"
    table = study(readers=6, quartets=30, share=0.5, seed=3)
    again = table[table["trial"] == "t0-0"].assign(trial="again", is_repeat=1)
    both = pd.concat([table, again], ignore_index=True)
    write(load_frame(both, "Quartets"), folder, Settings(bootstrap=50), workers=1)
    return folder


@pytest.fixture(scope="module")
def results(report):
    return json.loads((report / "results.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def page(report):
    return Page((report / "report.html").read_text("utf-8"))


def test_every_number_on_the_page_is_the_one_in_the_results_at_its_place(page, results):
    assert len(page.traced) > 400
    assert_traced(page, results, shares=(100,), others=(0.001, 1))


def test_no_number_on_the_page_comes_from_nowhere(page, results):
    loose = " ".join(page.loose)
    for name in (*results["readers"], *results["realism"]["icc"]):
        loose = loose.replace(name, "")
    said = r"(95|90|5) %|0 is (chance|without)|1 is perfect|V is 0 if|1 if it|\(1\)|tests of 0|point [1-5]"
    assert numbers(re.sub(said, "", loose.replace("\u202f", " "))) == []


def test_every_table_figure_and_passage_is_written(report):
    for name in DESIGNS["quartet"].figures:
        for ending in ("svg", "png", "csv"):
            assert (report / "figures" / f"{name}.{ending}").stat().st_size > 0
    names = {path.name for path in (report / "tables").iterdir()}
    assert {"sources.csv", "sources.tex", "realism_tests.csv", "places.tex", "fooled.csv"} <= names
    assert {"findings.txt", "methods.txt", "limitations.txt", "references.bib"} <= {p.name for p in report.iterdir()}
    assert not (report / "exchange").exists()  # no levels for other software


def test_every_work_that_is_cited_is_listed_and_every_link_has_its_target(page):
    assert {(link.get("href") or "")[1:] for link in page.links if (link.get("href") or "").startswith("#")} <= page.ids


def test_the_workbook_has_every_image_of_every_trial(report, results):
    book = openpyxl.load_workbook(report / "results.xlsx")
    rows = list(book["R1"].iter_rows(values_only=True))
    assert len(rows) == 1 + 30 * 4
    found = [row for row in rows[1:] if row[rows[0].index("chosen")] == 1 and row[rows[0].index("truth")] == "real"]
    assert len(found) == results["readers"]["R1"]["proportion_correct"]["k"]


def told(table, **settings):
    results = measure(load_frame(table), Settings(bootstrap=50, **settings))
    return passage(results, "findings")


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.6, "picked out the real image more often than chance"),
        (0.27, "found no evidence that the readers can pick out the real image"),
        (0.03, "picked out the real image less often than chance"),
    ],
)
def test_findings_say_which_side_of_chance(share, words):
    said = told(study(readers=6, quartets=40, share=share, seed=2))
    assert words in said
    assert ("This does not show that they cannot" in said) == (share == 0.27)


def test_findings_say_equivalence_only_where_it_is_shown():
    table = study(readers=12, quartets=80, share=0.25, seed=4)
    assert "equivalent to chance within a margin of 10.0" in told(table)
    assert "equivalent" not in told(table, margin=0.005)


def test_findings_name_the_source_that_fools_most_and_the_one_that_looks_less_real():
    said = told(study(readers=8, quartets=60, share=0.2, seed=1))
    way = "permutation of the sources within quartets"
    assert f"did not fool readers equally often ({way}, p < 0.001): images of {SOURCES[1]} were" in said
    assert "Checkpoint B and checkpoint C looked less real than real images, over readers and over quartets" in said


def test_readers_who_find_nearly_every_real_image_agree_for_the_most_part():
    results = measure(load_frame(study(6, 40, share=0.93)), Settings(bootstrap=50))
    assert results["agreement"]["fleiss_kappa"]["image"]["value"] < 0.05  # nearly all choices are of one category
    said = passage(results, "findings")
    assert "agreed for the most part on which image is real: Brennan and Prediger's coefficient was 0.858" in said


def test_findings_speak_of_a_preferred_place_only_where_places_differ_between_readers():
    table = study(6, 20, share=0.4, seed=1)
    left = table.assign(chosen=(table["place"] == 1).astype(int))
    assert "They preferred some positions" in told(left)
    fixed = left.assign(place=left["case"].str[3].map({"r": 1, "a": 2, "b": 3, "c": 4}))
    assert "They preferred some positions" not in told(fixed.assign(chosen=(fixed["place"] == 1).astype(int)))


def test_limitations_name_one_order_and_one_place():
    table = study(3, 12)
    order = {case: int(case[1:3]) + 1 for case in table["case"]}
    same = table.assign(
        position=table["case"].map(order), place=table["case"].str[3].map({"r": 1, "a": 2, "b": 3, "c": 4})
    )
    said = passage(measure(load_frame(same), Settings(bootstrap=50)), "limitations")
    assert "All readers saw the quartets in the same order" in said
    assert "was at the same position for all readers" in said
    assert "There were only 3 readers" in said
    assert "There were only 12 quartets" in said


@pytest.mark.parametrize("name", ["one reader", "one trial", "no answer", "no realism", "no places", "pairs"])
def test_awkward_studies_have_a_report(name, tmp_path):
    text = write(load_frame(AWKWARD[name]), tmp_path / "out", Settings(bootstrap=50), workers=1).read_text("utf-8")
    assert "Findings in plain words" in text
    if name == "no realism":
        assert "left out, because no image was rated" in text


def test_the_command_takes_a_file_of_quartets_and_a_margin(tmp_path):
    study(3, 8).to_csv(tmp_path / "r.csv", index=False)
    arguments = ["--responses", str(tmp_path / "r.csv"), "--out", str(tmp_path / "out"), "--bootstrap", "50"]
    assert main([*arguments, "--margin", "0.05"]) == 0
    found = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    assert found["design"] == "quartet"
    assert found["realism"]["margin"] == pytest.approx(0.05 * 3)


def test_a_margin_that_cannot_be_is_refused(tmp_path, capsys):
    study(2, 3).to_csv(tmp_path / "r.csv", index=False)
    with pytest.raises(SystemExit) as stopped:
        main(["--responses", str(tmp_path / "r.csv"), "--out", str(tmp_path / "out"), "--margin", "0.7"])
    assert stopped.value.code == 2
    assert "margin" in capsys.readouterr().err
