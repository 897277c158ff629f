"""How much memory a release takes, by number of images: the peak of a separate process for each number.

    python benchmarks/release.py [--counts 20 1000] [--checkpoint RUN] [--training DIR]

Without a checkpoint, a small network makes the images, and 40 drawn phantoms replace its training images: the memory of
a release does not depend on what the images show. Images are made 4 at a time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from generation import phantom
from generation.diffusion.recommended import RecommendedUNet
from generation.files import save_picture
from generation.weights import write_safetensors

CONFIG = {"height": 128, "width": 256, "widths": [8, 16], "attention": [], "blocks": 1, "patch": 8}
MEASURED = "import resource, sys; from generation.__main__ import main; code = main();"
MEASURED += "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"


def stand_ins(folder: Path) -> tuple[Path, Path]:
    """A small network and training images."""
    about = {"stage": "diffusion", "design": "recommended", "config": CONFIG}
    write_safetensors(folder / "network" / "model.safetensors", RecommendedUNet(**CONFIG), about)
    for seed in range(40):
        drawn = Image.fromarray(phantom.draw(seed, "real"))
        save_picture(folder / "training" / f"{seed:02d}.png", drawn.resize((256, 128), Image.Resampling.BOX))
    return folder / "network", folder / "training"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[20, 1000])
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--training", type=Path)
    parser.add_argument("--steps", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        network, training = stand_ins(folder)
        for count in args.counts:
            words = ["release", folder / str(count), "--count", count, "--checkpoint", args.checkpoint or network]
            words += ["--training", args.training or training, "--threshold", 0, "--steps", args.steps]
            command = [sys.executable, "-c", MEASURED, *map(str, [*words, "--batch", 4, "--device", "cpu"])]
            begun = time.monotonic()
            done = subprocess.run(command, capture_output=True, text=True)
            seconds = time.monotonic() - begun
            if done.returncode:
                raise SystemExit(done.stderr)
            peak = int(done.stdout.rpartition("peak ")[2]) / 1024
            print(f"{count:6d} images: peak {peak:.0f} MiB, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
