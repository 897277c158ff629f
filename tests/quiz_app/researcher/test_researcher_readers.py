"""What a researcher does with readers: invite, extend, reset, delete, and one link for many."""

import base64
import csv
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from quiz_app import background
from quiz_app.database import db
from quiz_app.models import Answer, Event, Reader, Sitting
from quiz_app.study import lifecycle, readers, reports
from quiz_app.study.readers import Invitation, invitations

READERS = "/researcher/studies/mine/readers"


def links(page):
    return [word.split("<")[0] for word in page.text.split('class="link">')[1:]]


def local(link):
    return link.removeprefix("http://localhost")


def test_readers_are_invited_and_their_links_are_shown_once(app, owner, owned):
    owned()
    page = owner.post(READERS, data={"pseudonyms": "R1 R2\nR3"})
    assert page.status_code == 200
    assert len(links(page)) == 3
    assert page.text.count("QR code of the link") == 3
    assert app.test_client().get(local(links(page)[0])).status_code == 303
    table = base64.b64decode(page.text.split("data:text/csv;base64,")[1].split('"')[0]).decode()
    assert [row["link"] for row in csv.DictReader(io.StringIO(table))] == links(page)
    assert "/r/" not in owner.get(READERS).text


def test_the_database_holds_no_secret_of_a_link(make_study):
    study = make_study()
    reader, personal = readers.invite(study, "R1")
    shared = readers.offer_open_link(study, "3")
    db.session.commit()
    for row, secret in ((reader, personal), (study, shared)):
        assert secret not in str([getattr(row, column.name) for column in row.__table__.columns])


def test_a_bad_invitation_is_refused_with_every_fault_and_nobody_is_invited(owner, owned):
    readers.invite(owned(), "R1")
    db.session.commit()
    page = owner.post(READERS, data={"pseudonyms": "R2 R1 a/b"})
    assert page.status_code == 422
    assert "&#39;R1&#39; is already in this study" in page.text
    assert "&#39;a/b&#39; is not" in page.text
    assert db.session.query(Reader).count() == 1
    assert owner.post(READERS, data={"pseudonyms": "  "}).status_code == 422


def test_a_revoked_link_opens_nothing(owner, owned, invite):
    taker = invite(owned())
    reader = db.session.query(Reader).one()
    assert owner.post(f"{READERS}/{reader.id}/revoke", data={"reason": "lost"}).status_code == 303
    assert db.session.query(Event).filter_by(kind="reader-revoked").one().details["reason"] == "lost"
    assert taker.client.get(taker.url("")).status_code == 410
    assert '<span class="state revoked">link withdrawn</span>' in owner.get(READERS).text  # as the button calls it


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("R1 R2\nR3", [("R1", "g", ""), ("R2", "g", ""), ("R3", "g", "")]),
        ("R1,a,x@y.org\n\nR2", [("R1", "a", "x@y.org"), ("R2", "g", "")]),
        ("pseudonym;group;email\nR1;;x@y.org\n;;", [("R1", "g", "x@y.org")]),
        ("R1\ta b\t", [("R1", "a b", "")]),
        ("", []),
    ],
)
def test_lists_are_read_as_people_and_spreadsheets_write_them(text, expected):
    assert invitations(text, "g") == [Invitation(*one) for one in expected]


def test_a_list_in_latin_1_with_semicolons_is_read_rightly(owner, owned):
    owned(groups=["zahnärztlich", "other"])
    data = "pseudonym;group\r\nR1;zahnärztlich\r\n".encode("latin-1")
    assert owner.post(READERS, data={"file": (io.BytesIO(data), "list.csv")}).status_code == 200
    assert db.session.query(Reader).one().group == "zahnärztlich"


def test_a_list_that_is_no_text_or_has_faults_is_refused_whole(owner, owned):
    owned(groups=["a", "b"])
    page = owner.post(READERS, data={"file": (io.BytesIO(b"PK\x03\x04\0\0"), "list.xlsx")})
    assert (page.status_code, "not a text file" in page.text) == (422, True)
    page = owner.post(READERS, data={"pseudonyms": "R1,c\nR2,a,nobody\nR3,a"})
    assert page.status_code == 422
    assert "&#39;c&#39; of R1 is not a group of this study: a, b" in page.text
    assert "&#39;nobody&#39; of R2 is not an address" in page.text
    assert db.session.query(Reader).count() == 0


def test_a_reader_of_another_study_is_not_found(owner, owned, invite):
    owned()
    invite(owned("other")).enter().answer()
    reader = db.session.query(Reader).one()
    form = {"reason": "x", "until": "2099-01-01"}
    for deed in ("", "/revoke", "/renew", "/extend", "/reset", "/delete"):
        call = owner.post if deed else owner.get
        assert call(f"{READERS}/{reader.id}{deed}", data=form).status_code == 404
        assert call(f"{READERS}/999{deed}", data=form).status_code == 404
    assert db.session.query(Answer).count() == 1


