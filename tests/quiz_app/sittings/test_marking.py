"""Where did the reader see it? Asked after a stored answer, taken once and whole, and refused by the field."""

import uuid

import pytest
import sqlalchemy as sa

from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import proof
from quiz_app.models import Event, Mark, Study, Trial
from quiz_app.sittings import entry
from quiz_app.study import lifecycle, monitor
from tests.quiz_app import comparisons, quartets, staircases


@pytest.fixture
def reading(make_study, invite):
    """A reader in front of the first case of a study with marks; settings as keywords."""

    def enter(marks="optional", **settings):
        taker = invite(make_study(**{"practice": 0, "marks": marks} | settings)).enter()
        taker.go_on()
        return taker

    return enter


def rows(view="marks"):
    return [dict(row) for row in db.session.execute(sa.text(f"SELECT * FROM {view}")).mappings()]


def test_after_a_stored_answer_the_same_image_stays_for_its_marks(reading):
    taker = reading()
    trial = taker.trial
    answered = taker.answer("synthetic").get_json()
    assert answered["saved"]["answer"] == "synthetic"
    assert answered["feedback"] is None
    step = taker.step
    assert step["kind"] == "marks"
    assert step["trial"]["trial"] == trial["trial"]
    assert step["trial"]["images"] == trial["images"]  # the same addresses: nothing new travels
    assert step["marks"]["places"] == [1]
    assert step["marks"]["most"] == 3
    assert step["marks"]["reasons"][:2] == ["teeth", "roots"]
    assert len(step["marks"]["reasons"]) == 10
    told = taker.mark({"x": 0.25, "y": 1, "reason": "roots"}, {}).get_json()
    assert told["repeated"] is False
    assert told["saved"]["outcome"] == "marked"
    assert [mark["x"] for mark in told["saved"]["marks"]] == [0.25, 0.5]
    assert taker.step["kind"] == "trial"
    assert taker.trial["position"] == 2
    first, second = rows()
    assert (first["mark"], first["x"], first["y"], first["reason"], first["rating"]) == (1, 0.25, 1, "roots", None)
    assert (second["mark"], second["outcome"], second["answer"], second["level"]) == (2, "marked", "synthetic", 5)
    assert first["truth"] in ("real", "synthetic")


def test_the_next_trial_is_not_released_before_the_marks_have_come_and_no_time_is_lost(reading, time):
    taker = reading(limit_s=12)
    taker.onset()
    time.forward(5)
    taker.answer("synthetic")
    marked = db.session.query(Trial).filter_by(token=taker.trial["trial"]).one()
    response_ms = marked.response_ms
    time.forward(600)
    following = db.session.query(Trial).filter(Trial.answered_at.is_(None)).order_by(Trial.position).first()
    assert following.released_at is None
    refused = taker.post(f"trials/{following.token}/answer", id=str(uuid.uuid4()), answer="real", certainty="full")
    assert (refused.status_code, refused.get_json()["error"]) == (409, "not-due")
    assert taker.post("next").get_json()["step"]["kind"] == "marks"
    assert taker.claim().step["kind"] == "marks"  # a reload, or another device: no pause, no new trial
    taker.mark({})
    assert taker.trial["remaining_ms"] == 12_000
    db.session.expire_all()
    assert marked.response_ms == response_ms
    assert not marked.late


def test_marks_are_asked_after_answers_synthetic_or_after_all(reading):
    taker = reading()
    taker.answer("real")
    assert taker.step["kind"] == "trial"
    taker.answer("unsure", None)
    assert taker.step["kind"] == "trial"
    assert rows() == []


def test_where_marks_are_for_all_they_are_asked_after_every_answer(reading):
    taker = reading(marks_for="all")
    taker.answer("real")
    assert taker.step["kind"] == "marks"


def test_without_marks_nothing_is_asked(reading):
    taker = reading(marks="off")
    taker.answer("synthetic")
    assert taker.step["kind"] == "trial"


