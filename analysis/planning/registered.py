"""Putting a plan on record: the numbers of `discern plan`, with what the researchers say of the study."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis import registration
from analysis.planning.power import power
from analysis.planning.quartets import Quartets
from analysis.planning.roe_metz import RoeMetz
from analysis.planning.staircases import Staircases

FOUND = ("power", "half_width", "factor", "coverage", "simulated_power", "exact_power", "normal_power", "method")


def assert_one_size(options: argparse.Namespace) -> None:
    """A registration is of one study. Raises ValueError where the options name several, or no folder to write to."""
    if options.register is None:
        return
    if options.out is None:
        raise ValueError("--register: goes with --out, the folder to write")
    for name in ("readers", "cases"):
        if len(getattr(options, name)) != 1:
            raise ValueError(f"--register: goes with one number of {name}, e.g. --{name} {getattr(options, name)[0]}")


def drafted(
    options: argparse.Namespace, row: Mapping[str, Any], model: RoeMetz | Quartets | Staircases
) -> dict[str, Any] | None:
    """The registration of the study that `row` of the table describes; None where none is asked for.

    Raises ResponsesError with every fault of the form.
    """
    if options.register is None:
        return None
    form = registration.read_form(options.register)
    sample: dict[str, Any] = {name: getattr(options, name) for name in ("endpoint", "value", "alpha", "target")}
    sample |= {"null": None, "margin": options.margin, "readers": int(row["readers"]), "cases": int(row["cases"])}
    if isinstance(model, Staircases):
        sample |= {"ratio": options.ratio or 1.25, "seed": options.seed}
    else:
        null = {} if options.null is None else {"null": options.null}
        size = sample["readers"], sample["cases"]
        planned = power(
            options.endpoint, options.value, *size, margin=options.margin, alpha=options.alpha, model=model, **null
        )
        sample |= {"null": planned.extra["null"], "method": planned.method}
    sample |= {name: row[name] for name in FOUND if name in row} | {"model": asdict(model)}
    if "simulated_power" in row or isinstance(model, Staircases):
        sample |= {"studies": row.get("studies", options.simulate), "seed": options.seed}
    return registration.make(form, sample)


def write_drafted(draft: Mapping[str, Any] | None, out: Path) -> None:
    """Write it into the folder `out` and print the paths."""
    for path in registration.write(draft, out) if draft else ():
        print(path)
