"""Quantities from the posterior: d', AUC and accuracy of these and of new readers, tests and predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from analysis.statistics.arrays import Floats, one_of
from analysis.statistics.bayes import chance
from analysis.statistics.bayes.model import Data, Priors, level_table, place
from analysis.statistics.bayes.sampling import Diagnostics, Draws
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.scoring import RULES, credits

NEW = 256  # new readers in each draw, at the points of a Sobol sequence
NAME = "hierarchical signal-detection model, posterior mean and 95 % credible interval"
FIGURES = ("dprime", "auc", "smooth_auc", *RULES)
CHANCE = {"dprime": 0.0}  # one half for all others


@dataclass(frozen=True)
class Posterior:
    """The fitted model; made by `bayes.fit`.

    A figure is one of FIGURES: "dprime" (d_a), "auc" (empirical, over the levels that readers use), "smooth_auc",
    or accuracy under one of the four rules for unsure answers, with the classes weighted as in the study.
    """

    data: Data
    priors: Priors
    draws: Draws
    seed: int = 0

    @property
    def diagnostics(self) -> Diagnostics:
        """Diagnostics of the sampler."""
        return self.draws.diagnostics

    def reader(self, number: int, figure: str, margin: float = 0.1) -> Estimate:
        """A figure of one reader of the study, on all cases like these."""
        return self._told(figure, lambda: self._values(figure)[:, number], margin)

    def readers(self, figure: str, margin: float = 0.1) -> Estimate:
        """The mean figure of the readers of the study, on all cases like these."""
        return self._told(figure, lambda: self._values(figure).mean(axis=1), margin)

    def new_readers(self, figure: str, margin: float = 0.1) -> Estimate:
        """The mean figure of all readers like these, on all cases like these: what Obuchowski-Rockette estimates."""
        return self._told(figure, lambda: self._new[figure].mean(axis=1), margin)

    def new_reader(self, figure: str, margin: float = 0.1) -> Estimate:
        """The figure of one further reader: a prediction that includes the spread between readers."""
        return self._told(figure, lambda: self._new[figure][:, 0], margin)

    def of_group(self, members: list[int], figure: str, margin: float = 0.1) -> Estimate:
        """The mean figure of some of the readers, numbered from 0."""
        return self._told(figure, lambda: self._values(figure)[:, members].mean(axis=1), margin)

    def group_difference(self, first: list[int], second: list[int]) -> Estimate:
        """The difference in d_a between two groups of readers like these; `first` and `second`: readers' indices."""
        rows = self.data.contrasts
        if not rows.shape[1]:
            return undefined("the readers do not form two groups of two or more", NAME)
        return self._told(
            "dprime", lambda: self.draws["group"] @ (rows[second[0]] - rows[first[0]]), margin=None, null=0.0
        )

    def parameters(self) -> dict[str, Estimate]:
        """Spread of d_a between readers, share of variance due to cases, mean log ratio of spreads, and leaning."""
        found = {
            "reader_sd": lambda: np.exp(self.draws["delta_log_sd"]),
            "case_share": lambda: self.draws["case_share"],
            "leaning": lambda: self.draws["leaning_mean"],
            "leaning_sd": lambda: np.exp(self.draws["leaning_log_sd"]),
        }
        if "eta_mean" in self.draws.sites:
            found["spread_ratio"] = lambda: np.exp(self.draws["eta_mean"])
        return {name: self._told("dprime", values, margin=None, null=None) for name, values in found.items()}

    def bayes_factor(self) -> Estimate:
        """Evidence that the mean reader is not at chance, with its sensitivity to the priors (`chance.factor`)."""
        if self.diagnostics.fault:
            return undefined(self.diagnostics.fault, chance.NAME)
        return chance.factor(self._unexplained, np.exp(self.draws["delta_log_sd"]), self.priors, self._sensitive)

    @cached_property
    def _unexplained(self) -> Floats:
        """d_a of each reader minus the effect of the reader's group, draws x readers."""
        delta = self.draws["delta"]
        return delta - self.draws["group"] @ self.data.contrasts.T if self.data.contrasts.shape[1] else delta

    def _sensitive(self, weights: Floats) -> dict[str, Any]:
        """Mean and interval of the mean AUC of new readers with reweighted draws."""
        values = self._new["auc"].mean(axis=1)
        order = np.argsort(values)
        share = np.cumsum(weights[order]) / weights.sum()
        low, high = (float(values[order][np.searchsorted(share, at)]) for at in (0.025, 0.975))
        return {"value": float(np.average(values, weights=weights)), "ci": [low, high]}

    def _told(self, figure: str, values: Any, margin: float | None, null: float | None = 0.5) -> Estimate:
        one_of(figure, FIGURES, "figure")
        if self.diagnostics.fault:
            return undefined(self.diagnostics.fault, NAME)
        drawn = np.asarray(values(), dtype=np.float64)
        extra: dict[str, Any] = {}
        if null is not None:
            null = CHANCE.get(figure, null)
            extra["above_chance"] = float((drawn > null).mean())
        if margin is not None and null is not None:
            # d_a is near chance if the area under its curve is.
            near = math.sqrt(2) * _deviate(0.5 + margin) if figure == "dprime" else margin
            extra |= {"near_chance": float((np.abs(drawn - null) < near).mean()), "margin": margin}
        low, high = np.quantile(drawn, (0.025, 0.975))
        return Estimate(
            float(drawn.mean()), float(drawn.std(ddof=1)), (float(low), float(high)), method=NAME, extra=extra
        )

    def _values(self, figure: str) -> Floats:
        """A figure of each reader, draws x readers."""
        return self._own[figure]

    @cached_property
    def _own(self) -> dict[str, Floats]:
        sites = self.draws.sites
        return self._figures(sites["delta"], sites.get("eta", np.zeros_like(sites["delta"])), sites["criteria"])

    @cached_property
    def _new(self) -> dict[str, Floats]:
        """Every figure of new readers, draws x NEW, at the same points of the population in each draw.

        Readers are assigned to groups in turn; the first column, one new reader, is random.
        """
        sites, steps = self.draws.sites, len(self.data.levels) - 2
        size = 3 + max(steps, 0)
        points = deviates(NEW, size, [self.seed, 1])
        total = len(sites["delta_mean"])
        single = np.random.default_rng([self.seed, 2]).standard_normal((total, size))
        drawn = np.concatenate([single[:, None], np.broadcast_to(points, (total, NEW, size))], axis=1)
        mean = np.repeat(sites["delta_mean"][:, None], NEW + 1, axis=1)
        kinds = np.unique(self.data.contrasts, axis=0)
        if kinds.shape[1]:
            turns = np.random.default_rng([self.seed, 3]).permuted(np.arange(NEW + 1) % len(kinds))
            mean = mean + sites["group"] @ kinds[turns].T
        delta = mean + np.exp(sites["delta_log_sd"])[:, None] * drawn[..., 0]
        leaning = sites["leaning_mean"][:, None] + np.exp(sites["leaning_log_sd"])[:, None] * drawn[..., 1]
        eta = np.zeros_like(delta)
        openings = np.zeros((*delta.shape, 0))
        if steps:
            eta = sites["eta_mean"][:, None] + np.exp(sites["eta_log_sd"])[:, None] * drawn[..., 2]
            openings = sites["step_mean"][:, None] + np.exp(sites["step_log_sd"])[:, None] * drawn[..., 3:]
        return self._figures(delta, eta, place(leaning, openings, np))

    def _figures(self, delta: Floats, eta: Floats, criteria: Floats) -> dict[str, Floats]:
        return figures(delta, eta, criteria, self.data.levels, float(self.data.truth.mean()))


