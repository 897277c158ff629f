"""How large must a study be? Results for the planning page, from `analysis.planning`, with an optional simulation."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from quiz_app import background
from quiz_app.designs import DESIGNS
from quiz_app.designs.design import Design
from quiz_app.errors import InvalidInputError
from quiz_app.settings import Settings

FOUND = "found.json"
STUDIES, STEPS = 1000, 20  # simulated studies, and the number of steps
MEASURES = {name: words for design in DESIGNS.values() for name, words in design.measures.items()}


@dataclass(frozen=True)
class Wish:
    """What is planned: `value` is the expected performance of the readers; with a margin, equivalence with chance."""

    measure: str = "auc"
    value: float = 0.6
    margin: float | None = None
    readers: int = 6
    cases: int = 200
    target: float = 0.8

    @property
    def design(self) -> Design:
        """The design of such a study."""
        return next(design for design in DESIGNS.values() if self.measure in design.measures)

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of `analysis.planning.power` other than the numbers."""
        return {"margin": self.margin}


def asked(said: Mapping[str, str]) -> Wish:
    """The wish described in a form with text fields. Raises InvalidInputError with every problem by field."""
    usual, faults = Wish(), []
    found: dict[str, Any] = {}
    measure = said.get("measure", usual.measure)
    if measure not in MEASURES:
        faults.append(f"measure: {measure!r} is not one of {', '.join(MEASURES)}")
    for name, kind, least, most in (
        ("value", float, 0.0, 1.0),
        ("margin", float, 0.001, 0.5),
        ("readers", int, 2, 200),
        ("cases", int, 4, 20_000),
        ("target", float, 0.5, 0.99),
    ):
        text = said.get(name, str(getattr(usual, name) or "")).strip()
        if name == "margin" and not text:
            continue
        try:
            found[name] = kind(text)
        except ValueError:
            faults.append(f"{name}: {text!r} is not a {'whole ' if kind is int else ''}number")
            continue
        if not least <= found[name] <= most:
            faults.append(f"{name}: {text} is not between {least:g} and {most:g}")
    if faults:
        raise InvalidInputError(faults)
    wish = Wish(measure, **found)
    try:
        _power(wish, wish.readers, wish.cases)
    except ValueError as bad:
        raise InvalidInputError([str(bad)]) from bad
    return wish


def _power(wish: Wish, readers: int, cases: int) -> Any:
    from analysis.planning import power

    return power(wish.measure, wish.value, readers, cases, **wish.settings)


@dataclass(frozen=True)
class Plan:
    """The result: power, half the width of the 95 % interval, method, and what more readers or cases would gain."""

    power: float
    half_width: float
    method: str
    by_readers: list[tuple[int, float]]
    by_cases: list[tuple[int, float]]
    readers_needed: int | None
    cases_needed: int | None


def reckon(wish: Wish) -> Plan:
    """Compute the plan by formula; see `analysis.planning.power`."""
    from analysis.planning import smallest_cases, smallest_readers

    own = _power(wish, wish.readers, wish.cases)
    few, many = max(2, wish.readers - 4), wish.readers + 6
    sizes = range(max(50, wish.cases // 2 // 50 * 50), wish.cases * 2 + 51, 50)
    whole = {"target": wish.target, **wish.settings}
    needed = smallest_readers(wish.measure, wish.value, wish.cases, **whole).value
    wanted = smallest_cases(wish.measure, wish.value, wish.readers, **whole).value
    return Plan(
        power=own.value or 0.0,
        half_width=own.extra["half_width"],
        method=own.method,
        by_readers=[(count, _power(wish, count, wish.cases).value or 0.0) for count in range(few, many + 1)],
        by_cases=[(size, _power(wish, wish.readers, size).value or 0.0) for size in sizes[:: max(1, len(sizes) // 12)]],
        readers_needed=None if needed is None else int(needed),
        cases_needed=None if wanted is None else int(wanted),
    )


def paragraph(wish: Wish, plan: Plan) -> str:
    """A paragraph on the sample size for an application to an ethics committee."""
    what = MEASURES[wish.measure].split(" (")[0].lower().replace("roc", "ROC").replace("fleiss", "Fleiss")
    cases = wish.design.noun
    halves = "" if wish.design.grouped else ", half of them real and half synthetic"
    aim = (
        f"to show that readers differ from chance by less than {wish.margin:g} (two one-sided tests at 5 %)"
        if wish.margin
        else "to show a difference from chance (two-sided test at 5 %)"
    )
    return (
        f"{wish.readers} readers will each judge {wish.cases} {cases}{halves}. If the {what} is truly {wish.value:g}, "
        f"the study has a power of {100 * plan.power:.0f} % {aim}, and the 95 % confidence interval is expected to "
        f"reach {plan.half_width:.3f} to either side of the estimate. Readers and {cases} are taken as random "
        f"samples, so that the result holds for other readers and {cases} like these. Method: {plan.method}."
    )


def home(settings: Settings, wish: Wish) -> Path:
    """The folder for the simulation of a wish; the same wish is simulated only once."""
    digest = hashlib.sha256(json.dumps(asdict(wish), sort_keys=True).encode()).hexdigest()[:16]
    return settings.instance / "plans" / digest


def simulate(settings: Settings, wish: Wish) -> None:
    """Simulate the wish in the background, unless this has been done or is in progress. Returns at once."""
    folder = home(settings, wish)
    if wish.measure != "kappa" and background.claim(folder):
        background.start(
            "quiz_app.study.planning", folder, json.dumps(asdict(wish)),
            instance=settings.instance, database_url=settings.database_url,
        )  # fmt: skip


def simulated(settings: Settings, wish: Wish) -> dict[str, Any] | None:
    """The result of the simulation: power, its 95 % interval, coverage, studies; None before it is finished."""
    work = background.find(home(settings, wish))
    if work is None or work.state != "done":
        return None
    return json.loads((home(settings, wish) / FOUND).read_text("utf-8"))


def _work(folder: Path, wish: Wish) -> None:
    """Simulate in steps, each with its own seed: the work of the process."""
    from analysis.planning import simulate
    from analysis.statistics.proportions import interval

    with background.working(folder, ValueError) as progress:
        shown = held = tested = 0
        for step in range(STEPS):
            progress(step / STEPS, f"{step * STUDIES // STEPS} of {STUDIES} studies simulated")
            found = simulate(
                wish.measure, wish.value, wish.readers, wish.cases, studies=STUDIES // STEPS, seed=step, **wish.settings
            )
            each = STUDIES // STEPS - found.extra["undefined"]
            shown += round((found.value or 0.0) * STUDIES / STEPS)
            held, tested = held + round((found.extra["coverage"] or 0.0) * each), tested + each
        power = interval(shown, STUDIES)
        told = {"power": power.value, "ci": list(power.ci or ()), "coverage": held / tested if tested else None}
        (folder / FOUND).write_text(json.dumps(told | {"studies": STUDIES}), "utf-8")


if __name__ == "__main__":
    _work(Path(sys.argv[1]), Wish(**json.loads(sys.argv[2])))
