"""The reading room's JSON, as docs/reference/protocol.md tells it."""

import base64
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Answer, Event, Reader, Trial
from quiz_app.sittings import answering, leaving
from quiz_app.study import deletion, lifecycle


def said(**changes):
    return {"id": str(uuid.uuid4()), "answer": "real", "certainty": "full"} | changes


def test_a_sitting_from_the_link_to_the_end(make_study, invite, reader_called):
    taker = invite(make_study())
    assert taker.client.get(taker.url("")).headers["Location"].endswith("/welcome")
    taker.enter()
    assert taker.trial["training"]
    taker.finish()
    assert taker.client.get(taker.url("")).headers["Location"].endswith("/end")
    trials = reader_called("R1").sitting.trials
    assert len(trials) == 15
    assert all(trial.answered_at for trial in trials)
    assert db.session.query(Answer).count() == 15


def test_practice_tells_the_truth_and_scored_trials_do_not(make_study, invite):
    taker = invite(make_study(practice=1)).enter()
    assert taker.answer().get_json()["feedback"]["truth"] in ("real", "synthetic")
    assert taker.step["kind"] == "begin"
    taker.go_on()
    assert taker.answer().get_json()["feedback"] is None


def test_a_repeated_answer_is_told_again_and_changes_nothing(make_study, invite):
    taker = invite(make_study()).enter()
    path = f"trials/{taker.trial['trial']}/answer"
    first = said()
    once = taker.post(path, **first).get_json()
    again = taker.post(path, **first)
    other = taker.post(path, **said(answer="synthetic"))
    assert again.status_code == other.status_code == 200
    assert again.get_json()["repeated"]
    assert once["saved"] == again.get_json()["saved"] == other.get_json()["saved"]
    assert db.session.query(Answer).count() == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"answer": "maybe"}, "not-an-answer"),
        ({"certainty": None}, "not-an-answer"),
        ({"answer": "unsure"}, "not-an-answer"),
        ({"answer": ["real"], "certainty": {}}, "not-an-answer"),
        ({"id": "7"}, "no-id"),
        ({"id": None}, "no-id"),
        ({"client_ms": -1}, "bad-time"),
        ({"client_ms": 10**12}, "bad-time"),
        ({"client_ms": "1970"}, "bad-time"),
        ({"viewer": {"truth": 1}}, "bad-viewer"),
        ({"viewer": {"zoom_max": True}}, "bad-viewer"),
        ({"viewer": []}, "bad-viewer"),
        ({"viewer": {"zoom_max": float("nan")}}, "bad-viewer"),
        ({"viewer": {"zoom_ms": -1}}, "bad-viewer"),
    ],
)
def test_an_answer_out_of_form_is_refused_on_record_and_changes_nothing(make_study, invite, changes, code):
    taker = invite(make_study()).enter()
    response = taker.answer(**said(**changes))
    assert (response.status_code, response.get_json()["error"]) == (422, code)
    assert db.session.query(Answer).count() == 0
    assert db.session.query(Event).filter_by(kind="refused").one().details["code"] == code
    assert taker.answer().status_code == 200


def test_unsure_is_refused_where_the_study_does_not_allow_it(make_study, invite):
    taker = invite(make_study(unsure=False)).enter()
    assert {"answer": "unsure", "certainty": None} not in taker.trial["choices"]
    assert taker.answer("unsure", None).status_code == 422


def test_an_id_that_names_another_answer_is_refused(make_study, invite):
    taker = invite(make_study(practice_feedback=False)).enter()
    mine = said()
    assert taker.answer(**mine).status_code == 200
    assert taker.answer(**mine).get_json()["error"] == "id-taken"


def test_a_body_that_is_no_json_object_is_refused(make_study, invite):
    taker = invite(make_study()).enter()
    for body in (b"", b"not json", b"[1]", b'"text"', b"[" * 100_000, b'{"a":' * 100_000):
        response = taker.client.post(taker.url("next"), data=body, content_type="application/json")
        assert (response.status_code, response.get_json()["error"]) == (400, "not-json")


