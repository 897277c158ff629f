"""A pool is imported whole or not at all, and its images are served blinded."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Case, Pool
from quiz_app.pools import importing


@pytest.fixture
def folder(pool_folder, tmp_path):
    return shutil.copytree(pool_folder, tmp_path / "pool")


def test_the_import_keeps_every_case_and_serves_images_of_one_length(app, folder):
    store = app.config["SETTINGS"].images
    pool = importing.import_folder(folder, store, "again")
    db.session.commit()
    assert len(pool.cases) == 15
    for case in pool.cases:
        served = store / case.stored
        assert served.stat().st_size == pool.served_bytes
        with Image.open(served) as ours, Image.open(folder / case.file) as theirs:
            assert np.array_equal(np.asarray(ours), np.asarray(theirs))
    assert not any(path.is_dir() for path in store.iterdir())


def test_a_second_import_gets_a_slug_of_its_own(app, folder):
    store = app.config["SETTINGS"].images
    assert [importing.import_folder(folder, store).slug for _ in range(2)] == ["noise-2", "noise-3"]


def test_a_faulty_folder_is_refused_with_every_fault_and_leaves_nothing(app, folder):
    rows = list(csv.reader((folder / "cases.csv").read_text().splitlines()))
    header, first, second, third, fourth = rows[:5]
    (folder / first[1]).unlink()
    second[header.index("sha256")] = "0" * 64
    third[header.index("truth")] = "perhaps"
    fourth[header.index("case")] = rows[5][0]
    with (folder / "cases.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    before = {path.name for path in app.config["SETTINGS"].images.iterdir()}
    with pytest.raises(InvalidInputError) as faulty:
        importing.import_folder(folder, app.config["SETTINGS"].images, "again")
    told = str(faulty.value)
    assert all(part in told for part in (first[1], "checksum", "'perhaps'", rows[5][0], "row 2", "row 3", "row 4"))
    assert {path.name for path in app.config["SETTINGS"].images.iterdir()} == before
    assert db.session.query(Pool).count() == 1
    assert db.session.query(Case).count() == 15


def test_a_slug_that_is_taken_or_odd_is_refused(app, folder):
    for slug in ("noise", "No Ise"):
        with pytest.raises(InvalidInputError, match="slug"):
            importing.import_folder(folder, app.config["SETTINGS"].images, slug)


def test_further_columns_of_cases_csv_are_kept_with_their_cases(app, folder):
    lines = (folder / "cases.csv").read_text().splitlines()
    rows = [f"{line},{'Sirona' if n % 2 else ''}" for n, line in enumerate(lines[1:])]
    (folder / "cases.csv").write_text("\n".join([f"{lines[0]},device", *rows]) + "\n")
    pool = importing.import_folder(folder, app.config["SETTINGS"].images)
    db.session.commit()
    db.session.expire_all()
    assert [case.labels for case in pool.cases[:2]] == [{}, {"device": "Sirona"}]
