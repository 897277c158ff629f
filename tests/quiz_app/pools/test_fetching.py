"""Images come from a hospital's archive by the desk, go on where they broke off, and end as an upload does."""

import io
import json
import os
import re
import signal
import sys
import time as clock_of_the_machine
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from generation.pacs import Image
from quiz_app import background
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Event, Pool
from quiz_app.pools import fetching
from quiz_app.settings import Settings
from tests import orthanc
from tests.quiz_app.pools.test_survey import answered, pool_named
from tests.server import free_port
from tests.uploads import encoded, zipped

PACS = "/researcher/pacs"
SEARCH = {"modality": "px", "since": "2024-01-01", "until": "", "description": "PANORAMIC"}
WISHES = {"name": "From the archive", "each": "0", "practice": "0", "width": "128", "height": "64"}
STUDIES = [("PX", "20240105", "Panoramic adult", 4), ("PX", "20250301", "Panoramic: child/teeth", 2)]
STUDIES += [("PX", "20200101", "Panoramic adult", 1), ("PX", "20240101", "Other", 1), ("DX", "20240106", "Chest", 1)]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with orthanc.archive(tmp_path_factory.mktemp("orthanc")) as url:
        for number, (modality, date, description, images) in enumerate(STUDIES):
            fields = {"Modality": modality, "StudyDate": date, "StudyDescription": description}
            orthanc.store_study(url, number, images, **fields)
        yield url


@pytest.fixture
def settle(app, monkeypatch):
    """Gives the settings of the archive to this process and those it starts."""

    def settle(url, password="secret"):
        said = {"pacs_url": url, "pacs_user": "reader", "pacs_password": password}
        app.config["SETTINGS"] = replace(app.config["SETTINGS"], **said)
        for name, value in said.items():
            monkeypatch.setenv(f"DISCERN_{name.upper()}", value)

    return settle


@pytest.fixture
def line(address, settle):
    """A line to the archive, which the settings name."""
    line = orthanc.Line(address)
    settle(line.address)
    yield line
    line.cut()


def waited(client, coming):
    """The page of a work that has come to rest."""
    db.session.rollback()
    while client.get(f"{coming}.json").get_json()["state"] == "making":
        clock_of_the_machine.sleep(0.1)
    return client.get(coming).text


def searched(client, **form):
    """The address of a search that has ended."""
    response = client.post(PACS, data=SEARCH | form)
    assert response.status_code == 303, response.text
    waited(client, response.headers["Location"])
    return response.headers["Location"]


def begun(app, client, line):
    """The address and the folder of a slow fetch of six images; the first ones have arrived."""
    coming = searched(client)
    folder = app.config["SETTINGS"].instance / "intake" / coming.rpartition("/")[2]
    line.delay = 0.2
    client.post(f"{coming}/fetch", data=WISHES | {"limit": "6"})
    while not list(folder.rglob("*.dcm")):
        clock_of_the_machine.sleep(0.05)
    return coming, folder


def told(page):
    """The text of the notices."""
    return re.findall(r"<p>([^<]+)</p>", re.search(r'<div class="notice .*?</div>', page, re.S)[0])


