"""`python -m generation train --recipe FILE`: run several trainings in turn, which may depend on earlier ones."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generation.errors import InputError
from generation.training import saved_states

SHIPPED = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Step:
    """One training of a recipe: the stage, the preset, and settings that override it by section."""

    name: str
    stage: str
    preset: str
    tables: dict[str, dict[str, Any]]


def names() -> list[str]:
    """Return the names of the recipes in the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def read(recipe: str, out: Path, stages: dict[str, str]) -> list[Step]:
    """Read the steps of a recipe in the package or a file; `{NAME}` in a setting becomes the folder of an earlier step.

    Raises InputError with every problem: unknown recipe, invalid TOML, a step without a stage, an unknown earlier step.
    """
    path = SHIPPED / f"{recipe}.toml" if recipe in names() else Path(recipe)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise InputError(f"--recipe {recipe}: neither a file nor one of {', '.join(names())}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from None
    steps: list[Step] = []
    folders: dict[str, str] = {}
    faults: list[str] = []
    for name, table in tables.items():
        stage = table.get("stage") if isinstance(table, dict) else None
        if stage not in list(stages):
            faults.append(f"[{name}]: stage: expected one of {', '.join(stages)}, found {stage!r}")
            continue
        sections = {key: value for key, value in table.items() if key not in ("stage", "preset")}
        try:
            sections = {key: _placed(value, folders) for key, value in sections.items()}
        except KeyError as error:
            faults.append(f"[{name}] names {{{error.args[0]}}}, which is not an earlier step")
        except (ValueError, LookupError, AttributeError):
            faults.append(
                f"[{name}]: braces in a setting: expected {{NAME}} of an earlier step; write {{{{ for a brace"
            )
        steps.append(Step(name, stage, str(table.get("preset", "recommended")), sections))
        folders[name] = str(out / name)
    if faults or not steps:
        raise InputError(f"{path}: this recipe cannot be used", faults or ["it has no steps"])
    return steps


def run(steps: list[Step], out: Path, resume: bool, train: Callable[[Step, Path, bool], None]) -> None:
    """Train every step into its folder below `out`. With `resume`, finished steps are skipped, and an interrupted one
    continues from its saved state. Raises InputError if steps exist and `resume` is False."""
    there = [step.name for step in steps if saved_states(out / step.name)]
    if there and not resume:
        raise InputError(
            f"{out} contains steps of a recipe ({', '.join(there)}); continue it with --resume, or give another"
        )
    for number, step in enumerate(steps, start=1):
        folder = out / step.name
        if (folder / "README.md").is_file():
            print(f"{step.name} ({number} of {len(steps)}): finished before")
            continue
        print(f"{step.name} ({number} of {len(steps)}): {step.stage}")
        train(step, folder, bool(saved_states(folder)))


def _placed(value: Any, folders: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _placed(entry, folders) for key, entry in value.items()}
    return value.format_map(folders) if isinstance(value, str) else value
