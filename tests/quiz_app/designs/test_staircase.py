"""Staircases: exposures follow the answers, are kept to, tell no truth, and are measured as they were shown."""

import csv
import io
import zipfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa

from analysis.designs import DESIGNS as MEASURED
from analysis.designs.common import Settings
from analysis.responses import load_csv
from quiz_app import simulation
from quiz_app.database import db, reading
from quiz_app.designs import exposure
from quiz_app.designs.exposure import Past
from quiz_app.designs.observer import Observer
from quiz_app.designs.staircase import Staircase, StaircaseSettings
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import archive, export, recovery, responses_csv
from quiz_app.models import Event, Pool, Sitting, Trial
from quiz_app.study import lifecycle, monitor, plan, preflight
from tests.firestore import outside, status, until
from tests.quiz_app import quartets, staircases
from tests.quiz_app.designs.test_quartet import waited_for

PLAIN = StaircaseSettings(jitter_ms=0, coarse=1, tracks=1)


@pytest.fixture
def pool(app, tmp_path):
    """Forty cases and two for practice."""
    return quartets.imported(app, tmp_path, staircases.entries(40, practice=2), "brief")


@pytest.fixture
def study(pool):
    return staircases.opened(pool, tracks=1, jitter_ms=0, coarse=1.0)


@pytest.fixture
def taker(app, study, take):
    """A reader in front of the first image."""
    taker = quartets.invited(study, app, take)
    taker.go_on()
    return taker


def truth(taker):
    db.session.expire_all()
    trial = db.session.scalars(sa.select(Trial).filter_by(token=taker.trial["trial"])).one()
    return trial.cases[0].case.truth


def see(taker, time, right=True, **viewer):
    """Look for as long as the image is shown, and answer; returns the exposure asked for and the response."""
    asked, true = taker.trial["exposure_ms"], truth(taker)
    taker.onset()
    time.forward(2)
    answer = true if right else {"real": "synthetic", "synthetic": "real"}[true]
    shown = {"shown_ms": asked, "frames": round(asked / 16.7), "frame_ms": 16.7, "cut": False} | viewer
    return asked, taker.answer(answer, viewer=shown)


def past(*answers, track=1, asked=500.0, **more):
    return [Past(track, asked, asked, right=right, **more) for right in answers]


def test_down_after_a_right_answer_and_up_after_a_wrong_one_within_the_limits():
    def at(*answers, rules=PLAIN):
        return exposure.next_ms(rules, past(*answers), 1, 7, 9)

    assert at() == 500
    assert at(True) == 490
    assert at(True, False) == 520
    assert at(*[True] * 60) == 100
    assert at(*[False] * 60) == 1000
    assert at(True, rules=replace(PLAIN, coarse=4)) == 460
    # two reversals, after which the steps are plain: 500 -40 +120 -40... the third answer turned it twice
    assert at(True, False, True, rules=replace(PLAIN, coarse=4, reversals=2)) == 500 - 40 + 120 - 10


def test_staircases_do_not_hear_of_each_other_and_ask_again_for_what_was_not_shown_as_asked():
    rules = replace(PLAIN, tracks=2)
    both = past(True, True) + past(False, track=2)
    assert exposure.next_ms(rules, both, 1, 7, 4) == 480
    assert exposure.next_ms(rules, both, 2, 7, 4) == 530
    spoilt = [Past(1, 500, 420, True), Past(1, 500, None, True), Past(1, 500, 500, True, cut=True)]
    assert exposure.next_ms(PLAIN, spoilt, 1, 7, 4) == 500
    assert exposure.next_ms(PLAIN, [Past(1, 500, 533, True)], 1, 7, 4) == 490


