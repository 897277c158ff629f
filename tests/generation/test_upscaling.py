"""Upscaling a folder: whole or in tiles, by a network or by interpolation; what cannot be read is named and counted."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from generation.__main__ import main
from generation.superresolution.hat import HAT
from generation.superresolution.upscaling import enlarge, tiles
from generation.weights import write_safetensors

CONFIG = {"window_size": 8, "depths": [2], "num_heads": [2], "embed_dim": 12, "squeeze_factor": 3, "in_chans": 1}


@pytest.fixture
def checkpoint(deterministic, tmp_path):
    network = deterministic(HAT(**CONFIG))
    write_safetensors(tmp_path / "sr" / "model.safetensors", network, {"stage": "superresolution", "config": CONFIG})
    return tmp_path / "sr"


@pytest.fixture
def small(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    rng = np.random.Generator(np.random.PCG64(3))
    for number, size in enumerate([(16, 24), (16, 24), (10, 30)]):
        Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


def upscale(*arguments):
    return main(["upscale", "--device", "cpu", *map(str, arguments)])


def images(folder):
    return {path.name: np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))}


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 80))
def test_tiles_cover_every_pixel_once_and_are_no_larger_than_asked(height, width, tile):
    covered = np.zeros((height, width), dtype=int)
    for (top, bottom), (left, right) in tiles(height, width, tile):
        assert bottom - top <= tile
        assert right - left <= tile
        covered[top:bottom, left:right] += 1
    assert (covered == 1).all()


def test_tiles_give_what_the_whole_gives_where_the_network_is_local():
    class Local(torch.nn.Module):  # HAT pools over the whole picture; its tiling is judged by a network that does not
        upscale = 4
        conv_first = torch.nn.Conv2d(1, 1, 1)

        def forward(self, x):
            smooth = torch.nn.functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False)
            return smooth.repeat_interleave(4, 2).repeat_interleave(4, 3)

        parameters = conv_first.parameters

    picture = torch.rand(2, 1, 37, 50, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(enlarge(Local(), picture, tile=16, overlap=4), enlarge(Local(), picture))
    assert not torch.allclose(enlarge(Local(), picture, tile=16, overlap=0), enlarge(Local(), picture))


def test_grey_goes_through_three_channels_as_their_mean(deterministic):
    network = deterministic(HAT(**CONFIG | {"in_chans": 3}))
    grey = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(grey.expand(-1, 3, -1, -1)).clamp(0, 1).mean(1, keepdim=True)
    torch.testing.assert_close(enlarge(network, grey), expected)


def test_a_folder_is_upscaled_four_times_by_a_network(checkpoint, small, tmp_path):
    assert upscale("--images", small, "--checkpoint", checkpoint, "--out", tmp_path / "out", "--batch", 4) == 0
    shapes = {name: image.shape for name, image in images(tmp_path / "out").items()}
    assert shapes == {"0.png": (64, 96), "1.png": (64, 96), "2.png": (40, 120)}
    assert json.loads((tmp_path / "out" / "upscaled.json").read_text())["method"] == "sr"


@pytest.mark.parametrize("method", ["bicubic", "lanczos"])
def test_interpolation_is_pillows(small, tmp_path, method):
    assert upscale("--images", small, "--method", method, "--out", tmp_path / "out") == 0
    resample = Image.Resampling[method.upper()]
    expected = np.asarray(Image.open(small / "2.png").resize((120, 40), resample))
    assert (images(tmp_path / "out")["2.png"] == expected).all()


def test_an_image_is_the_same_alone_and_in_a_batch(checkpoint, small, tmp_path):
    for batch in (1, 2):
        arguments = ("--images", small, "--checkpoint", checkpoint, "--precision", "fp32", "--tile", 16)
        assert upscale(*arguments, "--batch", batch, "--out", tmp_path / str(batch)) == 0
    one, two = images(tmp_path / "1"), images(tmp_path / "2")
    assert all(np.abs(one[name].astype(int) - two[name]).max() <= 1 for name in one)


def test_an_image_that_cannot_be_read_is_named_and_the_others_are_made(small, tmp_path, capsys):
    (small / "broken.png").write_bytes(b"no image")
    assert upscale("--images", small, "--method", "bicubic", "--out", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert "broken.png" in said.err
    assert "3 of 4 images" in said.out
    assert len(images(tmp_path / "out")) == 3


def test_a_stopped_run_makes_only_what_is_missing(small, tmp_path):
    arguments = ("--images", small, "--method", "bicubic", "--out", tmp_path / "out")
    assert upscale(*arguments) == 0
    before = (tmp_path / "out" / "0.png").stat().st_mtime_ns
    (tmp_path / "out" / "1.png").unlink()
    assert upscale(*arguments) == 0
    assert (tmp_path / "out" / "0.png").stat().st_mtime_ns == before
    assert len(images(tmp_path / "out")) == 3


def test_an_empty_folder_and_two_images_of_one_name_are_refused(small, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert upscale("--images", tmp_path / "empty", "--method", "bicubic", "--out", tmp_path / "out") == 2
    assert "there are none" in capsys.readouterr().err
    Image.new("L", (8, 8)).save(small / "0.jpeg")
    assert upscale("--images", small, "--method", "bicubic", "--out", tmp_path / "out") == 2
    assert "0: 2 files" in capsys.readouterr().err


def test_the_published_samples_are_upscaled(shared, checkpoint, tmp_path):
    source = shared / "data" / "panodiff_synthetic" / "lr"
    assert upscale("--images", source, "--method", "lanczos", "--out", tmp_path / "baseline") == 0
    assert len(images(tmp_path / "baseline")) == 64
    (tmp_path / "two").mkdir()
    for file in sorted(source.iterdir())[:2]:
        (tmp_path / "two" / file.name).symlink_to(file)
    assert upscale("--images", tmp_path / "two", "--checkpoint", checkpoint, "--out", tmp_path / "out") == 0
    assert {image.shape for image in images(tmp_path / "out").values()} == {(512, 1024)}
