"""An upload is surveyed by folder: the user is asked about unclear folder names and unreadable files."""

import hashlib
import io
import json
import re
import time as clock_of_the_machine
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from generation.errors import InputError
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Pool
from quiz_app.pools import archives, survey, thumbnails
from tests.quiz_app.pools.test_intake import brought
from tests.uploads import MIXED, dicom, encoded, lettered, zipped

EIGHT = {
    f"{folder}/im{n}.png": encoded(10 * (folder != "real") + n, "PNG")
    for folder in ("real", "synthetic")
    for n in range(4)
}
BAD = b"\x89PNG\r\n\x1a\n" + bytes(52)


def renamed(real: str, synthetic: str, name: str = "im{}.png") -> dict[str, bytes]:
    return {
        f"{synthetic if file.startswith('s') else real}/{name.format(file[-5])}": data for file, data in EIGHT.items()
    }


def answered(client, page, **form):
    """Answer the page that asks, wait, and give the page that follows."""
    address = re.search(r'src="([^"]*)/seen/', page)[1]
    response = client.post(address, data=form)
    assert response.status_code == 303, response.text
    db.session.rollback()
    while client.get(f"{address}.json").get_json()["state"] == "making":
        clock_of_the_machine.sleep(0.3)
    return client.get(address).text


def pool_named(name="mixed"):
    db.session.expire_all()
    return db.session.query(Pool).filter_by(slug=name).one()


def test_one_bad_file_is_listed_and_left_out_only_when_that_is_chosen_and_it_is_on_record(owner):
    page = brought(owner, EIGHT | {"real/broken.png": BAD})
    assert "Files that cannot be read" in page
    assert "real/broken.png: not readable as a radiograph" in page
    assert db.session.query(Pool).count() == 1
    address = re.search(r'src="([^"]*)/seen/', page)[1]
    refused = owner.post(address, data={"class-0": "real", "class-1": "synthetic"})
    assert refused.status_code == 422
    assert "choose to leave these files out, or stop" in refused.text
    page = answered(owner, page, **{"class-0": "real", "class-1": "synthetic", "faults": "leave-out"})
    assert "The pool is ready" in page
    assert "skipped, not readable: real/broken.png" in page
    [left] = pool_named().manifest["left_out"]
    assert left["truth"] == "real"
    assert len(left["sha256"]) == 64
    assert "broken" not in json.dumps(left)  # a name may be a patient's
    assert owner.post(address, data={}).status_code == 409


def test_what_a_decoder_says_of_a_file_is_shown_and_not_kept_with_the_pool(owner):
    data, buffer = pydicom.dcmread(io.BytesIO(dicom(5))), io.BytesIO()
    data.NumberOfFrames = "12345678"
    data.save_as(buffer)
    page = brought(owner, EIGHT | {"real/e.dcm": buffer.getvalue().replace(b"12345678", b"DOE JANE")})
    assert re.search("real/e.dcm: not readable as a radiograph .*DOE JANE", page)
    answered(owner, page, **{"class-0": "real", "class-1": "synthetic", "faults": "leave-out"})
    [left] = pool_named().manifest["left_out"]
    assert left["why"] == "it cannot be read as a radiograph"
    assert "JANE" not in json.dumps(pool_named().manifest)


def test_to_stop_imports_nothing_names_every_file_and_removes_the_upload(app, owner):
    page = brought(owner, EIGHT | {"real/e.dcm": dicom(5, pixels=False), "real/f.png": b"no image"})
    address = re.search(r'src="([^"]*)/seen/', page)[1]
    assert owner.post(address, data={"stop": "yes"}).status_code == 303
    page = owner.get(address).text
    assert "Nothing was imported" in page
    assert "e.dcm" in page
    assert "f.png" in page
    assert db.session.query(Pool).count() == 1
    assert not list((app.config["SETTINGS"].instance / "intake").glob("*/unpacked"))