def test_the_step_ends_with_marks_with_nothing_or_skipped(reading):
    taker = reading()
    for outcome in ("nothing", "skipped"):
        taker.answer("synthetic")
        assert taker.mark(outcome=outcome).get_json()["saved"]["outcome"] == outcome
    first, second = rows()
    assert (first["mark"], first["x"], first["reason"], first["outcome"]) == (0, None, None, "nothing")
    assert first["case"] is not None
    assert second["outcome"] == "skipped"


def test_where_marks_are_asked_for_they_are_not_skipped(reading):
    taker = reading("asked")
    taker.answer("synthetic")
    assert taker.step["marks"]["optional"] is False
    assert_refused(taker, "outcome", outcome="skipped")


def test_marks_sent_again_are_told_again_and_change_nothing(reading):
    taker = reading()
    taker.answer("synthetic")
    trial = taker.trial["trial"]
    first = taker.mark({"x": 0.1}).get_json()
    again = taker.post(f"trials/{trial}/marks", id=str(uuid.uuid4()), outcome="nothing", marks=[])
    assert again.status_code == 200
    told = again.get_json()
    assert told["repeated"] is True
    assert told["saved"] == first["saved"]
    assert told["step"]["trial"]["trial"] == taker.trial["trial"]
    assert db.session.query(Mark).count() == 1


def test_an_answer_whose_acknowledgement_was_lost_leads_to_its_marks(reading):
    taker = reading()
    trial = taker.trial["trial"]
    said = {"id": str(uuid.uuid4()), "answer": "synthetic", "certainty": "full"}
    for repeated in (False, True):
        told = taker.post(f"trials/{trial}/answer", **said).get_json()
        assert told["repeated"] is repeated
        assert told["step"]["kind"] == "marks"


def assert_refused(taker, field, *marks, code="not-marks", trial="", **more):
    """The marks are refused with 422 and this field, and nothing is changed."""
    before = db.session.query(Mark).count()
    if trial:
        said = {"id": str(uuid.uuid4()), "outcome": "nothing", "marks": []}
        response = taker.post(f"trials/{trial}/marks", **said)
    else:
        response = taker.mark(*marks, **more)
    told = response.get_json()
    assert (response.status_code, told["error"]) == (422, code), told
    assert told["message"].startswith(field), told
    db.session.expire_all()
    assert db.session.query(Mark).count() == before
    assert taker.post("next").get_json()["step"]["kind"] == taker.step["kind"]


@pytest.mark.parametrize(
    ("field", "mark"),
    [
        ("marks[0].x: 1.01 ", {"x": 1.01}),
        ("marks[0].y: -0.01 ", {"y": -0.01}),
        ("marks[0].x: nan ", {"x": float("nan")}),
        ("marks[0].x: '0.5' ", {"x": "0.5"}),
        ("marks[0].y: True ", {"y": True}),
        ("marks[0].reason: 'hunch' ", {"reason": "hunch"}),
        ("marks[0].reason: None ", {"reason": None}),
        ("marks[0].reason: ['teeth'] ", {"reason": ["teeth"]}),
        ("marks[0].place: 2 ", {"place": 2}),
        ("marks[0].place: True ", {"place": True}),
        ("marks[0].colour: unknown", {"colour": "red"}),
        ("marks[0].rating: this study does not ask for ratings", {"rating": 3}),
    ],
)
def test_a_mark_out_of_form_is_refused_by_its_field(reading, field, mark):
    taker = reading()
    taker.answer("synthetic")
    assert_refused(taker, field, mark)


