import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from analysis.responses import COLUMNS, load_csv
from generation import pool
from generation.__main__ import main
from generation.evaluation import detector

TINY = detector.Recipe(
    width=64, height=32, patch=8, dimensions=24, depth=2, heads=2, epochs=15, batch=8, learning_rate=2e-3
)


def faces(images, blurred: bool) -> list[Image.Image]:
    return [image.filter(ImageFilter.BoxBlur(6)) if blurred else image for image in images]


def test_it_learns_a_plain_difference_and_its_seed_decides(sound_phantoms):
    halves = [*sound_phantoms[:24], *(image.point([v // 2 for v in range(256)]) for image in sound_phantoms[24:])]
    pixels = np.array([np.asarray(image.resize((64, 32))) for image in halves])
    truth = np.arange(48) >= 24
    seen = np.arange(48) % 3 > 0
    network = detector.train(pixels[seen], truth[seen], TINY, seed=1)
    found = np.array([probability for probability, _ in detector.judge(network, pixels[~seen], TINY)])
    assert detector._score(found, truth[~seen])["auc"]["value"] > 0.9
    short = detector.Recipe(**{**vars(TINY), "epochs": 1})
    one, again = (detector.train(pixels, truth, short, seed=2).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], again[name]) for name in one)


def test_roll_out_follows_attention_through_the_layers():
    # Two layers, one head: the class token looks at patch 1, patch 1 looks at patch 2.
    first, second = torch.eye(3)[None, None].clone(), torch.eye(3)[None, None].clone()
    first[0, 0, 1] = torch.tensor([0.0, 0.0, 1.0])
    second[0, 0, 0] = torch.tensor([0.0, 1.0, 0.0])
    # By hand: (A2 + I)/2 row 0 = (.5, .5, 0); (A1 + I)/2 row 1 = (0, .5, .5); product row 0 = (.5, .25, .25).
    assert detector.rollout([first, second])[0].tolist() == pytest.approx([0.5, 0.5])
    third = torch.eye(3)[None, None].clone()
    assert detector.rollout([first, third, second]).sum() == pytest.approx(1.0)


def test_the_published_recipe_is_the_default():
    network = detector.Recipe().network(0)
    assert network.vit.embeddings.position_embeddings.shape == (1, 1 + 16 * 32, 192)
    assert len(network.vit.layers if hasattr(network.vit, "layers") else network.vit.encoder.layer) == 6
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(2.82e6, rel=0.02)


@pytest.fixture
def folder(tmp_path, sound_phantoms):
    """Real and blurred images to train on, and a pool of others with a version of one of them."""
    for name, images in (
        ("real", faces(sound_phantoms[:18], False)),
        ("synthetic", faces(sound_phantoms[18:36], True)),
    ):
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            image.resize((128, 64)).save(tmp_path / name / f"{number:02d}.png")
    asked = [*faces(sound_phantoms[36:41], False), *faces(sound_phantoms[41:46], True), sound_phantoms[0]]
    entries = [
        pool.Entry("synthetic" if 5 <= n < 10 else "real", "x", pool.encode(np.asarray(image.resize((128, 64)))))
        for n, image in enumerate(asked)
    ]
    pool.write(tmp_path / "pool", entries, name="asked", seed=1, width=128, height=64, how={})
    return tmp_path


def detect(folder, *options) -> int:
    sets = ["--real", str(folder / "real"), "--synthetic", str(folder / "synthetic"), "--out", str(folder / "out")]
    return main(["detect", *sets, "--small", "--epochs", "2", *options])


def test_it_answers_a_pool_as_one_more_reader_without_having_seen_it(folder, capsys):
    (folder / "real/broken.png").write_bytes(b"no picture")
    assert detect(folder, "--pool", str(folder / "pool")) == 1
    assert "broken.png: not readable as a radiograph" in capsys.readouterr().err
    summary = json.loads((folder / "out/detector.json").read_text())
    assert summary["images"]["left out as versions of pool images"] == 1
    assert summary["images"]["training"] + summary["images"]["test"] == 35
    assert summary["pool"]["images"] == 11
    with (folder / "out/responses.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["case"] for row in rows] == [case.case for case in pool.read(folder / "pool").cases]
    for row in rows:
        assert int(row["level"]) == detector.level(float(row["value"]))
        assert row["answer"] == ("synthetic" if float(row["value"]) >= 0.5 else "real")
    assert len(list((folder / "out/rollout").glob("*.png"))) == 11
    assert detector.COLUMNS == COLUMNS
    table = load_csv(folder / "out/responses.csv").table
    assert set(table["reader"]) == {"machine"}


def test_a_file_that_the_pool_was_made_from_is_not_trained_on_however_it_was_changed(folder):
    (folder / "pool/origins.csv").write_text(f"case,origin\ncase-0001,{folder / 'real/07.png'}\n")
    assert detect(folder, "--pool", str(folder / "pool")) == 0
    summary = json.loads((folder / "out/detector.json").read_text())
    assert summary["images"]["left out as versions of pool images"] == 2


def test_too_few_images_are_refused(folder, capsys):
    for path in list((folder / "synthetic").iterdir())[4:]:
        path.unlink()
    assert detect(folder) == 2
    assert "synthetic images for training" in capsys.readouterr().err
    assert not (folder / "out").exists()
