"""Restoring 512 -> 1024 px with the package, compared with the plain loop: one network, one machine, in turn.

    python benchmarks/restoration.py [--preset recommended|phantom] [--timed N] [--pairs N] [--side PX] [--device D]

Plain is an implementation directly from the paper: diffusers' U-Net and DDIM in fp32, channels first, one whole image
at a time, every step. Ours is `discern generate restore` with its defaults: DPM-Solver++, the device's preferred
precision, channels last. Weights are random, because they do not affect the time. Every step costs the same, so
`--timed` steps are measured and scaled up to 25. Seconds are the median over pairs, ratios are per pair; on a busy
machine, use the CPU time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from generation import devices
from generation.diffusion.sampling import Sampling
from generation.diffusion.schedule import scheduler
from generation.restoration.network import STEPS, RestorationUNet
from generation.restoration.restoring import restore
from generation.restoration.task import PRESETS

ALL = 25


@torch.no_grad()
def plain(network: RestorationUNet, poor: np.ndarray, steps: int, device: torch.device) -> np.ndarray:
    """The loop from the paper: float32 (2 h, 2 w) in [0, 1] from uint8 (h, w)."""
    solver = scheduler("recommended", "ddim", STEPS)
    solver.set_timesteps(steps)
    small = torch.from_numpy(poor / np.float32(127.5) - 1)[None, None].to(device)
    large = F.interpolate(small, scale_factor=2, mode="bicubic")
    x = torch.randn(large.shape, generator=torch.Generator().manual_seed(0)).to(device)
    for timestep in solver.timesteps:
        x = solver.step(network(x, timestep, large), timestep, x).prev_sample
    return (x.clamp(-1, 1) / 2 + 0.5)[0, 0].cpu().numpy()


def seconds(work: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Wall-clock and CPU seconds, with the device's queue emptied."""
    begun, used = time.perf_counter(), time.process_time()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun, time.process_time() - used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=PRESETS, default="recommended", help="preset with the network")
    parser.add_argument("--side", type=int, default=512, help="side of the degraded image, px (default: 512)")
    parser.add_argument("--timed", type=int, default=1, help=f"steps that are measured, of {ALL} (default: 1)")
    parser.add_argument("--pairs", type=int, default=3, help="how often the two take turns (default: 3)")
    parser.add_argument("--device", choices=devices.DEVICES, default="auto")
    args = parser.parse_args()
    device = devices.start(args.device).device
    precision = devices.resolve("auto", device)
    chosen = PRESETS[args.preset].network
    torch.manual_seed(0)
    theirs, ours = (
        RestorationUNet(chosen.widths, chosen.attention, chosen.blocks, chosen.patch, 2, chosen.head)
        .eval()
        .requires_grad_(False)
        for _ in range(2)
    )
    ours.load_state_dict(theirs.state_dict())
    theirs, ours = theirs.to(device), devices.prepared(ours, device)
    poor = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (args.side, args.side), dtype=np.uint8)
    sampling = Sampling("dpm++", args.timed)

    def turns(poor: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
        return (
            seconds(lambda: plain(theirs, poor, args.timed, device), device),
            seconds(lambda: restore(ours, poor, sampling, precision=precision), device),
        )

    turns(poor if device.type == "cuda" else poor[:64, :64])  # first-use costs
    size = sum(weights.numel() for weights in theirs.parameters()) / 1e6
    print(f"{args.preset}, {size:.1f} M parameters, {args.side} -> {2 * args.side} px, {ALL} steps per image, {device}")
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads; plain fp32, ours {precision}", flush=True)
    pairs = []
    for number in range(args.pairs):
        pairs.append(turns(poor))
        print(f"  pair {number + 1}: plain {pairs[-1][0][0]:.1f} s, ours {pairs[-1][1][0]:.1f} s", flush=True)
    for place, clock in enumerate(("wall clock", "CPU time")):
        one, other = (median(pair[side][place] for pair in pairs) * ALL / args.timed for side in (0, 1))
        ratios = sorted(pair[0][place] / pair[1][place] for pair in pairs)
        print(
            f"{clock}: plain {one:.0f} s per image, ours {other:.0f} s, {median(ratios):.2f} times as fast"
            f" ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()
