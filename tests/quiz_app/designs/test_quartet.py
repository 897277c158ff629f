"""Quartets: whole, balanced, answered once, and measured as they were answered."""

import csv
import io
import re
import time as clock_of_the_machine
import uuid
from collections import Counter

import numpy as np
import pytest
import sqlalchemy as sa

from analysis.designs import DESIGNS as MEASURED
from analysis.designs.common import Settings
from analysis.responses import load_csv
from quiz_app import simulation
from quiz_app.database import db, reading
from quiz_app.designs.order import balanced_places
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import archive, export, recovery, responses_csv
from quiz_app.models import Answer, Case, Pool, Sitting, Trial
from quiz_app.pools import importing
from quiz_app.study import lifecycle, monitor, plan, preflight
from tests.firestore import outside, status, until
from tests.quiz_app import quartets


@pytest.fixture
def pool(app, tmp_path):
    """Eight quartets and two for practice."""
    return quartets.imported(app, tmp_path, quartets.entries(8, practice=2))


@pytest.fixture
def taker(app, pool, take):
    """A reader in front of the first quartet."""
    taker = quartets.invited(quartets.opened(pool), app, take)
    taker.go_on()
    return taker


def say(taker, **more):
    said = {"id": str(uuid.uuid4()), "chosen": 1, "realism": [1, 2, 3, 4]} | more
    return taker.post(f"trials/{taker.trial['trial']}/answer", **said)


def stored():
    db.session.expire_all()
    return db.session.scalar(sa.select(sa.func.count()).select_from(Answer))


def test_each_source_stands_at_each_place_equally_often():
    for trials, count in ((8, 4), (50, 4), (7, 3), (5, 6)):
        rows = balanced_places(trials, count, np.random.Generator(np.random.PCG64(trials)))
        assert all(sorted(row) == list(range(count)) for row in rows)
        for member in range(count):
            seen = Counter(row[member] for row in rows)
            assert max(seen.values()) - min(seen.get(place, 0) for place in range(count)) <= 1


def test_a_sitting_holds_every_quartet_of_the_pool_whole_once_and_the_same_for_the_same_seed(app, pool, take):
    study = quartets.opened(pool, practice=2)
    orders = []
    for name in ("R1", "R2"):
        quartets.invited(study, app, take, name)
        sitting = db.session.query(Sitting).order_by(Sitting.id.desc()).first()
        trials = [trial for trial in sitting.trials if not trial.is_training]
        groups = [{shown.case.group for shown in trial.cases} for trial in trials]
        assert all(len(group) == 1 for group in groups)
        assert sorted(name for (name,) in groups) == [f"q{number:03d}" for number in range(1, 9)]
        for trial in sitting.trials:
            assert Counter(shown.case.truth for shown in trial.cases) == {"real": 1, "synthetic": 3}
            assert len({shown.case.source for shown in trial.cases}) == 4
        places = Counter((shown.case.source, shown.place) for trial in trials for shown in trial.cases)
        assert set(places.values()) == {2}
        assert sum(trial.is_training for trial in sitting.trials) == 2
        orders.append([shown.case.name for trial in sitting.trials for shown in trial.cases])
    assert orders[0] != orders[1]


def test_a_quartet_is_sent_with_an_image_a_place_of_one_length_and_nothing_that_tells_the_real_one(taker):
    trial = taker.trial
    assert trial["places"] == 4
    assert trial["choices"] == [{"part": "choice"}, {"part": "realism", "points": 4}]
    assert [image["place"] for image in trial["images"]] == [1, 2, 3, 4]
    lengths = {len(taker.client.get(image["address"]).data) for image in trial["images"]}
    assert len(lengths) == 1
    assert not {"real", "synthetic", "clinic", *quartets.SOURCES} & set(str(taker.step).replace("'", " ").split())


def test_all_images_of_the_next_quartet_may_travel_sealed_and_none_in_the_clear(taker):
    ahead = taker.step["ahead"]
    assert len(ahead) == 4
    assert {taker.client.get(address).status_code for address in ahead} == {200}
    assert {taker.client.get(address.replace("/sealed/", "/images/")).status_code for address in ahead} == {410}


