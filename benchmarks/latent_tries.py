"""Which change of the training improves the shipped network? Each continues from the same weights, steps and seeds.

    python benchmarks/latent_tries.py [--data CORPUS] [--steps 200] [--tries longer snr told] [--out DIR]

`longer` trains as before. `snr` weights the loss by min(SNR, 5) / (SNR + 1), for velocities (arXiv 2303.09556). `told`
moves half of the pictures twice as far as `longer` moves all of them, and tells the network how (arXiv 2206.00364,
section 5); sampling then assumes that nothing was moved. For each, the mean square error on held-out latents, over
timesteps, is printed. DIR then contains a checkpoint of each; compare their samples with the same seeds using
`discern generate evaluate --baseline`. A run that was stopped continues from its last save. Without --data, phantoms
are drawn, and a few steps only check that it runs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from diffusers.training_utils import EMAModel
from numpy.random import PCG64, Generator
from PIL import Image
from torch import Tensor, nn

from generation import corpus, packed, phantom, shipped
from generation.diffusion import checkpoints
from generation.diffusion.schedule import STEPS, scheduler
from generation.examples import read_pictures
from generation.files import save_picture
from generation.latent.jitter import jittered
from generation.latent.network import LatentDiffusion
from generation.weights import write_safetensors

BATCH, SNR, FAR, SAVED = 16, 5.0, 2.0, 25
LABELS = 6  # numbers that describe how a picture was moved


@dataclass(frozen=True)
class Views:
    """Standardised latents (N, views, C, H, W), the first view unmoved, and how each was moved (N, views, LABELS)."""

    latents: Tensor
    labels: Tensor


def moved_by(strength: float, rng: Generator) -> np.ndarray:
    """What `jittered` draws from this generator: rotation, two scales, two shifts, greys."""
    return strength * np.hstack(
        [rng.uniform(-1, 1), rng.uniform(-0.5, 1.5, 2), rng.uniform(-1, 1, 2), rng.uniform(-1, 1)]
    )


@torch.inference_mode()
def views(network: LatentDiffusion, pixels: np.ndarray, count: int, strength: float) -> Views:
    """Every picture unmoved, and `count` times moved."""
    latents, labels = [], []
    for number, picture in enumerate(pixels):
        seeds = [[number, view] for view in range(count)]
        shown = [jittered(picture, 0, Generator(PCG64(0)))]
        shown += [jittered(picture, strength, Generator(PCG64(seed))) for seed in seeds]
        latents.append(network.linear.standardised(network.autoencoder.encode(torch.stack(shown))))
        told = [moved_by(strength, Generator(PCG64(seed))) for seed in seeds]
        labels.append(torch.from_numpy(np.stack([np.zeros(LABELS), *told])).float())
    return Views(torch.stack(latents), torch.stack(labels))


class Told(nn.Module):
    """Adds to the time embedding how the pictures were moved; adds nothing for unmoved pictures."""

    def __init__(self, network: LatentDiffusion):
        super().__init__()
        embedding = network.unet.time_embedding
        assert isinstance(embedding, nn.Module)
        self.layer = nn.Linear(LABELS, network.unet.config.block_out_channels[0] * 4, bias=False)  # type: ignore[union-attr,index]
        nn.init.zeros_(self.layer.weight)
        self.labels: Tensor | None = None
        embedding.register_forward_hook(
            lambda _, __, out: out if self.labels is None else out + self.layer(self.labels)
        )


def weights_of(alpha_bars: Tensor, how: str) -> Tensor:
    """The weight of the loss at each timestep, (STEPS,), with mean 1."""
    if how != "snr":
        return torch.ones(STEPS)
    snr = alpha_bars / (1 - alpha_bars)
    weights = snr.clamp(max=SNR) / (snr + 1)
    return weights / weights.mean()


def train(how: str, made: Callable[[], LatentDiffusion], seen: Views, steps: int, out: Path) -> LatentDiffusion:
    """Continue training for `steps` steps; returns the network with averaged weights."""
    torch.manual_seed(0)
    network, solver = made(), scheduler("latent", "ddim")
    told = Told(network)
    network.unet.requires_grad_(True)
    network.places.requires_grad_(True)
    parameters = [*network.unet.parameters(), network.places]
    optimiser = torch.optim.AdamW([*parameters, *told.parameters()], lr=2e-4, betas=(0.9, 0.99), weight_decay=0)
    average = EMAModel(parameters, decay=0.99)
    weights = weights_of(solver.alphas_cumprod, how)
    state, first = out / f"{how}.pt", 0
    if state.is_file():
        saved = torch.load(state, weights_only=True)
        network.load_state_dict(saved["network"])
        told.load_state_dict(saved["told"])
        optimiser.load_state_dict(saved["optimiser"])
        average.load_state_dict(saved["average"])
        first = saved["step"]
    network.train()
    for step in range(first, steps):
        rng = Generator(PCG64([1, step]))
        for group in optimiser.param_groups:
            group["lr"] = 2e-4 * min(1, (step + 1) / 20) * min(1, 2 * (1 - step / steps))
        chosen, own = rng.integers(len(seen.latents), size=BATCH), rng.integers(1, seen.latents.shape[1], size=BATCH)
        own = np.where(rng.random(BATCH) < 0.5, 0, own) if how == "told" else own
        latents, timesteps = seen.latents[chosen, own], torch.from_numpy(rng.integers(STEPS, size=BATCH))
        noise = torch.from_numpy(rng.standard_normal(latents.shape, dtype=np.float32))
        told.labels = seen.labels[chosen, own] if how == "told" else None
        found = network(solver.add_noise(latents, noise, timesteps), timesteps)
        errors = (found - solver.get_velocity(latents, noise, timesteps)).square().mean((1, 2, 3))
        loss = (weights[timesteps] * errors).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        average.step(parameters)
        if (step + 1) % SAVED == 0:
            print(f"{how} {step + 1}: {loss:.4f}", flush=True)
            saved = {"network": network.state_dict(), "told": told.state_dict(), "step": step + 1}
            saved |= {"optimiser": optimiser.state_dict(), "average": average.state_dict()}
            torch.save(saved, state.with_suffix(".part"))
            state.with_suffix(".part").replace(state)
    average.copy_to(parameters)
    told.labels = None
    return network.eval()


@torch.inference_mode()
def held_out(network: LatentDiffusion, seen: Views) -> float:
    """The mean square error of the estimated velocity on held-out pictures, at 8 timesteps each."""
    solver, total, rng = scheduler("latent", "ddim"), [], torch.Generator().manual_seed(5)
    for timestep in range(62, STEPS, 125):
        latents = seen.latents[:, 0]
        noise, times = torch.randn(latents.shape, generator=rng), torch.full((len(latents),), timestep)
        found = network(solver.add_noise(latents, noise, times), times)
        total.append(float(F.mse_loss(found, solver.get_velocity(latents, noise, times))))
    return float(np.mean(total))


def phantoms(folder: Path) -> Path:
    """A prepared corpus of a few phantoms."""
    for seed in range(24):
        save_picture(folder / "drawn" / f"{seed}.png", Image.fromarray(phantom.draw(seed, "real")))
    corpus.prepare(folder / "drawn", folder / "corpus", size=(1024, 512))
    return folder / "corpus"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--views", type=int, default=6)
    parser.add_argument("--tries", nargs="+", choices=("longer", "snr", "told"), default=["longer", "snr", "told"])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = args.out or Path(scratch, "out")
        out.mkdir(parents=True, exist_ok=True)
        data = args.data or phantoms(Path(scratch))

        def made() -> LatentDiffusion:
            network = checkpoints.load(shipped.find())
            assert isinstance(network, LatentDiffusion)
            return network

        start = made()
        apart = views(start, read_pictures(data, "lr", "validation").pixels, 0, 0)
        print(f"as shipped: {held_out(start, apart):.4f} on {len(apart.latents)} held-out pictures", flush=True)
        training = read_pictures(data, "lr", "train").pixels
        strengths = {how: FAR if how == "told" else 1.0 for how in args.tries}
        seen = {strength: views(start, training, args.views, strength) for strength in set(strengths.values())}
        about = packed.index(shipped.find() / packed.INDEX)["diffusion"]["about"]
        for how in args.tries:
            network = train(how, made, seen[strengths[how]], args.steps, out)
            print(f"{how}, {args.steps} steps more: {held_out(network, apart):.4f}", flush=True)
            write_safetensors(out / how / "model.safetensors", network, about)


if __name__ == "__main__":
    main()
