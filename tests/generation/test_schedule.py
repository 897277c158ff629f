"""Noise schedule and DDIM steps against the authors' (reference values: ../shared/parity), solvers against theory."""

import numpy as np
import pytest
import torch
from numpy.random import PCG64, Generator

from generation.diffusion.schedule import SOLVERS, panodiff_betas, scheduler

# diffusers' solvers copy a tensor in a way that numpy 2 finds old
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")


def normal(seed):
    return torch.from_numpy(Generator(PCG64(seed)).standard_normal((1, 3, 32, 64)).astype(np.float32))


def test_betas_are_the_published_ones(shared):
    betas = panodiff_betas()
    assert betas.dtype == np.float32
    np.testing.assert_allclose(betas, np.load(shared / "parity" / "ddim_betas.npy"), atol=1e-6, rtol=0)


def test_the_last_alpha_bar_leaves_a_trace_of_the_picture():
    # FACTS.md: 3.19e-3, where the unclipped cosine schedule ends at 2.4e-9
    assert np.cumprod(1 - panodiff_betas().astype(np.float64))[-1] == pytest.approx(3.19e-3, rel=2e-3)


def test_betas_are_clipped_at_both_ends():
    betas = panodiff_betas()
    assert betas.min() == np.float32(1e-4)
    assert np.flatnonzero(betas == np.float32(0.02))[0] == 902


def test_alpha_bars_and_sampling_steps_are_the_published_ones(shared):
    ddim = scheduler("published", "ddim")
    ddim.set_timesteps(250)
    expected = np.load(shared / "parity" / "ddim_alphas_cumprod.npy")
    np.testing.assert_allclose(ddim.alphas_cumprod.numpy(), expected, atol=1e-6, rtol=0)
    assert (ddim.timesteps.numpy() == np.load(shared / "parity" / "ddim_timesteps250.npy")).all()


@pytest.mark.parametrize("timestep", [996, 500, 0])
def test_a_ddim_step_is_the_published_one(shared, timestep):
    ddim = scheduler("published", "ddim")
    ddim.set_timesteps(250)
    step = ddim.step(normal(777), timestep, normal(778), eta=0.0, use_clipped_model_output=True)
    expected = np.load(shared / "parity" / f"ddim_step_eta0_t{timestep}.npy")
    np.testing.assert_allclose(step.prev_sample.numpy(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("sampler", SOLVERS)
@pytest.mark.parametrize("design", ["published", "recommended"])
def test_a_perfect_network_leads_every_solver_to_the_picture(design, sampler):
    solver = scheduler(design, sampler)
    solver.set_timesteps(25)
    picture = torch.linspace(-0.9, 0.9, 64).view(1, 1, 8, 8)
    x = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for timestep in solver.timesteps:
        signal, noise = solver.alphas_cumprod[timestep].sqrt(), (1 - solver.alphas_cumprod[timestep]).sqrt()
        epsilon = (x - signal * picture) / noise
        output = epsilon if design == "published" else signal * epsilon - noise * picture
        x = solver.step(output, timestep, x).prev_sample
    torch.testing.assert_close(x, picture, atol=1e-5, rtol=0)


def test_our_schedule_ends_in_pure_noise():
    assert scheduler("recommended", "ddim").alphas_cumprod[-1] == 0


def test_a_schedule_without_steps_is_refused():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        panodiff_betas(0)