@pytest.mark.parametrize(
    "wrong",
    [
        {"chosen": 5},
        {"chosen": 0},
        {"chosen": True},
        {"chosen": None},
        {"chosen": "1"},
        {"realism": [1, 2, 3]},
        {"realism": [1, 2, 3, 5]},
        {"realism": [1, 2, 3, 0]},
        {"realism": [1, 2, 3, None]},
        {"realism": [1, 2, 3, True]},
        {"realism": "1234"},
        {"realism": None},
    ],
)
def test_an_answer_out_of_form_is_refused_and_nothing_of_it_is_stored(taker, wrong):
    taker.onset()
    response = say(taker, **wrong)
    assert (response.status_code, response.get_json()["error"]) == (422, "not-an-answer")
    assert stored() == 0
    assert say(taker).status_code == 200
    assert stored() == 4


def test_the_first_answer_stands_however_often_it_is_sent(taker):
    taker.onset()
    token, first = taker.trial["trial"], say(taker, chosen=3, realism=[4, 3, 2, 1]).get_json()
    again = taker.post(f"trials/{token}/answer", id=str(uuid.uuid4()), chosen=1, realism=[1, 1, 1, 1]).get_json()
    assert first["saved"] == again["saved"]
    assert (first["saved"]["chosen"], first["saved"]["realism"]) == (3, [4, 3, 2, 1])
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert stored() == 4
    trial = db.session.scalars(sa.select(Trial).filter_by(token=token)).one()
    assert [(row.chosen, row.realism) for shown in trial.cases for row in shown.answers] == [
        (False, 4),
        (False, 3),
        (True, 2),
        (False, 1),
    ]


def test_an_answer_after_the_deadline_is_kept_and_marked_late(app, pool, take, time):
    taker = quartets.invited(quartets.opened(pool, limit_s=20), app, take)
    taker.go_on()
    taker.onset()
    time.forward(21)
    assert say(taker).get_json()["saved"]["late"] is True


@pytest.mark.parametrize(
    ("first_ms", "client_ms", "late"),
    [(20_000, 50_000, False), (20_001, 21_000, True), (5_000, 35_001, True), (None, 40_000, False)],
)
def test_each_part_may_have_a_clock_of_its_own(app, pool, take, first_ms, client_ms, late):
    taker = quartets.invited(quartets.opened(pool, limit_s=20, second_s=30), app, take)
    taker.go_on()
    trial = taker.trial
    assert (trial["limit_ms"], trial["remaining_ms"]) == (50_000, 50_000)
    assert trial["choices"] == [
        {"part": "choice", "limit_ms": 20_000},
        {"part": "realism", "points": 4, "limit_ms": 30_000},
    ]
    taker.onset()
    viewer = {} if first_ms is None else {"first_ms": first_ms}
    assert say(taker, client_ms=client_ms, viewer=viewer).get_json()["saved"]["late"] is late


def test_both_parts_together_have_the_servers_time(app, pool, take, time):
    taker = quartets.invited(quartets.opened(pool, limit_s=20, second_s=30), app, take)
    taker.go_on()
    taker.onset()
    time.forward(51)
    assert say(taker).get_json()["saved"]["late"] is True


def test_there_is_no_second_clock_without_a_first(app, pool):
    with pytest.raises(InvalidInputError, match="second_s: the second part can have a time limit only"):
        quartets.opened(pool, second_s=30)


def test_practice_shows_the_real_one_and_scored_quartets_do_not(app, pool, take):
    taker = quartets.invited(quartets.opened(pool, practice=1), app, take)
    token = taker.trial["trial"]
    real = next(
        shown.place
        for shown in db.session.scalars(sa.select(Trial).filter_by(token=token)).one().cases
        if shown.case.truth == "real"
    )
    assert say(taker, chosen=real).get_json()["feedback"] == {"real": real, "correct": True}
    taker.go_on()
    assert say(taker).get_json()["feedback"] is None


