"""Time of the audit of 200 images of 1024 x 512, compared with decoding the same images once with Pillow.

python benchmarks/audit.py [--count N]
"""

import argparse
import tempfile
import time
from pathlib import Path

from PIL import Image

from generation import audit, phantom


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="images of each class (default 100)")
    count = parser.parse_args().count

    with tempfile.TemporaryDirectory() as folder:
        made = phantom.make_pool(Path(folder, "pool"), count, count, 0)
        start = time.perf_counter()
        for case in made.cases:
            with Image.open(made.path(case)) as image:
                image.load()
        decode = time.perf_counter() - start
        start = time.perf_counter()
        audit.audit(made.folder)
        seconds = time.perf_counter() - start
    print(f"{len(made.cases)} images: audited in {seconds:.1f} s, decoded in {decode:.1f} s; {seconds / decode:.1f} x")


if __name__ == "__main__":
    main()
