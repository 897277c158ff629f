"""Take screenshots of the product's pages at 1440 and 390 px, into docs/screenshots:
python docs/screenshots.py [reader] [desk] [results] [conditions] [designs] [NAME OF A DESIGN ...]

A small pool of phantoms, a server on a temporary instance, Chromium. Takes about two minutes.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from flask import Flask
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from docs.screenshots_pools import make_designs, uploaded, versions  # noqa: E402
from quiz_app import clock, simulation  # noqa: E402
from quiz_app.database import db  # noqa: E402
from quiz_app.pools import importing  # noqa: E402
from quiz_app.study import lifecycle, readers  # noqa: E402
from quiz_app.study.cases import scored_cases  # noqa: E402
from tests.phantoms import invite, served  # noqa: E402

OUT = ROOT / "docs" / "screenshots"
SIZES = {1440: 900, 390: 844}
TITLE = "Panoramic radiographs: real or synthetic?"
SETTINGS = {
    "practice": 1,
    "break_every": 2,
    "groups": ["Dentist", "Radiologist"],
    "questions": ["Where do you work?"],
    "result": "at once",
    "leaderboard": True,
}

CLUE = "Roots that end without a tip, or bone with a repeating fine pattern, suggest a synthetic radiograph."
CONDITIONS = ["full", "reduced: largest_side = 600"]
# Marks shown in the screenshots: places as shares of the stage, and the key of their reason.
MARKED = [((0.3, 0.42), "1"), ((0.66, 0.6), "")]
# By name: pool, preset, settings, and each screenshot with its phase of the room and the keys pressed before it.
DESIGNS = {
    "marks": (
        "phantoms", "untimed", {"marks": "optional", "marks_for": "all"},
        [("", "image", ""), ("marks", "marks", "5")],
    ),
    "marks-quartet": (
        "quartets", "quartets", {"marks": "optional"},
        [("", "image", ""), ("marks-quartet", "marks", "21133")],
    ),
    "quartet": (
        "quartets", "quartets", {},
        [("quartet", "image", ""), ("quartet-realism", "image", "2")],
    ),
    "comparison": ("comparisons", "diffusionxray", {}, [("comparison", "image", "")]),
    "staircase": (
        "phantoms", "staircase",
        {"tracks": 1, "start_ms": 1000, "mask_ms": 10_000, "shortest_ms": 900},
        [("staircase", "masked", "")],
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Camera:
    """A browser at one width, in the theme chosen by the reader or the researcher's system, and its screenshots."""

    browser: Browser
    width: int
    theme: str = ""  # light or dark; if empty, the usual theme of each page
    out: Path = OUT

    def page(self, *, newcomer: bool = False) -> Page:
        """A page in its own browser, in which the tour of the room has been seen, except by newcomers."""
        size = {"width": self.width, "height": SIZES[self.width]}
        scheme = self.theme or "light"  # readers' pages do not use it
        context = self.browser.new_context(viewport=size, locale="en-GB", color_scheme=scheme)
        if self.theme:
            context.add_init_script(f"localStorage.setItem('discern-theme', '{self.theme}')")
        if not newcomer:
            context.add_init_script("localStorage.setItem('discern-tour', 'seen')")
        return context.new_page()

    def take(self, page: Page, name: str, part: Locator | None = None) -> None:
        """Save a screenshot of the page or of a part of it, as a small file."""
        shot = Image.open(io.BytesIO(part.screenshot() if part else page.screenshot(full_page=True)))
        self.out.mkdir(parents=True, exist_ok=True)
        shot.convert("RGB").save(self.out / f"{name}-{self.width}.webp", quality=70, method=6)


