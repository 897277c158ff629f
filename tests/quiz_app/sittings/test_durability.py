"""Servers as real processes: what was acknowledged is kept, whatever happens to the server."""

import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from quiz_app import simulation
from quiz_app.database import db
from tests.sitters import counted, said, stored


def test_a_server_killed_in_mid_study_loses_no_acknowledged_answer(app, make_study, serve):
    slug = make_study(break_every=5, cases=8).slug
    db.session.remove()
    server = serve()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(simulation.run, app, slug, 3, url=server.url)
        for killed_at in (8, 20):
            while counted() < killed_at:
                time.sleep(0.01)
            server.kill()
            server.start()
        outcomes = running.result()
    assert [outcome.refusal for outcome in outcomes] == [""] * 3
    assert sum(outcome.retries for outcome in outcomes) > 0
    acknowledged = {saved["trial"]: saved for outcome in outcomes for saved in outcome.saved}
    kept = stored()
    assert len(acknowledged) == len(kept) == counted() == 3 * 11
    for trial, answer in kept.items():
        assert acknowledged[trial] == answer | {"late": bool(answer["late"])}


@pytest.mark.parametrize("same_id", [True, False])
def test_of_ten_answers_at_once_one_is_stored_and_all_are_acknowledged(app, make_study, serve, sit, same_id):
    sitter = sit(serve(), make_study())
    barrier, first = threading.Barrier(10), said()

    def send(number):
        body = first if same_id else said() | {"answer": ("real", "synthetic")[number % 2]}
        barrier.wait()
        return sitter.answer(body)

    with ThreadPoolExecutor(10) as threads:
        responses = list(threads.map(send, range(10)))
    assert [response.status_code for response in responses] == [200] * 10
    told = [response.json() for response in responses]
    assert [answer["repeated"] for answer in told].count(False) == 1
    assert all(answer["saved"] == told[0]["saved"] for answer in told)
    assert counted() == 1


def test_two_processes_write_to_one_database_without_a_fault(app, make_study, serve):
    slug = make_study(break_every=4, cases=8).slug
    db.session.remove()
    urls = [serve().url, serve().url]
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(simulation.run, app, slug, 3, url=urls[0])]
        while counted() == 0:  # the readers of the second are numbered on
            time.sleep(0.01)
        runs.append(threads.submit(simulation.run, app, slug, 3, url=urls[1]))
        outcomes = [outcome for run in runs for outcome in run.result()]
    assert [(outcome.refusal, outcome.retries) for outcome in outcomes] == [("", 0)] * 6
    assert counted() == 6 * 11


def test_a_full_disk_acknowledges_nothing_and_loses_nothing(app, make_study, serve, sit):
    if db.engine.dialect.name != "sqlite":
        pytest.skip("the disk that fills up is another server's")
    server = serve()
    sitter = sit(server, make_study())
    first = said()
    _, unlimited = resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    for _ in range(3):
        refused = sitter.answer(first)
        assert refused.status_code == 503
        assert refused.json()["error"] == "not-stored"
    refusal = sitter.client.post("next", json={"lease": "of another page"})  # which belongs on record
    assert (refusal.status_code, refusal.json()["error"]) == (503, "not-stored")
    assert counted() == 0
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
    assert sitter.answer(first).json()["repeated"] is False
    assert counted() == 1
