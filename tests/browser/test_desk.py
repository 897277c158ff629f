"""A study made from nothing in the browser: images, pre-flight, readers, live, close, archive, restored elsewhere."""

import os
import re
import threading
import zipfile
from pathlib import Path

import flask_migrate
import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from quiz_app import create_app, simulation
from quiz_app.database import db
from quiz_app.exchange import archive
from quiz_app.models import Case, Pool, Study
from quiz_app.settings import Settings
from quiz_app.study import lifecycle, researchers
from quiz_app.study import readers as study_readers
from tests.crowds import crowd
from tests.server import Server
from tests.uploads import MIXED, zipped

pytestmark = pytest.mark.browser


def first_password(app):
    with app.app_context():
        password = researchers.ensure_first()
        db.session.remove()
    return password


def log_in(page, url, password):
    page.goto(f"{url}/researcher/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()


def assert_accessible(page):
    """Axe has nothing to say, and nothing sticks out sideways, wide and narrow."""
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        found = Axe().run(page).response["violations"]
        assert not found, [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 1280, "height": 800})


def downloaded(page, name, folder):
    with page.expect_download() as download:
        page.get_by_role("link", name=name).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def in_tab(page, name):
    page.get_by_role("navigation", name="Study").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


@pytest.fixture
def elsewhere(tmp_path):
    """The address and first password of another, empty installation."""
    settings = Settings.load({}, instance=tmp_path / "elsewhere")
    app = create_app(settings)
    with app.app_context():
        flask_migrate.upgrade()
    password = first_password(app)
    server = Server({"DISCERN_INSTANCE": str(settings.instance), "DISCERN_DATABASE_URL": settings.database_url})
    yield server.url, password
    server.kill()


