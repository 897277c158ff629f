"""Readers read under conditions: in a balanced sequence, after a washout, with the hints of the file and no more."""

import uuid
from collections import Counter
from datetime import timedelta

import pytest

from quiz_app import clock
from quiz_app.database import db, reading
from quiz_app.errors import InvalidInputError, RefusedError
from quiz_app.exchange import conditions_csv, personal
from quiz_app.models import Event
from quiz_app.sittings import result, start
from quiz_app.study import conditions, hints, history, lifecycle, preflight, readers
from quiz_app.study.cases import scored_cases

DAY = 24 * 3600
LINES = ["alone: limit_s = 5.0", "aided: hints = true, limit_s = 0.0, largest_side = 32"]


def scored(sitting):
    return {trial.cases[0].case.name for trial in sitting.trials if not trial.is_training}


def begun(study, count, group=None):
    """The first sittings of `count` new readers."""
    return [start.begin(readers.invite(study, f"{group}{number}", group)[0]) for number in range(count)]


def test_sequences_are_balanced_over_readers_of_each_group(conditioned):
    study = conditioned(groups=["EC", "EP"])
    for group in ("EC", "EP"):
        told = Counter(sitting.sequence for sitting in begun(study, 40, group))
        assert abs(told["alone>aided"] - told["aided>alone"]) <= 2
    assert all(sitting.condition == sitting.sequence.split(">")[0] for sitting in begun(study, 4, None))


def test_a_group_is_allotted_as_if_it_were_alone(conditioned):
    one, other = (conditioned(slug, groups=["EC", "EP"]) for slug in ("one", "other"))
    begun(one, 5, "EC")
    told = [[sitting.sequence for sitting in begun(study, 12, "EP")] for study in (one, other)]
    assert told[0] == told[1]


def test_the_same_cases_come_again_where_each_reader_has_a_subset_too(conditioned):
    for sitting in begun(conditioned(cases=4, assignment="balanced"), 6):
        sitting.finished_at = clock.now()
        assert scored(start.begin_next(sitting.reader)) == scored(sitting)


def test_between_readers_each_has_one_condition_and_one_part(conditioned):
    study = conditioned(conditions_by="between")
    sittings = begun(study, 40)
    told = Counter(sitting.condition for sitting in sittings)
    assert abs(told["alone"] - told["aided"]) <= 2
    assert all(sitting.sequence == sitting.condition for sitting in sittings)
    sittings[0].finished_at = clock.now()
    assert sittings[0].reader.has_finished
    assert sittings[0].reader.next_part_opens is None


def test_a_preview_takes_no_place_in_the_allotment(conditioned):
    one, other = conditioned("one"), conditioned("other")
    token = readers.preview(one)
    start.begin(readers.by_token(token))
    told = [[sitting.sequence for sitting in begun(study, 8)] for study in (one, other)]
    assert told[0] == told[1]


def test_previews_do_not_foretell_the_condition_of_the_next_reader(conditioned):
    study = conditioned(conditions_by="between")
    met = {start.begin(readers.by_token(readers.preview(study))).condition for _ in range(30)}
    assert met == {"alone", "aided"}


def test_the_log_names_no_condition(conditioned):
    begun(conditioned(), 2)
    told = [event.details for event in db.session.query(Event).filter_by(kind="sitting-begun")]
    assert [details["period"] for details in told] == [1, 1]
    assert not [details for details in told if "alone" in str(details) or "aided" in str(details)]


def test_a_crossover_waits_out_its_washout_by_the_servers_clock(conditioned, invite, time):
    study = conditioned(washout_days=14, result="at once")
    taker = invite(study).enter()
    first = study.readers[-1].sitting
    taker.finish()
    assert history.sentence(db.session.query(Event).order_by(Event.id.desc()).first()) == "R1 finished part 1 of 2."
    reader = study.readers[-1]
    assert not reader.has_finished
    assert not result.visible(reader)  # the cases will be read again
    assert result.leaders(study) == []
    assert taker.client.get(taker.url("end")).location.endswith("/between")
    time.forward(14 * DAY - 1)
    early = taker.client.get(taker.url("between"))
    assert b"can start the next part from" in early.data
    assert taker.client.post(taker.url("between")).status_code == 200
    assert len(reader.sittings) == 1
    time.forward(2)
    assert b"Start the next part" in taker.client.get(taker.url("between")).data
    for _ in range(2):  # sent twice, it begins one sitting
        assert taker.client.post(taker.url("between")).location.endswith("/instructions")
    db.session.expire_all()
    second = reader.sitting
    assert len(reader.sittings) == 2
    assert (second.period, f"{first.condition}>{second.condition}") == (2, second.sequence)
    assert scored(second) == scored(first)
    assert taker.client.post(taker.url("instructions"), data={}).status_code == 303
    taker.claim().finish()
    db.session.expire_all()
    assert reader.has_finished
    assert result.visible(reader)
    assert [name for name, _ in result.leaders(study)] == ["R1"]
    with reading() as session:
        rows = list(conditions_csv.rows(session, study.slug))
        assert len(rows) == 2 * len(scored(first)) == conditions_csv.count(session, study.slug)
        assert {(row.condition, row.period, row.sequence) for row in rows} == {
            (first.condition, 1, first.sequence), (second.condition, 2, first.sequence),
        }  # fmt: skip
        assert all((row.hint is not None) == (row.condition == "aided") for row in rows)
        assert not any(row[-1] for row in conditions_csv.rows(session, study.slug, blinded=True))


