"""How near restored radiographs come: measures against formulas, energies by direction, intervals, the table."""

import csv
import json

import numpy as np
import pytest
import torch
import torchmetrics.functional.image.lpips as torchmetrics_lpips
from numpy.random import PCG64, Generator
from PIL import Image
from scipy.ndimage import gaussian_filter

from generation import phantom
from generation.__main__ import main
from generation.restoration import lpips
from generation.restoration.fidelity import BINS, mean_interval, measure, spectra

ALEX = (64, 192, 384, 256, 256)  # channels that LPIPS compares


@pytest.fixture(scope="module")
def original():
    return np.asarray(Image.fromarray(phantom.draw(3, "real")).reduce(2))


def blurred(pixels, sigma=1.5):
    return np.rint(gaussian_filter(pixels.astype(float), sigma)).astype(np.uint8)


def noisy(pixels, sigma=8, seed=1):
    return np.rint(pixels + Generator(PCG64(seed)).normal(0, sigma, pixels.shape)).clip(0, 255).astype(np.uint8)


def ssim(x, y):
    """Wang et al. 2004, eq. 13, written out, at every pixel of the picture, mirrored at its borders."""

    def mean(field):
        return gaussian_filter(field, 1.5, radius=5, mode="mirror")

    x, y = x / 255, y / 255
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    return np.mean((2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)))


def test_psnr_and_ssim_are_their_formulas(original):
    for made in (blurred(original), noisy(original)):
        found = measure(original, made)
        error = np.mean((original.astype(float) - made) ** 2)
        assert found["psnr"] == pytest.approx(10 * np.log10(255**2 / error), abs=1e-3)
        assert found["ssim"] == pytest.approx(ssim(original, made), abs=1e-3)
        assert found["ssim"] < found["ms_ssim"] < 1


def test_blur_loses_edges_and_noise_and_added_noise_is_seen(original):
    smooth, rough = measure(original, blurred(original)), measure(original, noisy(original))
    assert smooth["edges"] < -3
    assert smooth["noise"] < -3
    assert rough["noise"] > 3


def test_a_picture_is_at_no_distance_from_itself(original):
    found = measure(original, original)
    assert found["ssim"] == pytest.approx(1)
    assert found["edges"] == found["noise"] == 0


def test_white_noise_has_a_flat_spectrum_of_its_variance():
    flat = np.full((256, 256), 128, dtype=np.uint8)
    found = spectra(noisy(flat, 10), flat)
    fine = found["frequency"] > 0.25
    assert found["noise"][fine].mean() == pytest.approx((10 / 255) ** 2, rel=0.1)
    assert found["noise"][fine].max() < 1.5 * found["noise"][fine].min()
    assert len(found["frequency"]) == BINS


def test_small_pictures_have_no_multiscale_ssim_and_odd_pairs_are_refused(original):
    assert np.isnan(measure(original[:128], original[:128])["ms_ssim"])
    with pytest.raises(ValueError, match="the same size"):
        measure(original, original[:128])


def test_the_interval_holds_the_mean_as_often_as_it_says():
    rng = Generator(PCG64(2))
    held = 0
    for seed in range(100):
        _, low, high = mean_interval(rng.normal(20, 2, 30), seed)
        held += low <= 20 <= high
    assert 87 <= held <= 100
    assert np.isnan(mean_interval([1.0, 2.0])[1])
    assert mean_interval([1.0, 1.0, 1.0]) == (1.0, 1.0, 1.0)


@pytest.fixture
def restored(original, tmp_path):
    """Four originals; under one degradation, a method that blurs a little and a baseline that blurs much."""
    for number in range(4):
        true = np.roll(original, 40 * number, 1)
        for folder, pixels in (
            ("good", true),
            ("haze/bicubic", blurred(true, 2 + number / 4)),
            ("haze/ours", blurred(true, 1)),
        ):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    return tmp_path


def fidelity(folder, *arguments):
    common = ["--reference", folder / "good", "--restored", folder / "haze", "--out", folder / "out"]
    return main(["fidelity", *map(str, [*common, *arguments])])