def test_what_guessing_would_find_is_told_to_a_tenth_as_the_reader_writes_it(app, pool, take):
    taker = quartets.invited(quartets.opened(pool, cases=2, result="at once"), app, take)
    taker.go_on()
    while taker.step["kind"] == "trial":
        taker.step = say(taker).get_json()["step"]
    page = taker.client.get(taker.url("end"), headers={"Accept-Language": "de"}).text
    assert "etwa 0,5 davon" in page


def changed(given, **more):
    return [entry.__class__(**{**entry.__dict__, **more.get(f"{entry.group}/{entry.source}", {})}) for entry in given]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"q002/ckpt-b": {"truth": "real"}}, "quartet q002: 2 real images; expected one"),
        ({"q002/clinic": {"truth": "synthetic"}}, "quartet q002: no real image; expected one"),
        ({"q003/ckpt-b": {"source": "ckpt-a"}}, "quartet q003: no image of ckpt-b"),
        ({"q003/ckpt-b": {"group": ""}}, "cases that do not belong to a quartet: 1"),
    ],
)
def test_a_pool_whose_quartets_are_not_whole_is_refused_by_the_quartets_name(app, tmp_path, fault, said):
    given = changed(list(quartets.entries(4)), **fault)
    with pytest.raises(InvalidInputError, match=said):
        lifecycle.create("Quartets", quartets.imported(app, tmp_path, given, "spoilt"), preset="quartets")


def test_a_pool_for_ratings_is_no_pool_of_quartets_and_is_told_so_at_once(app, owner, pool):
    noise = db.session.query(Pool).filter_by(slug="noise").one()
    with pytest.raises(InvalidInputError, match="its cases are single images, as for ratings"):
        lifecycle.create("Quartets", noise, preset="quartets")
    form = {"title": "Quartets", "pool": "noise", "preset": "cervical"}
    page = owner.post("/researcher/studies/new", data=form)
    assert page.status_code == 422
    assert "single images, as for ratings" in page.text
    asked = app.test_cli_runner().invoke(
        args=["study", "create", "--title", "Q", "--pool", "noise", "--preset", "quartets"]
    )
    assert asked.exit_code == 1
    assert "single images, as for ratings" in asked.output


def test_a_preset_of_another_design_is_refused(app, pool):
    with pytest.raises(InvalidInputError, match="'cervical' is for the design quartet, not for rating"):
        lifecycle.create("Quartets", pool, preset="cervical", design="rating")


def test_a_study_asks_for_no_more_quartets_than_there_are(app, pool):
    settings = {"cases": 9, "repeats": 4, "practice": 3}
    study = lifecycle.create("Quartets", pool, preset="quartets", settings=settings)
    reasons = lifecycle.may_not_open(study)
    assert [reason.split(":")[0] for reason in reasons] == ["cases", "repeats", "practice"]


def test_a_case_that_is_left_out_takes_its_quartet_with_it(app, pool, take):
    case = db.session.query(Case).filter_by(pool_id=pool.id, group="q004", truth="synthetic").first()
    importing.exclude(case, "a scratch")
    taker = quartets.invited(quartets.opened(pool), app, take)
    assert taker.step["total"] == 7
    assert not db.session.query(Trial).filter(Trial.cases.any(case_id=case.id)).count()


def test_settings_that_mean_nothing_for_quartets_are_unknown(app, pool):
    with pytest.raises(InvalidInputError) as faulty:
        lifecycle.create("Quartets", pool, preset="quartets", settings={"unsure": True, "scale": ["a", "b"]})
    assert faulty.value.faults == ["unsure: unknown setting", "scale: 2 lines; expected 4 or 5 or none"]


