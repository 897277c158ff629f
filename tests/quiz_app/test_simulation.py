"""Simulated readers: the whole way over HTTP, the same for the same seed, refused aloud."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from scipy.stats import norm

from generation.known_faults import KnownFault
from quiz_app import clock, simulation
from quiz_app.database import db, reading
from quiz_app.designs.allotment import allotted
from quiz_app.designs.observer import ODDITY, Observer
from quiz_app.designs.order import reader_seed
from quiz_app.errors import InvalidInputError
from quiz_app.models import Case, Fault, Reader, Sitting, Trial
from quiz_app.sittings import answering
from quiz_app.study import lifecycle, readers


def answers(slug):
    """Each reader's answer about each case, unordered."""
    with reading() as session:
        rows = session.execute(
            sa.text('SELECT reader, "case", answer, certainty, client_ms FROM responses WHERE study = :slug'),
            {"slug": slug},
        )
        return {tuple(row) for row in rows}


def test_six_readers_take_a_study_with_breaks_from_link_to_last_page(app, make_study):
    slug = make_study(groups=["young", "old"], ask_years=True, break_every=3).slug
    db.session.remove()
    outcomes = simulation.run(app, slug, 6, seed=1)
    assert [outcome.refusal for outcome in outcomes] == [""] * 6
    assert [len(outcome.saved) for outcome in outcomes] == [15] * 6
    sittings = db.session.query(Sitting).all()
    assert all(sitting.finished_at for sitting in sittings)
    assert sorted(sitting.reader.group for sitting in sittings) == ["old"] * 3 + ["young"] * 3
    assert all(sitting.reader.years is not None for sitting in sittings)
    assert {sitting.seed for sitting in sittings} == {reader_seed(1, f"sim-{n:03}") for n in range(1, 7)}


def test_the_same_seed_gives_the_same_answers_and_another_others(app, make_study):
    slugs = [make_study(slug).slug for slug in ("one", "two", "three")]
    db.session.remove()
    for slug, seed in zip(slugs, (5, 5, 6), strict=True):
        simulation.run(app, slug, 2, seed=seed)
    one, two, three = map(answers, slugs)
    assert len(one) == 30
    assert one == two != three


def test_readers_are_numbered_on_from_those_there_are(app, make_study):
    slug = make_study(cases=2, practice=0).slug
    db.session.remove()
    assert [outcome.pseudonym for outcome in simulation.run(app, slug, 2)] == ["sim-001", "sim-002"]
    assert [outcome.pseudonym for outcome in simulation.run(app, slug, 1)] == ["sim-003"]


def test_without_unsure_nobody_is(app, make_study):
    slug = make_study(unsure=False).slug
    db.session.remove()
    (outcome,) = simulation.run(app, slug, 1)
    assert not outcome.refusal
    assert {saved["answer"] for saved in outcome.saved} == {"real", "synthetic"}


def test_an_observer_is_as_able_as_its_sensitivity_says():
    # AUC of two normals d' apart, sd sqrt(1 + ODDITY^2): Phi(d' / sqrt(2 (1 + ODDITY^2))); five levels lose a little.
    observer = Observer(seed=3, number=1, dprime=1.5, criterion=0.0, narrow=0.4, wide=1.2)
    levels = {
        truth: np.array([observer.judge(f"{truth} {n}", truth, _numbered())["level"] for n in range(4000)])
        for truth in ("real", "synthetic")
    }
    pairs = levels["synthetic"][:, None] - levels["real"][None, :]
    area = (pairs > 0).mean() + (pairs == 0).mean() / 2
    expected = norm.cdf(1.5 / np.sqrt(2 * (1 + ODDITY**2)))
    assert expected - 0.03 < area < expected + 0.01


@pytest.mark.parametrize("rating", [True, False])
def test_readers_mark_near_known_faults_and_the_same_seed_marks_the_same(app, make_study, rating):
    asked = {"marks": "asked", "marks_rating": rating, "marks_most": 2}
    slugs = [make_study(slug, **asked).slug for slug in ("one", "two")]
    for case in db.session.query(Case).filter_by(truth="synthetic"):
        db.session.add(Fault(case=case, kind="stripes", x=0.7, y=0.3, rx=0.2, ry=0.2, angle=0.0))
    db.session.commit()
    db.session.remove()
    for slug in slugs:
        assert [outcome.refusal for outcome in simulation.run(app, slug, 4, seed=3)] == [""] * 4
    with reading() as session:
        query = sa.text('SELECT reader, "case", truth, mark, x, y, reason, rating FROM marks WHERE study = :slug')
        one, two = ({tuple(row) for row in session.execute(query, {"slug": slug})} for slug in slugs)
    assert one == two
    assert max(row[3] for row in one) <= 2
    assert {row[7] is not None for row in one if row[3]} == {rating}
    marked = [row for row in one if row[3] and row[2] == "synthetic"]
    near = [row for row in marked if abs(row[4] - 0.7) < 0.2 and abs(row[5] - 0.3) < 0.2]
    assert len(near) > 0.6 * len(marked) > 5
    assert {row[3] for row in one if row[2] == "real"} >= {0}


