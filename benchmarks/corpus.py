"""Corpus preparation, compared with two processes of plain Pillow that decode, resize and encode the same files.

python benchmarks/corpus.py [--images N] [--repeats N]

The two take turns, with their processes already started. Corpus preparation also computes hashes, looks for
near-duplicates and splits, which plain Pillow does not.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from generation import corpus, phantom


def plain(job: tuple[Path, Path]) -> None:
    source, out = job
    with Image.open(source) as image:
        sharp = image.convert("L").resize((1024, 512), Image.Resampling.LANCZOS)
    sharp.save(out / f"{source.stem}.png")
    sharp.reduce(4).save(out / f"{source.stem}-low.png")


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=80, help="radiographs of 2400 x 1200 (default 80)")
    parser.add_argument("--repeats", type=int, default=3, help="the shortest time of this many runs counts (default 3)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, multiprocessing.Pool(2) as processes:
        folder = Path(name)
        (folder / "source").mkdir()
        (folder / "plain").mkdir()
        for number in range(args.images):
            image = Image.fromarray(phantom.draw(number, "real")).resize((2400, 1200))
            image.save(folder / f"source/{number:04d}.jpg", quality=92)
        jobs = [(path, folder / "plain") for path in sorted((folder / "source").iterdir())]
        corpus.prepare(folder / "source", folder / "warm-up", workers=2)  # start the workers, fill the disk cache
        ours, theirs = [], []
        for repeat in range(args.repeats):
            out = folder / f"out{repeat}"
            ours.append(timed(lambda out=out: corpus.prepare(folder / "source", out, workers=2)))
            theirs.append(timed(lambda: processes.map(plain, jobs, chunksize=4)))
    rate, plain_rate = args.images / min(ours), args.images / min(theirs)
    print(f"{args.images} images: corpus {rate:.1f}/s, Pillow {plain_rate:.1f}/s, {rate / plain_rate:.0%}")