def test_repeats_show_whole_quartets_again_and_five_points_are_asked_for_first(app, pool, take):
    scale = ["very bad", "bad", "so so", "good", "very good", "[da]", "a", "b", "c", "d", "e"]
    taker = quartets.invited(quartets.opened(pool, repeats=2, scale=scale, first="realism"), app, take)
    taker.go_on()
    assert taker.trial["choices"] == [{"part": "realism", "points": 5}, {"part": "choice"}]
    assert taker.step["total"] == 10
    trials = db.session.query(Trial).all()
    assert sum(trial.is_repeat for trial in trials) == 2
    assert say(taker, realism=[5, 5, 5, 5]).status_code == 200


def exported(slug):
    with reading() as session:
        return "".join(responses_csv.lines(session, slug))


def test_what_simulated_readers_said_is_what_the_report_says(app, tmp_path):
    pool = quartets.imported(app, tmp_path, quartets.entries(20, practice=1), "twenty")
    slug = quartets.opened(pool, practice=1, groups=["A", "B"], repeats=2).slug
    db.session.remove()
    outcomes = simulation.run(app, slug, 4, seed=2, success=0.6)
    assert [outcome.refusal for outcome in outcomes] == [""] * 4
    text = exported(slug)
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["is_training"] == row["is_repeat"] == "0"]
    assert len(rows) == 4 * 20 * 4
    found = sum(row["truth"] == "real" and row["chosen"] == "1" for row in rows)
    by_source = Counter(row["source"] for row in rows if row["chosen"] == "1")
    realism = [int(row["realism"]) for row in rows if row["source"] == "ckpt-b"]
    (tmp_path / "responses.csv").write_text(text)
    loaded = load_csv(tmp_path / "responses.csv")
    results = MEASURED["quartet"].measure(loaded, Settings(bootstrap=50), lambda share, what: None)
    told = results["overall"]["proportion_correct"]
    assert (told["k"], told["n"], told["chance"]) == (found, 80, 0.25)
    assert 0.4 < told["value"] < 0.8
    del by_source["clinic"]
    assert {source: told["chosen"] for source, told in results["sources"].items() if source in by_source} == by_source
    assert results["realism"]["by_source"]["ckpt-b"]["mean"] == pytest.approx(np.mean(realism))


def test_pre_flight_and_the_live_page_count_quartets(app, pool, take):
    study = quartets.opened(pool)
    taker = quartets.invited(study, app, take)
    taker.go_on()
    assert say(taker).status_code == 200
    (row,) = monitor.progress(db.session, study)
    assert (row.answered, row.total) == (1, 8)
    assert lifecycle.answers(study) == 1
    checks = {check.name: check for check in preflight.checks(db.session, study, app.config["SETTINGS"], secure=True)}
    assert checks["Settings and pool"].verdict == "good"
    assert "8 quartets" in checks["Quartets"].says


def test_the_command_simulates_quartets_with_a_chance_of_success(app, pool):
    slug = quartets.opened(pool).slug
    db.session.remove()
    arguments = ["simulate", "--study", slug, "--readers", "2", "--success"]
    result = app.test_cli_runner().invoke(args=[*arguments, "1"])
    assert result.exit_code == 0, result.output
    assert all("8 quartets\t100.0% correct" in line for line in result.output.splitlines())
    assert "0.0% correct" in app.test_cli_runner().invoke(args=[*arguments, "0"]).output


def test_a_study_of_quartets_is_exported_archived_restored_and_copied_as_it_is(app, pool, tmp_path):
    study = quartets.opened(pool, scale=["a", "b", "c", "d", "e"])
    slug, text = study.slug, plan.dump(study)
    db.session.remove()
    assert not any(outcome.refusal for outcome in simulation.run(app, slug, 2, seed=4))
    study = lifecycle.find(slug)
    lifecycle.close(study)
    db.session.commit()
    before, store = exported(slug), app.config["SETTINGS"].images
    with reading() as session, (tmp_path / "everything.zip").open("wb") as file:
        counted = export.write(session, session.query(type(study)).filter_by(slug=slug).one(), file)
    assert (counted["responses.csv"], counted["trials.csv"]) == (2 * 8 * 4, 2 * 8)
    with reading() as session, (tmp_path / "archive.zip").open("wb") as file:
        archive.write(session, session.query(type(study)).filter_by(slug=slug).one(), store, file)
    twin = lifecycle.copy(study, slug="twin")
    assert (twin.design, twin.settings) == (study.design, study.settings)
    made = plan.make(text, slug="planned")
    assert (made.design, made.settings) == (study.design, study.settings)
    db.session.delete(study)
    db.session.commit()
    assert archive.restore(tmp_path / "archive.zip", store).rules.points == 5
    db.session.commit()
    assert exported(slug) == before