def test_the_jitter_follows_from_seed_and_position_and_stays_within_the_limits():
    rules = replace(PLAIN, jitter_ms=60)
    drawn = [exposure.next_ms(rules, [], 1, 7, position) for position in range(300)]
    assert drawn == [exposure.next_ms(rules, [], 1, 7, position) for position in range(300)]
    assert 440 <= min(drawn) < 450
    assert 550 < max(drawn) <= 560
    assert min(exposure.next_ms(rules, past(*[True] * 60), 1, 7, n) for n in range(50)) == 100


def test_with_quest_a_staircase_hears_of_its_own_answers_alone():
    pytest.importorskip("questplus")
    rules = StaircaseSettings(method="quest", jitter_ms=0)
    own = past(True, False, asked=400)
    assert exposure.next_ms(rules, own, 2, 7, 3) == 500
    assert exposure.next_ms(rules, own, 1, 7, 3) == exposure.next_ms(rules, own + past(True, True, track=2), 1, 7, 3)


def test_quest_comes_to_the_threshold_of_a_reader():
    pytest.importorskip("questplus")
    rules = StaircaseSettings(method="quest", jitter_ms=0)
    rng, seen = np.random.default_rng(3), []
    for position in range(60):
        asked = exposure.next_ms(rules, seen, 1, 7, position)
        right = rng.random() < 0.5 + 0.49 / (1 + (asked / 350) ** -6)
        seen.append(Past(1, asked, asked, bool(right)))
    late = [one.asked_ms for one in seen[20:]]
    assert 230 < np.exp(np.mean(np.log(late))) < 560
    assert len({one.asked_ms for one in seen}) > 4


def test_every_staircase_has_about_half_of_each_class_and_no_run_of_the_order_is_balanced(pool, app):
    cases = [case for case in db.session.get(Pool, pool.id).cases if not case.is_practice]
    design, rules = Staircase(), StaircaseSettings(tracks=3)
    runs = Counter()
    for seed in range(40):
        planned = design.compose(cases, rules, np.random.default_rng(seed))
        assert sorted(trial.cases[0] for trial in planned) == list(range(40))
        kinds = Counter((trial.block, cases[trial.cases[0]].truth) for trial in planned)
        assert set(kinds.values()) <= {6, 7}
        runs[sum(cases[trial.cases[0]].truth == "real" for trial in planned[:10])] += 1
    assert len(runs) > 3  # a block of ten would always hold five


def test_an_image_is_asked_to_be_shown_for_what_the_answers_before_say(taker, time):
    assert [see(taker, time, right)[0] for right in (True, True, False, True)] == [500, 490, 480, 510]
    assert taker.trial["exposure_ms"] == 500
    assert taker.trial["mask_ms"] == 300
    assert taker.trial["limit_ms"] is None


def test_what_the_browser_measured_is_exported_and_what_was_asked_for_stands_beside_it(taker, study, time, tmp_path):
    _, response = see(taker, time, shown_ms=516.7)
    assert response.status_code == 200
    assert response.get_json()["saved"].keys() == {"id", "trial", "answer", "certainty", "response_ms", "late"}
    lifecycle.close(study)
    db.session.commit()
    (row,) = rows(study.slug)
    assert (row["criterion"], row["value"], row["block"]) == ("exposure_ms", "516.7", "1")
    found = trials(study, tmp_path)[0]
    assert (found["asked_ms"], found["shown_ms"], found["frames"], found["cut"]) == ("500.0", "516.7", "30", "0")


def test_before_the_close_the_exposures_that_would_tell_right_from_wrong_are_empty(taker, study, time, tmp_path):
    see(taker, time)
    (row,) = rows(study.slug, blinded=True)
    assert (row["criterion"], row["value"], row["truth"]) == ("exposure_ms", "", "")
    assert {trials(study, tmp_path)[0][name] for name in ("asked_ms", "shown_ms", "frames")} == {""}
    kinds = {event.kind: event.details for event in db.session.query(Event)}
    assert "490" not in str(kinds)


