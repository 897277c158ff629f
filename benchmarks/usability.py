"""Eight tasks at the researcher's desk, done by Playwright at human pace: clicks, page loads and seconds for each.

    python benchmarks/usability.py [--root CHECKOUT] [--fast]

With --root, an earlier checkout is measured: `before` below is the desk without overview, results pages, messages and
planning (1a00178). A click is a mouse click, a choice in a list or of a file, or the answer to a confirmation. The pace
follows the keystroke-level model (Card, Moran and Newell 1980): 1.2 s to point and click, .28 s per key, and 1.35 s to
think before each step; --fast leaves this out. Seconds include the server's time.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

POINT, KEY, THINK = 1.2, 0.28, 1.35  # s
TITLE = "Real or synthetic"
SLUG = "real-or-synthetic"
DONE = 300_000  # ms that background work may take


@dataclass
class Hand:
    """A researcher in a browser, whose actions are counted."""

    page: Any
    desk: str
    fast: bool
    clicks: int = 0
    loads: int = 0
    spent: dict[str, tuple[int, int, float]] = field(default_factory=dict)

    def wait(self, seconds: float) -> None:
        if not self.fast:
            time.sleep(seconds)

    def press(self, role: str, name: str, **more: Any) -> None:
        """Point at a link, button or tab, and click it."""
        self.click(self.page.get_by_role(role, name=name, **more).first)

    def click(self, found: Any) -> None:
        self.wait(THINK + POINT)
        self.clicks += 1
        found.click()
        self.page.wait_for_load_state()

    def fill(self, label: str, text: str) -> None:
        """Click into a field, unless the page has put the cursor there, and type."""
        found = self.page.get_by_label(label, exact=True).first
        if not found.evaluate("found => found === document.activeElement"):
            self.click(found)
        self.wait(KEY * len(text))
        found.fill(text)

    def choose_file(self, label: str, path: Path) -> None:
        self.wait(THINK + 2 * POINT)
        self.clicks += 2  # the button, and the file
        self.page.get_by_label(label).set_input_files(path)

    def sees(self, text: str) -> None:
        """Check that a text is visible; the task fails without it."""
        self.page.get_by_text(text).first.wait_for(timeout=DONE)
        self.wait(THINK)

    def task(self, name: str, do: Callable[[], None]) -> None:
        """Do a task, starting from the list of studies."""
        self.page.goto(self.desk)
        self.clicks = self.loads = 0
        began = time.monotonic()
        do()
        self.spent[name] = (self.clicks, self.loads, time.monotonic() - began)


@dataclass
class Desk:
    """The eight tasks; `old` means the earlier desk."""

    hand: Hand
    images: Path
    old: bool

    def study(self, tab: str = "") -> None:
        self.hand.press("link", TITLE)
        if tab:
            self.hand.press("link", tab, exact=True)

    def make(self) -> None:
        hand = self.hand
        hand.press("link", "Pools")
        hand.choose_file("Files or a zip", self.images)
        hand.press("button", "Upload")
        hand.page.get_by_text("The pool is ready").wait_for(timeout=DONE)
        if self.old:
            hand.press("link", "Studies")
            hand.press("link", "New study")
        else:
            hand.press("link", "Create a study with this pool")
        hand.fill("Title", TITLE)
        hand.press("button", "Create draft", exact=True)

    def invite(self) -> None:
        self.study("Readers")
        self.hand.fill("Pseudonyms", "ada ben eva")
        self.hand.press("button", "Make links" if self.old else "Create links")
        with self.hand.page.expect_download():  # the links; today with a message for each
            self.hand.press("link", "List (CSV)" if self.old else "Mail merge (CSV)")

    def find_late(self) -> None:
        self.study("Readers")
        self.hand.sees("invited")

    def extend(self) -> None:
        self.study("Readers")
        self.hand.press("link", "eva")
        form = self.hand.page.locator("form", has=self.hand.page.get_by_role("heading", name="Extend"))
        for label, text in (("Until (UTC)", "2030-01-01T10:00"), ("Reason", "on leave")):
            self.hand.click(form.get_by_label(label))
            self.hand.wait(KEY * len(text))
            form.get_by_label(label).fill(text)
        self.hand.click(form.get_by_role("button", name="Extend"))

    def close(self) -> None:
        self.study()
        self.hand.clicks += 1  # the answer to the confirmation
        self.hand.press("button", "Close the study" if self.old else "Close study")
        self.hand.sees("closed")

    def tell(self) -> None:
        self.study("Results")
        self.hand.press("button", "Make the report" if self.old else "Create report")
        if self.old:
            self.hand.page.get_by_role("link", name="Open the report").first.wait_for(timeout=DONE)
            self.hand.press("link", "Open the report")
        self.hand.page.locator("h1" if self.old else ".findings").first.wait_for(timeout=DONE)
        self.hand.wait(THINK)

    def find_fooling(self) -> None:
        self.study("Results")
        if not self.old:
            self.hand.press("link", "Browse cases")
            self.hand.click(self.hand.page.locator(".wall a").first)
            self.hand.sees("Answers")
            return
        self.hand.press("link", "Open the report")
        self.hand.press("link", "Cases", exact=True)
        table = self.hand.page.locator("#cases").locator("xpath=following::table[1]")
        self.hand.click(table.get_by_role("button").nth(1))
        name = table.get_by_role("rowheader").first.inner_text()
        self.hand.page.go_back()  # leave the report, which has no link to the desk; twice, because of the jump
        self.hand.page.go_back()
        self.hand.clicks += 2
        self.hand.press("link", "Pools")
        self.hand.click(self.hand.page.locator("table a").first)
        self.hand.sees(name)

    def plan(self) -> None:
        if self.old:
            raise NotImplementedError("not possible at the desk: `discern plan` at the command line")
        self.hand.press("link", "Plan")
        self.hand.fill("Expected value", "0.65")
        self.hand.press("button", "Calculate")
        self.hand.sees("For the ethics application")


TASKS = {
    "make a study from 24 images": Desk.make,
    "invite three readers": Desk.invite,
    "find who has not begun": Desk.find_late,
    "extend one reader's time": Desk.extend,
    "close the study": Desk.close,
    "say whether experts could tell": Desk.tell,
    "find the image that fooled most": Desk.find_fooling,
    "plan the next study": Desk.plan,
}


def images(app: Any, folder: Path) -> Path:
    """A zip of 24 phantoms, one folder per class, without the word in their corner, which an upload would ask about."""
    from PIL import Image

    from generation.pool import read_table

    path, table = folder / "images.zip", read_table(app.config["SETTINGS"].instance / "drawn")
    with zipfile.ZipFile(path, "w") as archive:
        for case in table.scored[:24]:
            file = io.BytesIO()
            with Image.open(table.path(case)) as drawn:
                drawn.paste(int(drawn.getpixel((5, drawn.height - 40))), (0, drawn.height - 40, 160, drawn.height))
                drawn.save(file, "PNG")
            archive.writestr(f"{case.truth}/{case.case}.png", file.getvalue())
    return path


def measured(root: Path, fast: bool) -> dict[str, tuple[int, int, float] | str]:
    """Clicks, page loads and seconds by task, or the reason why it cannot be done."""
    import waitress
    from playwright.sync_api import sync_playwright

    from quiz_app import simulation
    from quiz_app.database import db
    from quiz_app.study import lifecycle, researchers
    from tests.phantoms import furnish

    # Not with `tests.phantoms.served`, which earlier checkouts do not have.
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        app = furnish(Path(folder) / "instance", 24)
        with app.app_context():
            password = researchers.ensure_first()
            db.session.remove()
        server = waitress.create_server(app, host="127.0.0.1", port=0)
        threading.Thread(target=server.run, daemon=True).start()
        url = f"http://127.0.0.1:{server.effective_port}"
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        hand = Hand(browser.new_page(viewport={"width": 1440, "height": 900}), f"{url}/researcher/", fast)
        hand.page.on("dialog", lambda dialog: dialog.accept())
        hand.page.on("framenavigated", lambda frame: setattr(hand, "loads", hand.loads + (not frame.parent_frame)))
        hand.page.goto(hand.desk)
        hand.page.get_by_label("Name").fill("admin")
        hand.page.get_by_label("Password").fill(password)
        hand.page.get_by_role("button", name="Log in").click()
        desk = Desk(hand, images(app, Path(folder)), old=not (root / "quiz_app" / "study" / "guide.py").is_file())
        found: dict[str, tuple[int, int, float] | str] = {}
        for name, do in TASKS.items():
            if do is Desk.find_late:  # the study is opened, and four other readers take it
                with app.app_context():
                    lifecycle.open_study(lifecycle.find(SLUG))
                    db.session.commit()
                    db.session.remove()
                simulation.run(app, SLUG, 4, seed=1, url=url)
            try:
                hand.task(name, lambda do=do: do(desk))
                found[name] = hand.spent[name]
            except NotImplementedError as reason:
                found[name] = str(reason)
        browser.close()
        server.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--fast", action="store_true")
    args = parser.parse_args()
    sys.path.insert(0, str(args.root))
    print("| task | clicks | page loads | seconds |\n|---|---|---|---|")
    for name, spent in measured(args.root, args.fast).items():
        print(
            f"| {name} | {spent} | | |" if isinstance(spent, str) else "| {} | {} | {} | {:.0f} |".format(name, *spent)
        )


if __name__ == "__main__":
    main()
