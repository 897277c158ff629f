"""The Undo button of a message restores exactly what was there before, and the log says so."""

import re

import pytest

from quiz_app.database import db
from quiz_app.models import Case, Event, Member, Reader, Study
from quiz_app.study import lifecycle, readers
from tests.quiz_app.conftest import Taker

STUDY = "/researcher/studies/mine"


def sent_by(page):
    """The address and the fields of the form with the button "Undo" on a page."""
    [(address, inner)] = re.findall(
        r'<form method="post" action="([^"]*)">((?:(?!</form>).)*)Undo</button>', page, re.S
    )
    fields = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', inner):
        fields.setdefault(name, []).append(value)
    return address, fields


def state():
    """What the acts of these tests change, as the database has it."""
    db.session.expire_all()
    return (
        db.session.query(Study).filter_by(slug="mine").one().archived_at,
        [(one.researcher.name, one.role) for one in db.session.query(Member)],
        [(one.pseudonym, one.token_hash, one.revoked_at) for one in db.session.query(Reader).order_by(Reader.id)],
        [(one.name, one.excluded) for one in db.session.query(Case).order_by(Case.id)],
    )


def last_event():
    return db.session.query(Event).order_by(Event.id.desc()).first()


@pytest.fixture
def study(owned, log_in):
    """A study with two readers, and a collaborator."""
    study = owned(opened=False)
    for name in ("R1", "R2"):
        readers.invite(study, name)
    db.session.add(Member(study_id=study.id, researcher_id=log_in("cora").researcher.id, role="collaborator"))
    db.session.commit()
    return study


@pytest.mark.parametrize(
    ("address", "form", "kind"),
    [
        ("readers/1/revoke", {"reason": "lost"}, "reader-link-given-back"),
        ("readers/selected", {"reason": "lost", "deed": "revoke", "reader": ["1", "2"]}, "reader-link-given-back"),
        ("team/1/remove", {}, "part-given"),
        ("put-away", {"away": "yes"}, "study-brought-back"),
        ("/researcher/pools/noise/cases/1/exclude", {"reason": "artefact"}, "case-taken-in"),
        ("/researcher/pools/noise/cases/2/exclude", {}, "case-excluded"),
    ],
)
def test_undo_leaves_everything_as_it_was_and_is_in_the_log(owner, study, address, form, kind):
    if address == "put-away":
        study.state = "closed"
    db.session.get(Case, 2).excluded = "a metal artefact"
    db.session.commit()
    before = state()
    where = address if address.startswith("/") else f"{STUDY}/{address}"
    page = owner.post(where, data=form, follow_redirects=True).text
    assert state() != before
    way, fields = sent_by(page)
    db.session.rollback()
    assert owner.post(way, data=fields).status_code == 303
    assert state() == before
    assert (last_event().kind, last_event().actor) == (kind, "ada")


def test_undo_is_a_form_with_a_token_and_a_viewer_cannot_send_it(app, owner, study, log_in):
    app.config["WTF_CSRF_ENABLED"] = True
    token = re.search(r'name="csrf_token" value="([^"]*)"', owner.get(f"{STUDY}/readers").text)[1]
    form = {"reason": "lost", "csrf_token": token}
    way, fields = sent_by(owner.post(f"{STUDY}/readers/1/revoke", data=form, follow_redirects=True).text)
    assert fields.keys() == {"csrf_token", "deed", "reader"}
    assert owner.post(way, data=fields | {"csrf_token": ""}).status_code == 400
    app.config["WTF_CSRF_ENABLED"] = False
    viewer = log_in("vera")
    db.session.add(Member(study_id=study.id, researcher_id=viewer.researcher.id, role="viewer"))
    db.session.commit()
    assert viewer.post(way, data=fields).status_code == 403
    assert state()[2][0][2] is not None


def test_a_link_that_works_again_opens_the_same_study_and_one_that_was_replaced_does_not(app, owner, owned):
    reader, token = readers.invite(owned(), "R1")
    db.session.commit()
    number, taker = reader.id, Taker(app.test_client(), token)
    way, fields = sent_by(
        owner.post(f"{STUDY}/readers/{number}/revoke", data={"reason": "x"}, follow_redirects=True).text
    )
    assert taker.client.get(taker.url("welcome")).status_code == 410
    owner.post(way, data=fields)
    assert taker.client.get(taker.url("welcome")).status_code == 200
    owner.post(f"{STUDY}/readers/{number}/revoke", data={"reason": "x"})
    owner.post(f"{STUDY}/readers/{number}/renew")
    late = owner.post(way, data=fields)
    assert (late.status_code, "the link of R1 is not withdrawn" in late.text) == (422, True)
    assert taker.client.get(taker.url("welcome")).status_code == 404


def test_what_cannot_be_undone_exactly_offers_no_undo(owner, owned):
    study = owned()
    reader, _ = readers.invite(study, "R1")
    readers.revoke(reader, "before")
    lifecycle.close(study)
    db.session.commit()
    form = {"reason": "again", "deed": "revoke", "reader": str(reader.id)}
    assert "Undo" not in owner.post(f"{STUDY}/readers/selected", data=form, follow_redirects=True).text
    owner.post(f"{STUDY}/put-away", data={"away": "yes"})
    owner.get(f"{STUDY}/")
    assert "Undo" not in owner.post(f"{STUDY}/put-away", data={"away": "no"}, follow_redirects=True).text


def test_the_links_of_very_many_readers_are_withdrawn_without_undo_because_the_cookie_could_not_hold_it(owner, owned):
    study = owned()
    chosen = [readers.invite(study, f"R{number}")[0] for number in range(400)]
    db.session.commit()
    form = {"reason": "a wrong list", "deed": "revoke", "reader": [str(reader.id) for reader in chosen]}
    sent = owner.post(f"{STUDY}/readers/selected", data=form)
    assert len(sent.headers["Set-Cookie"]) < 4096
    page = owner.get(sent.headers["Location"]).text
    assert ("400 readers can no longer use their links" in page, "Undo" in page) == (True, False)
