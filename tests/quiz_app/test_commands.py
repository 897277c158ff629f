"""The commands do what their help says, and end with 1 and a list of faults otherwise."""

import csv
import io
import os
import sqlite3
from contextlib import closing

import click
import pytest

from quiz_app import create_app, database
from quiz_app.database import db
from quiz_app.exchange.responses_csv import DICTIONARY
from quiz_app.models import Event
from quiz_app.settings import Settings
from quiz_app.study import researchers


def ran(app, *words, code=0):
    result = app.test_cli_runner().invoke(args=[str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


def leaves(command, path=()):
    for name, sub in getattr(command, "commands", {}).items():
        if hasattr(sub, "commands"):
            yield from leaves(sub, (*path, name))
        else:
            yield (*path, name), sub


def test_every_command_of_ours_has_help(app):
    foreign = {"db", "limiter", "routes", "run", "shell"}
    for path, command in leaves(app.cli):
        if path[0] not in foreign:
            assert command.help, path
            assert all(option.help for option in command.params if isinstance(option, click.Option)), path


def test_a_study_from_the_command_line(app, pool_folder, tmp_path):
    assert "dental: 15 cases of 64 x 32" in ran(app, "pool", "import", pool_folder, "--slug", "dental")
    assert "dental" in ran(app, "pool", "list")
    ran(app, "study", "create", "--title", "A study", "--pool", "dental", "--slug", "one", "--preset", "untimed")
    ran(app, "study", "open", "one")
    links = ran(app, "reader", "invite", "--study", "one", "--url", "https://quiz.example", "EC1", "EC2").splitlines()
    assert [line.split("\t")[0] for line in links] == ["EC1", "EC2"]
    assert links[0].split("\t")[1].startswith("https://quiz.example/r/")
    ran(app, "reader", "revoke", "--study", "one", "EC2")
    assert "one\topen\t0 answers" in ran(app, "study", "list")
    ran(app, "study", "copy", "one", "--to", "two")
    ran(app, "study", "close", "one")
    out = tmp_path / "answers.csv"
    assert "0 rows" in ran(app, "responses", "export", "--study", "one", "--out", out)
    assert out.read_text().strip() == ",".join(DICTIONARY)
    assert "Pseudonym" in (tmp_path / "answers.dictionary.csv").read_text()


def test_a_plan_printed_is_a_plan_taken(app, make_study, tmp_path):
    make_study()
    file = tmp_path / "study.toml"
    file.write_text(ran(app, "study", "plan", "trial-run"))
    assert "twin: a draft, seed 1" in ran(app, "study", "create", "--file", file, "--slug", "twin")
    assert ran(app, "study", "plan", "twin") == file.read_text().replace("trial-run", "twin")
    assert "slug: 'twin' is in use" in ran(app, "study", "create", "--file", file, "--slug", "twin", code=1)
    assert "cannot be read" in ran(app, "study", "create", "--file", tmp_path / "none.toml", code=1)


def test_a_backup_has_every_answer_and_stays_on_record(app, make_study, invite, tmp_path):
    invite(make_study()).enter().finish()
    assert "bytes" in ran(app, "backup", tmp_path / "copy")
    if os.name == "posix":
        assert (tmp_path / "copy").stat().st_mode & 0o077 == 0  # it holds truth and answers
    if db.engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(tmp_path / "copy")) as copy:
            assert copy.execute("SELECT count(*) FROM responses").fetchone() == (15,)
    else:
        assert (tmp_path / "copy").read_bytes().startswith(b"PGDMP")  # restored in tests/faults
    assert "already exists" in ran(app, "backup", tmp_path / "copy", code=1)
    assert "cannot be written" in ran(app, "backup", tmp_path / "nowhere" / "copy", code=1)
    assert list(tmp_path.glob("*.part")) == []
    assert "either FILE or" in ran(app, "backup", code=1)
    ran(app, "backup", "--elsewhere")
    assert db.session.query(Event).filter_by(kind="backed-up").count() == 2


def test_a_researcher_is_added_and_gets_a_new_password(app):
    name, password = ran(app, "researcher", "add", "ada").split()
    assert researchers.check(name, password)
    new = ran(app, "researcher", "password", "ada").split()[1]
    assert researchers.check(name, new)
    assert not researchers.check(name, password)
    assert "is in use" in ran(app, "researcher", "add", "ada", code=1)
    assert "there is no researcher 'eve'" in ran(app, "researcher", "password", "eve", code=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("study", "open", "none"), "there is no study 'none'"),
        (("study", "create", "--title", "x", "--pool", "none"), "there is no pool 'none'"),
        (("study", "create", "--title", " ", "--pool", "noise", "--slug", "A B"), "title: is empty"),
        (("pool", "import", "/nowhere"), "no such folder"),
        (("reader", "invite", "--study", "none", "R1"), "there is no study 'none'"),
        (("responses", "export", "--study", "none", "--out", "x.csv"), "there is no study 'none'"),
    ],
)
def test_what_cannot_be_done_is_said_with_exit_1(app, words, said):
    assert said in ran(app, *words, code=1)


@pytest.mark.parametrize("mode", ["NORMAL", "EXCLUSIVE"])  # against those who write, or also against those who look
def test_of_a_database_that_is_locked_a_command_says_so(tmp_path, monkeypatch, mode):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    app = create_app(Settings.load({}, instance=tmp_path))
    ran(app, "db", "upgrade")
    with app.app_context():
        database.let_go(app)
    with closing(sqlite3.connect(tmp_path / "discern.sqlite", isolation_level=None)) as other:
        other.execute(f"PRAGMA locking_mode={mode}")
        other.execute("BEGIN IMMEDIATE")
        told = ran(app, "researcher", "add", "ada", code=1)
        assert f"Error: The database {tmp_path / 'discern.sqlite'} is locked" in told
        assert "run the command again" in told
    ran(app, "researcher", "add", "ada")


def test_the_export_holds_every_answer_as_given(app, make_study, invite, tmp_path):
    taker = invite(make_study(slug="full")).enter()
    given = []
    said = [("real", "full"), ("real", "partial"), ("unsure", None), ("synthetic", "partial"), ("synthetic", "full")]
    while taker.step["kind"] != "done":
        if taker.step["kind"] != "trial":
            taker.go_on()
            continue
        answer, certainty = said[len(given) % 5]
        given.append((taker.trial["trial"], answer, certainty or "", str(len(given) % 5 + 1)))
        viewer = {"zoom_max": 2.5, "windowed": True}
        assert taker.answer(answer, certainty, client_ms=700, viewer=viewer).status_code == 200
    ran(app, "responses", "export", "--study", "full", "--out", tmp_path / "full.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "full.csv").read_text())))
    assert [(row["trial"], row["answer"], row["certainty"], row["level"]) for row in rows] == given
    assert [row["is_training"] for row in rows] == ["1"] * 3 + ["0"] * 12
    assert [row["position"] for row in rows] == [*"123", *(str(position) for position in range(1, 13))]
    assert {(row["client_ms"], row["zoom_max"], row["windowed"]) for row in rows} == {("700", "2.5", "1")}
    assert {(row["place"], row["chosen"], row["criterion"]) for row in rows} == {("", "", "")}
    assert {row["truth"] for row in rows} == {"real", "synthetic"}
