"""Every address of the application, asked for whatever hypothesis thinks of: no 500, and nothing is given away.

A share of it runs with the tests. For longer: DISCERN_FUZZ_MINUTES=10 pytest tests/quiz_app/test_fuzz_http.py
"""

import itertools
import json
import os
import time
import uuid

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from quiz_app.database import db
from quiz_app.models import Case, Reader, Study, TrialCase
from quiz_app.security import limiter
from quiz_app.study import readers
from tests.quiz_app.test_authorisation import apart  # noqa: F401  (a fixture)

MINUTES = float(os.environ.get("DISCERN_FUZZ_MINUTES", "0"))
BATCH = 400
# These start a process for each request; tests of their own send them what is wrong.
STARTING = {
    f"researcher.{view}"
    for view in ("bring_pool", "look_at_pool", "make_archive", "make_report", "restore_archive", "search")
}

ODD = [
    "",
    "yes",
    "delete",
    "keep",
    "mine",
    "noise",
    "R1",
    "viewer",
    "owner",
    "2099-01-01",
    "0",
    "-1",
    "1e999",
    "\0",
    "../..",
]
ODD += [
    "%00",
    "' OR 1=1 --",
    "${7*7}",
    "{{7*7}}",
    "<script>",
    "=1+1",
    "untimed",
    "real",
    "synthetic",
    "full",
    "partial",
]
ODD += ["sealed", "clear", "not-fetched", "a,b\nc,d", "\u202e", "٣"]
TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from([*ODD, "9" * 5000, "é" * 600, "[" * 5000]),
)
NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([0, 1, -1, 2**31, 2**63, 2**64, 10**400, float("nan"), float("inf")])
)
WILD = st.one_of(TEXTS, st.just("\ud800"))  # in JSON alone can half a letter be sent
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, WILD),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)
NAMES = (
    "lease id answer certainty viewer client_ms pause reason way chosen realism criteria consent group years device "
    "answers read name password next old new again title slug pool preset plan archive file pseudonyms email cap until "
    "role admin limit_s cases tools groups questions closes welcome repeats practice width height sets stop incomplete "
    "text class-0 class-1 limit modality since until description with part away question-1 zoom_max frames cut"
)
FIELDS = st.sampled_from(NAMES.split())
METHODS = st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
HEADS = st.dictionaries(
    st.sampled_from(
        [
            "Host",
            "Accept-Language",
            "Content-Type",
            "X-Forwarded-For",
            "Range",
            "If-None-Match",
            "Cookie",
            "Origin",
            "If-Modified-Since",
            "Content-Length",
            "Transfer-Encoding",
            "Accept",
            "Referer",
        ]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60),
    max_size=2,
)
BODIES = st.one_of(
    st.dictionaries(FIELDS, TEXTS, max_size=6).map(lambda form: {"data": form}),
    st.dictionaries(FIELDS, PLAIN, max_size=8).map(
        lambda body: {"data": json.dumps(body), "content_type": "application/json"}
    ),
    PLAIN.map(lambda body: {"data": json.dumps(body), "content_type": "application/json"}),
    st.binary(max_size=300).map(lambda data: {"data": data, "content_type": "application/json"}),
    st.binary(max_size=300).map(lambda data: {"data": data, "content_type": "multipart/form-data; boundary=x"}),
    st.binary(max_size=300).map(lambda data: {"data": data, "content_type": "application/x-www-form-urlencoded"}),
)
SAID = st.fixed_dictionaries(
    {
        "lease": st.just("LEASE"),
        "id": st.one_of(st.builds(lambda: str(uuid.uuid4())), TEXTS, PLAIN),
        "answer": st.one_of(st.sampled_from(["real", "synthetic", "unsure"]), PLAIN),
        "certainty": st.one_of(st.sampled_from(["full", "partial", None]), PLAIN),
        "client_ms": st.one_of(st.integers(0, 10**9), PLAIN),
        "viewer": st.one_of(st.dictionaries(FIELDS, PLAIN, max_size=3), PLAIN),
        "reason": TEXTS,
    }
)


