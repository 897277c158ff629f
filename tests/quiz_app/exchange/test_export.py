"""Everything about a study in one zip: complete, of one moment, blind before the close, and read by other software."""

import csv
import io
import json
import zipfile
from collections import Counter

import pytest

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.responses import load_csv, load_panodiff
from analysis.responses.database import load_database
from analysis.responses.exported import load_export
from quiz_app.database import db, reading
from quiz_app.exchange import export, responses_csv
from quiz_app.models import Event, Pool, Study
from quiz_app.study import lifecycle, plan

SAID = [("real", "full"), ("synthetic", "partial"), ("unsure", None), ("synthetic", "full")]


@pytest.fixture
def handed(app):
    """The files of the zip of study `mine`, by name."""

    def over():
        file = io.BytesIO()
        with reading() as session:
            export.write(session, session.query(Study).filter_by(slug="mine").one(), file)
        with zipfile.ZipFile(file) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}

    return over


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def taken(owned, invite, *, close=True):
    study = owned(practice=1)
    for name in ("R1", "R2"):
        taker = invite(study, name, "a group").enter()
        while taker.step["kind"] != "done":
            if taker.step["kind"] == "trial":
                answer, certainty = SAID[taker.trial["position"] % 4]
                taker.answer(answer, certainty, client_ms=900)
            else:
                taker.go_on()
    if close:
        lifecycle.close(study)
    db.session.commit()
    return study


def test_everything_is_in_and_every_column_is_explained(owned, invite, handed):
    study = taken(owned, invite)
    events = db.session.query(Event).filter_by(study_id=study.id).count()
    files = handed()
    rows = json.loads(files["manifest.json"])["rows"]
    assert rows == {
        "responses.csv": 26,
        "trials.csv": 26,
        "readers.csv": 2,
        "cases.csv": 15,
        "settings.csv": len(study.rules.as_dict()),
        "events.csv": events,
    }
    for name, count in rows.items():
        assert len(table(files[name])) == count
    explained = {(row["file"], row["column"]) for row in table(files["dictionary.csv"]) if row["meaning"]}
    assert explained == {(name, column) for name in rows for column in table(files[name])[0]}
    assert files["study.toml"] == plan.dump(study)
    settings = {row["setting"]: json.loads(row["value"]) for row in table(files["settings.csv"])}
    assert settings == study.rules.as_dict()
    with reading() as session:
        assert files["responses.csv"] == "".join(responses_csv.lines(session, "mine"))


def test_before_the_close_nothing_in_it_tells_the_truth(owned, invite, handed):
    taken(owned, invite, close=False)
    pool = db.session.query(Pool).one()
    pool.manifest = pool.manifest | {"flow": {"given": {"real": 20, "synthetic": 9}}}
    db.session.commit()
    files = handed()
    assert "flow" not in files["manifest.json"]
    assert {(row["truth"], row["source"]) for row in table(files["cases.csv"])} == {("", "")}
    assert {row["truth"] for row in table(files["responses.csv"])} == {""}
    assert not [name for name in files if "mrmc" in name or "panodiff" in name]


def labelled(study):
    """Gives every case of the study a device and a number of teeth."""
    for number, case in enumerate(study.pool.cases):
        case.labels = {"device": ("Sirona", "Planmeca")[number % 3 % 2], "excluded": "not ours"}
    study.settings = study.settings | {"subgroups": ["device"]}
    db.session.commit()


def test_further_columns_of_cases_stay_empty_before_the_close(owned, invite, handed):
    study = taken(owned, invite, close=False)
    labelled(study)
    assert {row["device"] for row in table(handed()["cases.csv"])} == {""}
    lifecycle.close(study)
    db.session.commit()
    files = handed()
    assert [row["device"] for row in table(files["cases.csv"])[:3]] == ["Sirona", "Planmeca", "Sirona"]
    assert {row["excluded"] for row in table(files["cases.csv"])} == {""}
    assert None not in table(files["cases.csv"])[0]  # no row has more entries than there are columns
    assert "cases.csv,device,A further column of the pool's cases.csv" in files["dictionary.csv"]


def test_declared_subgroups_reach_the_analysis_from_the_database_and_from_the_zip(app, owned, invite, handed, tmp_path):
    study = taken(owned, invite)
    labelled(study)
    folder = tmp_path / "export"
    folder.mkdir()
    for name in ("responses.csv", "cases.csv", "settings.csv"):
        (folder / name).write_text(handed()[name], encoding="utf-8")
    address = app.config["SETTINGS"].database_url
    for loaded in (load_database(address, "mine"), load_export(folder)):
        told = measure(loaded, Settings(bootstrap=20))["subgroups"]["device"]
        assert told["declared"]
        cases = [case for case in study.pool.cases if not case.is_practice]
        assert {name: one["cases"] + one["real"] for name, one in told["each"].items()} == Counter(
            case.labels["device"] for case in cases
        )


def test_other_software_gets_the_same_answers(owned, invite, handed, tmp_path):
    taken(owned, invite)
    files = handed()
    for name in ("responses.csv", "panodiff/submissions.csv", "panodiff/image_labels.csv"):
        (tmp_path / name.split("/")[-1]).write_text(files[name])
    ours = load_csv(tmp_path / "responses.csv")
    theirs = load_panodiff(tmp_path / "submissions.csv", tmp_path / "image_labels.csv")
    assert ours.case_names == theirs.case_names
    assert (ours.truth == theirs.truth).all()
    assert (ours.matrix("level") == theirs.matrix("level")).all()
    assert len(table(files["mrmcaov.csv"])) == 24
    assert len([row for row in table(files["imrmc.csv"]) if row["readerID"] == "truth"]) == 12


def test_how_every_case_was_shown_and_looked_at_is_in_it(owned, invite, handed, time):
    study = owned(practice=0)
    taker = invite(study).enter()
    taker.go_on()
    time.forward(60)
    taker.claim().onset()
    used = {"zoom_max": 2.5, "windowed": True, "zoom_ms": 900, "inverted": 1, "lens_ms": 40, "full_screen": True}
    used |= {"light": True, "first_ms": 700}
    taker.answer(viewer=used)
    rows = table(handed()["trials.csv"])
    assert [(row["position"], row["releases"], bool(row["answered_at"])) for row in rows] == [
        ("1", "2", True),
        ("2", "1", False),
    ]
    counted = [rows[0][name] for name in ("zoom_ms", "lens_ms", "inverted", "full_screen", "light", "first_ms")]
    assert counted == ["900", "40", "1", "1", "1", "700"]
    assert (bool(rows[0]["onset_at"]), bool(rows[1]["onset_at"])) == (True, False)
    assert rows[0]["trial"] == table(handed()["responses.csv"])[0]["trial"]


def test_a_file_with_another_number_of_rows_than_the_database_is_not_handed_over(owned, invite, handed, monkeypatch):
    taken(owned, invite)
    monkeypatch.setattr(responses_csv, "rows", lambda *_args, **_more: iter([("one row",)]))
    with pytest.raises(export.MiscountedError, match=r"responses\.csv: 1 rows, but the database has 26"):
        handed()


def test_the_zip_of_a_study_without_answers_stands(owner, owned):
    owned()
    response = owner.get("/researcher/studies/mine/everything.zip", buffered=True)
    assert response.status_code == 200
    assert "mine-blinded.zip" in response.headers["Content-Disposition"]
