"""How often an answer goes to the database."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from quiz_app.database import db

MOST = 8  # statements of onset and answer together


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are sent to the database meanwhile; an order for many rows is one."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "SAVEPOINT")):
            sent.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)


@pytest.mark.parametrize("settings", [{}, {"practice": 3, "practice_feedback": False}])
def test_an_answer_takes_few_statements(make_study, invite, settings):
    taker = invite(make_study(**{"practice": 0} | settings)).enter()
    if taker.step["kind"] == "begin":
        taker.go_on()
    taker.onset()
    taker.answer()
    db.session.remove()  # what one request has loaded, another has not
    with counted() as sent:
        assert taker.onset().status_code == 200
        db.session.remove()
        assert taker.answer().status_code == 200
    assert len(sent) <= MOST, "\n\n".join(sent)
