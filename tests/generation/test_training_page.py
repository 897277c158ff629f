"""The page of a training: in one file, with every sheet, and a distance that falls where samples get better."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from generation.__main__ import main
from generation.evaluation import training_page
from generation.examples import read_pictures


def sheet(pictures, path):
    """Four pictures, two a row."""
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.vstack([np.hstack(pictures[:2]), np.hstack(pictures[2:4])])).save(path)


@pytest.fixture
def run(tmp_path, small_corpus):
    """A training of two looks: noise after the first epoch, training pictures after the second."""
    folder = tmp_path / "run"
    folder.mkdir()
    rows = [
        (step, step // 100, name, value)
        for step in range(1, 201)
        for name, value in (("loss", 1 / step), ("learning_rate", 1e-3), ("gradient_norm", 2.0))
    ]
    rows += [(100, 0, "validation", 0.5), (200, 1, "validation", 0.25)]
    with (folder / "log.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("step", "epoch", "measure", "value"), *rows])
    (folder / "training.json").write_text(json.dumps({"stage": "diffusion", "seed": 3, "training.samples": 4}))
    real = read_pictures(small_corpus, "lr", "train").pixels
    sheet(np.random.default_rng(0).integers(0, 255, real.shape, dtype=np.uint8), folder / "samples" / "epoch-0001.png")
    sheet(real, folder / "samples" / "epoch-0002.png")
    return folder


def look(run, out, *more):
    return main(["looks", "--training", str(run), "--out", str(out), *map(str, more)])


def test_one_file_has_the_curves_and_every_sheet(run, small_corpus, tmp_path):
    assert look(run, tmp_path / "out", "--real", small_corpus) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["training.html"]
    text = (tmp_path / "out" / "training.html").read_text(encoding="utf-8")
    for title in ("Loss", "Learning rate", "Gradient norm before clipping", "Distance from real images"):
        assert f"aria-label='{title}'" in text
    assert text.count("data:image/webp") == 2
    assert "Epoch 2, validation loss 0.25, distance" in text
    assert "200 steps" in text
    assert not re.search(r"(src|href)=['\"]?(http|/)", text)


def test_the_distance_falls_from_noise_to_pictures_and_its_floor_is_that_of_real_ones(run, small_corpus):
    real = read_pictures(small_corpus, "lr", "validation")
    found = training_page.distances(training_page.read(run), real)
    assert found.by_epoch[1] > 20 * abs(found.by_epoch[2])
    assert abs(np.mean(found.floor)) < found.by_epoch[1] / 20


def test_sheets_of_another_size_and_damaged_runs_are_refused_by_name(run, small_corpus, tmp_path, capsys):
    Image.new("L", (30, 16)).save(run / "samples" / "epoch-0002.png")
    assert look(run, tmp_path / "out", "--real", small_corpus) == 2
    assert "epoch-0002.png is not a sheet of 4 samples of 16 x 8" in capsys.readouterr().err
    (run / "samples" / "epoch-0002.png").write_bytes(b"cut short")
    assert look(run, tmp_path / "out") == 2
    assert "epoch-0002.png: not readable as a radiograph (it is not an image file)" in capsys.readouterr().err
    (run / "log.csv").write_text("step,epoch,measure,value\n1,0,loss,good\n")
    assert look(run, tmp_path / "out") == 2
    assert "log.csv, row 2: expected" in capsys.readouterr().err
    assert look(tmp_path / "nowhere", tmp_path / "out") == 2
    assert "expected a training folder" in capsys.readouterr().err
    assert main(["looks", "--out", str(tmp_path / "out")]) == 2
    assert "nothing to draw" in capsys.readouterr().err


def test_without_a_corpus_or_where_sheets_are_no_samples_the_page_says_why_there_is_no_distance(
    run, small_corpus, tmp_path, capsys
):
    assert look(run, tmp_path / "out") == 0
    assert "No distance: give the corpus with --real." in (tmp_path / "out" / "training.html").read_text()
    assert "share this page" not in (tmp_path / "out" / "training.html").read_text()
    shutil.copytree(small_corpus, run / "phantoms" / "corpus")
    (run / "training.json").write_text(json.dumps({"stage": "diffusion", "training.samples": 400}))
    assert look(run, tmp_path / "out") == 0
    assert (
        "No distance: sheets of 400 samples need at least 402 real images"
        in (tmp_path / "out" / "training.html").read_text()
    )
    assert look(run, tmp_path / "out", "--real", small_corpus) == 2
    assert "sheets of 400 samples need at least 402 real images" in capsys.readouterr().err
    (run / "training.json").write_text(json.dumps({"stage": "superresolution"}))
    assert look(run, tmp_path / "out", "--real", tmp_path) == 0
    assert "the sheets of the stage superresolution" in (tmp_path / "out" / "training.html").read_text()
    assert "These sheets show images of the corpus" in (tmp_path / "out" / "training.html").read_text()
