"""Posterior predictive checks: would studies drawn from the fitted model give answers like those observed?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.statistics.arrays import Floats
from analysis.statistics.bayes.model import spreads

if TYPE_CHECKING:
    from analysis.statistics.bayes.quantities import Posterior

STUDIES = 400
CLASSES = ("real", "synthetic")


def check(posterior: Posterior, studies: int = STUDIES) -> dict[str, Any]:
    """Compare counts by reader, class and level, agreement, and spread of readers with the model's predictions.

    `studies` studies are drawn from the posterior (Gelman, Meng and Stern 1996, Stat Sinica 6:733), with the same
    readers and the same number of new cases; answers are missing where they are missing in the study.

    Returns:
        `levels`: one entry per reader and class with `counts` and `low`, `high` of 95 % of the drawn studies, by level;
        `outside`: the share of counts outside; `tests`: `observed` and predicted (`value`, `ci`) agreement of pairs of
        readers and spread of the readers' AUC, each with `p`, the share of drawn studies with the same or a larger
            value (near 0 or 1: the model does not fit).

    >>> from analysis.statistics.bayes.model import Priors
    >>> from analysis.statistics.bayes.quantities import Posterior
    >>> from analysis.statistics.bayes.sampling import Diagnostics, Draws, prepare
    >>> sites = {"delta": np.ones((50, 3)), "criteria": np.tile([-0.5, 0.5], (50, 3, 1))}
    >>> sites["case_share"] = np.full(50, 0.3)
    >>> draws = Draws(sites, Diagnostics(1.0, 1000.0, 0, 4, 50, 1, ""))
    >>> study = prepare([[1, 1, 3, 5, 5, 3] * 8] * 3, [0, 0, 0, 1, 1, 1] * 8)
    >>> found = check(Posterior(study, Priors(), draws))
    >>> found["tests"]["agreement"]["observed"], round(found["tests"]["agreement"]["value"], 1)
    (1.0, 0.5)
    """
    data = posterior.data
    readers, levels = data.readers, len(data.levels)
    given = data.answers.reshape(-1, readers, levels)
    observed, answered = given.argmax(axis=2), given.sum(axis=2) > 0
    rng = np.random.default_rng([posterior.seed, 4])
    chosen = rng.choice(len(posterior.draws["delta"]), studies, replace=len(posterior.draws["delta"]) < studies)
    of_class = [data.truth == value for value in (0, 1)]
    counts = np.zeros((studies, 2, readers, levels))
    figures = np.zeros((studies, 2))
    for number, draw in enumerate(chosen):
        answers = np.where(answered, _answers(posterior, int(draw), rng), -1)
        counts[number] = _counts(answers, of_class, levels)
        figures[number] = _agreement(answers), _auc_spread(counts[number])
    own = _counts(np.where(answered, observed, -1), of_class, levels)
    low, high = np.quantile(counts, (0.025, 0.975), axis=0, method="inverted_cdf")
    lines = [
        {
            "reader": data.names[reader],
            "truth": CLASSES[truth],
            "counts": own[truth, reader],
            "low": low[truth, reader],
            "high": high[truth, reader],
        }
        for reader in range(readers)
        for truth in (0, 1)
    ]
    values = _agreement(np.where(answered, observed, -1)), _auc_spread(own)
    tests = {
        name: {
            "observed": value,
            "value": float(drawn.mean()),
            "ci": np.quantile(drawn, (0.025, 0.975)),
            "p": float((drawn > value).mean() + (drawn == value).mean() / 2),
        }
        for name, value, drawn in zip(("agreement", "auc_spread"), values, figures.T, strict=True)
    }
    outside = float(((own < low) | (own > high)).mean())
    return {"studies": studies, "used": list(data.levels), "levels": lines, "outside": outside, "tests": tests}


def _answers(posterior: Posterior, draw: int, rng: np.random.Generator) -> Any:
    """Return the answers of one drawn study, cases x readers, as indices of the levels in use."""
    data, sites = posterior.data, posterior.draws
    truth = data.truth.astype(int)
    rho = float(sites["case_share"][draw])
    noise = math.sqrt(1 - rho) * rng.standard_normal((truth.size, data.readers))
    shared = math.sqrt(rho) * rng.standard_normal((truth.size, 1))
    delta, eta = sites["delta"][draw], sites.sites.get("eta", np.zeros_like(sites["delta"]))[draw]
    impressions = (truth[:, None] - 0.5) * delta + spreads(eta, np)[truth] * (shared + noise)
    return (impressions[:, :, None] > sites["criteria"][draw][None]).sum(axis=2)


def _counts(answers: Any, of_class: list[Any], levels: int) -> Floats:
    """class x reader x level."""
    return np.array([[(answers[rows] == level).sum(axis=0) for level in range(levels)] for rows in of_class]).transpose(
        0, 2, 1
    )


def _agreement(answers: Any) -> float:
    """The share of pairs of readers who gave a case the same level."""
    pairs, same = 0, 0
    for first in range(answers.shape[1]):
        for second in range(first):
            both = (answers[:, first] >= 0) & (answers[:, second] >= 0)
            pairs += int(both.sum())
            same += int((both & (answers[:, first] == answers[:, second])).sum())
    return same / pairs if pairs else math.nan


def _auc_spread(counts: Floats) -> float:
    """The standard deviation over readers of their empirical AUC, from class x reader x level counts."""
    real, synthetic = counts / counts.sum(axis=2, keepdims=True)
    return float((synthetic * (np.cumsum(real, axis=1) - real / 2)).sum(axis=1).std(ddof=1))
