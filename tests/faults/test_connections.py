"""Lines that are slow, cut or truncated, and browsers that send everything twice, to two servers at once."""

import json
import random
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import httpx
import pytest

from quiz_app import simulation
from quiz_app.database import db
from quiz_app.study import readers
from tests.server import Server
from tests.sitters import assert_proven, counted, query, said, wait_until

SLOW = 40


@pytest.fixture
def raw():
    """A connection to the server below HTTP."""
    with ExitStack() as opened:
        yield lambda server: opened.enter_context(
            closing(socket.create_connection(("127.0.0.1", int(server.address.rpartition(":")[2])), 20))
        )


def request_of(sitter, body):
    """The bytes of an answer."""
    path = f"{sitter.client.base_url.path}trials/{sitter.trial}/answer"
    sent = json.dumps({"lease": sitter.lease} | body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
    return head.encode() + sent


def cut_off(connection):
    """Reset the connection, as a dying line does: the other side gets nothing more, and no farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_a_truncated_answer_changes_nothing_wherever_it_ends(app, make_study, launch, sit, raw):
    server = launch(Server)
    sitter, body = sit(server, make_study()), said()
    sent = request_of(sitter, body)
    for length in sorted(random.Random(5).sample(range(1, len(sent)), 12)):
        connection = raw(server)
        connection.sendall(sent[:length])
        cut_off(connection)
    time.sleep(0.3)
    assert counted() == 0
    assert sitter.answer(body).json()["repeated"] is False


def test_an_answer_whose_acknowledgement_is_cut_off_is_there_once_and_told_again(app, make_study, launch, sit, raw):
    server = launch(Server)
    sitter, body = sit(server, make_study()), said()
    connection = raw(server)
    connection.sendall(request_of(sitter, body))
    wait_until(lambda: counted() == 1)
    cut_off(connection)  # before anything is read of it
    told = sitter.answer(body).json()
    assert (told["repeated"], told["saved"]["id"]) == (True, body["id"])
    assert counted() == 1


def test_slow_connections_hold_up_no_reader(app, make_study, launch, sit, raw):
    server = launch(Server)
    study = make_study(practice=3)
    slow, body = sit(server, study), said()
    sent, slug = request_of(slow, body), study.slug
    db.session.remove()
    crawling = [raw(server) for _ in range(SLOW)]
    stop = threading.Event()

    def crawl():
        for byte in range(len(sent) - 1):
            if stop.wait(0.02):
                return
            for connection in crawling:
                connection.sendall(sent[byte : byte + 1])

    thread = threading.Thread(target=crawl)
    thread.start()
    try:
        outcomes = simulation.run(app, slug, 3, url=server.url)
    finally:
        stop.set()
        thread.join()
    assert [(outcome.refusal, outcome.retries) for outcome in outcomes] == [("", 0)] * 3
    assert counted() == 3 * 15  # of the slow ones none had come to its end


class Twice:
    """A browser that sends everything twice at once, each time to another of two servers."""

    def __init__(self, servers, token):
        self.clients = [httpx.Client(base_url=f"{server.url}/r/{token}", timeout=60) for server in servers]
        self.threads = ThreadPoolExecutor(2)
        self.lease = ""

    def close(self):
        self.threads.shutdown()
        for client in self.clients:
            client.close()

    def post(self, path, form=None, **body):
        barrier = threading.Barrier(2)
        what = {"data": form} if form is not None else {"json": {"lease": self.lease} | body}

        def send(client):
            barrier.wait()
            for _ in range(50):
                if (response := client.post(path, **what)).status_code != 503:  # which asks to be tried again
                    return response
                time.sleep(0.05)
            raise AssertionError(f"{path}: {response.text}")

        return list(self.threads.map(send, self.clients))

    def told(self, path, **body):
        """The answers of both, as JSON; where one is refused, because the other was first, that of the other."""
        responses = self.post(path, **body)
        assert all(response.status_code in (200, 409) for response in responses)
        return [response.json() for response in responses if response.status_code == 200]

    def sit_through(self):
        """The whole study; returns how many answers were acknowledged as new."""
        for page, form in (("welcome", {"consent": "yes"}), ("about", {}), ("instructions", {})):
            assert {response.status_code for response in self.post(page, form)} == {303}
        new = 0
        leases = [told["lease"] for told in self.told("claim")]
        self.lease = next(lease for lease in leases if self.is_mine(lease))
        step = self.told("next")[0]["step"]
        while step["kind"] != "done":
            if step["kind"] == "trial":
                trial = step["trial"]["trial"]
                self.told(f"trials/{trial}/onset")
                both = self.told(f"trials/{trial}/answer", **said())
                new += sum(not told["repeated"] for told in both)
                assert len(both) == 2
                assert both[0]["saved"] == both[1]["saved"]
            else:
                assert self.told("continue")
            step = self.told("next")[0]["step"]
        return new

    def is_mine(self, lease):
        return self.clients[0].post("next", json={"lease": lease}).status_code == 200


def test_a_browser_that_sends_everything_twice_to_two_servers_has_one_sitting(app, make_study, launch):
    study = make_study(break_every=5, practice=3)
    tokens = [readers.invite(study, f"R{number}")[1] for number in range(3)]
    db.session.commit()
    servers = [launch(Server), launch(Server)]
    twices = [Twice(servers, token) for token in tokens]
    try:
        with ThreadPoolExecutor(3) as threads:
            assert list(threads.map(Twice.sit_through, twices)) == [15] * 3
    finally:
        for twice in twices:
            twice.close()
    assert counted() == 3 * 15
    assert query("SELECT count(*), count(finished_at) FROM sitting")[0] == (3, 3)
    assert query("SELECT count(*) FROM event WHERE kind = 'sitting-finished'")[0][0] == 3
    assert_proven(app)
