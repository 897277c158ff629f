"""An archive is made and restored in the background at the desk; cancelled work leaves nothing, none is kept long."""

import io
import os
import re
import time as stopwatch
import zipfile
from datetime import timedelta

import pytest
import sqlalchemy as sa

from quiz_app import background
from quiz_app.database import db, reading
from quiz_app.exchange import archive, archiving, responses_csv, restoring
from quiz_app.models import Case, Event, Pool, Reader, Study
from quiz_app.study import lifecycle, reports
from tests.crowds import crowd
from tests.quiz_app.conftest import downloaded_archive, ended
from tests.quiz_app.test_authorisation import apart  # noqa: F401  (a fixture)

PAGE = "/researcher/studies/mine/archive"
RESTORE = "/researcher/studies/new/archive"


@pytest.fixture
def closed(owned, invite):
    """A closed study with a reader."""
    study = owned()
    invite(study, "R1").enter().finish()
    lifecycle.close(study)
    db.session.commit()
    return study


def folders(app):
    """Where archives of the study lie."""
    return list((app.config["SETTINGS"].instance / "reports").glob(f"*/{archiving.HOME}/*"))


def uploaded(owner, data):
    """The address of the page about an archive that was uploaded to be restored."""
    head = b'--mark\r\nContent-Disposition: form-data; name="archive"; filename="mine.zip"\r\n\r\n'
    body, kind = head + data + b"\r\n--mark--\r\n", "multipart/form-data; boundary=mark"
    with owner.post(RESTORE, data=body, content_type=kind) as response:  # the client would leave a file of its own open
        assert response.status_code == 303
        return response.headers["Location"]


def work_at(app, address):
    """The folder of the work that the page at `address` is about."""
    [folder] = (app.config["SETTINGS"].instance / "restoring").glob(f"*/{address.rpartition('/')[2]}")
    return folder


def reached(folder, share):
    """Wait until the work in `folder` is as far as `share`, and still at it."""
    while (work := background.find(folder)).state == "making" and work.share < share:
        stopwatch.sleep(0.01)
    assert work.state == "making"


def test_an_archive_is_made_for_the_owner_after_the_close_and_its_download_is_recorded(app, owner, owned):
    study = owned()
    assert "there is none until the study is closed" in owner.get(PAGE).text
    assert owner.post(PAGE).status_code == 403
    assert folders(app) == []
    lifecycle.close(study)
    db.session.commit()
    data = downloaded_archive(owner, "mine")
    stored = set(db.session.scalars(sa.select(Case.stored)))
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert {name.removeprefix("images/") for name in file.namelist() if name.startswith("images/")} == stored
        assert file.testzip() is None
    [event] = db.session.query(Event).filter_by(kind="handed-over")
    assert (event.actor, event.details["file"]) == ("ada", "mine-archive.zip")
    page = owner.get(PAGE).text
    assert "Nothing in the study has changed since" in page  # its download is no change of the study
    assert "Create archive" not in page


def test_no_archive_is_handed_over_while_the_study_is_blinded(app, owner, closed):
    downloaded_archive(owner, "mine")
    [address] = re.findall(rf'href="({PAGE}/[^"]*).zip"', owner.get(PAGE).text)
    closed.state = "open"
    db.session.commit()
    for path, method in (("zip", "GET"), ("json", "GET")):
        assert owner.open(f"{address}.{path}", method=method).status_code == 403
    assert owner.post(f"{address}/cancel").status_code == 403
    assert address not in owner.get(PAGE).text


def test_an_archive_that_the_study_has_left_behind_is_called_so_and_replaced(app, owner, closed, reader_called):
    downloaded_archive(owner, "mine")
    [old] = re.findall(rf'href="({PAGE}/[^"]*.zip)"', owner.get(PAGE).text)
    reader_called("R1").years = 7
    owner.post("/researcher/studies/mine/put-away", data={"away": "yes"})
    page = owner.get(PAGE).text
    assert "The study has changed since, and this archive does not contain the changes." in page
    assert "Download earlier archive" in page
    assert "Create archive" in page
    downloaded_archive(owner, "mine")
    [new] = re.findall(rf'href="({PAGE}/[^"]*.zip)"', owner.get(PAGE).text)
    assert new != old
    assert owner.get(old).status_code == 404
    assert len(folders(app)) == 1


def test_every_answer_and_every_report_makes_an_archive_an_earlier_one(app, owner, owned, invite):
    study, instance = owned(), app.config["SETTINGS"].instance
    lifecycle.unblind(study, "to see")
    db.session.commit()
    keys = []

    def look():
        with reading() as session:
            keys.append(archiving.key(session, instance, session.query(Study).filter_by(slug="mine").one()))

    look()
    taker = invite(study).enter()
    look()
    taker.onset()
    look()
    taker.answer()
    look()
    folder = reports.home(instance, study) / reports.key(db.session(), study)
    folder.mkdir(parents=True)
    (folder / "archive.zip").touch()
    background.tell(folder, "done", 1.0)
    look()
    assert len(set(keys)) == len(keys)


def test_an_archive_goes_with_the_answers_of_a_reader_and_after_a_day(app, owner, closed, reader_called):
    downloaded_archive(owner, "mine")
    number = reader_called("R1").id
    assert len(folders(app)) == 1
    owner.post(f"/researcher/studies/mine/readers/{number}/delete", data={"reason": "asked for it"})
    assert folders(app) == []
    downloaded_archive(owner, "mine")
    [folder] = folders(app)
    moment = stopwatch.time() - archiving.KEPT.total_seconds()
    os.utime(folder / background.STATUS, (moment + 60, moment + 60))
    owner.get("/researcher/")
    assert folders(app) == [folder]
    os.utime(folder / background.STATUS, (moment - 60, moment - 60))
    owner.get("/researcher/")
    assert folders(app) == []