def test_a_preview_does_not_wait_for_the_end_of_a_washout(conditioned, take):
    study = conditioned(washout_days=14)
    token = readers.preview(study)
    db.session.commit()
    taker = take(token).enter()
    taker.finish()
    assert b"Start the next part" in taker.client.get(taker.url("between")).data
    for page in ("between", "instructions"):
        assert taker.client.post(taker.url(page)).status_code == 303
    taker.claim().finish()
    assert b"Thank you" in taker.client.get(taker.url("end")).data


def test_the_rule_itself_refuses_a_part_before_its_washout_is_over(conditioned, time):
    sitting = begun(conditioned(washout_days=1), 1)[0]
    with pytest.raises(RefusedError, match="no next part"):
        start.begin_next(sitting.reader)
    sitting.finished_at = clock.now()
    time.forward(DAY - 1)
    with pytest.raises(RefusedError, match="You cannot start the next part yet"):
        start.begin_next(sitting.reader)
    time.forward(1)
    second = start.begin_next(sitting.reader)
    assert start.begin_next(sitting.reader) is second
    second.instructed_at = second.finished_at = clock.now()
    with pytest.raises(RefusedError, match="no next part"):
        start.begin_next(sitting.reader)


def test_what_a_condition_changes_reaches_the_reader_and_nothing_else_does(conditioned, invite):
    study = conditioned(conditions_by="between")
    seen = {}
    while len(seen) < 2:
        taker = invite(study, f"R{len(study.readers)}").enter()
        if taker.step["kind"] == "begin":
            taker.go_on()
        seen[study.readers[-1].sitting.condition] = taker
    alone, aided = seen["alone"].trial, seen["aided"].trial
    assert (alone["limit_ms"], aided["limit_ms"]) == (5000, None)
    assert "hints" not in alone
    due = study.readers[-1] if study.readers[-1].sitting.condition == "aided" else study.readers[-2]
    shown = next(trial for trial in due.sitting.trials if trial.token == aided["trial"]).cases[0]
    hint = next(hint for hint in study.hints if hint.case_id == shown.case_id)
    assert aided["hints"] == [{"place": 1, "hint": hint.hint, "text": "look"}]
    assert (alone["images"][0]["width"], aided["images"][0]["width"]) == (64, 32)
    sizes = {len(seen["aided"].client.get(image["address"]).data) for image in aided["images"]}
    assert seen["aided"].answer().status_code == 200
    sizes |= {len(seen["aided"].client.get(image["address"]).data) for image in seen["aided"].trial["images"]}
    assert len(sizes) == 1  # reduced images too have one length


def test_tools_and_a_clue_are_offered_under_their_condition_alone(conditioned, invite):
    study = conditioned(conditions=["plain: tools = []", 'told: clue = "Look at the roots."'], conditions_by="between")
    for number in range(4):
        taker = invite(study, f"R{number}")
        taker.client.post(taker.url("welcome"), data={"consent": "yes"})
        taker.client.post(taker.url("about"))
        told = taker.client.get(taker.url("instructions")).text
        taker.client.post(taker.url("instructions"))
        offered = "data-tool=" in taker.client.get(taker.url("room")).text
        assert offered == ("Look at the roots." in told) == (study.readers[-1].sitting.condition == "told")


