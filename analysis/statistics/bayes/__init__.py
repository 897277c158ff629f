"""A Bayesian answer for few readers: hierarchical ordinal signal detection, readers and cases random.

With three readers the spread between readers is hardly seen in the data, and methods that take it from there alone hold
their level badly. The model takes it from the data and from what is known of readers (`Priors`).
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
        truth: 0 or 1 a case, 1 = synthetic.
        groups: the group of each reader, a covariate of d'; left out where a group has one reader or a reader none.
        names: of the readers, for messages.
        priors: in place of those of docs/explanation/bayes.md.
        seed: of the sampler.

    Raises:
        BayesError: where NumPyro is missing, or with every reason why the model does not fit the study. How the
            sampler did is in `diagnostics`; where its `fault` is not None, the posterior gives no number.

    >>> import numpy as np
    >>> try:
    ...     fit(np.ones((2, 40)), [0, 1] * 20)
    ... except BayesError as bad:
    ...     print(bad.faults[0])
    readers: the Bayesian model needs 3 or more to say how readers vary, got 2
    """
    data = prepare(levels, truth, groups, names)
    priors = priors or Priors()
    return Posterior(data, priors, draw(data, priors, seed), seed)
