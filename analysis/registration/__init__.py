"""Preregistration: record a study's question and analysis before the first answer, and compare the study with it later.

`discern plan ... --register FILE --out DIR` writes registration.md, .pdf and .json; `discern report --registration
registration.json` compares the study with it entry by entry.
"""

from __future__ import annotations

from analysis.registration.form import Form, read_form
from analysis.registration.kept import assert_same, compare
from analysis.registration.record import load, loads, make, write

__all__ = ["Form", "assert_same", "compare", "load", "loads", "make", "read_form", "write"]
