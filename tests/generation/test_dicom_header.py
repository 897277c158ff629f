"""What a DICOM header says of its picture: the shutter is applied, the rest is counted, and the audit compares it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generation import corpus, drawing, mixing, pool, radiographs
from generation.__main__ import main
from generation.audit import audit, headers
from generation.radiographs import windows
from tests.generation.test_dicom import COLUMNS, GREY, ROWS, dataset, saved, seen

RECTANGLE = {
    "ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 11, "ShutterRightVerticalEdge": 150,
    "ShutterUpperHorizontalEdge": 6, "ShutterLowerHorizontalEdge": 80,
}  # fmt: skip
CIRCLE = {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [48, 97], "RadiusOfCircularShutter": 40}
POLYGON = {  # a square on its corner; rows and columns from 1
    "ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [3, 96, 48, 141, 93, 96, 48, 51],
}  # fmt: skip
WINDOW = {"WindowCenter": 1050, "WindowWidth": 900}
APPLIED = "has a display shutter, which is applied"

row, column = np.mgrid[1 : ROWS + 1, 1 : COLUMNS + 1]
IN_RECTANGLE = (row >= 6) & (row <= 80) & (column >= 11) & (column <= 150)
IN_CIRCLE = (row - 48) ** 2 + (column - 97) ** 2 <= 40**2
IN_POLYGON = abs(row - 48) + abs(column - 96) <= 45


@pytest.mark.parametrize(
    ("fields", "opening"),
    [
        (RECTANGLE, IN_RECTANGLE),
        (CIRCLE, IN_CIRCLE),
        (POLYGON, IN_POLYGON),
        (RECTANGLE | CIRCLE | {"ShutterShape": ["RECTANGULAR", "CIRCULAR"]}, IN_RECTANGLE & IN_CIRCLE),
    ],
)
@pytest.mark.parametrize("value", [None, 0x8000])
def test_a_shutter_hides_what_lies_outside_of_all_its_shapes(tmp_path, fields, opening, value):
    open_ = seen(saved(tmp_path / "open.dcm", dataset(**WINDOW)))
    fields = fields | WINDOW | ({"ShutterPresentationValue": value} if value else {})
    found = radiographs.look(saved(tmp_path / "a.dcm", dataset(**fields)))
    assert 0.1 < opening.mean() < 0.9
    assert np.array_equal(np.asarray(found.image), np.where(opening, open_, (value or 0) >> 8))
    assert found.notes == (APPLIED,)


@pytest.mark.parametrize(
    ("corners", "drawn"),
    [
        (
            [(1, 4), (1, 8), (4, 11), (7, 8), (7, 4), (4, 1)],
            """
            ...#####....
            ..#######...
            .#########..
            ###########.
            .#########..
            ..#######...
            ...#####....
            ............
            """,
        ),
        (
            [(2, 1), (2, 3), (5, 3), (5, 10), (3, 10), (3, 12), (7, 12), (7, 1)],
            """
            ............
            ###.........
            ###......###
            ###......###
            ############
            ############
            ############
            ............
            """,
        ),
    ],
)
def test_a_polygon_shows_its_corners_its_sides_and_what_they_enclose(tmp_path, corners, drawn):
    fields = {
        "ShutterShape": "POLYGONAL",
        "VerticesOfThePolygonalShutter": [side for corner in corners for side in corner],
        "WindowCenter": 0,
        "WindowWidth": 2,  # all that is seen is white
    }
    shown = seen(saved(tmp_path / "a.dcm", dataset(GREY[:8, :12].copy(), **fields)))
    assert ["".join(".#"[value // 255] for value in line) for line in shown] == drawn.split()


def test_the_colour_of_a_shutter_is_what_is_seen_also_in_a_negative(tmp_path):
    for fields in ({"PhotometricInterpretation": "MONOCHROME1"}, {"PresentationLUTShape": "INVERSE"}):
        shown = seen(saved(tmp_path / "a.dcm", dataset(**RECTANGLE, **WINDOW, **fields)))
        assert (shown[~IN_RECTANGLE] == 0).all()
        assert shown[IN_RECTANGLE].mean() > 100


def test_what_a_shutter_hides_does_not_count_in_the_stretch(tmp_path):
    glaring = np.where(IN_RECTANGLE, GREY, np.uint16(4095))
    shown = seen(saved(tmp_path / "a.dcm", dataset(glaring, **RECTANGLE)))
    assert np.array_equal(shown[5:80, 10:150], windows.stretched(GREY[5:80, 10:150]))
    unreal = np.where(IN_RECTANGLE, GREY * 1.0, 1e9).astype(np.float32)
    data = dataset(GREY, **RECTANGLE)
    del data.PixelData
    data.FloatPixelData, data.BitsAllocated = unreal.tobytes(), 32
    shown = seen(saved(tmp_path / "f.dcm", data))
    assert np.array_equal(shown[5:80, 10:150], windows.stretched(GREY[5:80, 10:150].astype(np.float32)))


def test_a_shutter_lies_where_the_file_says_before_the_picture_is_turned(tmp_path):
    shown = seen(saved(tmp_path / "a.dcm", dataset(**RECTANGLE, **WINDOW, PatientOrientation=["R", "F"])))
    assert ((shown == 0) == ~IN_RECTANGLE[:, ::-1]).mean() > 0.99


def test_a_circle_is_round_on_the_patient_where_pixels_are_not_square(tmp_path):
    shown = seen(saved(tmp_path / "a.dcm", dataset(**CIRCLE, WindowCenter=0, WindowWidth=2, PixelAspectRatio=[2, 1])))
    inside = np.argwhere(shown > 127)
    high, wide = np.ptp(inside, axis=0) + 1
    assert shown.shape == (2 * ROWS, COLUMNS)
    assert abs(high - wide) <= 4


def test_colour_is_hidden_by_a_shutter_too(tmp_path):
    eight = np.rint(GREY / 16).astype(np.uint8)
    rgb = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    shown = seen(saved(tmp_path / "c.dcm", dataset(np.dstack([eight] * 3), **rgb, **RECTANGLE)))
    assert np.array_equal(shown, np.where(IN_RECTANGLE, eight, 0))


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"ShutterShape": "RECTANGULAR"}, "has a display shutter without ShutterLeftVerticalEdge"),
        (POLYGON | {"VerticesOfThePolygonalShutter": [1, 1, 5, 5]}, "without VerticesOfThePolygonalShutter"),
        (CIRCLE | {"CenterOfCircularShutter": [-900, -900]}, "has a display shutter that hides the whole image"),
        ({"ShutterShape": "BITMAP"}, "has a display shutter of unknown shape"),
    ],
)
def test_a_shutter_that_cannot_be_applied_is_told_and_the_picture_stays(tmp_path, fields, note):
    open_ = seen(saved(tmp_path / "open.dcm", dataset()))
    found = radiographs.look(saved(tmp_path / "a.dcm", dataset(**fields)))
    assert np.array_equal(np.asarray(found.image), open_)
    assert note in found.notes[0]
    assert found.notes[0].endswith("; it is not applied")


MOVED = "was rotated or flipped at the detector, and does not give the patient's orientation"
SAID = {
    "ImageLaterality": "L", "Laterality": "R", "PatientOrientation": ["L", "F"], "ViewPosition": "PA",
    "FieldOfViewShape": "ROUND", "FieldOfViewOrigin": [12.5, 0], "FieldOfViewRotation": 90,
    "FieldOfViewHorizontalFlip": "YES",
}  # fmt: skip


def test_how_a_picture_lies_and_was_taken_is_told_and_changes_no_pixel(tmp_path):
    found = radiographs.look(saved(tmp_path / "a.dcm", dataset(**SAID)))
    assert found.header == {
        "laterality": "L", "orientation": "L\\F", "view": "PA", "field of view: shape": "ROUND",
        "field of view: rotation": "90", "field of view: flipped": "YES",
    }  # fmt: skip
    # The standard has them say what was done to the pixels already.
    assert np.array_equal(np.asarray(found.image), seen(saved(tmp_path / "b.dcm", dataset())))
    assert found.notes == ()
    moved = {name: value for name, value in SAID.items() if name != "PatientOrientation"}
    for fields in (moved, moved | {"FieldOfViewRotation": 0}, moved | {"FieldOfViewHorizontalFlip": "NO"}):
        found = radiographs.look(saved(tmp_path / "c.dcm", dataset(**fields)))
        assert found.notes == (MOVED,)
    still = {"FieldOfViewRotation": 0, "FieldOfViewHorizontalFlip": "NO"}
    assert radiographs.look(saved(tmp_path / "e.dcm", dataset(**moved | still))).notes == ()
    assert radiographs.look(saved(tmp_path / "d.dcm", dataset())).header == {}


def test_what_is_no_term_of_the_standard_is_not_taken_over(tmp_path):
    named = dict.fromkeys(("ImageLaterality", "ViewPosition", "FieldOfViewShape", "ShutterShape"), "DOE JANE")
    named |= {"PatientOrientation": ["DOE", "JANE"], "FieldOfViewHorizontalFlip": "DOE"}
    named |= {"FieldOfViewRotation": 19771231, "FieldOfViewOrigin": [19771231, 0]}  # a date, where a number may be
    found = radiographs.look(saved(tmp_path / "a.dcm", dataset(**named)))
    assert set(found.header.values()) == {"other"}
    assert len(found.header) == 7
    assert "JANE" not in json.dumps([found.header, found.notes])


@pytest.mark.parametrize("orientation", [["RIGHT", "HEAD"], ["RL", "H"], "R"])
def test_an_orientation_in_no_terms_of_the_standard_turns_nothing_and_is_told(tmp_path, orientation):
    fields = {"PatientOrientation": orientation, "FieldOfViewRotation": 180}
    found = radiographs.look(saved(tmp_path / "a.dcm", dataset(**fields)))
    assert np.array_equal(np.asarray(found.image), seen(saved(tmp_path / "b.dcm", dataset())))
    assert found.header["orientation"] == "other"
    assert found.notes == ("gives the patient's orientation in non-DICOM terms, and is not rotated",)


def folder_of(path: Path, count: int, first: int, **fields: object) -> Path:
    """Different pictures that say the same."""
    path.mkdir(parents=True)
    for number in range(first, first + count):
        grains = np.random.Generator(np.random.PCG64(number)).integers(0, 4096, (12, 24)).astype(np.float32)
        picture = np.asarray(Image.fromarray(grains).resize((COLUMNS, ROWS), Image.Resampling.BICUBIC))
        saved(path / f"{number}.dcm", dataset(np.clip(picture, 0, 4095).astype(np.uint16), **fields))
    return path


def made(tmp_path: Path, real: dict, synthetic: dict, count: int = 12) -> Path:
    folders = folder_of(tmp_path / "real", count, 0, **real), folder_of(tmp_path / "fake", count, 100, **synthetic)
    options = ["--count", str(count), str(count), "--size", "192", "96", "--out", str(tmp_path / "pool")]
    assert main(["pool", "--real", str(folders[0]), "--synthetic", str(folders[1]), *options]) == 0
    return tmp_path / "pool"


def test_classes_whose_headers_differ_in_side_or_orientation_are_remarked_on(tmp_path, capsys):
    left = {"ImageLaterality": "L", "PatientOrientation": ["L", "F"], "ViewPosition": "PA", "PatientName": "Doe^Jane"}
    folder = made(tmp_path, left, left | {"ImageLaterality": "R", "PatientOrientation": ["R", "F"]})
    how = json.loads((folder / "pool.json").read_text())["how"]
    assert how["real"]["header"] == {"laterality": {"L": 12}, "orientation": {"L\\F": 12}, "view": {"PA": 12}}
    assert how["synthetic"]["header"]["orientation"] == {"R\\F": 12}
    assert all(b"Doe" not in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    found = audit(folder, permutations=99)
    assert [remark.split(":")[0] for remark in found.remarks] == [
        "laterality differs between the classes by the files' headers",
    ]
    assert "real L 12; synthetic R 12" in found.remarks[0]
    main(["audit", str(folder), "--out", str(tmp_path / "out"), "--permutations", "99"])
    assert "NOTE laterality differs" in capsys.readouterr().out
    assert "real L 12; synthetic R 12" in (tmp_path / "out/audit.html").read_text()


def counted(**header: dict[str, int]) -> dict:
    return {"sources": {"a": 100}, "header": header}


@pytest.mark.parametrize(
    ("real", "synthetic", "names"),
    [
        (counted(laterality={"L": 50, "R": 50}), counted(laterality={"L": 42, "R": 58}), []),  # by chance
        (counted(laterality={"L": 50, "R": 50}), counted(laterality={"L": 20, "R": 80}), ["laterality"]),
        (counted(laterality={"L": 100}), counted(), []),  # nothing said on one side: nothing to compare
        (counted(view={"PA": 100}), counted(view={"PA": 90}), []),
        (counted(orientation={"A\\F": 100}), counted(orientation={"P\\F": 5}), ["orientation"]),
        (counted(orientation={"R\\F": 90, "L\\F": 10}), counted(orientation={"L\\F": 50, "L\\H": 50}), []),  # turned
        (counted(orientation={"RF\\H": 100}), counted(orientation={"LH\\F": 100}), []),
        (counted(orientation={"L\\F": 100}), counted(orientation={"other": 100}), ["orientation"]),
        (counted(shutter={"CIRCULAR": 100}), counted(), ["shutter"]),
        ("a sentence", counted(laterality={"L": 1}), []),
        (counted(laterality={"L": "many"}), counted(laterality=[1]), []),
    ],
)
def test_only_a_clear_difference_is_remarked_on(real, synthetic, names):
    assert list(headers.differing({"real": real, "synthetic": synthetic})) == names
    assert headers.remarks(None) == []


def test_a_corpus_counts_what_its_files_say_and_a_pool_of_it_knows(tmp_path):
    marked = {"Laterality": "L", "BurnedInAnnotation": "YES", "LossyImageCompression": "01", **RECTANGLE}
    folder_of(tmp_path / "source", 5, 0, **marked)
    folder_of(tmp_path / "source" / "more", 1, 50)
    summary = corpus.prepare(tmp_path / "source", tmp_path / "corpus", size=(192, 96), parts=(0, 0, 1))
    assert summary["header"] == {"laterality": {"L": 5}, "shutter": {"RECTANGULAR": 5}}
    burnt = "states that text is burnt into the image: a name may be readable"
    assert (summary["lossy"], summary["notes"]) == (5, {burnt: 5, APPLIED: 5})
    assert json.loads((tmp_path / "corpus" / "corpus.json").read_text())["notes"] == summary["notes"]
    found = drawing.candidates([tmp_path / "corpus"], "real")
    drawn = drawing.single(found, folder_candidates(tmp_path), (6, 2), 0, np.random.default_rng(0))
    how = mixing.build(tmp_path / "pool", drawn, name="p", seed=0, size=(192, 96)).manifest["how"]
    assert (how["real"]["lossy"], how["real"]["notes"][burnt]) == (5, 5)
    assert how["real"]["header"] == summary["header"]
    assert how["synthetic"]["header"] == {}
    with (tmp_path / "corpus" / "manifest.csv").open() as file:  # as an earlier version wrote it
        rows = [{name: row[name] for name in corpus.COLUMNS} for row in csv.DictReader(file)]
    with (tmp_path / "corpus" / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, corpus.COLUMNS)
        table.writeheader()
        table.writerows(rows)
    assert {(one.lossy, one.notes, one.header) for one in drawing.candidates([tmp_path / "corpus"], "real")} == {
        (None, None, None)
    }


def folder_candidates(tmp_path: Path) -> list[drawing.Candidate]:
    return drawing.candidates([folder_of(tmp_path / "fake", 2, 100)], "synthetic")


def test_a_corpus_begun_by_an_earlier_version_goes_on(tmp_path):
    folder_of(tmp_path / "source", 3, 0, Laterality="L")
    corpus.prepare(tmp_path / "source", tmp_path / "corpus", size=(192, 96))
    journal = tmp_path / "corpus" / "done.jsonl"
    first, *lines = journal.read_text().splitlines()
    told = {"lossy", "notes", "header"}
    old = [{name: entry for name, entry in json.loads(line).items() if name not in told} for line in lines]
    journal.write_text("\n".join([first, *map(json.dumps, old)]) + "\n")
    summary = corpus.prepare(tmp_path / "source", tmp_path / "corpus", size=(192, 96))
    assert (summary["images"], summary["header"]) == (3, {"laterality": {"L": 3}})


def test_a_pool_made_of_a_pool_does_not_say_what_nobody_knows(tmp_path):
    folder = made(tmp_path, {"ImageLaterality": "L", **RECTANGLE}, {"ImageLaterality": "L"}, count=6)
    fresh = folder_of(tmp_path / "more", 6, 200, LossyImageCompression="01", ViewPosition="PA")
    options = ["--count", "10", "5", "--size", "192", "96", "--out", str(tmp_path / "second")]
    assert main(["pool", "--real", str(folder), str(fresh), "--synthetic", str(folder), *options]) == 0
    how = pool.read(tmp_path / "second").manifest["how"]
    told = {truth: [how[truth][name] for name in ("lossy", "notes", "header")] for truth in pool.TRUTHS}
    assert told == {"real": [None, {}, None], "synthetic": [None, None, None]}
    first = pool.read(folder).manifest["how"]
    assert headers.remarks(first) != []
    assert headers.remarks(first | {"synthetic": how["synthetic"]}) == []  # unknown is not "no shutter"
    assert not [remark for remark in audit(tmp_path / "second", permutations=9).remarks if "loss" in remark]