def test_pre_flight_audits_a_pool_of_quartets_and_the_desk_makes_the_report(app, owner, tmp_path):
    study = quartets.opened(quartets.imported(app, tmp_path, quartets.entries(20), "twenty"), slug="desk")
    study.owner_id = owner.researcher.id
    db.session.commit()
    page = "/researcher/studies/desk/"
    assert owner.post(f"{page}preflight").status_code == 303
    db.session.remove()
    assert not any(outcome.refusal for outcome in simulation.run(app, "desk", 3, seed=4))
    waited_for(lambda: owner.get(f"{page}preflight.json").get_json()["state"])
    assert "all cues together" in owner.get(f"{page}preflight").text
    assert owner.get(f"{page}live?part").text.count("20 / 20") == 3
    assert owner.post(f"{page}close").status_code == 303
    assert owner.post(f"{page}results").status_code == 303
    db.session.remove()
    key = "v1-60"  # trials, not rows
    waited_for(lambda: owner.get(f"{page}results/{key}.json").get_json()["state"])
    with owner.get(f"{page}results/{key}/results.json") as file:
        results = file.get_json()
    assert (results["design"], results["overall"]["proportion_correct"]["n"]) == ("quartet", 60)
    with owner.get(f"{page}results/{key}/report.html") as file:
        assert "quartet" in file.text
    assert re.search(r'<td class="number">60</td><td class="number">1</td>', owner.get(f"{page}results").text)


def test_a_preview_walks_through_a_draft_of_quartets_and_counts_nowhere(app, owner, pool, take):
    plain = {"groups": [], "ask_years": False}
    study = lifecycle.create("Draft", pool, slug="draft", seed=1, preset="quartets", settings=plain)
    study.owner_id = owner.researcher.id
    db.session.commit()
    link = owner.post("/researcher/studies/draft/preview").headers["Location"]
    preview = take(link.rstrip("/").rsplit("/", 1)[-1]).enter()
    told = []
    while preview.step["kind"] != "done":
        if preview.step["kind"] == "trial":
            answer = say(preview).get_json()
            told += ["feedback" in answer and answer["feedback"] is not None]
            preview.step = answer["step"]
        else:
            preview.go_on()
    assert told == [True] * 2 + [False] * 8
    assert exported("draft").count("\n") == 1
    assert monitor.progress(db.session, study) == []
    assert lifecycle.answers(study) == 0


def test_the_mirror_holds_a_row_an_image_and_a_lost_study_comes_back_from_it(mirrored, worker, tmp_path):
    pool = quartets.imported(mirrored, tmp_path, quartets.entries(8, practice=2), "copied")
    slug = quartets.opened(pool, practice=1).slug
    db.session.remove()
    assert [one.refusal for one in simulation.run(mirrored, slug, 2, seed=4)] == [""] * 2
    copying = worker().start()
    until(lambda: status()["waiting"] == 0)
    copying.stop()
    found = outside(mirrored)
    assert len(found) == 2 * 9 * 4
    assert sum(document["chosen"] for document in found.values()) == 2 * 9
    before = exported(slug)
    db.session.delete(lifecycle.find(slug))
    db.session.delete(db.session.query(Pool).filter_by(slug="copied").one())
    db.session.commit()
    (study,) = recovery.restore(found.values())
    db.session.commit()
    assert (study.design, lifecycle.answers(study)) == ("quartet", 18)
    assert exported(slug) == before


def waited_for(state):
    while (now := state()) == "making":
        clock_of_the_machine.sleep(0.3)
    assert now == "done"
