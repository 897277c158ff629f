"""Who may try to log in how often, counted by every process together where a Redis is set."""

import re
import signal

import httpx
import pytest

from quiz_app import create_app
from quiz_app.errors import SettingsError
from quiz_app.settings import Settings
from tests.server import wait_for_a_fresh_minute


class Guesser:
    """An attacker who tries passwords."""

    def __init__(self, server):
        self.client = httpx.Client(base_url=server.url)
        page = self.client.get("/researcher/login").text
        self.token = re.search(r'name="csrf_token" value="([^"]+)"', page).group(1)

    def guess(self):
        form = {"name": "admin", "password": "guess", "csrf_token": self.token}
        return self.client.post("/researcher/login", data=form).status_code


@pytest.fixture
def guessers(serve):
    """Guessers at two processes with the same settings."""
    at = []

    def start(**settings):
        at.extend(Guesser(serve(**settings)) for _ in range(2))
        return at

    yield start
    for guesser in at:
        guesser.client.close()


def test_without_redis_each_process_counts_its_own(guessers):
    one, other = guessers()
    wait_for_a_fresh_minute()
    assert [one.guess() for _ in range(11)] == [403] * 10 + [429]
    assert other.guess() == 403


def test_with_redis_all_processes_count_together_and_go_on_when_it_dies(guessers, redis):
    url, process = redis
    one, other = guessers(redis_url=url)
    wait_for_a_fresh_minute()
    assert [guesser.guess() for guesser in (one, other) * 5] == [403] * 10
    assert [one.guess(), other.guess()] == [429, 429]
    process.kill()
    process.wait()
    assert one.guess() == 403  # counted by itself from here
    assert [one.guess() for _ in range(11)][-1] == 429


def test_a_redis_that_is_stuck_keeps_nobody_from_logging_in(guessers, redis):
    url, process = redis
    one, _ = guessers(redis_url=url)
    assert one.guess() == 403
    process.send_signal(signal.SIGSTOP)
    assert one.guess() == 403
    process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("url", ["nonsense", "redis://127.0.0.1:port"])
def test_a_redis_address_that_is_none_is_named(tmp_path, url):
    with pytest.raises(SettingsError, match=r"redis_url: .*redis://HOST:PORT"):
        create_app(Settings.load({}, instance=tmp_path, redis_url=url))
