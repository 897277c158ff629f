"""The PanoDiff U-Net against the authors' module (reference values: ../shared/parity)."""

import json

import numpy as np
import pytest
import torch
from numpy.random import PCG64, Generator

from generation.diffusion.unet import PanoDiffUNet


@pytest.fixture(scope="module")
def output(deterministic):
    x = Generator(PCG64(12345)).standard_normal((1, 3, 128, 256)).astype(np.float32)
    with torch.inference_mode():
        return deterministic(PanoDiffUNet())(torch.from_numpy(x), torch.tensor([500]))


def test_tensor_names_and_shapes_are_the_published_ones(shared):
    manifest = json.loads((shared / "parity" / "panodiff_unet_manifest.json").read_text())
    assert {name: list(tensor.shape) for name, tensor in PanoDiffUNet().state_dict().items()} == manifest["state_dict"]


def test_it_has_the_published_number_of_parameters():
    assert sum(parameter.numel() for parameter in PanoDiffUNet().parameters()) == 33_995_395


def test_mean_and_spread_are_those_of_the_authors_network(output):
    assert output.mean().item() == pytest.approx(-0.031866, abs=1e-5)
    assert output.std().item() == pytest.approx(1.287790, abs=1e-5)


def test_output_is_that_of_the_authors_network(shared, output):
    expected = np.load(shared / "parity" / "unet_B_t500_sub.npy")
    np.testing.assert_allclose(output[0, :, ::4, ::4].numpy(), expected, atol=1e-4, rtol=0)


def test_an_image_does_not_depend_on_the_others_in_its_batch(deterministic):
    network = deterministic(PanoDiffUNet(in_channels=1, widths=(8, 16, 16)))
    x, timesteps = torch.randn(3, 1, 8, 16, generator=torch.Generator().manual_seed(1)), torch.tensor([3, 500, 999])
    with torch.inference_mode():
        alone = torch.cat([network(x[i : i + 1], timesteps[i]) for i in range(3)])
        torch.testing.assert_close(network(x, timesteps), alone, atol=1e-5, rtol=0)
