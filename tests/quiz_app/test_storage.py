"""Images are stored in a folder or a bucket: a pool is complete or not there, and only the application serves it."""

import io
import sys
import zipfile
from pathlib import PurePosixPath

import fsspec
import pytest
from PIL import Image

from quiz_app import create_app, storage
from quiz_app.database import db, let_go
from quiz_app.errors import InvalidInputError, SettingsError
from quiz_app.exchange import archive
from quiz_app.models import Case
from quiz_app.pools import importing
from quiz_app.settings import Settings
from quiz_app.study import lifecycle, readers
from tests.databases import copied
from tests.quiz_app.conftest import Taker

BUCKET = "s3://radiographs/study-1"


@pytest.fixture
def memory():
    """fsspec's bucket in memory, empty."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.fixture
def clouded(prepared, tmp_path, s3):
    """The application with its images in the bucket."""
    with copied(prepared, tmp_path / "instance") as settings:
        (settings.instance / "settings.toml").write_text(f'images_url = "{BUCKET}"\n')
        settings = Settings.load({}, instance=settings.instance, database_url=settings.database_url)
        app = create_app(settings)
        app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
        yield app
        with app.app_context():
            let_go(app)


def test_a_pool_in_a_bucket_is_read_by_a_reader_who_never_learns_of_the_bucket(clouded, s3, pool_folder, tmp_path):
    with clouded.app_context():
        pool = importing.import_folder(pool_folder, clouded.config["SETTINGS"].images, "clouded")
        settings = {"groups": [], "ask_years": False, "break_every": 0, "practice": 0}
        study = lifecycle.create("In the cloud", pool, slug="clouded", seed=1, settings=settings)
        lifecycle.open_study(study)
        _, token = readers.invite(study, "R1")
        db.session.commit()
        stored, served_bytes = {case.stored for case in pool.cases}, pool.served_bytes
    assert {PurePosixPath(path).name for path in s3.find(BUCKET)} == stored
    assert not stored & {path.name for path in (tmp_path / "instance" / "images").iterdir()}
    taker = Taker(clouded.test_client(), token).enter()
    taker.go_on()
    taker.onset()
    clear = taker.trial["images"][0]["address"]
    response = taker.client.get(clear)
    assert response.status_code == 200
    assert len(response.data) == served_bytes
    with Image.open(io.BytesIO(response.data)) as image:
        assert image.size == (64, 32)
    assert "radiographs" not in str(taker.step) + str(response.headers)
    sealed = taker.client.get(clear.replace("/images/", "/sealed/"))
    assert len(sealed.data) == served_bytes + 16
    assert response.data not in sealed.data
    s3.rm(BUCKET, recursive=True)
    assert taker.client.get(clear).status_code == 503
    taker.finish()  # answers need no bucket


def test_while_an_image_is_fetched_no_answer_waits(app, make_study, invite, monkeypatch):
    taker = invite(make_study(practice=0)).enter()
    taker.go_on()
    taker.onset()
    clear, read, held = taker.trial["images"][0]["address"], storage.read, []

    def slow(*given):
        held.append(db.session().in_transaction())
        return read(*given)

    monkeypatch.setattr(storage, "read", slow)
    for address in (clear, clear.replace("/images/", "/sealed/")):
        assert taker.client.get(address).status_code == 200
    assert held == [False, False]


def test_an_archive_takes_its_images_from_the_bucket(clouded, s3, pool_folder, tmp_path):
    file = tmp_path / "archive.zip"
    with clouded.app_context():
        pool = importing.import_folder(pool_folder, clouded.config["SETTINGS"].images, "clouded")
        study = lifecycle.create("In the cloud", pool, slug="clouded", seed=1)
        db.session.commit()
        with file.open("wb") as out:
            archive.write(db.session(), study, clouded.config["SETTINGS"].images, out)
        one = db.session.query(Case).filter_by(pool_id=pool.id).first()
        kept = s3.cat_file(f"{BUCKET}/{one.stored}")
    with zipfile.ZipFile(file) as archived:
        assert archived.read(f"images/{one.stored}") == kept


def test_a_bucket_that_is_not_there_is_named_and_is_not_made(s3):
    store = storage.at("s3://nowhere/at-all")
    with pytest.raises(SettingsError, match=r"images_url: s3://nowhere/at-all does not accept images: .*bucket"):
        storage.assert_usable(store)
    assert not s3.exists("s3://nowhere")
    storage.assert_usable(storage.at(BUCKET))
    assert s3.find("radiographs") == []


def test_an_upload_that_fails_in_its_middle_leaves_nothing_of_itself(memory, monkeypatch, app, pool_folder):
    store = storage.at("memory://images")
    with storage.putting(store) as staging:
        (staging / "older.png").write_bytes(b"older")
    put_file, put = type(memory).put_file, []

    def failing(self, source, target, **more):
        if len(put) == 5:
            raise OSError("the line is dead")
        put.append(target)
        return put_file(self, source, target, **more)

    monkeypatch.setattr(type(memory), "put_file", failing)
    with pytest.raises(
        InvalidInputError, match="images_url: memory://images does not accept images: OSError: the line is dead"
    ):
        importing.import_folder(pool_folder, store, "again")
    assert len(put) == 5
    assert memory.find("/images") == ["/images/older.png"]


def test_files_of_a_bucket_can_be_had_on_disk_for_a_while(memory):
    store = storage.at("memory://images")
    with storage.putting(store) as staging:
        for name in ("a.png", "b.png"):
            (staging / name).write_bytes(name.encode())
    with storage.on_disk(store, ["b.png", "a.png"]) as folder:
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.png": b"a.png", "b.png": b"b.png"}
    assert not folder.exists()
    with (
        pytest.raises(InvalidInputError, match=r"c\.png cannot be read: FileNotFoundError"),
        storage.on_disk(store, ["c.png"]),
    ):
        pass


@pytest.mark.parametrize("address", ["nosuch://bucket", "no address at all"])
def test_an_address_of_no_known_kind_is_named_at_the_start(tmp_path, address):
    with pytest.raises(SettingsError, match=f"images_url: {address} cannot be used: .*pip install"):
        Settings.load({"DISCERN_IMAGES_URL": address}, instance=tmp_path)


def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(SettingsError, match=r"s3://bucket cannot be used: .*pip install 'discern\[cloud\]'"):
        Settings.load({"DISCERN_IMAGES_URL": "s3://bucket"}, instance=tmp_path)
