"""How many statements an answer needs, on which connection, and which of them wait for the disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from quiz_app.database import db
from quiz_app.sittings import rows
from quiz_app.study import readers

MOST = 7  # statements of onset and answer together
ASIDE = ("SAVEPOINT", "SET LOCAL")  # what a transaction begins with


@contextmanager
def sent_to(engine: sa.Engine) -> Iterator[list[str]]:
    """The statements that are sent by `engine` meanwhile; an order for many rows is one."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        sent.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def reading(seat):
    """A reader in front of the second case."""
    return seat()


@pytest.fixture
def seat(make_study, invite):
    """Puts a reader before the second case of a study; settings as keywords."""
    return partial(seated, make_study, invite)


def seated(make_study, invite, **settings):
    taker = invite(make_study(practice=0, **settings)).enter()
    taker.go_on()
    taker.onset()
    taker.answer()
    db.session.remove()  # what one request has loaded, another has not
    return taker


def test_an_answer_takes_few_statements(app, reading):
    with sent_to(db.engine) as sent, sent_to(app.extensions["discern.looking"]) as looked:
        assert reading.onset().status_code == 200
        db.session.remove()
        assert reading.answer().status_code == 200
    asked = [statement for statement in sent if not statement.startswith(ASIDE)]
    assert 0 < len(asked) <= MOST, "\n\n".join(asked)
    assert looked == []


def test_an_answer_that_marks_follow_takes_one_statement_more_to_say_which_images(seat):
    asked = []
    for settings in ({"slug": "plain"}, {"slug": "marked", "marks": "optional"}):
        taker = seat(**settings)
        with sent_to(db.engine) as sent:
            assert taker.answer("synthetic").status_code == 200
        asked.append([statement for statement in sent if not statement.startswith(ASIDE)])
    plain, marked = asked
    assert len(marked) <= len(plain) + 1, "\n\n".join(marked)


def test_whoever_only_looks_goes_past_the_one_who_writes(app, reading):
    address = reading.trial["images"][0]["address"]
    with sent_to(db.engine) as sent, sent_to(app.extensions["discern.looking"]) as looked:
        for path in (address, reading.url("room"), reading.url("")):
            db.session.remove()
            assert reading.client.get(path).status_code in (200, 303)
    assert sent == []
    assert looked


def test_an_answer_waits_for_the_disk_and_an_onset_does_not(reading):
    asked, light = {"sqlite": ("PRAGMA synchronous", 1), "postgresql": ("SHOW synchronous_commit", "off")}[
        db.engine.dialect.name
    ]
    found = []

    def note(connection) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(asked)
        found.append(cursor.fetchone()[0] == light)

    sa.event.listen(db.engine, "commit", note)
    for request in (reading.onset, reading.answer, lambda: reading.post("next"), reading.onset, reading.answer):
        db.session.remove()
        assert request().status_code == 200
    sa.event.remove(db.engine, "commit", note)
    assert found == [True, False, False, True, False]


def test_nothing_is_written_where_one_only_looks(app, reading):
    with app.extensions["discern.looking"].connect() as looking, pytest.raises(sa.exc.DBAPIError, match=r"read-?only"):
        looking.execute(sa.text("UPDATE study SET title = 'another'"))


def test_who_writes_holds_the_reader_and_the_study_as_it_is(reading, monkeypatch):
    asked = []
    for room in (readers, rows):
        held = str(room.HELD.compile(dialect=postgresql.dialect())).strip()
        assert held.endswith("FOR UPDATE OF reader FOR SHARE OF study")  # SQLite has one writer at a time

        def noting(token, hold=False, by_token=room.by_token):
            asked.append(hold)
            return by_token(token, hold=hold)

        monkeypatch.setattr(room, "by_token", noting)
    reading.onset()
    reading.answer()
    reading.client.get(reading.url("room"))
    reading.client.post(reading.url("leave"))
    assert asked == [True, True, False, True]