def test_the_command_tells_the_better_method_with_an_interval_of_the_gain(restored, capsys):
    assert fidelity(restored, "--baseline", "bicubic") == 0
    summary = json.loads((restored / "out" / "fidelity.json").read_text())["summary"]
    assert [(entry["degradation"], entry["method"], entry["images"]) for entry in summary] == [
        ("haze", "bicubic", 4),
        ("haze", "ours", 4),
    ]
    gain = summary[1]["psnr"]["gain"]
    assert 0 < gain["ci"][0] < gain["value"] < gain["ci"][1]
    assert gain["value"] == pytest.approx(summary[1]["psnr"]["value"] - summary[0]["psnr"]["value"])
    table = capsys.readouterr().out
    assert table == (restored / "out" / "fidelity.md").read_text()
    assert "| haze | ours | 4 | " in table
    with (restored / "out" / "fidelity.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 8
    with (restored / "out" / "spectra.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 2 * BINS


def test_missing_images_other_sizes_and_unknown_baselines_are_named(restored, original, capsys):
    assert fidelity(restored, "--baseline", "theirs") == 2
    assert "--baseline theirs: haze has no folder of that name" in capsys.readouterr().err
    Image.fromarray(original[:, ::2]).save(restored / "haze" / "ours" / "1.png")
    assert fidelity(restored) == 2
    assert "1.png: 256 x 256" in capsys.readouterr().err
    (restored / "haze" / "ours" / "1.png").unlink()
    assert fidelity(restored) == 2
    assert f"1: not in {restored / 'haze' / 'ours'}" in capsys.readouterr().err


@pytest.fixture(scope="module")
def backbones(deterministic, tmp_path_factory):
    """Files as torchvision's are, of AlexNet and VGG16, with weights that we know."""
    folder = tmp_path_factory.mktemp("backbones")
    for net, layers in (("alex", lpips._alexnet()), ("vgg", lpips._vgg16())):
        state = {f"features.{name}": tensor for name, tensor in deterministic(layers).state_dict().items()}
        torch.save({**state, "classifier.0.bias": torch.zeros(3)}, folder / f"{net}.pth")
    return folder


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_lpips_is_that_of_torchmetrics_on_the_same_weights(backbones, original, net, monkeypatch):
    """torchmetrics wants torchvision to build the layers; here they come from our file, and the rest is its own."""
    ours = lpips.Lpips(backbones / f"{net}.pth")
    monkeypatch.setattr(torchmetrics_lpips, "_get_tv_model_features", lambda *_: ours.features)
    theirs = torchmetrics_lpips._LPIPS(net=net, pnet_rand=True, eval_mode=True)
    original = original[64:160, 200:296]
    x, y = (torch.from_numpy(pixels / np.float32(255))[None, None] for pixels in (original, noisy(original)))
    expected = theirs(x.expand(-1, 3, -1, -1), y.expand(-1, 3, -1, -1), normalize=True)
    torch.testing.assert_close(ours(x, y), expected.flatten(), rtol=1e-5, atol=0)
    assert ours(x, x) == 0
    assert lpips.measure(backbones / f"{net}.pth")(original, noisy(original)) == pytest.approx(expected.item())


def test_lpips_stands_in_the_table_where_weights_are_given(restored, backbones, tmp_path, capsys):
    assert fidelity(restored, "--baseline", "bicubic", "--lpips", backbones / "alex.pth") == 0
    written = json.loads((restored / "out" / "fidelity.json").read_text())
    assert written["lpips"]["weights"] == "alex.pth"
    worse, better = (entry["lpips"] for entry in written["summary"])
    assert better["gain"]["ci"][1] < 0 < better["value"] < worse["value"]
    assert "| MS-SSIM | LPIPS | edge" in capsys.readouterr().out
    ones = {f"lin{level}.model.1.weight": torch.ones(1, width, 1, 1) for level, width in enumerate(ALEX)}
    torch.save(ones, tmp_path / "ones.pth")
    assert fidelity(restored, "--lpips", backbones / "alex.pth", "--lpips-linear", tmp_path / "ones.pth") == 0
    assert json.loads((restored / "out" / "fidelity.json").read_text())["summary"][0]["lpips"]["value"] > worse["value"]


def test_lpips_without_its_file_or_with_another_is_refused_by_name(restored, backbones, tmp_path, capsys):
    assert fidelity(restored, "--lpips", tmp_path / "nowhere.pth") == 2
    assert "nowhere.pth is not there, expected a checkpoint file" in capsys.readouterr().err
    torch.save({"features.0.weight": torch.zeros(64, 3, 11, 11)}, tmp_path / "other.pth")
    assert fidelity(restored, "--lpips", tmp_path / "other.pth") == 2
    assert "other.pth does not match" in capsys.readouterr().err
    assert fidelity(restored, "--lpips", backbones / "alex.pth", "--lpips-linear", backbones / "vgg.pth") == 2
    assert "vgg.pth does not match" in capsys.readouterr().err
    assert fidelity(restored, "--lpips-linear", backbones / "vgg.pth") == 2
    assert "--lpips-linear needs --lpips" in capsys.readouterr().err
    assert not (restored / "out").exists()
