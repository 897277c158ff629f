"""A GPU for a quarter of an hour: train, sample, measure, and pack the weights, all in one run.

    python benchmarks/gpu.py [--data CORPUS] [--out DIR] [--plan diffusion=480] [--device cuda|cpu] [--small]

It prints, and writes to DIR/figures.json:
- the card's peak performance (a large bf16 product), and the share of it that the published U-Net, ours and HAT reach,
  compared with the plain eager fp32 loop with explicit attention (benchmarks/networks.py);
- for every stage of the plan: images per second by batch size, with and without torch.compile, and the training that
  fits into its time, in bf16 if the card supports it, with averaged weights;
- seconds per image for `--count` samples at 250, 50, 25 and 10 steps.

DIR can be copied to another machine: it contains the weights as `STAGE-00.safetensors` and so on, in fp16, each below
16 MiB, and `rest.tar` with everything else (network.json, README.md, logs, sheets, samples). Unpack the tar next to the
weights, and DIR is a --checkpoint.

A plan names stages in order, with the seconds for each: `autoencoder=150,latent=330`; a `latent` stage uses the
autoencoder before it, a `student` stage the latent network. `--set STAGE.section.name=value` changes a setting of one
stage. Before you use a GPU, try a small run on the CPU: `python benchmarks/gpu.py --small --device cpu --data CORPUS
--out DIR`.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from networks import plainly, seconds
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from generation import corpus, phantom, runs, training
from generation.__main__ import main as generation
from generation.corpus import read_manifest
from generation.devices import autocast, prepared, resolve, start
from generation.diffusion.recommended import RecommendedUNet
from generation.diffusion.unet import PanoDiffUNet
from generation.files import save_picture
from generation.superresolution.hat import HAT

BATCHES = (16, 32, 64, 128)
PAYS = 0.9  # share of the best rate: the smallest batch size that reaches it is used
TRIED = 24  # steps used to measure a rate; the first half is a warm-up
NEEDS = {"latent": {"network.autoencoder": "autoencoder"}, "student": {"network.teacher": "latent"}}
SMALL_HAT = {"window_size": 4, "depths": (1,), "num_heads": (2,), "embed_dim": 12, "squeeze_factor": 3}
SMALL = {
    "diffusion": ["network.widths=[16, 32]", "network.attention=[]", "network.patch=4", "sampling.steps=2"],
    "superresolution": ["losses.crop=32", "network.width=12", "network.heads=2", "network.depths=[1]"],
}
SMALL["superresolution"] += ["network.window=4", "network.squeeze=3", "network.channels=1", "losses.adversarial=0"]


def peak(device: torch.device, size: int) -> float:
    """FLOP per second for a product of two square matrices, in the precision used by the networks."""
    kind = torch.bfloat16 if resolve("auto", device) == "bf16" else torch.float32
    one, other = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    taken = min(seconds(lambda: one @ other, device)[0] for _ in range(10))
    return 2 * size**3 / taken


def steps_of(device: torch.device, small: bool, compiled: bool, card: float) -> dict[str, Any]:
    """For each network: seconds per step, plain and ours, and the share of the card's peak performance."""
    batch, side = (1, (32, 64)) if small else (64, (128, 256))
    unet = PanoDiffUNet(widths=(8, 16, 16, 16), size=side) if small else PanoDiffUNet()
    ours = RecommendedUNet(*side, widths=(16, 32), attention=(), patch=4) if small else RecommendedUNet()
    hat = HAT(**SMALL_HAT) if small else HAT()
    noisy = torch.randn(batch, 3, *side), torch.tensor([500])
    low = (torch.rand(max(1, batch // 8), 3, *side),)
    cases = {"published U-Net": (unet, noisy), "our U-Net": (ours, (noisy[0][:, :1], noisy[1])), "HAT": (hat, low)}
    found = {}
    for name, (network, inputs) in cases.items():
        network = network.eval().requires_grad_(False).to(device)
        there = tuple(tensor.to(device) for tensor in inputs)
        with torch.inference_mode(), plainly():
            with FlopCounterMode(display=False) as counter:
                network(*there)
            plain = min(seconds(lambda: network(*there), device)[0] for _ in range(3))  # noqa: B023 (called at once)
        network = prepared(network, device)
        there = (there[0].contiguous(memory_format=torch.channels_last), *there[1:])
        if compiled:
            network.compile()
        with torch.inference_mode(), autocast(resolve("auto", device), device):
            network(*there)
            fast = min(seconds(lambda: network(*there), device)[0] for _ in range(3))  # noqa: B023
        flop = counter.get_total_flops()
        found[name] = {"images": len(there[0]), "plain_s": plain, "ours_s": fast, "ratio": plain / fast}
        found[name] |= {"flop": flop, "share_of_peak": flop / fast / card}
        print(
            f"{name}, {len(there[0])} images: plain {plain:.4f} s, ours {fast:.4f} s, {plain / fast:.1f} times as fast,"
        )
        print(f"  {flop / fast / 1e12:.3g} TFLOP/s, {flop / fast / card:.0%} of the card's peak", flush=True)
    return found


def phantoms(work: Path, count: int) -> Path:
    """A corpus of drawn phantoms, 256 x 128 and 64 x 32."""
    for seed in range(count):
        drawn = Image.fromarray(phantom.draw(seed, "real"))
        save_picture(work / "drawn" / f"{seed:03d}.png", drawn.resize((256, 128), Image.Resampling.BOX))
    corpus.prepare(work / "drawn", work / "corpus", size=(256, 128), parts=(0.75, 0.25, 0))
    return work / "corpus"


class Trainings:
    """Trainings of one stage on one corpus, with the usual command."""

    def __init__(self, stage: str, args: argparse.Namespace, work: Path, more: list[str]):
        self.stage, self.args, self.work = stage, args, work
        self.images = sum(row["split"] == "train" for row in read_manifest(args.data))
        own = [change.partition(".")[2] for change in args.set if change.startswith(f"{stage}.")]
        self.changes = [*(SMALL.get(stage, []) if args.small else []), *more, *own]

    def train(self, out: Path, **changes: Any) -> list[float]:
        """Train into a folder; returns the times at which steps were finished."""
        moments: list[float] = []
        write = training.Log.write

        def clocked(log: Any, step: int, epoch: int, measures: Any) -> None:
            moments.extend([time.monotonic()] * ("learning_rate" in measures))
            write(log, step, epoch, measures)

        words = ["train", "--stage", self.stage, "--data", self.args.data, "--out", out, "--device", self.args.device]
        told = [f"training.{name}={json.dumps(value)}" for name, value in changes.items()]
        words += [word for change in [*self.changes, *told] for word in ("--set", change)]
        with patch.object(training.Log, "write", clocked):
            if generation([str(word) for word in words]):
                raise SystemExit(f"the training of {self.stage} was refused")
        return moments

    def rate(self, batch: int, compiled: bool) -> float:
        """Images per second after the warm-up."""
        epochs = math.ceil((6 if self.args.small else TRIED) / (self.images // batch))
        kept = {"save_every": 10**6, "look_every": 10**6, "samples": 1, "workers": self.args.workers}
        moments = self.train(
            self.work / f"try-{self.stage}-{batch}-{compiled}", epochs=epochs, batch=batch, compile=compiled, **kept
        )
        half = len(moments) // 2
        return batch * (len(moments) - 1 - half) / (moments[-1] - moments[half])

    def within(self, limit: float) -> tuple[Path, dict[str, Any]]:
        """The training that fits into `limit` seconds, and the measurements made for it."""
        rates: dict[int, float] = {}
        for batch in [size for size in ((4, 8) if self.args.small else BATCHES) if size <= self.images]:
            try:
                rates[batch] = self.rate(batch, False)
            except torch.cuda.OutOfMemoryError:
                break
            print(f"{self.stage}, batch {batch}: {rates[batch]:.1f} images/s", flush=True)
        batch = min(size for size, rate in rates.items() if rate >= PAYS * max(rates.values()))
        compiled = self.rate(batch, True) if self.args.compile else 0.0
        if compiled:
            print(f"{self.stage}, batch {batch}, compiled: {compiled:.1f} images/s", flush=True)
        best = max(compiled, rates[batch])
        epochs = max(1, int(limit * best / (self.images // batch * batch)))
        out, begun = self.work / self.stage, time.monotonic()
        look = max(1, epochs // 8)
        self.train(
            out, epochs=epochs, batch=batch, compile=compiled == best, look_every=look, workers=self.args.workers
        )
        taken = time.monotonic() - begun
        print(f"{self.stage}: {epochs} epochs of {self.images} images in {taken:.0f} s", flush=True)
        return out, {"images_per_s": rates, "compiled": compiled, "batch": batch, "epochs": epochs, "seconds": taken}


def sampled(run: Path, args: argparse.Namespace, work: Path) -> dict[int, float]:
    """Seconds per image, by number of steps."""
    found = {}
    for steps in (4, 2) if args.small else (250, 50, 25, 10):
        out = work / "samples" / f"steps-{steps}"
        words = ["sample", "--checkpoint", run, "--out", out, "--count", args.count, "--steps", steps, "--device"]
        words += [args.device, *(["--sampler", "ddim"] if steps >= 250 else [])]
        if generation([str(word) for word in words]):
            raise SystemExit("the sampling was refused")
        found[steps] = runs.cost(out) or math.nan
        print(f"{args.count} samples of {steps} steps: {found[steps]:.4f} s each", flush=True)
    return found


def brought_home(made: dict[str, Path], figures: dict[str, Any], args: argparse.Namespace, work: Path) -> None:
    """Write DIR: the weights in parts, and one tar with everything else."""
    words = [word for name, run in made.items() for word in ("--run", f"{name}={run}")]
    if generation(["ship", *words, "--out", str(work / "weights"), "--most-mb", "1000"]):
        raise SystemExit("the weights could not be packed")
    args.out.mkdir(parents=True, exist_ok=True)
    for part in sorted((work / "weights").glob("*.safetensors")):
        shutil.copy(part, args.out)
    (args.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    with tarfile.open(args.out / "rest.tar", "w") as tar:
        for name in ("network.json", "README.md"):
            tar.add(work / "weights" / name, name)
        for name, run in made.items():
            tar.add(run / "log.csv", f"{name}/log.csv")
            tar.add(run / "samples", f"{name}/samples")
        if (work / "samples").is_dir():
            tar.add(work / "samples", "samples")
    for path in sorted(args.out.iterdir()):
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a prepared corpus; without it, phantoms are drawn")
    parser.add_argument("--out", type=Path, default=Path("out", "gpu"))
    parser.add_argument("--plan", default="diffusion=480", help="stages with their seconds, in order")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.SECTION.NAME=VALUE")
    parser.add_argument("--count", type=int, default=350, help="samples at each number of steps")
    parser.add_argument("--workers", type=int, default=8, help="processes that prepare examples")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument(
        "--small", action="store_true", help="a small run to check that everything works (the default without a GPU)"
    )
    args = parser.parse_args()
    args.small |= args.device != "cuda" and not torch.cuda.is_available()
    if args.small:
        args.count, args.workers = 4, 0
    device = start(args.device).device
    card = peak(device, 512 if args.small else 8192)
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"{name}, PyTorch {torch.__version__}: {card / 1e12:.2f} TFLOP/s in {resolve('auto', device)}", flush=True)
    figures: dict[str, Any] = {"device": name, "torch": torch.__version__, "peak_flop_per_s": card}
    figures["steps"] = steps_of(device, args.small, args.compile and not args.small, card)
    made: dict[str, Path] = {}
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        args.data = args.data or phantoms(work, 24 if args.small else 400)
        for stage, limit in (entry.split("=") for entry in args.plan.split(",")):
            more = [f"{name}={made[other]}" for name, other in NEEDS.get(stage, {}).items() if other in made]
            made[stage], figures[stage] = Trainings(stage, args, work, more).within(float(limit))
        if sampler := next((stage for stage in ("latent", "diffusion") if stage in made), None):
            figures["sampling_s_per_image"] = sampled(made[sampler], args, work)
        brought_home(made, figures, args, work)


if __name__ == "__main__":
    main()
