"""The clock of the server steps by an hour, forth and back, while readers answer."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from quiz_app import simulation
from quiz_app.database import db
from tests.server import Server
from tests.sitters import assert_whole, counted, query, said, wait_until

HOUR = 3600


class Clocked(Server):
    """A server whose clock the test steps."""

    factory = "tests.faults.clocked"


@pytest.fixture
def offset(app):
    """Sets the server's clock off by this many seconds."""
    file = app.config["SETTINGS"].instance / "offset"

    def step(seconds):
        new = file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(file)

    step(0)
    return step


def test_a_clock_that_steps_loses_no_answer_and_stops_no_sitting(app, make_study, launch, offset):
    slug = make_study(practice=3, limit_s=20).slug
    db.session.remove()
    server = launch(Clocked)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(simulation.run, app, slug, 4, url=server.url)
        for seconds in (HOUR, 0, -HOUR, 0, -HOUR, HOUR, 0):
            before = counted()
            wait_until(lambda before=before: counted() > before + 3 or running.done())
            offset(seconds)
        outcomes = running.result()
    assert_whole(app, outcomes, answers_each=15)
    assert query("SELECT count(*) FROM trial WHERE response_ms < 0")[0][0] == 0


def test_a_clock_stepped_back_within_a_trial_gives_no_time_and_takes_none(app, make_study, launch, offset, sit):
    """An hour back between onset and answer: the server cannot tell how long it took, and does not say the answer came
    before its image. Nor does the reader get an hour more to look."""
    sitter = sit(launch(Clocked), make_study(limit_s=20))
    sitter.client.post(f"trials/{sitter.trial}/onset", json={"lease": sitter.lease})
    offset(-HOUR)
    step = sitter.client.post("next", json={"lease": sitter.lease}).json()["step"]
    assert step["trial"]["remaining_ms"] <= 20_000
    saved = sitter.answer(said() | {"client_ms": 1500}).json()["saved"]
    assert (saved["response_ms"], saved["late"]) == (None, False)


def test_after_a_step_back_the_browsers_time_says_whether_an_answer_was_late(app, make_study, launch, offset, sit):
    sitter = sit(launch(Clocked), make_study(limit_s=1))
    sitter.client.post(f"trials/{sitter.trial}/onset", json={"lease": sitter.lease})
    offset(-HOUR)
    time.sleep(0.1)
    assert sitter.answer(said() | {"client_ms": 1500}).json()["saved"]["late"] is True
