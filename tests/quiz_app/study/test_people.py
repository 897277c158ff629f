"""Researchers are added by an admin, get parts in studies from their owners, and leave a log."""

import csv
import io

import pytest

from quiz_app.database import db
from quiz_app.models import Event, Member, Researcher
from quiz_app.study import readers, researchers

PEOPLE, TEAM = "/researcher/people", "/researcher/studies/mine/team"


def test_an_admin_adds_a_researcher_whose_password_is_shown_once(log_in):
    admin = log_in("root", is_admin=True)
    page = admin.post(PEOPLE, data={"name": "ada"}).text
    password = page.split("shown only now: ")[1].split("<")[0]
    assert researchers.check("ada", password)
    assert password not in admin.get(PEOPLE).text
    renewed = admin.post(f"{PEOPLE}/{researchers.find('ada').id}/password").text
    new = renewed.split("The new password of ada, shown only now: ")[1].split("<")[0]
    db.session.expire_all()
    assert researchers.check("ada", new)
    assert not researchers.check("ada", password)


def test_a_bad_or_taken_name_is_refused(log_in):
    admin = log_in("root", is_admin=True)
    for name in ("root", "a b", ""):
        assert admin.post(PEOPLE, data={"name": name}).status_code == 422
    assert db.session.query(Researcher).count() == 1
    assert admin.post(f"{PEOPLE}/999/password").status_code == 404


def test_only_an_admin_sees_and_adds_people(owner):
    assert owner.get(PEOPLE).status_code == 403
    assert owner.post(PEOPLE, data={"name": "eve"}).status_code == 403
    assert owner.post(f"{PEOPLE}/1/password").status_code == 403
    assert db.session.query(Researcher).count() == 1


def test_a_collaborator_runs_a_study_until_the_part_is_taken_away(owner, owned, log_in):
    owned()
    helper = log_in("cora")
    assert helper.get(TEAM).status_code == 403
    assert owner.post(TEAM, data={"name": "cora", "role": "viewer"}).status_code == 303
    assert helper.post("/researcher/studies/mine/close").status_code == 403
    assert owner.post(TEAM, data={"name": "cora", "role": "collaborator"}).status_code == 303
    assert helper.post("/researcher/studies/mine/close").status_code == 303
    member = db.session.query(Member).one()
    assert helper.post(f"{TEAM}/{member.id}/remove").status_code == 403
    assert owner.post(f"{TEAM}/{member.id}/remove").status_code == 303
    assert helper.get(TEAM).status_code == 403
    kinds = [event.kind for event in db.session.query(Event).filter(Event.kind.like("part-%")).order_by(Event.id)]
    assert kinds == ["part-given", "part-given", "part-taken-away"]


@pytest.mark.parametrize(
    ("form", "faults"),
    [
        ({"name": "nobody", "role": "king"}, ["there is no researcher called", "not one of viewer, collaborator"]),
        ({"name": "ada", "role": "viewer"}, ["ada owns the study"]),
    ],
)
def test_a_bad_part_is_refused_with_every_fault(owner, owned, form, faults):
    owned()
    page = owner.post(TEAM, data=form)
    assert page.status_code == 422
    for fault in faults:
        assert fault in page.text
    assert db.session.query(Member).count() == 0


def test_a_member_of_another_study_is_not_found(owner, owned, log_in):
    owned()
    log_in("cora")
    member = researchers.give_part(owned("other"), "cora", "viewer")
    db.session.commit()
    assert owner.post(f"{TEAM}/{member.id}/remove").status_code == 404
    assert db.session.query(Member).count() == 1


def test_the_log_is_read_and_exported_whole(owner, owned):
    study = owned()
    readers.invite(study, "R1", actor="ada")
    db.session.commit()
    assert "ada invited R1." in owner.get("/researcher/studies/mine/log").text
    rows = list(csv.DictReader(io.StringIO(owner.get("/researcher/studies/mine/log.csv").text)))
    assert [row["kind"] for row in rows] == ["study-created", "study-opened", "reader-invited"]
    assert rows[-1]["actor"] == "ada"
