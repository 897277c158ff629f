"""Training: the loss falls, a killed run resumes to the same weights, and sharing the work changes nothing."""

import csv
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image
from safetensors.torch import load_file

from generation.__main__ import main
from generation.superresolution.task import SuperResolutionTask
from generation.training import contact_sheet
from tests.killed import training_killed_after_a_save
from tests.torchrun import by_two
from tests.workers import unmeasured

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")

TINY = [
    "network.widths=[16, 32]",
    "network.attention=[4]",
    "network.patch=1",
    "optimiser.warmup=2",
    "optimiser.learning_rate=0.002",
    "optimiser.ema=0.9",
    "training.batch=4",
    "training.samples=4",
    "training.look_every=100",
    "sampling.steps=4",
]


@pytest.fixture(autouse=True)
def _as_a_process_of_its_own():
    """Accelerate keeps device and precision for the life of a process; each training here may choose its own."""
    AcceleratorState._reset_state(reset_partial_state=True)


def command(corpus, out, *changes, stage="diffusion", preset="phantom", resume=False):
    arguments = ["train", "--stage", stage, "--preset", preset, "--data", corpus, "--out", out, "--device", "cpu"]
    arguments += ["--resume"] * resume
    for change in (*(TINY if stage == "diffusion" else ()), *changes):
        arguments += ["--set", change]
    return [str(argument) for argument in arguments]


def measures(out, measure="loss"):
    with (out / "log.csv").open(newline="") as file:
        return [float(row["value"]) for row in csv.DictReader(file) if row["measure"] == measure]


def weights(out):
    return load_file(out / "model.safetensors")


def size(path):
    with Image.open(path) as image:
        return image.size


def same(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], atol=0, rtol=0, msg=lambda text, name=name: f"{name}: {text}")


