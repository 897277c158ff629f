"""Registrations: written from a plan, refused where they contradict it, known when edited, held against a study."""

import copy
import csv
import hashlib
import io
import json
from dataclasses import asdict, replace
from datetime import UTC, datetime

import jsonschema
import pytest
from pypdf import PdfReader

from analysis import planning, registration
from analysis.designs.common import Settings
from analysis.report import EXAMPLE, computed, write
from analysis.report import main as report
from analysis.responses import ResponsesError, load_csv, load_ratings, stored
from analysis.responses.looks import with_looks
from analysis.responses.subgroups import with_declared
from tests.analysis.crossovers import files, rows, study

FORM = """title = "Can dentists tell?"
question = "Do dentists tell synthetic radiographs from real ones better than chance?"
authors = ["A. Müller", "B. Østergård"]
exclusions = ["Readers who know the pool are not invited."]
"""
SAMPLE = {
    "endpoint": "auc", "value": 0.6, "null": 0.5, "margin": None, "alpha": 0.05, "target": 0.8, "readers": 6,
    "cases": 200, "power": 0.508, "half_width": 0.102, "method": "power of a test", "model": {"reader_sd": 0.24},
}  # fmt: skip


@pytest.fixture
def form(tmp_path):
    """Writes a form: the lines above and more."""

    def write(more="", text=FORM):
        path = tmp_path / "form.toml"
        path.write_text(text + more, encoding="utf-8")
        return path

    return write


def made(form, more="", **other):
    return registration.make(registration.read_form(form(more)), SAMPLE | other)


def plan(form, out, *more):
    return planning.main(
        ["auc", "0.6", "--readers", "6", "--cases", "200", "--register", str(form), "--out", str(out), *more]
    )


def test_the_command_writes_three_files_that_say_the_same(form, tmp_path, capsys):
    assert plan(form('[analysis]\nunsure = "wrong"\nseed = 7\n'), tmp_path / "out") == 0
    given = registration.load(tmp_path / "out" / "registration.json")
    parts = given["registration"]
    assert (parts["sample"]["readers"], parts["sample"]["cases"], parts["sample"]["value"]) == (6, 200, 0.6)
    assert parts["sample"]["power"] == pytest.approx(0.508, abs=5e-4)
    assert parts["analysis"] == asdict(Settings(unsure="wrong", seed=7))
    text = (tmp_path / "out" / "registration.md").read_text("utf-8")
    pages = PdfReader(tmp_path / "out" / "registration.pdf").pages
    printed = " ".join(" ".join(page.extract_text() for page in pages).split())
    for said in (
        "Research question",
        "Sample size rationale",
        "Power 0.508",
        "Müller",
        "Readers who know",
        "Stopping rule",
    ):
        assert said in text
        assert said in printed
    assert given["sha256"] in text
    assert given["sha256"] in printed
    assert "registration.json" in capsys.readouterr().out


