"""A release: whole, described, screened, the same after an interruption, and read by others' software."""

import csv
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from accelerate.state import AcceleratorState
from PIL import Image

from generation import examples
from generation.__main__ import main
from generation.diffusion.recommended import RecommendedUNet
from generation.diffusion.sampling import image_seed
from generation.release import command as release
from generation.release import documents
from generation.release.screening import Screen
from generation.superresolution.hat import HAT
from generation.weights import write_safetensors
from tests.generation.test_shipped import CONFIG, HAT_CONFIG
from tests.workers import unmeasured

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")


@pytest.fixture(autouse=True)
def _as_a_process_of_its_own():
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def network(tmp_path_factory, deterministic):
    folder = tmp_path_factory.mktemp("network")
    about = {"stage": "diffusion", "design": "recommended", "config": CONFIG}
    write_safetensors(folder / "model.safetensors", deterministic(RecommendedUNet(**CONFIG)), about)
    about = {"stage": "superresolution", "config": HAT_CONFIG}
    write_safetensors(folder / "larger" / "model.safetensors", deterministic(HAT(**HAT_CONFIG)), about)
    return folder


def arguments(network, corpus, out, *more):
    words = ["release", out, "--checkpoint", network, "--training", corpus, "--count", 7, "--shard", 3, "--steps", 2]
    words += ["--threshold", 0, "--licence", "https://creativecommons.org/publicdomain/zero/1.0/"]
    return [str(word) for word in [*words, "--creator", "The tests", "--device", "cpu", "--batch", 2, *more]]


@pytest.fixture(scope="module")
def released(network, small_corpus, tmp_path_factory):
    AcceleratorState._reset_state(reset_partial_state=True)
    out = tmp_path_factory.mktemp("released") / "whole"
    assert main(arguments(network, small_corpus, out)) == 0
    return out


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_image_is_in_its_shard_with_its_seed_and_checksum(released):
    rows = table(released / "images.csv")
    assert [row["shard"] for row in rows] == ["00000.tar"] * 3 + ["00001.tar"] * 3 + ["00002.tar"]
    assert [int(row["seed"]) for row in rows] == [image_seed(0, number) for number in range(7)]
    for row in rows:
        with tarfile.open(released / "shards" / row["shard"]) as tar:
            png = tar.extractfile(row["image"]).read()
        assert hashlib.sha256(png).hexdigest() == row["sha256"]
        with Image.open(io.BytesIO(png)) as image:
            assert (image.mode, *image.size) == ("L", int(row["width"]), int(row["height"]))
        assert 0 < float(row["distance"]) < 2
    assert not (released / ".work").exists()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum")
def test_the_checksums_are_those_that_sha256sum_finds(released):
    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=released, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert set(files(released)) == {
        *map(type(released), ("SHA256SUMS",)),
        *(type(released)(line.split("  ")[1]) for line in (released / "SHA256SUMS").read_text().splitlines()),
    }


def test_card_and_datasheet_say_what_it_is_and_leave_open_what_software_cannot_know(released):
    card, sheet = ((released / name).read_text(encoding="utf-8") for name in ("README.md", "DATASHEET.md"))
    for text in (
        *("Not for diagnosis", "7 synthetic radiographs of 32 x 16 px", "publicdomain/zero", "Released by: The tests"),
        *("7 images were made. None had to be left out.", "17 distinct training images", "threshold of 0"),
    ):
        assert text in card, text
    for section in ("Motivation", "Composition", "Collection process", "Preprocessing", "Uses", "Distribution"):
        assert f"## {section}\n" in sheet
    assert sheet.count("To be completed by the publisher") >= 5
    assert "ADLD" not in card + sheet


@pytest.mark.filterwarnings("ignore")  # of rdflib and its like
def test_croissant_reads_it_without_a_complaint_and_joins_images_with_their_rows(released):
    croissant = pytest.importorskip("mlcroissant")
    data = croissant.Dataset(jsonld=str(released / "croissant.json"))
    assert not data.metadata.ctx.issues.errors
    assert not data.metadata.ctx.issues.warnings
    rows = {row["image"]: row for row in table(released / "images.csv")}
    records = list(data.records("images"))
    assert len(records) == 7
    for record in records:
        row = rows[record["images/image"].decode()]
        assert record["images/seed"].decode() == row["seed"]
        assert record["images/distance"] == pytest.approx(float(row["distance"]))
        with tarfile.open(released / "shards" / row["shard"]) as tar, tar.extractfile(row["image"]) as png:
            assert np.array_equal(np.asarray(record["images/picture"]), np.asarray(Image.open(png)))


def test_one_that_was_stopped_goes_on_to_the_same_bytes(network, small_corpus, released, tmp_path, monkeypatch):
    out = tmp_path / "stopped"
    add, taken = release.Journal.add, []

    def stop(self, row, png):
        if len(taken) == 5:
            raise KeyboardInterrupt
        taken.append(row)
        add(self, row, png)

    with monkeypatch.context() as patch:
        patch.setattr(release.Journal, "add", stop)
        assert main(arguments(network, small_corpus, out)) == 130
    assert [path.name for path in (out / "shards").iterdir()] == ["00000.tar"]
    with (out / ".work" / "journal.csv").open("a") as file:
        file.write("5,123,,0.")  # a row that was not written to its end
    assert main(arguments(network, small_corpus, out)) == 0
    assert files(out) == files(released)