def test_a_hint_is_sent_word_for_word_with_its_due_trial_and_no_other(conditioned, invite):
    study = conditioned(conditions=[], hints=True)
    taker = invite(study).enter()
    of_case = {hint.case_id: hint.hint for hint in study.hints}
    by_trial = {trial.token: of_case[trial.cases[0].case_id] for trial in study.readers[-1].sitting.trials}
    assert len(set(by_trial.values())) == 12
    told = taker.post("continue")
    for _ in range(12):
        taker.step = told.get_json()["step"]
        due = by_trial[taker.trial["trial"]]
        assert [hint for hint in by_trial.values() if f'"{hint}"' in told.text] == [due]
        assert taker.trial["hints"] == [{"place": 1, "hint": due, "text": "look"}]
        taker.onset()
        said = {"id": str(uuid.uuid4()), "answer": "real", "certainty": "full"}
        told = taker.post(f"trials/{taker.trial['trial']}/answer", **said)
    assert told.get_json()["step"]["kind"] == "done"


def test_a_readers_own_file_has_the_hints_after_the_close_alone(conditioned, invite):
    study = conditioned(conditions=[], hints=True)
    taker = invite(study).enter()
    taker.go_on()
    taker.answer()
    told = [case.hint for trial in study.readers[-1].sitting.trials for case in trial.cases]
    early = personal.written(db.session(), study.readers[-1])  # the next trials, not seen yet, are in it
    assert not [hint for hint in told if f'"{hint}"' in early]
    lifecycle.close(study)
    assert all(f'"{hint}"' in personal.written(db.session(), study.readers[-1]) for hint in told)


def test_split_cases_are_each_read_once_and_under_each_condition_by_as_many(conditioned, time):
    study = conditioned(conditions_cases="split")
    under = Counter()
    for sitting in begun(study, 40):
        sitting.finished_at = clock.now()
        second = start.begin_next(sitting.reader)
        assert not scored(sitting) & scored(second)
        assert len(scored(sitting) | scored(second)) == 12
        under.update((sitting.condition, name) for name in scored(sitting))
        under.update((second.condition, name) for name in scored(second))
    assert len(under) == 24
    assert max(under.values()) - min(under.values()) <= 8  # by independent allotment it would be 12 and more


def test_who_begins_anew_stays_in_the_period_and_under_the_condition(conditioned):
    sitting = begun(conditioned(), 1)[0]
    start.reset(sitting.reader, "a wrong screen")
    again = sitting.reader.sitting
    assert (again.number, again.period, again.condition, again.sequence) == (
        2, 1, sitting.condition, sitting.sequence,
    )  # fmt: skip


def test_anchors_are_read_by_all_and_blocks_by_whom_the_fewest_have_finished(make_study):
    study = make_study(assignment="anchored", cases=6, anchors=2, practice=0)  # 12 cases: 3 blocks, the last filled up
    told = [scored(sitting) for sitting in begun(study, 3)]
    assert len(set.intersection(*told)) >= 2
    assert len(set.union(*told)) == 12
    for reader in study.readers[1:]:
        reader.sitting.finished_at = clock.now()
    assert all(scored(late) == told[0] for late in begun(study, 4, "late"))  # whose reader has dropped out


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"washout_days": 3, "conditions_by": "between"}, "washout_days: readers read in one part"),
        ({"conditions_cases": "split", "conditions_by": "between"}, "conditions_cases: readers read in one part"),
        ({"conditions_cases": "split", "cases": 4, "assignment": "balanced"}, "split needs the assignment crossed"),
        ({"conditions_cases": "split", "cases": 6}, "3 cases of each class cannot be split evenly over 2 conditions"),
        ({"anchors": 2}, "anchors: used only if the assignment is anchored"),
        ({"assignment": "anchored", "cases": 4, "anchors": 4}, "anchors: 4 of 4 cases per reader"),
        ({"conditions": [*LINES[1:], "trained: practice = 50"]}, "conditions: trained: practice: the study needs 50"),
        ({"looks": "3", "conditions": LINES}, "looks: a study with conditions cannot have interim looks"),
    ],
)
def test_what_does_not_go_together_keeps_a_study_from_opening(conditioned, settings, named):
    with pytest.raises(InvalidInputError, match=named):
        conditioned(**settings)


def test_a_washout_that_the_closing_date_cuts_short_is_named(conditioned):
    closes = (clock.now() + timedelta(days=10)).isoformat(timespec="seconds")
    with pytest.raises(InvalidInputError, match=r"before the end of the washout \(1 x 14 days"):
        conditioned(washout_days=14, closes=closes)
    conditioned("another", washout_days=9, closes=closes)