def test_a_study_from_nothing_to_a_restored_archive(own_house, elsewhere, new_context, tmp_path):
    page = new_context().new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    log_in(page, own_house.server.url, first_password(own_house.app))

    page.get_by_role("link", name="Pools").click()
    (tmp_path / "mixed.zip").write_bytes(zipped(MIXED))
    page.get_by_label("Files or a zip").set_input_files(tmp_path / "mixed.zip")
    for label, value in (("Name", "Mixed"), ("Practice cases", "2"), ("Width", "128"), ("Height", "64")):
        page.get_by_label(label).fill(value)
    assert_accessible(page)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("The pool is ready")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("not kept from 1 DICOM file(s): PatientName")).to_be_visible()

    page.get_by_role("link", name="Create a study with this pool").click()
    expect(page.get_by_label("Title")).to_be_focused()
    page.keyboard.type("From nothing")
    expect(page.get_by_label("Pool", exact=True)).to_have_value("mixed")
    page.get_by_label("untimed").check()
    assert_accessible(page)
    page.get_by_role("button", name="Create draft", exact=True).click()

    in_tab(page, "Pre-flight")
    expect(page.get_by_text("This study cannot open yet")).to_be_visible()
    assert_accessible(page)
    in_tab(page, "Settings")
    page.get_by_label("Practice cases").fill("2")
    page.get_by_label("Interval (ms)").fill("0")
    assert_accessible(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved: ")).to_be_visible()
    in_tab(page, "Pre-flight")
    expect(page.get_by_text("Ready to open.")).to_be_visible()
    page.get_by_role("button", name="Open study").click()

    in_tab(page, "Readers")
    page.get_by_role("textbox", name="Pseudonyms").fill("EC1 EC2")
    assert_accessible(page)
    page.get_by_role("button", name="Create links").click()
    expect(page.get_by_role("img", name="QR code of the link of EC1")).to_be_visible()
    assert_accessible(page)

    in_tab(page, "Live")
    expect(page.get_by_text("0 reading now, 0 of 2 finished")).to_be_visible()
    page.get_by_role("button", name="Reader").click()
    page.evaluate("window.untouched = true")
    arguments = {"app": own_house.app, "slug": "from-nothing", "count": 2, "url": own_house.server.url}
    readers = threading.Thread(target=simulation.run, kwargs=arguments)
    readers.start()
    expect(page.get_by_text("2 of 4 finished, 12 answers")).to_be_visible(timeout=120_000)
    readers.join()
    assert page.evaluate("window.untouched")  # the page was not loaded again, and is still sorted
    expect(page.get_by_role("columnheader", name="Reader")).to_have_attribute("aria-sort", "ascending")
    assert_accessible(page)

    in_tab(page, "Results")
    expect(page.get_by_text("stay hidden until the study is closed")).to_be_visible()
    in_tab(page, "Overview")
    assert_accessible(page)
    page.get_by_role("button", name="Close study").click()
    expect(page.get_by_text("The study is closed")).to_be_visible()
    everything = downloaded(page, "Everything (zip)", tmp_path)
    page.get_by_role("link", name="Archive (zip)").click()
    page.get_by_role("button", name="Create archive").click()
    expect(page.get_by_text("Nothing in the study has changed since")).to_be_visible(timeout=60_000)
    assert_accessible(page)
    archive = downloaded(page, "Download archive", tmp_path)
    for tab in ("Team", "Log", "Results"):
        in_tab(page, tab)
        assert_accessible(page)

    url, password = elsewhere
    page = new_context().new_page()
    log_in(page, url, password)
    page.get_by_role("link", name="New study").click()
    page.get_by_label("Archive (zip)").set_input_files(archive)
    page.get_by_role("button", name="Restore study").click()
    expect(page.get_by_text("restored exactly as it was archived")).to_be_visible(timeout=60_000)
    assert_accessible(page)
    page.get_by_role("link", name="Open From nothing").click()
    (tmp_path / "restored").mkdir()
    restored = downloaded(page, "Everything (zip)", tmp_path / "restored")
    with zipfile.ZipFile(everything) as here, zipfile.ZipFile(restored) as there:
        assert here.read("responses.csv").count(b"\n") == 1 + 2 * (6 + 2)
        for name in ("responses.csv", "trials.csv", "readers.csv", "cases.csv", "study.toml", "mrmcaov.csv"):
            assert here.read(name) == there.read(name), name


@pytest.mark.parametrize("width", [1440, 390])
def test_archiving_and_restoring_show_how_far_they_are_and_are_cancelled(own_house, new_context, tmp_path, width):
    slug, file = own_house.invite().slug, tmp_path / "whole.zip"
    images = own_house.app.config["SETTINGS"].images
    with own_house.app.app_context():
        study = lifecycle.find(slug)
        lifecycle.close(study)
        crowd(study.pool, images, 20_000)
        db.session.remove()
    page = new_context().new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.set_viewport_size({"width": width, "height": 900})
    log_in(page, own_house.server.url, first_password(own_house.app))
    page.goto(f"{own_house.server.url}/researcher/studies/{slug}/archive")
    page.get_by_role("button", name="Create archive").click()
    expect(page).to_have_title(re.compile(r"\d+ % · Archive"), timeout=60_000)
    expect(page.get_by_role("progressbar", name="Archive")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shot(page, f"archive-{width}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled. Nothing was kept.")).to_be_visible(timeout=60_000)
    assert_accessible(page)

    with own_house.app.app_context():
        study = lifecycle.find(slug)
        with file.open("wb") as out:
            archive.write(db.session(), study, images, out)
        db.session.delete(study)  # as in another installation
        db.session.flush()
        for model in (Case, Pool):
            db.session.execute(sa.delete(model).where(sa.true()))
        db.session.commit()
        db.session.remove()
    page.goto(f"{own_house.server.url}/researcher/studies/new")
    page.set_viewport_size({"width": width, "height": 900})
    page.get_by_label("Archive (zip)").set_input_files(file)
    page.get_by_role("button", name="Restore study").click()
    expect(page).to_have_title(re.compile(r"\d+ % · Restoring a study"), timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shot(page, f"restoring-{width}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled. Nothing was restored")).to_be_visible(timeout=60_000)
    assert_accessible(page)


@pytest.mark.parametrize("width", [1440, 390])
def test_a_withdrawn_link_is_given_back_by_undo(own_house, new_context, width):
    slug = own_house.invite().slug
    page = new_context().new_page()
    log_in(page, own_house.server.url, first_password(own_house.app))
    page.goto(f"{own_house.server.url}/researcher/studies/{slug}/readers")
    page.get_by_role("link", name="R1").click()
    withdraw = page.locator("form", has=page.get_by_role("button", name="Withdraw link"))
    withdraw.get_by_label("Reason").fill("sent to the wrong person")
    withdraw.get_by_role("button").click()
    expect(page.get_by_text("The link of R1 no longer works.")).to_be_visible()
    expect(page.get_by_label("Select every reader shown")).to_be_visible()  # the page's script is there
    assert_accessible(page)
    page.set_viewport_size({"width": width, "height": 900})
    shot(page, f"undo-{width}")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("R1 can use the same links again.")).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


