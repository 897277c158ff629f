"""The live page is created once a second for all viewers, and shared by all processes if Redis is set."""

import re
import signal

import httpx
import pytest
import redis as redis_client

from quiz_app import create_app
from quiz_app.caching import FRESH_S, cache
from quiz_app.database import db
from quiz_app.researcher import studies
from quiz_app.study import lifecycle, monitor
from tests.quiz_app.conftest import PASSWORD

LIVE = "/researcher/studies/mine/live?part"


@pytest.fixture
def kept(app):
    """As a server has it: looks are kept in this process."""
    cache.init_app(app, {"CACHE_TYPE": "SimpleCache"})


@pytest.fixture
def made(monkeypatch):
    """Counts how often the rows are created; what is created stays fresh."""
    count, progress = [], monitor.progress
    monkeypatch.setattr(monitor, "progress", lambda *given: count.append(1) or progress(*given))
    monkeypatch.setattr(studies._moving_part, "cache_timeout", 3600)
    return count


def test_many_looks_are_made_once_and_each_study_is_its_own(kept, made, owner, owned):
    owned()
    owned("other")
    first = owner.get(LIVE).text
    assert [owner.get(LIVE).text for _ in range(4)] == [first] * 4
    assert first in owner.get(LIVE.removesuffix("?part")).text
    assert len(made) == 1
    owner.get(LIVE.replace("mine", "other"))
    assert len(made) == 2


def test_what_was_kept_while_truth_could_be_seen_is_not_shown_to_the_blinded(kept, made, owner, owned):
    study = owned()
    lifecycle.close(study)
    db.session.commit()
    assert not study.blinded
    owner.get(LIVE)
    study.state, study.closed_at = "open", None
    db.session.commit()
    assert study.blinded
    owner.get(LIVE)
    assert len(made) == 2


def test_what_is_kept_is_shown_to_nobody_who_may_not_look(kept, made, owner, owned, log_in, app):
    owned()
    assert owner.get(LIVE).status_code == 200
    assert log_in("stranger").get(LIVE).status_code == 403
    assert app.test_client().get(LIVE).status_code == 302


class Watcher:
    """A researcher in front of the live page of a running server."""

    def __init__(self, server, name):
        self.client = httpx.Client(base_url=server.url)
        page = self.client.get("/researcher/login").text
        token = re.search(r'name="csrf_token" value="([^"]+)"', page).group(1)
        self.client.post("/researcher/login", data={"name": name, "password": PASSWORD, "csrf_token": token})

    def look(self):
        return self.client.get(LIVE)


@pytest.fixture
def watchers(app, serve, redis, owner, owned):
    """Two clients, each with its own process, sharing one Redis."""
    owned()
    db.session.remove()
    watchers = [Watcher(serve(redis_url=redis[0]), "ada") for _ in range(2)]
    yield watchers
    for watcher in watchers:
        watcher.client.close()


def test_with_redis_processes_share_what_one_of_them_made_for_a_second_at_most(watchers, redis):
    one, other = watchers
    client = redis_client.Redis.from_url(redis[0])
    with client.monitor() as commands:
        said = one.look().text
        heard = next(told["command"] for told in commands.listen() if " EX " in told["command"])
    assert heard.endswith(f" EX {FRESH_S}")
    (key,) = re.findall(r"SET (discern-[0-9a-f]{16}-live-1-blinded) ", heard)
    client.set(key, said + "<p>kept</p>")
    assert one.look().text == other.look().text == client.get(key).decode()
    client.set(key, b"\x80\x04N.")  # a pickle
    assert other.look().text.strip().startswith("<p")
    client.close()


@pytest.mark.parametrize("trouble", [signal.SIGKILL, signal.SIGSTOP])
def test_a_redis_that_is_dead_or_stuck_takes_no_page_down(watchers, redis, trouble):
    redis[1].send_signal(trouble)
    told = [watcher.look() for watcher in watchers * 2]
    assert [look.status_code for look in told] == [200] * 4
    if trouble == signal.SIGSTOP:
        redis[1].send_signal(signal.SIGCONT)


def test_installations_with_one_redis_keep_apart(app, redis, tmp_path):
    from quiz_app.settings import Settings

    prefixes = set()
    for number in range(2):
        other = create_app(Settings.load({}, instance=tmp_path / str(number), redis_url=redis[0]))
        prefixes.add(other.extensions["cache"][cache].key_prefix)
    assert len(prefixes) == 2
