"""What fewer sampling steps cost: the distance from the 250-step result, from the same seeds, and the time they take.

    python benchmarks/sampling.py [--checkpoint RUN_OR_FILE] [--count 8] [--device cpu|cuda]

Without a checkpoint, the network shipped with Discern is sampled. The reference is DDIM without added noise at 250
steps: with the noise of eta = 1, different numbers of steps could not be compared image by image. Distances are means
over images and pixels, in grey levels of 255; the distance between two images with different seeds is also given.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor

from generation import devices, shipped
from generation.diffusion import checkpoints
from generation.diffusion.sampling import ImageNoise, Sampling, denoise

RUNS = [Sampling(sampler, steps) for sampler in ("ddim", "dpm++", "unipc") for steps in (10, 25, 50)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--device", choices=devices.DEVICES, default="auto")
    args = parser.parse_args()
    device = devices.start(args.device).device
    precision = devices.resolve("auto", device)
    network = devices.prepared(checkpoints.load(args.checkpoint or shipped.find()), device)

    def sample(sampling: Sampling) -> tuple[Tensor, float]:
        noise = ImageNoise(0, range(args.count), (network.in_channels, *network.size))
        begun = time.perf_counter()
        return denoise(network, noise, sampling, precision=precision), time.perf_counter() - begun

    sample(Sampling("ddim", 1))  # first-use costs
    reference, seconds = sample(Sampling("ddim", 250))
    strangers = 255 * (reference - reference.roll(1, 0)).abs().mean()
    height, width = reference.shape[2:]
    print(f"{args.count} images of {width} x {height}, {precision} on {device}, PyTorch {torch.__version__}")
    print(
        f"ddim 250 steps: {seconds / args.count:.2f} s per image; images with different seeds are {strangers:.1f} apart"
    )
    for sampling in RUNS:
        pictures, taken = sample(sampling)
        distance = 255 * (pictures - reference).abs().mean()
        print(
            f"{sampling.sampler:5} {sampling.steps:3} steps: {taken / args.count:.2f} s per image"
            f" ({seconds / taken:.1f} times as fast), {distance:.2f} from the reference"
        )


if __name__ == "__main__":
    main()
