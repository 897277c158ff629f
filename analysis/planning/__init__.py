"""How many readers and cases a study needs: a table, a curve, and the smallest sufficient numbers.

`power` and `simulate` are in modules of their own and exported here; the command is `python -m analysis.planning`.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from analysis.arguments import Parser, refuse
from analysis.planning import anchored, conditions, looks
from analysis.planning.power import ENDPOINTS, power, power_of_difference, smallest_cases, smallest_readers
from analysis.planning.quartets import Quartets, exact_power, normal_power
from analysis.planning.roe_metz import RoeMetz
from analysis.planning.simulation import simulate
from analysis.planning.staircases import Staircases, precision
from analysis.registration.planned import assert_one_size, drafted, write_drafted
from analysis.statistics import sequential

__all__ = ["power", "power_of_difference", "simulate", "smallest_cases", "smallest_readers", "table"]
STUDIES = 200  # default number of simulated studies per row of thresholds
OWN = ("reader_sd", "quartet_sd", "alternatives", "leaning_sd", "case_share")  # options of the models


def table(
    endpoint: str, value: float, readers: Iterable[int], cases: Iterable[int], **settings: Any
) -> list[dict[str, Any]]:
    """Return power and precision for all numbers of readers and cases; `settings` as for `power`.

    >>> [row["readers"] for row in table("accuracy", 0.6, [3, 6], [100])]
    [3, 6]
    """
    cases = list(cases)
    rows = []
    for count in readers:
        for size in cases:
            plan = power(endpoint, value, count, size, **settings)
            row = {"readers": count, "cases": size, "power": plan.value or 0.0, "half_width": plan.half_width}
            rows.append(row)
    return rows


def draw_curve(
    rows: list[dict[str, Any]],
    file: Path | BinaryIO,
    *,
    target: float,
    title: str,
    cases: str = "cases, half of them synthetic",
) -> None:
    """Plot power against the number of cases, with a line for each number of readers; `cases` describes the cases.

    `file`: a path, whose suffix gives the format, or an open binary file for PNG.

    >>> from io import BytesIO
    >>> file = BytesIO()
    >>> draw_curve(table("auc", 0.6, [6], [100, 200]), file, target=0.8, title="Power")
    >>> file.getvalue()[1:4]
    b'PNG'
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for count in dict.fromkeys(row["readers"] for row in rows):
        own = [row for row in rows if row["readers"] == count]
        axes.plot([row["cases"] for row in own], [row["power"] for row in own], marker="o", label=f"{count:g} readers")
    axes.axhline(target, color="0.5", linestyle="--", linewidth=1)
    axes.set(xlabel=cases, ylabel="power", ylim=(0, 1.02), title=title)
    axes.legend(frameon=False)
    figure.savefig(file)


