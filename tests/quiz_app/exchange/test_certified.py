"""From the plan to the certificate: registered, taken over HTTP, looked at, closed, reported, archived, verified."""

import io
import json
import shutil
import time as clock_of_the_machine
import zipfile

import pytest

from analysis import planning, verify
from analysis.report import main as report
from analysis.responses.exported import load_export
from generation import phantom
from quiz_app import simulation
from quiz_app.database import db
from quiz_app.models import Event, Study
from quiz_app.pools import importing
from quiz_app.study import lifecycle, plan
from tests.quiz_app.conftest import downloaded_archive
from tests.workers import made_once

SETTINGS = {"groups": [], "practice": 2, "looks": "3, 6"}
FORM = """title = "Can readers tell phantoms of two kinds?"
question = "Do readers tell them apart better than chance?"
stopping = "When a planned look says so, at the latest after six readers."
pool = "pool"
plan = "study.toml"
[analysis]
bootstrap = 50
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A pool of 12 + 12 phantoms, and 2 for practice."""
    folder = made_once(tmp_path_factory, "certified", lambda folder: phantom.make_pool(folder / "pool", 12, 12, 2, 1))
    return folder / "pool"


@pytest.fixture
def planned(app, owner, drawn, tmp_path):
    """A draft, and the folder with its registration."""
    pool = importing.import_folder(drawn, app.config["SETTINGS"].images, "drawn")
    study = lifecycle.create("Phantoms", pool, slug="phantoms", seed=1, settings=SETTINGS)
    study.owner_id = owner.researcher.id
    db.session.commit()
    shutil.copytree(drawn, tmp_path / "plan" / "pool")
    (tmp_path / "plan" / "study.toml").write_text(plan.dump(study))
    (tmp_path / "plan" / "form.toml").write_text(FORM)
    command = ["auc", "0.8", "--looks", "--readers", "3", "6", "--cases", "24"]
    register = ["--register", str(tmp_path / "plan" / "form.toml")]
    assert planning.main([*command, *register, "--out", str(tmp_path / "plan" / "out")]) == 0
    return tmp_path / "plan" / "out"


def registered(client, text, study="phantoms"):
    return client.post(f"/researcher/studies/{study}/register", data={"registration": (io.BytesIO(text), "r.json")})


def taken(app, readers=3, looked_at_by=None):
    """The study, opened, read by simulated readers over HTTP, looked at until a look says stop, and closed."""
    lifecycle.open_study(lifecycle.find("phantoms"))
    db.session.commit()
    decisions = []
    while True:
        db.session.remove()
        assert not any(outcome.refusal for outcome in simulation.run(app, "phantoms", readers, seed=2 + len(decisions)))
        if looked_at_by is None:
            break
        assert looked_at_by.post("/researcher/studies/phantoms/looks").status_code == 303
        (*_, last) = db.session.query(Event).filter_by(kind="look-taken").order_by(Event.id)
        decisions.append(last.details["decision"])
        if decisions[-1] != "continue":
            break
    lifecycle.close(lifecycle.find("phantoms"))
    db.session.commit()
    return decisions