def test_a_future_trial_and_another_readers_trial_are_refused(make_study, invite, reader_called):
    study = make_study()
    taker, other = invite(study).enter(), invite(study, "R2").enter()
    future = reader_called("R1").sitting.trials[5].token
    assert taker.post(f"trials/{future}/answer", **said()).get_json()["error"] == "not-due"
    assert taker.post(f"trials/{other.trial['trial']}/answer", **said()).get_json()["error"] == "unknown-trial"
    assert taker.post(f"trials/{future}/onset").get_json()["error"] == "not-due"
    assert db.session.query(Answer).count() == 0


def test_of_two_pages_the_newer_one_acts(make_study, invite):
    taker = invite(make_study()).enter()
    old = {"lease": taker.lease}
    path = f"trials/{taker.trial['trial']}/answer"
    taker.claim()
    assert taker.post(path, **said(), **old).get_json()["error"] == "elsewhere"
    assert taker.post(path, **said()).status_code == 200
    told = taker.post(path, **said(), **old).get_json()
    assert told["repeated"]
    assert told["step"] is None


def test_the_deadline_is_the_servers(make_study, invite, time):
    taker = invite(make_study(practice=0)).enter()
    taker.go_on()
    time.forward(0.7)
    assert taker.onset().get_json() == {"remaining_ms": 12_000}
    time.forward(5)
    assert taker.claim().trial["remaining_ms"] == 7_000
    time.forward(7.5)
    assert taker.claim().trial["remaining_ms"] == 0
    assert taker.trial["images"] == []
    saved = taker.answer().get_json()["saved"]
    assert saved["late"]
    assert saved["response_ms"] == 12_500
    assert taker.answer().get_json()["saved"]["late"] is False


def test_what_is_answered_at_the_very_deadline_is_in_time(make_study, invite, time):
    taker = invite(make_study(practice=0)).enter()
    taker.go_on()
    for moment, late in ((12, False), (12.001, True)):
        taker.onset()
        time.forward(moment)
        assert taker.answer().get_json()["saved"]["late"] is late


def test_a_study_may_keep_the_image_after_its_time_and_the_answer_is_late_all_the_same(make_study, invite, time):
    taker = invite(make_study(practice=0, at_timeout="keep")).enter()
    taker.go_on()
    assert taker.trial["at_timeout"] == "keep"
    taker.onset()
    time.forward(13)
    assert taker.claim().trial["remaining_ms"] == 0
    address = taker.trial["images"][0]["address"]
    assert taker.client.get(address).status_code == 200
    assert taker.answer().get_json()["saved"]["late"]
    assert taker.client.get(address).status_code == 410


def test_an_onset_reported_late_gains_nothing(make_study, invite, time):
    taker = invite(make_study(grace_ms=2000)).enter()
    time.forward(6)
    assert taker.onset().get_json()["remaining_ms"] == 12_000 + 500 + 2000 - 6000
    time.forward(8.6)
    assert taker.client.get(taker.trial["images"][0]["address"]).status_code == 410
    assert taker.answer().get_json()["saved"]["late"]


@pytest.mark.parametrize("limit_s", [0, 12])
def test_a_browser_cannot_put_the_onset_off(make_study, invite, time, reader_called, limit_s):
    taker = invite(make_study(practice=0, limit_s=limit_s, interval_ms=500, grace_ms=2000)).enter()
    taker.go_on()
    time.forward(6)
    taker.onset()
    time.forward(1)
    assert taker.answer().get_json()["saved"]["response_ms"] == 7000 - 2500
    trial = reader_called("R1").sitting.trials[0]
    assert (trial.onset_at - trial.released_at).total_seconds() == 2.5


def test_the_first_onset_stands(make_study, invite, time):
    taker = invite(make_study(practice=0)).enter()
    taker.go_on()
    time.forward(0.5)
    taker.onset()
    time.forward(1)
    assert taker.onset().get_json()["remaining_ms"] == 11_000
    time.forward(1)
    assert taker.answer().get_json()["saved"]["response_ms"] == 2000


def test_a_page_fetched_again_within_the_slack_is_no_new_release(make_study, invite, time, reader_called):
    taker = invite(make_study(practice=0, interval_ms=500, grace_ms=2000)).enter()
    taker.go_on()
    released = reader_called("R1").sitting.trials[0].released_at
    time.forward(2.4)
    taker.claim()
    trial = reader_called("R1").sitting.trials[0]
    assert (trial.releases, trial.released_at) == (1, released)


