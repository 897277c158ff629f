"""What gave it away: the section of the report, its numbers, its folder of pictures."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report import main, write
from analysis.report.plates import open_pool
from analysis.report.tables import all_tables
from analysis.report.tables.table import Cell, find
from analysis.responses import Responses, load_csv, load_frame
from analysis.responses.marks import joined_with, with_marks
from analysis.responses.tabular import Table
from tests.analysis import quartets
from tests.analysis.marked import Files, study
from tests.analysis.report.test_report import Page

QUICK = Settings(bootstrap=20)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return study(tmp_path_factory.mktemp("marked"))


@pytest.fixture(scope="module")
def responses(files: Files) -> Responses:
    return with_marks(load_csv(files.responses), files.marks, files.faults)


@pytest.fixture(scope="module")
def report(files: Files, responses: Responses, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "out"
    write(responses, out, QUICK, workers=1, pictures=open_pool(files.pool, responses))
    return out


@pytest.fixture(scope="module")
def marks(report: Path) -> dict[str, Any]:
    return json.loads((report / "results.json").read_text("utf-8"))["marks"]


def test_the_results_say_reasons_cases_and_how_well_faults_were_found(
    marks: dict[str, Any], responses: Responses
) -> None:
    assert responses.marks is not None
    table = responses.marks.table
    assert marks["reasons"] == table["reason"].value_counts().to_dict()
    assert list(marks["reasons"].values()) == sorted(marks["reasons"].values(), reverse=True)
    first = next(iter(marks["cases"]))
    assert first == "c2"
    own = table[table["case"] == "c2"]
    assert (marks["cases"]["c2"]["n"], marks["cases"]["c2"]["readers"]) == (len(own), own["reader"].nunique())
    assert 0 < marks["cases"]["c2"]["spread"] < 0.05
    assert marks["cases"]["c2"]["dice"] > 0.5
    assert marks["jafroc"]["value"] > 0.6
    assert set(marks["jafroc"]["each"]) == set(responses.readers)
    assert marks["localisation"]["kinds"]["stripes"]["value"] == marks["localisation"]["faults"]["value"]
    assert marks["localisation"]["peaks"]["value"] == 1
    assert marks["agreement"]["nearest"]["p"] < 0.05
    shares = marks["shares"]
    assert sum(one["all"]["value"] for one in shares.values()) == pytest.approx(1)
    assert shares["overall look"]["by_truth"]["synthetic"]["value"] == 0
    assert shares["overall look"]["when_given"]["value"] == 0
    assert shares["teeth"]["when_given"]["value"] == 1
    assert shares["overall look"]["right"]["value"] < 0


def test_the_results_follow_their_schema(report: Path) -> None:
    results, schema = (
        json.loads((report / name).read_text("utf-8")) for name in ("results.json", "results.schema.json")
    )
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(results)] == []
    del results["marks"]["jafroc"]["value"]
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(results)] != []


def test_readers_of_each_group_and_source_are_told_apart(marks: dict[str, Any], responses: Responses) -> None:
    assert responses.marks is not None
    table = responses.marks.table
    for name in ("new", "old"):
        own = table[table["group"] == name]["reason"]
        assert marks["shares"]["teeth"]["by_group"][name]["value"] == pytest.approx((own == "teeth").mean())


def test_the_page_has_a_section_that_takes_every_number_from_the_results(report: Path) -> None:
    page = (report / "report.html").read_text("utf-8")
    assert '<h2 id="marks">' in page
    section = page.partition('<h2 id="marks">')[2].partition('<h2 id="methods">')[0]
    for words in ("Reasons that readers gave", "Agreement on places", "Known faults, found and missed", "marks.csv"):
        assert words in section
    results = json.loads((report / "results.json").read_text("utf-8"))
    told = Page(section)
    assert len(told.traced) > 100
    loose = re.sub(r"95.%|\b[cR]\d+\b", "", " ".join(told.loose))  # names of cases and readers
    assert re.findall(r".{20}\d", loose) == []
    texts = [(report / f"{name}.txt").read_text("utf-8") for name in ("findings", "methods", "limitations")]
    assert "Asked what gave the images away, readers most often said" in texts[0]
    assert "JAFROC" in texts[1]
    assert "chance is not one half" in texts[2]
    tables = [table for table in all_tables(results) if table.name.startswith("marks_")]
    assert len(tables) == 9
    for table in tables:
        for row in table.rows:
            for cell in row:
                assert not isinstance(cell, Cell) or find(results, cell.pointer[:-1]) is not None, (table.name, cell)


def test_the_folder_has_a_picture_of_every_marked_case_the_most_marked_first(
    report: Path, marks: dict[str, Any]
) -> None:
    pictures = sorted((report / "marks").glob("*.jpg"))
    assert [path.stem.split("_")[1] for path in pictures] == list(marks["cases"])
    readers = [case["readers"] for case in marks["cases"].values()]
    assert readers == sorted(readers, reverse=True)
    with Image.open(pictures[0]) as picture:
        assert picture.width == 96
        assert picture.height > 48
        colours = np.asarray(picture.convert("RGB"), dtype=int)[:48]
    assert (colours[..., 0] - colours[..., 2]).max() > 60  # the density, in orange
    with (report / "marks" / "marks.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == marks["n"]
    assert rows[0]["picture"] == pictures[0].name
    assert {row["truth"] for row in rows} == {"real", "synthetic"}
    assert (report / "figures" / "marks_wall.jpg").is_file()
    assert (report / "figures" / "marks_reasons.svg").is_file()
    listed = json.loads((report / "manifest.json").read_text("utf-8"))["files"]
    assert f"marks/{pictures[0].name}" in listed


def test_the_command_takes_marks_and_faults_and_draws_without_images(files: Files, tmp_path: Path) -> None:
    given = ["--responses", files.responses, "--marks", files.marks, "--faults", files.faults, "--bootstrap", 20]
    assert main([str(one) for one in [*given, "--out", tmp_path / "out"]]) == 0
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "The most marked images: left out, because the pool&#39;s images were not given" in page
    with Image.open(next((tmp_path / "out" / "marks").glob("*_c2.jpg"))) as picture:
        assert picture.width == 512


def test_without_known_faults_the_section_says_so(files: Files, tmp_path: Path) -> None:
    responses = with_marks(load_csv(files.responses), files.marks, None)
    page = write(responses, tmp_path / "out", QUICK, workers=1).read_text("utf-8")
    assert "it is not known where the faults in the images are" in page
    assert "jafroc" not in json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["marks"]


def test_a_study_that_asked_nobody_has_no_section(files: Files, tmp_path: Path) -> None:
    page = write(load_csv(files.responses), tmp_path / "out", QUICK, workers=1).read_text("utf-8")
    assert "What gave it away" not in page
    assert not (tmp_path / "out" / "marks").exists()


def test_where_nobody_marked_a_place_the_report_says_so(files: Files, tmp_path: Path) -> None:
    rows = [("R1", "t1-2", "c2", "nothing"), ("R2", "t2-2", "c2", "skipped")]
    told = [
        {"reader": r, "trial": t, "case": c, "outcome": o} | dict.fromkeys(("x", "y", "reason"), "")
        for r, t, c, o in rows
    ]
    table = Table("marks.csv", list(told[0]), list(enumerate(told, start=2)))
    responses = joined_with(load_csv(files.responses), table)
    page = write(responses, tmp_path / "out", QUICK, workers=1).read_text("utf-8")
    assert "left out, because no reader marked a place" in page
    marks = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["marks"]
    assert (marks["n"], marks["reasons"], marks["steps"]) == (0, {}, {"marked": 0, "nothing": 1, "skipped": 1})


def test_a_skipped_step_takes_no_part_in_what_was_found(files: Files) -> None:
    table = pd.read_csv(files.marks, dtype=str, keep_default_na=False)
    skips = (table["reader"] == "R1") & (table["case"] == "c2")
    said = {"x": "", "y": "", "reason": "", "rating": "", "mark": "0", "outcome": "skipped"}
    table.loc[skips, list(said)] = list(said.values())
    given = Table("marks.csv", list(table.columns), list(enumerate(table.to_dict("records"), start=2)))
    known = json.loads(files.faults.read_text())["faults"]
    rows = [{"case": case, **{k: str(v) for k, v in fault.items()}} for case, own in known.items() for fault in own]
    faults = Table("faults.csv", list(rows[0]), list(enumerate(rows, start=2)))
    results = measure(joined_with(load_csv(files.responses), given, faults), QUICK)["marks"]
    assert results["localisation"]["faults"]["whole"] == 4 * 6 - 1


def test_quartets_have_the_section_too(tmp_path: Path) -> None:
    answers = quartets.study(readers=3, quartets=8)
    rows = [
        {
            "reader": row.reader,
            "trial": row.trial,
            "case": row.case,
            "reason": "roots",
            "x": "0.4",
            "y": str(0.1 + 0.1 * n),
        }
        for row in answers[(answers["chosen"] == 0)].itertuples()
        for n in range(2)
    ]
    given = Table("marks.csv", list(rows[0]), list(enumerate(rows, start=2)))
    responses = joined_with(load_frame(answers), given)
    page = write(responses, tmp_path / "out", QUICK, workers=1).read_text("utf-8")
    assert '<h2 id="marks">' in page
    results = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["marks"]
    assert results["reasons"] == {"roots": len(rows)}
    assert results["shares"]["roots"]["right"]["value"] is None
