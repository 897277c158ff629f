"""The losses of super-resolution beside the plain distance."""

import math

import pytest
import torch

from generation.errors import InputError
from generation.superresolution.losses import FEATURES, VGG19, Discriminator, Perceptual, vanilla_gan


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory):
    """A file with torchvision's names and shapes, and few different numbers: its layers only have to be in place."""
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    state, place, width = {}, 0, 3
    generator = torch.Generator().manual_seed(0)
    for wider in VGG19:
        if wider:
            weight = torch.randn(wider, width, 3, 3, generator=generator) / math.sqrt(4.5 * width)
            state |= {f"features.{place}.weight": weight, f"features.{place}.bias": torch.zeros(wider)}
            width = wider
        place += 2 if wider else 1
    torch.save(state | {"classifier.0.weight": torch.zeros(2)}, path)
    return path


def test_the_layers_compared_are_those_before_the_activations_named(vgg_file):
    features = Perceptual(vgg_file).features
    places = [place for place, layer in enumerate(features) if isinstance(layer, torch.nn.Conv2d)]
    names = [f"conv{b}_{i}" for b, count in enumerate((2, 2, 4, 4, 4), 1) for i in range(1, count + 1)]
    compared = {names[places.index(place)]: weight for place, weight in FEATURES.items()}
    assert compared == {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}
    assert len(features) == 35  # up to conv5_4


def test_the_perceptual_distance_is_none_for_equal_pictures_and_grows_with_the_difference(vgg_file):
    distance = Perceptual(vgg_file)
    generator = torch.Generator().manual_seed(1)
    picture, noise = (torch.rand(1, 1, 32, 32, generator=generator) for _ in range(2))
    assert distance(picture, picture) == 0
    near, far = (distance(picture, picture + amount * noise) for amount in (0.05, 0.4))
    assert 0 < near < far
    assert not any(parameter.requires_grad for parameter in distance.parameters())


def test_another_file_is_refused_by_name(tmp_path):
    torch.save({"features.0.weight": torch.zeros(64, 1, 3, 3)}, tmp_path / "grey.pth")
    with pytest.raises(InputError, match=r"grey\.pth does not match Perceptual") as refusal:
        Perceptual(tmp_path / "grey.pth")
    assert "features.0.weight: expected (64, 3, 3, 3), found (64, 1, 3, 3)" in str(refusal.value)


def test_the_discriminator_judges_every_pixel():
    assert Discriminator(1, width=8)(torch.rand(2, 1, 16, 24)).shape == (2, 1, 16, 24)


def test_an_undecided_discriminator_costs_the_logarithm_of_two():
    assert vanilla_gan(torch.zeros(1, 1, 4, 4), True).item() == pytest.approx(math.log(2))
    assert vanilla_gan(torch.full((1, 1, 4, 4), 9.0), True) < 0.001 < vanilla_gan(torch.full((1, 1, 4, 4), 9.0), False)
