"""The figures of the report, one module each.

A module has TITLE; `lacking(results)`, a reason why the figure cannot be drawn, or None; `caption(results)`;
`numbers(results)`, what is drawn, as rows; and `draw(results)`, a matplotlib Figure. All read results.json only.
"""

from __future__ import annotations

import csv
import io
import pickle
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.designs import find
from analysis.responses.formulas import defused

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawn:
    """A figure of the report; if it could not be drawn, it has no `image`, and `reason` says why.

    `numbers` are the drawn numbers as CSV text; `kind` is the media type of `image`; `wide`: two columns of a journal.
    """

    name: str
    title: str
    caption: str
    numbers: str = ""
    image: bytes = b""
    kind: str = "image/svg+xml"
    wide: bool = False
    reason: str | None = None


def names(results: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the figures for these results: those of the design, and those of optional parts."""
    found = find(results["design"]).figures + (("marks_reasons",) if "marks" in results else ())
    found += ("bayes_predictive",) if "bayes" in results else ()
    if results["design"] == "rating" and "sources" in results:
        found += ("sources_forest", "sources_readers")
    return found + (("conditions",) if "reason" not in results.get("conditions", {"reason": ""}) else ())


def title(name: str) -> str:
    """Return the title of the figure of this name. Raises ModuleNotFoundError if there is none."""
    return import_module(f"{__name__}.{name}").TITLE


def draw(name: str, results: dict[str, Any]) -> Figure:
    """Return a matplotlib figure. Raises ValueError with the reason if it cannot be drawn."""
    module, reason = _module(name, results)
    if reason:
        raise ValueError(f"{module.TITLE}: {reason}")
    return _drawn(module, results)


def make(name: str, results: dict[str, Any], folder: Path) -> Drawn:
    """Draw one figure into `folder` as NAME.svg, NAME.png and NAME.csv (its numbers)."""
    from analysis.report.figures import style

    module, reason = _module(name, results)
    if reason:
        return Drawn(name, module.TITLE, "", reason=reason)
    import matplotlib

    figure = _drawn(module, results)
    with matplotlib.rc_context(style.RC):
        style.save(figure, folder / name)
    numbers = as_csv(module.numbers(results))
    (folder / f"{name}.csv").write_text(numbers, encoding="utf-8", newline="")
    wide = figure.get_figwidth() > style.SINGLE * 1.5
    return Drawn(name, module.TITLE, module.caption(results), numbers, (folder / f"{name}.svg").read_bytes(), wide=wide)


def _module(name: str, results: dict[str, Any]) -> tuple[Any, str | None]:
    """Return the module of a figure, and the reason if it cannot be drawn."""
    module = import_module(f"analysis.report.figures.{name}")
    answered = "readers" not in results or any(reader["n"] for reader in results["readers"].values())
    return module, module.lacking(results) if answered else "no reader has answered"


def _drawn(module: Any, results: dict[str, Any]) -> Figure:
    import matplotlib

    from analysis.report.figures import style

    with matplotlib.rc_context(style.RC):
        return module.draw(results)


def make_all(
    names: Sequence[str],
    results: dict[str, Any],
    folder: Path,
    workers: int = 2,
    done: Callable[[], object] = lambda: None,
) -> list[Drawn]:
    """Draw the figures of these names, `workers` at a time in separate processes; `done` is called after each.

    Raises OSError if such a process ends unexpectedly.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    if workers < 2:
        for name in names:
            drawn.append(make(name, results, folder))
            done()
        return drawn
    # Spawn processes: forking one that has threads (a server) may deadlock. They read the results from a file: if one
    # died at its start, we would wait forever to send data that does not fit into a pipe.
    with tempfile.TemporaryDirectory(prefix="discern-") as name:
        handed = Path(name) / "results.pickle"
        handed.write_bytes(pickle.dumps(results))
        try:
            with ProcessPoolExecutor(workers, get_context("spawn"), _take, (handed,)) as pool:
                for figure in pool.map(_make, names, [folder] * len(names)):
                    drawn.append(figure)
                    done()
        except BrokenProcessPool:
            raise OSError("a drawing process ended unexpectedly, perhaps because memory ran out") from None
    return drawn


_RESULTS: dict[str, Any] = {}  # of a drawing process


def _take(handed: Path) -> None:
    _RESULTS.update(pickle.loads(handed.read_bytes()))


def _make(name: str, folder: Path) -> Drawn:
    return make(name, _RESULTS, folder)


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as CSV text: numbers at full precision, text never as a formula."""
    if not rows:
        return ""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: defused(entry) for name, entry in row.items()} for row in rows)
    return out.getvalue()
