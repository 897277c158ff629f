"""The linear mixed model, compared with statsmodels and with exact results for balanced data."""

import math

import numpy as np
import pytest

from analysis.statistics import linear_mixed


def simulate(readers, cases, seed, reader_sd=0.4, case_sd=0.3):
    random = np.random.Generator(np.random.PCG64(seed))
    reader, case = (side.ravel() for side in np.meshgrid(range(readers), range(cases), indexing="ij"))
    synthetic, late = case % 2, random.random(reader.size) < 0.3
    y = 1.5 + 0.2 * synthetic - 0.1 * late + random.normal(0, reader_sd, readers)[reader]
    y += random.normal(0, case_sd, cases)[case] + random.normal(0, 0.5, reader.size)
    return y, np.c_[np.ones(y.size), synthetic, late].astype(float), reader, case


NAMES = ["intercept", "synthetic", "late"]


@pytest.mark.parametrize("kept", [1.0, 0.7])
def test_statsmodels_finds_the_same(kept):
    import pandas as pd
    from statsmodels.regression.mixed_linear_model import MixedLM

    y, design, reader, case = simulate(5, 30, seed=1)
    rows = np.random.Generator(np.random.PCG64(2)).random(y.size) < kept
    y, design, reader, case = y[rows], design[rows], reader[rows], case[rows]
    frame = pd.DataFrame(
        {"y": y, "reader": reader, "case": case, "synthetic": design[:, 1], "late": design[:, 2], "all": 1}
    )
    parts = {"reader": "0 + C(reader)", "case": "0 + C(case)"}
    theirs = MixedLM.from_formula(
        "y ~ synthetic + late", groups="all", vc_formula=parts, re_formula="0", data=frame
    ).fit()
    ours = linear_mixed.fit(y, design, NAMES, reader, case)
    assert [ours.effects[name].value for name in NAMES] == pytest.approx(list(theirs.fe_params), abs=2e-4)
    # Theirs come from the joint curvature over effects and variances, ours from (X' V^-1 X)^-1, as lme4's.
    assert [ours.effects[name].se for name in NAMES] == pytest.approx(list(theirs.bse_fe), rel=1e-2)
    v = np.eye(y.size) * ours.spread["residual"] ** 2
    for name, side in (("reader", reader), ("case", case)):
        v += ours.spread[name] ** 2 * (side[:, None] == side)
    covariance = np.linalg.inv(design.T @ np.linalg.solve(v, design))
    assert [ours.effects[name].se for name in NAMES] == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-6)
    case_variance, reader_variance = theirs.vcomp
    assert (ours.spread["reader"] ** 2, ours.spread["case"] ** 2) == pytest.approx(
        (reader_variance, case_variance), rel=5e-3
    )
    assert ours.spread["residual"] ** 2 == pytest.approx(theirs.scale, rel=2e-3)


def test_balanced_data_give_the_analysis_of_variance():
    readers, cases = 6, 40
    y, _, reader, case = simulate(readers, cases, seed=3)
    table = y.reshape(readers, cases)
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    ms_rest = (rest**2).sum() / ((readers - 1) * (cases - 1))
    ms_reader, ms_case = cases * table.mean(axis=1).var(ddof=1), readers * table.mean(axis=0).var(ddof=1)
    found = linear_mixed.fit(y, np.ones((y.size, 1)), ["intercept"], reader, case)
    expected = math.sqrt((ms_reader - ms_rest) / cases), math.sqrt((ms_case - ms_rest) / readers), math.sqrt(ms_rest)
    assert tuple(found.spread.values()) == pytest.approx(expected, rel=1e-5)
    # Cornfield and Tukey: the variance of the grand mean, and Satterthwaite's degrees of freedom of that sum.
    parts = np.array([ms_reader, ms_case, -ms_rest]) / y.size
    df = parts.sum() ** 2 / (parts**2 / [readers - 1, cases - 1, (readers - 1) * (cases - 1)]).sum()
    intercept = found.effects["intercept"]
    assert intercept.se == pytest.approx(math.sqrt(parts.sum()), rel=1e-5)
    assert intercept.df == pytest.approx(df, rel=0.01)


def test_an_effect_between_readers_has_the_degrees_of_freedom_of_readers():
    y, _, reader, case = simulate(6, 60, seed=4, reader_sd=0.6)
    group = (reader >= 3).astype(float)
    found = linear_mixed.fit(y, np.c_[np.ones(y.size), group], ["intercept", "group"], reader, case)
    means = y.reshape(6, 60).mean(axis=1)
    pooled = (means[:3].var(ddof=1) + means[3:].var(ddof=1)) / 2
    assert found.effects["group"].value == pytest.approx(means[3:].mean() - means[:3].mean(), abs=1e-8)
    assert found.effects["group"].se == pytest.approx(math.sqrt(pooled * 2 / 3), rel=1e-4)
    assert found.effects["group"].df == pytest.approx(4, abs=0.05)


def test_no_spread_over_readers_is_zero_and_leaves_the_rest_standing():
    random = np.random.Generator(np.random.PCG64(5))
    table = random.normal(size=(4, 50))
    table -= table.mean(axis=1, keepdims=True)
    reader, case = (side.ravel() for side in np.meshgrid(range(4), range(50), indexing="ij"))
    found = linear_mixed.fit(table.ravel(), np.ones((200, 1)), ["intercept"], reader, case)
    assert found.spread["reader"] < 1e-3
    assert found.effects["intercept"].se > 0


def test_reader_order_does_not_matter_and_scale_carries_over():
    y, design, reader, case = simulate(5, 30, seed=6)
    one = linear_mixed.fit(y, design, NAMES, reader, case)
    other = linear_mixed.fit(10 * y, design, NAMES, 9 - reader, [f"case {c}" for c in case])
    for name in NAMES:
        assert other.effects[name].value == pytest.approx(10 * one.effects[name].value, rel=1e-4, abs=1e-5)
        assert other.effects[name].df == pytest.approx(one.effects[name].df, rel=1e-2)


def test_a_column_the_others_give_says_so():
    y, design, reader, case = simulate(4, 20, seed=7)
    found = linear_mixed.fit(y, np.c_[design, 1 - design[:, 1]], [*NAMES, "real"], reader, case)
    assert found.effects["real"].reason == "this column is a combination of the others"
    assert found.effects["late"].value is not None


def test_one_reader_and_too_few_rows_are_told():
    y, design, reader, case = simulate(1, 40, seed=8)
    assert linear_mixed.fit(y, design, NAMES, reader, case).effects["synthetic"].value is not None
    assert (
        linear_mixed.fit(y[:4], design[:4], NAMES, reader[:4], case[:4]).effects["late"].reason
        == "there are too few rows for the model"
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: linear_mixed.fit([1, None], [[1], [1]], ["a"], [0, 1], [0, 1]),
        lambda: linear_mixed.fit([1, 2], [[1], [1]], ["a", "b"], [0, 1], [0, 1]),
        lambda: linear_mixed.fit([1, 2], [[1], [1]], ["a"], [0], [0, 1]),
    ],
)
def test_impossible_input_is_refused(call):
    with pytest.raises(ValueError, match="expected"):
        call()
