"""Restoration: trained by the one loop, it beats the baseline trained on bicubic pairs; tiles, resume, the pool."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from joblib import Parallel, delayed
from numpy.random import PCG64, Generator
from PIL import Image
from safetensors.torch import load_file

from generation import corpus, phantom, pool
from generation.__main__ import main
from generation.diffusion.sampling import Sampling
from generation.diffusion.schedule import scheduler
from generation.examples import read_pictures
from generation.restoration import hat_task
from generation.restoration.network import APART, STEPS, RestorationUNet, enlarged
from generation.restoration.pairs import Pairs
from generation.restoration.restoring import restore
from generation.superresolution.hat import HAT
from generation.weights import write_safetensors
from tests.killed import training_killed_after_a_save

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")

TINY = ["network.widths=[16, 32]", "network.patch=2", "training.samples=1", "training.batch=4", "optimiser.warmup=5"]
TINY += ["pairs.crop=32", "sampling.steps=4", "training.look_every=100", "optimiser.ema=0.95"]


@pytest.fixture(autouse=True)
def _as_a_process_of_its_own():
    """Accelerate keeps device and precision for the life of a process; each training here may choose its own."""
    AcceleratorState._reset_state(reset_partial_state=True)


def generation(*arguments):
    return main([str(argument) for argument in arguments])


def command(data, out, *changes, resume=False):
    arguments = ["train", "--stage", "restoration", "--preset", "phantom", "--data", data, "--out", out]
    arguments += ["--device", "cpu", *["--resume"] * resume]
    return [str(word) for word in arguments + [word for change in (*TINY, *changes) for word in ("--set", change)]]


def trained(data, out, *changes, resume=False):
    AcceleratorState._reset_state(reset_partial_state=True)
    return main(command(data, out, *changes, resume=resume))


@pytest.fixture(scope="module")
def network(deterministic):
    return deterministic(RestorationUNet((8, 16), attention=1, blocks=1))


@pytest.fixture(scope="module")
def poor():
    return np.asarray(Image.fromarray(phantom.draw(3, "real")).reduce(16))  # 32 x 64


def test_only_the_deepest_levels_attend():
    found = RestorationUNet((8, 16, 24, 32), attention=2, blocks=1).unet
    assert [hasattr(block, "attentions") for block in found.down_blocks] == [False, False, True, True]
    assert [hasattr(block, "attentions") for block in found.up_blocks] == [True, True, False, False]
    for widths, attention in (((12, 16), 1), ((8, 16), 3), ((), 0)):
        with pytest.raises(ValueError, match=r"multiples of 8|cannot have attention"):
            RestorationUNet(widths, attention)


def test_attention_has_heads_of_the_width_asked_for():
    """Few channels a head make attention slow: the whole matrix of places is made once a head."""
    for head in (8, 16):
        attention = RestorationUNet((8, 32), attention=1, blocks=1, head=head).unet.down_blocks[1].attentions[0]
        assert attention.heads == 32 // head
    with pytest.raises(ValueError, match=r"multiples of 16 \(head\), not \[24\]"):
        RestorationUNet((8, 24), attention=1, blocks=1, head=16)
    RestorationUNet((8, 24), attention=0, blocks=1, head=16)


@pytest.mark.parametrize("sampler", ["ddim", "dpm++"])
def test_what_is_restored_depends_on_the_poor_picture_the_seed_and_the_number_alone(network, poor, sampler):
    sampling = Sampling(sampler, 3)
    one = restore(network, poor, sampling, 1, 2)
    assert one.shape == (64, 128)
    assert 0 <= one.min() <= one.max() <= 1
    assert (one == restore(network, poor, sampling, 1, 2)).all()
    for other in (
        restore(network, poor, sampling, 2, 2),
        restore(network, poor, sampling, 1, 3),
        restore(network, poor[::-1].copy(), sampling, 1, 2),
    ):
        assert np.abs(one - other).mean() > 0.003


def test_the_velocity_starts_at_the_best_linear_estimate():
    """Good pictures that lie APART from poor ones, at random: least squares finds what the network adds to."""
    network = RestorationUNet((8,), attention=0, blocks=1)
    torch.nn.init.zeros_(network.unet.conv_out.weight)
    torch.nn.init.zeros_(network.unet.conv_out.bias)
    torch.manual_seed(1)
    poor = torch.rand(1, 1, 128, 128) - 0.5
    good, noise = poor + APART * torch.randn_like(poor), torch.randn_like(poor)
    solver = scheduler("recommended", "ddim", STEPS)
    for at in (0, 500, 1200, 1999):
        step = torch.tensor([at])
        noisy, velocity = solver.add_noise(good, noise, step), solver.get_velocity(good, noise, step)
        found = network(noisy, step, poor).detach()
        columns = torch.stack((noisy.flatten(), poor.flatten()), 1)
        best = columns @ torch.linalg.lstsq(columns, velocity.flatten()[:, None]).solution
        torch.testing.assert_close(found.flatten(), best[:, 0], atol=0.05, rtol=0)
        assert (found - velocity).std().item() == pytest.approx(network.spread(step).item(), rel=0.05)


def test_sides_that_no_level_divides_are_restored_whole(network, poor):
    assert restore(network, poor[:15, :33], Sampling("dpm++", 2)).shape == (30, 66)


def test_tiles_see_enough_of_each_other_that_nothing_changes(deterministic, poor):
    convolutions = deterministic(RestorationUNet((8,), attention=0, blocks=1))
    for part in convolutions.modules():  # what is left is local, as normalisation over the whole picture is not
        if isinstance(part, torch.nn.GroupNorm):
            part.forward = lambda x: x * 0.1
    whole = restore(convolutions, poor, Sampling("ddim", 2))
    tiled = restore(convolutions, poor, Sampling("ddim", 2), tile=32)
    np.testing.assert_allclose(tiled, whole, atol=1e-4)
    narrow = restore(convolutions, poor, Sampling("ddim", 2), tile=32, overlap=0)
    assert np.abs(narrow - whole).max() > 1e-3


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    """A corpus of 24 phantoms, 256 x 128, and 8 kept out of it, made poor by the parametric degradation."""
    folder = tmp_path_factory.mktemp("phantoms")
    drawn = Parallel(n_jobs=2)(delayed(phantom.draw)(seed, "real") for seed in range(32))
    for number, pixels in enumerate(drawn):
        path = folder / ("source" if number < 24 else "good") / f"p{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).resize((256, 128), Image.Resampling.BOX).save(path)
    corpus.prepare(folder / "source", folder / "corpus", size=(256, 128), parts=(0.8, 0.2, 0), workers=1)
    assert generation("degrade", "--images", folder / "good", "--out", folder / "poor", "--seed", 5) == 0
    return folder


@pytest.mark.slow
def test_trained_on_realistic_pairs_it_beats_the_baseline_trained_on_bicubic_ones(phantoms, tmp_path):
    """The paper's comparison, on phantoms kept out of training: same network, same steps, same seed."""
    for name in ("parametric", "bicubic"):
        changes = [f"pairs.degradation={name}", "training.epochs=40", "pairs.crop=64"]
        assert trained(phantoms / "corpus", tmp_path / name, *changes) == 0
    AcceleratorState._reset_state(reset_partial_state=True)
    by = [f"baseline={tmp_path / 'bicubic'}", f"method={tmp_path / 'parametric'}"]
    arguments = ["--images", phantoms / "poor", "--out", tmp_path / "restored" / "parametric", "--steps", 2]
    made = ["--reference", phantoms / "good", "--pool", tmp_path / "pool", "--phantom"]
    assert generation("restore", *arguments, "--by", *by, *made, "--device", "cpu") == 0
    arguments = ["--reference", phantoms / "good", "--restored", tmp_path / "restored" / "parametric"]
    assert generation("fidelity", *arguments, "--baseline", "baseline", "--out", tmp_path / "measures") == 0
    summary = json.loads((tmp_path / "measures" / "fidelity.json").read_text())["summary"]
    gain = next(entry for entry in summary if entry["method"] == "method")["psnr"]["gain"]
    assert gain["ci"][0] > 0, gain
    compared = pool.read(tmp_path / "pool")
    assert len(compared.cases) == 24
    assert {case.source for case in compared.cases} == {"reference", "baseline", "method"}


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_weights_and_log(small_corpus, tmp_path):
    changes = ["training.epochs=8", "training.save_every=5"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert trained(small_corpus, whole, *changes) == 0
    training_killed_after_a_save(command(small_corpus, killed, *changes), killed, "state-000000032")
    assert trained(small_corpus, killed, *changes, resume=True) == 0
    one, other = (load_file(out / "model.safetensors") for out in (whole, killed))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert (whole / "log.csv").read_text() == (killed / "log.csv").read_text()
    assert "parametric" in (killed / "README.md").read_text()


def test_settings_that_do_not_fit_the_pictures_are_named_at_once(small_corpus, tmp_path, capsys):
    assert trained(small_corpus, tmp_path / "a", "pairs.crop=65", "pairs.scale=3") == 2
    said = capsys.readouterr().err
    for fault in ("pairs.crop: 65 px", "a multiple of 4, found 65", "pairs.scale: 3 does not divide 64 x 32"):
        assert fault in said


HAT_TINY = ["network.width=8", "network.heads=2", "network.depths=[1]", "network.window=4", "network.squeeze=4"]
HAT_TINY += ["training.batch=4", "training.epochs=2", "training.samples=1", "optimiser.warmup=5", "pairs.crop=16"]


def hat_trained(data, out, *changes):
    AcceleratorState._reset_state(reset_partial_state=True)
    arguments = ["train", "--stage", "restoration-hat", "--preset", "phantom", "--data", data, "--out", out]
    words = [word for change in (*HAT_TINY, *changes) for word in ("--set", change)]
    return generation(*arguments, "--device", "cpu", *words)


def test_hat_is_trained_on_the_same_pairs_and_restores_by_the_same_command(small_corpus, tmp_path, capsys):
    for number in range(2):
        good = Image.fromarray(phantom.draw(number, "real")).reduce(16)
        (tmp_path / "poor").mkdir(exist_ok=True)
        good.save(tmp_path / "poor" / f"p{number}.png")
    assert hat_trained(small_corpus, tmp_path / "hat", "pairs.degradation=bicubic") == 0
    with (tmp_path / "hat" / "log.csv").open(newline="") as stream:
        losses = [float(row["value"]) for row in csv.DictReader(stream) if row["measure"] == "loss"]
    assert losses[-1] < losses[0]
    arguments = ["--images", tmp_path / "poor", "--out", tmp_path / "out", "--by", f"hat={tmp_path / 'hat'}"]
    AcceleratorState._reset_state(reset_partial_state=True)
    assert generation("restore", *arguments, "--device", "cpu") == 0
    with Image.open(tmp_path / "out" / "hat" / "p1.png") as made:
        assert made.size == (2 * good.width, 2 * good.height)
    assert hat_trained(small_corpus, tmp_path / "a", "pairs.crop=18", "pairs.scale=3") == 2
    assert "[network] cannot be built: upscale must be a power of two, not 3" in capsys.readouterr().err
    assert hat_trained(small_corpus, tmp_path / "a", "pairs.crop=36") == 2
    said = capsys.readouterr().err
    assert "pairs.crop: 36 px, but the images have 64 x 32" in said
    assert "pairs.crop: expected a multiple of 8, found 36" in said
    assert hat_trained(small_corpus, tmp_path / "a", "network.width=9") == 2
    assert "network.width: expected a multiple of 2 heads, found 9" in capsys.readouterr().err


def test_the_crops_that_hat_sees_show_one_place(small_corpus):
    chosen = replace(hat_task.PRESETS["phantom"], pairs=Pairs("bicubic", crop=32))
    pictures = read_pictures(small_corpus, "hr", "train")
    task = hat_task.make_task(chosen, pictures)
    for seed in range(8):
        example = task.example(pictures.pixels[seed], 0, Generator(PCG64(seed)))
        assert example["good"].shape == (1, 32, 32)
        small = torch.nn.functional.avg_pool2d(example["good"], 2)
        assert (small - example["poor"]).abs().mean() < 0.01


@pytest.fixture
def folders(tmp_path):
    """Four good phantoms of 128 x 64, made small, and an untrained network and HAT that restore them."""
    for number in range(4):
        good = Image.fromarray(phantom.draw(number, "real")).reduce(8)
        for name, image in (("good", good), ("poor", good.reduce(2))):
            (tmp_path / name).mkdir(exist_ok=True)
            image.save(tmp_path / name / f"p{number}.png")
    config = {"widths": [8], "attention": 0, "blocks": 1, "patch": 1, "scale": 2}
    write_safetensors(
        tmp_path / "run" / "model.safetensors", RestorationUNet(**config), {"stage": "restoration", "config": config}
    )
    config = {"in_chans": 1, "depths": [1], "num_heads": [2], "embed_dim": 8, "window_size": 8, "squeeze_factor": 4}
    write_safetensors(
        tmp_path / "hat" / "model.safetensors", HAT(**config), {"stage": "superresolution", "config": config}
    )
    return tmp_path


def restored(folder, *arguments, by=("plain=bicubic",)):
    common = ["--images", folder / "poor", "--out", folder / "out", "--steps", 2, "--device", "cpu"]
    return generation("restore", *common, "--by", *by, *arguments)


def test_the_pool_holds_of_every_original_the_reference_and_each_method_in_one_group(folders):
    by = ["plain=bicubic", f"ours={folders / 'run'}", f"hat={folders / 'hat'}"]
    made = ["--reference", folders / "good", "--pool", folders / "pool", "--phantom", "--seed", 3]
    assert restored(folders, *made, by=by) == 0
    compared = pool.read(folders / "pool")
    assert compared.phantom
    assert compared.manifest["how"]["synthetic"]["ours"]["steps"] == 2
    with (folders / "pool" / "origins.csv").open(newline="") as stream:
        origins = {row["case"]: row["origin"] for row in csv.DictReader(stream)}
    groups: dict[str, list] = {}
    for case in compared.cases:
        groups.setdefault(case.group, []).append(case)
        assert (case.truth == "real") == (case.source == "reference")
        place = folders / "good" if case.source == "reference" else folders / "out" / case.source
        there = np.asarray(Image.open(place / origins[case.case]))
        assert (np.asarray(Image.open(compared.path(case))) == there).all()
    assert len(groups) == 4
    assert len(compared.practice) == 4  # of one original, for the readers to see how it is done
    for cases in groups.values():
        assert {case.source for case in cases} == {"reference", "plain", "ours", "hat"}
        assert len({origins[case.case] for case in cases}) == 1
    assert [case.source for case in compared.cases] != sorted(case.source for case in compared.cases)


def test_no_pool_holds_an_image_twice_as_the_quiz_would_refuse_it(folders, capsys):
    by = ["plain=bicubic", "again=bicubic"]
    assert restored(folders, "--reference", folders / "good", "--pool", folders / "p", by=by) == 2
    twin, first = (folders / "out" / name / "p0.png" for name in ("again", "plain"))
    assert f"{twin}: is the same image as {first}" in capsys.readouterr().err
    assert not (folders / "p").exists()


def test_plain_interpolation_is_what_the_network_is_shown(folders):
    assert restored(folders) == 0
    poor = np.asarray(Image.open(folders / "poor" / "p1.png")) / np.float32(255)
    made = np.asarray(Image.open(folders / "out" / "plain" / "p1.png")) / np.float32(255)
    assert np.abs(made - enlarged(poor, 2)).mean() < 0.002  # the one in whole grey levels


def test_a_stopped_run_goes_on_and_another_is_refused(folders, capsys):
    by = [f"ours={folders / 'run'}"]
    assert restored(folders, by=by) == 0
    file = folders / "out" / "ours" / "p2.png"
    before = file.read_bytes()
    file.unlink()
    assert restored(folders, by=by) == 0
    assert file.read_bytes() == before
    assert restored(folders, "--seed", 9, by=by) == 2
    assert "seed: 0 then, 9 now" in capsys.readouterr().err


def test_requests_that_cannot_be_met_are_named(folders, capsys):
    assert restored(folders, "--pool", folders / "p", by=["reference=bicubic", f"x={folders / 'nowhere'}"]) == 2
    said = capsys.readouterr().err
    for fault in ("the name reference", "nowhere is neither bicubic nor lanczos nor", "--pool needs --reference"):
        assert fault in said
    assert restored(folders, "--scale", 3, by=[f"ours={folders / 'run'}"]) == 2
    assert "2 times larger, but --scale is 3" in capsys.readouterr().err
    (folders / "good" / "p3.png").unlink()
    assert restored(folders, "--reference", folders / "good", "--pool", folders / "p") == 2
    assert f"p3: not in {folders / 'good'}" in capsys.readouterr().err
    (folders / "poor" / "p0.png").write_bytes(b"no picture")
    assert restored(folders) == 1
    assert "p0.png: not readable" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        restored(folders, by=["bicubic"])