def test_the_second_mark_is_named_and_none_is_kept(reading):
    taker = reading()
    taker.answer("synthetic")
    assert_refused(taker, "marks[1].x", {}, {"x": 7})
    assert db.session.query(Mark).count() == 0


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("marks: 4 given; expected at most 3", {"marks": [{"place": 1, "x": 0, "y": 0, "reason": "teeth"}] * 4}),
        ("marks: expected a list", {"marks": {"place": 1}}),
        ("marks: expected a list", {"marks": [3]}),
        ("marks: 0 with the outcome marked", {"marks": []}),
        ("marks: 1 with the outcome nothing", {"outcome": "nothing"}),
        ("outcome: expected one of marked, nothing, skipped", {"outcome": "none"}),
        ("outcome: expected one of marked, nothing, skipped", {"outcome": ["marked"]}),
    ],
)
def test_a_step_out_of_form_is_refused_by_its_field(reading, field, said):
    taker = reading()
    taker.answer("synthetic")
    assert_refused(taker, field, **({"outcome": "marked", "marks": [good()]} | said))


def good():
    return {"place": 1, "x": 0, "y": 0, "reason": "teeth"}


def test_an_id_is_a_uuid_and_names_one_step(reading):
    taker = reading()
    taker.answer("synthetic")
    assert_refused(taker, "id", {}, code="no-id", id="7")
    known = str(uuid.uuid4())
    taker.mark({}, id=known)
    taker.answer("synthetic")
    assert_refused(taker, "id", {}, code="id-taken", id=known)


def test_a_rating_goes_from_1_to_5_where_the_study_asks_for_it(reading):
    taker = reading(marks_rating=True)
    taker.answer("synthetic")
    for rating in (0, 6, 2.5, True, "3"):
        assert_refused(taker, "marks[0].rating", {"rating": rating})
    assert taker.mark({"rating": 5}, {"rating": None}).status_code == 200
    assert [row["rating"] for row in rows()] == [5, None]


def test_marks_for_anothers_trial_or_one_that_asks_for_none_are_refused(reading, make_study, invite):
    taker = reading()
    other = invite(make_study("another", practice=0, marks="optional"), "R2").enter()
    other.go_on()
    other.answer("synthetic")
    unanswered = taker.trial["trial"]
    assert_refused(taker, "trial: it has no answer yet", trial=unanswered)
    assert_refused(taker, "trial: this question is not one of yours", trial=other.trial["trial"])
    assert_refused(taker, "trial: this question is not one of yours", trial="nowhere")
    taker.answer("real")
    assert_refused(taker, "trial: no marks were requested", trial=unanswered)
    assert other.post("next").get_json()["step"]["kind"] == "marks"


def test_of_two_pages_only_the_newer_one_marks_and_a_closed_study_takes_none(reading):
    taker = reading()
    taker.answer("synthetic")
    assert taker.mark({}, lease="old").get_json()["error"] == "elsewhere"
    study = db.session.query(Study).one()
    lifecycle.close(study)
    db.session.commit()
    refused = taker.mark({})
    assert (refused.status_code, refused.get_json()["error"]) == (409, "study-closed")
    assert db.session.query(Mark).count() == 0


def test_a_practice_case_tells_its_truth_after_the_marks(reading):
    taker = reading(practice=2)
    told = taker.answer("synthetic").get_json()
    assert told["feedback"] is None
    trial = taker.trial["trial"]
    again = taker.post(f"trials/{trial}/answer", id=str(uuid.uuid4()), answer="real", certainty="full").get_json()
    assert again["feedback"] is None
    feedback = taker.mark({}).get_json()["feedback"]
    assert feedback["correct"] is (feedback["truth"] == "synthetic")
    assert taker.step["kind"] == "pause"
    repeated = taker.post(f"trials/{trial}/marks", id=str(uuid.uuid4()), outcome="nothing", marks=[]).get_json()
    assert repeated["feedback"] == feedback


def test_scored_marks_never_tell_the_truth(reading):
    taker = reading()
    told = taker.answer("synthetic").get_json()
    assert told["feedback"] is None
    assert taker.mark({}).get_json()["feedback"] is None


