"""Tables from spreadsheets, survey tools and statistics packages are read, and guesses are reported once."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.report import main
from analysis.responses import ResponsesError, load_csv, load_mapped, load_panodiff
from analysis.responses.tabular import read

HEADER = "User Name,Folder,File,Zoom Value,Confidence Value,Real/Fake Value,Progress Value,RealFakeValueSlider"
WORDS = ("Definitely Real", "Probably Real", "Unsure", "Probably Fake", "Definitely Fake")
LABELS = "Filename,Label\r\n" + "".join(f"c{n:02}.png,{('Real', 'Fake')[n % 2]}\r\n" for n in range(8))
OURS = "reader,case,truth,level\nMüller,c1,real,1\nMüller,c2,synthetic,4\n"


def export(readers: tuple[str, ...] = ("EC1", "EC2", "EP1"), name: str = "c{:02}.png") -> str:
    rows = [
        f"{reader},,{name.format(n)},,,,,{WORDS[(n + turn) % 5]}"
        for turn, reader in enumerate(readers)
        for n in range(8)
    ]
    return "\r\n".join([HEADER, *rows, ""])


TWINS = {
    "trailing_columns": ("\r\n".join(f"{line},," for line in export().splitlines())).encode(),
    "sep_line": ("sep=;\r\n" + export().replace(",", ";")).encode(),
    "header_capitals": export().replace(HEADER, HEADER.upper()).encode(),
    "utf16_tabs": export().replace(",", "\t").encode("utf-16"),
    "windows1252": export(("Müller", "Jørgen", "EP1")).replace(",", ";").encode("cp1252"),
    "names_without_ending": export(name="c{:02}").encode(),
    "with_paths": export(name="images/c{:02}.png").encode(),
}
REMARKS = {
    "header_capitals": "8 column name(s)|4 column name(s)",
    "utf16_tabs": "read as UTF-16",
    "windows1252": "read as Windows-1252 (Western European)",
    "names_without_ending": "8 image name(s) matched",
    "with_paths": "8 image name(s) matched",
}


@pytest.mark.parametrize("kind", TWINS)
def test_an_export_is_read_whatever_a_spreadsheet_did_to_it(tmp_path: Path, kind: str) -> None:
    responses, labels = tmp_path / "responses.csv", tmp_path / "labels.csv"
    responses.write_bytes(TWINS[kind])
    labels.write_text(LABELS, newline="")
    loaded = load_panodiff(responses, labels)
    expected = [[(n + turn) % 5 + 1 for n in range(8)] for turn in range(3)]
    order = (
        sorted(range(3), key=lambda turn: ("Müller", "Jørgen", "EP1").index(loaded.readers[turn]))
        if (kind == "windows1252")
        else range(3)
    )
    np.testing.assert_array_equal(loaded.matrix("level")[list(order)], expected)
    assert loaded.case_names == [f"c{n:02}.png" for n in range(8)]
    told = [remark for remark in loaded.remarks if any(part in remark for part in REMARKS.get(kind, "-").split("|"))]
    assert len(told) == (kind in REMARKS) == len(loaded.remarks)


@pytest.mark.parametrize("kind", TWINS)
def test_the_table_of_the_wants_is_read(shared: Path, kind: str) -> None:
    folder = shared / "cases"
    loaded = load_panodiff(folder / f"responses_{kind}.csv", folder / "labels.csv")
    assert loaded.matrix("level").shape == (3, 8)
    assert not np.isnan(loaded.matrix("level")).any()
    assert loaded.truth.tolist() == [0, 1] * 4
    assert "EC1" in loaded.readers or "Müller" in loaded.readers
    assert len(loaded.remarks) == (kind in REMARKS)


def test_an_image_name_that_could_mean_two_is_refused_and_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(f"{HEADER}\nEC1,,c01,,,,,Unsure\nEC1,,c9,,,,,Unsure\n")
    (tmp_path / "l.csv").write_text("Filename,Label\nreal/c01.png,Real\nfake/c01.png,Fake\n")
    with pytest.raises(ResponsesError) as caught:
        load_panodiff(tmp_path / "r.csv", tmp_path / "l.csv")
    assert caught.value.faults == [
        "r.csv, row 2: image 'c01' could be 'real/c01.png' or 'fake/c01.png' in l.csv",
        "r.csv, row 3: image 'c9' has no label in l.csv",
    ]


def test_names_that_differ_only_in_their_ending_stay_apart(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(f"{HEADER}\nEC1,,c1.png,,,,,Unsure\nEC1,,c1.jpg,,,,,Probably Fake\n")
    (tmp_path / "l.csv").write_text("Filename,Label\nc1.png,Real\nc1.jpg,Fake\n")
    loaded = load_panodiff(tmp_path / "r.csv", tmp_path / "l.csv")
    assert dict(zip(loaded.case_names, loaded.truth.tolist(), strict=True)) == {"c1.jpg": 1, "c1.png": 0}


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", []),
        ("utf-8-sig", []),
        ("cp1252", ["r.csv: read as Windows-1252 (Western European); save it as CSV UTF-8 if names look wrong"]),
        ("mac_roman", ["r.csv: read as Mac Roman; save it as CSV UTF-8 if names look wrong"]),
        ("utf-16", ["r.csv: read as UTF-16; save it as CSV UTF-8 if names look wrong"]),
        ("utf-16-le", ["r.csv: read as UTF-16; save it as CSV UTF-8 if names look wrong"]),
        ("utf-16-be", ["r.csv: read as UTF-16; save it as CSV UTF-8 if names look wrong"]),
        ("utf-32", ["r.csv: read as UTF-32; save it as CSV UTF-8 if names look wrong"]),
    ],
)
def test_the_encoding_is_told_by_its_mark_or_by_a_guess_that_is_said(tmp_path, encoding, said) -> None:
    (tmp_path / "r.csv").write_bytes(OURS.encode(encoding))
    loaded = load_csv(tmp_path / "r.csv")
    assert loaded.readers == ["Müller"]
    assert loaded.remarks == said


def test_an_encoding_that_cannot_be_told_is_asked_for_and_taken_from_the_mapping(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes("reader;case;truth;level\nИванов;c1;real;1\n".encode("cp1251"))
    with pytest.raises(ResponsesError, match="it could be Windows-1251"):
        load_csv(tmp_path / "r.csv")
    (tmp_path / "m.toml").write_text(
        '[table]\nencoding = "cp1251"\n[columns]\nreader = "reader"\ncase = "case"\nanswer = "level"\ntruth = "truth"\n'
    )
    assert load_mapped(tmp_path / "r.csv", tmp_path / "m.toml").readers == ["Иванов"]


@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_the_delimiter_is_found_though_names_hold_the_others(tmp_path: Path, delimiter: str) -> None:
    text = 'reader;case;truth;level\n"Doe, Jane; 2|a";c1;real;1\n"Doe, Jane; 2|a";c2;synthetic;5\n'
    head, *rows = text.splitlines()
    lines = [head.replace(";", delimiter), *(row.replace('";', f'"{delimiter}') for row in rows)]
    lines[1:] = [f'"Doe, Jane; 2|a"{delimiter}' + row.split('";')[1].replace(";", delimiter) for row in rows]
    (tmp_path / "r.csv").write_text("\n".join(lines))
    assert load_csv(tmp_path / "r.csv").readers == ["Doe, Jane; 2|a"]


def test_decimal_commas_and_levels_with_a_point_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(
        "Reader;CASE;Truth;level;Response ms\nA;c1;Real;1,0;812,5\nA;c2;SYNTHETIC;4.0;1000\n"
    )
    loaded = load_csv(tmp_path / "r.csv")
    assert loaded.table["response_ms"].tolist() == [812.5, 1000]
    assert loaded.table["level"].tolist() == [1, 4]
    (tmp_path / "r.csv").write_text('reader,case,truth,level,response_ms\nA,c1,real,1,"1,812"\n')
    with pytest.raises(ResponsesError, match=r"response_ms '1,812'; expected a number"):  # or 1.812: not for us to say
        load_csv(tmp_path / "r.csv")


def test_two_columns_that_could_be_meant_are_refused(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("Reader,READER,case,truth,level\nA,B,c1,real,1\n")
    with pytest.raises(ResponsesError, match="several columns could be 'reader'"):
        load_csv(tmp_path / "r.csv")


def workbook(path: Path, rows: list[list[object]], more: str = "") -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.active.title = "Answers"
    if more:
        book.create_sheet(more)
    book.save(path)
    return path


def test_a_workbook_is_read_as_its_csv_is_whatever_it_is_called(tmp_path: Path) -> None:
    rows = [["Reader", "case", "truth", "level", None], ["A", 1.0, "real", 2, None], ["A", 2, "synthetic", 5.0, None]]
    for name, sheets in (("r.xlsx", ""), ("r.csv", "Notes")):
        loaded = load_csv(workbook(tmp_path / name, rows, sheets))
        assert loaded.case_names == ["1", "2"]
        assert loaded.matrix("level").tolist() == [[2, 5]]
        assert any("read the first sheet, 'Answers', of 2" in remark for remark in loaded.remarks) is bool(sheets)
    with pytest.raises(ResponsesError, match=r"has no sheet 'B'; there are: Answers"):
        read(tmp_path / "r.xlsx", sheet="B")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"PK\x03\x04 and no more", "cannot be read as an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", "an old or a locked Excel file"),
        (b"$FL2 and no more", "cannot be read as an SPSS file"),
        (b"\xff\xfea", "starts like UTF-16, but byte"),
        (b"\n\n,,\n", "the file is empty"),
    ],
)
def test_what_only_begins_as_a_table_is_refused_by_name(tmp_path: Path, data: bytes, fault: str) -> None:
    (tmp_path / "r.xlsx").write_bytes(data)
    with pytest.raises(ResponsesError, match=r"r\.xlsx: ") as caught:
        load_csv(tmp_path / "r.xlsx")
    assert fault in caught.value.faults[0]


def test_an_spss_file_is_read_with_its_labels(tmp_path: Path) -> None:
    pyreadstat = pytest.importorskip("pyreadstat")
    import pandas as pd

    frame = pd.DataFrame(
        {"Reader": ["A", "A", "A"], "case": [1.0, 2.0, 3.0], "truth": [0.0, 1.0, 1.0], "level": [1.0, 4.0, None]}
    )
    labels = {"truth": {0.0: "Real", 1.0: "Synthetic"}}
    pyreadstat.write_sav(frame, str(tmp_path / "r.sav"), variable_value_labels=labels)
    loaded = load_csv(tmp_path / "r.sav")
    assert loaded.truth.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(loaded.matrix("level"), [[1, 4, np.nan]])


FORM = """
[columns]
reader = "Email address"
reader_group = "Are you a dentist?"
[wide]
cases = 'Image (\\d+) \\[.*\\]'
[table]
skip = 1
[answers]
"surely real" = 1
"surely AI" = 5
"don't know" = 3
"" = 0
"""


def test_a_form_with_a_column_a_case_is_read_by_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(FORM)
    (tmp_path / "l.csv").write_text("Filename,Label\n1.png,Real\n2.png,Fake\n")
    (tmp_path / "r.csv").write_text(
        '"Timestamp","Email address","Are you a dentist?","Image 1 [answer]","Image 2 [answer]"\n'
        '"","Response","Response","Response","Response"\n'
        '"2026/11/03 9:00:00","a@x.org","yes","Surely real","surely AI"\n'
        '"2026/11/03 9:10:00","b@x.org","no","don\'t know",""\n'
    )
    loaded = load_mapped(tmp_path / "r.csv", tmp_path / "m.toml", tmp_path / "l.csv")
    assert loaded.groups == {"a@x.org": "yes", "b@x.org": "no"}
    assert loaded.case_names == ["1.png", "2.png"]
    np.testing.assert_array_equal(loaded.matrix("level"), [[1, 5], [3, np.nan]])
    assert loaded.table["position"].tolist() == [1, 2, 1, 2]


def test_a_long_table_of_any_words_is_read_by_a_mapping_and_every_unknown_word_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(
        '[columns]\nreader = "Befunder"\ncase = "Bild"\nanswer = "Urteil"\ntruth = "Wahrheit"\n'
        '[answers]\n"sicher echt" = 1\n"eher KI" = 4\n[truths]\n"KI" = "synthetic"\n"echt" = "real"\n'
    )
    text = "befunder;bild;urteil;wahrheit\nR1;1;Sicher echt;echt\nR1;2;eher KI;KI\n"
    (tmp_path / "r.csv").write_text(text)
    assert load_mapped(tmp_path / "r.csv", tmp_path / "m.toml").matrix("level").tolist() == [[1, 4]]
    (tmp_path / "r.csv").write_text(text + "R2;1;vielleicht;echt\nR2;2;eher KI;unklar\n")
    with pytest.raises(ResponsesError) as caught:
        load_mapped(tmp_path / "r.csv", tmp_path / "m.toml")
    assert caught.value.faults == [
        "r.csv, row 4: answer 'vielleicht'; expected 'sicher echt', 'eher ki'",
        "r.csv, row 5: truth 'unklar'; expected one of 'real', 'fake', 'synthetic', 'ki', 'echt'",
    ]


def test_every_fault_of_a_mapping_is_listed(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(
        '[columns]\nreader = 3\nbild = "B"\n'
        '[answers]\n"x" = 9\n[truths]\n"y" = "maybe"\n[table]\nskip = "1"\n[wide]\ncases = "("\n'
    )
    with pytest.raises(ResponsesError) as caught:
        load_mapped(tmp_path / "r.csv", tmp_path / "m.toml")
    found = "\n".join(caught.value.faults)
    for part in (
        "'bild' is unknown",
        "reader = 3",
        "skip = '1'",
        "'x' = 9",
        "'y' = 'maybe'",
        "not a valid regular expression",
    ):
        assert f"m.toml: {part}" in found or part in found
    (tmp_path / "m.toml").write_text("[colums]\n")
    with pytest.raises(ResponsesError, match=r"\[colums\] is unknown"):
        load_mapped(tmp_path / "r.csv", tmp_path / "m.toml")
    (tmp_path / "m.toml").write_text("[columns\n")
    with pytest.raises(ResponsesError, match="is not valid TOML"):
        load_mapped(tmp_path / "r.csv", tmp_path / "m.toml")


def test_the_command_says_once_what_was_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.toml").write_text('[columns]\nreader="reader"\ncase="case"\nanswer="level"\ntruth="truth"\n')
    rows = [
        f"{r};c{n};{('real', 'synthetic')[n % 2]};{1 + (n * 3 + len(r)) % 5}"
        for r in ("Müller", "Li")
        for n in range(6)
    ]
    (tmp_path / "r.csv").write_bytes("\r\n".join(["reader;case;truth;level", *rows]).encode("cp1252"))
    files = [
        "--responses",
        str(tmp_path / "r.csv"),
        "--mapping",
        str(tmp_path / "m.toml"),
        "--out",
        str(tmp_path / "o"),
    ]
    assert main([*files, "--bootstrap", "10"]) == 0
    assert capsys.readouterr().err.count("note: r.csv: read as Windows-1252") == 1


@settings(max_examples=150)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-16"))))
def test_no_bytes_at_all_bring_the_reader_of_tables_down(tmp_path_factory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "r.csv"
    path.write_bytes(data)
    with pytest.raises(ResponsesError):
        load_csv(path)


@settings(max_examples=60)
@given(st.data())
def test_a_spoilt_export_gives_responses_or_faults_and_nothing_else(tmp_path_factory, data) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    spoilt = bytearray(data.draw(st.sampled_from(list(TWINS.values()))))
    for _ in range(data.draw(st.integers(1, 8))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    (folder / "r.csv").write_bytes(spoilt)
    (folder / "l.csv").write_text(LABELS)
    with contextlib.suppress(ResponsesError):
        load_panodiff(folder / "r.csv", folder / "l.csv")
