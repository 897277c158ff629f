"""What happened to every uploaded image: in pool.json, in the export, and in the report's flow."""

import csv
import io
import json
import re
import zipfile
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest
from PIL import Image

import analysis as dn
from analysis.designs import DESIGNS
from analysis.report import document, figures, main
from analysis.report.tables import all_tables
from analysis.report.tables.course import flow
from analysis.report.tables.table import plain
from quiz_app import simulation
from quiz_app.database import db, reading
from quiz_app.exchange import export
from quiz_app.models import Pool, Study
from quiz_app.pools import importing
from quiz_app.study import lifecycle
from tests.quiz_app import comparisons, quartets, staircases
from tests.quiz_app.pools.test_intake import brought
from tests.quiz_app.pools.test_survey import BAD, EIGHT, answered, pool_named
from tests.uploads import encoded

FLOW = {
    "given": {"real": 8, "synthetic": 4, "no_class": 2},
    "left_out": {
        "unreadable": {"real": 1},
        "several_images": {"real": 1},
        "no_class": {"no_class": 2},
    },
    "in_pool": {"real": 4, "synthetic": 3},
}


def uploaded(owner) -> Pool:
    """A pool of an upload with a file that cannot be read, one of two images, a copy, and a folder of no class."""
    pages, copy = io.BytesIO(), io.BytesIO()
    first, second = (Image.open(io.BytesIO(encoded(90 + n, "PNG"))) for n in range(2))
    first.save(pages, "TIFF", save_all=True, append_images=[second])
    Image.open(io.BytesIO(EIGHT["real/im0.png"])).save(copy, "JPEG", quality=90)
    odd = {"real/broken.png": BAD, "real/cine.tif": pages.getvalue(), "real/copy.jpg": copy.getvalue()}
    odd |= {"real/more.png": encoded(40, "PNG")} | {f"notes/{n}.png": encoded(50 + n, "PNG") for n in range(2)}
    page = brought(owner, EIGHT | odd, each="3", practice="1")
    folders = re.findall(r"<legend>(.*?)</legend>", page)
    classes = {f"class-{n}": "none" if name == "notes" else name for n, name in enumerate(folders)}
    page = answered(owner, page, **classes, faults="leave-out", frames="none")
    assert "The pool is ready" in page, page
    return pool_named()


def told_of(results, tmp_path):
    """The rows of the figure and of the table of the flow."""
    drawn = figures.make("flow", results, tmp_path)
    rows = csv.DictReader(drawn.numbers.splitlines())
    return {(row["what"], row["stage"]): int(row["number"]) for row in rows}, dict(plain(results, flow(results))[1])


def exclude_of_each_class(pool: Pool) -> None:
    for truth in ("real", "synthetic"):
        importing.exclude(next(one for one in pool.cases if one.truth == truth and not one.is_practice), "blurred")


def taken(app, study: Study) -> None:
    slug = study.slug
    db.session.remove()
    assert [outcome.refusal for outcome in simulation.run(app, slug, 2, seed=1)] == ["", ""]
    lifecycle.close(db.session.query(Study).filter_by(slug=slug).one())
    db.session.commit()


def exported(slug: str, path):
    with path.open("wb") as file, reading() as session:
        export.write(session, session.query(Study).filter_by(slug=slug).one(), file)
    return path


