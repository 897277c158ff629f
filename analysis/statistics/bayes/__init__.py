"""A Bayesian analysis for few readers: hierarchical ordinal signal detection, readers and cases random.

With three readers, the data say little about the spread between readers, and methods that estimate it from the data
alone do not keep their nominal level. The model uses the data and prior knowledge of readers (`Priors`).
"""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from analysis.statistics.bayes.model import Priors
from analysis.statistics.bayes.quantities import Posterior
from analysis.statistics.bayes.sampling import BayesError, Diagnostics, check_installed, draw, prepare

__all__ = ["BayesError", "Diagnostics", "Posterior", "Priors", "check_installed", "fit", "prepare"]


def fit(
    levels: ArrayLike,
    truth: ArrayLike,
    groups: Sequence[str | None] | None = None,
    names: Sequence[str] = (),
    priors: Priors | None = None,
    seed: int = 0,
) -> Posterior:
    """Fit the hierarchical ordinal signal-detection model to a study.

    Args:
        levels: readers x cases, 1 (surely real) to 5 (surely synthetic), NaN where not answered.
        truth: 0 or 1 per case, 1 = synthetic.
        groups: the group of each reader, a covariate of d'; ignored if a group has one reader or a reader has none.
        names: names of the readers, for messages.
        priors: replace those of docs/explanation/bayes.md.
        seed: seed of the sampler.

    Raises:
        BayesError: NumPyro is missing; or lists every reason why the model cannot be used. `diagnostics` describes the
            sampler's convergence; if its `fault` is not None, the posterior gives no numbers.

    >>> import numpy as np
    >>> try:
    ...     fit(np.ones((2, 40)), [0, 1] * 20)
    ... except BayesError as bad:
    ...     print(bad.faults[0])
    readers: the Bayesian model needs 3 or more to estimate how readers vary, got 2
    """
    data = prepare(levels, truth, groups, names)
    priors = priors or Priors()
    return Posterior(data, priors, draw(data, priors, seed), seed)
