"""A small rating study whose readers marked places, as files: answers, marks, known faults and images."""

import csv
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

REASONS = ("teeth", "blur or noise", "overall look")
HEADER = ("reader", "trial", "case", "mark", "x", "y", "reason", "rating", "outcome", "is_training")


class Files(NamedTuple):
    """The files of a study."""

    responses: Path
    marks: Path
    faults: Path
    pool: Path


def study(folder: Path, readers: int = 4, cases: int = 12, seed: int = 0, ratings: bool = True) -> Files:
    """Every second case is synthetic and has one fault, near which most readers who see it mark; c2 is marked most."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    answers, marks = [], []
    faults = {f"c{n}": (*rng.uniform(0.3, 0.7, 2), 0.1, 0.2) for n in range(2, cases + 1, 2)}
    for r in range(1, readers + 1):
        for n in range(1, cases + 1):
            case, synthetic = f"c{n}", n % 2 == 0
            level = int(np.clip(rng.integers(3, 6) if synthetic else rng.integers(1, 5), 1, 5)) if n != 2 else 5
            trial, group = f"t{r}-{n}", ("new", "old")[r % 2]
            answers.append(
                (f"R{r}", group, trial, n, case, "synthetic" if synthetic else "real", "lab" * synthetic, level)
            )
            if level < 4:
                continue
            rating = int(rng.integers(2, 6)) if ratings else ""
            if synthetic:
                x, y, *_ = faults[case]
                for number in range(1, 3 + (n == 2)):
                    place = np.clip(rng.normal((x, y), 0.02), 0, 1)
                    marks.append((f"R{r}", trial, case, number, *place, REASONS[number % 2], rating, "marked", 0))
            elif r != 2:
                marks.append((f"R{r}", trial, case, 1, *rng.random(2), REASONS[2], rating, "marked", 0))
            else:
                marks.append((f"R{r}", trial, case, 0, "", "", "", "", "nothing", 0))
    marks.append(("R1", "practice", "c1", 1, 0.5, 0.5, "teeth", "", "marked", 1))
    columns = ("reader", "reader_group", "trial", "position", "case", "truth", "source", "level")
    write(folder / "responses.csv", columns, answers)
    write(folder / "marks.csv", HEADER, marks)
    known = {
        case: [{"kind": "stripes", "x": x, "y": y, "rx": rx, "ry": ry, "angle": 10}]
        for case, (x, y, rx, ry) in faults.items()
    }
    pool = folder / "pool"
    (pool / "images").mkdir(parents=True, exist_ok=True)
    (pool / "pool.json").write_text(json.dumps({"format": 1, "phantom": True, "width": 96, "height": 48}))
    (pool / "faults.json").write_text(json.dumps({"format": 1, "faults": known}))
    rows = [(f"c{n}", f"images/{n}.png", "real" if n % 2 else "synthetic") for n in range(1, cases + 1)]
    write(pool / "cases.csv", ("case", "file", "truth"), rows)
    for n in range(1, cases + 1):
        Image.fromarray(rng.integers(40, 200, (48, 96), dtype=np.uint8)).save(pool / "images" / f"{n}.png")
    return Files(folder / "responses.csv", folder / "marks.csv", pool / "faults.json", pool)


def write(path: Path, columns: tuple[str, ...], rows: list[tuple]) -> Path:
    """A CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path