def test_the_same_registration_has_the_same_bytes(form):
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    one, other = (registration.make(registration.read_form(form()), SAMPLE, at) for _ in range(2))
    assert one == other
    assert registration.written.pdf(one) == registration.written.pdf(other)
    assert one["registration"]["made"]["at"] == "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = 3", ["form.toml: title: 3 is not text", "form.toml: question: is missing"]),
        (FORM + "nonsense = 1", ["form.toml: nonsense: unknown entry"]),
        ('authors = "A. Müller"', ["authors: 'A. Müller' is not a list of texts such as"]),
        (FORM + '[analysis]\nunsure = "maybe"', ["analysis: unsure: expected one of fractional"]),
        (FORM + "[analysis]\nspeed = 3\nseed = 1.5", ["speed is not a setting", "seed 1.5; expected int"]),
        (FORM + 'pool = "none"\nplan = "none.toml"', ["pool: ", "is not a pool folder", "none.toml cannot be read"]),
        ("title =", ["form.toml: not a TOML file"]),
    ],
)  # fmt: skip
def test_every_fault_of_a_form_is_named_and_nothing_is_written(form, tmp_path, capsys, text, said):
    assert plan(form(text=text), tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert all(one in error for one in said), error
    assert not (tmp_path / "out").exists()


def test_a_registration_is_of_one_size_and_needs_a_folder(form, tmp_path, capsys):
    given = ["auc", "0.6", "--register", str(form())]
    assert planning.main([*given, "--readers", "6", "--cases", "200"]) == 2
    assert "--register: also give --out" in capsys.readouterr().err
    assert planning.main([*given, "--readers", "3", "6", "--cases", "200", "--out", str(tmp_path / "out")]) == 2
    assert "--register: give exactly one number of readers" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def pool_folder(folder, cases):
    folder.mkdir()
    (folder / "pool.json").write_text(json.dumps({"name": "mine"}))
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows(
            [("case", "truth", "group"), *((f"c{n}", "real", "") for n in range(cases)), ("p", "real", "practice")]
        )
    return hashlib.sha256((folder / "cases.csv").read_bytes()).hexdigest()


def test_pool_and_plan_are_registered_by_their_checksums_and_must_belong_together(form, tmp_path):
    sha256 = pool_folder(tmp_path / "pool", 200)
    study = tmp_path / "study.toml"
    study.write_text(f'design = "rating"\nseed = 3\npool_sha256 = "{sha256}"\n[settings]\ntime_limit_s = 60\n')
    parts = made(form, 'pool = "pool"\nplan = "study.toml"\n')["registration"]
    assert parts["pool"] == {"name": "mine", "sha256": sha256, "cases": 200}
    assert parts["plan"]["sha256"] == hashlib.sha256(study.read_bytes()).hexdigest()
    assert parts["plan"]["settings"] == {"time_limit_s": 60}
    with pytest.raises(
        ResponsesError, match=r"pool: has 200 cases \(practice cases not counted\), but 300 are planned"
    ):
        made(form, 'pool = "pool"\n', cases=300)
    study.write_text(study.read_text().replace(sha256, "0" * 64))
    with pytest.raises(ResponsesError, match=r"plan: study\.toml was made for a different pool than pool"):
        made(form, 'pool = "pool"\nplan = "study.toml"\n')
    study.write_text('design = "quartet"\n[settings]\n')
    with pytest.raises(
        ResponsesError, match="plan: the study has the design quartet, but the end point auc needs rating"
    ):
        made(form, 'plan = "study.toml"\n')


def test_a_margin_is_said_once(form):
    assert made(form, margin=0.05)["registration"]["analysis"]["margin"] == 0.05
    with pytest.raises(ResponsesError, match=r"margin 0\.2, but the study was planned with --margin 0\.05"):
        made(form, "[analysis]\nmargin = 0.2\n", margin=0.05)


@pytest.mark.parametrize("part", ["estimand", "sample", "analysis", "study"])
def test_an_edited_registration_is_refused_and_the_part_named(form, part):
    given = made(form)
    edited = copy.deepcopy(given)
    edited["registration"][part] |= {"value": 0.9, "title": "Another"}
    with pytest.raises(ResponsesError, match=f"was edited after it was created: {part} "):
        registration.loads(json.dumps(edited))
    edited["sums"][part] = registration.record._sum(edited["registration"][part])
    with pytest.raises(ResponsesError, match="its own SHA-256 does not match its parts"):
        registration.loads(json.dumps(edited))
    assert registration.loads(json.dumps(given)) == given


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kind": "x", "format": 1, "registration": {}, "sums": {}, "sha256": ""}']
)
def test_what_is_no_registration_is_refused(text):
    with pytest.raises(ResponsesError, match="registration"):
        registration.loads(text)


@pytest.fixture(scope="module")
def published():
    return load_ratings(EXAMPLE, title="The published study")


def verdicts(told):
    return {line["what"]: line["verdict"] for line in told["lines"]}


def test_what_was_kept_and_what_differs_stands_line_by_line(form, published):
    given = made(form, "[analysis]\nbootstrap = 50\n", readers=8)
    told = computed(published, Settings(bootstrap=60), given)["registration"]
    found = verdicts(told)
    assert found["Readers"] == found["Bootstrap replicates"] == "different"
    assert found["Cases per reader"] == found["Random seed"] == "kept"
    assert found["Further exclusions"] == found["SHA-256 of the pool"] == "not known"
    assert told["different"] == ["Readers", "Bootstrap replicates"]
    assert sum(told["counts"][name] for name in ("kept", "different", "unknown")) == told["counts"]["all"] == len(found)
    lines = {line["what"]: (line["registered"], line["done"]) for line in told["lines"]}
    assert lines["Readers"] == ("8", "6")
    assert lines["Bootstrap replicates"] == ("50", "60")


def test_planned_looks_are_registered_and_held_against_those_taken(form, tmp_path, published):
    command = ["auc", "0.7", "--looks", "--readers", "3", "6", "--cases", "200", "--register", str(form())]
    assert planning.main([*command, "--out", str(tmp_path)]) == 0
    given = registration.load(tmp_path / "registration.json")
    assert "3 readers and 200 cases (0.0" in (tmp_path / "registration.md").read_text("utf-8")
    told = computed(published, Settings(bootstrap=20), given)["registration"]
    assert (verdicts(told)["Interim looks"], verdicts(told)["Readers"]) == ("different", "kept")
    looked = with_looks(published, tmp_path / "looks.json")
    told = computed(looked, Settings(bootstrap=20), given)["registration"]
    assert verdicts(told)["Interim looks"] == "kept"
    again = stored.unpack(stored.pack(looked))
    assert computed(again, Settings(bootstrap=20), given)["registration"] == told


