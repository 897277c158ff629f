"""Good radiographs made poor: each fault does what its name says, and an image's fate is its own."""

import dataclasses
import json

import numpy as np
import pytest
from numpy.random import PCG64, Generator
from PIL import Image
from scipy.ndimage import gaussian_filter

from generation import phantom
from generation.__main__ import main
from generation.restoration.degradations import DEGRADATIONS, RANGES, Ranges, parametric

NOTHING = Ranges(
    blur=(0, 0), haze=(0, 0), spread=(0.1, 0.1), contrast=(1, 1), coarse=(1, 1), noise=(0, 0), grain=(0, 0)
)


@pytest.fixture(scope="module")
def good():
    return np.asarray(Image.fromarray(phantom.draw(3, "real")).reduce(4)) / np.float32(255)


def poor(good, seed=1, **changes):
    return parametric(good, Generator(PCG64(seed)), 2, dataclasses.replace(NOTHING, **changes))


def small(good):
    return good.reshape(good.shape[0] // 2, 2, -1, 2).mean((1, 3))


@pytest.mark.parametrize("method", DEGRADATIONS)
def test_a_poor_picture_is_small_in_range_and_a_matter_of_the_seed(good, method):
    one, again = (DEGRADATIONS[method](good, Generator(PCG64(5)), 2) for _ in range(2))
    assert one.shape == (64, 128)
    assert one.dtype == np.float32
    assert 0 <= one.min() <= one.max() <= 1
    assert (one == again).all()


def test_with_every_fault_at_nothing_only_the_size_is_lost(good):
    np.testing.assert_allclose(poor(good), small(good), atol=1e-5)


def test_blur_and_coarseness_take_fine_detail_away(good):
    def fine(picture):
        return (picture - gaussian_filter(picture, 2)).std()

    assert fine(poor(good, blur=(3, 3))) < 0.7 * fine(small(good))
    assert fine(poor(good, coarse=(2, 2))) < 0.9 * fine(small(good))


def test_haze_and_contrast_narrow_the_greys_and_keep_their_mean(good):
    for changes in ({"haze": (0.4, 0.4)}, {"contrast": (0.6, 0.6)}):
        made = poor(good, **changes)
        assert made.std() < 0.95 * small(good).std()
        assert made.mean() == pytest.approx(small(good).mean(), abs=0.01)
    assert poor(good, contrast=(0.6, 0.6)).std() == pytest.approx(0.6 * small(good).std(), rel=0.01)


def test_noise_has_the_spread_asked_for_and_grows_with_the_grey():
    for grey, factor in ((0.5, 1.0), (0.2, np.sqrt(0.46))):
        flat = np.full((256, 256), grey, dtype=np.float32)
        assert poor(flat, noise=(0.03, 0.03)).std() == pytest.approx(0.03 * factor, rel=0.03)


def test_the_usual_ranges_leave_the_picture_recognisable(good):
    made = [parametric(good, Generator(PCG64(seed)), 2, RANGES) for seed in range(10)]
    likeness = [np.corrcoef(one.ravel(), small(good).ravel())[0, 1] for one in made]
    assert 0.8 < min(likeness) < max(likeness) < 0.9999


def test_the_command_gives_an_image_the_same_fate_whatever_lies_beside_it(good, tmp_path, capsys):
    for folder, names in (("alone", ["b"]), ("together", ["a", "b"])):
        (tmp_path / folder).mkdir()
        for name in names:
            Image.fromarray((good * 255).astype(np.uint8)).save(tmp_path / folder / f"{name}.png")
        assert main(["degrade", "--images", str(tmp_path / folder), "--out", str(tmp_path / f"{folder}-poor")]) == 0
    alone, together = (tmp_path / f"{folder}-poor" / "b.png" for folder in ("alone", "together"))
    assert alone.read_bytes() == together.read_bytes() != (tmp_path / "together-poor" / "a.png").read_bytes()
    assert json.loads((tmp_path / "alone-poor" / "degraded.json").read_text())["scale"] == 2
    again = ["degrade", "--images", str(tmp_path / "alone"), "--out", str(tmp_path / "alone-poor"), "--seed", "1"]
    assert main(again) == 2
    assert "seed: 0 then, 1 now" in capsys.readouterr().err


def test_images_that_cannot_be_halved_or_read_are_named_and_the_others_made(good, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    Image.fromarray((good * 255).astype(np.uint8)).save(tmp_path / "in" / "sound.png")
    Image.fromarray((good[:-1] * 255).astype(np.uint8)).save(tmp_path / "in" / "odd.png")
    (tmp_path / "in" / "spoilt.png").write_bytes(b"no picture")
    assert main(["degrade", "--images", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "odd.png: 256 x 127 is not a multiple of 2; choose another --scale" in said
    assert "spoilt.png: not readable" in said
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["sound.png"]


def test_two_images_of_one_name_are_refused(good, tmp_path, capsys):
    for folder in ("a", "b"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        Image.fromarray((good * 255).astype(np.uint8)).save(tmp_path / "in" / folder / "same.png")
    assert main(["degrade", "--images", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 2
    assert "same: 2 files" in capsys.readouterr().err
