"""Degradations learnt from poor pictures, without pairs: they move good pictures towards them and keep the content."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from numpy.random import PCG64, Generator
from PIL import Image
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter

from generation.__main__ import main
from generation.diffusion.sampling import Sampling
from generation.examples import read_pictures
from generation.restoration import ddpm_lq, munit
from generation.restoration.ddpm_lq import PoorUNet, content
from generation.restoration.degradations import parametric, shrunk
from generation.restoration.learnt import degradation
from generation.restoration.task import PRESETS, Pairs, make_task
from generation.weights import write_safetensors
from tests.killed import training_killed_after_a_save

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")

TINY = {
    "ddpm-lq": ["network.widths=[16, 32]", "network.patch=2", "network.crop=32", "sampling.steps=4"],
    "munit-lq": ["network.width=8", "network.blocks=1", "network.scales=2", "pictures.crop=32", "pictures.scale=1"],
}
COMMON = ["training.samples=1", "training.batch=4", "training.look_every=100", "optimiser.warmup=5"]


def command(stage, data, out, *changes, resume=False):
    arguments = ["train", "--stage", stage, "--preset", "phantom", "--data", data, "--out", out, "--device", "cpu"]
    arguments += ["--resume"] * resume
    return [str(word) for word in arguments + [w for c in (*COMMON, *TINY[stage], *changes) for w in ("--set", c)]]


def trained(*arguments, **options):
    AcceleratorState._reset_state(reset_partial_state=True)
    code = main(command(*arguments, **options))
    AcceleratorState._reset_state(reset_partial_state=True)
    return code


def spoilt(pixels, rng):
    """What the poor pictures of these tests have: half the contrast, brighter, with noise of 12 grey levels."""
    return (0.5 * pixels + 90 + rng.normal(0, 12, pixels.shape)).clip(0, 255).astype(np.uint8)


def statistics(picture):
    """Mean, contrast and fine noise of a picture in [0, 1]."""
    smooth = gaussian_filter(picture, 1.5)
    return np.array([picture.mean(), smooth.std(), (picture - smooth).std()])


def pictures(folder):
    files = sorted((folder / "hr").glob("*.png"))
    return [np.asarray(Image.open(file)) / np.float32(255) for file in files]


@pytest.fixture(scope="module")
def poor_corpus(small_corpus, tmp_path_factory):
    """The first twelve pictures of the small corpus made poor; the other twelve are the good ones of the tests."""
    folder, rng = tmp_path_factory.mktemp("poor"), Generator(PCG64(3))
    (folder / "source").mkdir()
    for number, picture in enumerate(pictures(small_corpus)[:12]):
        Image.fromarray(spoilt(picture * 255, rng)).save(folder / "source" / f"{number}.png")
    arguments = ["corpus", "--source", folder / "source", "--out", folder / "prepared", "--size", "64", "32"]
    assert main([str(word) for word in [*arguments, "--split", 9, 3, 0, "--distinct", "--workers", 1]]) == 0
    assert json.loads((folder / "prepared" / "corpus.json").read_text())["distinct"] == 12
    return folder / "prepared"


def test_a_content_is_the_same_of_a_good_picture_and_of_a_poor_one(small_corpus):
    for number, good in enumerate(pictures(small_corpus)[:4]):
        poor = parametric(good, Generator(PCG64(number)), 2)
        one, other = content(shrunk(good, 2), 1.5), content(poor, 1.5)
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.98
        np.testing.assert_allclose(content(0.5 * good + 0.2, 1.5), content(good, 1.5), atol=1e-4)


def assert_moved(degrade, good, target):
    """Good pictures take the brightness, contrast and grain of the target, and show what they showed."""
    goal = np.mean([statistics(picture) for picture in target], 0)
    assert (np.abs(statistics(good[0]) - goal)[:2] > 0.08).all()
    for number, picture in enumerate(good):
        made = degrade(picture, Generator(PCG64(number)), 1)
        assert made.shape == picture.shape
        before, after = np.abs(statistics(picture) - goal), np.abs(statistics(made) - goal)
        assert (after < [*0.4 * before[:2] + 0.01, 0.02]).all(), (number, statistics(picture), statistics(made), goal)
        assert np.corrcoef(content(made, 2).ravel(), content(picture, 2).ravel())[0, 1] > 0.9
        again = degrade(picture, Generator(PCG64(number)), 1)
        assert (made == again).all()
        assert (made != degrade(picture, Generator(PCG64(number + 100)), 1)).any()


@pytest.mark.slow
def test_ddpm_lq_draws_the_content_of_a_good_picture_as_poor_pictures_are(small_corpus, poor_corpus, tmp_path):
    assert trained("ddpm-lq", poor_corpus, tmp_path / "run", "training.epochs=100", "network.patch=1") == 0
    degrade = degradation(str(tmp_path / "run"), Sampling(steps=25))
    assert_moved(degrade, pictures(small_corpus)[12:16], pictures(poor_corpus))


@pytest.mark.slow
def test_munit_lq_moves_good_pictures_to_the_poor_ones_without_any_pair(small_corpus, poor_corpus, tmp_path):
    changes = [f"pictures.poor={poor_corpus}", "training.epochs=60"]
    assert trained("munit-lq", small_corpus, tmp_path / "run", *changes) == 0
    assert_moved(degradation(str(tmp_path / "run")), pictures(small_corpus)[12:16], pictures(poor_corpus))


def test_sdedit_changes_more_the_more_noise_it_adds(small_corpus, deterministic):
    network, picture = deterministic(PoorUNet((8, 16), blocks=1)), pictures(small_corpus)[0]
    sampling = Sampling(steps=20)
    changes = [
        np.abs(ddpm_lq.degrade(network, picture, Generator(PCG64(1)), 1, sampling, strength) - picture).mean()
        for strength in (0.05, 0.3, 0.9)
    ]
    assert changes[0] < 0.05 < changes[0] + 0.02 < changes[1] < changes[2]
    ddim = ddpm_lq.degrade(network, picture, Generator(PCG64(1)), 1, Sampling("ddim", 20), 0.05)
    assert np.abs(ddim - picture).mean() < 0.05


def test_sides_that_no_level_divides_are_made_poor_whole(small_corpus, deterministic):
    good = pictures(small_corpus)[0][:30, :62]
    for degrade, network in ((munit.degrade, munit.Munit(8, 1, 1)), (ddpm_lq.degrade, PoorUNet((8, 16), blocks=1))):
        more = {"sampling": Sampling(steps=2)} if degrade is ddpm_lq.degrade else {}
        assert degrade(deterministic(network), good, Generator(PCG64(1)), 2, **more).shape == (15, 31)


@pytest.mark.slow
def test_a_killed_training_of_munit_resumes_to_the_same_weights(small_corpus, poor_corpus, tmp_path):
    changes = [f"pictures.poor={poor_corpus}", "training.epochs=10", "training.save_every=6"]
    assert trained("munit-lq", small_corpus, tmp_path / "whole", *changes) == 0
    (last,) = (path.name for path in (tmp_path / "whole").glob("state-*"))
    training_killed_after_a_save(command("munit-lq", small_corpus, tmp_path / "cut", *changes), tmp_path / "cut", last)
    assert trained("munit-lq", small_corpus, tmp_path / "cut", *changes, resume=True) == 0
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """An untrained MUNIT as `train` writes it."""
    folder = tmp_path_factory.mktemp("run")
    config = {"width": 8, "halvings": 1, "blocks": 1, "styles": 4}
    about = {"stage": "munit-lq", "config": config}
    write_safetensors(folder / "model.safetensors", munit.Munit(**config), about)
    return folder


def test_the_command_degrades_by_a_training_and_says_which(small_corpus, run_folder, tmp_path, capsys):
    arguments = ["degrade", "--images", small_corpus / "hr", "--out", tmp_path / "poor", "--method", run_folder]
    assert main([*map(str, arguments), "--device", "cpu"]) == 0
    sheet = json.loads((tmp_path / "poor" / "degraded.json").read_text())
    assert (sheet["method"], len(sheet["sha256"])) == (run_folder.name, 64)
    with Image.open(next((tmp_path / "poor").glob("*.png"))) as made:
        assert made.size == (32, 16)
    assert main([*map(str, arguments), "--steps", "3"]) == 2
    assert "steps: 25 then, 3 now" in capsys.readouterr().err


def test_restoration_is_trained_on_pairs_that_a_learnt_degradation_makes(small_corpus, run_folder, tmp_path):
    arguments = ["train", "--stage", "restoration", "--preset", "phantom", "--data", small_corpus, "--device", "cpu"]
    changes = [*COMMON, "network.widths=[16, 32]", "pairs.crop=32", "training.epochs=1", "sampling.steps=2"]
    changes += [f"pairs.degradation={run_folder}", "pairs.draws=2"]
    AcceleratorState._reset_state(reset_partial_state=True)
    words = [*arguments, "--out", tmp_path / "out", *(word for change in changes for word in ("--set", change))]
    assert main([str(word) for word in words]) == 0
    assert run_folder.name in (tmp_path / "out" / "README.md").read_text()


def test_what_cannot_be_used_is_named(small_corpus, poor_corpus, run_folder, tmp_path, capsys):
    degrade = ["degrade", "--images", str(small_corpus / "hr"), "--out", str(tmp_path / "poor"), "--device", "cpu"]
    assert main([*degrade, "--method", "blur"]) == 2
    assert "blur is neither parametric nor bicubic nor a training of ddpm-lq or munit-lq" in capsys.readouterr().err
    write_safetensors(tmp_path / "other.safetensors", torch.nn.Linear(1, 1), {"stage": "diffusion"})
    assert main([*degrade, "--method", str(tmp_path / "other.safetensors")]) == 2
    assert "has the stage 'diffusion', expected ddpm-lq or munit-lq" in capsys.readouterr().err
    assert main([*degrade, "--strength", "2"]) == 2
    assert "--strength: expected a share from 0 to 1, got 2" in capsys.readouterr().err
    assert trained("munit-lq", small_corpus, tmp_path / "a") == 2
    assert "pictures.poor is required" in capsys.readouterr().err
    changes = [f"pictures.poor={poor_corpus}", "pictures.crop=40", "pictures.scale=3"]
    assert trained("munit-lq", small_corpus, tmp_path / "a", *changes) == 2
    said = capsys.readouterr().err
    for fault in ("scale: 3 does not divide 64 x 32", "crop: 40 px, but the shortest side is 10", "a multiple of 16"):
        assert fault in said
    assert trained("ddpm-lq", poor_corpus, tmp_path / "a", "network.crop=35") == 2
    said = capsys.readouterr().err
    assert "network.crop: 35 px, but the images have 64 x 32" in said
    assert "network.crop: expected a multiple of 4, found 35" in said
    assert trained("ddpm-lq", poor_corpus, tmp_path / "a", "network.widths=[12]") == 2
    assert "[network] cannot be built: widths must be multiples of 8" in capsys.readouterr().err


def test_draws_that_are_kept_are_those_of_the_picture_and_few(small_corpus):
    """Two draws of a picture, the same in any order and in another process, as a resumed training needs them."""
    settings = dataclasses.replace(PRESETS["phantom"], pairs=Pairs(crop=32, draws=2))
    read = read_pictures(small_corpus, "hr", "train")
    one, other = (make_task(settings, read) for _ in range(2))
    pixels = read.pixels[3]
    first = [one.pairs.pair(pixels, Generator(PCG64(seed)))[1] for seed in range(12)]
    second = [other.pairs.pair(pixels, Generator(PCG64(seed)))[1] for seed in reversed(range(12))]
    assert len({poor.tobytes() for poor in first}) == 2
    assert all((poor == same).all() for poor, same in zip(first, reversed(second), strict=True))
    assert (one.pairs.pair(read.pixels[4], Generator(PCG64(0)))[1] != first[0]).any()
