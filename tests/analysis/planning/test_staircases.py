"""Staircases drawn from a model, and how precisely a study of a given size measures the threshold."""

import numpy as np
import pytest

from analysis.planning import main
from analysis.planning.staircases import Staircases, precision

ALIKE = Staircases(reader_sd=0)


@pytest.mark.parametrize(("threshold", "limit"), [(40, 100), (4000, 1000)])
def test_a_drawn_staircase_reaches_its_limits_and_keeps_them(threshold, limit):
    shown, _, _ = ALIKE.draw(np.random.default_rng(1), threshold, 10, 80)
    assert limit in shown
    assert (shown.min() >= 100, shown.max() <= 1000) == (True, True)


def test_a_drawn_staircase_settles_where_three_in_four_are_right():
    model = Staircases(reader_sd=0, jitter_ms=0, lapse=0)
    shown, right, own = model.draw(np.random.default_rng(1), 350, 40, 400)
    assert own.tolist() == pytest.approx([350] * 40)
    assert right[:, 200:].mean() == pytest.approx(0.75, abs=0.02)
    assert np.exp(np.log(shown[:, 200:]).mean()) == pytest.approx(350, rel=0.08)


def test_coarse_steps_come_to_the_threshold_sooner():
    far = {"reader_sd": 0, "jitter_ms": 0}
    late = [
        Staircases(coarse=coarse, **far).draw(np.random.default_rng(2), 150, 30, 60)[0][:, 40:].mean()
        for coarse in (4, 1)
    ]
    assert late[0] < late[1] - 50


def test_the_more_cases_the_better_a_threshold_is_known_and_told_from_another():
    few, many = (precision(350, 6, cases, model=ALIKE, ratio=1.4, studies=20, seed=1) for cases in (40, 160))
    assert many.factor < few.factor
    assert many.value > few.value
    assert many.coverage >= 0.85
    assert (many.readers, many.cases, many.studies) == (6, 160, 20)
    assert many == precision(350, 6, 160, model=ALIKE, ratio=1.4, studies=20, seed=1, jobs=2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Staircases(start_ms=50), "shortest_ms <= start_ms <= longest_ms"),
        (lambda: Staircases(up_ms=0), "up_ms, down_ms and slope above 0"),
        (lambda: Staircases(lapse=0.2), "lapse of 0 to 0.1"),
        (lambda: precision(0, 4, 50), "a threshold above 0"),
        (lambda: precision(350, 4, 50, ratio=1), "ratio above 0 and not 1"),
        (lambda: precision(350, 1, 50), "2 readers, 4 cases, 2 studies or more, got 1, 50"),
        (lambda: precision(350, 4, 50, alpha=0.01), "alpha: expected 0.05"),
    ],
)
def test_what_cannot_be_planned_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_the_command_prints_power_and_factor_and_writes_the_curve(tmp_path, capsys):
    arguments = ["threshold", "350", "--readers", "4", "--cases", "40", "--simulate", "4", "--ratio", "3"]
    assert main([*arguments, "--reader-sd", "0", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "distinguish the threshold from one 3 times as long, 4 studies" in said
    assert "power 0.8 with 4 readers" in said
    header = (tmp_path / "planning.csv").read_text().splitlines()[0]
    assert header == "readers,cases,power,factor,coverage"
    assert (tmp_path / "planning.svg").stat().st_size > 0


def test_an_option_of_another_end_point_is_refused(capsys):
    assert main(["threshold", "350", "--alternatives", "3"]) == 2
    assert "--alternatives: cannot be used with the end point threshold" in capsys.readouterr().err
    assert main(["threshold", "350", "--margin", "0.1"]) == 2
    assert main(["auc", "0.6", "--ratio", "2"]) == 2
    assert "--ratio: cannot be used with the end point auc" in capsys.readouterr().err