def test_what_makes_a_pool_impossible_is_told_where_it_was_asked_and_nothing_is_lost(app, owner):
    alike = {f"StyleGAN2/again{n}.png": encoded(10, "PNG") for n in range(3)}
    page = brought(owner, renamed("Clinic A", "StyleGAN2") | alike, each="6", practice="0")
    folders = re.findall(r"<legend>(.*?)</legend>", page)
    roles = {f"class-{n}": "real" if name == "Clinic A" else "synthetic" for n, name in enumerate(folders)}
    page = answered(owner, page, **roles)
    assert "<li>6 real images are needed, but only 4 are available" in page
    assert "Images found" in page
    address = re.search(r'src="([^"]*)/seen/', page)[1]
    for folder, first in (("Clinic A", 30), ("StyleGAN2", 40)):
        more = {f"{folder}/{n}.png": encoded(n, "PNG") for n in range(first, first + 3)}
        owner.post(f"{address}/more", data={"file": (io.BytesIO(zipped(more)), "x.zip")})
        while owner.get(f"{address}.json").get_json()["state"] == "making":
            clock_of_the_machine.sleep(0.2)
    images, page = app.config["SETTINGS"].images, owner.get(address).text
    images.rename(images.with_name("aside"))
    images.write_text("no folder")  # a store that takes nothing
    names = re.findall(r"<legend>(.*?)</legend>", page)
    roles = {f"class-{n}": "real" if name[0] == "C" else "synthetic" for n, name in enumerate(names)}
    page = answered(owner, page, **roles)
    assert "Images found" in page
    assert 'role="alert"' in page
    images.unlink()
    images.with_name("aside").rename(images)
    assert "The pool is ready" in answered(owner, page, **roles)
    [folder] = {path.parent for path in (app.config["SETTINGS"].instance / "intake").rglob("notes.json")}
    assert {path.name for path in folder.iterdir()} == {"notes.json", "specimens", "status.json"}


def test_folders_whose_names_do_not_say_their_class_are_asked_about_with_pictures(owner):
    page = brought(owner, renamed("Clinic A", "StyleGAN2") | {"Diffusion/a.png": encoded(77, "PNG")})
    assert page.count("<fieldset") == 3
    pictures = re.findall(r'src="([^"]*/seen/[^"]*)"', page)
    assert len(pictures) == 9
    with owner.get(pictures[0]) as response:
        assert Image.open(io.BytesIO(response.data)).size == (128, 64)
    folders = re.findall(r"<legend>(.*?)</legend>", page)
    checked = re.findall(r'name="(class-\d)" value="(\w+)" checked', page)
    guessed = {f"class-{folders.index(name)}": "synthetic" for name in ("Diffusion", "StyleGAN2")}
    assert dict(checked) == guessed  # by words, to be confirmed
    address = re.search(r'src="([^"]*)/seen/', page)[1]
    assert "has no class; choose one" in owner.post(address, data={}).text
    both = {f"class-{number}": "real" for number in range(3)}
    assert "no folder is synthetic" in owner.post(address, data=both).text
    choices = {f"class-{folders.index(name)}": truth for name, truth in
               (("Clinic A", "real"), ("StyleGAN2", "synthetic"), ("Diffusion", "synthetic"))}  # fmt: skip
    page = answered(owner, page, **choices)
    assert "The pool is ready" in page
    assert {case.source for case in pool_named().cases} == {"Clinic A", "StyleGAN2", "Diffusion"}
    assert owner.get(pictures[0]).status_code == 404


def test_a_folder_can_be_left_out(owner):
    page = brought(owner, EIGHT | {"notes/a.png": encoded(78, "PNG")})
    folders = re.findall(r"<legend>(.*?)</legend>", page)
    truths = {"real": "real", "synthetic": "synthetic", "notes": "none"}
    answered(owner, page, **{f"class-{n}": truths[name] for n, name in enumerate(folders)})
    assert len(pool_named().cases) == 8


def test_a_file_of_several_images_is_asked_about_and_its_frames_taken(owner):
    pages = io.BytesIO()
    first, *more = [Image.open(io.BytesIO(encoded(90 + n, "PNG"))) for n in range(3)]
    first.save(pages, "TIFF", save_all=True, append_images=more)
    page = brought(owner, EIGHT | {"real/cine.tif": pages.getvalue()})
    assert "real/cine.tif: 3 images" in page
    page = answered(
        owner,
        page,
        **{"class-0": "real", "class-1": "synthetic", "frames": "all"},
    )
    assert "The pool is ready" in page
    assert "3 cases of each class" in page


