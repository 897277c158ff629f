"""The way in and out: own questions, the device, leaving, and a reader's own result."""

import json
from html import unescape

import pytest

from quiz_app.database import db
from quiz_app.models import Answer, Event, Sitting
from quiz_app.sittings import entry, leaving, result, start
from quiz_app.study import lifecycle, readers, reports

DESK = {"width": 1440, "height": 900, "ratio": 1, "depth": 24, "touch": 0, "trip_ms": 31, "frame_ms": 16.7}
PHONE = DESK | {"width": 390, "height": 844, "touch": 1}


def arrive(taker):
    """As far as the instructions."""
    taker.client.post(taker.url("welcome"), data={"consent": "yes"})
    return taker.client.get(taker.url("about"))


def judge(taker, right):
    """Answer every scored trial; `right(position)` says whether as the case is."""
    while taker.step["kind"] != "done":
        if taker.step["kind"] != "trial":
            taker.go_on()
            continue
        truth = db.session.query(Sitting).one().trials[taker.trial["position"] - 1].cases[0].case.truth
        other = {"real": "synthetic", "synthetic": "real"}[truth]
        said = right(taker.trial["position"])
        if said is None:
            taker.answer("unsure", None)
        else:
            taker.answer(truth if said else other, "full" if said else "partial")


def test_a_reader_is_asked_the_studys_own_questions(make_study, invite, reader_called):
    lines = ["Specialty: dentistry | radiology", "Where do you work?"]
    taker = invite(make_study(questions=lines))
    assert "Specialty" in arrive(taker).text
    response = taker.client.post(taker.url("about"), data={"question-1": "surgery", "question-2": "x" * 501})
    assert response.text.count('class="fault"') == 2
    assert reader_called("R1").sitting is None
    said = {"question-1": "radiology", "question-2": " Aarhus "}
    assert taker.client.post(taker.url("about"), data=said).headers["Location"].endswith("/instructions")
    assert reader_called("R1").profile == {"Specialty": "radiology", "Where do you work?": "Aarhus"}


def test_own_questions_are_read_from_their_lines(make_study):
    study = make_study(questions=["Tea: green | black |", "Why: because?", "Plain"])
    asked = [(question.words, question.choices) for question in entry.own_questions(study)]
    assert asked == [("Tea", ("green", "black")), ("Why: because?", ()), ("Plain", ())]


LABELS = ["Surely real", "Rather real", "No idea", "Rather made", "Surely made"]
DANISH = ["Ægte", "Nok ægte", "Ved ikke", "Nok lavet", "Lavet"]


@pytest.mark.parametrize(("language", "expected"), [("en", LABELS), ("da", DANISH)])
def test_a_study_may_name_the_levels_in_its_own_words(make_study, invite, language, expected):
    taker = invite(make_study(labels=[*LABELS[:2], " ", *LABELS[2:], "[da]", *DANISH], unsure=False))
    arrive(taker)
    taker.client.post(taker.url("about"))
    asked = {"headers": {"Accept-Language": language}}
    keys = taker.client.get(taker.url("instructions"), **asked).text
    taker.client.post(taker.url("instructions"))
    buttons = taker.client.get(taker.url("room"), **asked).text
    for level, label in enumerate(expected, start=1):
        assert (f"<kbd>{level}</kbd> {label}</li>" in keys) is (level != 3)
        assert (f"<b>{label}</b>" in buttons) is (level != 3)
    assert "certain" not in buttons.replace("data-certainty", "")


@pytest.mark.parametrize(
    ("at_timeout", "told"),
    [("blank", "Then it disappears, but you"), ("keep", "After that it stays on the screen, and you")],
)
def test_the_instructions_say_what_becomes_of_the_image_at_time_out(make_study, invite, at_timeout, told):
    taker = invite(make_study(at_timeout=at_timeout))
    arrive(taker)
    assert f"{told} can still answer" in taker.client.get(taker.url("instructions")).text