def main(arguments: Sequence[str] | None = None, prog: str = "python -m analysis.planning") -> int:
    """Print the table; with --out also write it and the curve. Returns 2 with a message for invalid options.

    >>> main(["kappa", "0.1", "--readers", "6", "--cases", "100"])
    power of the normal test of Fleiss' kappa against 0, readers fixed, alpha 0.05
            readers            cases            power       half_width
                  6              100            0.923            0.068
    power 0.8 with 6 readers: 64 cases
    power 0.8 with 100 cases: 5 readers
    0
    """
    parser = _parser(prog)
    options = parser.parse_args(arguments)
    try:
        assert_one_size(options)
        _run(options)
    except (ValueError, OSError) as fault:
        return refuse(getattr(fault, "faults", [str(fault)]))
    return 0


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = Parser(
        prog=prog,
        description="Power and precision of a reader study, with readers and cases treated as random.",
        epilog=f"Example: {prog} auc 0.6 --readers 4 6 10 --cases 100 200 400 --out plan",
    )
    add = parser.add_argument
    add(
        "endpoint",
        choices=(*ENDPOINTS, "threshold"),
        help="what is measured: the readers' mean AUC or accuracy, Fleiss' kappa, real images found in quartets, "
        "or the threshold of a staircase in ms",
    )
    add("value", type=float, help="its true value, as well as you can guess")
    add("--readers", type=int, nargs="+", default=[3, 6, 10], metavar="N", help="numbers of readers (3 6 10)")
    add(
        "--cases",
        type=int,
        nargs="+",
        default=[50, 100, 200, 400, 800],
        metavar="N",
        help="numbers of cases (or quartets)",
    )
    add("--null", type=float, help="value to test against (.5; 0 for kappa; chance for quartets)")
    add("--margin", type=float, help="plan to show equivalence to the null value within this margin")
    add("--alpha", type=float, default=0.05, help="significance level (.05)")
    add("--target", type=float, default=0.8, help="desired power (.8)")
    add(
        "--reader-sd",
        type=float,
        help="how much skill varies between readers (see analysis.planning.roe_metz, .quartets)",
    )
    add("--leaning-sd", type=float, help="how much readers differ in their tendency to one answer")
    add("--case-share", type=float, help="share of the case variance that all readers have in common")
    add("--alternatives", type=int, help="quartets: how many images a trial shows (4)")
    add("--quartet-sd", type=float, help="quartets: how much their difficulty varies, in log odds (.5)")
    add("--ratio", type=float, help="threshold: ratio to another threshold that you want to detect (1.25)")
    add("--simulate", type=int, default=0, metavar="STUDIES", help="check every row with this many simulated studies")
    add("--seed", type=int, default=0, help="seed of the simulation (0)")
    add("--jobs", type=int, default=1, help="cores for the simulation; -1 = all (1)")
    add("--cluster", metavar="ADDRESS", help="Dask scheduler to distribute the simulation over machines")
    add("--looks", action="store_true", help="the numbers of readers (or cases) are those at each interim look")
    add("--spending", choices=sequential.SPENDING, default="obrien-fleming", help="how the interim looks spend alpha")
    add("--futility", type=float, help="stop for futility if the conditional power falls below this (not binding)")
    add(
        "--against",
        type=float,
        metavar="VALUE",
        help="plan to detect a difference: the value under the other condition",
    )
    add(
        "--by",
        choices=conditions.WAYS,
        default="same",
        help="with --against: which readers read which cases under which condition (same)",
    )
    add("--cap", type=int, metavar="N", help="divide the cases into anchored blocks of at most N per reader")
    add("--anchor", type=int, default=20, metavar="N", help="with --cap: cases that all readers read (20)")
    add("--read-by", type=int, default=2, metavar="N", help="with --cap: readers for each of the other cases (2)")
    add("--out", type=Path, metavar="DIR", help="folder for planning.csv, planning.svg and planning.png")
    add(
        "--register",
        type=Path,
        metavar="FILE",
        help="a TOML file with title, question ...: also write registration.md, .pdf and .json to --out",
    )
    return parser