def test_a_trial_nobody_could_see_is_released_once_more(make_study, invite, time, reader_called):
    taker = invite(make_study()).enter()
    for remaining in (12_000, 0):
        time.forward(60)
        assert taker.claim().trial["remaining_ms"] == remaining
        assert reader_called("R1").sitting.trials[0].releases == 2
    assert db.session.query(Event).filter_by(kind="released-again").count() == 1


def test_no_clock_runs_while_the_truth_of_a_practice_case_is_read(make_study, invite, time, reader_called):
    taker = invite(make_study(practice=2)).enter()
    assert taker.answer().get_json()["step"]["kind"] == "pause"
    time.forward(60)
    taker.go_on()
    assert taker.trial["remaining_ms"] == 12_000
    assert taker.answer().get_json()["step"]["kind"] == "begin"
    taker.go_on()
    assert taker.step["kind"] == "trial"
    assert not taker.trial["training"]
    assert {trial.releases for trial in reader_called("R1").sitting.trials[:3]} == {1}


def test_breaks_come_when_due_and_a_longer_one_half_way(make_study, invite):
    taker = invite(make_study(practice=0, break_every=3, break_s=20, long_break_s=90)).enter()
    met = []
    while taker.step["kind"] != "done":
        if taker.step["kind"] == "trial":
            taker.answer()
        else:
            met.append((taker.step["kind"], taker.step["answered"], taker.step.get("advised_s")))
            assert taker.claim().step["kind"] == met[-1][0]
            taker.go_on()
    assert met == [("begin", 0, None), ("break", 3, 20), ("break", 6, 90), ("break", 9, 20)]


def test_a_reader_may_pause_between_trials(make_study, invite):
    taker = invite(make_study()).enter()
    assert taker.answer(pause=True).get_json()["step"]["kind"] == "pause"
    assert taker.claim().step["kind"] == "pause"
    taker.go_on()
    assert taker.step["kind"] == "trial"


def test_a_break_ended_twice_because_the_first_answer_was_lost_is_ended_once(make_study, invite):
    taker = invite(make_study()).enter()
    assert taker.answer(pause=True).get_json()["step"]["kind"] == "pause"
    first, again = taker.post("continue").get_json(), taker.post("continue").get_json()
    assert first["step"]["kind"] == again["step"]["kind"] == "trial"
    assert first["step"]["trial"]["trial"] == again["step"]["trial"]["trial"]
    assert db.session.query(Event).filter_by(kind="went-on").count() == 1


def test_a_closed_study_takes_no_answer(make_study, invite):
    study = make_study()
    taker = invite(study).enter()
    lifecycle.close(study)
    db.session.commit()
    assert taker.answer().get_json()["error"] == "study-closed"
    assert db.session.query(Trial).filter(Trial.answered_at.isnot(None)).count() == 0


def test_a_closed_study_releases_no_image_and_says_so(make_study, invite, reader_called):
    study = make_study(practice=0)
    taker = invite(study).enter()
    taker.go_on()
    (address, sealed), ahead = (taker.trial["images"][0][name] for name in ("address", "sealed")), taker.step["ahead"]
    lifecycle.close(study)
    db.session.commit()
    for refused in (taker.post("claim"), taker.post("next"), taker.post("continue"), taker.onset()):
        assert (refused.status_code, refused.get_json()["error"]) == (409, "study-closed")
        assert "is closed" in refused.get_json()["message"]
    for path in (address, sealed, *ahead):
        assert taker.client.get(path).status_code == 409
    first, second = reader_called("R1").sitting.trials[:2]
    assert (first.onset_at, second.released_at) == (None, None)


def test_who_has_left_is_given_no_image(make_study, invite, reader_called, tmp_path):
    taker = invite(make_study(practice=0, limit_s=0)).enter()
    taker.go_on()
    leaving.withdraw(reader_called("R1"), tmp_path, delete=False)
    db.session.commit()
    for name in ("address", "sealed"):
        assert taker.client.get(taker.trial["images"][0][name]).status_code == 410


def test_an_answer_stored_before_the_close_is_acknowledged_after_it_and_nothing_follows(make_study, invite):
    study = make_study(practice=0)
    taker, finished = invite(study).enter(), invite(study, "R2").enter()
    taker.go_on()
    path, answer = f"trials/{taker.trial['trial']}/answer", said()
    assert taker.post(path, **answer).status_code == 200
    finished.finish()
    lifecycle.close(study)
    db.session.commit()
    told = taker.post(path, **answer).get_json()
    assert (told["repeated"], told["saved"]["id"], told["step"]) == (True, answer["id"], None)
    assert finished.claim().step["kind"] == "done"


