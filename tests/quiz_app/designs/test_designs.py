"""The seam of the designs: a further one needs a class and a template; a trial may show several cases."""

import re
import runpy
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from jinja2 import ChoiceLoader, DictLoader

from quiz_app import simulation
from quiz_app.database import db, reading
from quiz_app.designs import DESIGNS
from quiz_app.designs.design import Planned
from quiz_app.designs.rating import Rating
from quiz_app.models import Answer, Trial

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def added(app, monkeypatch):
    """Registers a design for this test, with the template of rating."""

    def add(design):
        monkeypatch.setitem(DESIGNS, design.name, design)
        as_rating = '{% include "reader/answers/rating.html" %}'
        own = DictLoader({f"reader/answers/{design.name}.html": as_rating})
        monkeypatch.setattr(app, "jinja_loader", ChoiceLoader([app.jinja_loader, own]))
        app.jinja_env.loader = app.create_global_jinja_loader()
        return design.name

    return add


def test_the_design_in_contributing_is_taken_by_readers_from_link_to_last_page(app, added, make_study, tmp_path):
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (example,) = re.findall(r"<!-- example: a design -->\n```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    (tmp_path / "verdict.py").write_text(example, "utf-8")
    names = runpy.run_path(str(tmp_path / "verdict.py"))
    study = make_study()
    study.design = added(names["Verdict"]())
    slug = study.slug
    db.session.commit()
    db.session.remove()
    outcomes = simulation.run(app, slug, 2, seed=1)
    assert [outcome.refusal for outcome in outcomes] == ["", ""]
    with reading() as session:
        rows = session.execute(sa.text("SELECT answer, certainty, design FROM responses")).all()
    assert len(rows) == 30
    assert {tuple(row) for row in rows} == {("real", "full", "verdict"), ("synthetic", "full", "verdict")}


def test_nothing_outside_its_own_files_names_a_design():
    """Other code must not mention designs, except `rating`, from which others are derived."""
    others = "|".join(name for name in DESIGNS if name != "rating")
    named = re.compile(rf"""["'](?:{others})["']|quiz_app\.designs\.(?:{others})\b""")
    modules = [path for path in (ROOT / "quiz_app").rglob("*.py") if path.parent.name != "designs"]
    modules += [path for path in (ROOT / "static/reader").glob("*.js") if path.stem not in DESIGNS]
    modules += (ROOT / "templates/reader").glob("*.html")
    assert len(modules) > 80
    told = re.compile(rf"/(?:{others})\.js")
    found = [path.name for path in modules if named.search(text := path.read_text("utf-8")) or told.search(text)]
    assert found == []


class Pairs(Rating):
    """Two cases a trial, one chosen: as small as a design with several rows can be."""

    name = "pairs"

    def compose(self, cases, rules, rng):
        real = [index for index, case in enumerate(cases) if case.truth == "real"]
        synthetic = [index for index, case in enumerate(cases) if case.truth == "synthetic"]
        return [Planned(tuple(rng.permutation(pair)), 1) for pair in zip(real, synthetic, strict=True)]

    def choices(self, rules):
        return [{"place": place} for place in (1, 2)]

    def check(self, said, rules, places):
        return [{"place": place, "chosen": place == said["chosen"]} for place in reversed(places)]

    def told(self, answers):
        return {"chosen": [row.chosen for row in answers]}


@pytest.fixture
def pair(added, make_study, invite):
    """A reader in front of the first pair."""
    study = make_study(practice=0)
    study.design = added(Pairs())
    db.session.commit()
    taker = invite(study).enter()
    taker.go_on()
    return taker


def test_a_trial_of_several_cases_sends_an_image_for_each_place(pair):
    assert [image["place"] for image in pair.trial["images"]] == [1, 2]
    assert len({image["address"] for image in pair.trial["images"]}) == 2
    for image in pair.trial["images"]:
        assert pair.client.get(image["address"]).status_code == 200


def test_the_room_of_a_design_without_levels_opens(pair):
    assert pair.trial["choices"] == [{"place": 1}, {"place": 2}]
    assert pair.client.get(pair.url("room")).status_code == 200


def test_an_answer_of_several_rows_is_kept_once_however_often_it_is_sent(pair):
    pair.onset()
    answer_id, token = str(uuid.uuid4()), pair.trial["trial"]
    first = pair.post(f"trials/{token}/answer", id=answer_id, chosen=2).get_json()
    again = pair.post(f"trials/{token}/answer", id=answer_id, chosen=1).get_json()
    assert first["saved"] == again["saved"]
    assert first["saved"]["id"] == answer_id
    assert first["saved"]["chosen"] == [False, True]
    assert (first["repeated"], again["repeated"]) == (False, True)
    db.session.expire_all()
    trial = db.session.scalars(sa.select(Trial).filter_by(token=token)).one()
    assert [[row.chosen for row in shown.answers] for shown in trial.cases] == [[False], [True]]
    ids = set(db.session.scalars(sa.select(Answer.id)))
    assert len(ids) == 2
    assert answer_id in ids
