"""Planted nodules before and after restoration: contrast, place, what was invented and what was lost."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from generation.__main__ import main
from generation.phantom.chest import Nodule
from generation.restoration import nodules

BALL = Nodule(40, 30, 6)


def picture(*balls, grey=100.0, height=40.0):
    """A smooth ground with balls (nodule, height) on it, uint8 (96, 128)."""
    y, x = np.mgrid[0:96, 0:128]
    found = grey + 20 * np.sin(x / 40)
    for ball in balls:
        found = found + height * np.sqrt((1 - ((x - ball.x) ** 2 + (y - ball.y) ** 2) / ball.radius**2).clip(0))
    return np.rint(found).astype(np.uint8)


def test_half_the_contrast_and_two_pixels_aside_are_measured_as_such():
    original, restored = picture(BALL), picture(Nodule(42, 30, 6), height=20)
    (found,) = nodules.measure(original, picture(BALL, height=20), [BALL])
    assert found["after"] == pytest.approx(found["before"] / 2, rel=0.1)
    assert found["shift"] == 0
    assert found["strength"] == pytest.approx(0.5, abs=0.05)
    assert nodules.measure(original, restored, [BALL])[0]["shift"] == pytest.approx(2, abs=0.5)
    (same,) = nodules.measure(original, original, [BALL])
    assert same["before"] == same["after"] > 20
    assert same["strength"] == 1
    with pytest.raises(ValueError, match="outside 128 x 96"):
        nodules.measure(original, original, [Nodule(130, 3, 6)])


def test_what_was_invented_and_what_was_lost_is_counted_whatever_the_exposure():
    original = picture(BALL)
    least = nodules.SEEN * nodules.strength(original, [BALL])

    def count(restored):
        return nodules.false_structures(nodules.difference(original, restored, BALL.radius), BALL.radius, least)

    assert count(original) == (0, 0)
    assert count(np.rint(0.3 * original + 90).astype(np.uint8)) == (0, 0)
    assert count(picture(BALL, Nodule(90, 60, 6), Nodule(15, 75, 6))) == (2, 0)
    assert count(picture()) == (0, 1)


def test_the_map_is_red_where_something_was_added_and_blue_where_it_went():
    original, moved = picture(BALL), picture(Nodule(90, 60, 6))
    change = nodules.difference(original, moved, BALL.radius)
    red, _, blue = nodules.as_map(original, change, nodules.SEEN * nodules.strength(original, [BALL]))
    assert red[60, 90] == blue[30, 40] == 1
    assert blue[60, 90] == red[30, 40] == 0
    assert red[5, 100] == pytest.approx(blue[5, 100], abs=0.1)


@pytest.fixture
def restored(tmp_path):
    """Four images by a method that keeps the nodule and one that loses it and invents another."""
    with (tmp_path / "nodules.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["image", "x", "y", "radius"])
        for number in range(4):
            ball = Nodule(40 + 3 * number, 30, 6)
            table.writerow([number, ball.x, ball.y, ball.radius])
            for folder, pixels in (
                ("good", picture(ball)),
                ("haze/faithful", picture(ball, height=36)),
                ("haze/fanciful", picture(Nodule(90, 60, 6))),
            ):
                (tmp_path / folder).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    return tmp_path


def command(folder, *arguments):
    common = ["--reference", folder / "good", "--restored", folder / "haze", "--nodules", folder / "nodules.csv"]
    return main(["nodules", *map(str, [*common, "--out", folder / "out", *arguments])])


def test_the_command_tells_the_faithful_method_from_the_fanciful_one(restored, capsys):
    assert command(restored, "--baseline", "faithful") == 0
    faithful, fanciful = json.loads((restored / "out" / "nodules.json").read_text())["summary"]
    assert faithful["kept"]["value"] == pytest.approx(0.9, abs=0.03)
    assert (faithful["found"]["value"], faithful["invented"]["value"], faithful["lost"]["value"]) == (1, 0, 0)
    assert (fanciful["found"]["value"], fanciful["invented"]["value"], fanciful["lost"]["value"]) == (0, 1, 1)
    assert fanciful["kept"]["gain"]["ci"][1] < 0
    assert capsys.readouterr().out == (restored / "out" / "nodules.md").read_text()
    with (restored / "out" / "nodules.csv").open(newline="") as stream:
        assert [row["x"] for row in csv.DictReader(stream)][:4] == ["40.0", "43.0", "46.0", "49.0"]
    with Image.open(restored / "out" / "maps" / "haze" / "fanciful" / "2.png") as colour:
        assert (colour.size, colour.mode) == ((128, 96), "RGB")


def test_tables_that_cannot_be_used_are_named_by_row(restored, tmp_path, capsys):
    table = restored / "nodules.csv"
    table.write_text("image,x,y,radius\n0,1,2,x\n1,40,30,0.5\n2,400,30,6\n")
    assert command(restored) == 2
    said = capsys.readouterr().err
    assert "line 2: expected numbers in x, y, radius" in said
    assert "line 3: expected a place in the image and a radius of at least 2 px" in said
    table.write_text("image,x,y,radius\n0,400,30,6\n")
    assert command(restored) == 2
    assert "3: has no nodule" in capsys.readouterr().err
    table.write_text("image,x,y,radius\n" + "".join(f"{number},400,30,6\n" for number in range(4)))
    assert command(restored) == 2
    assert "nodules.csv: 0: a nodule at 400, 30 is outside 128 x 96" in capsys.readouterr().err
    table.write_text("image,x,y\n0,1,2\n")
    assert command(restored) == 2
    assert "expected the columns image, x, y, radius" in capsys.readouterr().err