def test_a_file_that_says_a_name_may_be_burnt_in_is_shown_before_anything_is_made(owner):
    data = pydicom.dcmread(io.BytesIO(dicom(3)))
    data.BurnedInAnnotation = "YES"
    buffer = io.BytesIO()
    data.save_as(buffer)
    page = brought(owner, EIGHT | {"real/x.dcm": buffer.getvalue()})
    assert "states that text is burnt into the image" in page
    assert db.session.query(Pool).count() == 1


def test_what_headers_say_of_the_pictures_is_counted_by_class_and_no_more(owner):
    def sided(seed: int, side: str) -> bytes:
        data, buffer = pydicom.dcmread(io.BytesIO(dicom(seed))), io.BytesIO()
        data.ImageLaterality, data.ViewPosition = side, "DOE JANE"
        data.ShutterShape, data.CenterOfCircularShutter, data.RadiusOfCircularShutter = "CIRCULAR", [64, 128], 60
        data.save_as(buffer)
        return buffer.getvalue()

    members = {
        f"{truth}/{n}.dcm": sided(n, truth[0]) for truth, seeds in (("L", range(4)), ("R", range(4, 8))) for n in seeds
    }
    page = brought(
        owner, {file.replace("L/", "real/").replace("R/", "synthetic/"): data for file, data in members.items()}
    )
    assert "4 of 4 real images: has a display shutter, which is applied" in page
    how = pool_named().manifest["how"]
    header = {"laterality": {"L": 4}, "shutter": {"CIRCULAR": 4}, "view": {"other": 4}}
    assert how["real"]["header"] == header
    assert how["synthetic"]["header"] == header | {"laterality": {"R": 4}}
    assert "JANE" not in json.dumps(pool_named().manifest)


LETTERED = EIGHT | {
    "real/im8.png": lettered(70),
    "real/im9.png": lettered(71, "12.03.1968"),
    **{f"synthetic/im{n}.png": encoded(64 + n, "PNG") for n in (8, 9)},
}


def test_files_with_burnt_in_text_are_shown_with_the_place_framed_before_anything_is_made(owner):
    page = brought(owner, LETTERED)
    assert "<legend>Burnt-in text</legend>" in page
    assert re.findall(r"<figcaption>(.*?)</figcaption>", page) == ["real/im8.png", "real/im9.png"]
    assert db.session.query(Pool).count() == 1
    pictures = re.findall(r'src="([^"]*/seen/text-[^"]*)"', page)
    assert len(pictures) == 2
    with owner.get(pictures[0]) as response:
        picture = np.asarray(Image.open(io.BytesIO(response.data)))
    plain = np.asarray(Image.open(io.BytesIO(lettered(70))).resize((128, 64), Image.Resampling.LANCZOS))
    down, across = np.nonzero((picture[:64] == thumbnails.FRAME).all(axis=2))
    assert 0 <= down.min() < 27 < 34 < down.max() < 45  # text is from row 27 to 34, from column 16 to 60
    assert across.min() < 16 < 60 < across.max() < 75
    assert np.array_equal(picture[48:64, :, 0], plain[48:])
    assert picture.shape[0] > 64 + 20  # and the place, larger, below
    address = re.search(r'src="([^"]*)/seen/', page)[1]
    both = {"class-0": "real", "class-1": "synthetic"}
    refused = owner.post(address, data=both)
    assert refused.status_code == 422
    assert "check these images, then choose to keep them or leave them out" in refused.text
    assert owner.post(address, data=both | {"text": "yes"}).status_code == 422
    page = answered(owner, page, **both, text="keep")
    assert "text seems to be burnt into the picture, kept: 2 of 6 real images" in page
    how = pool_named().manifest["how"]
    assert (how["real"]["text"]["count"], how["synthetic"]["text"]["count"]) == (2, 0)
    assert "im8" not in json.dumps(pool_named().manifest)
    assert owner.get(pictures[0]).status_code == 404


