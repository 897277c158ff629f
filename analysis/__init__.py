"""What the readers could tell: the statistics of a study and the report on them.

    import analysis as dn
    study = dn.load("responses.csv")

Light to import: scipy.stats, statsmodels, pandas and matplotlib are loaded where they are used.
"""

from analysis.moved import MOVED, remember
from analysis.study import Study, load

__all__ = ["Study", "load"]
remember(__name__, MOVED)
