"""HAT against the authors' module (reference values: ../shared/parity)."""

import json

import numpy as np
import pytest
import torch
from numpy.random import PCG64, Generator

from generation.superresolution.hat import HAT, relative_positions


@pytest.fixture(scope="module")
def network(deterministic):
    return deterministic(HAT())


@pytest.fixture(scope="module")
def image():
    return torch.from_numpy(Generator(PCG64(12345)).random((1, 3, 32, 64)).astype(np.float32))


@torch.inference_mode()
def enlarge(network, image):
    return network(image)


def test_tensor_names_and_shapes_are_the_published_ones(shared):
    manifest = json.loads((shared / "parity" / "hat_manifest.json").read_text())
    state = HAT(**manifest["config"]).state_dict()
    assert {name: list(tensor.shape) for name, tensor in state.items()} == manifest["state_dict"]


def test_it_has_the_published_number_of_parameters(network):
    assert sum(parameter.numel() for parameter in network.parameters()) == 20_772_507


def test_output_is_that_of_the_authors_network(shared, network, image):
    result = enlarge(network, image)
    assert result.mean().item() == pytest.approx(0.546186, abs=1e-5)
    assert result.std().item() == pytest.approx(0.721880, abs=1e-5)
    expected = np.load(shared / "parity" / "hat_B_sub.npy")
    np.testing.assert_allclose(result[0, :, ::4, ::4].numpy(), expected, atol=1e-4, rtol=0)


def test_sides_that_are_no_whole_windows_are_padded_by_reflection(shared, network, image):
    result = enlarge(network, image[..., :30, :50])
    assert result.shape == (1, 3, 120, 200)
    expected = np.load(shared / "parity" / "hat_B_pad30x50_sub.npy")
    np.testing.assert_allclose(result[0, :, ::4, ::4].numpy(), expected, atol=1e-4, rtol=0)


def test_an_image_does_not_depend_on_the_others_in_its_batch(deterministic):
    small = deterministic(HAT(window_size=4, depths=(2,), num_heads=(2,), embed_dim=12, squeeze_factor=3))
    batch = torch.rand(3, 3, 12, 8, generator=torch.Generator().manual_seed(1))
    alone = torch.cat([enlarge(small, one[None]) for one in batch])
    torch.testing.assert_close(enlarge(small, batch), alone, atol=1e-5, rtol=0)


def test_relative_positions_of_the_wider_window_wrap_around_as_published():
    index = relative_positions(16, 24)
    assert index.shape == (256, 576)
    assert index.min() == -880  # (15 + 7) rows of 39 and 22 columns before the start of the table
    assert index.max() == 640


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"upsampler": "nearest+conv"}, "only pixelshuffle"),
        ({"upscale": 3}, "power of two"),
        ({"depths": (6, 6)}, "2 groups, but num_heads has 6"),
    ],
)
def test_an_option_it_cannot_serve_is_refused(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        HAT(**options)
