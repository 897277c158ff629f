"""Comparisons: whole, balanced, answered once, and measured as they were answered."""

import csv
import io
import uuid
from collections import Counter

import pytest
import sqlalchemy as sa

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.responses import load_csv
from quiz_app import simulation
from quiz_app.database import db, reading
from quiz_app.designs import DESIGNS
from quiz_app.designs.comparison import ComparisonSettings, parsed
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import archive, recovery, responses_csv
from quiz_app.models import Answer, Case, Pool, Sitting, Study
from quiz_app.study import lifecycle, monitor, plan, preflight
from tests.firestore import outside, status, until
from tests.quiz_app import comparisons
from tests.quiz_app.designs.test_quartet import waited_for
from tests.uploads import encoded, zipped

FORM = (
    "clearer: better/same/worse: Which is clearer?",
    "nodule: yes/no: The nodule is easy to see",
    "sharp: scale 5: How sharp is it?",
    "report: choice: From which would you report?",
)
GOOD = {"clearer": ["better", "worse"], "nodule": ["yes", "yes"], "sharp": [5, 2], "report": 1}


@pytest.fixture
def pool(app, tmp_path):
    """Eight cases and one for practice, by two methods."""
    return comparisons.imported(app, tmp_path, comparisons.entries(8, practice=1), "pairs")


@pytest.fixture
def taker(app, pool, take):
    """A reader in front of the first comparison."""
    taker = comparisons.invited(comparisons.opened(pool, criteria=FORM), app, take)
    taker.go_on()
    return taker


def say(taker, criteria=GOOD):
    return taker.post(f"trials/{taker.trial['trial']}/answer", id=str(uuid.uuid4()), criteria=criteria)


def stored():
    db.session.expire_all()
    return db.session.scalars(sa.select(Answer)).all()


def exported(slug):
    with reading() as session:
        return "".join(responses_csv.lines(session, slug))


def test_a_sitting_holds_every_case_once_with_each_method_equally_often_at_each_place(app, tmp_path, take):
    given = comparisons.entries(6, practice=1, methods=("a", "b", "c"), reference=True)
    study = comparisons.opened(comparisons.imported(app, tmp_path, given, "triples"), practice=1)
    comparisons.invited(study, app, take)
    sitting = db.session.query(Sitting).one()
    trials = [trial for trial in sitting.trials if not trial.is_training]
    assert sorted(trial.cases[0].case.group for trial in trials) == [f"c{n:03d}" for n in range(1, 7)]
    places = Counter((shown.case.source, shown.place) for trial in trials for shown in trial.cases)
    assert {count for (source, _), count in places.items() if source != "reference"} == {2}
    assert places["reference", 4] == 6
    assert all(len({shown.case.group for shown in trial.cases}) == 1 for trial in trials)


def test_leaving_out_a_practice_image_leaves_out_its_whole_case(app, tmp_path, take):
    pool = comparisons.imported(app, tmp_path, comparisons.entries(6, practice=3, reference=True), "practised")
    practice = sorted((case for case in pool.cases if case.is_practice), key=lambda case: case.id)
    kinds = {source: [case.id for case in practice if case.source == source] for source in ("model-a", "model-b")}
    kinds["reference"] = [case.id for case in practice if case.source == "reference"]
    db.session.get(Case, kinds["model-a"][1]).excluded = "blurred"
    study = comparisons.opened(pool, practice=2)
    comparisons.invited(study, app, take)
    trials = [trial for trial in db.session.query(Sitting).one().trials if trial.is_training]
    rows = [[kinds[shown.case.source].index(shown.case_id) for shown in trial.cases] for trial in trials]
    assert sorted(rows) == [[0, 0, 0], [2, 2, 2]]


def test_a_trial_says_which_image_is_the_reference_and_nothing_of_the_methods(app, tmp_path, take):
    pool = comparisons.imported(app, tmp_path, comparisons.entries(3, reference=True), "beside")
    taker = comparisons.invited(comparisons.opened(pool, criteria=FORM), app, take)
    taker.go_on()
    assert (taker.trial["places"], taker.trial["reference"]) == (3, 3)
    assert [choice["kind"] for choice in taker.trial["choices"]] == ["better", "yes-no", "scale", "choice"]
    assert not {"model-a", "model-b", "real", "synthetic"} & set(str(taker.step).replace("'", " ").split())
    assert say(taker, GOOD | {"report": 3}).status_code == 422  # the reference cannot be chosen
    assert say(taker).status_code == 200
    assert [(row.criterion, row.value) for row in stored()].count(("", None)) == 1  # the reference
    assert len(stored()) == 4 * 2 + 1


def test_an_answer_is_stored_by_image_and_criterion_and_told_as_it_was_sent(taker):
    answer = say(taker)
    assert answer.get_json()["saved"]["criteria"] == GOOD
    said = [("clearer", "better"), ("clearer", "worse"), ("nodule", "yes"), ("nodule", "yes")]
    said += [("report", "chosen"), ("report", "not chosen"), ("sharp", "2"), ("sharp", "5")]
    assert sorted((row.criterion, row.value) for row in stored()) == said


