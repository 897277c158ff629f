import csv
import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from generation import corpus, drawing, phantom, radiographs
from generation.__main__ import main
from generation.errors import InputError
from tests.workers import unmeasured


@pytest.fixture(scope="module")
def originals() -> list[Image.Image]:
    return [Image.fromarray(phantom.draw(seed, "real")) for seed in range(4)]


@pytest.fixture
def source(tmp_path, originals):
    """Two of the public sets, that share a radiograph."""
    for place, image in zip(
        ("ADLD/a.png", "ADLD/b.jpg", "TUFTS/Radiographs/1.png", "TUFTS/Radiographs/2.tif"), originals, strict=True
    ):
        path = tmp_path / "source" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    originals[0].resize((700, 350)).save(tmp_path / "source/TUFTS/Radiographs/3.jpg", quality=70)
    (tmp_path / "source/TUFTS/Masks").mkdir()
    originals[0].save(tmp_path / "source/TUFTS/Masks/1.png")
    return tmp_path / "source"


def test_sets_are_found_duplicates_grouped_and_every_file_listed(source, tmp_path):
    out = tmp_path / "out"
    summary = corpus.prepare(source, out, seed=1)
    rows = corpus.read_manifest(out)
    assert [row["original"] for row in rows] == [
        "ADLD/a.png", "ADLD/b.jpg", "TUFTS/Radiographs/1.png", "TUFTS/Radiographs/2.tif", "TUFTS/Radiographs/3.jpg",
    ]  # fmt: skip
    assert [row["group"] for row in rows] == ["g00001", "g00002", "g00003", "g00004", "g00001"]
    assert rows[0]["split"] == rows[4]["split"]
    assert summary["distinct"] == 4
    assert summary["remarks"] == [
        "ADLD: 2 radiographs found, 500 published",
        "TUFTS: 3 radiographs found, 1000 published",
    ]
    for row in rows:
        for name, size in (("hr", (1024, 512)), ("lr", (256, 128))):
            data = (out / name / f"{row['image']}.png").read_bytes()
            assert hashlib.sha256(data).hexdigest() == row[f"{name}_sha256"]
            with Image.open(out / name / f"{row['image']}.png") as image:
                assert (image.size, image.mode) == (size, "L")


def test_work_that_was_interrupted_goes_on_where_it_was(source, tmp_path):
    out = tmp_path / "out"
    corpus.prepare(source, out, workers=1)  # one after the other, so that the last line is the last image
    before = {path: path.stat().st_mtime_ns for path in (out / "hr").iterdir()}
    (out / "hr/ADLD-00001.png").unlink()
    journal = out / "done.jsonl"
    journal.write_text("\n".join(journal.read_text().splitlines()[:-1]) + '\n{"image": "TUF')
    manifest = (out / "manifest.csv").read_bytes()
    told = []
    corpus.prepare(source, out, progress=lambda done, total: told.append((done, total)))
    redone = [path.name for path in (out / "hr").iterdir() if path.stat().st_mtime_ns != before.get(path)]
    assert told == [(4, 5), (5, 5)]
    assert "ADLD-00001.png" in redone
    assert len(redone) == 2
    assert (out / "manifest.csv").read_bytes() == manifest


def test_other_settings_do_not_mix_into_a_begun_corpus(source, tmp_path):
    corpus.prepare(source, tmp_path / "out")
    with pytest.raises(InputError, match="started with other settings"):
        corpus.prepare(source, tmp_path / "out", size=(512, 256))