def test_an_archive_is_cancelled_on_the_way_and_nothing_of_it_is_kept(app, owner, closed, monkeypatch):
    monkeypatch.setattr(background, "PATIENCE_S", 60)
    crowd(closed.pool, app.config["SETTINGS"].images)
    assert owner.post(PAGE).status_code == 303
    [folder] = folders(app)
    reached(folder, 0.1)
    assert [path.name for path in folder.glob("*.zip*")] == ["archive.zip.part"]
    page = owner.get(PAGE).text
    assert re.search(r"writing image \d+ of 5015", page)
    assert "Create archive" not in page
    assert owner.post(f"{PAGE}/{folder.name}/cancel").status_code == 303
    assert [path.name for path in folder.iterdir()] == [background.STATUS]
    page = owner.get(PAGE).text
    assert "Nothing was kept" in page
    assert "Create archive" in page
    assert owner.get(f"{PAGE}/{folder.name}.zip").status_code == 404


def test_a_study_is_restored_at_the_desk_as_it_was_and_belongs_to_who_uploaded_it(app, owner, closed, log_in):
    data = downloaded_archive(owner, "mine")
    with reading() as session:
        before = "".join(responses_csv.lines(session, "mine"))
    db.session.delete(closed)
    db.session.commit()
    address = uploaded(owner, data)
    assert ended(owner, address)["state"] == "done"
    page = owner.get(address).text
    assert "The study has been restored exactly as it was archived." in page
    assert 'href="/researcher/studies/mine/"' in page
    db.session.expire_all()
    assert lifecycle.find("mine").owner.name == "ada"
    [event] = db.session.query(Event).filter_by(kind="study-restored")
    assert event.actor == "ada"
    with reading() as session:
        assert "".join(responses_csv.lines(session, "mine")) == before
    folder = work_at(app, address)
    assert not (folder / restoring.UPLOAD).exists()
    stranger = log_in("eve")
    for path, method in ((address, "GET"), (f"{address}.json", "GET"), (f"{address}/cancel", "POST")):
        assert stranger.open(path, method=method).status_code == 404
    db.session.delete(lifecycle.find("mine"))
    db.session.commit()
    assert "is no longer here" in owner.get(address).text


def test_an_archive_that_cannot_be_restored_is_refused_on_its_page(app, owner, closed):
    data = downloaded_archive(owner, "mine")
    assert "archive: choose a file" in owner.post(RESTORE).text
    for wrong, fault in (
        (b"no zip", "archive: cannot be read"),
        (data, "a study called &#39;mine&#39; already exists here"),
    ):
        address = uploaded(owner, wrong)
        assert ended(owner, address)["state"] == "failed"
        page = owner.get(address).text
        assert "Nothing was restored." in page
        assert fault in page
        folder = work_at(app, address)
        assert [path.name for path in folder.iterdir()] == [background.STATUS]
    assert db.session.query(Study).count() == 1


def test_restoring_is_cancelled_on_the_way_and_leaves_no_study_no_pool_and_no_image(app, owner, closed, monkeypatch):
    monkeypatch.setattr(background, "PATIENCE_S", 60)
    settings = app.config["SETTINGS"]
    crowd(closed.pool, settings.images)
    file = io.BytesIO()
    with reading() as session:
        archive.write(session, session.query(Study).one(), settings.images, file)
    pool = closed.pool
    for gone in (closed, *pool.cases, pool):
        db.session.delete(gone)
    db.session.commit()
    for path in settings.images.iterdir():
        path.unlink()
    address = uploaded(owner, file.getvalue())
    folder = work_at(app, address)
    reached(folder, archive.CHECKED + 0.01)
    assert len(list(settings.images.rglob("*.png"))) > 0  # beside those that readers get
    assert re.search(r"unpacking image \d+ of 5015", owner.get(address).text)
    assert owner.post(f"{address}/cancel").status_code == 303
    assert "Cancelled. Nothing was restored" in owner.get(address).text
    assert [path.name for path in folder.iterdir()] == [background.STATUS]
    assert list(settings.images.iterdir()) == []
    db.session.rollback()
    assert [db.session.query(model).count() for model in (Study, Pool, Case, Reader)] == [0, 0, 0, 0]


def test_no_readers_answer_waits_while_an_archive_is_checked_and_unpacked(app, owner, closed, tmp_path):
    (tmp_path / "mine.zip").write_bytes(downloaded_archive(owner, "mine"))
    db.session.delete(closed)
    db.session.commit()
    told = []

    def look(share, what):
        told.append((share, db.session().in_transaction()))

    archive.restore(tmp_path / "mine.zip", app.config["SETTINGS"].images, progress=look)
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, archive.UNPACKED)
    assert not any(held for _, held in told)


def test_what_a_killed_server_left_of_an_upload_goes_after_a_day(app, owner):
    home = restoring.home(app.config["SETTINGS"].instance, owner.researcher)
    (home / "tmpx").mkdir(parents=True)
    (home / "tmpx" / "upload.zip").touch()
    owner.get("/researcher/")
    assert (home / "tmpx" / "upload.zip").exists()
    long_ago = stopwatch.time() - (restoring.KEPT + timedelta(minutes=1)).total_seconds()
    os.utime(home / "tmpx", (long_ago, long_ago))
    owner.get("/researcher/")
    assert not (home / "tmpx").exists()