def test_only_the_same_release_is_resumed_and_a_whole_one_is_left_alone(
    network, small_corpus, released, capsys, tmp_path
):
    assert main(arguments(network, small_corpus, released)) == 2
    assert "already contains a complete release" in capsys.readouterr().err
    shutil.copytree(released, tmp_path / "out")
    (tmp_path / "out" / "SHA256SUMS").unlink()
    assert main(arguments(network, small_corpus, tmp_path / "out", "--seed", "4")) == 2
    assert "seed: 0 then, 4 now" in capsys.readouterr().err


def test_an_image_that_changed_before_its_shard_was_packed_is_named(
    network, small_corpus, tmp_path, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        patch.setattr(release.Journal, "pack", interrupt)
        assert main(arguments(network, small_corpus, tmp_path)) == 130
    (tmp_path / ".work" / "00000" / "000001.png").write_bytes(b"another")
    assert main(arguments(network, small_corpus, tmp_path)) == 2
    assert "000001.png: is missing or changed" in capsys.readouterr().err


def interrupt(*_):
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def screen(small_corpus):
    return Screen(small_corpus, None, None, None)


def test_a_training_image_is_a_copy_also_turned_over_and_brighter(screen, small_corpus):
    original = Image.open(small_corpus / "hr" / f"{trained(small_corpus)}.png")
    changed = original.transpose(Image.Transpose.FLIP_LEFT_RIGHT).point(lambda level: min(255, level + 9))
    for judged in screen.judge([original, changed]):
        assert judged.reason == "copy"
        assert judged.correlation > 0.9
    assert screen.judge([original])[0].distance == pytest.approx(0, abs=1e-9)


def test_what_is_nearer_than_any_held_out_image_is_left_out_and_held_out_ones_are_not(screen, small_corpus):
    original = Image.open(small_corpus / "hr" / f"{trained(small_corpus)}.png")
    judged = screen.judge([original.transpose(Image.Transpose.FLIP_TOP_BOTTOM)])[0]  # its texture, no radiograph
    assert judged.distance < screen.threshold
    assert (judged.reason, judged.correlation) == ("near", None)
    held_out = [
        Image.open(small_corpus / "hr" / f"{row['image']}.png")
        for row in examples.read_manifest(small_corpus)
        if row["split"] != "train"
    ]
    assert [judged.reason for judged in screen.judge(held_out)] == [""] * len(held_out)


def trained(corpus):
    return next(row["image"] for row in examples.read_manifest(corpus) if row["split"] == "train")


def test_what_is_left_out_is_listed_and_others_take_its_place(network, small_corpus, released, tmp_path):
    distances = sorted(float(row["distance"]) for row in table(released / "images.csv"))
    middle = (distances[1] + distances[2]) / 2
    assert main(arguments(network, small_corpus, tmp_path / "out", "--threshold", middle)) == 0
    rows, excluded = table(tmp_path / "out" / "images.csv"), table(tmp_path / "out" / "excluded.csv")
    assert len(rows) == 7
    assert len(excluded) >= 2
    assert all(row["reason"] == "near" and float(row["distance"]) < middle for row in excluded)
    assert all(float(row["distance"]) >= middle for row in rows)
    assert f"{len(excluded)} were left out: {len(excluded)} near." in (tmp_path / "out" / "README.md").read_text()


def test_a_network_that_makes_nothing_but_copies_is_not_released(network, small_corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(release, "SPARE", 3)
    assert main(arguments(network, small_corpus, tmp_path, "--threshold", 2)) == 2
    assert "has memorised its training images" in capsys.readouterr().err
    assert not (tmp_path / "SHA256SUMS").exists()


def test_the_datasheet_warns_of_sharing_the_weights_where_copies_were_left_out(released):
    settings = json.loads((released / "release.json").read_text())
    facts = documents.Facts(settings, 8, 7, {"copy": 1}, (32, 16), (0.1, 0.2, 0.3), "5 held-out images", "2026-11-30")
    assert "share the weights only with people" in documents.datasheet(facts)
    assert "share the weights only with people" not in (released / "DATASHEET.md").read_text(encoding="utf-8")


def test_images_can_be_enlarged(network, small_corpus, tmp_path):
    more = ["--enlarge", network / "larger", "--count", 1]
    assert main(arguments(network, small_corpus, tmp_path, *more)) == 0
    assert table(tmp_path / "images.csv")[0]["width"] == "128"
    assert json.loads((tmp_path / "release.json").read_text())["enlarged_by"] == "larger"


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes there")
def test_a_full_disk_is_said_and_the_release_goes_on_when_there_is_room(network, small_corpus, released, tmp_path):
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000));"
    code += "from generation.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *arguments(network, small_corpus, tmp_path / "out")]
    done = subprocess.run(command, env=unmeasured(), capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "00000.tar cannot be written: File too large" in done.stderr
    assert main(arguments(network, small_corpus, tmp_path / "out")) == 0
    assert files(tmp_path / "out") == files(released)


def test_too_few_real_images_and_a_noise_without_seeds_are_refused(network, small_corpus, tmp_path, capsys):
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(small_corpus / "hr" / f"{trained(small_corpus)}.png", few)
    assert main(arguments(network, few, tmp_path / "out")) == 2
    assert "training: 1" in capsys.readouterr().err
    assert main(arguments(network, small_corpus, tmp_path / "out", "--noise", "authors")) == 2
    assert "each image has its own seed" in capsys.readouterr().err
