"""Invitations and reminders to copy or send, and actions on several readers at once."""

import base64
import csv
import email
import io
import zipfile
from email import policy
from urllib.parse import unquote

import pytest

from quiz_app.database import db
from quiz_app.models import Event, Reader
from quiz_app.study import letters, readers

READERS = "/researcher/studies/mine/readers"
SELECTED = f"{READERS}/selected"
CLOSES = "2099-03-01T13:00+01:00"


def embedded(page, kind):
    """The files of this type that a page carries."""
    return [base64.b64decode(part.split('"')[0]) for part in page.split(f"data:{kind};base64,")[1:]]


def test_an_invitation_carries_the_link_to_copy_to_merge_and_to_send(owner, owned):
    owned(closes=CLOSES)
    page = owner.post(READERS, data={"pseudonyms": "R1,,one@example.org\nR2"}).text
    rows = list(csv.DictReader(io.StringIO(embedded(page, "text/csv")[0].decode())))
    assert [row["email"] for row in rows] == ["one@example.org", ""]
    for row in rows:
        assert row["link"] in row["message"]
        assert "open until 1 March 2099, 12:00 UTC" in row["message"]
    address = page.split('href="mailto:one%40example.org?')[1].split('"')[0]
    assert rows[0]["link"] in unquote(address.replace("&amp;", "&"))
    with zipfile.ZipFile(io.BytesIO(embedded(page, "application/zip")[0])) as files:
        assert files.namelist() == ["R1.eml"]
        message = email.message_from_bytes(files.read("R1.eml"), policy=policy.default)
    assert message["To"] == "one@example.org"
    assert message.get_content().replace("\r\n", "\n").strip() == rows[0]["message"]


def test_the_closing_date_comes_as_a_calendar_entry(owned):
    study = owned(closes=CLOSES)
    study.title = "Zähne, echt oder nicht; " * 8
    text = letters.calendar(study)
    assert b"DTSTART:20990301T110000Z\r\nDTEND:20990301T120000Z" in text
    assert all(len(line) <= 75 for line in text.split(b"\r\n"))
    assert "Zähne\\, echt oder nicht\\; " * 8 in text.decode().replace("\r\n ", "")
    assert letters.calendar(owned(slug="other")) is None


def test_only_readers_with_something_left_are_reminded_each_of_their_own(owner, owned, invite, reader_called):
    study = owned(cases=4, practice=0, closes=CLOSES)
    invite(study, "R1").enter().finish()
    begun = invite(study, "R2").enter()
    begun.go_on()
    begun.onset()
    begun.answer()
    invite(study, "R3")
    readers.extend(reader_called("R3"), "2099-05-01T08:00+00:00", "ill")
    db.session.commit()
    numbers = [reader_called(name).id for name in ("R1", "R2", "R3")]
    page = owner.post(SELECTED, data={"deed": "remind", "reader": numbers}).text
    rows = {
        row["reader"]: row["message"] for row in csv.DictReader(io.StringIO(embedded(page, "text/csv")[0].decode()))
    }
    assert list(rows) == ["R2", "R3"]
    assert "answered 1 of 4 cases" in rows["R2"]
    assert "have not started yet" in rows["R3"]
    assert [name for name, message in rows.items() if "where you stopped" in message] == ["R2"]
    assert "open until 1 March 2099" in rows["R2"]
    assert "open for you until 1 May 2099" in rows["R3"]
    assert "1 of the selected readers has nothing left to do" in page
    assert not embedded(page, "application/zip")
    assert owner.post(SELECTED, data={"deed": "remind", "reader": numbers[:1]}).status_code == 422


@pytest.mark.parametrize(("deed", "kind"), [("extend", "reader-extended"), ("revoke", "reader-revoked")])
def test_several_are_extended_or_lose_their_links_all_or_none(owner, owned, deed, kind):
    study = owned()
    numbers = [readers.invite(study, name)[0].id for name in ("R1", "R2", "R3")]
    db.session.commit()
    said = {"deed": deed, "reader": [*numbers[:2], numbers[0]], "until": CLOSES}
    assert owner.post(SELECTED, data=said).status_code == 422  # without a reason
    assert owner.post(SELECTED, data=said | {"reader": [*numbers[:2], 999], "reason": "x"}).status_code == 404
    assert db.session.query(Event).filter_by(kind=kind).count() == 0
    assert owner.post(SELECTED, data=said | {"reason": "holidays"}).status_code == 303
    assert db.session.query(Event).filter_by(kind=kind).count() == 2
    db.session.expire_all()
    changed = [bool(one.revoked_at or one.closes_at) for one in db.session.query(Reader).order_by(Reader.id)]
    assert changed == [True, True, False]


@pytest.mark.parametrize(
    "said", [{}, {"deed": "dance", "reader": 1}, {"deed": "remind"}, {"deed": "remind", "reader": "9" * 5000}]
)
def test_nothing_chosen_and_unknown_deeds_are_refused(owner, owned, said):
    readers.invite(owned(), "R1")
    db.session.commit()
    assert owner.post(SELECTED, data=said).status_code == 422


def test_readers_of_another_study_cannot_be_chosen(owner, owned):
    theirs, _ = readers.invite(owned(slug="other"), "R1")
    owned()
    db.session.commit()
    assert owner.post(SELECTED, data={"deed": "remind", "reader": theirs.id}).status_code == 404
