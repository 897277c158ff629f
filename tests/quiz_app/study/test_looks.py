"""Interim looks at a study: only the planned ones, each once, revealing only the decision, and recorded."""

from types import SimpleNamespace

import pytest

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Event, Trial
from quiz_app.study import lifecycle, looks, reports

LOOKS = "/researcher/studies/mine/looks"
PAGE = "/researcher/studies/mine/"


def answer_all(taker, wrong=()):
    """Every case judged correctly, except for the cases with these numbers."""
    taker.enter()
    number = 0
    while taker.step["kind"] != "done":
        if taker.step["kind"] != "trial":
            taker.go_on()
            continue
        truth = db.session.query(Trial).filter_by(token=taker.trial["trial"]).one().cases[0].case.truth
        other = {"real": "synthetic", "synthetic": "real"}[truth]
        taker.onset()
        certainty = "partial" if number % 3 else "full"
        assert taker.answer(other if number in wrong else truth, certainty).status_code == 200
        number += 1


@pytest.fixture
def looked(owned, invite):
    """A study with looks, and this many readers who have finished, each wrong in two or three different cases."""

    def make(count, **settings):
        study = owned(**{"practice": 0, "looks": "3, 6"} | settings)
        for number in range(count):
            add(study, number)
        return study

    def add(study, number):
        answer_all(invite(study, f"R{number}"), {number, (5 * number + 1) % 12, (number + 6) % 12})

    make.add = add
    return make


def lines(kind):
    return [line.details for line in db.session.query(Event).filter_by(kind=kind).order_by(Event.id)]


def test_the_plan_is_on_record_from_the_opening_on(looked):
    looked(0, looks="3 4, 6", looks_spending="pocock", looks_futility=0.1)
    (planned,) = lines("looks-planned")
    assert [look["readers"] for look in planned["looks"]] == [3, 4, 6]
    assert (planned["spending"], planned["futility"], planned["looks"][0]["cases"]) == ("pocock", 0.1, 12)


def test_a_look_tells_its_decision_alone(owner, looked):
    study = looked(3)
    answer = owner.post(LOOKS)
    assert answer.status_code == 303
    (told,) = lines("look-taken")
    assert told.keys() == {"look", "readers", "decision"}
    assert told["decision"] in ("continue", "efficacy")
    page = owner.get(PAGE, buffered=True).text
    assert looks.SAID[told["decision"]] in page
    db.session.expire_all()
    assert study.blinded
    assert study.unblinded_at is None
    assert "stay hidden until the study is closed" in owner.get(f"{PAGE}results", buffered=True).text


def test_a_look_is_taken_once_and_not_before_its_readers_have_finished(owner, looked):
    study = looked(2)
    early = owner.post(LOOKS)
    assert early.status_code == 422
    assert "look 1 needs 3 readers, but 2 have finished" in early.text
    assert lines("look-taken") == []
    looked.add(study, 2)
    assert owner.post(LOOKS).status_code == 303
    again = owner.post(LOOKS)
    assert again.status_code == 422
    assert len(lines("look-taken")) == 1


@pytest.fixture
def deciding(monkeypatch):
    """The data on which a look was decided; `meanwhile`, if set, is called during the decision."""
    from analysis.designs.rating import looks as module

    real, seen = module.decided, SimpleNamespace(calls=[], meanwhile=lambda: None)

    def decided(*given):
        seen.calls.append(given)
        seen.meanwhile()
        return real(*given)

    monkeypatch.setattr(module, "decided", decided)
    return seen


def test_a_look_sees_the_readers_who_finished_first_whoever_finished_since(owner, looked, deciding):
    looked(5)
    assert owner.post(LOOKS).status_code == 303
    levels, _truth, _plan, order, look = deciding.calls[0]
    assert (order, look) == ([0, 1, 2], 0)
    assert len(levels) == 5


def test_no_answer_waits_for_a_look_and_of_two_at_once_one_is_taken(owner, looked, deciding):
    study, held = looked(3), []

    def meanwhile():
        held.append(db.session().in_transaction())
        deciding.meanwhile = lambda: None
        assert owner.post(LOOKS).status_code == 303

    deciding.meanwhile = meanwhile
    second = owner.post(LOOKS)
    assert held == [False]
    assert second.status_code == 422
    assert "look 1 has just been taken" in second.text or "already said stop" in second.text
    assert [line["look"] for line in lines("look-taken")] == [1]
    assert study.state == "open"


def test_after_the_last_look_there_is_none_and_the_report_says_the_same(owner, looked, app):
    study = looked(6)
    owner.post(LOOKS)
    if len(lines("look-taken")) == 1 and lines("look-taken")[0]["decision"] == "continue":
        assert owner.post(LOOKS).status_code == 303
    last = lines("look-taken")[-1]["decision"]
    assert last in ("efficacy", "end")
    refused = owner.post(LOOKS)
    assert refused.status_code == 422
    assert "already said stop, or the last look has been taken" in refused.text
    lifecycle.close(study)
    db.session.commit()
    found = measure(reports.load(app.config["SETTINGS"], "mine"), Settings(bootstrap=20))["looks"]
    assert found["decision"] == last
    assert not found["differs"]
    assert found["adjusted"]["ci"][0] < found["adjusted"]["value"]


def test_readers_who_cannot_tell_stop_in_vain(owner, owned, invite):
    study = owned(practice=0, looks="3, 6", looks_futility=0.2)
    for number in range(3):
        answer_all(invite(study, f"R{number}"), wrong=range(number, 12, 2))
    assert owner.post(LOOKS).status_code == 303
    assert lines("look-taken")[0]["decision"] == "futility"
    assert owner.post(LOOKS).status_code == 422
    assert "Take interim look" not in owner.get(PAGE, buffered=True).text


@pytest.mark.parametrize("state", ["closed", "none"])
def test_there_is_no_look_where_none_is_planned_or_the_study_is_closed(owner, owned, state):
    study = owned(practice=0, looks="3, 6" if state == "closed" else "")
    if state == "closed":
        lifecycle.close(study)
        db.session.commit()
    refused = owner.post(LOOKS)
    assert refused.status_code == 422
    assert ("taken while it is open" if state == "closed" else "no planned interim looks") in refused.text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"looks": "three"}, "looks: 'three' is not a list of numbers of readers"),
        ({"looks": "2, 4"}, "looks: readers: expected three or more at every look, got 2 at look 1"),
        ({"looks": "6, 4"}, "looks: looks: expected more readers or cases at each"),
        ({"looks": "3, 6", "cases": 8, "assignment": "balanced"}, "looks: every reader must judge the same cases"),
    ],
)
def test_a_study_with_looks_that_cannot_be_does_not_open(make_study, settings, words):
    with pytest.raises(InvalidInputError, match=words):
        make_study("mine", practice=0, **settings)