def _run(options: argparse.Namespace) -> None:
    model = _model(options)
    if isinstance(model, Staircases):
        _thresholds(options, model)
        return
    if options.looks:
        _looks(options, model)
        return
    if options.against is not None or options.cap is not None:
        _shared_out(options, model)
        return
    settings: dict[str, Any] = {"margin": options.margin, "alpha": options.alpha, "model": model}
    if options.null is not None:
        settings["null"] = options.null
    rows = table(options.endpoint, options.value, options.readers, options.cases, **settings)
    if isinstance(model, Quartets):
        for row in rows:
            size = int(row["readers"]), int(row["cases"])
            for way in (exact_power, normal_power):
                row[way.__name__] = way(options.value, *size, model=model, alpha=options.alpha).value
    if options.simulate:
        if options.endpoint == "kappa":
            raise ValueError("--simulate: expected endpoint auc, accuracy or quartet")
        spread: dict[str, Any] = {
            "studies": options.simulate,
            "seed": options.seed,
            "jobs": options.jobs,
            "cluster": options.cluster,
        }
        for row in rows:
            readers, cases = int(row["readers"]), int(row["cases"])
            found = simulate(options.endpoint, options.value, readers, cases, **settings, **spread)
            row |= {"simulated_power": found.value, "coverage": found.coverage}
    first = power(options.endpoint, options.value, options.readers[0], options.cases[0], **settings)
    more = {"studies": options.simulate, "seed": options.seed} if options.simulate else {}
    # Report its problems before anything is written.
    draft = drafted(options, rows[0], model, first.method, null=first.extra["null"], **more)
    print(first.method)
    _print(rows)
    for search, held, sizes, wanted in (
        (smallest_cases, "readers", options.readers, "cases"),
        (smallest_readers, "cases", options.cases, "readers"),
    ):
        for size in sizes:
            least = search(options.endpoint, options.value, size, target=options.target, **settings)
            needed = least.reason or f"{least.value:g} {wanted}"
            said = f"power {options.target:g} with {size} {held}: {needed}"
            print(said.replace("cases", "quartets") if isinstance(model, Quartets) else said)
    if options.out:
        _write(rows, options)
    write_drafted(draft, options.out)


def _thresholds(options: argparse.Namespace, model: Staircases) -> None:
    """Power and precision of a staircase, by simulation only, because exposures depend on the answers."""
    rows, spread = [], {"studies": options.simulate or STUDIES, "seed": options.seed, "jobs": options.jobs}
    for readers in options.readers:
        for cases in options.cases:
            found = precision(
                options.value, readers, cases, model=model, ratio=options.ratio or 1.25, alpha=options.alpha, **spread
            )
            row = {"readers": readers, "cases": cases, "power": found.value or 0.0, "factor": found.factor}
            rows.append(row | {"coverage": found.coverage})
    more = {"ratio": options.ratio or 1.25, "studies": spread["studies"], "seed": options.seed}
    draft = drafted(options, rows[0], model, found.method, **more)
    print(found.method)
    _print(rows)
    for readers in options.readers:
        enough = [row["cases"] for row in rows if row["readers"] == readers and row["power"] >= options.target]
        needed = f"{min(enough)} cases" if enough else "more cases, or more readers, than these"
        print(f"power {options.target:g} with {readers} readers: {needed}")
    if options.out:
        _write(rows, options)
    write_drafted(draft, options.out)


