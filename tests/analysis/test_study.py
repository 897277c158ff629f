"""The entry point for notebooks: `analysis.load` and what it returns."""

import json
import os
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

import analysis as dn
from analysis.responses import COLUMNS, ResponsesError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def published():
    return dn.load("panodiff")


@pytest.fixture(scope="module")
def table(published):
    """The published answers as the desk would export them."""
    rows = published.responses.table.reindex(columns=COLUMNS)
    return rows.assign(truth=rows["truth"].map({0: "real", 1: "synthetic"}), study="pano")


@pytest.fixture(params=["csv", "folder", "zip", "frame", "database"])
def again(request, table, tmp_path):
    """The same answers by every other way."""
    file = tmp_path / "responses.csv"
    table.to_csv(file, index=False)
    if request.param == "csv":
        return dn.load(str(file))
    if request.param == "folder":
        return dn.load(tmp_path)
    if request.param == "zip":
        with zipfile.ZipFile(tmp_path / "everything.zip", "w") as archive:
            archive.write(file, "mine/responses.csv")
        return dn.load(tmp_path / "everything.zip")
    if request.param == "frame":
        return dn.load(table)
    with closing(sqlite3.connect(tmp_path / "mine.sqlite")) as connection:
        table.to_sql("responses", connection, index=False)
    return dn.load(f"sqlite:///{tmp_path / 'mine.sqlite'}", study="pano")


def test_every_way_in_gives_the_same_numbers(published, again):
    assert again.measure()["readers"] == published.measure()["readers"]
    assert again.measure()["overall"] == published.measure()["overall"]


def test_a_table_that_was_loaded_loads_again(published):
    again = dn.load(published.responses.table)
    assert again.measure()["overall"]["auc"] == published.measure()["overall"]["auc"]


def test_readers_and_cases_are_tables(published):
    assert published.readers["answered"].tolist() == [200] * 6
    assert published.cases["truth"].value_counts().to_dict() == {"real": 100, "synthetic": 100}


def test_every_table_and_every_figure_of_the_report_can_be_had(published):
    assert {"readers", "overall", "agreement", "cases"} <= set(published.tables)
    for name in published.tables:
        assert isinstance(published.table(name), pd.DataFrame)
    for name in published.plots:
        if name == "times":
            with pytest.raises(ValueError, match="time"):  # the published ratings have none
                published.plot(name)
        else:
            assert published.plot(name).axes


def test_settings_change_the_numbers_and_are_measured_once(published, monkeypatch):
    half = published.measure(unsure="half")
    assert half["settings"]["unsure"] == "half"
    assert half["readers"] != published.measure()["readers"]
    half["study"]["title"] = "changed by hand"
    monkeypatch.setattr("analysis.designs.measure.measure", lambda *_: pytest.fail("was measured again"))
    assert published.measure(unsure="half")["study"]["title"] == published.title


def test_a_notebook_shows_the_headline_figures(published):
    shown = published._repr_html_()
    assert "68.4\u202f% (62.6 to 74.3)" in shown
    assert "0.829 (0.761 to 0.898)" in shown
    assert repr(published) == "<Study 'The published PanoDiff-SR observer study': rating, 6 readers, 200 cases>"


def test_the_report_is_written(published, tmp_path):
    page = published.report(tmp_path / "out", bootstrap=50)
    assert page == tmp_path / "out" / "report.html"
    assert json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["settings"]["bootstrap"] == 50


@pytest.mark.parametrize("wrong", [3, None, ["responses.csv"]])
def test_a_wrong_thing_is_told_what_load_takes(wrong):
    with pytest.raises(TypeError, match=r"load: expected a CSV.*DataFrame"):
        dn.load(wrong)


def test_what_cannot_be_loaded_is_named(tmp_path, published):
    with pytest.raises(ResponsesError, match=r"none\.csv: there is no such file; expected a CSV"):
        dn.load(tmp_path / "none.csv")
    with pytest.raises(ResponsesError, match="the DataFrame: column 'level' is missing"):
        dn.load(pd.DataFrame({"reader": ["A"], "case": ["1"], "truth": ["real"]}))
    with pytest.raises(ResponsesError, match="the DataFrame, row 2: truth 'fake'"):
        dn.load(pd.DataFrame({"reader": "A", "case": ["1", "2"], "truth": ["real", "fake"], "level": [1, 2]}))
    with pytest.raises(ResponsesError, match="study: a study's slug is needed for a database address"):
        dn.load("sqlite:///none.sqlite")
    with pytest.raises(ResponsesError, match="study: a study's slug"):
        dn.load("panodiff", study="mine")
    with pytest.raises(ResponsesError, match="labels, mapping: can only be used with a file"):
        dn.load("panodiff", labels="labels.csv")
    with pytest.raises(ResponsesError, match=r"https://quiz\.example: is not a database address"):
        dn.load("https://quiz.example", study="mine")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(ResponsesError, match=r"broken\.zip: cannot be read as a zip"):
        dn.load(tmp_path / "broken.zip")
    with pytest.raises(ValueError, match="unsure: expected one of fractional"):
        published.measure(unsure="zz")
    with pytest.raises(ValueError, match="margin: expected a number between"):
        published.measure(margin=-1)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(ResponsesError, match=r"empty\.zip: expected one responses\.csv in the zip file, found 0"):
        dn.load(tmp_path / "empty.zip")
    with pytest.raises(KeyError, match="'nonsense' is unknown; expected one of readers"):
        published.table("nonsense")
    with pytest.raises(KeyError, match="expected one of pies"):
        published.plot("nonsense")


@pytest.mark.slow
def test_the_notebook_of_the_docs_runs_from_beginning_to_end(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(ROOT / "docs" / "tutorial" / "published-ratings.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300).execute()
    shown = json.dumps(notebook)
    assert "image/png" in shown
    assert "68.4" in shown


def test_what_an_export_says_wrongly_of_its_pool_is_named(table, tmp_path):
    table.to_csv(tmp_path / "responses.csv", index=False)
    for text, fault in (
        ("{", r"cases\.csv or registration\.json cannot be read: Expecting"),
        (
            '{"pool": {"name": "P", "flow": {"given": 3}}}',
            r"manifest\.json: pool: flow: expected whole numbers for given",
        ),
    ):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(ResponsesError, match=fault):
            dn.load(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": 1}')  # as a zip of an earlier version has it
    assert dn.load(tmp_path).measure(bootstrap=20)["study"]["pool"] is None
