"""How near restored radiographs come: measures against formulas, energies by direction, intervals, the table."""

import csv
import json

import numpy as np
import pytest
from numpy.random import PCG64, Generator
from PIL import Image
from scipy.ndimage import gaussian_filter

from generation import phantom
from generation.__main__ import main
from generation.restoration.fidelity import BINS, mean_interval, measure, spectra


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
    with pytest.raises(ValueError, match="one size"):
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
