"""Counts and credits of answers: truth x answer x certainty, and the score of an "unsure" answer.

Levels run from 1 (surely real) to 5 (surely synthetic), 3 = unsure, NaN = not answered; truth is 1 for synthetic.
There are four rules for scoring. The choice can change results by ten points, so the rule is shown with every number.

- "fractional", as PanoDiff-SR published (arXiv 2507.09227): (level - 1) / 4 on a synthetic case, 1 minus that on a
real one.
- "excluded": 1 for a correct decision, 0 for a wrong one; unsure answers are left out.
- "wrong", "half": the same, but unsure scores 0 or 1/2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics import proportions
from analysis.statistics.arrays import Floats, as_flags, as_levels, as_truth, one_of
from analysis.statistics.estimate import Estimate, undefined

RULES = ("fractional", "excluded", "wrong", "half")
LATE_RULES = ("kept", "wrong")
UNSURE = 3.0


def credits(
    levels: ArrayLike,
    truth: ArrayLike,
    rule: str = "fractional",
    late: ArrayLike | None = None,
    late_rule: str = "kept",
) -> Floats:
    """The credit of each answer, 0 to 1; NaN if it does not count.

    `levels`, `truth` and `late` (true if answered after the deadline) have one entry per trial. Under `late_rule`
    "wrong", a late trial scores 0, answered or not. Raises ValueError for an unknown rule or impossible input.

    >>> credits([5, 4, 3, 2, 1], [1, 1, 1, 0, 1]).tolist()
    [1.0, 0.75, 0.5, 0.75, 0.0]
    >>> credits([5, 4, 3, 2, 1], [1, 1, 1, 0, 1], "wrong", late=[1, 0, 0, 0, 0], late_rule="wrong").tolist()
    [0.0, 1.0, 0.0, 1.0, 0.0]
    """
    one_of(rule, RULES, "rule")
    one_of(late_rule, LATE_RULES, "late_rule")
    array = as_levels(levels)
    toward_truth = np.where(as_truth(truth, array.size), array - 1, 5 - array) / 4
    if rule == "fractional":
        earned = toward_truth
    else:
        unsure = {"excluded": np.nan, "wrong": 0.0, "half": 0.5}[rule]
        earned = np.where(array == UNSURE, unsure, np.where(np.isnan(array), np.nan, toward_truth > 0.5))
    if late_rule == "wrong":
        earned[as_flags(late, array.size, "late")] = 0.0
    return earned


def categories(levels: ArrayLike, truth: ArrayLike) -> dict[str, dict[str, int]]:
    """Count answers: TP, TN, FP and FN by certainty (full, partial), unsure and missing by truth.

    >>> categories([5, 4, 3, 2, 1, None], [1, 1, 1, 0, 1, 0])["TP"]
    {'full': 1, 'partial': 1}
    """
    array = as_levels(levels)
    synthetic = as_truth(truth, array.size)

    def count(of_class: NDArray[np.bool_], level: float) -> int:
        return int((of_class & (array == level)).sum())

    return {
        "TP": {"full": count(synthetic, 5), "partial": count(synthetic, 4)},
        "TN": {"full": count(~synthetic, 1), "partial": count(~synthetic, 2)},
        "FP": {"full": count(~synthetic, 5), "partial": count(~synthetic, 4)},
        "FN": {"full": count(synthetic, 1), "partial": count(synthetic, 2)},
        "unsure": {"real": count(~synthetic, UNSURE), "synthetic": count(synthetic, UNSURE)},
        "missing": {
            "real": int((~synthetic & np.isnan(array)).sum()),
            "synthetic": int((synthetic & np.isnan(array)).sum()),
        },
    }


class Confusion(NamedTuple):
    """Credits summed by truth and answer; whole numbers under "excluded" and "wrong". Positive = synthetic."""

    TP: float
    FN: float
    FP: float
    TN: float


@dataclass(frozen=True)
class Score:
    """One reader's credits under one rule, and the derived measures; made by `score`.

    Intervals generalise over cases, for this reader. If every credit is 0 or 1 ("excluded", "wrong"), they are
    Wilson's, with Clopper-Pearson's in `exact_ci`; under "fractional" and "half", a binomial interval would be too
    wide, and `proportions.mean_score` is used. A measure without cases that count is None with a reason.
    """

    earned: Floats
    synthetic: NDArray[np.bool_]
    answered: NDArray[np.bool_]
    rule: str
    left_out: dict[str, int]

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Return which trials count under the rule."""
        return ~np.isnan(self.earned)

    def confusion(self) -> Confusion:
        """On synthetic cases the credit is TP and the rest FN; on real cases TN and FP.

        >>> score([5, 4, 3, 2, 1], [1, 1, 1, 0, 1]).confusion()
        Confusion(TP=2.25, FN=1.75, FP=0.25, TN=0.75)
        """
        of_synthetic, of_real = self.earned[self.counted & self.synthetic], self.earned[self.counted & ~self.synthetic]
        tp, tn = float(of_synthetic.sum()), float(of_real.sum())
        return Confusion(tp, of_synthetic.size - tp, of_real.size - tn, tn)

    def accuracy(self) -> Estimate:
        """Mean credit over all cases, and a test against one half.

        Guessing scores one half if the classes are equally frequent. Under "wrong", unsure answers lower a guesser's
        score, so that p compares with tossing a coin, not with knowing nothing.

        >>> estimate = score([5, 4, 3, 2, 1], [1, 1, 1, 0, 1], "excluded").accuracy()
        >>> estimate.value, estimate.n, estimate.unsure
        (0.75, 4, 1)
        """
        return self._mean(self.earned, "accuracy", self.left_out)

    def sensitivity(self) -> Estimate:
        """Mean credit on synthetic cases: TP / (TP + FN)."""
        return self._mean(self.earned[self.synthetic], "sensitivity")

    def specificity(self) -> Estimate:
        """Mean credit on real cases: TN / (TN + FP)."""
        return self._mean(self.earned[~self.synthetic], "specificity")

    def false_negative_rate(self) -> Estimate:
        """The share of synthetic cases called real: FN / (TP + FN)."""
        return self._mean(1 - self.earned[self.synthetic], "false negative rate")

    def false_positive_rate(self) -> Estimate:
        """The share of real cases called synthetic: FP / (TN + FP)."""
        return self._mean(1 - self.earned[~self.synthetic], "false positive rate")

    def precision(self) -> Estimate:
        """TP / (TP + FP): the share of cases called synthetic that are, at the prevalence of this pool.

        The interval combines those of the shares called synthetic in each class (MOVER-R, as in `predictive_value`;
        excluded unsure answers call nothing synthetic). A pool fixes the number of cases in each class; a binomial
        interval on the number called synthetic would treat it as random and be too wide.

        >>> round(score([5, 4, 3, 4, 1], [1, 1, 1, 0, 1], "excluded").precision().value, 4)
        0.6667
        """
        called = np.where(self.counted, np.where(self.synthetic, self.earned, 1 - self.earned), 0.0)
        groups = [called[self.answered & of] for of in (self.synthetic, ~self.synthetic)]
        name = self._named("precision", "MOVER-R 95% interval")
        if called.sum() <= 0:
            return undefined("nothing was called synthetic", name)
        if not all(group.size for group in groups):
            return undefined("answers to both classes are needed", name)
        right, wrong = (self._interval(group) for group in groups)
        return _share(right, wrong, groups[0].size / groups[1].size, name, called_synthetic=float(called.sum()))

    def balanced_accuracy(self) -> Estimate:
        """Mean of sensitivity and specificity: accuracy as if the classes were equally frequent.

        The interval is derived from both intervals (MOVER: Zou and Donner 2008, Stat Med 27:1693).

        >>> score([5, 4, 3, 2, 1], [1, 1, 1, 0, 1], "half").balanced_accuracy().value
        0.8125
        """
        sens, spec = (self._interval(self.earned[of]) for of in (self.synthetic, ~self.synthetic))
        name = self._named("balanced accuracy", "MOVER 95% interval")
        if sens.value is None or spec.value is None or sens.ci is None or spec.ci is None:
            return undefined("answers that count are needed in both classes", name)
        value = (sens.value + spec.value) / 2
        below = math.hypot(sens.value - sens.ci[0], spec.value - spec.ci[0]) / 2
        above = math.hypot(sens.ci[1] - sens.value, spec.ci[1] - spec.value) / 2
        return Estimate(value, ci=(value - below, value + above), method=name)

    def predictive_value(self, prevalence: float, negative: bool = False) -> Estimate:
        """The positive predictive value if a share `prevalence` of cases is synthetic; `negative`: for "real" answers.

        Bayes' rule on sensitivity and specificity. The interval is converted from that of the likelihood ratio, which
        comes from the intervals of both rates (MOVER-R: Donner and Zou 2012, Stat Methods Med Res 21:347). Raises
        ValueError unless 0 < prevalence < 1.

        >>> round(score([5, 4, 1, 2, 4], [1, 1, 1, 0, 0], "excluded").predictive_value(prevalence=0.1).value, 4)
        0.129
        """
        if not 0 < prevalence < 1:
            raise ValueError(f"prevalence: expected a number between 0 and 1, got {prevalence:g}")
        name = self._named(
            f"{'negative' if negative else 'positive'} predictive value at prevalence {prevalence:g}",
            "MOVER-R 95% interval",
        )
        right, wrong = (
            (self.specificity(), self.false_negative_rate())
            if negative
            else (self.sensitivity(), self.false_positive_rate())
        )
        if right.value == 0 and wrong.value == 0:
            called = "real" if negative else "synthetic"
            return undefined(f"nothing was called {called}", name, prevalence=prevalence)
        odds = (1 - prevalence) / prevalence if negative else prevalence / (1 - prevalence)
        return _share(right, wrong, odds, name, prevalence=prevalence)

    def equivalence(self, margin: float) -> Estimate:
        """TOST that accuracy lies within `margin` of one half; exact if credits are 0 or 1, otherwise by t.

        `extra` of the exact test also has the normal tests (`proportions.equivalence`, `mean_equivalence`).

        >>> round(score([5, 1] * 100, [1] * 100 + [0] * 100, "excluded").equivalence(margin=0.1).p, 4)
        0.0026
        """
        earned = self.earned[self.counted]
        if self.rule in ("excluded", "wrong"):
            return proportions.equivalence(int(earned.sum()), earned.size, 0.5, margin)
        return proportions.mean_equivalence(earned, 0.5, margin)

    def measures(self, prevalence: float | None = None) -> dict[str, Estimate]:
        """Return every measure by name; predictive values if a `prevalence` is given."""
        found = {
            "accuracy": self.accuracy(),
            "sensitivity": self.sensitivity(),
            "specificity": self.specificity(),
            "false_positive_rate": self.false_positive_rate(),
            "false_negative_rate": self.false_negative_rate(),
            "precision": self.precision(),
            "balanced_accuracy": self.balanced_accuracy(),
        }
        if prevalence is not None:
            found["positive_predictive_value"] = self.predictive_value(prevalence)
            found["negative_predictive_value"] = self.predictive_value(prevalence, negative=True)
        return found

    def _named(self, measure: str, interval: str) -> str:
        return f"{measure}, unsure {self.rule}, {interval}"

    def _interval(self, earned: Floats) -> Estimate:
        """The mean credit with its interval, without the exact test."""
        counted = earned[~np.isnan(earned)]
        if self.rule in ("fractional", "half"):
            return proportions.mean_score(counted)
        return proportions.interval(int(counted.sum()), counted.size)

    def _mean(self, earned: Floats, measure: str, extra: dict[str, int] | None = None) -> Estimate:
        counted = earned[~np.isnan(earned)]
        left_out = {"n": counted.size, "left_out": earned.size - counted.size} | (extra or {})
        if not counted.size:
            return undefined("there are no answers to count", self._named(measure, ""), **left_out)
        found = self._interval(counted)
        if self.rule in ("fractional", "half"):
            name = self._named(measure, found.method)
            return replace(found, method=name, extra=left_out)
        k = int(counted.sum())
        exact = proportions.against_chance(k, counted.size)
        name = self._named(measure, "Wilson 95% interval, exact binomial test against 0.5")
        return replace(found, p=exact.p, method=name, extra=left_out | {"k": k, "exact_ci": exact.ci})


