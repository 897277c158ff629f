"""The server and its workers are killed at random while readers answer.

`DISCERN_FAULTS_KILLS=500 DISCERN_FAULTS_READERS=50 pytest tests/faults/test_killed.py` is the long run.
"""

import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import sqlalchemy as sa

from quiz_app import simulation
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Reader
from tests.sitters import assert_whole, counted, wait_until

KILLS = int(os.environ.get("DISCERN_FAULTS_KILLS", "20"))
READERS = int(os.environ.get("DISCERN_FAULTS_READERS", "10"))
WHOLE = 0.2  # of the kills take the parent too; the others one worker


def test_kills_at_random_lose_nothing_and_every_sitting_goes_on(app, make_study, launch):
    slug = make_study(break_every=5, practice=3).slug
    db.session.remove()
    server, rng, enough = launch(), random.Random(20260711), threading.Event()
    outcomes = []

    def read():
        while not enough.is_set():
            try:
                outcomes.extend(simulation.run(app, slug, READERS, url=server.url))
            except InvalidInputError:  # just then there was no server to begin with: these readers never came
                with app.app_context():
                    db.session.execute(sa.delete(Reader).where(~Reader.sittings.any()))
                    db.session.commit()
                    db.session.remove()

    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(read)
        try:
            wait_until(lambda: counted() > 0 or reading.done())
            for _ in range(KILLS):
                time.sleep(rng.uniform(0.02, 0.4))
                if rng.random() < WHOLE:
                    server.kill()
                    server.start()
                else:
                    wait_until(server.workers)
                    with suppress(ProcessLookupError):
                        os.kill(rng.choice(server.workers()), signal.SIGKILL)
        finally:
            enough.set()
        reading.result()
    assert_whole(app, outcomes, answers_each=15)
    retries = sum(outcome.retries for outcome in outcomes)
    print(f"{KILLS} kills, {len(outcomes)} readers, {counted()} answers, {retries} requests sent again")
    assert retries > 0