@pytest.mark.parametrize("width", [1440, 390])
def test_a_dropped_folder_is_asked_about_and_becomes_a_pool(own_house, new_context, tmp_path, width):
    for name, data in MIXED.items():
        path = tmp_path / name.replace("a.dcm", "IM0001").replace("Real", "Röntgen").replace("Synthetic", "made")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "set" / "Röntgen" / "broken.png").write_bytes(b"no image")
    page = new_context().new_page()
    page.set_viewport_size({"width": width, "height": 900})
    log_in(page, own_house.server.url, first_password(own_house.app))
    page.goto(f"{own_house.server.url}/researcher/pools/")
    upload = page.get_by_role("button", name="Upload")
    expect(page.get_by_text("Drop files, folders or a zip here")).to_be_visible()  # the page's script is there
    upload.click()
    expect(page.get_by_role("alert")).to_have_text("Choose files, a folder or a zip first.")
    page.get_by_label("A folder").set_input_files(tmp_path / "set")
    drop(page, {"extra.png": MIXED["set/Real/b.png"]})
    chosen = page.get_by_role("list", name="Chosen").get_by_role("listitem")
    expect(chosen).to_contain_text(["extra.png", "set/made: 4 files", "set/Röntgen: 5 files"])
    page.get_by_role("button", name="Remove extra.png").click()
    expect(chosen).to_have_count(2)
    assert_accessible(page)
    for label, value in (("Name", "Loose"), ("Practice cases", "99"), ("Width", "128"), ("Height", "64")):
        page.get_by_label(label).fill(value)
    page.locator("form[data-upload]").evaluate("form => (form.noValidate = true)")
    upload.click()
    expect(page.get_by_role("alert")).to_have_text("practice: '99' is not a whole number from 0 to 50")
    page.get_by_label("Practice cases").fill("2")
    upload.click()
    expect(page.get_by_role("heading", name="Images found")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("Röntgen/broken.png: not readable as a radiograph")).to_be_visible()
    assert_accessible(page)  # at other widths
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shot(page, f"survey-{width}")
    page.get_by_role("group", name="Röntgen").get_by_label("Real").check()
    page.get_by_role("group", name="made").get_by_label("Synthetic").check()
    page.get_by_label("Leave these out").check()
    page.get_by_role("button", name="Create pool").click()
    expect(page.get_by_text("The pool is ready")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("3 cases of each class and 2 for practice")).to_be_visible()
    expect(page.get_by_text("skipped, not readable: set/Röntgen/broken.png")).to_be_visible()
    expect(page.get_by_text("left aside")).to_have_count(0)  # what a system hides did not even travel
    assert_accessible(page)


def drop(page, files):
    """Let go of files over the drop zone, as a browser does."""
    transfer = page.evaluate_handle(
        """files => {
          const held = new DataTransfer();
          for (const [name, bytes] of Object.entries(files)) held.items.add(new File([new Uint8Array(bytes)], name));
          return held;
        }""",
        {name: list(data) for name, data in files.items()},
    )
    page.dispatch_event("[data-drop]", "drop", {"dataTransfer": transfer})


