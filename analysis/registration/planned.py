"""Putting a plan on record: the numbers of `discern plan`, with what the researchers say of the study."""

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
    """A registration is of one study. Raises ValueError where the options name several, or no folder to write to."""
    if options.register is None:
        return
    if options.out is None:
        raise ValueError("--register: also give --out, the folder to write to")
    for name in () if options.looks else ("readers", "cases"):  # looks have a number each, and the last one is whole
        if len(getattr(options, name)) != 1:
            raise ValueError(
                f"--register: give exactly one number of {name}, e.g. --{name} {getattr(options, name)[0]}"
            )


def drafted(
    options: argparse.Namespace, row: Mapping[str, Any], model: Any, method: str, **more: Any
) -> dict[str, Any] | None:
    """The registration of the study that `row` of the planning's table describes; None where none is asked for.

    `model` is the dataclass with what was assumed, `method` that of the power; `more` is what else was planned.
    Raises ResponsesError with every fault of the form.
    """
    if options.register is None:
        return None
    sample: dict[str, Any] = {name: getattr(options, name) for name in ("endpoint", "value", "alpha", "target")}
    sample |= {"null": None, "margin": options.margin, "readers": int(row["readers"]), "cases": int(row["cases"])}
    sample |= {name: row[name] for name in FOUND if name in row} | {"method": method, "model": asdict(model)} | more
    return make(read_form(options.register), sample)


def write_drafted(draft: Mapping[str, Any] | None, out: Path) -> None:
    """Write it into the folder `out` and print the paths."""
    for path in write(draft, out) if draft else ():
        print(path)