def test_after_the_closing_date_no_next_part_begins(conditioned, invite, time):
    closes = (clock.now() + timedelta(hours=1)).isoformat(timespec="seconds")
    study = conditioned(closes=closes)
    taker = invite(study).enter()
    taker.finish()
    assert b"Start the next part" in taker.client.get(taker.url("between")).data
    time.forward(3601)
    assert taker.client.post(taker.url("between")).status_code == 403
    assert len(study.readers[-1].sittings) == 1


def test_who_has_begun_without_an_answer_begins_again_with_new_hints(conditioned):
    study = conditioned(conditions=[], hints=True)
    reader = begun(study, 1)[0].reader
    hints.bring(study, "case,hint\n" + "".join(f"{case.name},new\n" for case in scored_cases(study)))
    assert reader.sittings == []
    assert {trial.cases[0].hint for trial in start.begin(reader).trials} == {"new"}


def test_every_fault_of_a_hint_file_is_named_by_its_row(make_study):
    study = make_study(opened=False, conditions=LINES)
    with pytest.raises(InvalidInputError, match="the study has no hint file"):
        lifecycle.open_study(study)
    one, other = (case.name for case in scored_cases(study)[:2])
    with pytest.raises(InvalidInputError) as faulty:
        hints.bring(study, f"case,hint\n{one},0.5\n{one},0.5\nnobody,0.5\n{other},\n", name="ai.csv")
    assert [fault.split(":")[0] for fault in faulty.value.faults] == [
        "ai.csv, row 3", "ai.csv, row 4", "ai.csv, row 5", "ai.csv",
    ]  # fmt: skip
    for text in ("", "case,truth\n", 'case,hint\n"a', "case,hint\na,b,c\n"):
        with pytest.raises(InvalidInputError, match=r"ai\.csv"):
            hints.bring(study, text, name="ai.csv")


def test_a_copy_has_the_hints_and_a_study_with_answers_keeps_its_own(conditioned, invite):
    study = conditioned()
    twin = lifecycle.copy(study, slug="twin")
    assert [(hint.case_id, hint.hint, hint.text) for hint in twin.hints] == [
        (hint.case_id, hint.hint, hint.text) for hint in study.hints
    ]
    taker = invite(study).enter()
    taker.go_on()
    assert taker.answer().status_code == 200
    with pytest.raises(InvalidInputError, match="locked"):
        hints.bring(study, "case,hint\n")


def test_pre_flight_warns_of_a_clue_that_is_not_forgotten_and_of_a_condition_without_readers(make_study):
    clued = make_study("one", opened=False, conditions=["plain", 'told: clue = "Look"'])
    assert conditions.warnings(clued)[0].startswith("2 sequences of conditions and places for 0 readers")
    assert len(conditions.warnings(clued)) == 2
    for number in range(2):
        readers.invite(clued, f"R{number}")
    assert [said.split(" told")[0] for said in conditions.warnings(clued)] == ["Readers cannot forget the clue of"]
    between = make_study("two", opened=False, conditions=["a", "b"], conditions_by="between")
    readers.invite(between, "R1")
    assert [said.split(".")[0] for said in conditions.warnings(between)] == [
        "2 conditions and places for 1 reader: at least one condition has no reader",
        "a and b are read under the same settings",
    ]
    readers.offer_open_link(between, "1")
    assert len(conditions.warnings(between)) == 1


def test_pre_flight_names_sources_that_cannot_be_split_and_hints_that_nobody_sees(app, conditioned, make_study):
    study = make_study(opened=False, conditions=["a", "b: limit_s = 3.0"], conditions_cases="split")
    for number in range(2):
        readers.invite(study, f"R{number}")
    for number, case in enumerate(case for case in scored_cases(study) if case.truth == "synthetic"):
        case.source = "GAN" if number < 3 else "Diffusion"
    (said,) = conditions.warnings(study)
    assert said == "Sources that cannot be split evenly over 2 conditions: Diffusion: 3, GAN: 3."
    unseen = conditioned("unseen", conditions=[])
    found = checked(app, unseen)["Conditions"]
    assert (found.verdict, found.details) == ("warn", ["The study has a hint file, but no reader sees the hints."])


def checked(app, study):
    """The checks of pre-flight by name."""
    return {check.name: check for check in preflight.checks(db.session(), study, app.config["SETTINGS"], secure=True)}


def test_pre_flight_names_the_cases_that_lack_a_hint(app, conditioned):
    study = conditioned()
    gone = [study.hints.pop().case_id for _ in range(2)]
    db.session.flush()
    names = [case.name for case in scored_cases(study) if case.id in gone]
    found = checked(app, study)["Settings and pool"]
    assert (found.verdict, found.details) == ("bad", [f"hints: none for {', '.join(names)}"])
