"""A study of two conditions, read over HTTP, goes whole from database, export, zip and archive to the report."""

import shutil
import zipfile
from datetime import timedelta

import numpy as np
import pytest

from analysis.compare import compare
from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report import write
from analysis.responses import conditions
from analysis.responses.database import load_database
from analysis.responses.exported import load_export
from analysis.verify import main as verify
from quiz_app import simulation
from quiz_app.database import db, reading
from quiz_app.exchange import archive, export
from quiz_app.models import Study
from quiz_app.sittings import start
from quiz_app.study import hints, lifecycle
from quiz_app.study.cases import scored_cases
from tests.quiz_app import quartets

LINES = ["unaided", "assisted: hints = true"]
SAID = [("real", "full"), ("real", "partial"), ("unsure", None), ("synthetic", "partial"), ("synthetic", "full")]


@pytest.fixture
def make(make_study):
    """An open study of two conditions; the hint of every third case is wrong."""

    def made(**settings):
        study = make_study(opened=False, **{"conditions": LINES, "practice": 1} | settings)
        lines = ["case,hint,text"]
        for number, case in enumerate(scored_cases(study)):
            lines.append(f"{case.name},{0.9 if (case.truth == 'synthetic') == (number % 3 > 0) else 0.1},")
        hints.bring(study, "\n".join(lines) + "\n")
        lifecycle.open_study(study)
        db.session.commit()
        return study.slug

    return made


def closed(slug):
    lifecycle.close(lifecycle.find(slug))
    db.session.commit()
    db.session.remove()


@pytest.fixture
def every_way(app, tmp_path):
    """The study as loaded from the database, from an export as zip and as folder, and from a database restored."""

    def load(slug):
        images, url = app.config["SETTINGS"].images, app.config["SETTINGS"].database_url
        found = {"database": load_database(url, slug)}
        files = tmp_path / "export.zip", tmp_path / "archive.zip"
        with reading() as session, files[0].open("wb") as zipped, files[1].open("wb") as whole:
            study = session.query(Study).one()
            export.write(session, study, zipped)
            archive.write(session, study, images, whole)
        shutil.unpack_archive(files[0], tmp_path / "export")
        found |= {"zip": load_export(files[0]), "folder": load_export(tmp_path / "export")}
        db.session.delete(lifecycle.find(slug))
        db.session.commit()
        archive.restore(files[1], images)
        db.session.commit()
        return found | {"archive": load_database(url, slug)}

    return load


