"""Sampling: image i is a matter of the seed and of i; a run is resumed, never mixed; wrong requests are named."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from generation import runs
from generation.__main__ import main
from generation.diffusion.recommended import RecommendedUNet
from generation.diffusion.sampling import NOISES, AuthorsNoise, ImageNoise, Sampling, denoise
from generation.diffusion.schedule import panodiff_betas
from generation.diffusion.unet import PanoDiffUNet
from generation.weights import write_safetensors
from tests.torchrun import by_two

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")

CONFIG = {"height": 8, "width": 16, "widths": [8, 8], "attention": [4], "sources": ["ADLD", "TUFTS"]}
SHAPE = (1, 8, 16)


@pytest.fixture
def network(deterministic):
    return deterministic(RecommendedUNet(**CONFIG))


@pytest.fixture
def checkpoint(network, tmp_path):
    write_safetensors(
        tmp_path / "run" / "model.safetensors",
        network,
        {"stage": "diffusion", "design": "recommended", "config": CONFIG},
    )
    return tmp_path / "run"


def sample(*arguments):
    return main(["sample", "--device", "cpu", *map(str, arguments)])


def images(folder):
    return {path.name: np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))}


@pytest.mark.parametrize("mode", NOISES)
@pytest.mark.parametrize("sampling", [Sampling("ddim", 5, 1.0), Sampling("dpm++", 5), Sampling("unipc", 5)])
def test_an_image_is_the_same_in_any_batch(network, mode, sampling):
    together = denoise(network, NOISES[mode](7, [0, 1, 33], SHAPE), sampling)
    alone = torch.cat([denoise(network, NOISES[mode](7, [i], SHAPE), sampling) for i in (0, 1, 33)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert (together[0] - together[1]).abs().mean() > 0.01
    assert (together[0] - together[2]).abs().mean() > 0.01


def test_the_authors_noise_is_that_of_one_generator_a_batch_of_32():
    generator = torch.manual_seed(5 + 1)
    first, second = (torch.randn(32, *SHAPE, generator=generator) for _ in range(2))
    noise = AuthorsNoise(5, [32, 63], SHAPE)
    assert torch.equal(noise(), first[[0, 31]])
    assert torch.equal(noise(), second[[0, 31]])


def test_images_of_neighbouring_seeds_share_no_noise():
    drawn = torch.cat([ImageNoise(seed, range(4), SHAPE)() for seed in (0, 1)])
    assert len(drawn.flatten(1).unique(dim=0)) == 8


def test_published_sampling_is_the_authors_loop(deterministic):
    """Their loop, from the formulas (arXiv 2010.02502, eq. 12 and 16), with one generator for all noise."""
    network = deterministic(PanoDiffUNet(widths=(8, 8), size=(8, 16)))
    bars = torch.from_numpy(1 - panodiff_betas()).cumprod(0)
    generator = torch.manual_seed(0)
    x = torch.randn(32, 3, 8, 16, generator=generator)
    with torch.inference_mode():
        for t in range(975, -1, -25):
            bar, before = bars[t], bars[t - 25] if t >= 25 else torch.tensor(1.0)
            picture = ((x - (1 - bar).sqrt() * network(x, torch.tensor(t))) / bar.sqrt()).clamp(-1, 1)
            noise = (x - bar.sqrt() * picture) / (1 - bar).sqrt()
            spread = ((1 - before) / (1 - bar) * (1 - bar / before)).sqrt()
            x = before.sqrt() * picture + (1 - before - spread**2).sqrt() * noise
            x = x + spread * torch.randn(x.shape, generator=generator)
    ours = denoise(network, AuthorsNoise(0, range(32), (3, 8, 16)), Sampling("ddim", 40, 1.0))
    torch.testing.assert_close(ours, (x / 2 + 0.5).clamp(0, 1), atol=1e-5, rtol=0)


def test_the_command_writes_the_images_and_how_they_came_about(checkpoint, tmp_path):
    assert sample("--checkpoint", checkpoint, "--out", tmp_path / "out", "--count", 3, "--steps", 3) == 0
    made = images(tmp_path / "out")
    assert list(made) == ["00000.png", "00001.png", "00002.png"]
    assert all(image.shape == (8, 16) and image.dtype == np.uint8 for image in made.values())
    sheet = json.loads((tmp_path / "out" / "samples.json").read_text())
    assert (sheet["sampler"], sheet["steps"], sheet["seed"], sheet["checkpoint"]) == ("dpm++", 3, 0, "run")
    header, row = (tmp_path / "out" / "cost.csv").read_text().splitlines()
    assert header == "images,seconds,device"
    assert row.startswith("3,")
    assert runs.cost(tmp_path / "out") > 0


def test_the_authors_file_is_sampled_through_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(PanoDiffUNet.__init__, "__defaults__", (3, (64, 128, 256, 512), (8, 16)))
    torch.save({"ema_model_state": PanoDiffUNet().state_dict()}, tmp_path / "ddpm-model-ep1.pth")
    arguments = ("--checkpoint", tmp_path / "ddpm-model-ep1.pth", "--noise", "authors", "--steps", 4)
    assert sample(*arguments, "--count", 2, "--out", tmp_path / "out") == 0
    assert {image.shape for image in images(tmp_path / "out").values()} == {(8, 16, 3)}
    assert json.loads((tmp_path / "out" / "samples.json").read_text())["eta"] == 1.0


def test_a_stopped_run_goes_on_where_it_stopped_and_ends_the_same(checkpoint, tmp_path):
    arguments = ("--checkpoint", checkpoint, "--steps", 3, "--batch", 2, "--precision", "fp32")
    assert sample(*arguments, "--count", 5, "--out", tmp_path / "whole") == 0
    assert sample(*arguments, "--count", 2, "--out", tmp_path / "parts") == 0
    kept = (tmp_path / "parts" / "00001.png").stat().st_mtime_ns
    assert sample(*arguments, "--count", 5, "--out", tmp_path / "parts") == 0
    assert (tmp_path / "parts" / "00001.png").stat().st_mtime_ns == kept
    whole, parts = images(tmp_path / "whole"), images(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert all(np.abs(whole[name].astype(int) - parts[name]).max() <= 1 for name in whole)


def test_another_run_is_not_mixed_into_a_folder(checkpoint, tmp_path, capsys):
    arguments = ("--checkpoint", checkpoint, "--out", tmp_path / "out", "--count", 1, "--steps", 2)
    assert sample(*arguments) == 0
    assert sample(*arguments, "--seed", 1, "--sampler", "unipc") == 2
    message = capsys.readouterr().err
    assert "seed: 0 then, 1 now" in message
    assert "sampler: 'dpm++' then, 'unipc' now" in message


def test_two_processes_make_the_same_images_as_one(checkpoint, tmp_path):
    arguments = ["sample", "--checkpoint", str(checkpoint), "--count", "5", "--steps", "3", "--device", "cpu"]
    arguments += ["--precision", "fp32"]
    assert main([*arguments, "--out", str(tmp_path / "one")]) == 0
    done = by_two([*arguments, "--out", str(tmp_path / "two")])
    assert {"3 of 5 images made by process 1", "2 of 5 images made by process 2"} == set(
        re.findall(r"\d of 5 images made by process \d", done)
    )
    one, two = images(tmp_path / "one"), images(tmp_path / "two")
    assert len(one) == 5
    assert one.keys() == two.keys()
    assert all(np.abs(one[name].astype(int) - two[name]).max() <= 1 for name in one)


def test_a_source_asks_for_other_images(checkpoint, tmp_path):
    arguments = ("--checkpoint", checkpoint, "--count", 1, "--steps", 3)
    assert sample(*arguments, "--out", tmp_path / "any") == 0
    assert sample(*arguments, "--out", tmp_path / "tufts", "--source", "TUFTS") == 0
    assert (images(tmp_path / "any")["00000.png"] != images(tmp_path / "tufts")["00000.png"]).any()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--source", "DENTEX"), "this network knows ADLD, TUFTS"),
        (("--steps", 1001), "expected 1 to 1000, got 1001"),
        (("--eta", 2), "expected 0 to 1, got 2.0"),
        (("--eta", 1, "--sampler", "unipc"), "only ddim adds noise"),
        (("--device", "cuda"), "device cuda is not available"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(checkpoint, tmp_path, capsys, arguments, complaint):
    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert main(["sample", "--checkpoint", str(checkpoint), "--out", str(tmp_path / "out"), *map(str, arguments)]) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(checkpoint, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert sample("--checkpoint", checkpoint, "--out", tmp_path / "file" / "out") == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")  # torch to itself
def test_a_missing_compiler_is_told_in_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    config = {"widths": [8, 8], "size": [8, 16]}
    about = {"stage": "diffusion", "design": "published", "config": config}
    write_safetensors(tmp_path / "run" / "model.safetensors", PanoDiffUNet(**config), about)
    arguments = ("--checkpoint", tmp_path / "run", "--steps", 1, "--count", 1, "--out", tmp_path / "out")
    with torch._inductor.config.patch({"cpp.cxx": (None, "no-such-compiler")}):
        assert sample(*arguments, "--compile") == 2
    *_, said = capsys.readouterr().err.strip().splitlines()
    assert "cannot be compiled (InvalidCxxCompiler: No working C++ compiler found" in said
    assert "compiling needs a C++ compiler (g++, clang++, or the one named by CXX)" in said
    assert not images(tmp_path / "out")


def test_a_network_that_gives_no_numbers_makes_no_black_images(tmp_path, capsys, checkpoint):
    network = RecommendedUNet(**CONFIG)
    with torch.no_grad():
        network.unet.conv_out.bias.fill_(3e38)
        network.unet.conv_out.weight.fill_(3e38)
    about = {"stage": "diffusion", "design": "recommended", "config": CONFIG}
    write_safetensors(tmp_path / "wild" / "model.safetensors", network, about)
    arguments = ("--checkpoint", tmp_path / "wild", "--steps", 2, "--count", 1, "--out", tmp_path / "out")
    assert sample(*arguments, "--precision", "fp32") == 2
    assert "00000.png: the network's image has pixels that are not numbers" in capsys.readouterr().err
    assert not images(tmp_path / "out")
