"""Importing a pool, compared with the unavoidable part: Pillow alone decoding and encoding the same images.

    python benchmarks/intake.py [--images 200]

Both run on as many threads as the machine has cores, on noise of 1024 x 512. The import also checks every checksum and
size, pads the images to one length and writes them in one step. The output is the wall-clock times of one run, and
their ratio.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import flask_migrate
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

import generation.pool
from quiz_app import create_app
from quiz_app.database import db
from quiz_app.pools import importing
from quiz_app.settings import Settings


def alone(paths: list[Path]) -> None:
    """Only decode and encode."""

    def recode(path: Path) -> None:
        with Image.open(path) as image:
            image.save(io.BytesIO(), "PNG", compress_level=6)

    with ThreadPoolExecutor() as threads:
        list(threads.map(recode, paths))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200, help="number of images in the pool")
    count = parser.parse_args().images
    rng = np.random.Generator(np.random.PCG64(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        smooth = [gaussian_filter(rng.normal(128, 400, (512, 1024)), 3).clip(0, 255) for _ in range(8)]
        entries = [
            generation.pool.Entry(
                ("real", "synthetic")[number % 2],
                "noise",
                generation.pool.encode(
                    (smooth[number % 8] + rng.normal(0, 2, (512, 1024))).clip(0, 255).astype(np.uint8)
                ),
            )
            for number in range(count)
        ]
        how = {"real": "noise", "synthetic": "noise"}
        pool = generation.pool.write(folder / "pool", entries, name="Noise", seed=0, width=1024, height=512, how=how)
        app = create_app(Settings.load({}, instance=folder / "instance"))
        with app.app_context():
            flask_migrate.upgrade()
            start = time.perf_counter()
            alone([pool.path(case) for case in pool.cases])
            middle = time.perf_counter()
            importing.import_folder(pool.folder, app.config["SETTINGS"].images)
            db.session.commit()
            end = time.perf_counter()
            db.engine.dispose()
    print(f"Pillow alone: {count / (middle - start):.1f} images/s; import: {count / (end - middle):.1f} images/s")
    print(f"the import runs at {100 * (middle - start) / (end - middle):.0f} % of the rate of Pillow alone")


if __name__ == "__main__":
    main()
