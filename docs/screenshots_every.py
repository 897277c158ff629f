"""Take screenshots of every page, dark and light, at 1440 and 390 px, one sheet each, into docs/screenshots/every:
python docs/screenshots_every.py

The ways of docs/screenshots.py, and the pages of the desk beside them by the table of routes. Takes about six minutes.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from flask import Flask
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from docs import screenshots  # noqa: E402
from tests.browser import desk_pages  # noqa: E402

THEMES, SIZES, GAP = ("dark", "light"), (1440, 390), 16
OUT = screenshots.OUT / "every"
PAGE = ROOT / "docs" / "explanation" / "pages.md"
HEAD = """# Every page

Every page for readers, and then every page of the researcher's desk, dark and light, at 1440 and 390 px. `python
docs/screenshots_every.py` takes these screenshots from the running product, with drawn phantoms, and writes this page.
A reader's pages are dark unless the reader chooses light; the desk follows the computer's system setting.
"""


def beside(camera: screenshots.Camera, app: Flask, url: str, password: str) -> None:
    """The desk's pages from the table of routes, for the study that `walk_results` closed."""
    page = camera.page()
    screenshots.log_in(page, url, password)
    for name, path in desk_pages.paths(app, f"read-at-{camera.width}").items():
        page.goto(f"{url}{path}")
        page.evaluate("for (const image of document.images) image.loading = 'eager'")
        page.wait_for_load_state("networkidle")
        camera.take(page, f"page-{name.replace('_', '-')}")


def sheet(shots: list[Image.Image]) -> Image.Image:
    """Screenshots side by side at half their size."""
    small = [shot.resize((shot.width // 2, shot.height // 2), Image.Resampling.LANCZOS) for shot in shots]
    size = sum(shot.width + GAP for shot in small) - GAP, max(shot.height for shot in small)
    whole, left = Image.new("RGB", size, "#808080"), 0
    for shot in small:
        whole.paste(shot, (left, 0))
        left += shot.width + GAP
    return whole


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        for theme in THEMES:
            screenshots.main(screenshots.EVERYTHING, theme, Path(folder, theme), beside)
        taken = {path.name.removesuffix("-1440.webp") for path in Path(folder, "dark").glob("*-1440.webp")}
        for name in taken:
            shots = [Image.open(Path(folder, theme, f"{name}-{width}.webp")) for width in SIZES for theme in THEMES]
            sheet(shots).save(OUT / f"{name}.webp", quality=60, method=6)
    readers_first = sorted(taken, key=lambda name: (name.startswith(("desk-", "page-")), name))
    parts = [
        f"\n## {name.replace('-', ' ')}\n![The page, dark and light](../screenshots/every/{name}.webp)\n"
        for name in readers_first
    ]
    PAGE.write_text(HEAD + "".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
