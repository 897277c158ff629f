"""Now `generation.evaluation.contact_sheets`."""

import sys
import warnings

from generation.evaluation import contact_sheets

warnings.warn(
    "generation.evaluation.looks is now generation.evaluation.contact_sheets; please import it from there",
    FutureWarning,
    stacklevel=2,
)
sys.modules[__name__] = contact_sheets
