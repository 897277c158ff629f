"""Noise schedules, and diffusers' samplers configured for them."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler

BETA_FLOOR, BETA_CEILING = 1e-4, 0.02
STEPS = 1000  # also the default of diffusers' schedulers

LATENT = ("latent", "student")  # designs that work on latents, which have no bounds

Sampler = Literal["ddim", "dpm++", "unipc"]
SOLVERS: dict[str, Any] = {
    "ddim": DDIMScheduler,
    "dpm++": DPMSolverMultistepScheduler,
    "unipc": UniPCMultistepScheduler,
}


def panodiff_betas(steps: int = STEPS) -> np.ndarray:
    """The published noise schedule: betas, float32 (steps,).

    The squared-cosine schedule (s = .008; arXiv 2102.09672, eq. 17), its betas clipped to [1e-4, .02]: with 1000 steps
    the last alpha-bar is 3.19e-3, so that a trace of the image remains in what should be noise. Computed in single
    precision, as published; double precision changes the smallest betas by one part in a thousand.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    time = torch.linspace(0, steps, steps + 1) / steps
    alpha_bars = torch.cos((time + 0.008) / 1.008 * math.pi * 0.5) ** 2
    alpha_bars = alpha_bars / alpha_bars[0]
    return (1 - alpha_bars[1:] / alpha_bars[:-1]).clip(BETA_FLOOR, BETA_CEILING).numpy()


def scheduler(design: str, sampler: Sampler = "ddim", steps: int = STEPS) -> Any:
    """Return a diffusers scheduler with `steps` noise steps, configured for the networks of one design.

    `published` networks estimate the noise. Their `ddim` (arXiv 2010.02502) works as published: leading spacing, with
    the image clipped to [-1, 1]; its `step` needs `use_clipped_model_output=True`. `recommended` networks estimate the
    velocity (arXiv 2202.00512) on a cosine schedule rescaled to a last alpha-bar of zero, with trailing spacing, so
    that sampling starts where training ended, in pure noise (arXiv 2305.08891). `dpm++` (arXiv 2211.01095) and `unipc`
    (arXiv 2302.04867) need 20 to 50 steps. `latent` networks and their students are treated like `recommended` ones,
    but without clipping.
    """
    options = _published(steps) if design == "published" else _recommended()
    options["num_train_timesteps"] = steps
    clipped = design not in LATENT
    if sampler == "ddim":
        return DDIMScheduler(**options, clip_sample=clipped, set_alpha_to_one=True)
    # a threshold fixed at 1 clips the image to [-1, 1], like the published DDIM
    options["timestep_spacing"] = "trailing"
    return SOLVERS[sampler](**options, thresholding=clipped, sample_max_value=1.0)


def _published(steps: int) -> dict[str, Any]:
    return {"trained_betas": panodiff_betas(steps), "prediction_type": "epsilon", "timestep_spacing": "leading"}


def _recommended() -> dict[str, Any]:
    return {
        "beta_schedule": "squaredcos_cap_v2",
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    }
