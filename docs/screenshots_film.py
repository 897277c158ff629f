"""Record the silent film of the README, docs/images/film.webp, from the running product:
python docs/screenshots_film.py

About twenty seconds: a reader's way, and what the researcher sees of it. Phantoms and simulated readers alone; a
picture a second or two, captioned, in under 2 MB. Takes about two minutes.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from flask import Flask
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from docs.screenshots import TITLE, Camera, begin, consent, log_in, set_marks  # noqa: E402
from quiz_app import simulation  # noqa: E402
from tests.phantoms import invite, served  # noqa: E402

FILE = ROOT / "docs" / "images" / "film.webp"
WIDTH, STRIP = 960, 44  # of the film; each picture has a strip with its caption below
WINDOW = {"width": 1200, "height": 750}  # what a page shows at a time
SHOWN = WIDTH * WINDOW["height"] // WINDOW["width"]  # the same in the film
MOST_BYTES = 2_000_000
PAPER, INK = "#0b0d10", "#e7eaed"
RULES = {
    "practice": 0, "groups": [], "ask_years": False, "break_every": 0, "cases": 4, "limit_s": 12,
    "marks": "optional", "result": "at once",
}  # fmt: skip


class Film:
    """The pictures so far, and how long each is shown, in ms."""

    def __init__(self) -> None:
        self.pictures: list[Image.Image] = []
        self.shown: list[int] = []
        self.font = ImageFont.load_default(size=22)

    def take(self, page: Page, caption: str, ms: int = 1000) -> None:
        """Add a picture of what the page shows in its window."""
        page.wait_for_load_state("networkidle")
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize((WIDTH, SHOWN), Image.Resampling.LANCZOS)
        picture = Image.new("RGB", (WIDTH, SHOWN + STRIP), PAPER)
        picture.paste(shot, (0, 0))
        ImageDraw.Draw(picture).text((20, SHOWN + STRIP // 2), caption, INK, self.font, "lm")
        self.pictures.append(picture)
        self.shown.append(ms)

    def write(self, file: Path) -> None:
        """Save the film as an animated WebP, in the best quality that its size allows."""
        first, *rest = self.pictures
        for quality in (70, 60, 50, 40, 30):
            first.save(
                file, save_all=True, append_images=rest, duration=self.shown, loop=0, quality=quality, method=6
            )  # fmt: skip
            if file.stat().st_size < MOST_BYTES:
                return
        raise SystemExit(f"{file}: {file.stat().st_size} bytes, at most {MOST_BYTES} are expected")


def of_a_reader(film: Film, page: Page, link: str) -> None:
    """Consent, the countdown, the tools, an answer, marks, and the last page."""
    page.goto(link)
    film.take(page, "Readers follow a personal link and consent", 1500)
    consent(page, link)
    begin(page)
    page.wait_for_selector("#room[data-phase=image]")
    for _ in range(3):
        page.wait_for_timeout(900)
        film.take(page, "Real or synthetic? One radiograph at a time, against the clock", 900)
    for key in "++":
        page.keyboard.press(key)
    film.take(page, "Zoom, brightness and contrast, magnifier", 1200)
    page.keyboard.press("5")
    page.wait_for_selector("#room[data-phase=marks]")
    page.wait_for_timeout(300)
    film.take(page, "Where did you see it? Readers mark what gave it away", 900)
    set_marks(page)
    film.take(page, "Where did you see it? Readers mark what gave it away", 1400)
    page.keyboard.press("1")
    page.keyboard.press("d")
    while not page.url.endswith("/end"):
        page.wait_for_timeout(700)
        page.keyboard.press("2")
    page.wait_for_selector("#card:not([hidden])")
    film.take(page, "Each sees their own result, where the study allows it", 1500)


def of_the_desk(film: Film, page: Page, desk: str) -> None:
    """The steps of the study, closing it, the report, and the cases that fooled the most readers."""
    page.goto(f"{desk}/")
    film.take(page, "The researcher's desk: the steps of a study, and which comes next", 1800)
    page.get_by_role("button", name="Close study").click()
    page.goto(f"{desk}/results")
    page.get_by_role("button", name="Create report").click()
    page.wait_for_selector(".gallery", timeout=240_000)
    page.evaluate("for (const image of document.images) image.loading = 'eager'")
    film.take(page, "After the close: could the readers tell?", 1800)
    page.locator(".gallery").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('.gallery').scrollIntoView()")
    film.take(page, "Every figure, with its numbers", 1500)
    page.get_by_role("link", name="Browse cases").click()
    film.take(page, "The cases, the most often misjudged first", 1800)
    page.goto(f"{desk}/results")
    page.get_by_role("link", name="Open report").first.click()
    film.take(page, "A report ready for a paper", 1800)


def shoot(app: Flask, url: str, password: str) -> Film:
    """Both parts, with one study."""
    film = Film()
    token = invite(app, "film", TITLE, RULES)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        camera = Camera(browser, 1440)
        reader, desk = camera.page(), camera.page()
        reader.set_viewport_size(WINDOW)
        desk.set_viewport_size(WINDOW)
        of_a_reader(film, reader, f"{url}/r/{token}/")
        invite(app, "read", TITLE, {"practice": 1, "groups": ["Dentist", "Radiologist"]})
        simulation.run(app, "read", 8, seed=3, url=url)
        desk.on("dialog", lambda dialog: dialog.accept())
        log_in(desk, url, password)
        of_the_desk(film, desk, f"{url}/researcher/studies/read")
        browser.close()
    return film


def main() -> None:
    """Make the film."""
    with served(12) as at:
        film = shoot(at.app, at.url, at.password)
    film.write(FILE)
    print(f"{FILE}: {len(film.pictures)} pictures, {sum(film.shown) / 1000:.1f} s, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
