"""Power of finding the real one among several: formulas against each other, exact limits, and drawn studies."""

import math

import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm

from analysis.planning import main, power, simulate, smallest_cases
from analysis.planning.power import as_model
from analysis.planning.quartets import Quartets, exact_power, normal_power
from analysis.planning.roe_metz import RoeMetz

PLAIN = Quartets(reader_sd=0, quartet_sd=0)


def test_without_a_spread_the_exact_power_is_that_of_scipys_test():
    rejects = [k for k in range(401) if binomtest(k, 400, 0.25).pvalue < 0.05]
    expected = binom.pmf(rejects, 400, 0.29).sum()
    found = exact_power(0.29, 8, 50, model=PLAIN)
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert (found.design_effect, found.answers) == (pytest.approx(1), 400)
    assert exact_power(0.25, 8, 50, model=PLAIN).value <= 0.05


def test_the_normal_power_is_the_textbook_one():
    z = (0.10 * math.sqrt(200) - 1.959964 * math.sqrt(0.25 * 0.75)) / math.sqrt(0.35 * 0.65)
    assert normal_power(0.35, 4, 50, model=PLAIN).value == pytest.approx(norm.cdf(z), abs=1e-5)


def test_the_design_effect_is_the_variance_of_drawn_studies():
    model, rng = Quartets(reader_sd=0.5, quartet_sd=0.8), np.random.default_rng(1)
    means = [model.draw(rng, 0.3, 6, 40)[0].mean() for _ in range(8000)]
    assert np.mean(means) == pytest.approx(0.3, abs=0.003)
    expected = 0.3 * 0.7 / 240 * model.design_effect(0.3, 6, 40)
    assert np.var(means) == pytest.approx(expected, rel=0.05)
    parts = model.components(0.3, 40)
    assert (parts["reader"] + parts["error"] + 5 * parts["cov2"]) / 6 == pytest.approx(expected)


def test_the_formula_tells_what_drawn_studies_do():
    planned = power("quartet", 0.36, 8, 60)
    drawn = simulate("quartet", 0.36, 8, 60, studies=400, seed=3)
    assert drawn.value == pytest.approx(planned.value, abs=0.07)
    assert drawn.figure_sd == pytest.approx(planned.figure_se, rel=0.12)
    assert 0.92 < drawn.coverage < 0.98
    assert "Quartet simulation" in drawn.method


def test_at_chance_the_test_keeps_its_level_and_more_images_make_chance_smaller():
    assert simulate("quartet", 0.25, 8, 50, studies=400, seed=1).value < 0.08
    assert power("quartet", 0.29, 8, 50).null == 0.25
    assert power("quartet", 0.29, 8, 50, model=Quartets(alternatives=6)).null == pytest.approx(1 / 6)


def test_the_smallest_number_of_quartets_has_the_power_and_less_has_not():
    least = smallest_cases("quartet", 0.36, 8)
    assert least.power >= 0.8
    assert power("quartet", 0.36, 8, int(least.value) - 2).value < 0.8


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Quartets(alternatives=1), "2 alternatives or more"),
        (lambda: Quartets(reader_sd=-1), "0 or more"),
        (lambda: power("quartet", 1.2, 8, 50), "between 0 and 1"),
        (lambda: as_model("quartet", RoeMetz()), "expected Quartets for the end point quartet, got RoeMetz"),
        (lambda: as_model("auc", Quartets()), "expected RoeMetz"),
    ],
)
def test_what_cannot_be_planned_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_the_command_prints_every_power_and_writes_the_curve(tmp_path, capsys):
    arguments = ["quartet", "0.36", "--readers", "8", "--cases", "50", "--simulate", "50", "--out", str(tmp_path)]
    assert main([*arguments, "--quartet-sd", "0.4", "--alternatives", "4"]) == 0
    said = capsys.readouterr().out
    assert "against 0.25" in said
    assert "quartets" in said.splitlines()[-2]
    header = (tmp_path / "planning.csv").read_text().splitlines()[0]
    assert header == "readers,cases,power,half_width,exact_power,normal_power,simulated_power,coverage"
    assert (tmp_path / "planning.svg").stat().st_size > 0


@pytest.mark.parametrize("option", [["--case-share", "0.3"], ["--leaning-sd", "0.1"]])
def test_an_option_of_another_end_point_is_refused(option, capsys):
    assert main(["quartet", "0.3", *option]) == 2
    assert f"{option[0]}: cannot be used with the end point quartet" in capsys.readouterr().err
    assert main(["auc", "0.6", "--quartet-sd", "0.3"]) == 2