@pytest.mark.parametrize(
    ("limit_s", "at_timeout", "language", "told"),
    [
        (1, "blank", "en", "shown for one second."),
        (1, "keep", "da", "Du har ét sekund til"),
        (1.5, "blank", "de", "wird 1,5 Sekunden lang"),
    ],
)
def test_the_instructions_count_seconds_as_the_language_does(make_study, invite, limit_s, at_timeout, language, told):
    taker = invite(make_study(limit_s=limit_s, at_timeout=at_timeout))
    arrive(taker)
    assert told in taker.client.get(taker.url("instructions"), headers={"Accept-Language": language}).text


def test_the_device_is_kept_with_the_sitting(make_study, invite, reader_called):
    taker = invite(make_study())
    arrive(taker)
    taker.client.post(taker.url("instructions"), data={"device": json.dumps(DESK)})
    assert reader_called("R1").sitting.device == DESK
    assert taker.post("claim", way="sealed").status_code == 200
    assert reader_called("R1").sitting.device == DESK | {"way": "sealed"}


def test_a_study_may_keep_phones_out(make_study, invite, reader_called):
    taker = invite(make_study(phones=False))
    arrive(taker)
    response = taker.client.post(taker.url("instructions"), data={"device": json.dumps(PHONE)})
    assert "too small for this study" in response.text
    assert reader_called("R1").sitting.instructed_at is None
    response = taker.client.post(taker.url("instructions"), data={"device": json.dumps(DESK)})
    assert response.headers["Location"].endswith("/room")


@pytest.mark.parametrize(
    "device", ["no json", "[1]", '{"width": "wide"}', '{"truth": 1}', '{"depth": 1e9}', '{"width": true}']
)
def test_a_device_check_out_of_form_is_refused_and_changes_nothing(make_study, invite, reader_called, device):
    taker = invite(make_study())
    arrive(taker)
    assert taker.client.post(taker.url("instructions"), data={"device": device}).status_code == 422
    assert reader_called("R1").sitting.instructed_at is None


def test_a_way_that_is_none_is_refused(make_study, invite):
    taker = invite(make_study()).enter()
    assert taker.post("claim", way="by pigeon").get_json()["error"] == "bad-way"


def test_who_leaves_keeps_answers_or_has_them_deleted(make_study, invite, reader_called):
    study = make_study(practice=0, questions=["Where?"])
    keeping, deleting = invite(study), invite(study, "R2")
    for taker in (keeping, deleting):
        arrive(taker)
        taker.client.post(taker.url("about"), data={"question-1": "here"})
        taker.client.post(taker.url("instructions"))
        taker.claim().go_on()
        taker.answer()
        taker.answer()
    assert "You have given 2 answers" in keeping.client.get(keeping.url("leave")).text
    assert "Please choose one." in keeping.client.post(keeping.url("leave")).text
    keeping.client.post(keeping.url("leave"), data={"answers": "keep"})
    deleting.client.post(deleting.url("leave"), data={"answers": "delete"})
    assert db.session.query(Answer).count() == 2
    assert [len(reader_called(name).sittings) for name in ("R1", "R2")] == [1, 0]
    assert (reader_called("R1").profile, reader_called("R2").profile) == ({"Where?": "here"}, {})
    assert db.session.query(Event).filter_by(kind="deleted-at-wish").one().details == {"answers": 2}
    for taker in (keeping, deleting):
        assert taker.client.get(taker.url("room")).headers["Location"].endswith("/left")
        assert taker.post("next").get_json()["error"] == "withdrawn"
        assert taker.client.post(taker.url("leave"), data={"answers": "keep"}).headers["Location"].endswith("/left")
    assert "We kept none of your answers" in deleting.client.get(deleting.url("left")).text


def test_who_has_finished_may_still_have_the_answers_deleted_and_loses_nothing_by_keeping_them(
    make_study, invite, reader_called
):
    study = make_study(practice=0, result="at once")
    taker = invite(study).enter()
    taker.finish()
    lifecycle.close(study)
    db.session.commit()
    assert "Delete my answers" in taker.client.get(taker.url("end")).text
    kept = taker.client.post(taker.url("leave"), data={"answers": "keep"}, follow_redirects=True)
    assert "Your result" in kept.text
    assert reader_called("R1").withdrawn_at is None
    taker.client.post(taker.url("leave"), data={"answers": "delete"})
    assert db.session.query(Answer).count() == 0
    assert "We kept none of your answers" in taker.client.get(taker.url("left")).text