def _shared_out(options: argparse.Namespace, model: RoeMetz | Quartets) -> None:
    """Two conditions, or cases in anchored blocks, by simulation only."""
    if not isinstance(model, RoeMetz) or options.endpoint not in ("auc", "accuracy"):
        raise ValueError("--against, --cap: expected the end point auc or accuracy")
    if options.against is not None and options.cap is not None:
        raise ValueError("--against, --cap: expected one of them")
    if options.margin is not None or options.null is not None:
        raise ValueError("--margin, --null: cannot be used with --against or --cap")
    if options.register and options.cap is not None:
        raise ValueError("--register: cannot be used with --cap, because such a plan has no test")
    spread, paired = {"studies": options.simulate or STUDIES, "seed": options.seed}, conditions.Paired(model)
    rows: list[dict[str, Any]] = []
    for readers in options.readers:
        if options.cap is not None:
            sharing = anchored.largest_pool(readers, options.cap, options.anchor, options.read_by)
            cost = anchored.loss(sharing, options.value, options.endpoint, model=model, **spread)
            row = {"readers": readers, "pool": sharing.pool, "each": sharing.each, "times_as_wide": cost.value or 0.0}
            rows.append(row | {"se": cost.anchored_sd, "se_crossed": cost.crossed_sd})
            continue
        for cases in options.cases:
            found = conditions.simulate(
                options.endpoint, options.value, options.against, readers, cases, by=options.by,
                model=paired, alpha=options.alpha, jobs=options.jobs, **spread,
            )  # fmt: skip
            row = {"readers": readers, "cases": cases, "power": found.value or 0.0}
            rows.append(row | {"difference": found.true_value, "se": found.figure_se, "coverage": found.coverage})
    draft = None
    if options.cap is None:
        read = rows[0]["cases"] + (rows[0]["cases"] // 2 if options.by == "sources" else 0)
        more = {"against": options.against, "by": options.by, "figure_se": rows[0]["se"], **spread}
        draft = drafted(options, rows[0] | {"cases": read}, paired, found.method, **more)
    print(cost.method if options.cap is not None else found.method)
    _print(rows)
    if options.out:
        _write_table(rows, options.out)
    write_drafted(draft, options.out)


def _looks(options: argparse.Namespace, model: RoeMetz | Quartets) -> None:
    """A plan with interim looks: boundaries, power, and results of simulated studies."""
    if options.endpoint not in looks.ENDPOINTS or not isinstance(model, RoeMetz):
        raise ValueError("--looks: expected the end point auc or accuracy")
    if options.margin is not None:
        raise ValueError("--margin: cannot be used with --looks, which test against chance")
    null = 0.5 if options.null is None else options.null
    planned = looks.plan(
        options.endpoint, options.readers, options.cases, null=null, model=model, alpha=options.alpha,
        spending=options.spending, futility=options.futility,
    )  # fmt: skip
    method = f"{len(planned.readers)} looks, {options.spending} spending of alpha {options.alpha:g}, two-sided"
    rows = looks.rows(planned, options.value, model)
    draft = drafted(options, rows[-1], model, method, null=null, looks=planned.as_dict())
    print(method)
    _print(rows)
    kept = planned.as_dict()
    if options.simulate:
        spread = {"model": model, "studies": options.simulate, "seed": options.seed, "jobs": options.jobs}
        for name, value in (("type I error", null), ("power", options.value)):
            found = looks.simulate(planned, value, **spread)
            ended = ", ".join(f"{count} at look {look}" for look, count in enumerate(found.stops, start=1))
            print(f"{name} {found.value:.3f} in {options.simulate} simulated studies; ended {ended}")
            print(f"  readers {found.readers_mean:.2f} on average; adjusted intervals hold in {found.coverage:.3f}")
            kept[name.replace(" ", "_")] = found.as_dict()
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "looks.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    write_drafted(draft, options.out)


def _print(rows: list[dict[str, Any]]) -> None:
    print("  ".join(f"{name:>15}" for name in rows[0]))
    for row in rows:
        print("  ".join(f"{entry:>15.3f}" if isinstance(entry, float) else f"{entry!s:>15}" for entry in row.values()))


def _model(options: argparse.Namespace) -> RoeMetz | Quartets | Staircases:
    """Return the model that the options describe. Raises ValueError for options of another model."""
    kinds: dict[str, tuple[Any, tuple[str, ...]]] = {
        "quartet": (Quartets, ("reader_sd", "quartet_sd", "alternatives")),
        "threshold": (Staircases, ("reader_sd",)),
    }
    kind, taken = kinds.get(options.endpoint, (RoeMetz, ("reader_sd", "leaning_sd", "case_share")))
    others = ("null", "margin", "cluster") if kind is Staircases else ("ratio",)
    for name in (*others, *OWN):
        if name not in taken and getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')}: cannot be used with the end point {options.endpoint}")
    given = {name: getattr(options, name) for name in taken}
    return kind(**{name: value for name, value in given.items() if value is not None})


def _write_table(rows: list[dict[str, Any]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "planning.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _write(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    _write_table(rows, options.out)
    aim = f" within {options.margin:g}" if options.margin else ""
    title = f"Power, true {options.endpoint.replace('auc', 'AUC')} {options.value:g}{aim}"
    for ending in ("svg", "png"):
        file, words = options.out / f"planning.{ending}", {"cases": "quartets"} if options.endpoint == "quartet" else {}
        draw_curve(rows, file, target=options.target, title=title, **words)
