"""Uploaded images of any format become a pool; unusable files are named."""

import io
import os
import re
import time as clock_of_the_machine
import zipfile

import numpy as np
import pytest
from PIL import Image

from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Case, Pool
from quiz_app.pools import importing, intake
from quiz_app.study import lifecycle
from tests import fuzzing
from tests.uploads import MIXED, encoded, zipped

POOLS = "/researcher/pools/"
FORM = {"name": "Mixed", "each": "0", "practice": "2", "width": "128", "height": "64"}


def brought(client, members, **form):
    """Upload, wait, and return the page with the result."""
    file = {"file": (io.BytesIO(members if isinstance(members, bytes) else zipped(members)), "x.zip")}
    db.session.rollback()  # the context of the test outlives its requests, and would keep the database from the import
    response = client.post(POOLS, data=FORM | form | file)
    assert response.status_code == 303, response.text
    address = response.headers["Location"]
    while client.get(f"{address}.json").get_json()["state"] == "making":
        clock_of_the_machine.sleep(0.2)
    return client.get(address).text


def test_a_mixed_folder_with_dicom_becomes_a_pool_and_what_stays_behind_is_listed(app, owner):
    page = brought(owner, MIXED)
    assert "The pool is ready" in page
    assert "not kept from 1 DICOM file(s): PatientName" in page
    assert "ReferringPhysicianName" in page
    db.session.expire_all()
    pool = db.session.query(Pool).filter_by(slug="mixed").one()
    counts = {(case.truth, case.is_practice) for case in pool.cases}
    assert (len(pool.cases), pool.width, pool.height, len(counts)) == (8, 128, 64, 4)
    store = app.config["SETTINGS"].images
    assert all(b"Doe" not in (store / case.stored).read_bytes() for case in pool.cases)
    assert not list((app.config["SETTINGS"].instance / "intake").glob("*/un*"))


def test_a_few_images_of_each_class_are_shown_as_they_came_beside_what_readers_get(app, owner):
    page = brought(owner, MIXED, width="200", height="160")
    assert "both classes alike: grey, Lanczos to 200 x 160, PNG" in page
    shown = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    came = [f"{truth}, as uploaded: 256 × 128" for truth in ("Real", "Real", "Synthetic", "Synthetic")]
    assert shown == [words for one in came for words in (one, "As readers see it: 200 × 160")]
    assert "a.dcm" not in page
    pictures = []
    for address in re.findall(r'<img[^>]* src="([^"]*)"', page):
        with owner.get(address) as response:
            pictures.append(Image.open(io.BytesIO(response.data)))
    assert [picture.size for picture in pictures] == [(256, 128), (200, 160)] * 4
    db.session.expire_all()
    cases = db.session.query(Pool).filter_by(slug="mixed").one().cases
    truths = {Image.open(app.config["SETTINGS"].images / case.stored).tobytes(): case.truth for case in cases}
    for original, resized, words in zip(pictures[::2], pictures[1::2], came, strict=True):
        assert truths[resized.tobytes()] == words.partition(",")[0].lower()
        again = original.resize((200, 160), Image.Resampling.LANCZOS)
        assert again.tobytes() == resized.tobytes()
    assert owner.get(re.search(r'src="([^"]*)1-came.png"', page)[1] + "9-came.png").status_code == 404
    of_the_pool = owner.get(f"{POOLS}mixed/").text
    assert "Preparation of both classes: grey, Lanczos to 200 x 160, PNG" in of_the_pool
    way = re.search(r'<a href="([^"]*)">Compare sample images as uploaded', of_the_pool)[1]
    assert owner.get(way).text.count("<figure>") == 8
    assert "Compare sample images" not in owner.get(f"{POOLS}noise/").text


def test_while_a_study_is_read_blindly_no_picture_tells_its_class(owner, make_study):
    page = brought(owner, MIXED)
    picture = re.search(r'src="([^"]*1-came.png)"', page)[1]
    way = re.search(r'<a href="([^"]*)">Compare sample', owner.get(f"{POOLS}mixed/").text)[1]
    study = make_study(opened=False, practice=2)
    study.pool = db.session.query(Pool).filter_by(slug="mixed").one()
    db.session.commit()
    assert owner.get(way).text.count("<figure>") == 8
    for deed, seen in ((lifecycle.open_study, False), (lifecycle.close, True)):
        deed(study)
        db.session.commit()
        assert ("Real, as uploaded" in owner.get(way).text) is seen
        with owner.get(picture) as response:
            assert (response.status_code == 200) is seen