def log_in(page: Page, url: str, password: str) -> None:
    """Go to the researcher's desk."""
    page.goto(f"{url}/researcher/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def consent(page: Page, link: str) -> None:
    """Go to the instructions of a study without questions."""
    page.goto(link)
    page.locator("input[name=consent]").check()
    page.locator("main button.primary:visible").click()
    page.wait_for_selector("#network:not(:empty)")


def begin(page: Page) -> None:
    """Go from the instructions to the first scored case of a study without practice."""
    page.locator("main button.primary:visible").click()
    page.wait_for_selector("#room[data-phase=begin]")
    page.wait_for_timeout(300)  # an earlier press does not count
    page.keyboard.press("Enter")


def walk(camera: Camera, link: str) -> None:
    """Take a screenshot of every page from the link to the last page."""
    page = camera.page(newcomer=True)

    def phase(name: str) -> None:
        page.wait_for_selector(f"#room[data-phase={name}]")
        page.wait_for_timeout(200)

    def onward() -> None:
        page.locator("main button.primary:visible").click()

    page.goto(f"{link[:-4]}/")
    camera.take(page, "unknown-link")
    page.goto(link)
    camera.take(page, "welcome")
    page.locator("input[name=consent]").check()
    onward()
    page.locator("input[value=Dentist]").check()
    camera.take(page, "about")
    page.locator("#years").fill("7")
    page.locator("#question-1").fill("University clinic")
    onward()
    page.wait_for_selector("#network:not(:empty)")
    camera.take(page, "instructions")
    page.get_by_role("link", name="Leave").click()
    camera.take(page, "leave")
    page.get_by_role("link", name="Stay").click()
    onward()
    phase("tour")
    camera.take(page, "tour")
    page.keyboard.press("Escape")
    phase("image")
    page.keyboard.press("5")
    phase("feedback")
    camera.take(page, "practice")
    onward()
    phase("begin")
    camera.take(page, "begin")
    onward()
    phase("image")
    camera.take(page, "case")
    page.keyboard.press("?")
    camera.take(page, "keys")
    page.keyboard.press("Escape")
    for key in "++wm":
        page.keyboard.press(key)
    page.get_by_label("Contrast").fill("30")
    page.mouse.move(0.4 * camera.width, 350)
    camera.take(page, "viewer")
    phase("late")
    camera.take(page, "time-is-up")
    page.keyboard.press("p")
    page.keyboard.press("1")
    phase("pause")
    camera.take(page, "pause")
    onward()
    phase("image")
    page.keyboard.press("1")
    phase("break")
    camera.take(page, "break")
    other = page.context.new_page()
    other.goto(link)
    phase("elsewhere")
    camera.take(page, "elsewhere")
    other.close()
    onward()
    while not page.url.endswith("/end"):
        page.wait_for_timeout(700)
        page.keyboard.press("Enter")
        page.keyboard.press("2")
    page.wait_for_load_state()
    camera.take(page, "end")


def walk_aside(camera: Camera, app: Flask, url: str) -> None:
    """The open link, a study that is closed during a sitting, and leaving."""
    slug = f"open-at-{camera.width}"
    invite(app, slug, TITLE, {"practice": 0, "groups": [], "ask_years": False, "cases": 2})
    with app.app_context():
        study = lifecycle.find(slug)
        token = readers.offer_open_link(study, "1")
        db.session.commit()
        page = camera.page()
        page.goto(f"{url}/join/{token}/")
        camera.take(page, "open-link")
        page.locator("main button.primary").click()
        page.locator("input[name=consent]").check()
        for _ in range(2):
            page.locator("main button.primary").click()
        page.wait_for_selector("#room[data-phase=begin]")
        lifecycle.close(study)
        db.session.commit()
        db.session.remove()
    page.wait_for_timeout(200)
    page.keyboard.press("Enter")
    page.wait_for_selector("#room[data-phase=refused]")
    camera.take(page, "closed")
    page.goto(page.url.replace("/room", "/leave"))
    page.locator("input[value=keep]").check()
    page.get_by_role("button", name="Leave").click()
    camera.take(page, "left")


def walk_desk(camera: Camera, app: Flask, url: str, password: str) -> None:
    """A researcher's steps: images, a new study, its pre-flight, readers, and the live page."""
    desk = f"{url}/researcher"
    page = camera.page()

    def at(path: str, name: str) -> None:
        page.goto(f"{desk}/{path}")
        page.wait_for_timeout(300)
        camera.take(page, f"desk-{name}")

    at("", "login")
    log_in(page, url, password)
    at("", "studies")
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        page.goto(f"{desk}/pools/")
        page.locator("input[type=file]:not([webkitdirectory])").set_input_files(uploaded(app, file.name))
        page.get_by_role("button", name="Upload").click()
        page.wait_for_selector("input[name=class-0]", timeout=240_000)
        camera.take(page, "desk-folders")
    with tempfile.TemporaryDirectory() as folder:
        page.goto(f"{desk}/pools/")
        page.get_by_label("Comparisons").check()
        zipped = versions(app, f"{folder}/versions.zip")
        page.locator("input[type=file]:not([webkitdirectory])").set_input_files(zipped)
        camera.take(page, "desk-upload")
        page.get_by_role("button", name="Upload").click()
        page.wait_for_selector("input[name=class-0]", timeout=240_000)
        camera.take(page, "desk-methods")
    at("studies/new", "new-study")
    slug = f"at-{camera.width}"
    for tab in ("settings", "preflight", "readers", "live"):
        at(f"studies/{slug}/{tab}", tab)


def walk_results(camera: Camera, app: Flask, url: str, password: str) -> None:
    """A study taken by eight simulated readers: its overview, its results, and the plan for the next study."""
    slug = f"read-at-{camera.width}"
    invite(app, slug, TITLE, {"practice": 1, "groups": SETTINGS["groups"]})
    simulation.run(app, slug, 8, seed=3, url=url)
    page = camera.page()
    page.on("dialog", lambda dialog: dialog.accept())
    log_in(page, url, password)
    page.goto(f"{url}/researcher/studies/{slug}/")
    camera.take(page, "desk-overview")
    page.get_by_role("button", name="Close study").click()
    page.goto(f"{url}/researcher/studies/{slug}/results")
    page.get_by_role("button", name="Create report").click()
    page.wait_for_selector(".gallery", timeout=400_000)
    page.evaluate("for (const image of document.images) image.loading = 'eager'")
    page.wait_for_load_state("networkidle")
    camera.take(page, "desk-results")
    page.get_by_role("link", name="Browse cases").click()
    page.wait_for_load_state("networkidle")
    camera.take(page, "desk-cases")
    page.goto(f"{url}/researcher/plan?measure=auc&value=0.62&readers=6&cases=200")
    camera.take(page, "desk-plan")


def walk_designs(camera: Camera, app: Flask, url: str, parts: list[str]) -> None:
    """The reading room of each other design, or of those in `parts`."""
    for name, (pool, preset, settings, shots) in DESIGNS.items():
        if "designs" not in parts and name not in parts:
            continue
        with app.app_context():
            found = db.session.query(importing.Pool).filter_by(slug=pool).one()
            plain = {"practice": 0, "groups": [], "ask_years": False} | settings
            study = lifecycle.create(TITLE, found, slug=f"{name}-{camera.width}", preset=preset, settings=plain, seed=2)
            lifecycle.open_study(study)
            _, token = readers.invite(study, "R1")
            db.session.commit()
            db.session.remove()
        page = camera.page()
        consent(page, f"{url}/r/{token}/")
        begin(page)
        page.wait_for_timeout(300)
        for shot, phase, keys in shots:
            for key in keys:
                page.keyboard.press(key)
                page.wait_for_timeout(300)
            page.wait_for_selector(f"#room[data-phase={phase}]")
            page.wait_for_timeout(500)
            if phase == "marks":
                set_marks(page)
            if shot:
                camera.take(page, shot)


def walk_conditions(camera: Camera, app: Flask, url: str, password: str) -> None:
    """A study under two conditions with hints and a clue: its desk, a reader's part, and the page between two parts."""
    slug = f"parts-{camera.width}"
    with app.app_context():
        pool = db.session.query(importing.Pool).filter_by(slug="phantoms").one()
        rules = {"conditions": CONDITIONS, "hints": True, "clue": CLUE, "washout_days": 28}
        plain = {"practice": 0, "groups": [], "ask_years": False, "break_every": 0}
        study = lifecycle.create(TITLE, pool, slug=slug, settings=plain | rules, seed=2)
        db.session.commit()
        desk = camera.page()
        log_in(desk, url, password)
        desk.goto(f"{url}/researcher/studies/{slug}/settings")
        table = "case,hint,text\n" + "".join(
            f"{case.name},{0.97 - 0.08 * number:.2f},Detector: how probable it is that the image is synthetic\n"
            for number, case in enumerate(scored_cases(study))
        )
        db.session.rollback()  # an open transaction would block the server
        file = {"name": "detector.csv", "mimeType": "text/csv", "buffer": table.encode()}
        desk.get_by_label("Hint file (CSV)").set_input_files(file)
        camera.take(desk, "desk-hints", desk.locator("form:has(#hints-file)"))
        desk.get_by_role("button", name="Upload hints").click()
        desk.get_by_text("hints were saved").first.wait_for()
        lifecycle.open_study(study)
        links = [f"{url}/r/{readers.invite(study, name, email=f'{name}@clinic.example')[1]}/" for name in ("R1", "R2")]
        db.session.commit()
        db.session.remove()
    usual = clock.source
    for number, link in enumerate(links):
        clock.source = lambda days=10 * number: usual() + timedelta(days=days)
        page = camera.page()
        consent(page, link)
        camera.take(page, "clue")
        begin(page)
        page.wait_for_selector("#room[data-phase=image]")
        page.wait_for_timeout(300)
        camera.take(page, "hint")
        while not page.url.endswith("/between"):
            page.keyboard.press("4")
            page.wait_for_timeout(700)
        page.wait_for_load_state()
        camera.take(page, "between")
    clock.source = lambda: usual() + timedelta(days=28, minutes=30)
    desk.goto(f"{url}/researcher/studies/{slug}/readers")
    camera.take(desk, "desk-returning")
    clock.source = usual


def set_marks(page: Page) -> None:
    """Mark two places, the second without its reason yet."""
    box = page.locator("#image, .cell:not([hidden]) canvas").first.bounding_box()
    for (x, y), key in MARKED:
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.wait_for_timeout(100)
        page.keyboard.press(key or "Shift")


def main(parts: list[str], theme: str = "", out: Path = OUT, *others: Way) -> None:
    """Take the screenshots of these parts, and those of `others`, which use a closed study that has its report."""
    with served(12) as at, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        cameras = [Camera(browser, width, theme, out) for width in SIZES]
        for camera in cameras:
            token = invite(at.app, f"at-{camera.width}", TITLE, SETTINGS)
            if "reader" in parts:
                walk(camera, f"{at.url}/r/{token}/")
                walk_aside(camera, at.app, at.url)
            for name, way in WAYS.items():
                if name in parts:
                    way(camera, at.app, at.url, at.password)
            for way in others:
                way(camera, at.app, at.url, at.password)
        if "conditions" in parts:  # last of those on the desk: it moves the clock
            for camera in cameras:
                walk_conditions(camera, at.app, at.url, at.password)
        if {"designs", *DESIGNS} & set(parts):
            with tempfile.TemporaryDirectory() as folder:
                make_designs(at.app, Path(folder))
            for camera in cameras:
                walk_designs(camera, at.app, at.url, parts)
        browser.close()


Way = Callable[[Camera, Flask, str, str], None]
WAYS: dict[str, Way] = {"desk": walk_desk, "results": walk_results}
EVERYTHING = ["reader", *WAYS, "conditions", "designs"]

if __name__ == "__main__":
    main(sys.argv[1:] or EVERYTHING)
