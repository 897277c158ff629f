"""The report of a study of comparisons: what it says, and where its numbers come from."""

import json
import re

import openpyxl
import pandas as pd
import pytest

import analysis as dn
from analysis.designs import DESIGNS
from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report import write
from analysis.report.document import text as passage
from analysis.responses import load_frame
from tests.analysis.comparisons import study
from tests.analysis.designs.test_comparison import AWKWARD
from tests.analysis.report.test_report import Page, assert_traced, numbers


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparisons") / "out"
    table = study(readers=6, cases=20, ties=0.1, seed=3)
    again = table[table["trial"] == "t0-0"].assign(trial="again", is_repeat=1)
    both = pd.concat([table, again], ignore_index=True)
    write(load_frame(both, "Comparisons"), folder, Settings(bootstrap=50), workers=1)
    return folder


@pytest.fixture(scope="module")
def page(report):
    return Page((report / "report.html").read_text("utf-8"))


def test_every_number_on_the_page_is_the_one_in_the_results_at_its_place(page, report):
    assert len(page.traced) > 300
    assert_traced(page, json.loads((report / "results.json").read_text("utf-8")), shares=(100,), others=(0.001, 1))


def test_no_number_on_the_page_comes_from_nowhere(page):
    loose = " ".join(page.loose)
    loose = re.sub(r"\b(R\d|c\d\da)\b", "", loose)
    said = r"(95|90|5) %|0 is (chance|without)|1 is perfect|p(lace|oint) \d|mean 0|AC[12]"
    assert numbers(re.sub(said, "", loose.replace("\u202f", " "))) == []


def test_every_table_figure_and_passage_is_written(report):
    for name in DESIGNS["comparison"].figures:
        for ending in ("svg", "png", "csv"):
            assert (report / "figures" / f"{name}.{ending}").stat().st_size > 0
    names = {path.name for path in (report / "tables").iterdir()}
    assert {"preferences.csv", "strengths.tex", "answers.csv", "agreement.tex", "cases.csv", "repeats.csv"} <= names
    assert {"findings.txt", "methods.txt", "limitations.txt", "references.bib"} <= {p.name for p in report.iterdir()}


def test_the_workbook_has_every_answer(report):
    book = openpyxl.load_workbook(report / "results.xlsx")
    rows = list(book["R1"].iter_rows(values_only=True))
    assert len(rows) == 1 + 20 * 2 * 4


def test_findings_say_which_method_was_ahead_and_by_how_much():
    one = {"clearer": "better"}
    said = passage(measure(load_frame(study(6, 40, share=0.75, criteria=one)), Settings(bootstrap=50)), "findings")
    assert "model A was ahead of model B" in said
    other = study(6, 40, share=0.25, criteria=one)
    said = passage(measure(load_frame(other), Settings(bootstrap=50)), "findings")
    assert "model B was ahead of model A" in said
    level = passage(measure(load_frame(study(6, 40, share=0.5, criteria=one)), Settings(bootstrap=50)), "findings")
    assert "This does not show that they are equal" in level


def test_findings_of_several_methods_put_them_ahead_and_behind_in_whole_sentences():
    def told(share, *, reference=False, readers=6):
        table = study(
            readers, 30, methods=("a", "b", "c"), share=share, reference=reference, criteria={"clearer": "better"}
        )
        return passage(measure(load_frame(table), Settings(bootstrap=50)), "findings")

    assert "a was ahead of the other methods" in told(0.75)
    assert "the other methods were ahead of a" in told(0.25)
    assert "We found no difference between any two methods after Holm's correction" in told(0.5)
    said = told(0.75, reference=True, readers=1)
    assert "a was ahead of all other methods in 73.3 % of the comparisons in which one method was" in said
    assert re.search(
        r"Readers found .* of the images of a, .* and .* of the images of c better than the reference", said
    )
    assert "Holm" not in said  # with one reader no pair is tested


def test_agreement_on_a_scale_is_told_by_alpha():
    said = passage(
        measure(load_frame(study(4, 20, criteria={"sharpness": "scale"})), Settings(bootstrap=50)), "findings"
    )
    assert "Krippendorff's alpha was" in said
    assert "AC1" not in said


@pytest.mark.parametrize("name", ["one reader", "one trial", "always preferred", "all ties", "no answer"])
def test_awkward_studies_have_a_report(name, tmp_path):
    text = write(load_frame(AWKWARD[name]), tmp_path / "out", Settings(bootstrap=50), workers=1).read_text("utf-8")
    assert "Findings in plain words" in text


def test_a_notebook_has_the_tables_and_the_headline():
    loaded = dn.load(study(3, 6))
    assert loaded.readers["answered"].tolist() == [48] * 3
    assert "clearer: model A preferred" in loaded._repr_html_()
    assert loaded.plot("comparison_wins").axes
