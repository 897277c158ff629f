"""The Roe-Metz model: its formulae against studies drawn from it."""

import numpy as np
import pytest

from analysis.planning.roe_metz import RoeMetz, class_sizes, to_levels
from analysis.statistics import roc
from analysis.statistics.mrmc import obuchowski_rockette


@pytest.mark.parametrize(("endpoint", "share"), [("auc", 0.5), ("accuracy", 0.5), ("accuracy", 0.3)])
def test_components_are_those_of_drawn_studies(endpoint, share):
    model = RoeMetz(0.4, 0.5, 0.4)
    rng = np.random.default_rng(10)
    parts, values = [], []
    for _ in range(500):
        scores, truth = model.draw(rng, 0.7, 8, 60, endpoint, share)
        if endpoint == "accuracy":
            scores = ((scores > 0) == (truth == 1)).astype(float)
        found = obuchowski_rockette(scores, truth, "unbiased", endpoint=endpoint)
        parts.append([found.components[name] for name in ("reader", "error", "cov2")])
        values.append(found.value)
    expected = model.components(0.7, 60, endpoint, share)
    errors = np.std(parts, axis=0) / np.sqrt(500)
    assert np.all(np.abs(np.mean(parts, axis=0) - list(expected.values())) < 4 * errors)
    assert np.mean(values) == pytest.approx(0.7, abs=4 * np.std(values) / np.sqrt(500))
    variance = (expected["reader"] + expected["error"] + 7 * expected["cov2"]) / 8
    assert np.var(values) == pytest.approx(variance, rel=0.25)


def test_five_levels_cost_a_little_area():
    model = RoeMetz()
    rng = np.random.default_rng(11)
    found = []
    for _ in range(300):
        impressions, truth = model.draw(rng, 0.75, 2, 400, "auc")
        found += [roc.auc(row, truth).value for row in to_levels(impressions)]
    assert model.five_level_auc(0.75) < 0.75
    assert np.mean(found) == pytest.approx(model.five_level_auc(0.75), abs=4 * np.std(found) / np.sqrt(300))
    assert model.five_level_auc(0.5) == pytest.approx(0.5)


def test_the_defaults_resemble_the_published_study(published):
    found = obuchowski_rockette(published.levels, published.truth).components
    model = RoeMetz().components(0.829, 200, "auc")
    for name in ("reader", "error", "cov2"):
        assert model[name] == pytest.approx(found[name], rel=0.1)


def test_readers_who_do_not_differ_and_cases_that_share_all():
    assert RoeMetz(0, 0, 0).components(0.7, 100, "auc")["reader"] == pytest.approx(0)
    assert RoeMetz(0, 0, 0).components(0.7, 100, "auc")["cov2"] == pytest.approx(0)
    alike = RoeMetz(0, 0, 1).components(0.7, 100, "auc")
    assert alike["cov2"] == pytest.approx(alike["error"])
    # One reader's accuracy over 100 cases is a binomial proportion.
    assert RoeMetz(0, 0, 0.5).components(0.7, 100, "accuracy")["error"] == pytest.approx(0.7 * 0.3 / 100)


def test_bad_models_and_sizes_are_refused():
    with pytest.raises(ValueError, match="case_share"):
        RoeMetz(case_share=1.5)
    with pytest.raises(ValueError, match="two of each class"):
        class_sizes(10, 0.1)
