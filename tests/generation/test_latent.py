"""Diffusion in latents: its stages train, resume to the bit and are sampled; what cannot be is refused by name."""

import csv

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from numpy.random import PCG64, Generator
from PIL import Image
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter

from generation import corpus
from generation.__main__ import main
from generation.diffusion import checkpoints
from generation.diffusion.sampling import ImageNoise, Sampling, denoise
from generation.diffusion.schedule import scheduler
from generation.latent.autoencoder import Autoencoder
from generation.latent.autoencoder_task import AutoencoderTask
from generation.latent.jitter import jittered
from generation.latent.network import Wiener
from generation.latent.student_task import StudentNetwork, StudentSettings, StudentTask
from generation.latent.task import LatentTask
from generation.weights import write_safetensors

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")

RECIPE = """
[blurred]
stage = "autoencoder"
[blurred.network]
channels = 4
widths = [8, 16, 16]
blocks = 1
[blurred.losses]
from_step = 2
[blurred.training]
epochs = 2
batch = 4
save_every = 3
look_every = 2
samples = 2
precision = "fp32"

[sharp]
stage = "autoencoder"
[sharp.network]
start_from = "{blurred}"
channels = 4
widths = [8, 16, 16]
blocks = 1
[sharp.losses]
from_step = 1
[sharp.training]
epochs = 1
batch = 4
samples = 2
precision = "fp32"

[latent]
stage = "latent"
[latent.network]
autoencoder = "{sharp}"
widths = [32, 32]
attention = []
components = 6
views = 3
[latent.training]
epochs = 4
batch = 4
save_every = 3
look_every = 4
samples = 2
precision = "fp32"
[latent.sampling]
steps = 3

[student]
stage = "student"
[student.network]
teacher = "{latent}"
steps = 2
substeps = 2
views = 2
[student.training]
epochs = 1
batch = 4
samples = 2
precision = "fp32"
"""


@pytest.fixture(autouse=True)
def _as_a_process_of_its_own():
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def arches(tmp_path_factory):
    """A prepared corpus of 24 pictures of 256 x 128 (64 x 32 small): a bright arch of random shape on dark."""
    folder = tmp_path_factory.mktemp("arches")
    rng = Generator(PCG64(9))
    y, x = np.mgrid[0:64, 0:128] / 64
    (folder / "source").mkdir()
    for number in range(24):
        arch = np.exp(-(((y - rng.uniform(0.3, 0.7) - rng.uniform(-1, 1) * (x - 1) ** 2) / 0.15) ** 2))
        texture = gaussian_filter(rng.standard_normal(y.shape), 3)
        pixels = (40 + 150 * arch + 250 * texture).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "source" / f"{number}.png")
    corpus.prepare(
        folder / "source", folder / "prepared", size=(256, 128), parts=(0.7, 0.3, 0), workers=1, distinct=True
    )
    return folder / "prepared"


def cook(arches, out, resume=False, text=RECIPE):
    path = out.with_suffix(".toml")
    path.write_text(text)
    arguments = ["train", "--recipe", str(path), "--data", str(arches), "--out", str(out), "--device", "cpu"]
    return main([*arguments, *(["--resume"] * resume)])


@pytest.fixture(scope="module")
def cooked(arches, tmp_path_factory):
    out = tmp_path_factory.mktemp("recipes") / "whole"
    assert cook(arches, out) == 0
    return out


def measures(out, measure="loss"):
    with (out / "log.csv").open(newline="") as file:
        return [float(row["value"]) for row in csv.DictReader(file) if row["measure"] == measure]


def same(one, other):
    one, other = (load_file(out / "model.safetensors") for out in (one, other))
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_a_recipe_trains_stage_after_stage_each_on_the_one_before(cooked):
    assert measures(cooked / "blurred", "pixel")[-1] < measures(cooked / "blurred", "pixel")[0]
    assert measures(cooked / "blurred", "adversarial"), "the discriminator never served"
    before, after, latent = (load_file(cooked / name / "model.safetensors") for name in ("blurred", "sharp", "latent"))
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"decoder", "last"}, "a sharpened decoder keeps its encoder"
    assert all(torch.equal(after[name], latent[f"autoencoder.{name}"]) for name in after)
    assert np.isfinite(measures(cooked / "student")).all()


@pytest.mark.parametrize(("run", "steps"), [("latent", 25), ("student", 2)])
def test_what_is_trained_in_latents_is_sampled_by_the_command(cooked, tmp_path, run, steps):
    out, parts = tmp_path / "out", tmp_path / "parts"
    arguments = ["sample", "--checkpoint", str(cooked / run), "--device", "cpu", "--precision", "fp32"]
    assert main([*arguments, "--out", str(out), "--count", "3"]) == 0
    assert f'"steps": {steps}' in (out / "samples.json").read_text()
    assert main([*arguments, "--out", str(parts), "--count", "3", "--batch", "1"]) == 0
    for number in range(3):
        one, other = (np.asarray(Image.open(folder / f"0000{number}.png")).astype(int) for folder in (out, parts))
        assert one.shape == (32, 64)
        assert abs(one - other).max() <= 1


