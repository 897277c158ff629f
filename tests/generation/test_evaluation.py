import json
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, Dinov2Config, Dinov2Model

from generation import radiographs, runs
from generation.__main__ import main
from generation.errors import InputError
from generation.evaluation import command, embedding, features, radiomics
from generation.files import sha256
from generation.radiographs import guarded
from tests.workers import unmeasured


@pytest.fixture
def folder(tmp_path, sound_phantoms):
    """Two sets of sound phantoms, and one of blurred ones."""
    for name, images in (
        ("real", sound_phantoms[:24]),
        ("sound", sound_phantoms[24:]),
        ("blurred", sound_phantoms[24:]),
    ):
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            shown = image.filter(ImageFilter.GaussianBlur(2)) if name == "blurred" else image
            shown.resize((256, 128)).save(tmp_path / name / f"{number}.png")
    return tmp_path


def evaluate(folder, *options, synthetic=("sound", "blurred")) -> int:
    sets = [str(folder / name) for name in synthetic]
    arguments = ["evaluate", "--real", str(folder / "real"), "--synthetic", *sets, "--out", str(folder / "out")]
    return main([*arguments, "--repeats", "4", *options])


def test_a_worse_generator_is_further_away_and_a_perfect_one_at_the_floor(folder):
    assert evaluate(folder, "--steps", "5") == 0
    summary = json.loads((folder / "out/evaluation.json").read_text())
    sound, blurred = summary["pairs"]
    for name in ("radiomic.frechet", "radiomic.kid"):
        assert sound["measures"][name]["value"] < blurred["measures"][name]["value"] / 3
    halves = sound["measures"]["radiomic.frechet"]
    assert halves["halves"]["value"] == pytest.approx(halves["floor"]["value"], rel=0.35)
    assert blurred["measures"]["radiomic.precision"]["value"] < sound["measures"]["radiomic.precision"]["value"]
    assert summary["measures"] == sound["measures"]
    assert {"value", "ci", "floor"} <= set(summary["measures"]["embedding.frechet"])
    assert (folder / "out/curves.svg").stat().st_size > 1000
    assert len((folder / "out/evaluation.csv").read_text().splitlines()) == 1 + 2 * 2 * 6
    assert {path.name for path in (folder / "out").iterdir()} == {
        "evaluation.json", "evaluation.csv", "curves.svg", "embedding.safetensors",
    }  # fmt: skip


def test_what_sampling_cost_stands_beside_the_distances(folder, capsys):
    runs.note_cost(folder / "sound", 20, 30.0, "cpu")
    runs.note_cost(folder / "sound", 4, 6.0, "cpu")
    assert evaluate(folder, "--steps", "0") == 0
    assert "real against sound, made in 1.5 s per image (" in capsys.readouterr().out
    assert json.loads((folder / "out/evaluation.json").read_text())["seconds_per_image"] == {
        "sound": 1.5,
        "blurred": None,
    }
    assert "1.5 s per image" in (folder / "out/curves.svg").read_text()
    runs.note_cost(folder / "blurred", 24, 3.0, "cpu")
    assert evaluate(folder, "--steps", "0") == 0
    assert "0.12 to 1.5 s per image" in (folder / "out/curves.svg").read_text()


def test_published_synthetic_images_are_told_from_phantoms_in_words(folder, shared, capsys):
    assert evaluate(folder, "--steps", "0", synthetic=(str(shared / "data/panodiff_synthetic/lr"),)) == 0
    said = capsys.readouterr().out
    assert "real against lr" in said
    assert "radiomic.coverage: 0 " in said


def test_small_and_missing_sets_are_refused(folder, capsys):
    (folder / "few").mkdir()
    for number in range(3):
        Image.new("L", (64, 32)).save(folder / f"few/{number}.png")
    assert evaluate(folder, synthetic=("few",)) == 2
    assert "few: 3 images" in capsys.readouterr().err
    assert evaluate(folder, synthetic=("nowhere",)) == 2
    assert "nowhere: there is no such folder" in capsys.readouterr().err


def test_the_interval_is_as_wide_as_the_measures_standard_error():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(0, 1, (200, 1)), rng.normal(1, 2, (150, 1))
    found = command.estimate(lambda a, b: float(b.mean() - a.mean()), real, synthetic, repeats=600, seed=1)
    # halves of the real set are 100 of 200, of the synthetic one 100 of 150
    expected = np.sqrt(real.var() / 100 * (1 - 100 / 200) + synthetic.var() / 100 * (1 - 100 / 150))
    assert found["value"] == pytest.approx(synthetic.mean() - real.mean())
    assert found["ci"][1] - found["ci"][0] == pytest.approx(2 * 1.96 * expected, rel=0.1)
    assert abs(found["floor"]["value"]) < 0.05