def test_coming_back_gives_no_second_look_and_the_exposure_stays(taker, time):
    asked = taker.trial["exposure_ms"]
    taker.claim()
    assert (taker.trial["exposure_ms"], len(taker.trial["images"])) == (asked, 1)
    image = taker.trial["images"][0]["address"]
    taker.onset()
    taker.claim()
    assert (taker.trial["exposure_ms"], taker.trial["images"]) == (asked, [])
    assert taker.client.get(image).status_code == 410
    assert taker.answer().status_code == 200  # it is still asked for
    assert taker.trial["exposure_ms"] == asked  # and no exposure being known, the staircase asks for the same


def test_an_exposure_cut_short_is_on_record_and_the_staircase_asks_for_it_again(taker, study, time):
    see(taker, time, shown_ms=83.3, frames=5, cut=True)
    assert taker.trial["exposure_ms"] == 500
    (row,) = monitor.progress(db.session, study)
    assert row.unusual["exposures cut short"] == 1
    assert rows(study.slug)[0]["value"] == "83.3"  # it was seen for so long
    found = monitor.exposures(db.session, study)
    assert (found.answered, found.measured) == (1, 0)


@pytest.mark.parametrize("viewer", [{"shown_ms": 9000}, {"frames": 0}])
def test_an_exposure_that_cannot_be_is_named_and_the_answer_kept_without_it(taker, study, time, viewer):
    _, response = see(taker, time, **viewer)
    assert response.status_code == 200
    (row,) = rows(study.slug)
    assert (row["criterion"], row["value"]) == ("exposure_ms", "")
    assert monitor.progress(db.session, study)[0].unusual["impossible exposures"] == 1
    assert taker.trial["exposure_ms"] == 500


@pytest.mark.parametrize(
    "viewer", [{"shown_ms": -1}, {"shown_ms": "500"}, {"frames": 1.5}, {"cut": 1}, {"shown_ms": None}]
)
def test_an_exposure_out_of_form_is_refused(taker, time, viewer):
    _, response = see(taker, time, **viewer)
    assert (response.status_code, response.get_json()["error"]) == (422, "bad-viewer")
    assert taker.answer().status_code == 200


def test_without_an_onset_an_image_is_gone_after_its_second_release(taker, time):
    seen = []
    for _ in range(4):
        seen.append(len(taker.trial["images"]))
        time.forward(60)
        taker.claim()
    assert seen == [1, 1, 0, 0]  # a line that died before the onset gives one more look, and no third
    image = db.session.scalars(sa.select(Trial).filter_by(token=taker.trial["trial"])).one().cases[0].token
    assert taker.client.get(taker.url(f"images/{image}")).status_code == 410
    assert taker.answer().status_code == 200


def test_a_client_without_a_screen_may_leave_the_exposure_out(taker, study):
    taker.onset()
    assert taker.answer().status_code == 200
    assert rows(study.slug)[0]["value"] == ""


def test_practice_is_shown_as_long_as_the_first_image_and_moves_no_staircase(app, pool, take, time):
    taker = quartets.invited(staircases.opened(pool, practice=2, tracks=1, jitter_ms=0), app, take)
    for _ in range(2):
        asked, response = see(taker, time, right=False)
        assert asked == 500
        assert response.get_json()["feedback"]["correct"] is False
        taker.go_on()
    assert (taker.trial["training"], taker.trial["exposure_ms"]) == (False, 500)


def test_settings_that_cannot_be_are_named_with_their_field(app, pool):
    settings = {"start_ms": 50, "cases": 20, "tracks": 4}
    study = lifecycle.create("S", pool, preset="staircase", settings=settings)
    assert [reason.split(":")[0] for reason in lifecycle.may_not_open(study)] == ["practice", "start_ms", "tracks"]
    backwards = {"shortest_ms": 900, "longest_ms": 800, "start_ms": 850, "practice": 0}
    study = lifecycle.create("T", pool, preset="staircase", settings=backwards)
    assert {"longest_ms", "start_ms"} <= {reason.split(":")[0] for reason in lifecycle.may_not_open(study)}
    with pytest.raises(InvalidInputError, match="unsure: unknown setting"):
        lifecycle.create("U", pool, preset="hype-time", settings={"unsure": True})