def test_what_fits_is_counted_fetched_and_surveyed_and_more_images_make_it_a_pool(app, owner, line):
    coming = searched(owner)
    page = owner.get(coming).text
    assert "6 images in 2 studies." in page
    rows = re.findall(r'<th scope="row">(.*?)</th><td class="number">(\d+)</td><td class="number">(\d+)</td>', page)
    assert rows == [("panoramic adult", "1", "4"), ("panoramic child teeth", "1", "2")]
    assert owner.post(f"{coming}/fetch", data=WISHES | {"limit": "6"}).status_code == 303
    page = waited(owner, coming)
    folders = re.findall(r"<legend>(.*?)</legend>\s*<p class=\"quiet\">(.*?)</p>", page)
    assert folders == [("PACS - panoramic adult", "4 images"), ("PACS - panoramic child teeth", "2 images")]
    more = {f"made/{n}.png": encoded(50 + n, "PNG") for n in range(6)} | {"made/broken.png": b"none"}
    more |= {"PACS - panoramic adult/0.png": encoded(60, "PNG")}  # not among those of the archive
    assert owner.post(f"{coming}/more", data={"file": (io.BytesIO(zipped(more)), "x.zip")}).status_code == 303
    page = waited(owner, coming)
    folders = re.findall(r"<legend>(.*?)</legend>\s*<p class=\"quiet\">(\d+)", page)
    assert folders == [
        ("PACS - panoramic adult", "4"), ("PACS - panoramic adult-2", "1"), ("PACS - panoramic child teeth", "2"),
        ("made", "6"),
    ]  # fmt: skip
    classes = {"class-0": "real", "class-1": "none", "class-2": "real", "class-3": "synthetic", "faults": "leave-out"}
    assert "The pool is ready" in answered(owner, page, **classes)
    pool = pool_named("from-the-archive")
    assert len(pool.cases) == 12
    assert {case.source for case in pool.cases} == {
        "PACS - panoramic adult", "PACS - panoramic child teeth", "made"
    }  # fmt: skip
    folder = app.config["SETTINGS"].instance / "intake" / coming.rpartition("/")[2]
    assert not [path for path in folder.rglob("*") if path.is_file() and b"1.2.3." in path.read_bytes()]
    kinds = [event.kind for event in db.session.query(Event) if event.actor == "ada"]
    assert kinds[-2:] == ["pacs-searched", "pacs-fetched"]
    assert "From the archive" not in owner.get(PACS).text.partition("Unfinished")[2]


def test_a_limit_takes_images_by_a_lot_that_is_the_same_each_time(app, owner, line):
    coming = searched(owner, description="")
    for limit in ("0", "8", "many", ""):
        response = owner.post(f"{coming}/fetch", data=WISHES | {"limit": limit, "width": "1"})
        assert response.status_code == 422
        assert f"limit: &#39;{limit}&#39; is not a whole number from 1 to 7" in response.text
        assert "width:" in response.text
    folder = app.config["SETTINGS"].instance / "intake" / coming.rpartition("/")[2]
    owner.post(f"{coming}/fetch", data=WISHES | {"limit": "3"})
    waited(owner, coming)
    found = fetching.Found.load(folder)
    here = {path.relative_to(folder / "unpacked") for path in folder.rglob("*.dcm")}
    assert here == set(found.chosen(3).values())
    assert len(here) == 3
    assert [image.instance for image in found.images] != sorted(image.instance for image in found.images)


def test_a_line_that_breaks_is_told_and_fetching_goes_on_where_it_was(app, owner, line):
    coming, folder = begun(app, owner, line)
    line.cut()
    page = waited(owner, coming)
    here = len(list(folder.rglob("*.dcm")))
    assert 0 < here < 6
    assert told(page) == [
        "The archive cannot be reached.",
        f"{here} of 6 images have been fetched. They will not be fetched again.",
    ]
    line.mend()
    first = min(folder.rglob("*.dcm"), key=lambda path: path.stat().st_mtime)
    written = first.stat().st_mtime_ns
    assert owner.post(f"{coming}/resume").status_code == 303
    assert "Images found" in waited(owner, coming)
    assert len(list(folder.rglob("*.dcm"))) == 6
    assert first.stat().st_mtime_ns == written


def processes_at(folder):
    """The numbers of the processes begun here that work in `folder`, as Linux lists them."""
    begun_here = f"PPid:\t{os.getpid()}\n"  # a process of theirs bears their name until it begins its own program
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended since
            if str(folder).encode() in path.read_bytes() and begun_here in path.with_name("status").read_text():
                yield int(path.parent.name)


def test_a_process_that_is_killed_is_noticed_and_another_goes_on(app, owner, line):
    coming, folder = begun(app, owner, line)
    at_work = list(processes_at(folder))  # the fetch, and perhaps the search, which has told its end and is leaving
    assert at_work
    for process in at_work:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    long_ago = clock_of_the_machine.time() - background.SILENT_FOR_S - 1
    os.utime(folder / background.STATUS, (long_ago, long_ago))
    assert told(owner.get(coming).text)[0] == "The process doing this work has stopped. Please try again."
    line.delay = 0
    owner.post(f"{coming}/resume")
    assert "Images found" in waited(owner, coming)
    assert len(list(folder.rglob("*.dcm"))) == 6