@pytest.mark.parametrize(
    ("criteria", "words"),
    [
        (GOOD | {"report": 3}, "criterion 'report': 3 is not the position of an image on the screen"),
        (GOOD | {"report": True}, "criterion 'report': True is not the position of an image on the screen"),
        ({k: v for k, v in GOOD.items() if k != "nodule"}, "criterion 'nodule' is missing"),
        (GOOD | {"colour": ["yes", "no"]}, "expected an answer for each of clearer, nodule, report, sharp"),
        (GOOD | {"sharp": [6, 1]}, "6 is not a whole number from 1 to 5"),
        (GOOD | {"nodule": ["yes"]}, "expected a list of 2 answers"),
        (GOOD | {"nodule": ["yes", "better"]}, "'better' is not one of yes, no"),
        ("yes", "an answer for each of"),
    ],
)
def test_what_is_no_answer_is_refused_by_name_and_nothing_is_stored(taker, criteria, words):
    told = say(taker, criteria)
    assert told.status_code == 422
    assert words in str(told.get_json())
    assert stored() == []


def test_a_pool_with_a_missing_method_is_refused_by_name(app, tmp_path):
    given = list(comparisons.entries(3))
    given.remove(next(entry for entry in given if entry.group == "c002" and entry.source == "model-b"))
    pool = comparisons.imported(app, tmp_path, given, "gap")
    with pytest.raises(InvalidInputError, match="pool: case c002: no image of model-b"):
        lifecycle.create("C", pool, slug="c", seed=1, preset="comparisons")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["noise: maybe: There is noise"], "expected a name, a kind and the words"),
        (["noise: yes/no: There is noise", "noise: choice: Which?"], "two criteria have the same name: noise"),
        (["noise: yes/no: Noise", "[da]", "noise: choice: Støj"], r"\[da\]: expected the same names and kinds"),
        ([], "no criteria are given"),
    ],
)
def test_criteria_out_of_form_are_refused(lines, words):
    with pytest.raises(InvalidInputError, match=words):
        ComparisonSettings.from_dict({"criteria": lines})


def test_criteria_are_told_in_the_readers_language():
    lines = ["noise: yes/no: There is noise", "[da]", "noise: yes/no: Der er støj"]
    assert [one.words for one in parsed(lines, "da")] == ["Der er støj"]
    assert [one.words for one in parsed(lines, "de")] == ["There is noise"]


def test_what_simulated_readers_said_is_what_the_report_says(app, tmp_path):
    pool = comparisons.imported(app, tmp_path, comparisons.entries(20, practice=1, reference=True), "twenty")
    slug = comparisons.opened(pool, practice=1, groups=["A", "B"], repeats=2, criteria=FORM).slug
    db.session.remove()
    outcomes = simulation.run(app, slug, 4, seed=2, success=0.7)
    assert [outcome.refusal for outcome in outcomes] == [""] * 4
    text = exported(slug)
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["is_training"] == row["is_repeat"] == "0"]
    assert len(rows) == 4 * 20 * (2 * 4 + 1)
    (tmp_path / "responses.csv").write_text(text)
    results = measure(load_csv(tmp_path / "responses.csv"), Settings(bootstrap=50))
    said = Counter(r["value"] for r in rows if r["criterion"] == "clearer" and r["source"] == "model-a")
    told = results["criteria"]["clearer"]["preference"]
    assert (told["better"], told["worse"]) == (said["better"], said["worse"])
    assert 0.55 < told["value"] < 0.85
    assert results["criteria"]["report"]["kind"] == "choice"
    assert results["study"]["reference"] is True


def test_the_preset_has_the_four_criteria_and_a_plan_makes_the_same_study(app, pool):
    study = comparisons.opened(pool, preset="diffusionxray")
    names = [choice["criterion"] for choice in DESIGNS["comparison"].choices(study.rules)]
    assert names == ["nodule", "confusable", "clarity", "noise"]
    again = plan.make(plan.dump(study), slug="again")
    assert again.rules == study.rules
    assert again.design == "comparison"


def test_an_archive_brings_a_comparison_back_with_its_answers(app, taker, tmp_path):
    assert say(taker).status_code == 200
    study = lifecycle.find("compare-it")
    lifecycle.close(study)
    db.session.commit()
    before, store = exported("compare-it"), app.config["SETTINGS"].images
    with reading() as session, (tmp_path / "archive.zip").open("wb") as file:
        archive.write(session, session.query(Study).filter_by(slug="compare-it").one(), store, file)
    twin = lifecycle.copy(study, slug="twin")
    assert (twin.design, twin.settings) == (study.design, study.settings)
    db.session.delete(study)
    db.session.commit()
    assert archive.restore(tmp_path / "archive.zip", store).rules.criteria == FORM
    db.session.commit()
    assert exported("compare-it") == before
    assert before.count(",chosen,") == 2  # the column's name, and one answer