def test_a_new_link_takes_the_place_of_the_old_one(app, owner, owned, invite):
    taker = invite(owned())
    number = db.session.query(Reader).one().id
    owner.post(f"{READERS}/{number}/revoke")
    page = owner.post(f"{READERS}/{number}/renew")
    assert taker.client.get(taker.url("")).status_code == 404
    assert app.test_client().get(local(links(page)[0])).status_code == 303


def test_a_reader_is_extended_beyond_the_closing_date(owner, owned, invite, time):
    taker = invite(owned(closes=f"{time.moment + timedelta(hours=1):%Y-%m-%dT%H:%M+00:00}"))
    number = db.session.query(Reader).one().id
    until = f"{time.moment + timedelta(hours=3):%Y-%m-%dT%H:%M}"
    assert owner.post(f"{READERS}/{number}/extend", data={"until": until, "reason": "ill"}).status_code == 303
    time.forward(2 * 3600)
    assert taker.enter().step["kind"] == "trial"


@pytest.mark.parametrize(
    ("deed", "form", "said"),
    [
        ("extend", {"until": "soon"}, ["not a date and time", "reason: please give one"]),
        ("extend", {"until": "2001-01-01T00:00", "reason": "x"}, ["2001-01-01T00:00 is in the past"]),
        ("reset", {}, ["has not begun", "reason: please give one"]),
        ("delete", {"reason": " "}, ["reason: please give one"]),
        ("revoke", {}, ["reason: please give one"]),
    ],
)
def test_a_deed_out_of_form_is_refused_with_every_fault(owner, owned, invite, deed, form, said):
    invite(owned())
    reader = db.session.query(Reader).one()
    page = owner.post(f"{READERS}/{reader.id}/{deed}", data=form)
    assert page.status_code == 422
    for words in said:
        assert words in page.text
    assert (db.session.query(Reader).one().closes_at, db.session.query(Reader).one().revoked_at) == (None, None)


def test_a_reset_reader_begins_anew_in_another_order_and_the_answers_stay(owner, owned, invite, reader_called):
    taker = invite(owned(practice=0)).enter()
    taker.go_on()
    taker.answer()
    number = reader_called("R1").id
    assert owner.post(f"{READERS}/{number}/reset", data={"reason": "fire alarm"}).status_code == 303
    first, second = reader_called("R1").sittings
    assert [t.cases[0].case.id for t in first.trials] != [t.cases[0].case.id for t in second.trials]
    assert db.session.query(Answer).count() == 1
    assert taker.client.get(taker.url("")).headers["Location"].endswith("/instructions")
    assert taker.client.post(taker.url("instructions")).status_code == 303
    assert taker.claim().step["answered"] == 0
    assert db.session.query(Event).filter_by(kind="reader-reset").one().details["reason"] == "fire alarm"


def test_a_deleted_reader_is_gone_everywhere_and_the_certificate_says_so(app, owner, owned, invite):
    study = owned(practice=0)
    for name in ("R1", "R2"):
        invite(study, name).enter().finish()
    instance = app.config["SETTINGS"].instance
    folder = reports.home(instance, study) / "v1-24"
    folder.mkdir(parents=True)
    background.tell(folder, "done", 1.0)
    number = db.session.query(Reader).filter_by(pseudonym="R1").one().id
    owner.post(f"{READERS}/{number}/extend", data={"until": "2099-01-01T00:00", "reason": "R1 was ill"})
    page = owner.post(f"{READERS}/{number}/delete", data={"reason": "R1 asked for it"})
    for words in ("CERTIFICATE", "R1", "12 answer(s)", "1 stored report(s)", "asked for it"):
        assert words in page.text
    db.session.expire_all()
    assert [reader.pseudonym for reader in db.session.query(Reader)] == ["R2"]
    assert (db.session.query(Sitting).count(), db.session.query(Answer).count()) == (1, 12)
    events = db.session.query(Event).all()
    assert all(event.actor != "R1" and "R1" not in str(event.details) for event in events)
    assert {event.actor for event in events if event.kind == "consented"} == {f"deleted-{number}", "R2"}
    reasons = {event.kind: event.details.get("reason") for event in events}
    assert reasons["reader-extended"] == f"deleted-{number} was ill"
    assert reasons["reader-deleted"] == f"deleted-{number} asked for it"
    assert not folder.exists()


def test_by_an_open_link_readers_register_up_to_the_cap(app, owner, owned):
    owned()
    link = local(links(owner.post("/researcher/studies/mine/open-link", data={"cap": "2"}))[0])
    assert "A trial run" in app.test_client().get(link).text
    places = [app.test_client().post(link) for _ in range(3)]
    assert [place.status_code for place in places] == [303, 303, 403]
    assert app.test_client().get(places[0].headers["Location"]).headers["Location"].endswith("/welcome")
    assert [reader.pseudonym for reader in db.session.query(Reader)] == ["open-001", "open-002"]
    assert owner.post("/researcher/studies/mine/open-link/withdraw").status_code == 303
    assert app.test_client().get(link).status_code == 404


