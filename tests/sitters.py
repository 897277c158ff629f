"""Readers who send real requests to a running server, and what the database has stored about them."""

import time
import uuid

import httpx
import sqlalchemy as sa

from quiz_app.database import db, reading
from quiz_app.exchange import proof
from quiz_app.models import Study
from quiz_app.study import readers


def query(sql):
    with reading() as session:
        return session.execute(sa.text(sql)).all()


def counted():
    return query("SELECT count(*) FROM answer")[0][0]


def stored():
    """Every answer as the server tells it, by trial."""
    rows = query("SELECT answer.id, trial.token, answer.answer, answer.certainty, response_ms, late FROM answer "
                 "JOIN trial_case ON trial_case.id = trial_case_id JOIN trial ON trial.id = trial_id")  # fmt: skip
    names = ("id", "trial", "answer", "certainty", "response_ms", "late")
    return {row.token: dict(zip(names, row, strict=True)) for row in rows}


class Sitter:
    """A reader in the reading room of a running server."""

    def __init__(self, server, study):
        _, token = readers.invite(study, f"R{uuid.uuid4().hex[:6]}")
        db.session.commit()
        self.client = httpx.Client(base_url=f"{server.url}/r/{token}", timeout=30)
        for page, form in (("welcome", {"consent": "yes"}), ("about", {}), ("instructions", {})):
            assert self.client.post(page, data=form).status_code == 303
        told = self.client.post("claim", json={}).json()
        self.lease, self.trial = told["lease"], told["step"]["trial"]["trial"]

    def answer(self, said):
        return self.client.post(f"trials/{self.trial}/answer", json={"lease": self.lease} | said)


def said():
    return {"id": str(uuid.uuid4()), "answer": "real", "certainty": "full"}


def assert_whole(app, outcomes, answers_each):
    """Every acknowledged answer is there once, as it was told; nothing else is, and every sitting went on to its end.

    `outcomes` are those of `quiz_app.simulation`.
    """
    assert not [outcome.refusal for outcome in outcomes if outcome.refusal]
    acknowledged = [saved for outcome in outcomes for saved in outcome.saved]
    kept = stored()
    assert len(acknowledged) == len({saved["id"] for saved in acknowledged}) == answers_each * len(outcomes)
    assert len(kept) == counted() == len(acknowledged)
    for saved in acknowledged:
        answer = kept[saved["trial"]]
        assert saved == answer | {"late": bool(answer["late"])}
    for told in assert_proven(app):
        assert told.finished == told.readers


def assert_proven(app):
    """Check that `discern db check` finds no problem; returns its proofs."""
    with reading() as session:
        assert proof.of_database(session) == []
        images = app.config["SETTINGS"].images
        proofs = [proof.of_study(session, study, images) for study in session.query(Study)]
        assert [told.faults for told in proofs] == [[]] * len(proofs)
        return proofs


def wait_until(condition, seconds=60, step=0.01):
    """Wait for something that happens in another process."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(step)