def test_the_interval_of_a_difference_is_that_of_what_differs_between_the_same_images():
    rng = np.random.default_rng(0)
    real, base = rng.normal(0, 1, (200, 1)), rng.normal(1, 2, (150, 1))
    moved = base + rng.normal(0.1, 0.2, base.shape)
    one, other = (
        command.estimate(lambda a, b: float(b.mean() - a.mean()), real, synthetic, repeats=600, seed=1)
        for synthetic in (moved, base)
    )
    found = command.difference(one, other)
    expected = (moved - base).std() * np.sqrt(1 / 100 * (1 - 100 / 150))
    assert found["value"] == pytest.approx((moved - base).mean())
    assert found["ci"][1] - found["ci"][0] == pytest.approx(2 * 1.96 * expected, rel=0.1)


def test_sets_are_set_against_a_baseline_of_the_same_seeds(folder, capsys):
    (folder / "again").mkdir()
    for path in (folder / "sound").iterdir():
        (folder / "again" / path.name).write_bytes(path.read_bytes())
    options = ["--steps", "0", "--baseline", "sound"]
    assert evaluate(folder, *options, synthetic=("sound", "again", "blurred")) == 0
    said = capsys.readouterr().out
    assert said.count("; from the baseline ") == 2 * 6
    sound, again, blurred = json.loads((folder / "out/evaluation.json").read_text())["pairs"]
    assert "difference" not in sound["measures"]["radiomic.frechet"]
    assert again["measures"]["radiomic.frechet"]["difference"] == {"value": 0, "ci": [0, 0]}
    assert blurred["measures"]["radiomic.frechet"]["difference"]["ci"][0] > 0
    assert "draws" not in blurred["measures"]["radiomic.frechet"]
    table = (folder / "out/evaluation.csv").read_text().splitlines()
    assert table[0].endswith(",floor,difference,difference_low,difference_high")
    assert table[1].endswith(",,,")
    (folder / "again" / "23.png").rename(folder / "again" / "x.png")
    assert evaluate(folder, *options, synthetic=("sound", "again")) == 2
    assert "again: 2 images by name that are in only one of the two" in capsys.readouterr().err
    assert evaluate(folder, "--baseline", "none") == 2
    assert "--baseline none: expected one of sound, blurred" in capsys.readouterr().err


def test_radiomics_are_finite_and_see_blur_noise_and_nothing_else(sound_phantoms):
    image = sound_phantoms[0]
    own = radiomics.radiomics(image)
    assert own.shape == (radiomics.DIMENSIONS,)
    assert np.isfinite(radiomics.radiomics(Image.new("L", (300, 100), 9))).all()
    assert np.array_equal(own, radiomics.radiomics(image.copy()))
    assert np.abs(own - radiomics.radiomics(image.filter(ImageFilter.GaussianBlur(3)))).max() > 0.5


@pytest.mark.slow
def test_the_embedding_knows_a_radiograph_again_in_another_frame(sound_phantoms):
    train, held_out = sound_phantoms[:32], sound_phantoms[32:]
    changed = [image.crop((20, 10, 500, 250)).transpose(Image.Transpose.FLIP_LEFT_RIGHT) for image in held_out]

    def strangers_nearer(network) -> float:
        one, other = (embedding.embed(network, images) for images in (held_out, changed))
        one, other = one - one.mean(axis=0), other - one.mean(axis=0)
        likeness = (other @ one.T) / np.linalg.norm(one, axis=1)
        return float((likeness > np.diag(likeness)[:, None]).sum(axis=1).mean())

    images = np.stack([embedding.prepared(image) for image in train])
    untrained = embedding.train(images, steps=1, seed=0)
    assert strangers_nearer(embedding.train(images, steps=60, seed=0)) < 0.6 * strangers_nearer(untrained)
    again = embedding.train(images, steps=3, seed=0), embedding.train(images, steps=3, seed=0)
    assert all(torch.equal(a, b) for a, b in zip(again[0].parameters(), again[1].parameters(), strict=True))