def test_files_that_cannot_be_used_are_listed_and_the_rest_is_prepared(source, tmp_path, capsys):
    (source / "ADLD/broken.png").write_bytes(b"\x89PNG nothing")
    Image.fromarray(np.zeros((40, 300), np.uint8)).save(source / "ADLD/narrow.png")
    assert main(["corpus", "--source", str(source), "--out", str(tmp_path / "out"), "--margins", "0,200,0,0"]) == 1
    summary = json.loads((tmp_path / "out/corpus.json").read_text())
    assert summary["images"] == 5
    assert summary["unusable"] == ["ADLD/broken.png", "ADLD/narrow.png"]
    said = capsys.readouterr().err
    assert "broken.png: not readable as a radiograph" in said
    assert "narrow.png: margins" in said


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("header", "{spoilt", "row 2: header is '{spoilt', expected an object of texts as JSON"),
        ("header", '{"laterality": 1}', "row 2: header is '{\"laterality\": 1}', expected an object of texts as JSON"),
        ("notes", '"one"', "row 2: notes is '\"one\"', expected a list of texts as JSON"),
        ("lossy", "no", "row 2: lossy is 'no', expected true or false as JSON"),
        ("split", "later", "row 2: split is 'later', expected train, validation, test"),
        ("image", "", "row 2: image is empty"),
    ],
)
def test_a_spoilt_manifest_is_refused_by_row_and_column(source, tmp_path, column, value, fault):
    corpus.prepare(source, tmp_path / "out")
    path = tmp_path / "out" / "manifest.csv"
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[0][column] = value
    with path.open("w", newline="") as stream:
        table = csv.DictWriter(stream, rows[0].keys())
        table.writeheader()
        table.writerows(rows)
    with pytest.raises(InputError) as caught:
        drawing.candidates([tmp_path / "out"], "real")
    assert caught.value.what == f"{path}: the manifest cannot be used, 1 problem(s):"
    assert caught.value.faults == [fault]
    path.write_bytes(b"\xff" + path.read_bytes())
    with pytest.raises(InputError, match=r"manifest\.csv: cannot be read; expected a folder"):
        corpus.read_manifest(tmp_path / "out")


def test_a_folder_without_radiographs_and_a_missing_one_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        corpus.prepare(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="contains no radiographs"):
        corpus.prepare(tmp_path / "empty", tmp_path / "out")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/x.png").write_bytes(b"x")
    with pytest.raises(InputError, match="no radiograph could be used"):
        corpus.prepare(tmp_path / "bad", tmp_path / "out")


@given(st.lists(st.integers(0, 30), min_size=1, max_size=80), st.integers(0, 5))
def test_no_group_is_ever_split_and_the_shares_come_near(labels, seed):
    groups = np.unique(labels, return_inverse=True)[1]
    splits = corpus.split(groups, (8, 1, 1), seed)
    for group in np.unique(groups):
        assert len(set(splits[groups == group])) == 1
    assert abs((splits == "train").sum() - 0.8 * len(groups)) <= np.bincount(groups).max()


def test_a_full_disk_stops_it_in_words_and_it_goes_on_when_there_is_room(source, tmp_path):
    script = (
        "import resource, sys; from generation.__main__ import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, -1)); sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["corpus", "--source", str(source), "--out", str(tmp_path / "out"), "--workers", "1"]
    done = subprocess.run([sys.executable, "-c", script, *arguments], env=unmeasured(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        2,
        f"Error: {tmp_path}/out/hr/ADLD-00001.png cannot be written: File too large\n",
    )
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["done.jsonl"]
    assert main(arguments) == 0


def test_files_with_burnt_in_text_are_listed_unless_it_is_cut_away(source, tmp_path, originals, capsys):
    blank = [np.asarray(image).copy() for image in originals]
    for number, pixels in enumerate(blank):
        pixels[480:, :100] = 0  # without the label of the phantoms
        image = Image.fromarray(pixels)
        if number == 1:
            ImageDraw.Draw(image).text((400, 8), "DOE, JANE", fill=255, font=ImageFont.load_default(size=24))
        image.save(tmp_path / f"{number}.png")
    folder = tmp_path / "lettered"
    folder.mkdir()
    for number in range(4):
        (tmp_path / f"{number}.png").rename(folder / f"{number}.png")
    assert main(["corpus", "--source", str(folder), "--out", str(tmp_path / "out")]) == 0
    assert json.loads((tmp_path / "out/corpus.json").read_text())["text"] == ["1.png"]
    assert "note: these images (1) seem to contain burnt-in text" in capsys.readouterr().out
    assert corpus.prepare(folder, tmp_path / "out")["text"] == ["1.png"]  # remembered, where nothing is left to do
    assert corpus.prepare(folder, tmp_path / "cut", radiographs.Margins(top=50))["text"] == []


def test_a_corpus_begun_before_text_was_looked_for_is_looked_through(source, tmp_path):
    corpus.prepare(source, tmp_path / "out")
    journal = tmp_path / "out/done.jsonl"
    first, *lines = journal.read_text().splitlines()
    old = [{key: value for key, value in json.loads(line).items() if key != "text"} for line in lines]
    journal.write_text("\n".join([first, *map(json.dumps, old)]) + "\n")
    assert corpus.prepare(source, tmp_path / "out")["text"] == corpus.prepare(source, tmp_path / "new")["text"] != []
