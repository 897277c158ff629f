"""Preregistration: what a study will ask and how it will answer, put down before the first answer, and what was kept.

`discern plan ... --register FILE --out DIR` writes registration.md, .pdf and .json; `discern report --registration
registration.json` says line by line what was kept.
"""

from __future__ import annotations

from analysis.registration.form import Form, read_form
from analysis.registration.kept import assert_same, compare
from analysis.registration.record import load, loads, make, write

__all__ = ["Form", "assert_same", "compare", "load", "loads", "make", "read_form", "write"]