class World:
    """The application, the clients, and what none of them may learn."""

    def __init__(self, app, owner, study, invite):
        self.app, self.owner, self.study, self.invite = app, owner, study, invite
        self.cookie, self.numbers = owner.get_cookie("session").value, itertools.count(1)
        self.rules = sorted(app.url_map.iter_rules(), key=lambda rule: rule.endpoint)
        self.taker = None
        config = app.config["SETTINGS"]
        self.secrets = [config.secret_key, str(config.instance), owner.researcher.password_hash, "Traceback"]
        cases = db.session.execute(sa.select(Case.name, Case.stored, Case.sha256, Case.source)).all()
        self.of_the_pool = {text for case in cases for text in case if text}

    def ready(self):
        """The study is open and a reader is in the room, whatever the last request did."""
        db.session.rollback()
        db.session.execute(sa.update(Study).values(state="open", unblinded_at=None, closed_at=None, archived_at=None))
        db.session.commit()
        db.session.expire_all()
        if self.taker is not None:
            reader = db.session.scalar(sa.select(Reader).filter_by(token_hash=readers.hashed(self.taker.token)))
            gone = reader is None or reader.withdrawn_at or reader.revoked_at or not reader.sitting
            if not gone and not reader.has_finished:
                self.taker.claim()
                return
        study = db.session.scalar(sa.select(Study).filter_by(slug="mine"))
        self.taker = self.invite(study, f"F{next(self.numbers)}").enter()

    def address(self, rule, data):
        step = self.taker.step
        trial = step.get("trial", {})
        image = trial["images"][0]["address"].rpartition("/")[2] if trial.get("images") else "none"
        later = db.session.scalars(sa.select(TrialCase.token).order_by(TrialCase.id.desc()).limit(1)).first()
        usual = {"study": "mine", "token": self.taker.token, "slug": "noise", "trial_token": trial.get("trial", "none")}
        numbers = st.sampled_from([0, 1, 2, 16, 2**31 - 1, 2**31, 2**63, 10**30])
        said = {}
        for name in rule.arguments:
            if "int" in str(rule._converters[name].__class__.__name__).lower():
                said[name] = data.draw(numbers, name)
            elif name == "image_token":
                said[name] = data.draw(st.one_of(st.sampled_from([image, later or "none"]), TEXTS), name)
            else:
                odd = data.draw(st.integers(0, 7), f"{name} is odd") == 0
                said[name] = data.draw(TEXTS, name) if odd else usual.get(name, "0" * 16)
        return rule.build({name: value if value != "" else "x" for name, value in said.items()})[1]

    def ask(self, data):
        """Send one request; returns what is wrong with the response."""
        self.ready()
        rule = data.draw(st.sampled_from(self.rules), "route")
        address = self.address(rule, data)
        method = data.draw(st.one_of(st.sampled_from(sorted(rule.methods - {"OPTIONS"})), METHODS), "method")
        what = (
            data.draw(BODIES, "body")
            if method != "GET"
            else {"query_string": data.draw(st.dictionaries(FIELDS, TEXTS, max_size=3))}
        )
        if rule.endpoint in ("reader.answer", "reader.onset", "reader.failed") and data.draw(st.booleans(), "in form"):
            body = data.draw(SAID, "said") | {"lease": self.taker.lease}
            method, what = "POST", {"data": json.dumps(body), "content_type": "application/json"}
        if rule.endpoint in STARTING and method == "POST":
            return
        as_owner = data.draw(st.booleans(), "as the owner")
        client = self.app.test_client()
        if as_owner:
            client.set_cookie("session", self.cookie)
        heads = data.draw(HEADS, "heads")
        if any(ord(letter) > 126 for value in heads.values() for letter in value):
            heads = {name: value for name, value in heads.items() if value.isascii()}
        if "Content-Type" in heads:
            what.pop("content_type", None)
        answer = client.open(address, method=method, headers=heads, buffered=True, **what)
        body = answer.data
        answer.close()
        assert answer.status_code < 500, answer.status_code
        kept = self.secrets + ([] if as_owner else sorted(self.of_the_pool))
        told = [secret for secret in kept if secret.encode() in body or secret in str(answer.headers)]
        assert told == []


def test_no_request_brings_the_server_down_or_is_told_a_secret(app, owner, owned, invite, monkeypatch):
    monkeypatch.setattr(limiter, "enabled", False)
    world = World(app, owner, owned(practice=0), invite)
    until, asked = time.monotonic() + 60 * MINUTES, 0

    for number in itertools.count():

        @seed(number if MINUTES else 0)
        @settings(
            max_examples=BATCH,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )
        @given(st.data())
        def batch(data):
            world.ask(data)

        batch()
        asked += BATCH
        if time.monotonic() >= until:
            break
    print(f"{asked} requests")


@pytest.mark.parametrize("leak", ["error", "secret"])
def test_the_fuzz_run_sees_a_fault(app, owner, owned, invite, monkeypatch, leak):
    monkeypatch.setattr(limiter, "enabled", False)
    world = World(app, owner, owned(practice=0), invite)

    def wrong(*_args, **_more):
        if leak == "error":
            raise ZeroDivisionError
        return next(iter(world.of_the_pool))

    place = "researcher.studies.monitor.summary" if leak == "error" else "reader.pages.render_template"
    monkeypatch.setattr(f"quiz_app.{place}", wrong)
    # Among all addresses a page of `reader.pages` is met once in hundreds of requests, and now and then never.
    world.rules = [rule for rule in world.rules if rule.endpoint.startswith(place.partition(".")[0] + ".")]

    @seed(0)
    @settings(max_examples=5 * BATCH, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.data())
    def batch(data):
        world.ask(data)

    with pytest.raises((ZeroDivisionError, AssertionError)):
        batch()