def test_larger_faults_are_marked_more_often():
    observer = Observer.drawn(1, 1)
    asked = {"places": [1], "most": 3, "reasons": ["teeth", "roots"], "rating": True}

    def found(half):
        fault = KnownFault("stripes", 0.5, 0.5, half, half)
        marks = [observer.mark({1: (f"case {n}", [fault])}, asked)["marks"] for n in range(400)]
        return np.mean([any(mark["rating"] >= 3 for mark in own) for own in marks])

    small, large = found(0.02), found(0.15)
    assert small < large - 0.3


def test_who_guesses_sees_no_fault():
    guesser, asked = Observer.drawn(1, 1, dprime=0.0), {"places": [1], "most": 3, "reasons": ["teeth"], "rating": True}
    fault = KnownFault("stripes", 0.5, 0.5, 0.3, 0.3)
    for number in range(50):
        name = f"case {number}"
        assert guesser.mark({1: (name, [fault])}, asked) == guesser.mark({1: (name, [])}, asked)


def _numbered():
    return [{"level": level} for level in range(1, 6)]


def test_observers_differ_and_come_back_with_their_seed():
    drawn = [Observer.drawn(1, number) for number in range(50)]
    assert drawn == [Observer.drawn(1, number) for number in range(50)]
    assert len({observer.dprime for observer in drawn}) > 40
    assert all(0 < observer.narrow < observer.wide for observer in drawn)


@pytest.mark.parametrize(("state", "reason"), [("draft", "flask study open trial-run"), ("closed", "is closed")])
def test_a_study_that_is_not_open_is_a_clear_error(app, make_study, state, reason):
    study = make_study(opened=state == "closed")
    if state == "closed":
        lifecycle.close(study)
    db.session.commit()
    result = app.test_cli_runner().invoke(args=["simulate", "--study", "trial-run"])
    assert result.exit_code == 1
    assert reason in result.output


def test_a_server_that_is_not_there_is_a_clear_error(app, make_study):
    slug = make_study().slug
    db.session.remove()
    with pytest.raises(InvalidInputError, match="does not answer"):
        simulation.run(app, slug, 1, url="http://127.0.0.1:9")


def test_a_refusal_is_told_and_the_command_fails(app, make_study, monkeypatch):
    slug = make_study().slug
    db.session.remove()
    take, taken = answering.take, []

    def closing(way, trial, said):
        taken.append(trial)
        if len(taken) == 5:
            way.sitting.reader.study.state = "closed"
        return take(way, trial, said)

    monkeypatch.setattr(answering, "take", closing)
    result = app.test_cli_runner().invoke(args=["simulate", "--study", slug, "--readers", "1"])
    assert result.exit_code == 1
    assert "REFUSED" in result.output
    assert "study-closed" in result.output


def test_the_command_prints_a_line_a_reader(app, make_study):
    slug = make_study(groups=["young", "old"]).slug
    db.session.remove()
    result = app.test_cli_runner().invoke(args=["simulate", "--study", slug, "--readers", "3", "--seed", "2"])
    assert result.exit_code == 0, result.output
    lines = sorted(result.output.splitlines())
    assert [line.split("\t")[:3] for line in lines] == [
        ["sim-001", "young", "12 cases"],
        ["sim-002", "old", "12 cases"],
        ["sim-003", "young", "12 cases"],
    ]


@pytest.mark.parametrize(("days", "parts"), [(0, 2), (3, 1)])
def test_readers_read_every_part_that_the_washout_lets_them_and_see_a_case_anew(app, make_study, days, parts):
    slug = make_study(conditions=["plain", "timed: limit_s = 3.0"], practice=0, washout_days=days).slug
    db.session.remove()
    outcomes = simulation.run(app, slug, 2, seed=1)
    assert [outcome.refusal for outcome in outcomes] == ["", ""]
    assert [outcome.scored for outcome in outcomes] == [12 * parts] * 2
    sittings = db.session.query(Sitting).filter(Sitting.finished_at.isnot(None)).all()
    assert sorted(sitting.period for sitting in sittings) == sorted([*range(1, parts + 1)] * 2)
    ends = {sitting.finished_at + timedelta(days=days) for sitting in sittings if days}
    assert {outcome.waits_until for outcome in outcomes} == (ends or {None})


