"""The desk says who can come back for the next part and since when, and has the text of a reminder."""

from datetime import timedelta

import pytest

from quiz_app import clock
from quiz_app.database import db
from quiz_app.sittings import returning, start
from quiz_app.study import lifecycle, readers

DAY = 24 * 3600


@pytest.fixture
def waiting(conditioned, owner, time):
    """A study with a washout of two days: R1 has finished a part, R2 did so a day later, R3 is in the middle."""
    study = conditioned("mine", washout_days=2)
    study.owner_id = owner.researcher.id
    for name in ("R1", "R2", "R3"):
        reader, _ = readers.invite(study, name, email=f"{name.lower()}@clinic.example")
        start.begin(reader)
        if name != "R3":
            reader.sitting.finished_at = clock.now()
            time.forward(DAY)
    db.session.commit()
    return study


def told_at(moment):
    return f'<time datetime="{moment.isoformat(timespec="seconds")}">{moment:%Y-%m-%d %H:%M} UTC</time>'


def told(study):
    return [(one.reader, one.part, one.may_come, one.cut_short) for one in returning.returning(db.session(), study)]


def test_the_desk_says_who_may_come_back_and_since_when(waiting, owner, time):
    assert told(waiting) == [("R1", 2, True, False), ("R2", 2, False, False)]
    since = waiting.readers[0].sitting.finished_at + timedelta(days=2)
    page = owner.get("/researcher/studies/mine/readers").text
    assert f"now</strong>, since {told_at(since)}" in page
    assert f"from {told_at(since + timedelta(days=1))}" in page
    assert page.count("mailto:") == 1
    assert "The next part of &#34;A trial run&#34; is ready for you." in page
    assert "Næste del af" in page
    assert "Der nächste Teil von" in page
    assert "1 reader can start the next part now" in owner.get("/researcher/studies/mine/").text
    time.forward(DAY)
    assert "2 readers can start the next part now" in owner.get("/researcher/studies/mine/").text


def test_who_began_the_next_part_left_or_lost_the_link_is_not_reminded(waiting, time):
    time.forward(DAY)
    assert [name for name, *_ in told(waiting)] == ["R1", "R2"]
    start.begin_next(waiting.readers[0])
    assert [name for name, *_ in told(waiting)] == ["R2"]
    waiting.readers[1].revoked_at = clock.now()
    assert told(waiting) == []
    waiting.readers[1].revoked_at, waiting.readers[1].withdrawn_at = None, clock.now()
    assert told(waiting) == []
    waiting.readers[1].withdrawn_at = None
    assert len(told(waiting)) == 1
    lifecycle.close(waiting)
    assert told(waiting) == []


def test_a_closing_date_within_a_readers_washout_is_named(waiting, owner):
    waiting.readers[1].closes_at = waiting.readers[1].sitting.finished_at + timedelta(days=1, hours=1)
    db.session.commit()
    assert told(waiting)[1] == ("R2", 2, False, True)
    assert "too late:</strong> the closing date is" in owner.get("/researcher/studies/mine/readers").text.replace(
        "&#39;", "'"
    )


def test_where_all_is_read_in_one_part_nobody_comes_back(make_study, owned, owner, invite):
    invite(owned(practice=0)).enter().finish()
    assert "Between two parts" not in owner.get("/researcher/studies/mine/readers").text
