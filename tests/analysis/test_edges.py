"""Awkward studies through every statistic of a reader, of agreement and of cases: a number, or a reason in words.

Warnings are errors in these tests: nothing may reach the terminal either.
"""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from analysis.statistics import (
    agreement,
    binormal,
    calibration,
    cases,
    consistency,
    detection,
    proportions,
    rasch,
    roc,
    scoring,
)
from analysis.statistics.estimate import Estimate

TRUTH = np.tile([0, 1], 50)
RANDOM = np.random.Generator(np.random.PCG64(1))
ORDINARY = np.digitize(RANDOM.normal(size=(5, 100)) + 1.2 * TRUTH, [-0.5, 0.3, 0.9, 1.6]) + 1.0


def holes(share: float) -> np.ndarray:
    return np.where(RANDOM.random(ORDINARY.shape) < share, np.nan, ORDINARY)


def few(answers: int) -> np.ndarray:
    levels = ORDINARY.copy()
    levels[0, answers:] = np.nan
    return levels


STUDIES = {
    "one reader": (ORDINARY[:1], TRUTH),
    "one class": (ORDINARY, np.ones(100)),
    "one case": (ORDINARY[:, :1], TRUTH[:1]),
    "one case of a class": (ORDINARY[:, :10], np.eye(10)[0]),
    "all answers alike": (np.full((5, 100), 4.0), TRUTH),
    "all unsure": (np.full((5, 100), 3.0), TRUTH),
    "a reader with three answers": (few(3), TRUTH),
    "a reader with none": (few(0), TRUTH),
    "40 % missing": (holes(0.4), TRUTH),
    "nobody answered": (np.full((5, 100), np.nan), TRUTH),
    "no case": (np.zeros((5, 0)), np.zeros(0)),
    "ties everywhere": (np.where(ORDINARY > 3, 4.0, 2.0), TRUTH),
    "perfect separation": (np.tile(np.where(TRUTH == 1, 5.0, 1.0), (5, 1)), TRUTH),
    "always wrong": (np.tile(np.where(TRUTH == 1, 1.0, 5.0), (5, 1)), TRUTH),
    "each case its own reader": (np.where(np.arange(100) % 5 == np.arange(5)[:, None], ORDINARY, np.nan), TRUTH),
}


def of_a_reader(levels: np.ndarray, truth: np.ndarray) -> Iterator[Estimate]:
    for rule in scoring.RULES:
        score = scoring.score(levels, truth, rule)
        yield from score.measures(prevalence=0.1).values()
        yield score.equivalence(0.1)
    yield scoring.association(levels, truth)
    yield roc.auc(levels, truth)
    yield roc.compare(levels, levels[::-1], truth)
    yield binormal.fit(levels, truth)
    yield calibration.brier(calibration.probabilities(levels), truth)
    yield calibration.certainty_test(levels, truth)
    counts = scoring.score(levels, truth, "half").confusion()
    found = detection.dprime(counts.TP, counts.FN, counts.FP, counts.TN)
    yield Estimate(found.dprime, found.se, found.ci, reason=found.reason)
    yield proportions.mean_equivalence(scoring.credits(levels, truth), 0.5, 0.1)


def of_all(levels: np.ndarray, truth: np.ndarray) -> Iterator[Estimate]:
    ratings = levels.T
    for coefficient in (agreement.fleiss_kappa, agreement.gwet_ac1, agreement.gwet_ac2, agreement.brennan_prediger):
        yield from consistency.by_scheme(ratings, coefficient).values()
        yield from consistency.by_class(ratings, truth, coefficient).values()
        yield from consistency.by_certainty(ratings, coefficient).values()
    yield from consistency.by_group(ratings, ["EC", "EP", "EC", "EP", "EC"][: len(levels)]).values()
    for level in ("nominal", "ordinal", "interval", "ratio"):
        yield agreement.krippendorff_alpha(ratings, level)
    yield agreement.percent_agreement(ratings)
    for weights in (None, "quadratic"):
        pairs = consistency.cohen_kappa_pairs(ratings, [f"R{i}" for i in range(len(levels))], weights)
        yield from (*pairs.pairs.values(), pairs.mean)
    yield from consistency.intra_reader(levels[0], levels[-1]).values()
    right = np.array([scoring.credits(row, truth, "excluded") for row in levels])
    fitted = rasch.fit(right)
    yield from (*fitted.abilities, *fitted.difficulties, fitted.spread)
    yield from cases.link_to_detector(levels, truth, np.arange(levels.shape[1])).values()


def sound(found: Estimate) -> bool:
    """A finite number, with whatever else finite and in order; or none and a reason."""
    if found.value is None:
        return bool(found.reason)
    figures = [found.value, *(x for x in (found.se, found.p, found.df) if x is not None), *(found.ci or ())]
    ordered = found.ci is None or found.ci[0] - 1e-9 <= found.value <= found.ci[1] + 1e-9
    explained = found.ci is not None or bool(found.reason) or not found.se
    return all(math.isfinite(x) for x in figures) and ordered and explained


@pytest.mark.parametrize("name", STUDIES)
def test_every_figure_of_every_reader_is_a_number_or_a_reason(name):
    levels, truth = STUDIES[name]
    for row in levels:
        for found in of_a_reader(row, truth):
            assert sound(found), found


@pytest.mark.parametrize("name", STUDIES)
def test_every_figure_of_agreement_and_cases_is_a_number_or_a_reason(name):
    levels, truth = STUDIES[name]
    for found in of_all(levels, truth):
        assert sound(found), found
    names = [str(case) for case in range(levels.shape[1])]
    summaries = cases.summarise(levels, truth, names)
    assert len(summaries) == len(names)
    assert all(one.category or one.tie for one in summaries)
    placed = [name for rows in cases.by_category(summaries).values() for row in rows.values() for name in row]
    assert sorted(placed) == sorted(names)


@pytest.mark.parametrize("name", ["40 % missing", "a reader with three answers", "nobody answered"])
def test_what_is_missing_is_counted(name):
    levels, truth = STUDIES[name]
    missing = np.isnan(levels)
    for row, out in zip(levels, missing, strict=True):
        assert scoring.score(row, truth).accuracy().missing == out.sum()
        assert roc.auc(row, truth).left_out == out.sum()
        assert calibration.brier(calibration.probabilities(row), truth).left_out == out.sum()
        assert sum(scoring.categories(row, truth)["missing"].values()) == out.sum()
    assert agreement.fleiss_kappa(levels.T, range(1, 6)).missing_readings == missing.sum()
