"""Background work is cancelled: the process ends, nothing incomplete is kept, and the page says what happened."""

import subprocess
import sys
import time as stopwatch

import pytest

from quiz_app import background
from quiz_app.database import db
from quiz_app.exchange import restoring
from quiz_app.models import Pool
from quiz_app.pools import intake
from quiz_app.pools.wishes import Wishes
from quiz_app.study import planning, preflight
from tests.uploads import encoded, zipped

WORK = """
import sys, threading, time
from pathlib import Path
from quiz_app import background
folder = Path(sys.argv[1])
with background.working(folder, ValueError) as progress:
    try:
        (folder / "half").mkdir()
        (folder / "half" / "made").write_text("x")
        progress(0.5, "working")
        {body}
    finally:
        (folder.parent / "given back").touch()
"""
WAITS = "threading.Event().wait(30)"  # as for a pool of threads
# As where the interrupt falls into a callback of the garbage collector, which swallows it.
SWALLOWS = "\n        ".join(["try:", "    " + WAITS, "except KeyboardInterrupt:", "    pass", WAITS])
KEEPS = "background.settle(); (folder.parent / 'kept').touch(); progress(0.9, 'keeping'); time.sleep(1.5)"


@pytest.fixture
def working(tmp_path):
    """Starts work in a separate process, like a shell that runs it in the background: without an interrupt."""
    started = []

    def begin(body):
        folder = tmp_path / "work"
        assert background.claim(folder)
        script = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + WORK.format(body=body)
        started.append(subprocess.Popen([sys.executable, "-c", script, str(folder)]))
        while background.find(folder).what not in ("working", "keeping"):
            stopwatch.sleep(0.05)
        return folder, started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("body", [WAITS, SWALLOWS])
def test_cancelled_work_ends_at_once_and_leaves_nothing_but_word_of_it(working, tmp_path, monkeypatch, body):
    monkeypatch.setattr(background, "PATIENCE_S", 20)
    folder, process = working(body)
    assert background.cancel(folder)
    assert process.wait(10) == 0
    assert background.find(folder).state == "cancelled"
    assert [path.name for path in folder.iterdir()] == [background.STATUS]
    assert (tmp_path / "given back").exists()
    assert not background.cancel(folder)
    assert background.claim(folder)


def test_what_is_being_kept_is_kept_and_no_longer_cancelled(working, tmp_path, monkeypatch):
    monkeypatch.setattr(background, "PATIENCE_S", 20)
    folder, process = working(KEEPS)
    assert not background.cancel(folder)
    assert process.wait(10) == 0
    assert background.find(folder).state == "done"
    assert (tmp_path / "kept").exists()
    assert not (folder / background.STOP).exists()


def test_an_upload_is_cancelled_on_its_page_and_leaves_no_pool_and_no_image(app, owner, tmp_path, monkeypatch):
    settings = app.config["SETTINGS"]

    def kept():
        found = db.session.query(Pool).count(), sorted(settings.images.iterdir())
        db.session.rollback()  # the import must not wait for this look
        return found

    before = kept()
    many = {
        f"{truth}/{n}.png": encoded(n + len(truth) * 100, "PNG") for truth in ("real", "synthetic") for n in range(6)
    }
    upload = tmp_path / "x.zip"
    upload.write_bytes(zipped(many))
    name = intake.begin(settings, upload, Wishes("Gone", practice=0, width=4000, height=2000))
    address = f"/researcher/pools/coming/{name}"
    monkeypatch.setattr(background, "PATIENCE_S", 60)
    while not owner.get(f"{address}.json").get_json()["share"]:
        stopwatch.sleep(0.05)
    assert owner.post(f"{address}/cancel").status_code == 303
    assert "Cancelled. Nothing was imported" in owner.get(address).text
    folder = intake.home(settings.instance) / name
    assert [path.name for path in folder.iterdir()] == [background.STATUS]
    assert kept() == before
    assert "already ended" in owner.post(f"{address}/cancel", follow_redirects=True).text


def test_a_report_and_an_audit_that_do_not_run_cannot_be_cancelled(owned, owner):
    owned()
    db.session.commit()
    assert owner.post("/researcher/studies/mine/results/v1-0/cancel").status_code == 403  # while it is blinded
    page = owner.post("/researcher/studies/mine/preflight/cancel", follow_redirects=True).text
    assert "Not cancelled: the work had already ended" in page


def test_a_page_of_work_shows_how_far_it_is_and_offers_to_cancel_it(app, owned, owner):
    settings = app.config["SETTINGS"]
    folders = {
        "plan": planning.home(settings, planning.Wish()),
        "studies/mine/preflight": preflight.home(db.session(), owned(), settings),
        f"pools/coming/{'a' * 16}": intake.home(settings.instance) / ("a" * 16),
        f"restoring/{'a' * 16}": restoring.home(settings.instance, owner.researcher) / ("a" * 16),
    }
    for page, folder in folders.items():
        assert background.claim(folder)
        background.tell(folder, "making", 0.25, "half of a half")
        text = owner.get(f"/researcher/{page}").text
        assert 'value="0.25"' in text, page
        assert "/cancel" in text, page