def shot(page, name):
    """A picture to look at, where DISCERN_TEST_SHOTS says."""
    if folder := os.environ.get("DISCERN_TEST_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_what_was_chosen_before_the_script_came_is_taken(own_house, new_context):
    page = new_context().new_page()
    log_in(page, own_house.server.url, first_password(own_house.app))
    held_back = []
    page.route("**/upload.js*", lambda route: held_back.append(route))
    page.goto(f"{own_house.server.url}/researcher/pools/", wait_until="commit")
    page.get_by_label("Files or a zip").set_input_files({"name": "early.zip", "mimeType": "", "buffer": zipped(MIXED)})
    held_back[0].continue_()
    expect(page.locator("[data-chosen]")).to_contain_text("early.zip")


def test_an_upload_that_asks_can_be_stopped(own_house, new_context, tmp_path):
    (tmp_path / "some.zip").write_bytes(zipped(MIXED | {"set/Real/broken.png": b"no image"}))
    page = new_context().new_page()
    log_in(page, own_house.server.url, first_password(own_house.app))
    page.goto(f"{own_house.server.url}/researcher/pools/")
    drop(page, {"some.zip": (tmp_path / "some.zip").read_bytes()})
    for label, value in (("Width", "128"), ("Height", "64")):
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("button", name="Stop").click(timeout=120_000)
    expect(page.get_by_text("Nothing was imported")).to_be_visible()
    expect(page.get_by_text("Real/broken.png: not readable as a radiograph")).to_be_visible()


def test_axe_finds_nothing_on_the_pages_beside_the_way_of_a_study(own_house, new_context):
    slug = own_house.invite().slug
    page = new_context().new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    url = f"{own_house.server.url}/researcher"
    password = first_password(own_house.app)
    page.goto(f"{url}/login")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill("a guess")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert_accessible(page)
    log_in(page, own_house.server.url, password)
    for path in (
        "",
        "?away=1",
        "plan",
        "password",
        "people",
        "pools/noise/",
        "pools/nowhere/",
        f"studies/{slug}/results",
    ):
        page.goto(f"{url}/{path}")
        assert_accessible(page)
    page.goto(f"{url}/people")
    page.get_by_label("Name").fill("a/b")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert_accessible(page)
    page.goto(f"{url}/studies/{slug}/settings")
    page.get_by_label("Time limit (s)").fill("-1")
    page.get_by_label("fullscreen").uncheck()
    page.locator("form", has=page.get_by_label("Time limit (s)")).evaluate("form => (form.noValidate = true)")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("limit_s: -1.0 is not between 0 and 3600")
    expect(page.get_by_label("fullscreen")).not_to_be_checked()
    assert_accessible(page)
    in_tab(page, "Readers")
    page.get_by_role("link", name="R1").click()
    expect(page.get_by_role("link", name="Readers")).to_have_attribute("aria-current", "page")
    assert_accessible(page)
    delete = page.locator("form", has=page.get_by_role("heading", name="Delete"))
    delete.get_by_label("Reason").fill("asked for")
    delete.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("CERTIFICATE OF DELETION")).to_be_visible()
    assert_accessible(page)


def test_a_long_table_is_searched_filtered_and_paged_and_remembers(own_house, new_context):
    password = first_password(own_house.app)
    with own_house.app.app_context():
        invitation = own_house.invite(groups=["EC", "EP"])
        study = db.session.query(Study).one()
        for number in range(60):
            study_readers.invite(study, f"X{number:02d}", "EC" if number % 2 else "EP")
        db.session.commit()
        slug = study.slug
    assert invitation
    page = new_context().new_page()
    log_in(page, own_house.server.url, password)
    page.goto(f"{own_house.server.url}/researcher/studies/{slug}/readers")
    rows = page.locator("table[data-filter=readers] tbody tr:visible")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Next").click()
    expect(rows).to_have_count(11)
    page.get_by_label("Select every reader shown").check()
    expect(page.locator("[data-selected]")).to_have_text("11")
    page.get_by_label("Search the table").fill("x0")
    expect(rows).to_have_count(10)
    page.get_by_label("Group", exact=True).first.select_option("EC")
    expect(rows).to_have_count(5)
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("Late").uncheck()
    assert_accessible(page)
    page.reload()
    expect(rows).to_have_count(5)
    expect(page.get_by_role("columnheader", name="Late")).to_be_hidden()