def test_of_many_who_register_at_once_as_many_come_in_as_the_cap_says(app, owned):
    token = readers.offer_open_link(owned(), "7")
    db.session.commit()
    clients = [app.test_client() for _ in range(20)]
    with ThreadPoolExecutor(20) as threads:
        codes = list(threads.map(lambda client: client.post(f"/join/{token}/").status_code, clients))
    assert sorted(codes) == [303] * 7 + [403] * 13
    names = [name for (name,) in db.session.query(Reader.pseudonym)]
    assert sorted(names) == [f"open-{number:03d}" for number in range(1, 8)]


def test_who_registers_waits_for_nobody_who_answers(app, owned, invite):
    study = owned()
    taker = invite(study).enter()
    token = readers.offer_open_link(study, "7")
    db.session.commit()
    if db.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer")
    readers.by_token(taker.token, hold=True)  # as a request that stores an answer does, until it ends
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(app.test_client().post, f"/join/{token}/")
        assert waiting.result(timeout=10).status_code == 303
    db.session.rollback()


def test_an_open_link_leads_where_readers_reach_the_server(app, owner, owned):
    owned()
    app.config["SETTINGS"].tunnel_address.write_text("https://tunnel.example")
    page = owner.post("/researcher/studies/mine/open-link", data={"cap": "2"}).text
    assert "https://tunnel.example/join/" in page


def test_an_open_link_lets_nobody_into_a_study_that_is_not_open(app, owner, owned):
    study = owned()
    link = local(links(owner.post("/researcher/studies/mine/open-link", data={"cap": "2"}))[0])
    lifecycle.close(study)
    db.session.commit()
    assert app.test_client().post(link).status_code == 403
    assert db.session.query(Reader).count() == 0


@pytest.mark.parametrize("cap", ["", "0", "many", "10001", "-3", "9" * 5000])
def test_a_cap_out_of_bounds_is_refused(owner, owned, cap):
    owned()
    assert owner.post("/researcher/studies/mine/open-link", data={"cap": cap}).status_code == 422
    assert lifecycle.find("mine").open_token_hash is None


@pytest.fixture
def told(owner, owned, invite):
    """A reader who gave a group, years and a workplace: the address of the page, and the reader."""
    taker = invite(owned(groups=["a", "b"], ask_years=True, questions=["Where?", "Trade: dentist | radiologist"]))
    about = {"group": "a", "years": "3", "question-1": "at home", "question-2": "dentist"}
    for path, said in (("welcome", {"consent": "yes"}), ("about", about)):
        assert taker.client.post(taker.url(path), data=said).status_code == 303
    return f"{READERS}/{db.session.query(Reader).one().id}"


def test_what_a_reader_told_is_put_right_on_record_and_without_what_it_was(owner, told):
    said = {"group": "b", "years": "30", "question-1": "in Zug", "email": "x@y.org", "reason": "mistyped"}
    assert owner.post(f"{told}/correct", data=said).status_code == 303
    reader = db.session.query(Reader).one()
    assert (reader.group, reader.years, reader.email) == ("b", 30, "x@y.org")
    assert reader.profile == {"Where?": "in Zug", "Trade": "dentist"}
    event = db.session.query(Event).filter_by(kind="reader-corrected").one()
    assert event.details == {
        "reader": "R1",
        "fields": ["group", "years", "email", "questions"],
        "reason": "mistyped",
    }
    assert "in Zug" in owner.get(told).text


def test_a_correction_that_cannot_be_is_refused_with_every_fault_and_changes_nothing(owner, told):
    said = {"group": "c", "years": "99", "question-1": " ", "question-2": "cook", "email": "x", "reason": ""}
    page = owner.post(f"{told}/correct", data=said)
    assert page.status_code == 422
    for fault in ("reason:", "group:", "years:", "question-1:", "question-2:", "email:"):
        assert fault in page.text
    assert owner.post(f"{told}/correct", data={"group": "a", "reason": "x"}).status_code == 422  # nothing new in it
    reader = db.session.query(Reader).one()
    assert (reader.group, reader.years, reader.email) == ("a", 3, None)
    assert db.session.query(Event).filter_by(kind="reader-corrected").count() == 0


def test_nothing_can_be_corrected_that_the_reader_is_still_to_be_asked(owner, owned, invite):
    invite(owned(groups=["a", "b"], ask_years=True))
    reader = db.session.query(Reader).one()
    said = {"group": "b", "years": "3", "email": "x@y.org", "reason": "asked by telephone"}
    assert owner.post(f"{READERS}/{reader.id}/correct", data=said).status_code == 303
    assert (reader.group, reader.years, reader.email) == (None, None, "x@y.org")


def test_everything_stored_about_a_reader_is_had_at_the_desk_and_that_is_on_record(owner, told):
    response = owner.post(f"{told}/export")
    assert response.headers["Content-Disposition"] == "attachment; filename=mine-R1.json"
    assert response.json["reader"]["profile"]["Where?"] == "at home"
    assert "truth" not in response.text
    assert db.session.query(Event).filter_by(kind="reader-exported").count() == 1