@pytest.mark.parametrize(
    ("task", "step"), [(AutoencoderTask, "blurred"), (LatentTask, "latent")], ids=["autoencoder", "latent"]
)
def test_a_stopped_recipe_goes_on_to_the_same_weights(arches, cooked, tmp_path, monkeypatch, capsys, task, step):
    out = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        patch.setattr(task, "sheet", interrupt)
        assert cook(arches, out) == 130
    assert [path.name for path in (out / step).glob("state-*")] == [f"state-{6 if step == 'blurred' else 15:09d}"]
    assert cook(arches, out) == 2
    assert "continue it with --resume" in capsys.readouterr().err
    assert cook(arches, out, resume=True) == 0
    same(out / step, cooked / step)
    same(out / "student", cooked / "student")


def interrupt(*_):
    raise KeyboardInterrupt


def test_a_training_in_latents_that_diverges_keeps_its_last_good_state(arches, cooked, tmp_path, capsys):
    arguments = ["train", "--stage", "latent", "--data", str(arches), "--out", str(tmp_path / "out"), "--device", "cpu"]
    changes = [f"network.autoencoder={cooked / 'sharp'}", "network.widths=[32]", "network.attention=[]"]
    changes += ["network.components=6", "network.views=1", "training.batch=4", "training.save_every=1"]
    changes += ["optimiser.learning_rate=1e30", "optimiser.warmup=0", "optimiser.clip=0.0", "training.precision='fp32'"]
    assert main([*arguments, *(word for change in changes for word in ("--set", change))]) == 2
    assert "the training has diverged; earlier saved states are kept" in capsys.readouterr().err
    assert list((tmp_path / "out").glob("state-*")), "the state before it is gone"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('"{sharp}"', '"{sharper}"'), "[latent] names {sharper}, which is not an earlier step"),
        (('"{sharp}"', '"{sharp"'), "[latent]: braces in a setting: expected {NAME}"),
        (('autoencoder = "{sharp}"', ""), "network.autoencoder is required"),
        (('stage = "latent"', "stage = [1]"), "[latent]: stage: expected one of diffusion"),
        (('stage = "latent"', 'stage = "latents"'), "[latent]: stage: expected one of diffusion"),
        (
            ("components = 6", "components = 600"),
            "network.components: at least 601 latents are needed, found 17 pictures of 3 views",
        ),
        (("widths = [32, 32]", "widths = [32, 33]"), "multiples of 32, found [32, 33]"),
        (("widths = [8, 16, 16]", "widths = [8, 16]"), "network.widths: expected three multiples of 8, found [8, 16]"),
        (("batch = 4", "batch = 40"), "17 training images are fewer than a batch of 40"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_by_name(arches, cooked, tmp_path, capsys, change, complaint):
    out = tmp_path / "out"
    text = RECIPE.replace(*change)
    for name in ("blurred", "sharp"):
        if change[0] in RECIPE.split("[latent]")[1] and change[0] != "batch = 4":
            (out / name).mkdir(parents=True)
            for path in (cooked / name).glob("*.*"):
                (out / name / path.name).write_bytes(path.read_bytes())
    assert cook(arches, out, text=text) == 2
    assert complaint in capsys.readouterr().err


def test_a_corpus_without_pictures_kept_apart_is_refused_by_name(arches, tmp_path, capsys):
    corpus.prepare(
        arches.parent / "source", tmp_path / "all", size=(256, 128), parts=(1, 0, 0), workers=1, distinct=True
    )
    assert cook(tmp_path / "all", tmp_path / "out") == 2
    assert "no readable validation image" in capsys.readouterr().err


def test_the_linear_estimate_is_the_best_one_of_what_is_normally_distributed():
    rng = torch.Generator().manual_seed(4)
    deviations = torch.tensor([3.0, 1.5, 0.4, 0.4]).view(1, 1, 2, 2)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=rng))[0]
    plain = torch.randn(4000, 4, generator=rng) * deviations.flatten()
    latents = (plain @ turn.T).view(-1, 1, 2, 2) + 5
    linear = Wiener((1, 2, 2), 2)
    linear.learn(latents)
    clean = linear.standardised(latents)
    torch.testing.assert_close(linear.restored(clean), latents, atol=1e-5, rtol=1e-5)
    solver = scheduler("latent", "ddim")
    for step in (100, 500, 900):
        times = torch.full((len(clean),), step)
        noise = torch.randn(clean.shape, generator=rng)
        noisy, wanted = solver.add_noise(clean, noise, times), solver.get_velocity(clean, noise, times)
        features, targets = noisy.flatten(1), wanted.flatten(1)
        fitted = features @ torch.linalg.lstsq(features, targets).solution
        best = (fitted - targets).square().mean()
        ours = (linear(noisy, times).flatten(1) - targets).square().mean()
        assert best <= ours < 1.02 * best


