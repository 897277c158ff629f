"""From nothing to a pool: phantoms drawn, both networks trained, images sampled, upscaled, mixed with real ones."""

import csv
import json

import numpy as np
import pytest
from accelerate.state import AcceleratorState

from generation import pool
from generation.__main__ import main

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers"),
]


def generation(*arguments):
    AcceleratorState._reset_state(reset_partial_state=True)
    assert main([str(argument) for argument in arguments]) == 0


def losses(run, measure):
    with (run / "log.csv").open(newline="") as file:
        return [float(row["value"]) for row in csv.DictReader(file) if row["measure"] == measure]


def test_train_sample_upscale_pool(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    changes = [
        "training.epochs=10",
        "optimiser.warmup=4",
        "network.widths=[32, 48]",
        "network.attention=[8]",
        "network.patch=4",
        "training.samples=2",
    ]
    sets = [word for change in changes for word in ("--set", change)]
    generation("train", "--preset", "phantom", "--phantoms", 40, "--out", first, "--device", "cpu", *sets)
    assert np.mean(losses(first, "loss")[-8:]) < 0.7 * np.mean(losses(first, "loss")[:4])

    corpus = first / "phantoms" / "corpus"
    sets = ["--set", "training.epochs=6", "--set", "training.samples=1"]
    common = ["--data", corpus, "--out", second, "--device", "cpu", *sets]
    generation("train", "--stage", "superresolution", "--preset", "phantom", *common)
    assert np.mean(losses(second, "pixel")[-4:]) < 0.6 * np.mean(losses(second, "pixel")[:2])

    generation(
        "sample", "--checkpoint", first, "--out", tmp_path / "small", "--count", 6, "--steps", 8, "--device", "cpu"
    )
    generation(
        "upscale",
        "--images",
        tmp_path / "small",
        "--checkpoint",
        second,
        "--out",
        tmp_path / "large",
        "--device",
        "cpu",
    )
    arguments = ["--real", corpus, "--synthetic", tmp_path / "large", "--count", 4, 4, "--size", 512, 256]
    generation("pool", *arguments, "--out", tmp_path / "pool")
    mixed = pool.read(tmp_path / "pool")
    assert (mixed.width, mixed.height) == (512, 256)
    assert [sum(case.truth == truth for case in mixed.cases) for truth in pool.TRUTHS] == [4, 4]
    assert json.loads((tmp_path / "small" / "samples.json").read_text())["checkpoint"] == "first"
