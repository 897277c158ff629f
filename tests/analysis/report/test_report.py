"""The whole report: what is written, where every number on the page comes from, and what happens to bad input."""

from __future__ import annotations

import csv
import hashlib
import html.parser
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from analysis.designs import DESIGNS
from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report import EXAMPLE, figures, main, write
from analysis.report.document import text as passage
from analysis.report.figures import shares
from analysis.report.files import workbook
from analysis.report.tables import all_tables
from analysis.report.tables.table import find
from analysis.responses import load_csv, load_ratings

QUARTET = "design,reader,trial,case,truth,chosen,place\nquartet,A,t1,c1,real,1,1\nquartet,A,t1,c2,synthetic,0,2\n"

VOID = {"meta", "img", "br", "link", "input"}


SHARES: list[float] = []


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "out"
    write(load_ratings(EXAMPLE), folder, Settings(bootstrap=200), lambda share, what: SHARES.append(share), workers=1)
    return folder


@pytest.fixture(scope="module")
def results(report: Path) -> dict[str, Any]:
    return json.loads((report / "results.json").read_text("utf-8"))


class Page(html.parser.HTMLParser):
    """The page's text: what stands in a <data> with its place in the results, what is fixed, and the rest."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.traced: list[tuple[str, str]] = []
        self.loose: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.links: list[dict[str, str | None]] = []
        self.ids: set[str | None] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.ids.add(named.get("id"))
        if tag == "img":
            self.images.append(named)
        if tag == "a":
            self.links.append(named)
        if tag == "data":
            self.traced.append((str(named["data-from"]), ""))
        if tag not in VOID:
            self.open.append((tag, named))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, text: str) -> None:
        tags = [tag for tag, _ in self.open]
        if "data" in tags:
            address, so_far = self.traced[-1]
            self.traced[-1] = (address, so_far + text)
        elif not {"style", "script"} & set(tags) and not any("fixed" in (a.get("class") or "") for _, a in self.open):
            self.loose.append(text)


@pytest.fixture(scope="module")
def page(report: Path) -> Page:
    return Page((report / "report.html").read_text("utf-8"))


def numbers(text: str) -> list[float]:
    return [float(n.replace(",", "")) for n in re.findall(r"-?\d[\d,]*\.?\d*", text.replace("−", "-"))]


def leaves(entry: Any) -> list[float]:
    if isinstance(entry, dict):
        return [number for below in entry.values() for number in leaves(below)]
    if isinstance(entry, list):
        return [number for below in entry for number in leaves(below)]
    return [float(entry)] if isinstance(entry, int | float) and not isinstance(entry, bool) else []


def resolve(results: dict[str, Any], address: str) -> Any:
    """The entry at a JSON pointer (RFC 6901)."""
    entry: Any = results
    for step in address.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        entry = entry[int(step)] if isinstance(entry, list) else entry[step]
    return entry


def assert_traced(
    page: Page, results: dict[str, Any], shares: tuple[float, ...] = (1, 100), others: tuple[float, ...] = (1,)
) -> None:
    """Every number of the page is in the results where it says, times one of the scales of shares and of others."""
    for address, text in page.traced:
        entry = resolve(results, address)
        if isinstance(entry, str):
            assert text == entry
            continue
        if isinstance(entry, dict):
            entry = {key: entry[key] for key in ("value", "ci") if key in entry}
        known = leaves(entry)
        for number in numbers(text):
            places = len(text.split(".")[1].split()[0].rstrip(")%\u202fs")) if "." in text else 0
            scales = shares if "%" in text else others
            close = any(abs(scale * k - number) <= 0.5 * 10**-places + 1e-9 for k in known for scale in scales)
            assert close or ("<" in text and min(known) < number), (address, text, known)


def test_every_number_on_the_page_is_the_one_in_the_results_at_its_place(page: Page, results: dict[str, Any]) -> None:
    assert len(page.traced) > 500
    assert_traced(page, results)


def test_no_number_on_the_page_comes_from_nowhere(page: Page, results: dict[str, Any]) -> None:
    names = sorted([*results["readers"], *results["groups"]["members"], *results["study"]["checksums"]], key=len)
    loose = " ".join(page.loose)
    for name in reversed(names):
        loose = loose.replace(name, "")
    # What a method or a caption says of itself: 95 % intervals, AC1 and AC2, credits of the levels, five percent.
    said = r"95 %|AC[12]|credit 1, \.75, \.5, \.25, 0|probabilities of 0, \.25, \.5, \.75 and 1|\.25 results|under 5 %"
    said += r"|0 is (chance|perfect)|1 is perfect|0 is what chance would give"
    assert numbers(re.sub(said, "", loose.replace("\u202f", " "))) == []


def test_the_page_needs_nothing_from_elsewhere(page: Page, report: Path) -> None:
    assert all((image["src"] or "").startswith("data:") for image in page.images)
    assert all((link.get("href") or "").startswith(("#", "data:")) for link in page.links)
    assert not re.search(
        r"https?://(?!www\.w3\.org)", re.sub(r"base64,[\w+/=]+", "", (report / "report.html").read_text())
    )


def test_every_figure_has_words_and_every_link_a_target(page: Page) -> None:
    assert all(image.get("alt") for image in page.images if image["src"] != "data:,")
    assert {(link.get("href") or "")[1:] for link in page.links if (link.get("href") or "").startswith("#")} <= page.ids


def test_the_pies_are_the_published_shares(report: Path) -> None:
    """FACTS.md: answers of EP2 on 100 synthetic and 100 real cases, and none unsure."""
    with (report / "figures" / "pies.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["reader"] == "EP2"]
    found = {(row["category"], row["certainty"]): float(row["share"]) for row in rows}
    assert found == {
        ("TP", "full"): 0.265, ("TP", "partial"): 0.165, ("TN", "full"): 0.2, ("TN", "partial"): 0.22,
        ("FP", "full"): 0, ("FP", "partial"): 0.08, ("FN", "full"): 0.01, ("FN", "partial"): 0.06, ("unsure", ""): 0,
    }  # fmt: skip


def test_nine_shares_of_every_reader_make_one_whole(results: dict[str, Any]) -> None:
    rows = shares.rows(results)
    for reader in results["readers"]:
        assert sum(row["share"] for row in rows if row["reader"] == reader) == pytest.approx(1)


def test_every_figure_is_there_as_vector_picture_and_numbers(report: Path) -> None:
    for name in set(DESIGNS["rating"].figures) - {"times"}:  # the published study has none
        for ending in ("svg", "png", "csv"):
            assert (report / "figures" / f"{name}.{ending}").stat().st_size > 0


def test_the_flow_tells_what_was_lost_between_the_pool_and_the_analysis(
    results: dict[str, Any], tmp_path: Path
) -> None:
    about = {"flow": {"invited": 9, "finished": 6}, "excluded": {"training": 12, "repeats": 3, "superseded": 0}}
    changed = results | {"study": results["study"] | about, "limitations": results["limitations"] | {"excluded": 15}}
    drawn = figures.make("flow", changed, tmp_path)
    told = {(row["what"], row["stage"]): int(row["number"]) for row in csv.DictReader(drawn.numbers.splitlines())}
    assert [told["readers", stage] for stage in ("invited", "finished", "in the analysis")] == [9, 6, 6]
    assert ("readers", "consented") not in told
    assert told["cases", "in the analysis: synthetic"] == 100
    assert told["answers", "left out beside them: practice"] == 12


def test_tables_carry_the_numbers_at_full_precision(report: Path, results: dict[str, Any]) -> None:
    with (report / "tables" / "readers.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["reader"] == "EP1")
    assert float(row["AUC"]) == results["readers"]["EP1"]["auc"]["value"]
    assert [float(row["AUC, 95 % low"]), float(row["AUC, 95 % high"])] == results["readers"]["EP1"]["auc"]["ci"]


def test_the_workbook_opens_with_a_sheet_a_reader(report: Path, results: dict[str, Any]) -> None:
    book = openpyxl.load_workbook(report / "results.xlsx")
    assert set(results["readers"]) <= set(book.sheetnames)
    rows = list(book["EC1"].iter_rows(values_only=True))
    categories = [row[rows[0].index("category")] for row in rows[1:]]
    confusion = results["readers"]["EC1"]["confusion"]
    for category in ("TP", "FN", "FP", "TN", "unsure"):
        assert categories.count(category) == sum(confusion[category].values())


def test_a_name_that_looks_like_a_formula_stays_text(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("case,truth,=1+1\nc1,real,1\nc2,synthetic,5\n")
    responses = load_ratings(tmp_path / "r.csv")
    results = measure(responses, Settings(bootstrap=50))
    (tmp_path / "r.xlsx").write_bytes(workbook(results, all_tables(results), responses))
    book = openpyxl.load_workbook(tmp_path / "r.xlsx")
    assert [cell.data_type for row in book["readers"] for cell in row if cell.value == "=1+1"] == ["s"]


def test_the_manifest_knows_every_file_by_its_checksum(report: Path) -> None:
    listed = json.loads((report / "manifest.json").read_text())["files"]
    present = {str(p.relative_to(report)) for p in report.rglob("*") if p.is_file()} - {"manifest.json"}
    assert set(listed) == present
    for name, entry in listed.items():
        assert hashlib.sha256((report / name).read_bytes()).hexdigest() == entry["sha256"]


def test_the_same_input_and_seed_give_the_same_files(report: Path, tmp_path: Path) -> None:
    write(load_ratings(EXAMPLE), tmp_path / "again", Settings(bootstrap=200), workers=2)
    assert (tmp_path / "again" / "manifest.json").read_bytes() == (report / "manifest.json").read_bytes()


def test_input_for_other_software_holds_every_reading_and_every_truth(report: Path) -> None:
    with (report / "exchange" / "imrmc.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len([row for row in rows if row["readerID"] == "truth"]) == 200
    assert len([row for row in rows if row["readerID"] == "EC1"]) == 200
    java = (report / "exchange" / "readings.imrmc").read_text().splitlines()
    assert java[:5] == ["NR: 6", "N0: 100", "N1: 100", "NM: 1", "BEGIN DATA:"]
    assert len(java) == 5 + 200 + 1200


def test_the_command_line_reads_the_published_export(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "panodiff_observer_study"
    command = [sys.executable, "-m", "analysis.report", "--responses", str(folder / "submissions.csv")]
    command += ["--labels", str(folder / "image_labels.csv"), "--out", str(tmp_path / "out"), "--bootstrap", "200"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert find(found, ("overall", "accuracy", "fractional", "value")) == pytest.approx(0.6844, abs=5e-5)


def test_bad_input_says_every_fault_exits_with_2_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.csv"
    path.write_text("reader,case,truth,level\nA,c1,real,9\nA,c2,fake,1\n")
    assert main(["--responses", str(path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "r.csv, row 2: level '9'" in said
    assert "r.csv, row 3: truth 'fake'" in said
    assert [p.name for p in tmp_path.iterdir()] == ["r.csv"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "r.csv").write_text(QUARTET)
    assert main(["--responses", str(tmp_path / "r.csv"), "--out", str(tmp_path / "file" / "out")]) == 2
    assert "the report was not written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--database", "sqlite:///x.db"],
        ["--example", "--study", "s"],
        ["--example", "--labels", "l.csv"],
        [],
        ["--example", "--bootstrap", "1"],
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--out", str(tmp_path / "out")])
    assert stopped.value.code == 2


def test_a_report_with_one_reader_stands_and_says_what_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("case,truth,A1\nc1,real,1\nc2,synthetic,5\nc3,real,4\nc4,synthetic,4\n")
    path = write(load_ratings(tmp_path / "r.csv"), tmp_path / "out", Settings(bootstrap=50), workers=1)
    text = path.read_text("utf-8")
    assert "agreement needs at least two readers" in text
    assert "the readers are not in two or more groups" in text


def test_a_report_of_readers_who_have_not_answered_stands(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("case,truth,A1,A2\nc1,real,,\nc2,synthetic,,\n")
    path = write(load_ratings(tmp_path / "r.csv"), tmp_path / "out", Settings(bootstrap=50), workers=1)
    assert "left out, because no reader has answered" in path.read_text("utf-8")


def test_rows_left_out_are_told_by_every_reason(tmp_path: Path) -> None:
    rows = "A,2,c1,real,1,0,0\nA,2,c2,synthetic,5,0,0\nA,2,c1,real,5,0,1\nA,2,p1,real,5,1,0\nA,1,c1,real,5,0,0\n"
    (tmp_path / "r.csv").write_text("reader,sitting,case,truth,level,is_training,is_repeat\n" + rows)
    results = measure(load_csv(tmp_path / "r.csv"), Settings(bootstrap=50))
    (told,) = (line for line in passage(results, "limitations").splitlines() if "rows are left out" in line)
    assert numbers(told) == [3, 1, 1, 1]


def test_the_prevalence_paradox_is_named_on_the_page(tmp_path: Path) -> None:
    lines = ["case,truth,A1,A2", *(f"c{i},real,2,{2 + 2 * (i == 0)}" for i in range(20)), "c20,real,4,2"]
    (tmp_path / "r.csv").write_text("\n".join([*lines, "c21,synthetic,2,2", "c22,synthetic,2,2"]) + "\n")
    path = write(load_ratings(tmp_path / "r.csv"), tmp_path / "out", Settings(bootstrap=50), workers=1)
    assert "prevalence paradox: 91% of paired readings agree" in path.read_text("utf-8")


def test_findings_of_one_reader_speak_of_that_reader_and_of_no_other(tmp_path: Path) -> None:
    rows = [f"c{i},{('real', 'synthetic')[i % 2]},{1 + (3 * i) % 4 + i % 2}" for i in range(30)]
    (tmp_path / "r.csv").write_text("\n".join(["case,truth,A1", *rows]))
    told = passage(measure(load_ratings(tmp_path / "r.csv"), Settings(bootstrap=50)), "findings")
    assert "The only reader" in told
    assert "95 % CI" in told
    assert "This says nothing about other readers" in told
    assert "readers=" not in told


def test_progress_reaches_its_end_without_going_back(report: Path) -> None:
    assert sorted(SHARES) == SHARES
    assert SHARES[-1] == 1


def test_files_of_an_earlier_report_do_not_outlive_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "r.csv").write_text(QUARTET)
    (tmp_path / "s.csv").write_text("case,truth,A1\nc1,real,1\nc2,synthetic,5\n")
    write(load_ratings(tmp_path / "s.csv"), out, Settings(bootstrap=50), workers=1)
    (out / "notes.txt").write_text("a person's own file stays")
    assert (out / "figures" / "bars.svg").exists()
    assert main(["--responses", str(tmp_path / "r.csv"), "--out", str(out)]) == 0
    assert not (out / "figures" / "bars.svg").exists()
    assert (out / "notes.txt").exists()


def test_the_example_in_the_docs_shows_the_numbers_of_today(results: dict[str, Any]) -> None:
    example = Path(__file__).resolve().parents[3] / "docs" / "example-report" / "report.html"
    shown = dict(Page(example.read_text("utf-8")).traced)
    headline = {address: text for address, text in shown.items() if address.startswith(("/readers/", "/overall/a"))}
    assert len(headline) > 100
    for address, text in headline.items():
        entry = resolve(results, address)
        if not isinstance(entry, str | None) and "<" not in text:
            places = len(text.split(".")[1].split()[0].rstrip(")%\u202f")) if "." in text else 0
            value = entry["value"] if isinstance(entry, dict) else entry
            scale = 100 if "%" in text else 1
            assert numbers(text)[0] == pytest.approx(scale * value, abs=0.5 * 10**-places + 1e-9), address