def test_files_with_burnt_in_text_can_be_left_out_and_that_is_on_record(owner):
    page = answered(owner, brought(owner, LETTERED), **{"class-0": "real", "class-1": "synthetic"}, text="leave-out")
    assert "text seems to be burnt into the picture, left out: 2 of 6 real images" in page
    manifest = pool_named().manifest
    assert manifest["how"]["real"]["text"] == {"count": 0, "cases": []}
    assert [(one["truth"], one["why"]) for one in manifest["left_out"]] == [
        ("real", "text seems to be burnt into it")
    ] * 2
    assert manifest["flow"]["left_out"]["text"] == {"real": 2}
    sums = {hashlib.sha256(LETTERED[f"real/im{n}.png"]).hexdigest() for n in (8, 9)}
    assert {one["sha256"] for one in manifest["left_out"]} == sums


def test_an_upload_surveyed_by_an_earlier_version_goes_on_and_its_text_is_found_when_the_pool_is_made(app, owner):
    page = brought(owner, LETTERED, width="256", height="128")
    [kept] = (app.config["SETTINGS"].instance / "intake").glob(f"*/{survey.FILE}")
    found = json.loads(kept.read_text())
    for image in found["images"]:
        del image["text"]
    kept.write_text(json.dumps(found))
    address = re.search(r'src="([^"]*)/seen/', page)[1]
    assert "Burnt-in text" not in owner.get(address).text
    assert "The pool is ready" in answered(owner, page, **{"class-0": "real", "class-1": "synthetic"})
    assert pool_named().manifest["how"]["real"]["text"]["count"] == 2


def test_lossy_files_of_one_class_are_told(owner):
    members = {file.replace(".png", ".jpg") if file[0] == "r" else file: data for file, data in EIGHT.items()}
    members |= {f"real/im{n}.jpg": encoded(n, "JPEG") for n in range(4)}
    page = brought(owner, members)
    assert "compressed with loss before upload: 4 of 4 real images" in page


@pytest.mark.parametrize(
    ("files", "folders"),
    [
        (["real/1", "synthetic/1"], ["real", "synthetic"]),
        (["set/Real images/1", "set/fake/1"], ["Real images", "fake"]),
        (["x/real/p1/1", "x/fake/gan/1", "x/fake/ldm/a/b/1"], ["real/p1", "fake/gan", "fake/ldm"]),
        (["DICOM/PAT1/ST1/1", "DICOM/PAT2/ST2/1", "generated/1"], ["DICOM", "DICOM", "generated"]),
        (["A/1", "B/c/1"], ["A", "B"]),
        (["1", "2"], ["", ""]),
        ([f"real/p{n}/1" for n in range(13)] + ["fake/1"], ["real"] * 13 + ["fake"]),
    ],
)
def test_files_are_asked_about_by_the_folder_that_tells_the_class_or_the_generator(files, folders):
    assert survey._folders([Path(file) for file in files]) == folders


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("Real", ("real", True)), ("Real images", ("real", False)), ("fake", ("synthetic", False)),
        ("synthetic/gan", ("synthetic", True)), ("AI_generated", ("synthetic", False)), ("DCGANs", ("", False)),
        ("real/synthetic", ("", False)), ("real vs fake", ("", False)), ("Patienten", ("", False)),
        ("trainA", ("", False)), ("FakeImages", ("synthetic", False)), ("echte Bilder", ("real", False)),
    ],
)  # fmt: skip
def test_a_class_is_guessed_by_whole_words_and_never_where_two_are_said(name, guess):
    assert survey._guess(name) == guess


ZIPS = {
    "backslashes": {file.replace("/", "\\"): data for file, data in EIGHT.items()},
    "colons": renamed("real", "synthetic", "scan 12:3{}.png"),
    "emoji": renamed("real", "synthetic", "🦷 {}.png"),
}