def test_hype_time_is_the_published_one():
    rules = Staircase.presets["hype-time"][1]
    assert (rules.cases, rules.start_ms, rules.shortest_ms, rules.longest_ms) == (150, 500, 100, 1000)
    assert rules.up_ms / (rules.up_ms + rules.down_ms) == 0.75


def test_without_its_package_quest_cannot_be_opened(app, pool, monkeypatch):
    study = lifecycle.create("S", pool, preset="staircase", settings={"method": "quest", "practice": 0})
    assert lifecycle.may_not_open(study) == []
    monkeypatch.setattr(exposure, "find_spec", lambda name: None)
    assert lifecycle.may_not_open(study) == [
        "method: QUEST+ needs the package questplus (pip install 'discern[quest]')"
    ]


def test_pre_flight_names_short_exposures_plain_staircases_and_slow_screens(app, pool, take):
    study = staircases.opened(pool, shortest_ms=20, tracks=1, jitter_ms=0)
    quartets.invited(study, app, take, "R1")
    sitting = db.session.query(Sitting).one()

    def found():
        checks = preflight.checks(db.session, study, app.config["SETTINGS"], secure=True)
        return {check.name: check for check in checks}

    assert found()["Exposures"].verdict == "warn"
    assert len(found()["Exposures"].details) == 3
    assert found()["Screens"].verdict == "good"
    sitting.device = {"frame_ms": 33.3}
    assert found()["Screens"].details == ["R1: 30 frames per second"]
    assert monitor.progress(db.session, study)[0].unusual["slow screen, frames per second"] == 30
    sitting.device = {"frame_ms": 16.7}
    assert found()["Screens"].verdict == "good"
    assert not monitor.progress(db.session, study)[0].unusual
    plain = staircases.opened(pool, slug="plain")
    checks = preflight.checks(db.session, plain, app.config["SETTINGS"], secure=True)
    assert {check.name: check.verdict for check in checks}["Exposures"] == "good"


def rows(slug, **more):
    db.session.commit()
    with reading() as session:
        text = "".join(responses_csv.lines(session, slug, **more))
    return [row for row in csv.DictReader(io.StringIO(text)) if row["answer"]]


def trials(study, tmp_path):
    db.session.commit()
    with reading() as session, (tmp_path / "all.zip").open("wb") as file:
        export.write(session, session.query(type(study)).filter_by(slug=study.slug).one(), file)
    with zipfile.ZipFile(tmp_path / "all.zip") as opened:
        return list(csv.DictReader(io.StringIO(opened.read("trials.csv").decode())))


def test_what_simulated_readers_said_is_what_the_report_says(app, tmp_path):
    pool = quartets.imported(app, tmp_path, staircases.entries(44, practice=1), "forty-four")
    quick = {"start_ms": 60, "shortest_ms": 10, "longest_ms": 200, "up_ms": 12, "down_ms": 4, "jitter_ms": 20}
    study = staircases.opened(pool, practice=1, groups=["A", "B"], **quick)
    slug = study.slug
    db.session.remove()
    outcomes = simulation.run(app, slug, 5, seed=2, threshold_ms=60)
    assert [outcome.refusal for outcome in outcomes] == [""] * 5
    study = lifecycle.find(slug)
    assert monitor.exposures(db.session, study).within == 5 * 44
    lifecycle.close(study)
    found = [row for row in rows(slug) if row["is_training"] == "0"]
    assert len(found) == 5 * 44
    wrong = Counter(row["truth"] for row in found if row["answer"] != row["truth"])
    with reading() as session:
        (tmp_path / "responses.csv").write_text("".join(responses_csv.lines(session, slug)))
    results = MEASURED["staircase"].measure(
        load_csv(tmp_path / "responses.csv"), Settings(bootstrap=100), lambda share, what: None
    )
    assert {name: results["overall"]["errors"][name]["k"] for name in wrong} == wrong
    threshold = results["overall"]["threshold_ms"]
    assert threshold.get("ci")[0] < 60 < threshold.get("ci")[1]
    assert 35 < threshold["value"] < 100
    before = "".join(map(str, found))
    store = app.config["SETTINGS"].images
    with reading() as session, (tmp_path / "archive.zip").open("wb") as file:
        archive.write(session, session.query(type(study)).filter_by(slug=slug).one(), store, file)
    twin, text = lifecycle.copy(study, slug="twin"), plan.dump(study)
    assert (twin.design, twin.settings) == (study.design, study.settings)
    made = plan.make(text, slug="planned")
    assert (made.design, made.settings) == (study.design, study.settings)
    db.session.delete(study)
    db.session.commit()
    assert archive.restore(tmp_path / "archive.zip", store).rules.up_ms == 12
    assert "".join(map(str, [row for row in rows(slug) if row["is_training"] == "0"])) == before


