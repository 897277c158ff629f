"""A made-up crossover: readers judge cases without and with a hint, half of them the other way about."""

import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from analysis.responses import COLUMNS, load_csv
from analysis.responses import conditions as room

LEVELS = [-1.2, -0.3, 0.3, 1.2]


class Files(NamedTuple):
    responses: Path
    conditions: Path


def write(path: Path, columns: Any, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(columns), restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows(
    readers: int = 8,
    cases: int = 40,
    *,
    names: tuple[str, ...] = ("alone", "hinted"),
    helps: float = 0.8,
    later: float = 0.0,
    by: str = "same",
    seed: int = 0,
    right_hints: float = 0.8,
) -> list[dict[str, Any]]:
    """One row a trial, for both files. `helps`: by how much each condition after the first parts the classes more;
    `later`: the same for each further period; `by`: "same", "split" or "between", as the settings have it."""
    rng = np.random.default_rng(seed)
    truth = np.arange(cases) % 2
    case_part, hard = rng.normal(0, 0.5, cases), rng.random(cases) < right_hints
    hints = np.where(hard, truth, 1 - truth)
    found = []
    for r in range(readers):
        skill = 1.0 + rng.normal(0, 0.3)
        turn = r % len(names)
        sequence = [names[(turn + i) % len(names)] for i in range(len(names))]
        periods = sequence[:1] if by == "between" else sequence
        for period, condition in enumerate(periods, start=1):
            for place, case in enumerate(rng.permutation(cases)):
                if by == "split" and (case // 2 + r // len(names)) % len(periods) != period - 1:
                    continue
                gap = skill + helps * names.index(condition) + later * (period - 1)
                impression = (truth[case] - 0.5) * gap + case_part[case] + rng.normal()
                level = 1 + int(np.searchsorted(LEVELS, impression))
                hinted = condition == "hinted"
                found.append(
                    {"study": "cross", "design": "rating", "reader": f"R{r + 1}", "sitting": period}
                    | {"reader_group": "AB"[r // 2 % 2], "trial": f"{period}-{place + 1}", "position": place + 1}
                    | {"case": f"c{case}", "truth": ("real", "synthetic")[truth[case]], "level": level}
                    | {"response_ms": int(4000 * np.exp(rng.normal(-0.3 * hinted, 0.3)))}
                    | {"condition": condition, "period": period, "sequence": ">".join(periods)}
                    | {"hint": f"{0.1 + 0.8 * hints[case]:.1f}" if hinted else ""}
                )
    return found


def files(folder: Path, made: list[dict[str, Any]]) -> Files:
    """responses.csv and conditions.csv in a folder."""
    told = write(folder / "conditions.csv", room.COLUMNS, made)
    return Files(write(folder / "responses.csv", COLUMNS, made), told)


def study(folder: Path, **given: Any) -> Any:
    """The responses of such a study, loaded from its files."""
    both = files(folder, rows(**given))
    return load_csv(both.responses, both.conditions)
