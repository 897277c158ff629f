import csv
import json

import numpy as np
import pytest
from PIL import Image, ImageOps

from generation.__main__ import main
from generation.evaluation import memorisation


@pytest.fixture
def folder(tmp_path, sound_phantoms):
    """A generator that copied two of its training images: one recompressed, one turned over and cut."""
    sets = {"training": sound_phantoms[:20], "held-out": sound_phantoms[20:34], "synthetic": sound_phantoms[34:46]}
    for name, images in sets.items():
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            image.save(tmp_path / name / f"{name}{number:02d}.png")
    sound_phantoms[3].save(tmp_path / "synthetic/copy.jpg", quality=70)
    turned = ImageOps.mirror(sound_phantoms[5])
    turned.crop((8, 4, 504, 252)).resize((512, 256)).save(tmp_path / "synthetic/turned.png")
    return tmp_path


def run(folder, *options) -> int:
    sets = [
        "--synthetic",
        str(folder / "synthetic"),
        "--training",
        str(folder / "training"),
        "--out",
        str(folder / "out"),
    ]
    return main(["neighbours", *sets, "--steps", "0", *options])


def rows(folder) -> dict[str, dict[str, str]]:
    with (folder / "out/neighbours.csv").open(newline="") as stream:
        return {row["synthetic"].rsplit("/", 1)[1]: row for row in csv.DictReader(stream)}


def test_planted_copies_are_found_and_no_others(folder):
    assert run(folder, "--held-out", str(folder / "held-out")) == 0
    found = rows(folder)
    copies = {name: row["copy_of"].rsplit("/", 1)[1] for name, row in found.items() if row["copy_of"]}
    assert copies == {"copy.jpg": "training03.png", "turned.png": "training05.png"}
    assert found["copy.jpg"]["nearest_training"].endswith("training03.png")
    assert found["copy.jpg"]["beyond"] == "1"
    summary = json.loads((folder / "out/neighbours.json").read_text())
    share = summary["spaces"]["radiomic"]
    assert summary["reference"] == "held-out to training"
    assert share["share"] == sum(row["beyond"] == "1" for row in found.values()) / 14
    assert share["ci"][0] <= share["share"] <= share["ci"][1]
    with Image.open(folder / "out/plate.png") as plate:
        assert plate.size == (1036, 12 * 290)


def test_without_held_out_images_training_images_are_each_others_reference(folder):
    assert run(folder) == 0
    assert json.loads((folder / "out/neighbours.json").read_text())["reference"] == "training to other training images"


def test_duplicates_never_set_the_reference(folder, sound_phantoms):
    for number in range(4):  # versions of training images among the held-out ones, and twice in training
        sound_phantoms[number].save(folder / f"held-out/version{number}.jpg", quality=60)
        sound_phantoms[number].resize((256, 128)).save(folder / f"training/again{number}.png")
    assert run(folder, "--held-out", str(folder / "held-out")) == 0
    images = json.loads((folder / "out/neighbours.json").read_text())["images"]
    assert images == {"synthetic": 14, "training": 20, "held-out": 14}


def test_a_query_turned_over_is_as_near_as_upright():
    rng = np.random.default_rng(0)
    training, upright, turned = rng.normal(size=(9, 4)), rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    turned[1] = 2 * training[6]
    upright[2] = 3 * training[4]
    found = memorisation.neighbours(upright, turned, training)
    assert found.number[1:].tolist() == [6, 4]
    assert found.mirrored[1:].tolist() == [True, False]
    assert found.distance[1:] == pytest.approx([0, 0], abs=1e-12)


def test_an_honest_generator_has_five_percent_beyond_and_a_copying_one_more():
    rng = np.random.default_rng(1)
    reference, honest = rng.gamma(9, size=2000), rng.gamma(9, size=2000)
    share = memorisation.share_beyond(honest, reference)
    assert share["ci"][0] < 0.05 < share["ci"][1]
    copying = np.where(rng.random(2000) < 0.2, 0.01, honest)
    share = memorisation.share_beyond(copying, reference)
    assert share["share"] == pytest.approx(0.2 + 0.8 * 0.05, abs=0.03)
    assert share["ci"][0] > 0.15


def test_small_and_missing_sets_are_refused(folder, capsys):
    for path in list((folder / "training").iterdir())[3:]:
        path.unlink()
    assert run(folder) == 2
    assert "training: 3 distinct images" in capsys.readouterr().err
    assert run(folder, "--held-out", str(folder / "nowhere")) == 2
    assert "nowhere: there is no such folder" in capsys.readouterr().err


def test_files_that_cannot_be_read_are_named_and_left_out(folder, capsys):
    for name in ("synthetic", "training", "held-out"):
        (folder / name / "broken.png").write_bytes(b"no picture")
    assert run(folder, "--held-out", str(folder / "held-out")) == 1
    assert capsys.readouterr().err.count("broken.png: not readable as a radiograph") == 3
    summary = json.loads((folder / "out/neighbours.json").read_text())
    assert summary["images"] == {"synthetic": 14, "training": 20, "held-out": 14}
    assert len(summary["unreadable"]) == 3