def test_the_command_simulates_readers_with_a_threshold(app, pool):
    slug = staircases.opened(pool, start_ms=50, shortest_ms=40, longest_ms=60, tracks=1).slug
    db.session.remove()
    arguments = ["simulate", "--study", slug, "--readers", "2", "--threshold-ms"]
    quick = app.test_cli_runner().invoke(args=[*arguments, "5"])
    assert quick.exit_code == 0, quick.output
    share = [float(line.split("\t")[3].split("%")[0]) for line in quick.output.splitlines()]
    slow = app.test_cli_runner().invoke(args=[*arguments, "5000"])
    assert min(share) > 90
    assert max(float(line.split("\t")[3].split("%")[0]) for line in slow.output.splitlines()) < 80


def spied(rules, readers=60, trials=100):
    """What a spy who sees every exposure, and knows the rules, can tell of the answers before and of the truth to come.

    Returns two areas under the curve (.5 = nothing): of whether an answer was right, from how much the next exposure of
    any staircase lies below the one at which it was given; and of whether the due image is synthetic, by its exposure.
    """
    design, right, hints, truths, levels = Staircase(), [], [], [], []
    cases = [Shown(f"c{n}", ("real", "synthetic")[n % 2]) for n in range(trials)]
    for seed in range(readers):
        rng = np.random.default_rng(seed)
        observer = Observer.drawn(1, seed)
        seen = []
        for position, trial in enumerate(design.compose(cases, rules, rng), start=1):
            asked = design.next_ms(rules, seen, trial.block, seed, position)
            if seen:
                hints.append(seen[-1].asked_ms - asked)
                right.append(seen[-1].right)
            case = cases[trial.cases[0]]
            truths.append(case.truth == "synthetic")
            levels.append(asked)
            said = observer.shown_for(asked).glance(case.name, case.truth, design.choices(rules))
            seen.append(Past(trial.block, asked, asked, said["answer"] == case.truth))
    return area(hints, right), area(levels, truths)


class Shown:
    source = group = ""

    def __init__(self, name, truth):
        self.name, self.truth = name, truth


def area(scores, positives):
    scores, positives = np.array(scores), np.array(positives)
    below = scores[positives][:, None] - scores[~positives][None, :]
    return float((below > 0).mean() + (below == 0).mean() / 2)


def test_how_much_exposures_tell_of_right_answers_and_that_they_tell_nothing_of_the_image_to_come():
    plain, ahead = spied(PLAIN)
    assert plain > 0.98  # one staircase and no jitter: the next exposure says whether the answer was right
    assert abs(ahead - 0.5) < 0.02
    usual, ahead = spied(StaircaseSettings())
    assert 0.65 < usual < 0.74  # docs/explanation/blinding.md says .70
    assert abs(ahead - 0.5) < 0.02
    most, _ = spied(StaircaseSettings(tracks=4, jitter_ms=100))
    assert most < usual - 0.03  # .65


