"""Verification: reproduced numbers are certified, others are listed, and edited files are named."""

import io
import json
import zipfile

import jsonschema
import pytest

from analysis import verify
from analysis.designs.common import Settings
from analysis.report import EXAMPLE, archive, computed, document, write
from analysis.responses import load_csv, load_frame, load_ratings
from analysis.responses.marks import with_marks
from analysis.verify.comparison import compare
from tests.analysis import comparisons, marked, quartets, staircases

FEW = Settings(bootstrap=20)


def packed(responses, edit=lambda results: None):
    results = json.loads(document.dump(computed(responses, FEW, None)))
    edit(results)
    return archive.pack(document.dump(results), responses)


@pytest.fixture(scope="module")
def whole():
    return packed(load_ratings(EXAMPLE, title="The published study"))


@pytest.fixture
def archived(tmp_path, whole):
    path = tmp_path / "archive.zip"
    path.write_bytes(whole)
    return path


def changed(content, change):
    """The zip with its members as `change(members)` leaves them."""
    with zipfile.ZipFile(io.BytesIO(content)) as given:
        members = {name: given.read(name) for name in given.namelist()}
    change(members)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, text in members.items():
            file.writestr(name, text)
    return out.getvalue()


def test_the_report_of_an_untouched_archive_is_certified(archived, capsys):
    assert verify.main([str(archived)]) == 0
    assert "numbers agree within 1e-09" in capsys.readouterr().out
    folder = archived.with_name("archive-certificate")
    told = json.loads((folder / "certificate.json").read_text())
    assert told["verified"]
    assert (told["differences"], told["largest_difference"]) == ([], 0)
    assert told["numbers"] > 5000
    assert told["software"]["here"]["numpy"] == told["software"]["archived"]["numpy"]
    assert "Verified." in (folder / "certificate.html").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["certificate.html", "certificate.json"]


@pytest.mark.parametrize("made", [quartets.study, staircases.study, comparisons.study])
def test_every_design_is_computed_again(made, tmp_path):
    (tmp_path / "a.zip").write_bytes(packed(load_frame(made())))
    assert verify.verify(tmp_path / "a.zip").comparison.differences == ()


def test_marks_are_computed_again(tmp_path):
    files = marked.study(tmp_path)
    (tmp_path / "a.zip").write_bytes(packed(with_marks(load_csv(files.responses), files.marks, files.faults)))
    assert verify.verify(tmp_path / "a.zip").comparison.differences == ()


def test_every_number_that_does_not_follow_is_listed_with_both_values(tmp_path, capsys):
    def edit(results):
        results["overall"]["auc"]["value"] += 1e-6
        results["readers"]["EC1"]["accuracy"]["wrong"]["value"] += 1e-12  # less than the tolerance
        del results["tests"][0]["question"]

    (tmp_path / "a.zip").write_bytes(packed(load_ratings(EXAMPLE), edit))
    assert verify.main([str(tmp_path / "a.zip"), "--out", str(tmp_path / "out")]) == verify.DIFFERENT == 3
    told = json.loads((tmp_path / "out" / "certificate.json").read_text())
    assert not told["verified"]
    assert [one["path"] for one in told["differences"]] == ["/overall/auc/value", "/tests/0/question"]
    assert float(told["differences"][0]["archived"]) == pytest.approx(float(told["differences"][0]["computed"]) + 1e-6)
    assert told["differences"][1]["archived"] == "nothing"
    page = (tmp_path / "out" / "certificate.html").read_text()
    assert "Not verified." in page
    assert "/overall/auc/value" in page
    assert "2 of " in capsys.readouterr().out


def edited(members):
    members["responses.csv"] = members["responses.csv"].replace(b",5,", b",4,", 1)


def without(name):
    return lambda members: members.pop(name)


def relisted(**about):
    def change(members):
        members["archive.json"] = json.dumps(json.loads(members["archive.json"]) | about).encode()

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edited, "responses.csv was edited (SHA-256 differs)"),
        (without("results.json"), "results.json is missing"),
        (without("responses.json"), "responses.json is missing"),
        (without("archive.json"), "has no readable archive.json"),
        (lambda members: members.update({"more.txt": b"x"}), "more.txt does not belong to an archive"),
        (relisted(software={"discern": "0.0.1"}), "was made by Discern 0.0.1, this is"),
        (relisted(format=9), "in format 9, expected 'discern report archive' in format 1"),
        (relisted(members=3), "has no readable archive.json"),
    ],
)
def test_what_is_wrong_with_an_archive_is_named_and_nothing_is_written(archived, whole, capsys, change, said):
    archived.write_bytes(changed(whole, change))
    assert verify.main([str(archived)]) == 2
    assert said in capsys.readouterr().err
    assert not archived.with_name("archive-certificate").exists()


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 broken"])
def test_what_is_no_archive_is_refused(archived, capsys, content):
    archived.write_bytes(content)
    assert verify.main([str(archived)]) == 2
    assert "archive.zip: cannot be read as a zip" in capsys.readouterr().err
    assert verify.main([str(archived.with_name("none.zip"))]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_archive_of_another_version_is_compared_where_that_is_asked_for(archived, whole):
    archived.write_bytes(changed(whole, relisted(software={"discern": "0.0.1"})))
    assert verify.main([str(archived), "--other-version"]) == 0
    told = json.loads((archived.with_name("archive-certificate") / "certificate.json").read_text())
    assert told["software"]["archived"] == {"discern": "0.0.1"}


def test_a_report_writes_its_archive_and_lists_it(tmp_path):
    responses = load_ratings(EXAMPLE)
    write(responses, tmp_path / "report", FEW)
    listed = json.loads((tmp_path / "report" / "manifest.json").read_text())["files"]
    assert "archive.zip" in listed
    found = verify.verify(tmp_path / "report" / "archive.zip")
    assert found.comparison.differences == ()
    assert found.archived.results == json.loads((tmp_path / "report" / "results.json").read_text())
    jsonschema.validate(found.archived.results, json.loads((tmp_path / "report" / "results.schema.json").read_text()))


def test_structures_are_compared_entry_by_entry():
    one = {"a": [1, 2.0, None], "b": {"c/d": True}, "software": {"numpy": "1"}, "big": 1e12}
    other = {"a": [1, 2.0 + 1e-8, 0.0], "b": {"c/d": 1}, "software": {"numpy": "2"}, "big": 1e12 + 100}
    found = compare(one, other | {"more": {"x": [1, 2]}})
    assert [one.path for one in found.differences] == ["/a/1", "/a/2", "/b/c~1d", "/more/x/0", "/more/x/1"]
    assert (found.numbers, found.others) == (3, 4)
    assert found.largest == pytest.approx(0.5e-8, rel=1e-3)
