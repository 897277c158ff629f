"""Modules that have moved to a subpackage: an old import still works and warns with the new name."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "agreement": "statistics.agreement",
    "arrays": "statistics.arrays",
    "binormal": "statistics.binormal",
    "calibration": "statistics.calibration",
    "cases": "statistics.cases",
    "cells": "report.tables.table",
    "consistency": "statistics.consistency",
    "database": "responses.database",
    "detection": "statistics.detection",
    "document": "report.document",
    "estimate": "statistics.estimate",
    "figures": "report.figures",
    "files": "report.files",
    "groups": "statistics.groups",
    "laplace": "statistics.laplace",
    "linear_mixed": "statistics.linear_mixed",
    "measure": "designs.measure",
    "measure_course": "designs.rating.course",
    "measure_panel": "designs.rating.panel",
    "measure_reader": "designs.rating.reader",
    "mixed": "statistics.mixed",
    "mrmc": "statistics.mrmc",
    "multiplicity": "statistics.multiplicity",
    "plates": "report.plates",
    "power": "planning.power",
    "proportions": "statistics.proportions",
    "rasch": "statistics.rasch",
    "reader_tests": "statistics.reader_tests",
    "readings": "statistics.readings",
    "resampling": "statistics.resampling",
    "roc": "statistics.roc",
    "roe_metz": "planning.roe_metz",
    "scoring": "statistics.scoring",
    "simulation": "planning.simulation",
    "tables": "report.tables",
    "tables_course": "report.tables.course",
    "tables_panel": "report.tables.panel",
    "tables_reader": "report.tables.reader",
    "tabular": "responses.tabular",
    "tails": "statistics.distributions",
    "tex": "report.tex",
    "timing": "statistics.timing",
    "trials": "statistics.trials",
    "ustat": "statistics.ustat",
}


class _Moved(MetaPathFinder, Loader):
    """Find the modules of `package` by their old names."""

    def __init__(self, package: str, moved: Mapping[str, str]) -> None:
        self.moved = {f"{package}.{old}": f"{package}.{new}" for old, new in moved.items()}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in self.moved else None

    def exec_module(self, module: ModuleType) -> None:
        old, new = module.__name__, self.moved[module.__name__]
        warnings.warn(f"{old} is now {new}; please import it from there", FutureWarning, stacklevel=2)
        sys.modules[old] = import_module(new)


def remember(package: str, moved: Mapping[str, str]) -> None:
    """Make modules of `package` importable by their old names; `moved` maps old to new, both without the package."""
    sys.meta_path.append(_Moved(package, moved))