def test_keys_ahead_go_out_up_to_the_next_break_and_are_on_record(make_study, invite, reader_called, time):
    taker = invite(make_study(practice=1, practice_feedback=False, keys_ahead=3, break_every=5)).enter()
    assert taker.step["keyed"] == []  # not in practice
    taker.answer()
    taker.go_on()
    given = [trial["position"] for trial in taker.step["keyed"]]
    assert given == [2, 3, 4]
    assert len(taker.step["ahead"]) == 3
    trial = taker.step["keyed"][0]
    key = base64.b64decode(trial["images"][0]["key"])
    sealed = taker.client.get(trial["images"][0]["sealed"])
    assert AESGCM(key).decrypt(bytes(12), sealed.data, None).startswith(b"\x89PNG")
    assert taker.client.get(trial["images"][0]["address"]).status_code == 410
    assert [bool(trial.keyed_at) for trial in reader_called("R1").sitting.trials] == [
        False,
        False,
        *[True] * 3,
        *[False] * 8,
    ]
    for _ in range(3):
        taker.answer()
    assert [trial["position"] for trial in taker.step["keyed"]] == [5]


def test_without_keys_ahead_no_key_goes_out_before_its_turn(make_study, invite, reader_called):
    taker = invite(make_study(practice=0)).enter()
    taker.go_on()
    assert taker.step["keyed"] == []
    assert not any(trial.keyed_at for trial in reader_called("R1").sitting.trials)


def test_of_a_trial_seen_through_a_dead_line_the_browsers_time_says_whether_it_was_late(
    make_study, invite, reader_called
):
    taker = invite(make_study(practice=0, keys_ahead=2)).enter()
    taker.go_on()
    taker.onset()
    taker.answer(client_ms=3000)
    assert taker.answer(client_ms=11_000).get_json()["saved"]["late"] is False
    assert taker.answer(client_ms=13_000).get_json()["saved"]["late"] is True
    assert [trial.response_ms is None for trial in reader_called("R1").sitting.trials[:3]] == [False, True, True]


@pytest.mark.parametrize("pause", [True, False])
def test_answers_given_through_a_dead_line_come_home_though_a_pause_is_due(make_study, invite, time, pause):
    taker = invite(make_study(practice=0, keys_ahead=2)).enter()
    taker.go_on()
    at_hand, *keyed = [taker.trial, *taker.step["keyed"]]
    if not pause:
        time.forward(400)
        assert taker.claim().step["kind"] == "pause"
    told = taker.post(f"trials/{at_hand['trial']}/answer", **said(pause=pause)).get_json()
    assert told["step"]["kind"] == "pause"
    for trial, client_ms, late in ((keyed[0], 11_000, False), (keyed[1], 13_000, True)):
        told = taker.post(f"trials/{trial['trial']}/answer", **said(client_ms=client_ms)).get_json()
        assert told["saved"]["late"] is late
        assert told["step"]["kind"] == "pause"


def test_an_image_that_cannot_be_shown_is_on_record_at_most_three_times_and_changes_nothing(make_study, invite):
    taker = invite(make_study()).enter()
    path = f"trials/{taker.trial['trial']}/failed"
    for _ in range(5):
        assert taker.post(path, reason="not-decoded").get_json() == {}
    events = db.session.query(Event).filter_by(kind="image-failed").all()
    assert [event.details for event in events] == [{"trial": taker.trial["trial"], "reason": "not-decoded"}] * 3
    before = taker.trial
    assert taker.claim().trial["images"] == before["images"]
    assert taker.answer().status_code == 200


@pytest.mark.parametrize("reason", [None, "bored", ["not-decoded"], {}])
def test_an_image_that_failed_for_no_known_reason_is_refused(make_study, invite, reason):
    taker = invite(make_study()).enter()
    response = taker.post(f"trials/{taker.trial['trial']}/failed", reason=reason)
    assert (response.status_code, response.get_json()["error"]) == (422, "bad-reason")


