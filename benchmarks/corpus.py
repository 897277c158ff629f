"""Corpus preparation against two processes of plain Pillow that decode, resize and encode the same files.

python benchmarks/corpus.py [--images N]
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

from PIL import Image

from generation import corpus, phantom


def plain(job: tuple[Path, Path]) -> None:
    source, out = job
    with Image.open(source) as image:
        sharp = image.convert("L").resize((1024, 512), Image.Resampling.LANCZOS)
    sharp.save(out / f"{source.stem}.png")
    sharp.reduce(4).save(out / f"{source.stem}-low.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=80, help="radiographs of 2400 x 1200 (default 80)")
    count = parser.parse_args().images
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "source").mkdir()
        (folder / "plain").mkdir()
        for number in range(count):
            image = Image.fromarray(phantom.draw(number, "real")).resize((2400, 1200))
            image.save(folder / f"source/{number:04d}.jpg", quality=92)
        corpus.prepare(folder / "source", folder / "warm-up", workers=2)  # start the workers, fill the disk cache

        start = time.perf_counter()
        corpus.prepare(folder / "source", folder / "out", workers=2)
        ours = time.perf_counter() - start
        start = time.perf_counter()
        with multiprocessing.Pool(2) as processes:
            jobs = [(path, folder / "plain") for path in sorted((folder / "source").iterdir())]
            processes.map(plain, jobs, chunksize=4)
        theirs = time.perf_counter() - start
    print(f"{count} images: corpus {count / ours:.1f}/s, Pillow {count / theirs:.1f}/s, {theirs / ours:.0%} ")