def test_over_a_washout_the_clock_of_the_rehearsal_is_moved_and_then_put_back(app, make_study):
    rules = ["plain", "timed: limit_s = 3.0", "small: largest_side = 32"]
    slug = make_study(conditions=rules, practice=0, washout_days=30).slug
    db.session.remove()
    before, told = clock.source, []
    outcomes = simulation.run(app, slug, 3, seed=1, skip_washouts=True, tell=told.append)
    assert clock.source is before
    assert [(outcome.refusal, outcome.waits_until, outcome.scored) for outcome in outcomes] == [("", None, 36)] * 3
    assert len(told) == 3
    for reader in lifecycle.find(slug).readers:
        first, second, third = (sitting.created_at for sitting in reader.sittings)
        assert reader.has_finished
        assert timedelta(days=30) < second - first < third - first - timedelta(days=30) < timedelta(days=31)
    assert db.session.query(Trial).filter_by(late=True).count() == 0


def test_readers_who_come_at_once_each_have_a_place_of_their_own_in_the_allotment_and_in_the_blocks(app, make_study):
    compared = make_study("compared", conditions=["a", "b: limit_s = 3.0"], conditions_by="between", practice=0)
    shared = make_study("shared", assignment="anchored", cases=6, anchors=2, practice=0)
    arms = Counter("ab"[allotted(2, number, compared.seed, "")] for number in range(6))
    tokens = [readers.invite(study, f"R{number}")[1] for study in (compared, shared) for number in range(6)]
    db.session.commit()
    db.session.remove()

    def begin(token):
        for page, form in (("welcome", {"consent": "yes"}), ("about", {})):
            assert httpx.post(f"{url}/r/{token}/{page}", data=form, timeout=60).status_code == 303

    with simulation.serving(app) as url, ThreadPoolExecutor(12) as threads:
        list(threads.map(begin, tokens))
    assert Counter(reader.sitting.condition for reader in lifecycle.find("compared").readers) == arms
    sittings = [reader.sitting for reader in lifecycle.find("shared").readers]
    blocks = Counter(frozenset(trial.cases[0].case_id for trial in sitting.trials) for sitting in sittings)
    assert sorted(blocks.values()) == [2, 2, 2]


def test_the_clock_of_a_server_that_runs_already_is_not_moved(app, make_study):
    with pytest.raises(InvalidInputError, match="url: the clock of a server that is already running"):
        simulation.run(app, make_study().slug, 1, url="http://127.0.0.1:9", skip_washouts=True)
    assert db.session.query(Reader).count() == 0


def test_the_command_says_who_waits_for_the_end_of_a_washout(app, make_study):
    slug = make_study(conditions=["plain", "timed: limit_s = 3.0"], practice=0, washout_days=3).slug
    db.session.remove()
    args = ["simulate", "--study", slug, "--readers", "2"]
    result = app.test_cli_runner().invoke(args=args)
    assert result.exit_code == 0, result.output
    for reader in lifecycle.find(slug).readers:
        assert f"waits for the end of a washout, {reader.next_part_opens:%Y-%m-%d %H:%M} UTC" in result.output
    assert "2 of 2 readers have finished a part and wait" in result.output
    db.session.remove()
    result = app.test_cli_runner().invoke(args=[*args, "--skip-washouts"])
    assert result.exit_code == 0, result.output
    assert result.output.count("24 cases") == 2
    assert "wait" not in result.output


def test_a_reader_is_as_sensitive_as_condition_and_source_make_them():
    observer = Observer.drawn(1, 1, dprime=1.0)
    choices = [{"answer": "real"}, {"answer": "synthetic"}]

    def share(truth, source, condition="plain", period=1):
        met = observer.meeting({"aided": 3.2, "good": 0.2}, condition, source, period)
        said = [met.judge(f"case-{number}", truth, choices)["answer"] for number in range(2000)]
        return sum(one == "synthetic" for one in said) / len(said)

    assert share("synthetic", "good") < share("synthetic", "other") - 0.2
    assert share("real", "good") == share("real", "other")  # a source lifts its synthetic images only
    assert share("synthetic", "other", "aided") > share("synthetic", "other") + 0.1
    assert share("real", "other", "aided") < share("real", "other") - 0.1
    told = [observer.meeting({}, None, "other", period).judge("case", "real", choices) for period in (1, 2)]
    assert told[0] == observer.judge("case", "real", choices) != told[1]