def score(
    levels: ArrayLike,
    truth: ArrayLike,
    rule: str = "fractional",
    late: ArrayLike | None = None,
    late_rule: str = "kept",
) -> Score:
    """Score one reader's answers (arguments as for `credits`); answers left out are counted by reason.

    >>> score([5, 4, 3, None], [1, 0, 1, 0], "excluded").left_out
    {'unsure': 1, 'missing': 1, 'late': 0}
    """
    earned = credits(levels, truth, rule, late, late_rule)
    array = as_levels(levels)
    left_out = {
        "unsure": int((array == UNSURE).sum()),
        "missing": int(np.isnan(array).sum()),
        "late": int(as_flags(late, array.size, "late").sum()),
    }
    answered = ~(np.isnan(array) & np.isnan(earned))
    return Score(earned, as_truth(truth, array.size), answered, rule, left_out)


def association(levels: ArrayLike, truth: ArrayLike) -> Estimate:
    """Fisher's exact test that decisions (without unsure) are related to the truth, whatever the reader's bias.

    `value` is the odds ratio of calling a synthetic rather than a real case synthetic (`proportions.odds_ratio`). This
    tests for no ability at all; the binomial test against one half does not if classes or answers are unbalanced.
    Undefined without decisions on both classes, or if all decisions are the same.

    >>> round(association([5, 5, 4, 4, 1, 2, 2, 1], [1, 1, 1, 0, 0, 0, 0, 1]).p, 4)
    0.4857
    """
    counts = score(levels, truth, "excluded").confusion()
    return proportions.odds_ratio([[counts.TP, counts.FN], [counts.FP, counts.TN]])