def test_a_study_that_ended_though_its_look_said_continue_did_not_keep_to_its_readers(form, tmp_path, published):
    command = ["auc", "0.85", "--null", "0.8", "--looks", "--readers", "6", "12", "--cases", "200"]
    assert planning.main([*command, "--register", str(form()), "--out", str(tmp_path)]) == 0
    given = registration.load(tmp_path / "registration.json")
    found = computed(with_looks(published, tmp_path / "looks.json"), Settings(bootstrap=20), given)
    assert [look["decision"] for look in found["looks"]["taken"]] == ["continue"]
    assert verdicts(found["registration"])["Readers"] == "different"


def test_a_study_that_went_on_though_its_look_said_stop_did_not_keep_to_its_readers(form, tmp_path, published):
    def told(value, *more):
        command = ["auc", value, "--looks", "--readers", "3", "6", "--cases", "200", "--spending", "pocock", *more]
        assert planning.main([*command, "--register", str(form()), "--out", str(tmp_path)]) == 0
        given = registration.load(tmp_path / "registration.json")
        found = computed(with_looks(published, tmp_path / "looks.json"), Settings(bootstrap=20), given)
        return found["looks"]["taken"][-1]["decision"], verdicts(found["registration"])["Readers"]

    assert told("0.7") == ("efficacy", "different")
    assert told("0.85", "--null", "0.79", "--futility", "0.5") == ("futility", "kept")  # it does not bind


def test_the_registered_figure_has_the_p_of_the_registered_test_or_none(form, tmp_path, published):
    def told(*more, looks=False):
        assert planning.main([*more, "--cases", "200", "--register", str(form()), "--out", str(tmp_path)]) == 0
        study = with_looks(published, tmp_path / "looks.json") if looks else published
        given = registration.load(tmp_path / "registration.json")
        figure = computed(study, Settings(bootstrap=20), given)["registration"]["figure"]
        return figure["tested"], figure["pointer"]

    assert told("auc", "0.7", "--readers", "6") == (True, ["overall", "auc"])
    assert told("auc", "0.9", "--readers", "6", "--null", "0.8") == (False, ["overall", "auc"])
    planned = ("auc", "0.7", "--looks", "--readers", "3", "6")
    assert told(*planned) == (False, ["overall", "auc"])  # its looks were not given
    assert told(*planned, looks=True) == (True, ["looks", "adjusted"])


def test_answers_before_the_registration_are_said(form, published):
    from dataclasses import replace

    given = made(form)
    for moment, verdict in (
        ("2001-01-01T00:00:00Z", "different"),
        ("2101-01-01T00:00:00Z", "kept"),
        ("noon", "not known"),
    ):
        answered = replace(published, table=published.table.assign(answered_at=moment))
        results = {"design": "rating", "settings": {}, "software": {"discern": "0"}}
        results["study"] = {"readers": 6, "excluded": {}, "first_answer": moment}
        told = registration.compare(given, results, answered)
        assert verdicts(told)["Registered before the first answer"] == verdict


def test_a_registration_of_another_pool_or_design_is_refused_by_name(form, tmp_path):
    sha256 = pool_folder(tmp_path / "pool", 200)
    given = made(form, 'pool = "pool"\n')
    registration.assert_same(given, "rating", {"name": "mine", "sha256": sha256})
    with pytest.raises(ResponsesError) as bad:
        registration.assert_same(given, "quartet", {"name": "other", "sha256": "0" * 64})
    assert "is for another pool: 'mine'" in bad.value.faults[0]
    assert "is for the design rating; the study has the design quartet" in bad.value.faults[1]


def test_the_report_has_a_section_of_it_and_refuses_what_does_not_belong(form, tmp_path, capsys):
    (path, *_) = registration.write(made(form, "[analysis]\nbootstrap = 20\n"), tmp_path)
    command = ["--example", "--bootstrap", "20", "--registration", str(path), "--out", str(tmp_path / "report")]
    assert report(command) == 0
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "Adherence to the preregistration" in page
    assert "was registered on" in (tmp_path / "report" / "methods.txt").read_text("utf-8")
    rows = list(csv.reader(io.StringIO((tmp_path / "report" / "tables" / "registration.csv").read_text("utf-8"))))
    assert rows[0] == ["part", "what", "registered", "done", "verdict"]
    assert (tmp_path / "report" / "tables" / "registration.tex").is_file()
    path.write_text(path.read_text("utf-8").replace("Can dentists", "Cannot dentists"))
    capsys.readouterr()
    assert report([*command[:-1], str(tmp_path / "second")]) == 2
    assert "registration.json: was edited after it was created: study" in capsys.readouterr().err
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("same", "Every reader reads the same cases under each of two conditions"),
        ("sources", "synthetic images come from two sources"),
    ],
)
def test_a_plan_of_two_conditions_or_sources_is_registered(form, tmp_path, by, said):
    given = ["auc", "0.6", "--against", "0.75", "--by", by, "--readers", "6", "--cases", "40", "--simulate", "10"]
    assert planning.main([*given, "--register", str(form()), "--out", str(tmp_path)]) == 0
    parts = registration.load(tmp_path / "registration.json")["registration"]
    assert (parts["sample"]["by"], parts["sample"]["against"], parts["sample"]["studies"]) == (by, 0.75, 10)
    assert parts["design"]["cases"] == (60 if by == "sources" else 40)  # of each reader
    text = (tmp_path / "registration.md").read_text("utf-8")
    for words in (said, f"differs between the two {'sources' if by == 'sources' else 'conditions'}"):
        assert words in text
    assert "if the true AUC is 0.6 for one and 0.75 for the other" in text
    assert "reader_share 0.25" in text
    assert "Two-sided test of no difference" in text


