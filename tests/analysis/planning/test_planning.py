"""The planning command and its table."""

import csv

import pytest

from analysis import planning


def test_the_contract_names_are_here():
    assert planning.power("auc", 0.6, 6, 200).value == planning.table("auc", 0.6, [6], [200])[0]["power"]
    assert planning.simulate.__module__ == "analysis.planning.simulation"


def test_the_command_prints_a_table_and_the_smallest_numbers(capsys):
    assert planning.main(["auc", "0.6", "--readers", "3", "10", "--cases", "200"]) == 0
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if line.split()[:2] == ["10", "200"])
    assert float(row.split()[2]) == pytest.approx(planning.power("auc", 0.6, 10, 200).value, abs=5e-4)
    assert f"10 readers: {planning.smallest_cases('auc', 0.6, 10).value:g} cases" in printed
    assert "3 readers: not reached" in printed
    assert f"200 cases: {planning.smallest_readers('auc', 0.6, 200).value:g} readers" in printed


def test_the_command_writes_the_table_and_the_curve(tmp_path, capsys):
    out = tmp_path / "plan"
    options = ["accuracy", "0.52", "--margin", "0.1", "--readers", "6", "--cases", "40", "80", "--simulate", "20"]
    assert planning.main([*options, "--out", str(out)]) == 0
    with (out / "planning.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["cases"] for row in rows] == ["40", "80"]
    assert set(rows[0]) == {"readers", "cases", "power", "half_width", "simulated_power", "coverage"}
    assert "6 readers" in (out / "planning.svg").read_text()
    assert (out / "planning.png").read_bytes().startswith(b"\x89PNG")
    assert "equivalence within 0.1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["auc", "1.5"], "value: expected a number between 0 and 1"),
        (["auc", "0.6", "--readers", "1"], "readers: expected 2 or more"),
        (["kappa", "0.1", "--simulate", "10"], "--simulate: expected endpoint auc, accuracy or quartet"),
        (["auc", "0.6", "--case-share", "2"], "case_share between 0 and 1"),
    ],
)
def test_bad_options_end_in_a_sentence(options, words, capsys):
    assert planning.main(options) == 2
    assert words in capsys.readouterr().err
