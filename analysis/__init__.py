"""What the readers could tell: the statistics of a study and the report on them.

Light to import: scipy.stats, statsmodels, pandas and matplotlib are loaded where they are used.
"""

from analysis.moved import MOVED, remember

remember(__name__, MOVED)
