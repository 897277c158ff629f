"""A sitting lays down the right cases: all, one subset for all, or a subset each; and those that come twice."""

from collections import Counter

import pytest

from quiz_app.database import db
from quiz_app.designs.order import reader_seed
from quiz_app.models import Event, Trial
from quiz_app.sittings import entry, start
from quiz_app.study import readers


def dealt(study, count):
    """The sittings of `count` new readers: the names of the cases of each, repeats apart."""
    begun = [start.begin(readers.invite(study, f"R{number}")[0]) for number in range(count)]
    return [[trial.cases[0].case.name for trial in sitting.trials if counts(trial)] for sitting in begun]


def counts(trial: Trial) -> bool:
    return not trial.is_training and not trial.is_repeat


def test_in_a_crossed_study_every_reader_judges_the_same_cases_in_an_order_of_their_own(make_study):
    first, second, third = dealt(make_study(cases=6, assignment="crossed"), 3)
    assert len(set(first)) == 6
    assert set(first) == set(second) == set(third)
    assert not first == second == third


def test_in_a_balanced_study_every_case_is_read_equally_often(make_study):
    times = Counter(name for names in dealt(make_study(cases=4, assignment="balanced"), 6) for name in names)
    assert len(times) == 12
    assert set(times.values()) == {2}


def test_repeats_are_marked_counted_and_shown_under_another_address(make_study):
    study = make_study(repeats=4, practice=0)
    sitting = start.begin(readers.invite(study, "R1")[0])
    repeats = [trial for trial in sitting.trials if trial.is_repeat]
    assert len(repeats) == 4
    assert [trial.position for trial in sitting.trials] == list(range(1, 17))
    tokens = [trial.cases[0].token for trial in sitting.trials]
    assert len(set(tokens)) == 16
    for trial in repeats:
        case = trial.cases[0].case
        assert [other.is_repeat for other in sitting.trials if other.cases[0].case is case] == [False, True]


def test_sittings_are_numbered_from_one_and_their_seeds_are_on_record(make_study):
    study = make_study()
    reader, _ = readers.invite(study, "R1")
    begun = [start.begin(reader), start.begin(reader)]
    assert [(sitting.number, sitting.seed) for sitting in begun] == [
        (number, reader_seed(study.seed, "R1", number)) for number in (1, 2)
    ]
    events = db.session.query(Event).filter_by(kind="sitting-begun").order_by(Event.id)
    assert [(event.sitting_id, event.details) for event in events] == [
        (sitting.id, {"number": sitting.number, "seed": sitting.seed}) for sitting in begun
    ]


def test_a_form_sent_twice_begins_one_sitting(make_study):
    reader, _ = readers.invite(make_study(), "R1")
    first = entry.enrol(reader, {})
    order = [trial.token for trial in first.trials]
    assert entry.enrol(reader, {}) is first
    assert [trial.token for trial in reader.sitting.trials] == order
    assert len(reader.sittings) == 1


@pytest.mark.parametrize("settings", [{}, {"cases": 6}, {"cases": 6, "repeats": 2}])
def test_the_same_seed_and_pseudonym_give_the_same_order(make_study, settings):
    one, other = (make_study(slug, **settings) for slug in ("one", "other"))
    assert dealt(one, 1) == dealt(other, 1)
