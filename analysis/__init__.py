"""The statistics of a study, and the report on them.

    import analysis as dn
    study = dn.load("responses.csv")

Importing this package is fast: scipy.stats, statsmodels, pandas and matplotlib are loaded only when needed.
"""

from analysis.moved import MOVED, remember
from analysis.study import Study, load

__all__ = ["Study", "load"]
remember(__name__, MOVED)