def test_where_the_making_of_the_pool_is_killed_the_survey_is_asked_about_again(app, owner, line):
    coming = searched(owner)
    folder = app.config["SETTINGS"].instance / "intake" / coming.rpartition("/")[2]
    owner.post(f"{coming}/fetch", data=WISHES | {"limit": "6"})
    waited(owner, coming)
    background.tell(folder, "making", 0.5, "writing the pool")
    long_ago = clock_of_the_machine.time() - background.SILENT_FOR_S - 1
    os.utime(folder / background.STATUS, (long_ago, long_ago))
    assert told(owner.get(coming).text)[1] == "6 of 6 images have been fetched. They will not be fetched again."
    owner.post(f"{coming}/resume")
    assert "Images found" in owner.get(coming).text


def test_fetching_is_paused_listed_and_discarded_with_every_file(app, owner, line):
    coming = searched(owner)
    folder = app.config["SETTINGS"].instance / "intake" / coming.rpartition("/")[2]
    line.delay = 0.2
    owner.post(f"{coming}/fetch", data=WISHES | {"limit": "6"})
    assert owner.post(f"{coming}/pause").status_code == 303
    assert told(waited(owner, coming))[0] == "Paused."
    assert "interrupted" in owner.get(PACS).text
    assert owner.post(f"{coming}/pause").status_code == 409
    assert owner.post(f"{coming}/more").status_code == 409
    assert owner.post(coming, data={"stop": "yes"}).status_code == 409
    assert owner.post(f"{coming}/discard").status_code == 303
    assert not list(folder.rglob("*.dcm"))
    assert not (folder / fetching.FOUND).exists()
    assert "interrupted" not in owner.get(PACS).text
    assert owner.post(f"{coming}/resume").status_code == 409


def test_a_wrong_password_is_told_without_it_and_without_the_address_and_can_be_put_right(owner, address, settle):
    settle(address, password="guess-of-mine")
    coming = searched(owner)
    page = owner.get(coming).text
    assert told(page) == [
        "The archive refused the user, password or token (HTTP 401).",
        "The search is not complete.",
    ]
    for text in (page, owner.get(PACS).text):
        assert "guess-of-mine" not in text
        assert address.removeprefix("http://") not in text
    settle(address)
    owner.post(f"{coming}/resume")
    assert "6 images in 2 studies." in waited(owner, coming)


def test_a_search_that_finds_nothing_says_so(owner, line):
    assert "No images in the archive match this search." in owner.get(searched(owner, modality="MG")).text


def test_what_cannot_be_searched_for_is_told_by_field(owner, line):
    response = owner.post(PACS, data={"modality": "panoramic", "since": "2024-02-30", "until": "x"})
    assert response.status_code == 422
    for field in ("modality", "since", "until"):
        assert f'id="{field}-fault"' in response.text


def test_without_an_address_or_the_extra_the_page_says_in_a_sentence_what_to_do(owner, settle, monkeypatch):
    page = owner.get(PACS).text
    assert "Set pacs_url in settings.toml, or DISCERN_PACS_URL, to the DICOMweb address of your archive." in page
    assert '<button class="primary">Search' not in page
    assert owner.post(PACS, data=SEARCH).status_code == 422
    settle("archive.example")
    assert "DICOMweb address is missing" in owner.get(PACS).text
    settle(f"http://127.0.0.1:{free_port()}/dicom-web")
    monkeypatch.setitem(sys.modules, "dicomweb_client.api", None)
    assert "pip install &#39;discern[pacs]&#39;" in owner.get(PACS).text


