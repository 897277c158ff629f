"""How well Chromium keeps to the exposures of a staircase, as measured by the page and stored by the server.

    python benchmarks/exposures.py [--trials 60]

A reader takes a staircase with exposures from 100 to 1000 ms, with phantoms of 1024 x 512 on a page of 1440 x 900
pixels. Target: of exposures of 100 ms or more, 95 % differ from the request by at most one screen frame. This is
compared with a timer (`setTimeout`) that shows and hides the same image, like a page that does not count frames.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import httpx
from playwright.sync_api import Browser, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from quiz_app.database import db  # noqa: E402
from quiz_app.models import Pool, Trial  # noqa: E402
from quiz_app.study import lifecycle, readers  # noqa: E402
from tests.phantoms import furnish  # noqa: E402
from tests.server import Server  # noqa: E402

SETTINGS = {"practice": 0, "groups": [], "ask_years": False, "break_every": 0, "tracks": 1, "interval_ms": 300}
SETTINGS |= {"start_ms": 500, "jitter_ms": 450, "up_ms": 1, "down_ms": 1, "coarse": 1.0}
TIMER = """async exposures => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [1024, 512];
    document.body.append(canvas);
    const frame = () => new Promise(requestAnimationFrame);
    const found = [];
    for (const asked of exposures) {
        canvas.hidden = true;
        await new Promise(wake => setTimeout(wake, 200 + 50 * Math.random()));
        canvas.hidden = false;
        const seen = frame(); // the picture in which it comes
        await new Promise(wake => setTimeout(wake, asked));
        canvas.hidden = true;
        const gone = await frame();
        found.push(gone - (await seen));
    }
    return found;
}"""


def taken(browser: Browser, address: str, trials: int) -> None:
    """Take the whole sitting."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(address)
    page.wait_for_selector("#room[data-phase=begin]")
    page.wait_for_timeout(200)
    page.keyboard.press("Enter")
    for number in range(trials):
        expect(page.locator("#place")).to_have_text(f"{number + 1} of {trials}", timeout=60_000)
        page.wait_for_selector("#room[data-phase=masked]")
        page.wait_for_timeout(300)
        page.keyboard.press("15"[number % 2])
    page.wait_for_url("**/end")
    page.close()


def told(name: str, asked: list[float], shown: list[float], frame_ms: float) -> None:
    """Print one line: how far the exposures were off."""
    off = sorted(abs(one - other) for one, other in zip(asked, shown, strict=True))
    worst, within = off[-(-95 * len(off) // 100) - 1], sum(one <= frame_ms + 0.1 for one in off)
    figures = f"median {off[len(off) // 2]:5.1f} ms off   95th percentile {worst:5.1f} ms"
    print(f"{name:16} {figures}   {within} of {len(off)} within one frame ({frame_ms:.1f} ms)")


def main() -> None:
    """Print how far the exposures were off, with counted frames and with a timer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60)
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        app = furnish(Path(folder) / "instance", trials)
        with app.app_context():
            study = lifecycle.create("Exposures", db.session.query(Pool).first(), preset="staircase", settings=SETTINGS)
            lifecycle.open_study(study)
            _, token = readers.invite(study, "R1")
            db.session.commit()
        server = Server({"DISCERN_INSTANCE": str(Path(folder) / "instance"), "DISCERN_DATABASE_URL": ""})
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            address = f"{server.url}/r/{token}/"
            for step, form in (("welcome", {"consent": "yes"}), ("about", {}), ("instructions", {})):
                httpx.post(address + step, data=form)
            taken(browser, address, trials)
            with app.app_context():
                seen = [trial.viewer for trial in db.session.query(Trial).order_by(Trial.position)]
            asked, frame_ms = [one["asked_ms"] for one in seen], sorted(one["frame_ms"] for one in seen)[len(seen) // 2]
            print(f"{os.cpu_count()} cores; exposures of {min(asked):.0f} to {max(asked):.0f} ms")
            told("counted frames", asked, [one["shown_ms"] for one in seen], frame_ms)
            told("a timer", asked, browser.new_page().evaluate(TIMER, asked), frame_ms)
        finally:
            browser.close()
            server.kill()


if __name__ == "__main__":
    main()