def test_pre_flight_and_the_live_page_count_comparisons_and_nothing_is_called_right(app, pool, take):
    study = comparisons.opened(pool, criteria=FORM)
    taker = comparisons.invited(study, app, take)
    taker.go_on()
    assert say(taker).status_code == 200
    (row,) = monitor.progress(db.session, study)
    assert (row.answered, row.total) == (1, 8)
    checks = {check.name: check for check in preflight.checks(db.session, study, app.config["SETTINGS"], secure=True)}
    assert checks["Settings and pool"].verdict == "good"
    assert "8 comparisons" in checks["Comparisons"].says
    assert "Not needed" in checks["Audit"].says  # whose pool may be of one class
    db.session.remove()
    arguments = ["simulate", "--study", "compare-it", "--readers", "1", "--success", "1"]
    result = app.test_cli_runner().invoke(args=arguments)
    assert result.exit_code == 0, result.output
    assert "8 comparisons" in result.output
    assert "correct" not in result.output


def test_a_zip_with_one_folder_a_method_is_uploaded_read_and_reported_on_the_desk(app, owner):
    seeds = iter(range(500, 600))
    folders = ("ours", "reference", "theirs")
    members = {f"set/{folder}/{n}.jpg": encoded(next(seeds), "JPEG") for n in range(13) for folder in folders}
    form = {"name": "Versions", "each": "12", "practice": "1", "width": "128", "height": "64", "sets": "comparisons"}
    db.session.rollback()  # the context of the test outlives its requests, and would keep the database from the import
    sent = owner.post("/researcher/pools/", data=form | {"file": (io.BytesIO(zipped(members)), "x.zip")})
    address = sent.headers["Location"]
    waited_for(lambda: owner.get(f"{address}.json").get_json()["state"])
    form = {"title": "Which is better?", "pool": "versions", "preset": "diffusionxray", "slug": "which"}
    assert owner.post("/researcher/studies/new", data=form).status_code == 303
    page = "/researcher/studies/which/"
    assert owner.post(f"{page}open").status_code == 303
    db.session.remove()
    assert [one.refusal for one in simulation.run(app, "which", 3, seed=3, success=0.8)] == [""] * 3
    assert owner.get(f"{page}live?part").text.count("12 / 12") == 3
    assert owner.post(f"{page}close").status_code == 303
    assert owner.post(f"{page}results").status_code == 303
    db.session.remove()
    trials = 3 * (12 + 1)
    waited_for(lambda: owner.get(f"{page}results/v1-{trials}.json").get_json()["state"])
    with owner.get(f"{page}results/v1-{trials}/results.json") as file:
        results = file.get_json()
    assert (results["design"], results["study"]["reference"]) == ("comparison", True)
    assert set(results["criteria"]) == {"nodule", "confusable", "clarity", "noise"}
    assert set(results["criteria"]["nodule"]["methods"]) == {"ours", "theirs"}
    assert results["criteria"]["nodule"]["preference"]["value"] > 0.5  # the first by name is preferred in 80 %
    with owner.get(f"{page}results/v1-{trials}/report.html") as file:
        said = file.text
    assert all(word in said for word in ("nodule", "confusable", "ours", "theirs"))
    assert f'<td class="number">{trials}</td><td class="number">1</td>' in owner.get(f"{page}results").text


def test_a_preview_walks_through_a_draft_of_comparisons_and_counts_nowhere(app, owner, pool, take):
    plain = {"groups": [], "ask_years": False, "criteria": FORM}
    study = lifecycle.create("Draft", pool, slug="draft", seed=1, preset="comparisons", settings=plain)
    study.owner_id = owner.researcher.id
    db.session.commit()
    link = owner.post("/researcher/studies/draft/preview").headers["Location"]
    preview = take(link.rstrip("/").rsplit("/", 1)[-1]).enter()
    seen = 0
    while preview.step["kind"] != "done":
        if preview.step["kind"] == "trial":
            answer = say(preview).get_json()
            assert answer.get("feedback") is None  # there is no truth to tell, in practice either
            seen, preview.step = seen + 1, answer["step"]
        else:
            preview.go_on()
    assert seen == 1 + 8
    assert exported("draft").count("\n") == 1
    assert (monitor.progress(db.session, study), lifecycle.answers(study)) == ([], 0)


def test_the_mirror_holds_a_row_an_image_and_criterion_and_a_lost_study_comes_back_from_it(mirrored, worker, tmp_path):
    pool = comparisons.imported(mirrored, tmp_path, comparisons.entries(6, practice=1, reference=True), "copied")
    slug = comparisons.opened(pool, practice=1, criteria=FORM).slug
    db.session.remove()
    assert [one.refusal for one in simulation.run(mirrored, slug, 2, seed=4)] == [""] * 2
    copying = worker().start()
    until(lambda: status()["waiting"] == 0)
    copying.stop()
    found = outside(mirrored)
    assert len(found) == 2 * 7 * (2 * 4 + 1)
    before = exported(slug)
    db.session.delete(lifecycle.find(slug))
    db.session.delete(db.session.query(Pool).filter_by(slug="copied").one())
    db.session.commit()
    (study,) = recovery.restore(found.values())
    db.session.commit()
    assert (study.design, lifecycle.answers(study)) == ("comparison", 2 * 7)
    assert exported(slug) == before