@pytest.fixture(scope="module")
def trained(small_corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert main(command(small_corpus, out, "training.epochs=10", "training.save_every=7")) == 0
    return out


def test_the_loss_falls_in_training_and_validation(small_corpus, trained):
    losses = measures(trained)
    assert len(losses) == 40
    assert np.mean(losses[-8:]) < 0.75 * np.mean(losses[:4])
    assert measures(trained, "validation")[-1] < 0.75 * np.mean(losses[:4])


def test_every_step_tells_its_rate_and_the_length_of_its_gradient_before_clipping(trained, small_corpus, tmp_path):
    rates, norms = measures(trained, "learning_rate"), measures(trained, "gradient_norm")
    assert len(rates) == len(norms) == 40
    assert all(np.isfinite(norms))
    assert min(norms) > 0
    assert max(norms) > 1.0, "longer than optimiser.clip lets a step be"
    assert main(command(small_corpus, tmp_path, "training.epochs=1", "optimiser.clip=0")) == 0
    assert measures(tmp_path, "gradient_norm")[0] == pytest.approx(norms[0], rel=1e-4)


def test_tensorboard_gets_what_the_log_gets_and_the_sheets(small_corpus, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    arguments = command(small_corpus, tmp_path, "training.epochs=2", "training.look_every=1")
    assert main([*arguments, "--tensorboard"]) == 0
    board = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert set(board.Tags()["scalars"]) == {"loss", "learning_rate", "gradient_norm", "validation"}
    told = [event.value for event in board.Scalars("loss")]
    np.testing.assert_allclose(told, measures(tmp_path), rtol=1e-6)
    assert [event.step for event in board.Images("samples")] == [4, 8]


def test_without_tensorboard_the_extra_is_named_before_anything_is_trained(small_corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert main([*command(small_corpus, tmp_path / "out"), "--tensorboard"]) == 2
    assert "discern[watch]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_a_training_leaves_behind(trained):
    kept = {path.name for path in trained.iterdir()}
    assert kept == {"README.md", "log.csv", "model.safetensors", "samples", "state-000000040", "training.json"}
    card = (trained / "README.md").read_text()
    for fact in ("Licence: not stated", "16 x 8", "SHA-256", "[optimiser]\n# ", "'ADLD'", "Left out as unreadable: 0"):
        assert fact in card, fact
    assert size(trained / "samples" / "epoch-0010.png") == (32, 16)


def test_the_kept_network_is_sampled_by_the_command(trained, tmp_path):
    assert main(["sample", "--checkpoint", str(trained), "--out", str(tmp_path), "--count", "2", "--steps", "2"]) == 0
    assert size(tmp_path / "00001.png") == (16, 8)


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_weights_and_log(small_corpus, trained, tmp_path):
    out = tmp_path / "killed"
    arguments = command(small_corpus, out, "training.epochs=10", "training.save_every=7")
    training_killed_after_a_save(arguments, out, "state-000000040")
    assert main(command(small_corpus, out, "training.epochs=10", "training.save_every=7", resume=True)) == 0
    same(weights(out), weights(trained))
    assert (out / "log.csv").read_text() == (trained / "log.csv").read_text()


def test_a_batch_in_parts_trains_as_a_whole_one(small_corpus, tmp_path):
    for parts in (1, 2):
        changes = ("training.epochs=3", f"training.accumulation={parts}")
        assert main(command(small_corpus, tmp_path / str(parts), *changes)) == 0
    for measure in ("loss", "validation"):
        np.testing.assert_allclose(measures(tmp_path / "1", measure), measures(tmp_path / "2", measure), rtol=1e-4)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes there")
def test_a_disk_without_room_is_named_and_leaves_nothing_half_written(small_corpus, tmp_path):
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000));"
    code += "from generation.__main__ import main; sys.exit(main())"
    arguments = command(small_corpus, tmp_path / "out", "training.epochs=1", "training.save_every=2")
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=unmeasured(), capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["log.csv", "training.json"]


@pytest.mark.slow
def test_two_processes_train_as_one(small_corpus, tmp_path):
    changes = ("training.epochs=3",)
    assert main(command(small_corpus, tmp_path / "1", *changes)) == 0
    by_two(command(small_corpus, tmp_path / "2", *changes))
    assert " 2 process(es)" in (tmp_path / "2" / "README.md").read_text()
    for measure in ("loss", "validation"):
        np.testing.assert_allclose(measures(tmp_path / "1", measure), measures(tmp_path / "2", measure), rtol=1e-4)


@pytest.mark.parametrize(
    ("preset", "changes"),
    [
        ("published", ["network.widths=[8, 16]", "sampling.steps=4", "training.epochs=1", "training.samples=1"]),
        ("recommended", [*TINY, "network.conditional=true", "training.epochs=1"]),
    ],
)
def test_every_design_trains(small_corpus, tmp_path, preset, changes):
    arguments = ["train", "--preset", preset, "--data", str(small_corpus), "--out", str(tmp_path), "--device", "cpu"]
    for change in changes:
        arguments += ["--set", change]
    assert main(arguments) == 0
    assert all(np.isfinite(measures(tmp_path)))
    assert main(["sample", "--checkpoint", str(tmp_path), "--out", str(tmp_path / "out"), "--count", "1"]) == 0
    assert size(tmp_path / "out" / "00000.png") == (16, 8)


SMALL_HAT = ["network.width=12", "network.heads=2", "network.depths=[1]", "network.window=4", "network.squeeze=3"]
SMALL_HAT += ["training.batch=4", "training.look_every=100", "losses.crop=32", "training.samples=1"]


def test_superresolution_learns_and_is_used_by_the_command(small_corpus, tmp_path):
    changes = [*SMALL_HAT, "training.epochs=6"]
    assert main(command(small_corpus, tmp_path / "sr", *changes, stage="superresolution")) == 0
    losses = measures(tmp_path / "sr", "pixel")
    assert np.mean(losses[-4:]) < 0.6 * np.mean(losses[:2])
    arguments = ["--images", str(small_corpus / "lr"), "--checkpoint", str(tmp_path / "sr"), "--device", "cpu"]
    assert main(["upscale", *arguments, "--out", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 24


def test_with_a_discriminator_both_networks_learn_and_resume(small_corpus, tmp_path, monkeypatch):
    changes = [*SMALL_HAT, "losses.adversarial=0.1", "losses.degradation=real-esrgan", "training.save_every=3"]
    changes += ["training.epochs=2", "training.look_every=1"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(command(small_corpus, whole, *changes, stage="superresolution")) == 0
    with monkeypatch.context() as patch:
        patch.setattr(SuperResolutionTask, "sheet", interrupt)
        assert main(command(small_corpus, parts, *changes, stage="superresolution")) == 130
    assert [path.name for path in parts.glob("state-*")] == ["state-000000003"]
    assert main(command(small_corpus, parts, *changes, stage="superresolution", resume=True)) == 0
    assert measures(whole, "real")
    assert (whole / "log.csv").read_text() == (parts / "log.csv").read_text()
    same(weights(whole), weights(parts))


def interrupt(*_):
    raise KeyboardInterrupt


def test_only_the_same_training_is_resumed_and_only_from_a_whole_state(small_corpus, trained, tmp_path, capsys):
    shutil.copytree(trained, tmp_path / "run")
    changes = ("training.epochs=10", "training.save_every=7")
    arguments = command(small_corpus, tmp_path / "run", *changes, "optimiser.clip=0.5", resume=True)
    assert main([*arguments, "--seed", "1"]) == 2
    message = capsys.readouterr().err
    assert "optimiser.clip: 1.0 then, 0.5 now" in message
    assert "seed: 0 then, 1 now" in message
    state = tmp_path / "run" / "state-000000040" / "optimizer.bin"
    state.write_bytes(state.read_bytes()[:100])
    assert main(command(small_corpus, tmp_path / "run", *changes, resume=True)) == 2
    assert "state-000000040 is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--preset", "light"], "the diffusion stage has recommended, published, phantom"),
        (["--set", "network.wide=3"], "network.wide: unknown setting"),
        (["--set", "network.widths=[16, 16, 16, 16, 16, 16]"], "cannot be built for pictures of 16 x 8"),
        (["--set", "training.batch=1000"], "fewer than a batch of 1000"),
        (["--preset", "published", "--set", "network.conditional=true"], "does not support sources"),
        (["--resume"], "no saved state to resume"),
    ],
)
def test_a_training_that_cannot_be_is_refused(small_corpus, tmp_path, capsys, arguments, complaint):
    out = tmp_path / "out"
    base = ["train", "--preset", "phantom", "--data", str(small_corpus), "--out", str(out), "--device", "cpu"]
    assert main([*base, "--set", "network.attention=[4]", "--set", "network.patch=1", *arguments]) == 2
    assert complaint in capsys.readouterr().err
    assert not out.exists()