def test_no_kept_report_outlives_the_answers_that_are_deleted(app, make_study, invite):
    study = make_study()
    keeping, deleting = invite(study).enter(), invite(study, "R2").enter()
    kept = reports.home(app.config["SETTINGS"].instance, study) / "v1-2"
    kept.mkdir(parents=True)
    for taker, choice, stays in ((keeping, "keep", True), (deleting, "delete", False)):
        taker.answer()
        taker.client.post(taker.url("leave"), data={"answers": choice})
        assert kept.exists() == stays


def test_who_left_keeping_the_answers_may_still_have_them_deleted_by_the_researcher(
    make_study, invite, reader_called, tmp_path
):
    taker = invite(make_study()).enter()
    taker.answer()
    reader = reader_called("R1")
    leaving.withdraw(reader, tmp_path, delete=False)
    left_at = reader.withdrawn_at
    leaving.withdraw(reader, tmp_path, delete=True)
    db.session.flush()
    assert (leaving.answered(reader), reader.withdrawn_at) == (0, left_at)


@pytest.mark.parametrize(
    ("when", "before", "after"), [("never", False, False), ("closed", False, True), ("at once", True, True)]
)
def test_a_result_is_seen_when_the_study_says(make_study, invite, when, before, after):
    study = make_study(practice=0, result=when)
    taker = invite(study).enter()
    assert taker.client.get(taker.url("end")).status_code == 303
    taker.finish()
    assert ("Your result" in taker.client.get(taker.url("end")).text) is before
    lifecycle.close(study)
    db.session.commit()
    assert ("Your result" in taker.client.get(taker.url("end")).text) is after


def test_a_result_counts_by_truth_and_certainty_and_shows_the_misses(make_study, invite, reader_called):
    study = make_study(practice=0, result="at once")
    taker = invite(study).enter()
    judge(taker, lambda position: None if position == 12 else position % 3 != 0)
    found = result.own(reader_called("R1"))
    assert (found.overall.right, found.overall.given, found.overall.percent) == (8, 12, 67)
    assert [found.by_certainty[name].given for name in ("full", "partial", "unsure")] == [8, 3, 1]
    assert [found.by_certainty[name].right for name in ("full", "partial", "unsure")] == [8, 0, 0]
    assert sum(share.given for share in found.by_truth.values()) == 12
    assert len(found.misses) == 3
    page = taker.client.get(taker.url("end")).text
    assert page.count("<figure>") == 3
    missed = {shown.token for shown in found.misses}
    for trial in reader_called("R1").sitting.trials:
        response = taker.client.get(taker.url(f"misses/{trial.cases[0].token}"))
        assert response.status_code == (200 if trial.cases[0].token in missed else 404)


def test_a_result_speaks_in_the_words_of_the_studys_own_labels(make_study, invite):
    labels = ["surely camera", "maybe camera", "cannot say", "maybe machine", "surely machine"]
    study = make_study(practice=0, result="at once", labels=labels)
    taker = invite(study).enter()
    judge(taker, lambda position: None if position == 12 else position % 3 != 0)
    page = unescape(taker.client.get(taker.url("end")).text)
    for words in (
        "Where you said “surely camera” or “surely machine”",
        "Where you said “maybe camera” or “maybe machine”",
        "One answer was “cannot say”; it does not count as correct.",
    ):
        assert words in page
    missed = [f"{truth}; you said “maybe {other}”." for truth, other in (("Real", "machine"), ("Synthetic", "camera"))]
    assert sum(page.count(words) for words in missed) == 3
    assert "certain" not in page.partition("Your result")[2]


@pytest.mark.parametrize(("when", "told"), [("never", False), ("closed", False), ("at once", True)])
def test_the_card_has_a_result_only_where_the_study_shows_it_and_never_a_truth(make_study, invite, when, told):
    study = make_study(practice=1, repeats=2, result=when)
    taker = invite(study).enter()
    taker.finish()
    card = taker.client.get(taker.url("end")).text.partition('id="card"')[2].partition("</section>")[0]
    assert "I judged 12 radiographs." in card  # neither practice nor repeats
    assert ("6 of 12 answers correct (50 %)." in card) is told
    assert "data-title" in card
    assert not {"real", "synthetic", "misses"} & set(card.replace('"', " ").split())


