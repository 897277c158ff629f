"""Degradations by name or by training: parametric, bicubic, DDPM-LQ, MUNIT-LQ, all as `degrade(good, rng, scale)`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from generation import devices
from generation.diffusion.sampling import Sampling
from generation.errors import InputError
from generation.restoration import ddpm_lq, munit
from generation.restoration.degradations import DEGRADATIONS, Degrade
from generation.weights import file_of, read_safetensors

STAGES = ("ddpm-lq", "munit-lq")


def degradation(
    what: str,
    sampling: Sampling | None = None,
    strength: float = 0.0,
    device: torch.device = torch.device("cpu"),  # noqa: B008 (it does not change)
) -> Degrade:
    """Return the degradation named by `what`: one of DEGRADATIONS, or a training folder or file of one of STAGES.

    sampling, strength: only for DDPM-LQ, as in `ddpm_lq.degrade`. Raises InputError if it is neither, or the checkpoint
    cannot be used.
    """
    if what in DEGRADATIONS:
        return DEGRADATIONS[what]
    path = file_of(Path(what))
    if not path.exists():
        raise InputError(f"{what} is neither {' nor '.join(DEGRADATIONS)} nor a training of {' or '.join(STAGES)}")
    stage = read_safetensors(path)[1].get("stage")
    if stage == "ddpm-lq":
        poor = devices.prepared(ddpm_lq.load(path), device)
        return partial(ddpm_lq.degrade, poor, sampling=sampling or Sampling(), strength=strength)
    if stage == "munit-lq":
        return partial(munit.degrade, devices.prepared(munit.load(path), device))
    raise InputError(f"{path} has the stage {stage!r}, expected {' or '.join(STAGES)}")
