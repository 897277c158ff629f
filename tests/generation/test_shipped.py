"""Weights packed to travel: they come back as they were, damage is named, and commands use them without a file."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image

from generation import packed, shipped
from generation.__main__ import main
from generation.diffusion import checkpoints as diffusion
from generation.diffusion.recommended import RecommendedUNet
from generation.errors import InputError
from generation.files import sha256
from generation.superresolution import checkpoints as superresolution
from generation.superresolution.hat import HAT
from generation.weights import write_safetensors
from tests.generation import shipped_reference
from tests.workers import unmeasured

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")

CONFIG = {"height": 16, "width": 32, "widths": [8, 16], "attention": [8], "blocks": 1}
HAT_CONFIG = {
    "in_chans": 1,
    "window_size": 4,
    "depths": [1],
    "num_heads": [2],
    "embed_dim": 12,
    "squeeze_factor": 3,
    "upscale": 4,
}


@pytest.fixture(autouse=True)
def _as_a_process_of_its_own():
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, deterministic):
    """The folders of two trainings, as far as packing reads them."""
    folder = tmp_path_factory.mktemp("runs")
    unet = deterministic(RecommendedUNet(**CONFIG))
    about = {"stage": "diffusion", "design": "recommended", "config": CONFIG}
    write_safetensors(folder / "first" / "model.safetensors", unet, about)
    (folder / "first" / "README.md").write_text("# first\n\n- Licence: CC-BY-4.0\n\n## Settings\n\n```\n# code\n```\n")
    about = {"stage": "superresolution", "config": HAT_CONFIG}
    write_safetensors(folder / "second" / "model.safetensors", deterministic(HAT(**HAT_CONFIG)), about)
    return folder


def ship(runs, out, *more):
    return main(["ship", "--run", str(runs / "first"), "--run", str(runs / "second"), "--out", str(out), *more])


@pytest.fixture
def panoramic(runs, tmp_path, monkeypatch):
    """These weights, as if Discern came with them."""
    monkeypatch.setattr(shipped, "HERE", tmp_path / "package")
    assert ship(runs, tmp_path / "package" / "panoramic") == 0
    return tmp_path / "package" / "panoramic"


def test_packed_weights_come_back_within_the_rounding_of_half_precision(runs, panoramic):
    before, after = diffusion.load(runs / "first").state_dict(), shipped.load("diffusion").state_dict()
    for name, tensor in before.items():
        assert after[name].dtype is torch.float32
        assert torch.equal(after[name], tensor.half().float()), name
    assert shipped.load("superresolution").upscale == 4
    assert sorted(path.name for path in panoramic.iterdir()) == [
        "README.md",
        "diffusion-00.safetensors",
        "network.json",
        "superresolution-00.safetensors",
    ]


def test_the_card_says_what_it_is_not_for_and_how_it_was_trained(runs, tmp_path):
    (tmp_path / "notes.md").write_text("## Data\n\nUFBA-425, Apache-2.0.\n")
    assert ship(runs, tmp_path / "out", "--notes", str(tmp_path / "notes.md")) == 0
    card = (tmp_path / "out" / "README.md").read_text()
    for line in ("UFBA-425, Apache-2.0.", "## How diffusion was trained", "- Licence: CC-BY-4.0", "### Settings"):
        assert line in card.splitlines(), line
    assert "# code" in card.splitlines()
    assert "Not for diagnosis" in card


def test_large_networks_travel_in_parts_and_are_put_together(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "PART", 4000)
    network = RecommendedUNet(**CONFIG | {"widths": [8, 8]})
    about = {"stage": "diffusion", "design": "recommended", "config": CONFIG | {"widths": [8, 8]}}
    packed.write(tmp_path / "out", {"diffusion": packed.Network(network.state_dict(), about)}, "")
    assert len(list((tmp_path / "out").glob("diffusion-*.safetensors"))) > 3
    assert diffusion.load(tmp_path / "out").state_dict().keys() == network.state_dict().keys()


def flipped(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (flipped, "diffusion-00.safetensors: its checksum does not match network.json"),
        (lambda path: path.unlink(), "diffusion-00.safetensors: missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-8]), "diffusion-00.safetensors: .* bytes, expected"),
        (lambda path: (path.parent / "network.json").write_text("{}"), "network.json is damaged"),
        (lambda path: (path.parent / "network.json").write_text("[1"), "network.json is damaged"),
    ],
)
def test_a_part_that_was_changed_or_lost_is_refused_by_name(panoramic, harm, complaint):
    harm(panoramic / "diffusion-00.safetensors")
    with pytest.raises(InputError, match=complaint):
        shipped.load("diffusion")


def test_weights_of_another_size_are_refused_by_name(panoramic):
    index = json.loads((panoramic / "network.json").read_text())
    index["networks"]["diffusion"]["about"]["config"]["widths"] = [8, 24]
    (panoramic / "network.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"does not match RecommendedUNet(.|\n)*expected .*24.*found"):
        shipped.load("diffusion")


def test_a_stage_that_is_not_there_is_named_with_those_that_are(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "HERE", tmp_path)
    assert main(["ship", "--run", f"small={runs / 'first'}", "--out", str(tmp_path / "panoramic")]) == 0
    assert shipped.load("diffusion").size == (16, 32)
    with pytest.raises(InputError, match=r"no weights of 'superresolution'.*it has small \(diffusion\)"):
        superresolution.load(tmp_path / "panoramic")


def test_what_is_too_large_or_no_training_is_not_packed_and_the_weights_before_stay(runs, panoramic, capsys, tmp_path):
    before = {path.name: path.read_bytes() for path in panoramic.iterdir()}
    big = RecommendedUNet(**CONFIG)
    with torch.no_grad():
        big.unet.conv_in.weight[:] = 1e6
    about = {"stage": "diffusion", "design": "recommended", "config": CONFIG}
    write_safetensors(tmp_path / "big" / "model.safetensors", big, about)
    for runs_given, complaint in (
        ([tmp_path / "nothing"], "nothing is not there"),
        ([panoramic], "are already packed"),
        ([tmp_path / "big"], "larger than 65504"),
        ([runs / "first", runs / "first"], "expected a different name"),
    ):
        arguments = [word for run in runs_given for word in ("--run", str(run))]
        assert main(["ship", *arguments, "--out", str(panoramic)]) == 2
        assert complaint in capsys.readouterr().err
    with pytest.raises(InputError, match=r"take 0\.2 MB, but 0\.01 MB is the limit"):
        packed.write(panoramic, {"diffusion": packed.Network({"x": torch.zeros(10**5)}, {})}, "", 10**4)
    assert {path.name: path.read_bytes() for path in panoramic.iterdir()} == before


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes there")
def test_a_disk_without_room_keeps_the_weights_before(runs, panoramic):
    before = {path.name: path.read_bytes() for path in panoramic.iterdir()}
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000));"
    code += "from generation.__main__ import main; sys.exit(main())"
    arguments = ["ship", "--run", str(runs / "first"), "--out", str(panoramic)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=unmeasured(), capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "cannot be written, and its previous content is kept" in done.stderr
    assert {path.name: path.read_bytes() for path in panoramic.iterdir()} == before
    assert [path.name for path in panoramic.parent.iterdir()] == ["panoramic"]


def test_without_a_file_images_are_made_and_enlarged_by_what_is_shipped(panoramic, tmp_path, capsys):
    small, large = tmp_path / "small", tmp_path / "large"
    made = ["sample", "--out", str(small), "--count", "3", "--steps", "3", "--batch", "2", "--device", "cpu"]
    assert main(made) == 0
    told = capsys.readouterr().out
    assert told.index("s per image, ") < told.index("3 of 3 images made")
    assert main(["upscale", "--images", str(small), "--out", str(large), "--device", "cpu"]) == 0
    assert "s per image, " in capsys.readouterr().out
    with Image.open(large / "00002.png") as image:
        assert image.size == (128, 64)
    assert json.loads((small / "samples.json").read_text())["checkpoint"] == "panoramic"
    kept = (small / "00001.png").stat().st_mtime_ns
    (small / "00002.png").unlink()
    assert main(made) == 0
    assert (small / "00002.png").is_file()
    assert (small / "00001.png").stat().st_mtime_ns == kept
    shutil.rmtree(small)


def test_without_weights_the_commands_say_how_to_make_some(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shipped, "HERE", tmp_path / "package")
    Image.new("L", (16, 8)).save(tmp_path / "small.png")
    assert main(["sample", "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "has no weights for the diffusion stage" in told
    assert "discern generate train --preset phantom --out run" in told
    for first_stage in (False, True):
        if first_stage:
            assert main(["ship", "--run", str(runs / "first"), "--out", str(tmp_path / "package" / "panoramic")]) == 0
        assert main(["upscale", "--images", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
        told = capsys.readouterr().err
        assert "has no weights for the superresolution stage" in told
        assert "--stage superresolution" in told
    assert not (tmp_path / "out").exists()


def test_what_ships_is_whole_small_and_described():
    folder = shipped.HERE / "panoramic"
    if not folder.exists():
        pytest.skip("no weights ship")
    there = packed.index(folder / packed.INDEX)
    assert set(there) == {"diffusion", "superresolution"}
    for name in there:
        assert packed.check(folder / packed.INDEX, name)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 20.5e6
    card = (folder / "README.md").read_text(encoding="utf-8").casefold()
    for word in ("not for diagnosis", "licence", "seed", "memoris", "limit"):
        assert word in card, word


@pytest.mark.slow
def test_what_ships_makes_here_what_it_made_elsewhere(tmp_path):
    if not (shipped.HERE / "panoramic").exists():
        pytest.skip("no weights ship")
    told = json.loads((shipped_reference.FOLDER / "made.json").read_text(encoding="utf-8"))
    here = shipped_reference.machine()
    assert here["weights"] == told["machine"]["weights"], "packed anew: python -m tests.generation.shipped_reference"
    made = shipped_reference.sampled(tmp_path / "made")
    large = shipped_reference.enlarged(made[0], tmp_path)
    if here == told["machine"]:
        assert [sha256(path) for path in [*made, large]] == told["sha256"]
    for path, name in zip([*made, large], [*(path.name for path in made), "enlarged.png"], strict=True):
        pixels = [np.asarray(Image.open(at), dtype=float) for at in (path, shipped_reference.FOLDER / name)]
        assert pixels[0].shape == pixels[1].shape
        assert abs(pixels[0] - pixels[1]).mean() < 1
