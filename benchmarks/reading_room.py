"""How long a reader waits between two images on a slow connection, with and without sealed prefetch; page sizes.

    python benchmarks/reading_room.py [--design rating|quartet] [--trials 24] [--latency 300] [--mbit 5]

Chromium's own network emulation limits the connection: `--latency` ms from a request to its response, `--mbit` Mbit/s
download. The wait is from a trial's last answer to the next onset (two frames after painting the decoded images), with
the study's default interval of 500 ms; the reader views each image, or each quartet of four, for three seconds before
answering. Images are phantoms of 1024 x 512; the first trial of a sitting is left out.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import httpx
from flask import Flask
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.watching import phases, waits, watch  # noqa: E402
from tests.phantoms import furnish, furnish_quartets, invite  # noqa: E402
from tests.server import Server  # noqa: E402

NO_WEBCRYPTO = "Object.defineProperty(crypto, 'subtle', { value: undefined });"
LOOK_MS, KEY_MS = 3000, 170
ANSWERS = {"rating": "1", "quartet": "12222"}  # for a quartet: which is real, then the realism of each


def link(app: Flask, server: Server, slug: str, design: str) -> str:
    """The address of a reader who has read the instructions, in a new study with the default interval."""
    settings = {"cases": 0, "practice": 0, "groups": [], "ask_years": False, "break_every": 0, "limit_s": 0}
    address = f"{server.url}/r/{invite(app, slug, 'Waiting', settings, design)}/"
    for path, form in (("welcome", {"consent": "yes"}), ("about", {}), ("instructions", {})):
        httpx.post(address + path, data=form)
    return address


def measured(browser: Browser, address: str, line: argparse.Namespace, *, sealed: bool) -> list[float]:
    """Milliseconds from the last answer of every trial except the first to the next onset."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    shaping = page.context.new_cdp_session(page)
    shaping.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": line.latency, "downloadThroughput": line.mbit * 125_000, "uploadThroughput": -1},
    )
    watch(page)
    if not sealed:
        page.add_init_script(NO_WEBCRYPTO)
    page.goto(address)
    page.wait_for_selector("#room[data-phase=begin]")
    page.wait_for_timeout(200)
    page.keyboard.press("Enter")
    for _ in range(line.trials):
        page.wait_for_selector("#room[data-phase=image]", timeout=60_000)
        page.wait_for_timeout(LOOK_MS)
        times = phases(page)
        for key in ANSWERS[line.design]:
            page.wait_for_timeout(KEY_MS)  # a press sooner than this after the previous one does not count
            page.keyboard.press(key)
        page.wait_for_selector("#room:not([data-phase=image])", timeout=60_000)
    page.close()
    return waits(times)


def weight(server: Server, address: str) -> tuple[int, int]:
    """Bytes of every page, stylesheet and script that a reader loads: uncompressed, and with gzip."""
    static = sorted((ROOT / "static").glob("tokens.css")) + sorted((ROOT / "static" / "reader").iterdir())
    bodies = [file.read_bytes() for file in static]
    bodies += [httpx.get(address + page, follow_redirects=True).content for page in ("room", "leave")]
    return sum(map(len, bodies)), sum(len(gzip.compress(body)) for body in bodies)


def main() -> None:
    """Print the waits with both methods, their ratio, and the sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--design", choices=ANSWERS, default="rating")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--latency", type=float, default=300)
    parser.add_argument("--mbit", type=float, default=5)
    line = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        furnished = furnish_quartets if line.design == "quartet" else furnish
        app = furnished(Path(folder) / "instance", line.trials)
        server = Server({"DISCERN_INSTANCE": str(Path(folder) / "instance"), "DISCERN_DATABASE_URL": ""})
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            shaped = f"{line.latency:g} ms, {line.mbit:g} Mbit/s; {os.cpu_count()} cores"
            print(f"connection: {shaped}; {line.trials} trials each, {line.design}")
            medians = []
            for sealed in (True, False):
                address = link(app, server, f"sealed-{sealed}".lower(), line.design)
                found = sorted(measured(browser, address, line, sealed=sealed))
                medians.append(statistics.median(found))
                worst = found[max(0, -(-95 * len(found) // 100) - 1)]
                name = "sealed prefetch" if sealed else "fetched when due"
                print(f"{name:22} median {medians[-1]:6.0f} ms   95th percentile {worst:6.0f} ms   of {len(found)}")
            print(f"without prefetch a reader waits {medians[1] / medians[0]:.2f} times as long")
            plain, packed = weight(server, link(app, server, "weight", line.design))
            print(f"pages, styles, scripts: {plain / 1000:.1f} kB, {packed / 1000:.1f} kB with gzip")
        finally:
            browser.close()
            server.kill()


if __name__ == "__main__":
    main()