def test_every_image_of_an_upload_is_accounted_for_as_far_as_the_report(app, owner, tmp_path):
    pool = uploaded(owner)
    found = json.loads(json.dumps(pool.manifest["flow"]))
    chance = [found["left_out"].pop(reason, {}) for reason in ("near_duplicate", "not_drawn")]
    assert found == FLOW
    # Whether the copy is met depends on the lot.
    assert [sum(one.get(truth, 0) for one in chance) for truth in ("real", "synthetic")] == [2, 1]
    exclude_of_each_class(pool)
    settings = {"groups": [], "ask_years": False, "break_every": 0, "practice": 0}
    study = lifecycle.create("Mixed", pool, slug="mixed", seed=1, settings=settings)
    lifecycle.open_study(study)
    db.session.commit()
    assert (
        "flow" not in json.loads(zipfile.ZipFile(exported("mixed", tmp_path / "b.zip")).read("manifest.json"))["pool"]
    )
    taken(app, study)
    url = app.config["SETTINGS"].database_url
    everything = exported("mixed", tmp_path / "everything.zip")
    zipfile.ZipFile(everything).extractall(tmp_path / "folder")
    found = dn.load(url, study="mixed").measure(bootstrap=20)
    images = found["study"]["pool"]["images"]
    assert images["given"] == {"all": 14, "real": 8, "synthetic": 4, "no_class": 2}
    assert images["left_out"]["unreadable"] == {"all": 1, "real": 1}
    assert images["left_out"]["all"]["all"] == images["given"]["all"] - images["in_pool"]["all"] == 7
    assert images["in_pool"]["all"] == 7
    assert images["set_aside"] == {"all": 2, "real": 1, "synthetic": 1}
    assert images["kept"] == {"all": 5, "real": 3, "synthetic": 2}
    for source in (everything, tmp_path / "folder"):
        assert dn.load(source).measure(bootstrap=20)["study"]["pool"] == found["study"]["pool"]
    drawn, table = told_of(found, tmp_path)
    assert drawn["images", "given"] == table["images given"] == 14
    assert drawn["images", "in the pool: not readable"] == table["images left out, not readable: real"] == 1
    assert drawn["images", "kept on the desk"] == 5
    assert table["images left out, of no class"] == 2
    assert main(["--responses", str(everything), "--out", str(tmp_path / "out"), "--bootstrap", "20"]) == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "images left out, several in one file: real" in page
    assert "Images, readers, cases and answers" in page
    bare = dn.load(tmp_path / "folder" / "responses.csv").measure(bootstrap=20)
    assert ("images", "given") not in told_of(bare, tmp_path)[0]
    assert "images given" not in told_of(bare, tmp_path)[1]


@pytest.mark.parametrize("design", ["rating", "quartet", "comparison", "staircase"])
def test_every_design_tells_what_became_of_the_images(app, take, tmp_path, design):
    room = {"quartet": quartets, "comparison": comparisons}.get(design, staircases)
    pool = quartets.imported(app, tmp_path, room.entries(4 if room is not staircases else 22))
    aside = {"quartet": 4, "comparison": 2}.get(design, 2)
    real, synthetic = (sum(case.truth == truth for case in pool.cases) for truth in ("real", "synthetic"))
    told = {"given": {"real": real + 3, "synthetic": synthetic + 1}, "in_pool": {"real": real, "synthetic": synthetic}}
    pool.manifest = pool.manifest | {"flow": told | {"left_out": {"unreadable": {"real": 3, "synthetic": 1}}}}
    if room is staircases:
        exclude_of_each_class(pool)
    else:
        importing.exclude(pool.cases[0], "blurred")
    if design == "rating":
        settings = {"groups": [], "ask_years": False, "break_every": 0, "practice": 0}
        study = lifecycle.create("Rated", pool, slug="rated", seed=1, settings=settings)
        lifecycle.open_study(study)
    else:
        study = room.opened(pool)
    db.session.commit()
    slug = study.slug
    taken(app, study)
    found = dn.load(app.config["SETTINGS"].database_url, study=slug)
    results = found.measure(bootstrap=20)
    schema = json.loads((files("analysis.report") / "results.schema.json").read_text("utf-8"))
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(results)] == []
    assert results["study"]["pool"]["images"]["set_aside"]["all"] == aside
    drawn, table = told_of(results, tmp_path)
    assert drawn["images", "given"] == real + synthetic + 4
    assert drawn["images", "in the pool: not readable"] == table["images left out, not readable"] == 4
    assert table["images left out, not readable: real"] == 3
    assert drawn["images", "kept on the desk"] == real + synthetic - aside
    shown = figures.make("flow", results, tmp_path)  # in the place of every figure: to draw all takes long
    every = [replace(shown, name=name) for name in DESIGNS[design].figures]
    assert "were left out; the flow says why" in document.page(results, all_tables(results), every)