def test_an_image_that_is_gone_is_listed_and_left_out_only_when_that_is_chosen(app, owner, line):
    coming = searched(owner)
    folder = app.config["SETTINGS"].instance / "intake" / coming.rpartition("/")[2]
    images = json.loads((folder / fetching.FOUND).read_text())
    images[0][2] += ".99"  # deleted from the archive since
    (folder / fetching.FOUND).write_text(json.dumps(images))
    owner.post(f"{coming}/fetch", data=WISHES | {"limit": "6"})
    page = waited(owner, coming)
    assert "The archive no longer has this image (HTTP 404)" in page
    more = {f"made/{n}.png": encoded(50 + n, "PNG") for n in range(5)}
    owner.post(f"{coming}/more", data={"file": (io.BytesIO(zipped(more)), "x.zip")})
    page = waited(owner, coming)
    assert page.count("no longer has this image") == 1
    page = answered(
        owner, page, **{f"class-{n}": c for n, c in enumerate(("real", "real", "synthetic"))}, faults="leave-out"
    )
    assert "The pool is ready" in page
    assert set(pool_named("from-the-archive").manifest["flow"]["left_out"]) >= {"not_fetched"}
    assert pool_named("from-the-archive").manifest["left_out"] == [
        {"truth": "real", "sha256": "", "why": "The archive no longer has this image (HTTP 404)"}
    ]


def test_where_no_image_can_be_fetched_that_is_said_and_nothing_is_surveyed(app, owner, line):
    coming = searched(owner)
    folder = app.config["SETTINGS"].instance / "intake" / coming.rpartition("/")[2]
    images = json.loads((folder / fetching.FOUND).read_text())
    (folder / fetching.FOUND).write_text(json.dumps([[*image[:2], "9.9", image[3]] for image in images]))
    owner.post(f"{coming}/fetch", data=WISHES | {"limit": "1"})
    assert told(waited(owner, coming)) == [
        "No image could be fetched.",
        "The archive no longer has this image (HTTP 404).",
        "0 of 1 images have been fetched. They will not be fetched again.",
    ]


def test_more_that_cannot_be_unpacked_or_too_few_images_are_told_where_it_was_asked(owner, line):
    coming = searched(owner)
    owner.post(f"{coming}/fetch", data=WISHES | {"limit": "6", "practice": "4"})
    waited(owner, coming)
    assert owner.post(f"{coming}/more").status_code == 422
    owner.post(f"{coming}/more", data={"file": (io.BytesIO(b"no zip"), "x.zip")})
    page = waited(owner, coming)
    assert "zip: cannot be read" in page
    assert "Images found" in page
    page = answered(owner, page, **{"class-0": "real", "class-1": "synthetic"})
    assert "zip: too few images (4 real, 2 synthetic)" in page
    assert "Images found" in page
    assert owner.post(coming, data={"stop": "yes"}).status_code == 303
    assert db.session.query(Pool).count() == 1


def test_many_descriptions_share_a_folder_and_hard_ones_are_names_of_folders():
    images = [Image(f"1.{n}", "1", "1", f"Study {n}") for n in range(30)]
    chosen = fetching.Found(images).chosen(30)
    folders = {path.parent.name for path in chosen.values()}
    assert len(folders) == fetching.NAMED + 1
    assert "PACS - other descriptions" in folders
    hard = [
        Image("1", "1", str(n), words)
        for n, words in enumerate(("", "../..", 'a/b\\c:"<>|?*', "x" * 500, "PAN ", "pan"))
    ]
    names = [path.parts[0] for path in fetching.Found(hard).chosen(9).values()]
    assert names == [
        *("PACS - no description", "PACS - no description", "PACS - a b c", "PACS - " + "x" * 60),
        *("PACS - pan", "PACS - pan"),
    ]  # fmt: skip
    assert len(set(fetching.Found(hard).chosen(9).values())) == 6


def test_the_settings_of_the_archive_come_from_the_file_and_the_environment(tmp_path):
    (tmp_path / "settings.toml").write_text('pacs_url = "https://archive.example/dicom-web"\npacs_user = "a"\n')
    settings = Settings.load({"DISCERN_PACS_USER": "b", "DISCERN_PACS_TOKEN": "t"}, instance=tmp_path)
    found = fetching.archive(settings)
    assert (found.url, found.user, found.token) == ("https://archive.example/dicom-web", "b", "t")
    assert "'t'" not in repr(found)
    with pytest.raises(InvalidInputError, match="Set pacs_url"):
        fetching.archive(Settings.load({}, instance=tmp_path / "other"))