def deviates(points: int, size: int, seed: Sequence[int]) -> Floats:
    """Points spread evenly over a standard normal of `size` dimensions (scrambled Sobol sequence), points x size.

    >>> points = deviates(256, 3, [0, 1])
    >>> points.shape, bool(np.abs(points.mean(axis=0)).max() < 0.01)
    ((256, 3), True)
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    return np.asarray(ndtri(qmc.Sobol(size, seed=np.random.default_rng(seed)).random(points)))


def figures(
    delta: Floats, eta: Floats, criteria: Floats, levels: Sequence[int], synthetic_share: float
) -> dict[str, Floats]:
    """Every figure of readers with these parameters, over all cases.

    Args:
        delta: d_a, any shape.
        eta: the log ratio of spreads, the same shape.
        criteria: the same shape with one more axis, ascending.
        levels: the levels of 1 to 5 that the criteria separate.
        synthetic_share: the weight of the synthetic class in accuracy.

    >>> found = figures(np.zeros(1), np.zeros(1), np.array([[-0.5, 0.5]]), (2, 3, 4), 0.5)
    >>> {name: round(float(value[0]), 3) for name, value in found.items()}  # doctest: +NORMALIZE_WHITESPACE
    {'dprime': 0.0, 'smooth_auc': 0.5, 'auc': 0.5, 'fractional': 0.5, 'excluded': 0.5, 'wrong': 0.309, 'half': 0.5}
    """
    from scipy.special import ndtr

    flat = delta.ravel(), eta.ravel(), criteria.reshape(delta.size, -1)
    real, synthetic = level_table(*flat, 0.0, np.zeros(1), np)[..., 0]  # readers x levels
    found = {"dprime": flat[0], "smooth_auc": ndtr(flat[0] / math.sqrt(2))}
    found["auc"] = (synthetic * (np.cumsum(real, axis=1) - real / 2)).sum(axis=1)
    for rule in RULES:
        earned, of = np.zeros(delta.size), np.zeros(delta.size)
        for truth, weight, shares in ((1, synthetic_share, synthetic), (0, 1 - synthetic_share, real)):
            credit = credits(levels, [truth] * len(levels), rule)
            earned += weight * shares @ np.nan_to_num(credit)
            of += weight * shares @ ~np.isnan(credit)
        found[rule] = earned / of
    return {name: values.reshape(delta.shape) for name, values in found.items()}


def _deviate(probability: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)
