"""Photograph the parts of reports that compare generators, subgroups and conditions, into docs/screenshots:
python docs/screenshots_report.py

Eight simulated readers, three generators, the first of which looks more real; eight others who read with and without
hints, four of five of them right. At 1440 and 390 px. Takes about a minute.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import analysis  # noqa: E402
from analysis.designs.common import Settings  # noqa: E402
from analysis.report import write  # noqa: E402
from benchmarks import generators  # noqa: E402
from tests.analysis import crossovers  # noqa: E402

OUT = ROOT / "docs" / "screenshots"
SIZES = {1440: 900, 390: 844}
KINDS = {"": "hospital", "A": "Diffusion", "B": "GAN", "C": "Flow matching"}
# By report: each photograph, and the elements from which to which it goes.
PARTS = {
    "generators": {"generators": ("#sources", "#subgroups"), "subgroups": ("#subgroups", "#groups")},
    "conditions": {"report-conditions": ("#conditions", "#conditions ~ * >> nth=5")},
}


def of_generators(folder: Path) -> Path:
    """The report of a simulated study, with subgroups by device."""
    levels = generators.drawn(np.random.default_rng(4), 8, 0.7)
    rows = [
        {
            "reader": f"R{reader}",
            "case": f"c{case}",
            "truth": int(generators.TRUTH[case]),
            "source": KINDS[generators.SOURCES[case]],
            "level": int(level),
        }
        for reader, row in enumerate(levels, start=1)
        for case, level in enumerate(row)
    ]
    devices = [f"c{case},{('Sirona', 'Planmeca')[case % 2]}" for case in range(generators.TRUTH.size)]
    (folder / "cases.csv").write_text("\n".join(["case,device", *devices]) + "\n")
    return analysis.load(pd.DataFrame(rows), subgroups=["device"], cases=folder / "cases.csv").report(folder / "out")


def of_conditions(folder: Path) -> Path:
    """The report of a made-up study under two conditions."""
    made = crossovers.study(folder, readers=8, cases=60, helps=0.5, seed=4)
    return write(made, folder / "crossover", Settings(bootstrap=1000))


def photograph(page: Page, name: str, first: str, last: str) -> None:
    """Keep what lies between two elements of the page, in few bytes."""
    width = page.viewport_size["width"]
    top, end = (page.locator(place).bounding_box()["y"] for place in (first, last))
    part = {"x": 0, "y": top - 10, "width": width, "height": end - top}
    shot = Image.open(io.BytesIO(page.screenshot(full_page=True, clip=part)))
    shot.convert("RGB").save(OUT / f"{name}-{width}.webp", quality=70, method=6)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        reports = {"generators": of_generators(Path(folder)), "conditions": of_conditions(Path(folder))}
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for width, height in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            for report, parts in PARTS.items():
                page.goto(reports[report].as_uri())
                for name, places in parts.items():
                    photograph(page, name, *places)
        browser.close()


if __name__ == "__main__":
    main()