def test_a_registered_study_is_reported_archived_and_certified(app, owner, planned, tmp_path, capsys):
    text = (planned / "registration.json").read_bytes()
    assert registered(owner, text).status_code == 303
    assert "Registration saved" in owner.get("/researcher/studies/phantoms/", buffered=True).text
    assert owner.get("/researcher/studies/phantoms/registration.json").get_json() == json.loads(text)
    (event,) = db.session.query(Event).filter_by(kind="study-registered")
    assert event.details["sha256"] == json.loads(text)["sha256"]
    decisions = taken(app, looked_at_by=owner)
    assert decisions == ["continue", "efficacy"]
    assert registered(owner, text).status_code == 422  # too late

    page = "/researcher/studies/phantoms/"
    assert owner.post(f"{page}results").status_code == 303
    address = f"{page}results/v1-156"  # 6 readers, 24 + 2 trials
    while (told := owner.get(f"{address}.json", buffered=True).get_json())["state"] == "making":
        clock_of_the_machine.sleep(0.2)
    assert told["state"] == "done", told
    results = json.loads(owner.get(f"{address}/results.json", buffered=True).text)
    found = {line["what"]: line["verdict"] for line in results["registration"]["lines"]}
    assert found["Registered before the first answer"] == found["SHA-256 of the pool"] == found["Readers"] == "kept"
    assert found["Researchers blinded until study closure"] == "kept"
    assert found["Study settings as planned"] == found["Cases per reader"] == "kept"
    assert found["Interim looks"] == "kept"
    assert [look["decision"] for look in results["looks"]["recorded"]] == decisions
    assert results["looks"]["adjusted"]["ci"][0] < results["looks"]["adjusted"]["value"]
    assert results["registration"]["different"] == ["Bootstrap replicates"]  # the desk computes 10,000

    with (
        (tmp_path / "everything.zip").open("wb") as file,
        owner.get(f"{page}everything.zip", buffered=True) as response,
    ):
        file.write(response.data)
    assert load_export(tmp_path / "everything.zip").study["registration"] == json.loads(text)

    path = tmp_path / "phantoms.zip"
    path.write_bytes(downloaded_archive(owner, "phantoms"))
    assert verify.main([str(path)]) == 0
    certificate = json.loads((tmp_path / "phantoms-certificate" / "certificate.json").read_text())
    assert certificate["verified"]
    assert certificate["registration"]["sha256"] == json.loads(text)["sha256"]
    shutil.rmtree(tmp_path / "phantoms-certificate")

    edited = tmp_path / "edited.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(edited, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content.replace(b'"level": 1', b'"level": 2', 1) if "answer" in name else content)
    capsys.readouterr()
    assert verify.main([str(edited)]) == 2
    assert "edited.zip: tables/answer.jsonl was edited" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.glob("*-certificate")) == []

    db.session.delete(db.session.query(Study).filter_by(slug="phantoms").one())
    db.session.commit()
    assert app.test_cli_runner().invoke(args=["study", "restore", str(path)]).exit_code == 0
    db.session.expire_all()
    assert lifecycle.find("phantoms").registration == json.loads(text)


def test_an_archive_whose_report_is_of_other_answers_is_named(app, owner, planned, tmp_path, capsys):
    taken(app, readers=2)
    answers, out = tmp_path / "answers.csv", tmp_path / "report"
    runner = app.test_cli_runner()
    assert runner.invoke(args=["responses", "export", "--study", "phantoms", "--out", str(answers)]).exit_code == 0
    registration = ["--registration", str(planned / "registration.json"), "--pool", str(planned.parent / "pool")]
    assert report(["--responses", str(answers), "--bootstrap", "50", *registration, "--out", str(out)]) == 0
    results = json.loads((out / "results.json").read_text())
    assert results["registration"]["different"] == ["Interim looks", "Readers"]
    whole = tmp_path / "whole.zip"
    command = ["study", "archive", "phantoms", "--out", str(whole)]
    assert "without a report" in runner.invoke(args=command).output
    assert verify.main([str(whole)]) == 2
    assert "whole.zip: contains no report" in capsys.readouterr().err
    assert runner.invoke(args=[*command, "--report", str(out / "archive.zip")]).exit_code == 0
    assert verify.main([str(whole)]) == 0
    lines = answers.read_text("utf-8").splitlines(keepends=True)
    answers.write_text("".join(lines[:-1]), "utf-8")
    assert report(["--responses", str(answers), "--bootstrap", "50", "--out", str(out)]) == 0
    assert runner.invoke(args=[*command, "--report", str(out / "archive.zip")]).exit_code == 0
    capsys.readouterr()
    assert verify.main([str(whole)]) == 2
    assert "the report has 51 answers, the tables have 52; they differ in reader" in capsys.readouterr().err


def test_a_registration_that_does_not_belong_is_refused_at_the_desk_and_the_command_line(app, owner, planned, owned):
    text = (planned / "registration.json").read_text("utf-8")
    assert owned().pool.slug == "noise"
    refused = registered(owner, text.encode(), "mine")
    assert refused.status_code == 422
    assert "is for another pool" in refused.text
    edited = registered(owner, text.replace("phantoms of two", "phantoms of three").encode())
    assert edited.status_code == 422
    assert "was edited after it was created: study" in edited.text
    assert registered(owner, b"\xff").status_code == 422
    assert owner.get("/researcher/studies/phantoms/registration.json").status_code == 404
    result = app.test_cli_runner().invoke(args=["study", "register", "mine", str(planned / "registration.json")])
    assert (result.exit_code, "is for another pool" in result.output) == (1, True)
    result = app.test_cli_runner().invoke(args=["study", "register", "phantoms", str(planned / "registration.json")])
    assert result.exit_code == 0, result.output
    assert "phantoms: registered, SHA-256" in result.output