def test_the_desk_offers_the_preset_watches_the_exposures_and_makes_the_report(app, owner, tmp_path):
    pool = quartets.imported(app, tmp_path, staircases.entries(24, practice=0), "desk")
    form = {"title": "How long", "pool": "desk", "preset": "hype-time"}
    made = owner.post("/researcher/studies/new", data=form)
    assert made.status_code == 303
    settings = owner.get("/researcher/studies/how-long/settings").text
    assert "Shortest exposure (ms)" in settings
    assert "Time limit (s)" not in settings
    quick = {"start_ms": 40, "shortest_ms": 20, "longest_ms": 80, "jitter_ms": 10}
    study = staircases.opened(pool, slug="quick", **quick)
    study.owner_id = owner.researcher.id
    db.session.commit()
    page = "/researcher/studies/quick/"
    assert "No exposure has been measured yet." in owner.get(f"{page}live?part").text
    db.session.remove()
    assert not any(outcome.refusal for outcome in simulation.run(app, "quick", 2, seed=4, threshold_ms=40))
    told = owner.get(f"{page}live?part").text
    assert "Exposures: 48 of 48 were within one screen frame of the target" in told
    assert "less than two frames of a 60 Hz screen" in owner.get(f"{page}preflight").text
    assert owner.post(f"{page}close").status_code == 303
    assert owner.post(f"{page}results").status_code == 303
    db.session.remove()
    key = "v1-48"
    waited_for(lambda: owner.get(f"{page}results/{key}.json").get_json()["state"])
    with owner.get(f"{page}results/{key}/results.json") as file:
        results = file.get_json()
    assert (results["design"], results["overall"]["errors"]["all"]["n"]) == ("staircase", 48)
    with owner.get(f"{page}results/{key}/report.html") as file:
        assert "Thresholds of the readers" in file.text


def test_the_mirror_holds_the_exposures_and_a_lost_study_comes_back_from_it(mirrored, worker, tmp_path):
    quick = {"start_ms": 40, "shortest_ms": 20, "longest_ms": 80, "jitter_ms": 10}
    pool = quartets.imported(mirrored, tmp_path, staircases.entries(20, practice=2), "copied")
    slug = staircases.opened(pool, practice=2, **quick).slug
    db.session.remove()
    assert [one.refusal for one in simulation.run(mirrored, slug, 2, seed=4, threshold_ms=40)] == [""] * 2
    copying = worker().start()
    until(lambda: status()["waiting"] == 0)
    copying.stop()
    found = outside(mirrored)
    assert len(found) == 2 * 22
    assert all(20 <= float(document["value"]) <= 80 for document in found.values())
    lifecycle.close(lifecycle.find(slug))
    db.session.commit()
    before = rows(slug)
    db.session.delete(lifecycle.find(slug))
    db.session.delete(db.session.query(Pool).filter_by(slug="copied").one())
    db.session.commit()
    (study,) = recovery.restore(found.values())
    db.session.commit()
    assert (study.design, lifecycle.answers(study)) == ("staircase", 44)
    assert rows(slug) == before


def test_a_preview_and_the_readers_own_result_are_those_of_a_rating(app, owner, pool, take, time):
    study = staircases.opened(pool, result="at once")
    study.owner_id = owner.researcher.id
    db.session.commit()
    link = owner.post("/researcher/studies/how-long/preview").headers["Location"]
    preview = take(link.rstrip("/").rsplit("/", 1)[-1]).enter()
    preview.go_on()
    assert preview.trial["exposure_ms"] >= 100
    see(preview, time)
    assert rows("how-long") == []
    assert monitor.exposures(db.session, study).answered == 0
    taker = quartets.invited(study, app, take)
    taker.go_on()
    while taker.step["kind"] == "trial":
        see(taker, time)
    page = taker.client.get(taker.url("end")).text
    assert "All radiographs" in page
    assert "100" in page