def test_the_image_may_be_fetched_again_while_it_is_marked_and_not_after(reading):
    taker = reading()
    image = taker.trial["images"][0]
    taker.answer("synthetic")
    for address in (image["address"], image["sealed"]):
        assert taker.client.get(address).status_code == 200
    taker.mark({})
    for address in (image["address"], image["sealed"]):
        assert taker.client.get(address).status_code == 410


def test_while_one_is_marked_the_next_image_does_not_travel_in_the_clear(reading):
    taker = reading()
    taker.answer("synthetic")
    sealed = taker.step["ahead"][0]
    assert taker.client.get(sealed).status_code == 200
    assert taker.client.get(sealed.replace("/sealed/", "/images/")).status_code == 410


def test_an_image_that_was_gone_is_not_shown_again(reading, time):
    taker = reading(limit_s=5)
    taker.onset()
    time.forward(6)
    taker.answer("synthetic")
    assert taker.step["kind"] == "trial"
    assert db.session.query(Trial).filter(Trial.marks_outcome.isnot(None)).count() == 0


def test_an_image_that_was_gone_is_shown_again_where_the_study_says_so_and_it_is_on_record(reading, time):
    taker = reading(limit_s=5, marks_after_timeout=True)
    taker.onset()
    time.forward(6)
    image = taker.trial["images"][0]
    assert taker.client.get(image["address"]).status_code == 410
    taker.answer("synthetic")
    assert taker.step["kind"] == "marks"
    assert taker.client.get(image["address"]).status_code == 200
    (event,) = db.session.query(Event).filter_by(kind="shown-again")
    assert event.details == {"trial": taker.trial["trial"]}
    taker.mark({})
    assert [row["late"] for row in rows()] == [1]


def test_an_image_that_stays_is_marked_after_the_time_too(reading, time):
    taker = reading(limit_s=5, at_timeout="keep")
    taker.onset()
    time.forward(6)
    taker.answer("synthetic")
    assert taker.step["kind"] == "marks"
    assert db.session.query(Event).filter_by(kind="shown-again").count() == 0


def test_a_sitting_ends_with_the_marks_of_its_last_trial(reading, app, reader_called):
    taker = reading(cases=2, block=2)
    while not (taker.step["kind"] == "marks" and taker.step["answered"] == 2):
        _ = taker.mark({}) if taker.step["kind"] == "marks" else taker.answer("synthetic")
    assert not reader_called("R1").has_finished
    study = db.session.query(Study).one()
    images = app.config["SETTINGS"].images
    assert proof.of_study(db.session(), study, images).faults == []
    taker.mark()
    assert taker.step["kind"] == "done"
    assert reader_called("R1").has_finished
    assert proof.of_study(db.session(), study, images).faults == []


def test_a_pause_may_be_asked_for_with_the_marks(reading):
    taker = reading()
    taker.answer("synthetic")
    taker.mark({}, pause=True)
    assert taker.step["kind"] == "pause"


def test_the_time_that_marks_take_is_said_on_the_welcome_page(make_study):
    minutes = [
        entry.expected_minutes(make_study(f"study-{number}", limit_s=0.0, **settings))
        for number, settings in enumerate(({}, {"marks": "asked"}, {"marks": "asked", "marks_for": "all"}))
    ]
    assert minutes == [3, 4, 6]  # 15 cases of 10.5 s, and 5 or 10 s more


def test_the_live_page_counts_marks_and_says_nothing_of_them(reading):
    taker = reading()
    for marks in ([{}], [], [{}, {}]):
        taker.answer("synthetic")
        taker.mark(*marks)
    (row,) = monitor.progress(db.session(), db.session.query(Study).one())
    assert (row.marked, row.unmarked) == (2, 1)


def test_a_study_that_cannot_ask_for_marks_is_not_opened(make_study):
    study = make_study(opened=False, marks="asked", keys_ahead=2)
    assert [fault for fault in lifecycle.may_not_open(study) if fault.startswith("keys_ahead: marks follow")]


