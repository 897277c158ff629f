"""Chest phantoms: what is drawn follows from the seed, and nodules lie where the table says."""

import numpy as np
import pytest
from PIL import Image

from generation import corpus
from generation.__main__ import main
from generation.phantom import chest
from generation.restoration import nodules


@pytest.fixture(scope="module")
def drawn():
    return chest.draw(4, nodules=3)


def test_a_chest_is_a_matter_of_its_seed(drawn):
    pixels, planted = drawn
    again, same = chest.draw(4, nodules=3)
    assert pixels.shape == (1024, 1024)
    assert (pixels == again).all()
    assert planted == same
    other, _ = chest.draw(5, nodules=3)
    assert np.abs(pixels.astype(int) - other).mean() > 5


def test_lungs_are_dark_between_bright_walls_and_beside_a_bright_heart(drawn):
    rows = drawn[0][450:550].mean(0)
    assert rows[250:330].mean() < 0.8 * rows[480:540].mean()
    assert rows[690:770].mean() < 0.8 * rows[480:540].mean()
    assert rows[250:330].mean() < 0.8 * rows[90:130].mean()
    assert drawn[0][:60, 40:200].mean() < 20  # the air above a shoulder


def test_a_nodule_is_what_the_same_chest_without_it_lacks(drawn):
    """The exposure of the two differs a little, as it follows the whole: the places are where one is far brighter."""
    pixels, planted = drawn
    bare, none = chest.draw(4, nodules=0)
    assert none == []
    change = pixels.astype(float) - bare
    for nodule in planted:
        assert nodules.contrast(change, nodule) > 8
        y, x = np.ogrid[0:1024, 0:1024]
        inside = np.hypot(y - nodule.y, x - nodule.x) < nodule.radius
        weight = np.where(inside, (change - np.median(change)).clip(0), 0)
        middle = [(weight * axis).sum() / weight.sum() for axis in (y, x)]
        assert middle == pytest.approx([nodule.y, nodule.x], abs=0.5)
    far = np.all([np.hypot(y - n.y, x - n.x) > 2 * n.radius for n in planted], axis=0)
    assert np.abs(change[far] - np.median(change)).max() < 12


def test_smaller_phantoms_are_the_same_ones_reduced(drawn):
    small, planted = chest.draw(4, nodules=3, side=256)
    assert (small == np.asarray(Image.fromarray(drawn[0]).reduce(4))).all()
    for nodule, whole in zip(planted, drawn[1], strict=True):
        assert (nodule.x, nodule.radius) == pytest.approx(((whole.x - 1.5) / 4, whole.radius / 4))


def test_the_command_draws_a_folder_that_a_corpus_can_be_made_of(tmp_path, capsys):
    arguments = ["phantom", "--chest", "10", "--side", "256", "--seed", "3", "--out", str(tmp_path / "chests")]
    assert main(arguments) == 0
    planted = nodules.read(tmp_path / "chests" / "nodules.csv")
    files = sorted((tmp_path / "chests" / "images").iterdir())
    assert [file.stem for file in files] == sorted(planted)
    assert f"10 chest phantoms with {sum(map(len, planted.values()))} nodules" in capsys.readouterr().out
    for file in files:
        for nodule in planted[file.stem]:
            assert nodules.contrast(np.asarray(Image.open(file)).astype(float), nodule) > 0
    corpus.prepare(tmp_path / "chests" / "images", tmp_path / "corpus", size=(128, 128), workers=1)
    assert main(arguments) == 2
    assert "is not empty" in capsys.readouterr().err