def raw_zip(path: Path, names: dict[bytes, bytes], flag: int = 0) -> Path:
    """A zip whose names are these bytes, with or without the flag that says UTF-8."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, data in enumerate(names.values()):
            archive.writestr(f"{number:0{len(list(names)[number])}}", data)
    stored = path.read_bytes()
    for number, name in enumerate(names):
        stored = stored.replace(f"{number:0{len(name)}}".encode(), name)
    path.write_bytes(stored)
    return path


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Röntgen/größe.png".encode("cp437"), "Röntgen/größe.png"),
        ("Röntgen/größe.png".encode(), "Röntgen/größe.png"),
        ("本物/画像.png".encode("cp932"), "本物/画像.png"),
        (b"real\\scan.png", "real/scan.png"),
        (b"real/scan 12:30.png", "real/scan 12_30.png"),
        ("real/🦷.png".encode(), "real/🦷.png"),
        (b"real/trailing. /a.png", "real/trailing/a.png"),
    ],
)
def test_names_are_read_as_they_were_meant(tmp_path, name, found):
    archives.unpack(raw_zip(tmp_path / "x.zip", {name: b"data"}), tmp_path / "out")
    files = [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert files == [found]


def test_names_that_become_equal_are_all_kept_and_zips_within_are_opened_once(tmp_path):
    inner = zipped({"a.png": b"inner"})
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name, data in (("r/a:1.png", b"1"), ("r/a_1.png", b"2"), ("R/A?1.PNG", b"3"), ("r/in.zip", inner)):
            archive.writestr(name, data)
    archives.unpack(tmp_path / "x.zip", tmp_path / "out")
    kept = {path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert kept == {b"1", b"2", b"3", b"inner"}
    assert (tmp_path / "out" / "r" / "in" / "a.png").exists()


def test_a_locked_or_broken_zip_leaves_nothing(tmp_path):
    data = bytearray(zipped({"real/a.png": bytes(range(256)) * 40}))
    data[60] ^= 0xFF
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(InvalidInputError, match="zip: cannot be"):
        archives.unpack(tmp_path / "x.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    locked = bytearray(zipped({"real/a.png": b"1"}))
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "x.zip").write_bytes(locked)
    with pytest.raises(InvalidInputError, match="is protected by a password"):
        archives.unpack(tmp_path / "x.zip", tmp_path / "out")


def test_an_export_of_an_archive_is_read_without_its_directory(tmp_path):
    for name, data in (
        ("DICOMDIR", dicom(1)),
        ("DICOM/PAT/1.2.840.113619", dicom(2)),
        ("DICOM/PAT/IM2", dicom(3)),
        ("README", b"text"),
    ):
        (tmp_path / "u" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "u" / name).write_bytes(data)
    (tmp_path / "w").mkdir()
    found = survey.take(tmp_path / "u", tmp_path / "w", None)
    assert sorted(image["file"] for image in found.images) == ["DICOM/PAT/1.2.840.113619", "DICOM/PAT/IM2"]
    assert found.aside == {"no extension": 2}
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="contains no image"):
        survey.take(tmp_path / "empty", tmp_path / "w", None)


@pytest.mark.parametrize(
    ("name", "folders", "settled", "faults"),
    [
        ("zip_backslashes", ["real", "synthetic"], True, []),
        ("zip_colons_in_names", ["real", "synthetic"], True, []),
        ("zip_folder_words", ["Real images", "fake"], False, []),
        ("zip_one_bad_of_eight", ["real", "synthetic"], False, ["real/broken.png"]),
    ],
)
def test_the_zip_of_the_wants_is_read(shared, tmp_path, name, folders, settled, faults):
    archives.unpack(shared / "cases" / f"{name}.zip", tmp_path / "out")
    found = survey.take(tmp_path / "out", tmp_path, (128, 64))
    assert [(folder.name, folder.guess, len(folder.images)) for folder in found.folders] == [
        (folder, truth, 4) for folder, truth in zip(folders, ("real", "synthetic"), strict=True)
    ]
    assert found.settled is settled
    assert [fault["file"] for fault in found.faults] == faults
    assert survey.load(tmp_path) == found


@pytest.mark.parametrize("kind", ZIPS)
def test_a_like_zip_becomes_a_pool(owner, kind):
    page = brought(owner, ZIPS[kind])
    assert "The pool is ready" in page
    assert len(pool_named().cases) == 8


def test_the_mixed_upload_needs_no_question(owner):
    assert "The pool is ready" in brought(owner, MIXED)
