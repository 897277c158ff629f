"""The pre-flight says whether a study may open, and looks at the pool as readers receive it."""

import json
import time as clock_of_the_machine
from datetime import timedelta

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import generation.pool
from quiz_app import background, log
from quiz_app.database import db, reading
from quiz_app.models import Pool, Study
from quiz_app.pools import importing
from quiz_app.study import lifecycle, preflight, readers

PAGE = "/researcher/studies/mine/preflight"


@pytest.fixture
def checked(app):
    """The checks of study `mine` by name."""

    def check():
        with reading() as session:
            study = session.query(Study).filter_by(slug="mine").one()
            found = preflight.checks(session, study, app.config["SETTINGS"], secure=False)
        return {one.name: one for one in found}

    return check


def test_a_study_that_may_open_has_nothing_bad(owner, owned, checked):
    owned(opened=False)
    assert not [one for one in checked().values() if one.verdict == "bad"]
    assert "Ready to open." in owner.get(PAGE).text


def test_files_that_say_text_is_burnt_in_are_a_warning(owned, checked):
    study = owned(opened=False)
    assert "Burnt-in text" not in checked()
    how = {"real": {"notes": {"states that text is burnt into the image: a name may be readable": 3}}}
    study.pool.manifest = study.pool.manifest | {"how": how}
    db.session.commit()
    assert checked()["Burnt-in text"].says.startswith("3 files say")
    assert checked()["Burnt-in text"].verdict == "warn"


def test_headers_that_tell_the_classes_apart_are_a_warning_that_says_not_which_is_which(owned, checked):
    study = owned(opened=False)
    assert "File headers" not in checked()
    how = {truth: {"header": {"laterality": {side: 20}}} for truth, side in (("real", "L"), ("synthetic", "R"))}
    study.pool.manifest = study.pool.manifest | {"how": how}
    db.session.commit()
    found = checked()["File headers"]
    assert (found.verdict, found.details) == ("warn", [])
    assert found.says.startswith("The file headers of the classes differ in laterality. ")
    assert "real" not in found.says


def test_sources_of_unequal_numbers_or_without_a_name_are_a_warning_with_their_counts(owned, checked):
    study = owned(opened=False)
    assert "Sources" not in checked()
    synthetic = [case for case in study.pool.cases if case.truth == "synthetic" and not case.is_practice]
    half = len(synthetic) // 2
    for number, case in enumerate(synthetic):
        case.source = "GAN" if number < half else "Diffusion"
    if len(synthetic) % 2:
        synthetic[-1].excluded = "an odd number"
    db.session.commit()
    assert (checked()["Sources"].verdict, checked()["Sources"].says[:19]) == ("good", "Each of 2 sources h")
    synthetic[0].source = "Diffusion"
    db.session.commit()
    found = checked()["Sources"]
    assert (found.verdict, found.details) == ("warn", [f"Diffusion: {half + 1}", f"GAN: {half - 1}"])
    synthetic[0].source = ""
    db.session.commit()
    assert checked()["Sources"].details[0] == "no source: 1"


def test_what_keeps_a_study_from_opening_is_bad_and_named(owner, owned, checked):
    owned(opened=False, cases=40, consent=" ")
    found = checked()
    assert found["Settings and pool"].verdict == found["Texts"].verdict == "bad"
    assert "each reader should judge 40" in found["Settings and pool"].details[0]
    page = owner.get(PAGE).text
    assert "cannot open yet:</strong> Settings and pool, Texts" in page
    assert "Open study" not in page
    refused = owner.post("/researcher/studies/mine/open")
    assert refused.status_code == 422
    assert "consent: the text is empty" in refused.text


def test_a_result_at_once_beside_an_open_link_is_warned_of(owner, owned, checked):
    study = owned(opened=False, result="at once")
    assert checked()["Own result"].verdict == "good"
    readers.offer_open_link(study, "5")
    db.session.commit()
    assert checked()["Own result"].verdict == "warn"
    assert "register again as another reader" in owner.get(PAGE).text
    lifecycle.change(study, {"result": "closed"})
    db.session.commit()
    assert checked()["Own result"].verdict == "good"


