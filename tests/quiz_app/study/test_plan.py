"""A study as a file: written, read, the same both ways; every fault at once; the docs say what the code says."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiz_app.database import db
from quiz_app.designs.staircase import StaircaseSettings
from quiz_app.errors import InvalidInputError
from quiz_app.models import Study
from quiz_app.study import hints, lifecycle, plan
from quiz_app.study.settings import StudySettings

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_the_docs_are_those_of_the_code():
    assert (DOCS / "reference" / "settings.md").read_text("utf-8") == "\n".join(plan.handbook()) + "\n"


def test_every_setting_has_a_section_a_label_and_a_meaning():
    dumped = "\n".join(plan.handbook())
    for name in StudySettings().as_dict():
        assert f"| `{name}` |" in dumped


def test_sections_without_a_setting_are_left_out():
    assert "Exposure" not in plan.by_section(StudySettings())
    assert list(plan.by_section(StaircaseSettings()))[:2] == ["Time", "Exposure"]


def test_a_study_made_from_its_own_plan_is_the_same(make_study):
    study = make_study(
        limit_s=7.5,
        groups=['a "b"', "ø"],
        welcome="One.\nTwo \\ three.",
        closes="2099-01-01T00:00+00:00",
        labels=[*"abcde", "[da]", *"fghij"],
    )
    twin = plan.make(plan.dump(study), slug="twin")
    for name in ("title", "design", "seed", "settings", "pool_id"):
        assert getattr(twin, name) == getattr(study, name), name
    assert plan.dump(twin) == plan.dump(study).replace("trial-run", "twin")


def test_a_plan_carries_conditions_and_the_checksum_of_the_hints_and_no_hint(conditioned):
    lines = ["plain", 'told: clue = "Look at \\"roots\\"", hints = true, tools = ["zoom"], limit_s = 20.0']
    study = conditioned(conditions=lines, conditions_by="between", groups=["EC", "EP"])
    written = plan.dump(study)
    assert not [hint.hint for hint in study.hints if hint.hint in written]
    twin = plan.make(written, slug="twin")
    assert twin.rules.under("told").clue == 'Look at "roots"'
    assert twin.settings == study.settings
    assert twin.hints == []
    names = {case.id: case.name for case in study.pool.cases}
    rows = [f"{names[hint.case_id]},{hint.hint},{hint.text}" for hint in reversed(study.hints)]
    hints.bring(twin, "\n".join(["case,hint,text", *rows]))
    assert plan.dump(twin) == written.replace("trial-run", "twin")
    twin.hints[0].hint = "0.5"
    assert plan.dump(twin) != written.replace("trial-run", "twin")


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        ("abcd", "4 lines; expected 5 or none"),
        (["a", "b", " ", "d", "e"], "4 lines"),
        ([*"abcd", "e\nf"], "6 lines"),
        ([*"abcde", "[da]", *"fghi"], r"4 lines in \[da\]"),
        (["[da]", *"fghij"], "0 lines"),
    ],
)
def test_labels_are_five_in_every_language(labels, fault):
    with pytest.raises(InvalidInputError, match=f"^labels: {fault}"):
        StudySettings.from_dict({"labels": list(labels)})


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_text_survives_the_file(text):
    import tomllib

    assert tomllib.loads(f"x = {plan._toml(text)}") == {"x": text}


def test_every_fault_of_a_plan_is_listed_and_nothing_is_kept(app):
    text = """
    format = 1
    title = " "
    pool = "nowhere"
    preset = "magic"
    [settings]
    limit_s = "long"
    colour = "red"
    cases = 3
    assignment = "any"
    closes = "tomorrow"
    repeats = true
    labels = ["real", "unsure", "synthetic"]
    """
    with pytest.raises(InvalidInputError) as faulty:
        plan.make(text)
    named = [fault.split(":")[0] for fault in faulty.value.faults]
    expected = ["title", "pool", "preset", "limit_s", "colour", "cases", "assignment", "closes", "repeats", "labels"]
    assert sorted(named) == sorted(expected)
    db.session.rollback()
    assert db.session.query(Study).count() == 0


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("title = ", "file: not a TOML file"),
        ("title = 'x'", "format: None is not 1"),
        ("format = 1\nseed = -1", "seed: -1 is not between"),
        ("format = 1\nseed = 'one'", "seed: 'one' is not a whole number"),
        ("format = 1\ncolour = 1", "colour: unknown entry"),
        ("format = 1\nsettings = 1", "settings: expected a table"),
    ],
)
def test_what_is_no_plan_is_refused(app, text, fault):
    with pytest.raises(InvalidInputError, match=fault):
        plan.make(text)


def test_a_pool_that_has_other_cases_is_refused_and_one_of_another_name_is_found(make_study):
    study = make_study()
    other = plan.dump(study).replace(study.pool.sha256, "0" * 64)
    with pytest.raises(InvalidInputError, match="its cases differ"):
        plan.make(other, slug="twin")
    db.session.rollback()
    renamed = plan.dump(lifecycle.find("trial-run")).replace('pool = "noise"', 'pool = "elsewhere"')
    assert plan.make(renamed, slug="twin").pool.slug == "noise"