@pytest.mark.parametrize(
    ("reasons", "why"),
    [
        ([], "0 reasons; expected 1 to 10"),
        ([f"r{number}" for number in range(11)], "11 reasons; expected 1 to 10"),
        (["teeth", "Teeth"], "given twice"),
        (["x" * 81], "1 to 80 characters"),
        ([" "], "1 to 80 characters"),
    ],
)
def test_reasons_that_cannot_be_offered_are_named(make_study, reasons, why):
    with pytest.raises(InvalidInputError, match=f"reasons: .*{why}"):
        make_study(reasons=reasons)


def test_a_studys_own_reasons_are_those_that_are_taken(reading):
    taker = reading(reasons=["the spine"])
    taker.answer("synthetic")
    assert taker.step["marks"]["reasons"] == ["the spine"]
    assert_refused(taker, "marks[0].reason", {"reason": "teeth"})
    assert taker.mark({"reason": "the spine"}).status_code == 200


def test_in_a_quartet_those_are_marked_that_were_not_chosen(app, tmp_path, take):
    study = quartets.opened(quartets.imported(app, tmp_path, quartets.entries(3)), marks="asked")
    taker = quartets.invited(study, app, take)
    taker.go_on()
    taker.answer(None, None, chosen=2, realism=[1, 2, 3, 4])
    assert taker.step["marks"]["places"] == [1, 3, 4]
    assert_refused(taker, "marks[0].place: 2 is not one of the images that may be marked: 1, 3, 4", {"place": 2})
    taker.mark({"place": 4}, {"place": 1, "x": 0})
    taker.answer(None, None, chosen=1, realism=[1, 2, 3, 4])
    taker.mark()
    marks = sorted(rows(), key=lambda row: (row["position"], row["mark"]))
    assert [(row["mark"], row["place"], row["x"]) for row in marks] == [(1, 4, 0.5), (2, 1, 0), (0, None, None)]
    assert (marks[2]["case"], marks[2]["outcome"]) == (None, "nothing")


def test_in_a_comparison_all_are_marked_but_the_reference(app, tmp_path, take):
    pool = quartets.imported(app, tmp_path, comparisons.entries(3, reference=True))
    taker = quartets.invited(comparisons.opened(pool, marks="optional"), app, take)
    taker.go_on()
    taker.answer(None, None, criteria={"better": ["better", "worse"]})
    assert taker.step["marks"]["places"] == [1, 2]
    assert_refused(taker, "marks[0].place: 3 ", {"place": 3})
    taker.mark({"place": 2})
    assert [(row["mark"], row["place"]) for row in rows()] == [(1, 2)]


def test_in_a_staircase_the_image_is_shown_again_and_the_study_must_say_so(app, tmp_path, take):
    pool = quartets.imported(app, tmp_path, staircases.entries(40))
    with pytest.raises(InvalidInputError, match="marks_after_timeout: the image is gone"):
        staircases.opened(pool, marks="asked")
    db.session.rollback()
    study = staircases.opened(pool, marks="asked", marks_after_timeout=True)
    taker = quartets.invited(study, app, take)
    taker.go_on()
    taker.onset()
    image = taker.trial["images"]
    taker.answer("synthetic", viewer={"shown_ms": 500.0, "frames": 30, "frame_ms": 16.7, "cut": False})
    assert taker.step["trial"]["images"] == image
    taker.mark({})
    assert taker.step["kind"] == "trial"
    (row,) = rows()
    assert (row["mark"], row["answer"]) == (1, "synthetic")


def test_no_key_goes_out_ahead_where_marks_are_asked_for(make_study, invite):
    study = make_study(practice=0, keys_ahead=2)
    study.settings = study.settings | {"marks": "optional"}  # as an older version let it be
    db.session.commit()
    taker = invite(study).enter()
    taker.go_on()
    assert taker.step["kind"] == "trial"
    assert taker.step["keyed"] == []