def test_a_study_of_two_conditions_reaches_the_report_by_every_way(app, make, every_way, tmp_path):
    slug = make(groups=["EC", "EP"], marks="asked")
    db.session.remove()
    outcomes = simulation.run(app, slug, 4, seed=1, known={"unaided": 0.4, "assisted": 3.0})
    assert [outcome.refusal for outcome in outcomes] == [""] * 4
    closed(slug)
    ways = every_way(slug)
    for found in ways.values():
        assert conditions.names(found) == ["unaided", "assisted"]  # as the settings have it, not by name
        assert len(found.scored) == 4 * 2 * 12
        assert set(conditions.sequences(found).values()) == {"unaided>assisted", "assisted>unaided"}
        shown = {cell.hint for cell in conditions.cells(found).values() if cell.condition == "assisted"}
        assert shown == {"0.9", "0.1"}
        assert conditions.cells(found) == conditions.cells(ways["database"])
        steps = found.marks.steps["condition"].value_counts()
        assert steps.sort_index().index.tolist() == ["assisted", "unaided"]
    made = [measure(found, Settings(bootstrap=50)) for found in ways.values()]
    for results in made:
        for part in results["conditions"].keys() - {"times", "model"}:  # fitted, so up to the order of the rows
            assert results["conditions"][part] == made[0]["conditions"][part], part
        assert results["marks"]["steps"] == made[0]["marks"]["steps"]
    told = made[0]["conditions"]
    assert (told["by"], told["cases"], told["rest"]) == ("within", "same", "unaided")
    assert [(line["condition"], line["against"]) for line in told["differences"]] == [("assisted", "unaided")] * 3
    assert told["hints"]["conditions"]["assisted"] == {"right": 8, "wrong": 4, "neither": 0}
    assert set(told["groups"]["members"]) == {"EC", "EP"}
    assert sum(made[0]["marks"]["steps"].values()) == steps["unaided"]
    page = write(ways["zip"], tmp_path / "report", Settings(bootstrap=50)).read_text("utf-8")
    assert "assisted minus unaided" in page
    assert verify([str(tmp_path / "report" / "archive.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "export.zip") as zipped:
        lines = zipped.read("mrmcaov.csv").decode().splitlines()
        folders = {line.split(",")[1] for line in zipped.read("panodiff/submissions.csv").decode().splitlines()[1:]}
    assert len(lines) == 1 + 4 * 2 * 12
    assert folders == {f"{slug}/unaided", f"{slug}/assisted"}
    both = compare(ways["database"], conditions.within(ways["database"], "unaided"), same_cases=True)
    assert both["figures"]["auc"]["difference"]["value"] == 0


def test_after_the_washout_a_part_that_began_anew_counts_and_the_other_stays(app, make, invite, time, every_way):
    slug = make(washout_days=14, practice=0)
    rng, takers = np.random.default_rng(2), []

    def read(taker, reader):
        taker.go_on()
        while taker.step["kind"] != "done":
            taker.onset()
            time.forward(2)
            answer, certainty = SAID[rng.integers(5)]
            assert taker.answer(answer, certainty, client_ms=1900).status_code == 200
        db.session.expire_all()
        return reader.sitting

    study = lifecycle.find(slug)
    for name in ("R1", "R2"):
        taker = invite(study, name).enter()
        takers.append((taker, study.readers[-1]))
        read(*takers[-1])
    time.forward(timedelta(days=15).total_seconds())
    for number, (taker, reader) in enumerate(takers):
        assert taker.client.post(taker.url("between")).status_code == 303
        assert taker.client.post(taker.url("instructions"), data={}).status_code == 303
        read(taker.claim(), reader)
        if number == 0:
            start.reset(reader, "the screen went dark")
            db.session.commit()
            assert taker.client.post(taker.url("instructions"), data={}).status_code == 303
            assert (read(taker.claim(), reader).period, reader.sitting.number) == (2, 3)
    closed(slug)
    for found in every_way(slug).values():
        counted = found.scored.groupby("reader")[["sitting", "period"]].agg(lambda entries: sorted(set(entries)))
        assert counted.loc["R1"].tolist() == [[1, 3], [1, 2]]  # of two periods the first stays, the second is the later
        assert counted.loc["R2"].tolist() == [[1, 2], [1, 2]]
        assert found.table["superseded"].sum() == 12
        assert len(found.scored) == 2 * 2 * 12


def test_a_study_of_quartets_under_two_conditions_is_reported_for_the_first(app, tmp_path):
    study = quartets.opened(quartets.imported(app, tmp_path, quartets.entries(4)), conditions=["timed", "free"])
    slug = study.slug
    db.session.remove()
    assert [outcome.refusal for outcome in simulation.run(app, slug, 4, seed=1)] == [""] * 4
    closed(slug)
    found = load_database(app.config["SETTINGS"].database_url, slug)
    results = measure(found, Settings(bootstrap=50))
    assert results["conditions"]["answers"] == {"timed": 4 * 4 * 4, "free": 4 * 4 * 4}
    assert "this one is a quartet" in results["conditions"]["reason"]
    assert results["overall"]["proportion_correct"]["n"] == 4 * 4
    assert measure(conditions.within(found, "timed"), Settings(bootstrap=50))["overall"] == results["overall"]
    page = write(found, tmp_path / "report", Settings(bootstrap=50)).read_text("utf-8")
    assert "does not compare them; it uses the answers under" in page