def test_only_the_page_that_acts_may_say_that_an_image_failed(make_study, invite):
    study = make_study()
    taker, other = invite(study).enter(), invite(study, "R2").enter()
    path = f"trials/{taker.trial['trial']}/failed"
    assert taker.post(path, reason="not-fetched", lease="old").get_json()["error"] == "elsewhere"
    assert other.post(path, reason="not-fetched").get_json()["error"] == "unknown-trial"
    assert db.session.query(Event).filter_by(kind="image-failed").count() == 0


def test_what_the_viewer_was_used_for_is_kept(make_study, invite, reader_called):
    taker = invite(make_study()).enter()
    used = {"zoom_max": 2.5, "windowed": True, "zoom_ms": 900, "inverted": 1, "lens_ms": 0, "full_screen": False}
    taker.answer(viewer=used)
    trial = reader_called("R1").sitting.trials[0]
    assert (trial.zoom_max, trial.windowed, trial.viewer) == (2.5, True, used)


def test_who_comes_back_after_long_is_met_at_a_pause(make_study, invite, time):
    taker = invite(make_study(practice=0)).enter()
    taker.go_on()
    taker.onset()
    taker.answer()
    time.forward(301)
    for _ in range(2):
        assert taker.claim().step["kind"] == "pause"
        time.forward(3600)
    taker.go_on()
    assert taker.trial["remaining_ms"] == 12_000


def test_coming_back_gives_no_second_look(make_study, invite, time):
    taker = invite(make_study(practice=0)).enter()
    taker.go_on()
    taker.onset()
    time.forward(600)
    assert taker.claim().step["kind"] == "trial"
    assert taker.trial["images"] == []


def test_what_is_no_address_or_far_too_long_is_refused(make_study, invite):
    taker = invite(make_study()).enter()
    for path in ("images/%00", "sealed/%00"):
        assert taker.client.get(taker.url(path)).status_code == 400
    assert taker.post("trials/%00/answer", **said()).status_code == 400
    assert taker.post("next", more="x" * 2**20).status_code == 413
    assert taker.answer().status_code == 200


def test_who_answers_after_a_month_is_late_and_not_lost(make_study, invite, time):
    taker = invite(make_study()).enter()
    taker.onset()
    time.forward(31 * 24 * 3600)
    saved = taker.answer().get_json()["saved"]
    assert saved["late"]
    assert saved["response_ms"] == 2**31 - 1


@pytest.fixture
def meanwhile(app, monkeypatch):
    """Does something while an answer is stored and not yet committed: the response to the answer, and the outcome."""
    stored, go_on, take = threading.Event(), threading.Event(), answering.take

    def slowly(*given):
        rows = take(*given)
        stored.set()
        go_on.wait(10)
        return rows

    monkeypatch.setattr(answering, "take", slowly)

    def do(taker, something):
        def within():
            with app.app_context():
                outcome = something()
                db.session.commit()
                return outcome

        with ThreadPoolExecutor(2) as threads:
            answer = threads.submit(taker.answer)
            assert stored.wait(10)
            other = threads.submit(within)
            wait([other], timeout=1)
            go_on.set()
            return answer.result(), other

    return do


def test_settings_cannot_change_under_an_answer_on_its_way(make_study, invite, meanwhile):
    taker = invite(make_study()).enter()
    answer, changing = meanwhile(taker, lambda: lifecycle.change(lifecycle.find("trial-run"), {"limit_s": 5.0}))
    assert answer.status_code == 200
    with pytest.raises(InvalidInputError, match="1 answer, so its settings are locked"):
        changing.result()
    assert db.session.query(Answer).count() == 1


def test_a_close_counts_the_answer_on_its_way(make_study, invite, meanwhile):
    taker = invite(make_study()).enter()
    answer, closing = meanwhile(taker, lambda: lifecycle.close(lifecycle.find("trial-run")))
    closing.result()
    assert answer.status_code == 200
    assert db.session.query(Event).filter_by(kind="study-closed").one().details["answers"] == 1


def test_a_deletion_counts_the_answer_on_its_way(make_study, invite, meanwhile, tmp_path):
    taker = invite(make_study()).enter()
    answer, deleting = meanwhile(
        taker, lambda: deletion.delete_reader(db.session.query(Reader).one(), "asked for", tmp_path)
    )
    assert answer.status_code == 200
    assert "1 sitting(s) and 1 answer(s)" in deleting.result()
    assert db.session.query(Answer).count() == 0