def test_the_card_of_a_study_in_several_parts_counts_all_of_them(conditioned, invite, time):
    taker = invite(conditioned(conditions_cases="split")).enter()
    taker.finish()
    time.forward(60)
    taker.client.post(taker.url("between"))
    taker.client.post(taker.url("instructions"))
    taker.claim().finish()
    assert "I judged 12 radiographs." in taker.client.get(taker.url("end")).text


def test_no_missed_image_is_shown_before_the_end_or_to_others(make_study, invite, reader_called):
    study = make_study(practice=0, result="at once")
    taker, other = invite(study).enter(), invite(study, "R2")
    taker.go_on()
    token = taker.trial["images"][0]["address"].rpartition("/")[2]
    taker.answer()
    assert taker.client.get(taker.url(f"misses/{token}")).status_code == 404
    taker.finish()
    missed = result.own(reader_called("R1")).misses[0].token
    assert taker.client.get(taker.url(f"misses/{missed}")).status_code == 200
    assert other.client.get(other.url(f"misses/{missed}")).status_code == 404


def test_the_leaderboard_ranks_those_who_have_finished_by_pseudonym(make_study, invite, reader_called):
    study = make_study(practice=0, result="at once", leaderboard=True)
    for name, answer in (("Wolf", "real"), ("Hare", "unsure"), ("Crow", "synthetic")):
        taker = invite(study, name).enter()
        while taker.step["kind"] != "done":
            if taker.step["kind"] != "trial":
                taker.go_on()
            elif name == "Crow" and taker.trial["position"] == 12:
                break
            else:
                taker.answer(answer, None if answer == "unsure" else "full")
    assert [(name, share.right) for name, share in result.leaders(study)] == [("Wolf", 6), ("Hare", 0)]
    taker = invite(study, "Elk").enter()
    taker.finish()
    page = taker.client.get(taker.url("end")).text
    assert "Elk (you)" in page
    assert "Wolf" in page
    assert "Crow" not in page


def test_of_a_reader_who_began_anew_the_leaderboard_takes_the_latest_sitting(make_study, invite, reader_called):
    study = make_study(practice=0, result="at once", leaderboard=True)
    taker = invite(study, "Wolf").enter()
    taker.finish()
    start.reset(reader_called("Wolf"), "the line was dead")
    db.session.commit()
    assert result.leaders(study) == []
    taker.client.post(taker.url("instructions"))
    taker.claim().finish()
    assert [(name, share.given) for name, share in result.leaders(study)] == [("Wolf", 12)]


def test_a_preview_tells_no_truth_while_the_study_is_blinded(make_study, take, reader_called):
    study = make_study(practice=0, result="at once")
    taker = take(readers.preview(study))
    db.session.commit()
    taker.enter().finish()
    page = taker.client.get(taker.url("end"))
    assert page.status_code == 200
    assert "Your result" not in page.text
    tokens = [trial.cases[0].token for trial in reader_called(readers.PREVIEW).sitting.trials]
    assert {taker.client.get(taker.url(f"misses/{token}")).status_code for token in tokens} == {404}


def test_without_a_leaderboard_no_other_reader_is_named(make_study, invite):
    study = make_study(practice=0, result="at once")
    invite(study, "Wolf").enter().finish()
    taker = invite(study, "Elk").enter()
    taker.finish()
    assert "Wolf" not in taker.client.get(taker.url("end")).text


@pytest.mark.parametrize(
    ("page", "form", "status"),
    [
        ("about", {"years": "9" * 5000}, 200),
        ("instructions", {"device": "[" * 100_000}, 422),
        ("welcome", {"consent": "\0"}, 400),
        ("welcome", {"consent": "x" * 2**20}, 413),
    ],
)
def test_a_form_that_no_browser_sends_is_refused(make_study, invite, page, form, status):
    taker = invite(make_study(ask_years=True))
    taker.client.post(taker.url("welcome"), data={"consent": "yes"})
    if page == "instructions":
        taker.client.post(taker.url("about"), data={"years": "3"})
    assert taker.client.post(taker.url(page), data=form).status_code == status
    assert taker.client.post("/r/nobody/welcome", data={"a": "x" * 2**20}).status_code == 413