def test_guidance_moves_samples_away_from_the_linear_estimate(cooked):
    network = checkpoints.load(cooked / "latent")
    assert network.guidance == 1.5
    assert checkpoints.load(cooked / "student").guidance == 1
    x = torch.randn(2, network.in_channels, *network.size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        plain, guided = network(x, torch.tensor(500)), network(x, torch.tensor(500), 1.5)
        linear = network.linear(x, torch.tensor([500, 500]))
    torch.testing.assert_close(guided - plain, 0.5 * (plain - linear), atol=1e-5, rtol=1e-5)
    noise = ImageNoise(0, range(1), (network.in_channels, *network.size))
    moved = [denoise(network, noise, Sampling(steps=3))]
    network.guidance = 1.0
    noise = ImageNoise(0, range(1), (network.in_channels, *network.size))
    moved.append(denoise(network, noise, Sampling(steps=3)))
    assert not torch.equal(*moved), "samples know nothing of guidance"


def test_a_student_of_one_substep_each_asks_for_what_the_teacher_says(arches, cooked):
    """With teacher and student alike, what is left of the loss is what several steps differ from one in."""
    network = checkpoints.load(cooked / "latent")
    task = StudentTask.__new__(StudentTask)
    kept = scheduler("latent").alphas_cumprod.float()
    task.kept = torch.cat((kept, torch.ones(1)))
    x = torch.randn(2, *[network.in_channels, *network.size], generator=torch.Generator().manual_seed(1))
    here, there = torch.tensor([499, 499]), torch.tensor([249, 249])
    with torch.inference_mode():
        velocity = network(x, here)
        solver = scheduler("latent", "ddim")
        solver.set_timesteps(4)
        expected = solver.step(velocity, 499, x).prev_sample
    torch.testing.assert_close(task._moved(x, velocity, here, there), expected, atol=1e-5, rtol=1e-5)


def test_an_untaught_student_says_what_its_guided_teacher_says(cooked):
    settings = StudentSettings(StudentNetwork(teacher=str(cooked / "latent"), steps=2, substeps=2))
    task = StudentTask(settings, None)  # type: ignore[arg-type]
    network = task.network.eval()
    x = torch.randn(2, network.in_channels, *network.size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = task.teacher(x, torch.tensor(700), task.teacher.guidance)
        torch.testing.assert_close(network(x, torch.tensor(700), network.guidance), wanted, atol=1e-5, rtol=1e-5)


def test_jitter_moves_a_picture_a_little_and_never_mirrors_it():
    pixels = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (32, 1))
    views = torch.stack([jittered(pixels, 1.0, Generator(PCG64(seed))) for seed in range(40)])
    assert (views[:, 0, :, -1] > views[:, 0, :, 0]).all()
    assert len(torch.unique(views[:, 0, 16, 32])) > 30
    shifts = (views[:, 0, 16, 32] - (pixels[16, 32] / 127.5 - 1)).abs()
    assert shifts.max() < 0.5
    plain = jittered(pixels, 0, Generator(PCG64(0)))
    np.testing.assert_allclose(plain[0].numpy(), pixels / 127.5 - 1, atol=1e-6)


def test_a_file_of_another_stage_is_no_autoencoder_and_no_teacher(arches, cooked, tmp_path, capsys):
    base = ["train", "--data", str(arches), "--out", str(tmp_path / "out"), "--device", "cpu", "--stage"]
    assert main([*base, "latent", "--set", f"network.autoencoder={cooked / 'latent'}"]) == 2
    assert "has the stage 'diffusion', expected 'autoencoder'" in capsys.readouterr().err
    assert main([*base, "student", "--set", f"network.teacher={cooked / 'student'}"]) == 2
    assert "expected a teacher with the design 'latent', found 'student'" in capsys.readouterr().err
    write_safetensors(
        tmp_path / "other.safetensors", Autoencoder(4, (8, 8, 8), 1), {"stage": "autoencoder", "config": {}}
    )
    assert main([*base, "latent", "--set", f"network.autoencoder={tmp_path / 'other.safetensors'}"]) == 2
    assert "does not match Autoencoder" in capsys.readouterr().err