def test_a_pool_in_anchored_blocks_has_no_test_to_register(form, tmp_path, capsys):
    given = ["auc", "0.6", "--cap", "40", "--readers", "6", "--cases", "40", "--register", str(form())]
    assert planning.main([*given, "--out", str(tmp_path / "out")]) == 2
    assert "--register: cannot be used with --cap" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("by", "names", "verdict"),
    [
        ("same", ("alone", "hinted"), "kept"),
        ("split", ("alone", "hinted"), "different"),
        ("same", ("alone", "hinted", "both"), "different"),
    ],
)
def test_the_report_says_whether_two_conditions_were_read_as_registered(form, tmp_path, by, names, verdict):
    given = made(form, cases=24, against=0.75, by="same")
    found = study(tmp_path, readers=6, cases=24, by=by, names=names)
    write(found, tmp_path / "out", Settings(bootstrap=50), registered=given)
    results = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    jsonschema.validate(results, json.loads((tmp_path / "out" / "results.schema.json").read_text("utf-8")))
    told = results["registration"]
    line = next(line for line in told["lines"] if line["what"].startswith("Conditions and their"))
    assert line["verdict"] == verdict
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    if len(names) == 2:
        assert told["figure"]["pointer"] == ["conditions", "differences", 0]
        assert results["conditions"]["differences"][0]["figure"] == "auc"
        assert "mean area under the ROC curve (AUC) over readers, difference: <strong>" in page.replace("&#39;", "'")
    else:
        assert told["figure"]["pointer"] is None
        assert "is not in this report, because there were not two to compare" in page


def test_a_registered_difference_of_two_sources_is_found(form, tmp_path):
    made_up = [row | {"source": ("a", "b")[int(row["case"][1:]) // 2 % 2]} for row in rows(readers=4, cases=24)]
    made_up = [row if row["truth"] == "synthetic" else row | {"source": ""} for row in made_up if row["period"] == 1]
    found = load_csv(files(tmp_path, made_up).responses)
    told = computed(found, Settings(bootstrap=50), made(form, cases=24, against=0.75, by="sources"))
    assert told["registration"]["figure"]["pointer"][::3] == ["sources", "difference"]
    line = next(line for line in told["registration"]["lines"] if line["what"] == "Sources of synthetic images")
    assert line["verdict"] == "kept"


def test_subgroups_are_registered_from_form_or_plan_and_held_against_those_compared(form, tmp_path, published):
    pool_folder(tmp_path / "pool", 200)
    with pytest.raises(ResponsesError, match=r"subgroups: cases\.csv in pool has no column 'device'"):
        made(form, 'pool = "pool"\nsubgroups = ["device"]\n')
    (tmp_path / "study.toml").write_text('design = "rating"\n[settings]\nsubgroups = ["device", "teeth"]\n')
    with pytest.raises(ResponsesError, match="subgroups: device, but the plan's settings have device, teeth"):
        made(form, 'plan = "study.toml"\nsubgroups = ["device"]\n')
    given = made(form, 'plan = "study.toml"\n')
    assert given["registration"]["analysis"]["subgroups"] == ["device", "teeth"]
    words = registration.written.markdown(given)
    assert (
        "p values corrected for the number of columns: device, teeth." in words.split("### Follow-up analyses")[1][:250]
    )
    labels = {case: {"device": f"{n % 2}", "teeth": f"{n % 3}"} for n, case in enumerate(published.case_names)}

    def held(columns, registered):
        responses = replace(published, study=published.study | {"settings": {"subgroups": columns}})
        told = computed(with_declared(responses, labels), Settings(bootstrap=20), registered)["registration"]
        return verdicts(told).get("Subgroups of images")

    assert held(["teeth", "device"], given) == "kept"
    assert held(["device"], given) == "different"
    assert held([], made(form)) is None
    assert held(["device"], made(form)) == "different"
