"""Register a plan: the numbers of `discern plan` together with the researchers' form."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.registration.form import read_form
from analysis.registration.record import make, write

FOUND = ("power", "half_width", "factor", "coverage", "simulated_power", "exact_power", "normal_power")


def assert_one_size(options: argparse.Namespace) -> None:
    """Raise ValueError if the options describe more than one study, or no folder to write to."""
    if options.register is None:
        return
    if options.out is None:
        raise ValueError("--register: also give --out, the folder to write to")
    for name in () if options.looks else ("readers", "cases"):  # each look has a number; the last one is the full study
        if len(getattr(options, name)) != 1:
            raise ValueError(
                f"--register: give exactly one number of {name}, e.g. --{name} {getattr(options, name)[0]}"
            )


def drafted(
    options: argparse.Namespace, row: Mapping[str, Any], model: Any, method: str, **more: Any
) -> dict[str, Any] | None:
    """Return the registration of the study described by `row` of the planning table; None if none was requested.

    `model` is the dataclass with the assumptions, `method` describes the power calculation, `more` has more entries.
    Raises ResponsesError listing every problem in the form.
    """
    if options.register is None:
        return None
    sample: dict[str, Any] = {name: getattr(options, name) for name in ("endpoint", "value", "alpha", "target")}
    sample |= {"null": None, "margin": options.margin, "readers": int(row["readers"]), "cases": int(row["cases"])}
    sample |= {name: row[name] for name in FOUND if name in row} | {"method": method, "model": asdict(model)} | more
    return make(read_form(options.register), sample)


def write_drafted(draft: Mapping[str, Any] | None, out: Path) -> None:
    """Write the registration into the folder `out` and print the paths."""
    for path in write(draft, out) if draft else ():
        print(path)