def test_it_is_told_how_many_images_of_each_class_were_stretched(owner):
    file = io.BytesIO()
    Image.open(io.BytesIO(MIXED["set/Real/b.png"])).resize((256, 160)).save(file, "PNG")
    page = brought(owner, MIXED | {"set/Real/b.png": file.getvalue()})
    assert "stretched by over 2% to fit 128 x 64: 1 of 4 real images" in page
    assert "synthetic images" not in page


def test_a_pool_folder_in_a_zip_is_taken_as_it_is(owner, pool_folder):
    members = {f"noise/{p.relative_to(pool_folder).as_posix()}": p.read_bytes() for p in pool_folder.rglob("*.*")}
    members["noise/origins.csv"] = (
        b"case,origin\ncase-0001,/etc/passwd\n"  # which file of ours to show, is not theirs to say
    )
    page = brought(owner, members)
    assert "The pool is ready" in page
    assert "<figure>" not in page
    db.session.expire_all()
    first, second = db.session.query(Pool).order_by(Pool.id)
    assert first.sha256 == second.sha256


def test_a_dicom_without_an_ending_is_known_by_its_content_and_what_is_no_image_is_counted(owner):
    members = {name.replace("a.dcm", "IM0001"): data for name, data in MIXED.items()}
    page = brought(owner, members | {"set/Real/IM0002": b"none", "set/Real/list.txt": b"Doe, Jane"})
    assert "not kept from 1 DICOM file(s): PatientName" in page
    assert "skipped, not an image file: 1 x .txt" in page
    assert "skipped, not an image file: 1 x no extension" in page


