"""Backups made while readers answer, restored and proved; an upgrade of the database in mid-study."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import flask_migrate
import pytest

from quiz_app import backups, create_app, simulation
from quiz_app.database import Base, db, let_go, reading, versions
from quiz_app.exchange import moving
from quiz_app.settings import Settings
from tests.databases import new_database
from tests.server import Server
from tests.sitters import assert_whole, counted, stored, wait_until


def command(app, *words, code=0):
    """What a command prints."""
    done = app.test_cli_runner().invoke(args=[str(word) for word in words])
    assert done.exit_code == code, done.output
    return done.output


def restored(file: Path, url: str, instance: Path, images: Path) -> Settings:
    """A new instance with the database of a backup, and the images of the first instance."""
    settings = Settings.load({}, instance=instance, database_url=url)
    (instance / "images").symlink_to(images)
    if file.suffix == ".dump":
        program = Path(sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]) / "pg_restore"
        address = url.replace("+psycopg", "")
        subprocess.run([program, "--exit-on-error", "--no-owner", f"--dbname={address}", str(file)], check=True)
    else:
        file.replace(instance / "discern.sqlite")
    return settings


def checksums(app):
    """Rows and checksum of every table, but of the log, where the backup itself is noted."""
    with app.app_context(), reading() as session:
        tables = [table for table in Base.metadata.sorted_tables if table.name != "event"]
        return {table.name: moving.checksum(session.connection(), table) for table in tables}


def test_a_backup_made_while_readers_answer_is_whole_and_has_every_answer_until_then(app, make_study, launch, tmp_path):
    suffix = "sqlite" if db.engine.dialect.name == "sqlite" else "dump"
    slug = make_study(practice=3).slug
    db.session.remove()
    server = launch(Server)
    copies = []
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(simulation.run, app, slug, 4, url=server.url)
        for number, answers in enumerate((5, 25)):
            wait_until(lambda answers=answers: counted() >= answers or running.done())
            before = stored()
            backups.copy(tmp_path / f"{number}.{suffix}")
            copies.append((tmp_path / f"{number}.{suffix}", before))
        outcomes = running.result()
    assert_whole(app, outcomes, answers_each=15)
    settings, last = app.config["SETTINGS"], tmp_path / f"last.{suffix}"
    assert "bytes" in command(app, "backup", last)
    copies.append((last, stored()))
    proved = json.loads(command(app, "db", "check", "--json"))
    for number, (file, before) in enumerate(copies):
        with new_database() as url:
            copy = create_app(restored(file, url, tmp_path / f"instance-{number}", settings.instance / "images"))
            with copy.app_context():
                told = json.loads(command(copy, "db", "check", "--json"))
                kept = stored()
                let_go(copy)
            assert told["faults"] == told["studies"][0]["faults"] == []
            assert before.items() <= kept.items()
            assert (told == proved) == (checksums(copy) == checksums(app)) == (file == last)
            with copy.app_context():
                let_go(copy)


def test_an_upgrade_in_mid_study_is_backed_up_and_every_sitting_goes_on(app, make_study, launch):
    slug = make_study(practice=3).slug
    db.session.remove()
    settings, server = app.config["SETTINGS"], launch(Server)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(simulation.run, app, slug, 4, url=server.url, patience_s=120)
        wait_until(lambda: counted() >= 8 or running.done())
        server.kill()
        before = stored()
        let_go(app)
        flask_migrate.downgrade(revision="-1")  # as the version before had it
        let_go(app)
        found, wanted = versions()
        assert found != wanted
        assert "Backed up to" in command(app, "db", "upgrade")
        assert versions() == (wanted, wanted)
        server.start()
        outcomes = running.result()
    assert_whole(app, outcomes, answers_each=15)
    (file,) = backups.kept(settings.instance)
    assert f"version-{found}" in file.name
    with new_database() as url:
        older = create_app(restored(file, url, settings.instance / "older", settings.instance / "images"))
        with older.app_context():
            assert versions() == (found, wanted)
            assert stored() == before
            let_go(older)


def test_an_upgrade_without_its_backup_changes_nothing(app, make_study):
    if db.engine.dialect.name != "sqlite":
        pytest.skip("of SQLite")
    flask_migrate.downgrade(revision="-1")
    let_go(app)
    settings = app.config["SETTINGS"]
    before = versions()
    (settings.instance / "backups").write_text("in the way")
    assert "backup" in command(app, "db", "upgrade", code=1)
    assert versions() == before
    assert command(app, "db", "upgrade", "--no-backup") == ""
    assert versions() == (before[1], before[1])