def test_a_clock_behind_the_log_is_bad(owned, checked, time):
    owned()
    time.forward(-timedelta(days=2).total_seconds())
    assert checked()["Clock"].verdict == "bad"


def test_a_backup_on_record_is_known(app, owned, checked):
    owned()
    assert checked()["Backup"].verdict == "warn"
    log.record("backed-up")
    db.session.commit()
    assert checked()["Backup"].verdict == "good"


def with_text(pixels):
    image = Image.fromarray(pixels // 4)
    ImageDraw.Draw(image).text((10, 20), "DOE, JANE", fill=255, font=ImageFont.load_default(size=20))
    return np.asarray(image)


@pytest.mark.parametrize(
    ("real", "synthetic", "verdict", "says"),
    [
        ((0, 50), (0, 50), "good", None),
        ((9, 50), (8, 50), "warn", None),
        ((3, 50), (0, 50), "warn", "Only real images have text"),
        ((0, 50), (3, 50), "warn", "Only synthetic images have text"),
        ((20, 50), (2, 50), "warn", "The classes differ by more than chance"),
    ],
)
def test_text_in_one_class_or_clearly_more_in_one_is_said_to_give_it_away(real, synthetic, verdict, says):
    check = preflight._text({"real": list(real), "synthetic": list(synthetic)})
    assert check.verdict == verdict
    said = [detail for detail in check.details if "class" in detail]
    assert [detail.startswith(says) for detail in said] == [True] if says else said == []
    assert ("name or a date" in " ".join(check.details)) is (verdict == "warn")


def audited(client, app):
    assert client.post(PAGE).status_code == 303
    while (told := client.get(f"{PAGE}.json").get_json())["state"] == "making":
        clock_of_the_machine.sleep(0.2)
    return told["state"]


def test_a_pool_whose_class_shows_and_whose_cases_repeat_is_flagged(app, owner, owned, checked, tmp_path):
    rng = np.random.Generator(np.random.PCG64(3))
    entries = []
    for number in range(24):
        grains = rng.integers(0, 200, (8, 16)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
        truth = ("real", "synthetic")[number % 2]
        bright = grains + 40 * (truth == "synthetic")
        entries.append(generation.pool.Entry(truth, "x", generation.pool.encode(bright.astype(np.uint8))))
        if number == 0:
            double = np.clip(grains.astype(int) + 1, 0, 255).astype(np.uint8)
    entries.append(generation.pool.Entry("synthetic", "x", generation.pool.encode(double)))
    entries.append(generation.pool.Entry("real", "x", generation.pool.encode(255 - double)))
    how = {"real": "x", "synthetic": "x"}
    generation.pool.write(tmp_path / "leaky", entries, name="Leaky", seed=3, width=128, height=64, how=how)
    pool = importing.import_folder(tmp_path / "leaky", app.config["SETTINGS"].images)
    study = owned(opened=False, practice=0)
    study.pool = pool
    db.session.commit()
    assert checked()["Audit"].says == "Not checked yet."
    assert audited(owner, app) == "done"
    found = checked()
    assert found["Audit"].verdict == "warn"
    assert any("brightness" in cue for cue in found["Audit"].details)
    assert found["Near-duplicates"].details == ["case-0001 and case-0025"]
    assert "1 across the classes" in found["Near-duplicates"].says
    # A second wish does not audit again.
    with reading() as session:
        folder = preflight.home(session, session.merge(study), app.config["SETTINGS"])
    before = background.find(folder).at
    owner.post(PAGE)
    assert background.find(folder).at == before


def test_an_audit_that_cannot_be_done_says_why(app, owner, owned, checked):
    owned(opened=False)
    for case in db.session.query(Pool).one().cases[:9]:
        case.excluded = "too few are left"
    db.session.commit()
    assert audited(owner, app) == "failed"
    assert "an audit needs 5 or more of each" in checked()["Audit"].details[0]


def test_an_audit_of_before_says_nothing_of_text_and_a_pool_without_truth_what_its_maker_found(app, owned, checked):
    study = owned(opened=False)
    with reading() as session:
        folder = preflight.home(session, session.merge(study), app.config["SETTINGS"])
    assert background.claim(folder)
    found = {"audit": {"flagged": False, "cues": [], "together": {"auc": 0.5, "p": 0.9}}, "duplicates": []}
    (folder / preflight.FOUND).write_text(json.dumps(found), "utf-8")
    background.tell(folder, "done", 1.0)
    assert checked()["Audit"].verdict == "good"
    assert "Text in the pictures" not in checked()
    how = {"real": {"text": {"count": 2, "cases": ["case-0001", "case-0007"]}}, "synthetic": {"text": {"count": 1}}}
    study.pool.manifest = study.pool.manifest | {"how": how}
    [check] = preflight._text_told(study)
    assert check.says.startswith("Text seems to be part of the picture in 3 of the pool's images.")
    assert "case-" not in str(check)


def test_text_is_looked_for_in_the_images_as_readers_receive_them(app, owner, owned, checked, tmp_path):
    rng = np.random.Generator(np.random.PCG64(4))
    entries = []
    for number in range(12):
        grains = rng.integers(0, 200, (8, 16), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        pixels = with_text(grains) if number in (1, 3) else grains
        entries.append(generation.pool.Entry(("real", "synthetic")[number % 2], "x", generation.pool.encode(pixels)))
    how = {"real": "x", "synthetic": "x"}
    generation.pool.write(tmp_path / "lettered", entries, name="Lettered", seed=3, width=128, height=64, how=how)
    study = owned(opened=False, practice=0)
    study.pool = importing.import_folder(tmp_path / "lettered", app.config["SETTINGS"].images)
    study.pool.cases[1].excluded = "a name is in it"
    db.session.commit()
    assert checked()["Text in the pictures"].says == "Not checked yet."
    assert audited(owner, app) == "done"
    check = checked()["Text in the pictures"]
    assert check.verdict == "warn"
    assert check.says == "Text seems to be part of the picture in 0 of 6 real images and 1 of 5 synthetic images."
    assert "Only synthetic images have text, so anyone who notices it knows their class." in check.details
    assert "Only synthetic images have text" in owner.get(PAGE).text


def test_subgroups_are_counted_and_columns_that_are_none_keep_a_study_from_opening(owned, checked):
    study = owned(opened=False)
    assert "Subgroups" not in checked()
    scored = [case for case in study.pool.cases if not case.is_practice]
    for number, case in enumerate(scored):
        case.labels = {"device": ("Sirona", "Planmeca")[number % 2], "room": "A", "age": f"{number} years"}
    study.settings = study.settings | {"subgroups": ["device"]}
    db.session.commit()
    found = checked()
    assert found["Settings and pool"].verdict == "good"
    assert found["Subgroups"].details == [
        "device: Planmeca 6, Sirona 6",
        "device: Planmeca has fewer than 10 cases of a class.",
        "device: Sirona has fewer than 10 cases of a class.",
    ]
    scored[0].labels = {}
    study.settings = study.settings | {"subgroups": ["device", "room", "age", "teeth"]}
    db.session.commit()
    assert "device: cases without an entry, which are left out of comparisons: 1." in checked()["Subgroups"].details
    assert checked()["Settings and pool"].details == [
        "subgroups: 'room' has 1 value(s); expected 2 to 8, or numbers",
        "subgroups: 'age' has 11 value(s); expected 2 to 8, or numbers",
        "subgroups: the pool's cases.csv has no column 'teeth' with entries; its extra columns are age, device, room",
    ]


def test_sources_that_cues_tell_from_each_other_are_a_warning():
    pair = {"first": "Diffusion", "second": "GAN", "auc": 0.912, "p": 0.004}
    [found] = preflight._told_apart([pair, pair | {"second": "Flow", "p": 0.2}])
    assert (found.verdict, found.details) == ("warn", ["Diffusion and GAN: AUC 0.91, corrected p = 0.004"])
    [found] = preflight._told_apart([pair | {"p": 0.05}])
    assert found.verdict == "good"
    assert preflight._told_apart([]) == []