@pytest.mark.parametrize(
    ("name", "data", "fault"),
    [
        ("../../evil.png", b"x", "points outside the zip"),
        ("/etc/evil.png", b"x", "points outside the zip"),
        ("real\\..\\evil.png", b"x", "points outside the zip"),
        ("real/bomb.png", bytes(30 * 2**20), "expands from"),
    ],
)
def test_a_zip_that_climbs_or_swells_is_refused_before_anything_is_unpacked(tmp_path, name, data, fault):
    file = tmp_path / "x.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("real/good.png", b"x")
        info = zipfile.ZipInfo("name")
        info.filename, info.compress_type = name, zipfile.ZIP_DEFLATED
        archive.writestr(info, data)
    with pytest.raises(InvalidInputError, match=fault):
        intake.unpack(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_zip_and_what_is_no_zip_are_refused(tmp_path):
    file = tmp_path / "x.zip"
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("real/link.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(InvalidInputError, match="is a link"):
        intake.unpack(file, tmp_path / "out")
    file.write_bytes(b"no zip")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        intake.unpack(file, tmp_path / "out")


def test_a_bad_form_is_refused_with_every_fault_and_begins_nothing(app, owner):
    page = owner.post(POOLS, data={"name": " ", "each": "-1", "practice": "51", "width": "x", "height": ""})
    assert page.status_code == 422
    for field in ("name", "each", "practice", "width", "height", "file"):
        assert f"<li>{field}: " in page.text
    assert not (app.config["SETTINGS"].instance / "intake").exists()


def test_unknown_work_and_pools_are_not_found(owner):
    for path in ("coming/abc", "coming/..", "coming/abc.json", "nowhere/", "noise/cases/999.png"):
        assert owner.get(POOLS + path).status_code == 404
    assert owner.post(f"{POOLS}noise/cases/999/exclude").status_code == 404


def test_thumbnails_show_no_truth_and_are_small(owner):
    page = owner.get(f"{POOLS}noise/").text
    assert page.count("<img") == 15
    assert "synthetic" not in page
    image = Image.open(io.BytesIO(owner.get(f"{POOLS}noise/cases/1.png").data))
    assert image.size == (64, 32)
    assert owner.get(f"{POOLS}other/cases/1.png").status_code == 404


def test_a_case_is_left_out_for_a_reason_and_taken_in_again(owner, make_study):
    make_study(opened=False)
    assert owner.post(f"{POOLS}noise/cases/1/exclude", data={"reason": " "}).status_code == 422
    assert owner.post(f"{POOLS}noise/cases/1/exclude", data={"reason": "artefact"}).status_code == 303
    db.session.expire_all()
    assert db.session.get(Case, 1).excluded == "artefact"
    assert owner.post(f"{POOLS}noise/cases/1/exclude").status_code == 303
    db.session.expire_all()
    assert db.session.get(Case, 1).excluded is None


def test_the_cases_of_an_opened_study_are_frozen(make_study):
    make_study()
    with pytest.raises(InvalidInputError, match="its cases are locked"):
        importing.exclude(db.session.get(Case, 1), "artefact")


def answered(client, page, **said):
    """Answer the questions about an upload, wait, and return the page with the result."""
    (address,) = re.findall(r'action="(/researcher/pools/coming/\w+)/more"', page)
    db.session.rollback()
    response = client.post(address, data=said)
    if response.status_code == 422:
        return response.text
    while client.get(f"{address}.json").get_json()["state"] == "making":
        clock_of_the_machine.sleep(0.2)
    return client.get(address).text


def brought_by_folder(client, counts, **form):
    """Upload this many different images in the real folder and in each source folder, and assign the classes."""
    seeds = iter(range(100, 200))
    members = {
        f"{name}/{number}.png": encoded(next(seeds), "PNG") for name, count in counts.items() for number in range(count)
    }
    page = brought(client, members, **form)
    legends = re.findall(r"<legend>(.*?)</legend>", page)
    assert sorted(legends) == sorted(counts)
    classes = {f"class-{n}": "real" if name == "real" else "synthetic" for n, name in enumerate(legends)}
    return answered(client, page, **classes)


def test_a_zip_with_one_folder_a_source_becomes_quartets_and_a_study_of_them(owner):
    page = brought_by_folder(owner, {"real": 6, "early": 4, "late": 5}, sets="quartets", practice="2")
    assert "3 quartets of 3 images and 1 for practice" in page
    assert "not needed, at random: 2 of real images, 1 of late" in page
    db.session.expire_all()
    pool = db.session.query(Pool).filter_by(slug="mixed").one()
    for group in ("q001", "q002", "q003", "practice"):
        own = sorted((case.truth, case.source) for case in pool.cases if case.group == group)
        assert [truth for truth, _ in own] == ["real", "synthetic", "synthetic"]
        assert [source for _, source in own][1:] == ["early", "late"]
    form = {"title": "Which is real?", "pool": "mixed", "preset": "quartets", "slug": "which"}
    assert owner.post("/researcher/studies/new", data=form).status_code == 303
    assert "is asked for" not in owner.get("/researcher/studies/which/").text
    settings = owner.get("/researcher/studies/which/settings")
    assert "Quartets per reader" in settings.text
    assert "Unsure" not in settings.text
    assert owner.post("/researcher/studies/which/settings", data={"practice": "1", "title": "W"}).status_code == 303
    assert owner.post("/researcher/studies/which/open").status_code == 303
    assert owner.get("/researcher/studies/which/preflight").status_code == 200
    assert lifecycle.find("which").state == "open"


def test_too_few_images_of_a_source_are_refused_by_its_name(owner):
    page = brought_by_folder(owner, {"real": 6, "early": 2, "late": 5}, sets="quartets", each="4", practice="0")
    assert "too few images: early (2); 4 quartets and 0 for practice need 4 of each source" in page


def test_two_sources_of_one_name_are_refused_for_quartets(owner):
    folders = {"real": 4, "fake/gan": 4, "generated/gan": 4}
    refused = brought_by_folder(owner, folders, sets="quartets", practice="0")
    assert "two synthetic folders have the name gan; each source needs its own name" in refused


def versions(methods, cases, lacking=()):
    """A zip with this many different images of each method, with the same names in each folder."""
    seeds = iter(range(300, 500))
    names = [f"{method}/{case}.png" for method in methods for case in range(cases)]
    return {f"study/{name}": encoded(next(seeds), "PNG") for name in names if name not in lacking}


def groups(slug):
    """The sources of every group of a pool, and which truth each source has."""
    db.session.expire_all()
    cases = db.session.query(Pool).filter_by(slug=slug).one().cases
    found = {}
    for case in cases:
        found.setdefault(case.group, []).append(case.source)
    return {name: sorted(own) for name, own in found.items()}, {case.source: case.truth for case in cases}


def test_a_zip_with_one_folder_a_method_becomes_comparisons_at_once_and_a_study_of_them(owner):
    page = brought(
        owner, versions(("ours", "theirs", "Reference"), 5), sets="comparisons", practice="4", name="Versions"
    )
    assert "3 cases by ours, theirs, reference and 2 for practice" in page
    assert "all alike: grey" in page
    found, truths = groups("versions")
    three = ["ours", "reference", "theirs"]
    assert found == {f"c00{n}": three for n in (1, 2, 3)} | {"practice": sorted(2 * three)}
    assert truths == {"ours": "synthetic", "theirs": "synthetic", "reference": "real"}
    for preset in ("comparisons", "diffusionxray"):
        form = {"title": "Which is better?", "pool": "versions", "preset": preset, "slug": preset}
        assert owner.post("/researcher/studies/new", data=form).status_code == 303
        assert owner.post(f"/researcher/studies/{preset}/open").status_code == 303
        assert lifecycle.find(preset).state == "open"


def test_cases_that_lack_a_method_are_named_and_left_out_if_the_researcher_says_so(owner):
    members = versions(("ours", "theirs"), 5, lacking=("theirs/3.png",)) | {"study/theirs/1.png": b"no picture"}
    page = brought(owner, members, sets="comparisons", practice="0")
    assert "<li>3: no image of theirs</li>" in page
    assert "<li>1: no image of theirs</li>" in page
    assert "study/theirs/1.png: not readable" in page
    roles = {f"class-{n}": "synthetic" for n in range(2)} | {"faults": "leave-out"}
    refused = answered(owner, page, **roles)
    assert "incomplete: 2 cases are not in every folder; choose whether to leave them out, or stop" in refused
    made = answered(owner, page, **roles, incomplete="leave-out")
    assert "left out: 3: no image of theirs" in made
    assert set(groups("mixed")[0]) == {"c001", "c002", "c003"}
    pool = db.session.query(Pool).filter_by(slug="mixed").one()
    assert [one["why"] for one in pool.manifest["left_out"]].count("its case is not in every folder") == 2
    assert "png" not in str(pool.manifest["left_out"])  # a name may be a patient's


def test_folders_that_cannot_be_compared_are_asked_about_and_refused_by_name(owner):
    page = brought(owner, versions(("ours", "originals"), 3), sets="comparisons", practice="0")
    assert re.search(r'name="class-\d" value="real" checked', page)  # what may be the reference is asked about
    roles = {legend: f"class-{n}" for n, legend in enumerate(re.findall(r"<legend>(.*?)</legend>", page))}
    both = answered(owner, page, **{roles["ours"]: "real", roles["originals"]: "real"})
    assert "0 methods (none); expected 2 to 4 folders; two folders are the reference" in both
    one = answered(owner, page, **{roles["ours"]: "synthetic", roles["originals"]: "real"})
    assert "1 methods (ours); expected 2 to 4 folders" in one
    made = answered(owner, page, **{roles["ours"]: "synthetic", roles["originals"]: "synthetic"})
    assert "3 cases by originals, ours and 0 for practice" in made


def test_a_shape_that_is_none_is_refused(owner):
    file = {"file": (io.BytesIO(zipped(MIXED)), "x.zip")}
    page = owner.post(POOLS, data=FORM | {"sets": "fours"} | file)
    assert page.status_code == 422
    assert "&#39;fours&#39; is not one of quartets, comparisons or empty" in page.text


@pytest.mark.parametrize("seed", range(int(os.environ.get("DISCERN_FUZZ_UPLOADS", "0"))) or [1, 2, 4, 171])
def test_a_spoilt_upload_becomes_a_pool_or_is_refused_in_words_and_the_desk_goes_on(owner, seed):
    """More of them: DISCERN_FUZZ_UPLOADS=500 pytest tests/quiz_app/pools/test_intake.py -k spoilt"""
    rng = np.random.Generator(np.random.PCG64(seed))
    data = zipped({name: body for name, body in MIXED.items() if not name.endswith(".dcm")})  # each time the same
    change = fuzzing.spoilt if seed % 3 == 0 else fuzzing.repacked
    page = brought(owner, change(data, rng), height="64")
    if "class-0" in page:  # it asks which folder is which class, and what becomes of files that cannot be used
        form = dict(re.findall(r'name="(class-\d+)"[^>]*?value="(\w+)"[^>]*?checked', page))
        page = answered(
            owner, page, **(form or {"class-0": "real", "class-1": "synthetic"}), faults="leave-out", text="keep"
        )
    assert not re.search(r"\b\w*([Ee]rror|Exception): |Traceback", page), page
    assert owner.get(POOLS).status_code == 200