def _share(right: Estimate, wrong: Estimate, odds: float, name: str, **extra: float) -> Estimate:
    """odds r / (1 + odds r) for the ratio r of two rates, with the interval derived from theirs."""
    if right.value is None or wrong.value is None or right.ci is None or wrong.ci is None:
        return undefined("answers that count are needed in both classes", name, **extra)
    ratio = right.value / wrong.value if wrong.value > 0 else math.inf
    limits = _ratio_limits(right.value, right.ci, wrong.value, wrong.ci)
    value, low, high = (1.0 if math.isinf(r) else odds * r / (1 + odds * r) for r in (ratio, *limits))
    return Estimate(value, ci=(low, high), method=name, extra=extra)


def _ratio_limits(
    above: float, above_ci: tuple[float, float], below: float, below_ci: tuple[float, float]
) -> tuple[float, float]:
    """MOVER-R limits of above / below, from the value and the limits of each."""
    (l1, u1), (l2, u2) = above_ci, below_ci
    product = above * below
    low_root = max(0.0, product**2 - l1 * u2 * (2 * above - l1) * (2 * below - u2))
    low = 0.0 if l1 <= 0 else l1 * (2 * above - l1) / (product + math.sqrt(low_root))
    if l2 <= 0:
        return low, math.inf
    high_root = max(0.0, product**2 - u1 * l2 * (2 * above - u1) * (2 * below - l2))
    return low, (product + math.sqrt(high_root)) / (l2 * (2 * below - l2))
