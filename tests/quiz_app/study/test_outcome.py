"""The pages of results: the same numbers as results.json, for cases and readers too, and nothing before the close."""

import html
import json
import re
import time as clock_of_the_machine

import pytest
import sqlalchemy as sa

from quiz_app.database import db
from quiz_app.models import Case
from quiz_app.sittings import start
from quiz_app.study import guide, lifecycle, outcome, reports

RESULTS = "/researcher/studies/mine/results"
ANSWERS = {"R1": ("real", "full"), "R2": ("synthetic", "partial"), "R3": ("unsure", None)}


@pytest.fixture
def answered(owned, invite):
    """A study that three readers of two groups have finished, each with one answer to everything."""
    study = owned(practice=0, groups=["EC", "EP"], marks="optional", marks_for="all")
    for name, (answer, certainty) in ANSWERS.items():
        taker = invite(study, name, "EP" if name == "R3" else "EC")
        taker.enter()
        while taker.step["kind"] != "done":
            if taker.step["kind"] == "trial":
                taker.onset()
                assert taker.answer(answer, certainty).status_code == 200
            elif taker.step["kind"] == "marks":
                assert taker.mark({}).status_code == 200
            else:
                taker.go_on()
    return study


@pytest.fixture
def found(app, owner, answered):
    """The report on it, made as on the desk."""
    lifecycle.close(answered)
    db.session.commit()
    key = reports.key(db.session(), answered)
    assert owner.post(RESULTS).status_code == 303
    while (told := owner.get(f"{RESULTS}/{key}.json", buffered=True).get_json())["state"] == "making":
        clock_of_the_machine.sleep(0.2)
    assert told["state"] == "done", told
    return outcome.present(app.config["SETTINGS"].instance, answered, key)


def at(results, pointer):
    for step in pointer.strip("/").split("/"):
        results = results[int(step)] if isinstance(results, list) else results[step]
    return results


def test_the_pages_show_the_results_the_cases_and_the_readers(owner, answered, found):
    """One report for all: it takes longer than the pages."""
    the_pages_show_what_results_json_says(owner, found)
    cases_are_sorted_and_filtered_as_readers_judged_them(owner, answered, found)
    a_case_shows_its_image_marks_answers_and_times(owner, found)
    the_name_of_a_report_counts_what_the_views_hold(found)


def the_name_of_a_report_counts_what_the_views_hold(found):
    answers, marks = (
        db.session.scalar(sa.text(f"SELECT count(DISTINCT trial) FROM {view}")) for view in ("responses", "marks")
    )
    assert marks > 0
    assert found.key == f"v1-{answers}-m{marks}"


def the_pages_show_what_results_json_says(owner, found):
    page = owner.get(RESULTS, buffered=True).text
    assert len(found.findings) >= 3
    assert not [finding for finding in found.findings if finding not in html.unescape(page)]
    shown = re.findall(r'<data value="([^"]*)" data-from="([^"]*)"', page)
    assert len(shown) >= 5
    pages = [owner.get(f"{RESULTS}/readers/{name}", buffered=True).text for name in ANSWERS]
    shown += [pair for one in pages for pair in re.findall(r'<data value="([^"]*)" data-from="([^"]*)"', one)]
    for value, pointer in shown:
        entry = at(found.results, pointer)
        entry = entry["value"] if isinstance(entry, dict) else entry
        assert value == str(entry), pointer
    for rule in ("fractional", "excluded", "wrong", "half"):
        accuracy = found.results["overall"]["accuracy"][rule]["value"]
        assert f"all readers: {100 * accuracy:.1f} %" in page
    assert page.index("figures/roc.svg") < page.index("figures/confusion.svg")
    assert ">This study and published studies<" in page
    assert json.loads(owner.get(f"{RESULTS}/{found.key}/results.json", buffered=True).text) == found.results
    svg = owner.get(f"{RESULTS}/{found.key}/figures/roc.svg", buffered=True)
    assert svg.mimetype == "image/svg+xml"


def cases_are_sorted_and_filtered_as_readers_judged_them(owner, answered, found):
    numbers = outcome.numbers(db.session(), answered)
    rows = outcome.wall(found, numbers, {}, truth="synthetic", group="EC", sort="wrong")
    assert rows
    assert {(row.truth, row.wrong, row.read) for row in rows} == {("synthetic", 0.5, 2)}
    assert {row.split for row in rows} == {1.5}  # levels 1 and 4
    assert {row.wrong for row in outcome.wall(found, numbers, {}, group="EP")} == {0.0}  # unsure is no mistake
    times = {row.name: 100.0 + row.id for row in rows}
    slow = outcome.wall(found, numbers, times, truth="synthetic", sort="slow")
    assert [row.id for row in slow] == sorted((row.id for row in rows), reverse=True)
    page = owner.get(f"{RESULTS}/cases?truth=real&sort=split", buffered=True).text
    assert "· synthetic" not in page
    assert page.count("· real") == sum(case["truth"] == "real" for case in found.results["cases"])
    assert owner.get(f"{RESULTS}/cases?page=99&sort=x&truth=y", buffered=True).status_code == 200


def a_case_shows_its_image_marks_answers_and_times(owner, found):
    case = db.session.query(Case).filter_by(name=found.results["cases"][0]["case"]).one()
    page = owner.get(f"{RESULTS}/cases/{case.id}", buffered=True).text
    assert page.partition("<main")[2].count("<circle") == 3
    for words in ("certainly real", "probably synthetic", "unsure"):
        assert f">{words}</td>" in page
    image = owner.get(f"/researcher/pools/noise/cases/{case.id}/whole.png", buffered=True)
    assert image.data.startswith(b"\x89PNG")
    assert owner.get(f"{RESULTS}/cases/99999", buffered=True).status_code == 404
    assert owner.get(f"{RESULTS}/readers/nobody", buffered=True).status_code == 404


def test_nothing_is_shown_before_the_close_nor_without_a_report(app, owner, answered):
    pages = ("/cases", "/cases/1", "/readers/R1")
    assert {owner.get(f"{RESULTS}{page}").status_code for page in pages} == {403}
    lifecycle.close(answered)
    db.session.commit()
    assert {owner.get(f"{RESULTS}{page}").status_code for page in pages} == {404}
    assert outcome.present(app.config["SETTINGS"].instance, answered, "v1-1") is None


def test_times_are_those_of_the_sittings_that_count_under_the_condition_of_the_report(owned, invite, reader_called):
    study = owned(cases=4, practice=0, conditions=["alone: limit_s = 5.0", "aided: limit_s = 0.0"])
    taker = invite(study).enter()
    taker.finish()
    start.reset(reader_called("R1"), "a fire alarm")  # the part begins again
    db.session.commit()
    taker.client.post(taker.url("instructions"))
    taker.claim().finish()
    assert taker.client.post(taker.url("between")).status_code == 303
    taker.client.post(taker.url("instructions"))
    taker.claim().finish()
    assert len(reader_called("R1").sittings) == 3
    assert len(outcome.pace(db.session(), study, None, "R1")) == 8
    for condition in ("alone", "aided"):
        assert len(outcome.pace(db.session(), study, condition, "R1")) == 4
        assert len(outcome.times(db.session(), study, condition)) == 4
    assert guide.expected_end(study, [], guide.answers_by_day(db.session(), study)) is None
