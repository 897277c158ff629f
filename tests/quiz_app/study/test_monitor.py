"""The live page shows who is reading, their progress and pace, and what is unusual, but nothing about the truth."""

import re
from dataclasses import replace

import pytest

from quiz_app.database import db, reading
from quiz_app.models import Mirror, Trial
from quiz_app.sittings import start
from quiz_app.study import lifecycle, monitor, readers

LIVE = "/researcher/studies/mine/live"


@pytest.fixture
def row(app):
    """The progress of a reader as a look at the database tells it."""

    def find(pseudonym="R1", slug="mine"):
        with reading() as session:
            return {row.reader: row for row in monitor.progress(session, lifecycle.find(slug))}[pseudonym]

    return find


def test_the_state_follows_the_reader_through_the_door(owned, invite, row, time):
    study = owned(practice=1, ask_years=True)
    taker = invite(study)
    states = [row().state]
    for path, form in (("welcome", {"consent": "yes"}), ("about", {"years": "5"}), ("instructions", {})):
        taker.client.post(taker.url(path), data=form)
        states.append(row().state)
    taker.claim().answer()
    states.append(row().state)  # its truth is shown
    while taker.step["kind"] != "trial":
        taker.go_on()
    states.append(row().state)
    taker.answer(pause=True)
    states.append(row().state)
    taker.go_on()
    taker.finish()
    states.append(row().state)
    assert states == ["invited", "consented", "instructions", "practice", "practice", "reading", "paused", "finished"]
    readers.revoke(readers.by_token(invite(study, "R2").token), "left")
    db.session.commit()
    assert row("R2").state == "revoked"


def test_a_reader_of_whom_nothing_is_heard_is_away(owned, invite, row, time):
    taker = invite(owned(practice=0)).enter()
    taker.go_on()
    assert row().is_on
    time.forward(monitor.AWAY_AFTER.total_seconds() + 1)
    assert not row().is_on


def test_pace_breaks_reloads_late_and_lost_lines_are_counted(owned, invite, row, time):
    taker = invite(owned(practice=0, break_every=2, interval_ms=0)).enter()
    taker.go_on()
    for _ in range(2):
        taker.onset()
        time.forward(3)
        taker.answer(client_ms=3000)
    assert (row().mean_ms, row().minutes_left(0), row().breaks) == (3000, 1, 0)
    taker.go_on()
    time.forward(20)  # nothing could be painted
    taker.claim().onset()
    time.forward(13)
    taker.answer(client_ms=13_000)
    found = row()
    assert (found.answered, found.total, found.late, found.breaks, found.reloads, found.lost_lines) == (
        3,
        12,
        1,
        1,
        1,
        1,
    )
    assert found.unusual == {}


def test_images_that_failed_are_counted_for_each_reader(owner, owned, invite, row):
    study = owned(practice=0)
    taker, _ = invite(study).enter(), invite(study, "R2").enter()
    taker.go_on()
    taker.post(f"trials/{taker.trial['trial']}/failed", reason="not-fetched")
    taker.answer()
    taker.post(f"trials/{taker.trial['trial']}/failed", reason="not-decoded")
    assert [row(name).failed_images for name in ("R1", "R2")] == [2, 0]
    page = owner.get(LIVE).text
    headers, cells = page.split("<thead>")[1].split("</thead>")[0], page.split("<tbody>")[1].split("</tr>")[0]
    place = re.findall(r"<th[^>]*>(.*?)</th>", headers).index("Images failed")
    assert re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", cells, re.DOTALL)[place] == "2"


def test_impossible_times_are_flagged(owned, invite, row, time):
    taker = invite(owned(practice=0)).enter()
    taker.go_on()
    taker.onset()
    time.forward(0.2)
    taker.answer(client_ms=200)
    time.forward(1)
    taker.answer()  # no onset was told
    taker.onset()
    time.forward(3)
    taker.answer(client_ms=60_000)
    taker.onset()
    time.forward(301)
    taker.answer(client_ms=301_000)
    expected = {"implausibly fast": 1, "over 5 minutes": 1, "answered unseen": 1, "clock mismatch": 1}
    assert row().unusual == expected


def test_after_a_reset_the_latest_sitting_is_watched(owned, invite, row):
    study = owned(practice=0)
    taker = invite(study).enter()
    taker.go_on()
    taker.answer()
    start.reset(study.readers[0], "fire alarm")
    db.session.commit()
    assert (row().answered, row().total, row().state) == (0, 12, "instructions")


def test_the_page_and_its_moving_part_tell_the_same_and_nothing_of_truth(owner, owned, invite):
    invite(owned()).enter().finish()
    page, part = owner.get(LIVE).text, owner.get(f"{LIVE}?part=1").text
    assert "1 of 1 finished, 12 answers" in page
    assert part.split("<tbody>")[1].split("</tbody>")[0] in page
    assert "<html" not in part
    sources = {case.source for trial in db.session.query(Trial) for case in [trial.cases[0].case]}
    for telling in ("synthetic", "correct", *sources):
        assert telling not in part


def test_how_the_mirror_does_is_told_where_there_is_one(app, owner, owned, invite, time):
    study = owned(practice=0)
    assert "Firestore" not in owner.get(LIVE).text
    app.config["SETTINGS"] = replace(app.config["SETTINGS"], firestore_credentials="key.json")
    assert "0 answer rows sent," in owner.get(LIVE).text
    invite(study).enter().finish()
    db.session.add(Mirror(id=1, project="demo", last_error="Firestore cannot be reached; it is tried again."))
    db.session.commit()
    time.forward(90)
    for address in (LIVE, f"{LIVE}?part=1"):
        told = " ".join(owner.get(address).text.split())
        assert (
            "0 answer rows sent, 12 waiting, the oldest for 90 s. Firestore cannot be reached; it is tried again."
            in told
        )


def test_looking_holds_up_no_writer(app, owner, owned):
    owned()
    db.session.query(Trial).count()  # begins a transaction that may write, and keeps it
    assert owner.get(LIVE).status_code == 200