def test_a_training_that_diverges_stops_and_says_so(small_corpus, tmp_path, capsys):
    changes = ("training.epochs=5", "optimiser.learning_rate=1e30", "optimiser.clip=0")
    assert main(command(small_corpus, tmp_path, *changes)) == 2
    assert "loss is no longer a number" in capsys.readouterr().err
    assert not (tmp_path / "model.safetensors").exists()


def test_a_finished_training_is_not_overwritten(small_corpus, trained, capsys):
    assert main(command(small_corpus, trained)) == 2
    assert "contains a training" in capsys.readouterr().err


def test_a_training_stopped_before_its_first_save_is_begun_again(small_corpus, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patched:
        patched.setattr("generation.training.Log.write", interrupt)
        assert main(command(small_corpus, tmp_path / "run", "training.epochs=1")) == 130
    assert main(command(small_corpus, tmp_path / "run", "training.epochs=1", resume=True)) == 2
    assert "leave out --resume to start" in capsys.readouterr().err
    assert main(command(small_corpus, tmp_path / "run", "training.epochs=2")) == 0
    assert len(measures(tmp_path / "run")) == 2 * 4


def test_phantoms_are_as_many_as_asked_for(tmp_path, capsys):
    def train(count, *more):
        arguments = ["train", "--preset", "phantom", "--out", tmp_path, "--phantoms", count, "--device", "cpu", *more]
        return main([str(argument) for argument in [*arguments, "--set", "network.widths=[1]"]])  # refused once drawn

    rows = tmp_path / "phantoms" / "corpus" / "manifest.csv"
    assert train(10) == 2
    assert len(rows.read_text().splitlines()) == 1 + 10
    assert train(12) == 2
    assert len(rows.read_text().splitlines()) == 1 + 12
    capsys.readouterr()
    assert train(11) == 2
    assert "contains 12 phantoms, but 11 are needed" in capsys.readouterr().err


def test_settings_are_printed_and_read_back(capsys, tmp_path):
    assert main(["train", "--preset", "phantom", "--print-settings"]) == 0
    (tmp_path / "settings.toml").write_text(capsys.readouterr().out)
    assert main(["train", "--settings", str(tmp_path / "settings.toml"), "--print-settings"]) == 0
    assert capsys.readouterr().out == (tmp_path / "settings.toml").read_text()


def test_a_contact_sheet_keeps_the_order_and_fills_up_with_white():
    pictures = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 1, 2, 2) / 10
    sheet = contact_sheet(pictures)
    assert sheet.shape == (4, 4)
    assert [float(value) for value in sheet[::2, ::2].flatten()] == pytest.approx([0, 0.1, 0.2, 1])
