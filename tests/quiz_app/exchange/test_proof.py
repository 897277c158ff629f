"""`db check` finds no problem in a complete study, and names what is missing in another."""

import pytest
import sqlalchemy as sa

from quiz_app.database import db, reading
from quiz_app.exchange import proof
from quiz_app.models import Case, Study


@pytest.fixture
def proved(app):
    """The current result for the only study."""

    def prove():
        db.session.commit()
        with reading() as session:
            return proof.of_study(session, session.query(Study).one(), app.config["SETTINGS"].images)

    return prove


@pytest.fixture
def read(make_study, invite):
    """A study that one reader has read, and another has begun to read."""
    study = make_study(practice=1)
    invite(study, "R1").enter().finish()
    invite(study, "R2").enter().onset()


def test_a_whole_study_is_found_whole(read, proved):
    found = proved()
    assert found.faults == []
    assert (found.readers, found.finished, found.trials, found.answered, found.answers) == (2, 1, 26, 13, 13)
    with reading() as session:
        assert proof.of_database(session) == []


def test_the_checksum_is_that_of_the_responses(read, proved):
    before = proved()
    assert proved().sha256 == before.sha256
    db.session.execute(sa.text("UPDATE answer SET answer = 'unsure' WHERE answer = 'real'"))
    assert proved().sha256 != before.sha256


FIRST = "(SELECT min(id) FROM trial WHERE position = {} AND NOT is_training)"
HARM = {
    "UPDATE trial SET answered_at = NULL WHERE id = " + FIRST.format(2): [
        "reader R1, sitting 1, trial 2: has an answer, but was never answered",
        "reader R1, sitting 1: an answer follows a trial that was not answered",
        "reader R1, sitting 1: has an end but not every answer",
    ],
    f"DELETE FROM answer WHERE trial_case_id = (SELECT id FROM trial_case WHERE trial_id = {FIRST.format(3)})": [
        "reader R1, sitting 1, trial 3: was answered, but the answer is missing"
    ],
    "UPDATE sitting SET finished_at = NULL": ["reader R1, sitting 1: has every answer but no end"],
    "UPDATE trial SET position = 15 WHERE position = 12 AND NOT is_training": [
        "reader R1, sitting 1: trials 12, 13, 14 are missing",
        "reader R2, sitting 1: trials 12, 13, 14 are missing",
    ],
    "DELETE FROM trial WHERE position = 12 AND answered_at IS NULL": [
        "version 1: sittings differ in their number of trials: 12 for R2; 13 for R1"
    ],
}


@pytest.mark.parametrize("harm", HARM)
def test_what_is_missing_is_named(read, proved, harm):
    db.session.execute(sa.text(harm))
    assert proved().faults == HARM[harm]


def test_a_case_without_its_image_is_named(app, read, proved):
    case = db.session.query(Case).order_by(Case.name).first()
    (app.config["SETTINGS"].images / case.stored).unlink()
    name = case.name
    assert proved().faults == [f"image of case {name}: is missing"]


def test_the_command_ends_with_1_and_names_the_faults(app, read):
    db.session.remove()
    run = app.test_cli_runner().invoke
    told = run(args=["db", "check"])
    assert (told.exit_code, "trial-run: 2 readers, 1 finished; 26 trials, 13 answered" in told.output) == (0, True)
    assert run(args=["db", "check", "nothing"]).exit_code == 1
    db.session.execute(sa.text("UPDATE sitting SET finished_at = NULL"))
    db.session.commit()
    told = run(args=["db", "check", "trial-run"])
    assert (told.exit_code, "trial-run: reader R1, sitting 1: has every answer but no end" in told.output) == (1, True)
