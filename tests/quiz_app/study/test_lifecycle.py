"""Draft, open, closed; a study with answers is frozen."""

import pytest

from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Event, Pool
from quiz_app.study import lifecycle, researchers


def pool():
    return db.session.query(Pool).one()


def test_all_faults_of_a_new_study_are_listed(app):
    with pytest.raises(InvalidInputError) as faulty:
        lifecycle.create(" ", pool(), slug="Bad Slug", preset="none", design="guess", settings={"limit_s": -1})
    assert {fault.split(":")[0] for fault in faulty.value.faults} == {"title", "preset", "design", "slug", "limit_s"}


def test_a_study_opens_only_when_nothing_is_wanting(app):
    study = lifecycle.create("Too large", pool(), settings={"cases": 40, "practice": 9})
    with pytest.raises(InvalidInputError, match=r"(?s)judge 40.*needs 9 "):
        lifecycle.open_study(study)
    assert study.state == "draft"


def test_excluding_cases_of_one_class_keeps_a_study_shut(app):
    next(case for case in pool().cases if case.truth == "real" and not case.is_practice).excluded = "artefact"
    study = lifecycle.create("Unequal", pool())
    assert any("5 real and 6 synthetic" in reason for reason in lifecycle.may_not_open(study))


def test_a_study_with_answers_is_frozen(make_study, invite):
    study = make_study()
    lifecycle.change(study, {"limit_s": 20})
    assert (study.version, study.rules.limit_s) == (2, 20)
    invite(study).enter().answer()
    with pytest.raises(InvalidInputError, match="has 1 answer, so its settings are locked"):
        lifecycle.change(study, {"limit_s": 5})
    assert study.rules.limit_s == 20
    assert lifecycle.change(study, {"limit_s": 20, "closes": "2099-01-01T00:00Z"}) == ["closes"]


def test_a_change_before_the_first_answer_lays_sittings_down_again(make_study, invite, reader_called):
    study = make_study()
    taker = invite(study).enter()
    lifecycle.change(study, {"cases": 4, "practice": 0})
    db.session.commit()
    assert taker.answer().get_json()["error"] == "not-begun"
    assert taker.enter().step["total"] == 4
    assert [trial.study_version for trial in reader_called("R1").sitting.trials] == [2] * 4


def test_closing_and_copying(make_study, invite):
    study = make_study()
    invite(study).enter().answer()
    lifecycle.close(study)
    with pytest.raises(InvalidInputError, match="is closed; only an open study"):
        lifecycle.close(study)
    twin = lifecycle.copy(study)
    assert (twin.state, twin.settings, twin.pool, twin.readers) == ("draft", study.settings, study.pool, [])
    assert twin.slug != study.slug


def test_every_act_is_on_record(make_study):
    study = make_study()
    lifecycle.close(study)
    kinds = [event.kind for event in db.session.query(Event).filter_by(study_id=study.id).order_by(Event.id)]
    assert kinds == ["study-created", "study-opened", "study-closed"]


def test_a_study_reopens_for_a_reason_and_counts_as_unblinded(make_study, invite):
    study = make_study()
    with pytest.raises(InvalidInputError) as faulty:
        lifecycle.reopen(study, " ")
    assert [fault.split(":")[0] for fault in faulty.value.faults] == ["state", "reason"]
    taker = invite(study).enter()
    lifecycle.close(study)
    db.session.commit()
    assert taker.answer().status_code == 409
    lifecycle.reopen(study, "a reader was late")
    db.session.commit()
    assert taker.answer().status_code == 200
    assert (study.state, study.blinded) == ("open", False)
    assert db.session.query(Event).filter_by(kind="study-reopened").one().details["reason"] == "a reader was late"


def test_a_closed_study_is_reopened_and_not_opened_as_if_its_truth_had_not_been_seen(owner, owned, log_in):
    study, ida = owned(), log_in("ida")
    researchers.give_part(study, "ida", "collaborator")
    lifecycle.close(study)
    db.session.commit()
    refused = ida.post("/researcher/studies/mine/open")
    assert refused.status_code == 422
    assert "the study is closed; reopen it and give a reason" in refused.text
    db.session.expire_all()
    assert (study.state, study.blinded) == ("closed", False)
