"""The overview: what is done in a study, what comes next, when it may end, and its log in sentences."""

import ast
from datetime import date, timedelta
from pathlib import Path

import pytest

from quiz_app import clock
from quiz_app.database import db
from quiz_app.models import Event, Study, Trial
from quiz_app.study import guide, history, lifecycle, monitor, readers

ROOT = Path(__file__).resolve().parents[3] / "quiz_app"
PAGE = "/researcher/studies/mine/"


@pytest.fixture
def steps(app):
    """The steps of the study as they are now, by name."""

    def look():
        study = db.session.query(Study).filter_by(slug="mine").one()
        found = guide.steps(db.session(), study, monitor.progress(db.session(), study), app.config["SETTINGS"])
        return {step.name: step for step in found}

    return look


def coming(steps):
    return [name for name, step in steps.items() if step.next]


def test_a_draft_is_led_to_its_opening(owned, owner, steps):
    study = owned(opened=False, consent=" ")
    assert coming(steps()) == ["Settings"]
    assert "consent: the text is empty" in steps()["Settings"].says
    lifecycle.change(study, {"consent": "I agree."})
    db.session.commit()
    assert coming(steps()) == ["Preview"]
    owner.post(f"{PAGE}preview")
    assert coming(steps()) == ["Pre-flight"]
    page = owner.get(PAGE).text
    assert page.count('class="button primary"') == 1
    assert ">Check images</a>" in page
    lifecycle.open_study(study)
    db.session.commit()
    assert steps()["Pre-flight"].skipped
    assert steps()["Pre-flight"].says == "The images have not been checked."
    assert coming(steps()) == ["Readers"]


def test_an_open_study_is_led_to_its_report(owned, owner, invite, steps):
    taker = invite(owned(cases=4, practice=0)).enter()
    assert coming(steps()) == ["Reading"]
    assert steps()["Reading"].says.startswith("0 of 1 readers have finished; 0 answers.")
    taker.finish()
    assert coming(steps()) == ["Close"]
    owner.post(f"{PAGE}close")
    assert coming(steps()) == ["Report"]
    assert steps()["Report"].says == "Not created yet."


def test_a_withdrawn_link_does_not_hold_up_the_close(owned, invite, steps, reader_called):
    study = owned(cases=4, practice=0)
    invite(study, "R1").enter().finish()
    invite(study, "R2")
    assert coming(steps()) == ["Reading"]
    readers.revoke(reader_called("R2"), "ill")
    db.session.commit()
    assert coming(steps()) == ["Close"]


def test_answers_are_counted_by_day_and_tell_when_the_last_may_come(owned, invite, time, steps):
    study = owned(cases=8, practice=0)
    first, second = invite(study, "R1").enter(), invite(study, "R2")
    today = time.moment.date()

    def answer(times):
        for _ in range(times):
            while first.step["kind"] != "trial":
                first.go_on()
            first.onset()
            assert first.answer().status_code == 200

    answer(1)
    time.forward(2 * 86_400)
    first.claim()
    answer(3)
    days = guide.answers_by_day(db.session(), study)
    assert days == {today: 1, today + timedelta(1): 0, today + timedelta(2): 3}
    # 4 answers in 3 days, and 4 + 8 are left: the last comes in 9 days.
    rows = monitor.progress(db.session(), study)
    assert guide.expected_end(study, rows, days) == today + timedelta(2 + 9)
    assert f"around {clock.dated(today + timedelta(11))}." in steps()["Reading"].says
    time.forward(8 * 86_400)
    assert guide.expected_end(study, rows, days) is None
    assert second.token


def test_practice_and_previews_count_on_no_day(owned, owner, take, steps):
    study = owned(cases=4, practice=2)
    link = owner.post(f"{PAGE}preview").headers["Location"]
    take(link.split("/")[2]).enter().finish()
    assert db.session.query(Trial).filter(Trial.answered_at.isnot(None)).count() == 6
    assert guide.answers_by_day(db.session(), study) == {}


def test_days_without_answers_are_drawn_too(app):
    with app.test_request_context():
        macro = app.jinja_env.get_template("researcher/parts.html").module.by_day
        drawn = macro({date(2026, 11, 28): 2, date(2026, 11, 29): 0, date(2026, 11, 30): 4})
    assert [drawn.count(f'height="{height}"') for height in ("10.0", "0.0", "20.0")] == [1, 1, 1]


def records():
    """Every call that writes to the log of a study: the kinds it may have, and the details it gives."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "record":
                names = {keyword.arg for keyword in node.keywords}
                if names & {"study", "sitting"}:
                    kinds = [one.value for one in ast.walk(node.args[0]) if isinstance(one, ast.Constant)]
                    yield path.name, kinds, names


def test_every_kind_of_event_has_a_sentence_made_of_its_own_details():
    written = list(records())
    assert len(written) > 30
    for path, kinds, names in written:
        for kind in kinds:
            assert kind in history.SENTENCES, (path, kind)
            if None not in names:  # as looks-planned, which gives its plan whole
                wanted = {part.split("}")[0] for part in history.SENTENCES[kind].split("{")[1:]} - {"who"}
                assert wanted <= names, (path, kind)


@pytest.mark.parametrize(
    ("kind", "details", "said"),
    [
        ("study-changed", {"settings": {"a": 1, "b": 2}, "version": 3}, "ada changed a, b (version 3)."),
        ("reader-revoked", {"reader": "R1", "reason": "Lost it."}, "ada withdrew the link of R1: Lost it."),
        ("refused", {"code": "not-due"}, "Discern refused a request from ada: not due."),
        ("study-closed", {}, "ada closed the study with – answers (including practice)."),
        ("letters-begun", {"letters": 1, "what": "reminder"}, "ada started sending 1 message by e-mail (reminder)."),
        ("went-on", {"answered": 1}, "ada continued after 1 answer."),
        ("went-on", {"answered": 11}, "ada continued after 11 answers."),
        ("from-a-later-version", {}, "ada: from a later version."),
        (
            "reader-extended",
            {"reader": "R1", "until": "2026-12-01T10:00", "reason": "on leave"},
            "ada extended R1 until 2026-12-01 10:00 UTC: on leave.",
        ),
        (
            "reader-extended",
            {"reader": "R1", "until": "2026-12-01T10:00+01:00", "reason": "on leave"},
            "ada extended R1 until 2026-12-01 09:00 UTC: on leave.",
        ),
    ],
)  # fmt: skip
def test_an_event_is_told_in_a_sentence(kind, details, said):
    assert history.sentence(Event(kind=kind, actor="ada", details=details)) == said


def test_the_log_shows_sentences_and_no_code(owned, owner, invite):
    taker = invite(owned(cases=4, practice=0)).enter()
    taker.finish()
    page = owner.get(f"{PAGE}log").text
    assert "R1 finished the study." in page
    assert "sitting-finished" not in page
    assert "R1 opened the reading room." in page
    overview = owner.get(PAGE).text
    assert "R1 finished the study." in overview
    assert "R1 opened the reading room." not in overview


def test_the_list_of_studies_shows_a_picture_and_says_what_to_do_without_any(owned, owner):
    assert "You have no studies yet.</strong> Your images are ready" in owner.get("/researcher/").text
    owned()
    assert "no readers yet" in owner.get("/researcher/").text
    picture = owner.get("/researcher/pools/noise/picture.png")
    assert (picture.status_code, picture.mimetype) == (200, "image/png")
    assert owner.get("/researcher/pools/none/picture.png").status_code == 404