def test_the_embeddings_weights_are_kept_and_others_refused(tmp_path, sound_phantoms):
    network = embedding.Embedding().eval()
    embedding.save(network, tmp_path / "e.safetensors")
    loaded = embedding.load(tmp_path / "e.safetensors")
    assert np.array_equal(embedding.embed(loaded, sound_phantoms[:2]), embedding.embed(network, sound_phantoms[:2]))
    (tmp_path / "other.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"other\.safetensors"):
        embedding.load(tmp_path / "other.safetensors")


class Detector(torch.nn.Module):
    """Answers like the TorchScript Inception of StyleGAN2-ADA, in small."""

    def forward(
        self, images: torch.Tensor, return_features: bool = False, no_output_bias: bool = False
    ) -> torch.Tensor:
        mean = images.float().mean(dim=(2, 3))
        return mean if return_features else torch.softmax(mean[:, :2], dim=1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_inception_network_comes_from_the_expected_file_only(tmp_path, sound_phantoms):
    path = tmp_path / features.INCEPTION_FILE
    torch.jit.save(torch.jit.script(Detector()), str(path))
    with pytest.raises(InputError, match=f"SHA-256 {features.INCEPTION_SHA256}"):
        features.inception(path)
    space = features.inception(path, expected=sha256(path))
    images = [*sound_phantoms[:2], sound_phantoms[2].resize((100, 50))]
    found = features.extract([space], _saved(tmp_path, images), tmp_path / "scratch")
    means = [[np.asarray(image).mean()] * 3 for image in images]
    assert np.allclose(found["inception"], means, rtol=1e-4)
    assert np.allclose(found["inception.classes"].sum(axis=1), 1)


def _saved(folder, images) -> list:
    for number, image in enumerate(images):
        image.save(folder / f"{number}.png")
    return [folder / f"{number}.png" for number in range(len(images))]


def test_transformers_come_from_a_folder_of_the_right_kind(tmp_path, sound_phantoms):
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 14}
    Dinov2Model(Dinov2Config(image_size=28, **small)).save_pretrained(tmp_path / "dinov2")
    clip = CLIPVisionConfig(image_size=28, intermediate_size=16, projection_dim=8, **small)
    CLIPVisionModelWithProjection(clip).save_pretrained(tmp_path / "clip")
    spaces = [features.transformer(name, tmp_path / name) for name in ("dinov2", "clip")]
    found = features.extract(spaces, _saved(tmp_path, sound_phantoms[:3]), tmp_path / "scratch")
    assert found["dinov2"].shape == (3, 16)
    assert found["clip"].shape == (3, 8)
    assert np.abs(np.diff(found["clip"], axis=0)).max() > 0
    with pytest.raises(InputError, match="contains a model of kind clip_vision_model, expected dinov2"):
        features.transformer("dinov2", tmp_path / "clip")
    with pytest.raises(InputError, match=r"no config\.json"):
        features.transformer("clip", tmp_path)


def test_features_keep_their_order_whatever_their_batch(tmp_path, sound_phantoms, monkeypatch):
    paths = _saved(tmp_path, sound_phantoms[:5])
    whole = features.extract([features.radiomic()], paths, tmp_path / "whole")["radiomic"]
    monkeypatch.setattr(features, "BATCH", 2)
    parts = features.extract([features.radiomic()], paths, tmp_path / "parts")["radiomic"]
    assert isinstance(parts, np.memmap)
    assert np.array_equal(whole, parts)


def test_a_corrupt_image_among_many_is_named_and_left_out(folder, capsys):
    whole = (folder / "real/3.png").read_bytes()
    (folder / "real/cut.png").write_bytes(whole[: len(whole) // 2])
    assert evaluate(folder, "--steps", "0", synthetic=("sound",)) == 1
    assert "left out: " in (said := capsys.readouterr().err)
    assert "cut.png: not readable as a radiograph" in said
    summary = json.loads((folder / "out/evaluation.json").read_text())
    assert summary["images"]["real"] == {"real": 24}
    assert len(summary["unreadable"]) == 1


def test_training_the_embedding_holds_few_images_at_a_time(folder, monkeypatch):
    given, held = [], []

    def counted(paths):
        for found in guarded.looks(paths):
            given.append(weakref.ref(found))
            held.append(sum(one() is not None for one in given))
            yield found

    monkeypatch.setattr(radiographs, "looks", counted)
    features.embedding(sorted((folder / "real").iterdir()), 1, 0, folder / "embedding.safetensors")
    assert len(held) == 24
    assert max(held) <= 3


def test_a_disk_without_room_for_the_features_is_told_in_words(folder):
    script = (
        "import resource, sys; from generation.__main__ import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); sys.exit(main(sys.argv[1:]))"
    )
    sets = ["--real", folder / "real", "--synthetic", folder / "sound", "--out", folder / "out", "--steps", "0"]
    command_line = [sys.executable, "-c", script, "evaluate", *sets]
    done = subprocess.run(command_line, env=unmeasured(), capture_output=True, text=True)
    assert (done.returncode, "File too large" in done.stderr, "Traceback" in done.stderr) == (2, True, False)
    assert list((folder / "out").iterdir()) == []
