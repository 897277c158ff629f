"""Pairs of conditions: over readers and cases, for each reader, by group, and by whether the hint was right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.designs.conditions.readings import Readings
from analysis.designs.rating.panel import BOTH, CASES, READERS
from analysis.statistics import crossover as crossing
from analysis.statistics import few_readers, mrmc, multiplicity, resampling, roc
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.readings import as_readings, figures

Cube = NDArray[np.float64]
# The Brier score is a mean of squared errors between 0 and 1, like credits; lower is better.
ENDPOINTS = {"auc": "auc", "accuracy": "accuracy", "brier": "accuracy"}
HINTED = "accuracy"


def alone(cube: Readings, scores: Mapping[str, Cube]) -> dict[str, dict[str, Any]]:
    """Return the results of each condition by itself: readers, and each figure over readers and cases."""
    return {
        name: {"readers": int(cube.read[m].sum())}
        | {
            figure: _mean_of(given[m][cube.read[m]], cube.truth, figure)
            if cube.read[m].any()
            else undefined("no reader answered under this condition")
            for figure, given in scores.items()
        }
        for m, name in enumerate(cube.names)
    }


def _mean_of(scores: Cube, truth: NDArray[np.int_], figure: str) -> Estimate:
    one = few_readers.leading(mrmc.obuchowski_rockette(scores, truth, endpoint=ENDPOINTS[figure]))
    return replace(one, ci=one.ci and (max(0.0, one.ci[0]), min(1.0, one.ci[1])))


def led(usual: Estimate, freedom: int, reach: float = 1.0) -> Estimate:
    """Return the difference that the report quotes: Welch's critical values for few readers, cut to its possible range.

    `usual` and `freedom` as for `few_readers.difference`; `reach`: the largest possible difference.
    """
    return _cut(few_readers.leading_difference(usual, freedom), reach)


def _cut(one: Estimate, reach: float = 1.0) -> Estimate:
    return replace(one, ci=one.ci and (max(-reach, one.ci[0]), min(reach, one.ci[1])))


def standing(cube: Readings) -> str:
    """Return how reliable the interval of a difference is, like `few_readers.standing` for means."""
    read, cases = cube.read, np.isfinite(cube.levels).sum(axis=2)
    freedom = int(read.all(axis=0).sum()) - 1 if cube.within else int(read.any(axis=0).sum()) - len(cube.names)
    return few_readers.standing(freedom + 1, int(cases[read].min()))


def differences(cube: Readings, scores: Mapping[str, Cube], bootstrap: int, seed: int) -> list[dict[str, Any]]:
    """Return every later condition minus every earlier one, by figure: the main estimate, and those by other methods.

    `holm` is corrected for the number of pairs of one figure.
    """
    found = []
    for figure, given in scores.items():
        lines = []
        for a, b in combinations(range(len(cube.names)), 2):
            methods = _by_all(cube, given, figure, a, b, bootstrap, seed)
            told = [{"speaks_of": reach, **one.as_dict()} for one, reach in methods]
            lines.append(_named(cube, figure, a, b) | methods[0][0].as_dict() | {"methods": told})
        corrected = multiplicity.adjust({figure: {str(i): line.get("p") for i, line in enumerate(lines)}})
        found += [lines[int(row.name)] | {"holm": row.holm} for row in corrected]
    return found


def joint(cube: Readings, scores: Mapping[str, Cube]) -> dict[str, Estimate] | None:
    """Test whether any of three or more conditions differ; None for two."""
    if len(cube.names) < 3:
        return None
    if cube.within:
        return {
            figure: mrmc.obuchowski_rockette(given, cube.truth, endpoint=ENDPOINTS[figure])
            for figure, given in scores.items()
        }
    met = [cube.names[int(m)] if any_read else None for m, any_read in _met(cube)]
    return {
        figure: mrmc.compare_groups(_merged(given), cube.truth, met, endpoint=ENDPOINTS[figure])
        for figure, given in scores.items()
    }


def _by_all(
    cube: Readings, given: Cube, figure: str, a: int, b: int, bootstrap: int, seed: int
) -> list[tuple[Estimate, str]]:
    """Return condition b minus condition a by every method, the main one first, with what each generalises to."""
    endpoint, truth = ENDPOINTS[figure], cube.truth
    if cube.within:
        both = np.stack([given[b], given[a]])
        usual = mrmc.obuchowski_rockette(both, truth, endpoint=endpoint)
        first = led(usual, _readers(usual) - 1)
        beside = [usual] if usual.method != first.method else []
        if np.isfinite(both).all(axis=0).any():  # with split cases their interval covers in only 80 to 94 % of studies
            beside.append(mrmc.ustatistics(both, truth, endpoint=endpoint))
        found = [
            (first, BOTH),
            *((one, BOTH) for one in beside),
            (resampling.paired_bootstrap(given[b], given[a], truth, endpoint, bootstrap, seed), BOTH),
            (mrmc.obuchowski_rockette(both, truth, readers="fixed", endpoint=endpoint), CASES),
            (mrmc.obuchowski_rockette(both, truth, cases="fixed", endpoint=endpoint), READERS),
        ]
        return [(_cut(one), reach) for one, reach in found]
    own = [given[m][cube.read[m]] for m in (b, a)]
    rows, groups = np.concatenate(own), [cube.names[b]] * len(own[0]) + [cube.names[a]] * len(own[1])
    apart = np.full((2, *rows.shape), np.nan)
    apart[0, : len(own[0])], apart[1, len(own[0]) :] = own
    usual = mrmc.compare_groups(rows, truth, groups, endpoint=endpoint)
    first = led(usual, _readers(usual) - 2)
    found = [
        (first, BOTH),
        *((one, BOTH) for one in ([usual] if usual.method != first.method else [])),
        (mrmc.ustatistics(apart, truth, endpoint=endpoint), BOTH),
        (resampling.crossed_bootstrap(rows, truth, endpoint, bootstrap, seed, rule=None, groups=groups), BOTH),
    ]
    return [(_cut(one), reach) for one, reach in found]


def _readers(found: Estimate) -> int:
    """Return the number of readers behind an estimate."""
    return int(found.extra.get("readers", 0))


def crossover(cube: Readings, scores: Mapping[str, Cube]) -> dict[str, Any]:
    """Estimate effects of condition, period and carry-over for two conditions in two periods; else give a reason."""
    if len(cube.names) != 2:
        return {"reason": "with more than two conditions, the mixed model estimates period and carry-over effects"}
    turned = cube.turned(0, 1)
    found: dict[str, Any] = {"first_first": int((~turned).sum()), "second_first": int(turned.sum())}
    for figure, given in scores.items():
        in_turn = np.where(turned[None, :, None], given[::-1], given)
        effects = crossing.two_periods(in_turn, cube.truth, turned, endpoint=ENDPOINTS[figure])
        found[figure] = {name: led(one, _in_sequences(one), 2.0) for name, one in effects._asdict().items()}
        found[figure]["condition"] = _cut(found[figure]["condition"])
    return found


def _in_sequences(one: Estimate) -> int:
    return sum(one.extra.get("readers", {}).values()) - 2


def readers(cube: Readings, scores: Mapping[str, Cube], sequences: Mapping[str, str]) -> dict[str, Any]:
    """Each reader's figures under each condition, and their differences; `worse`: who did worse with the later one.

    Areas are compared by DeLong's paired test, means by the deviations of the cases that were read both times; both
    generalise over cases, for this reader.
    """
    found: dict[str, Any] = {}
    for r, name in enumerate(cube.readers):
        one = {
            condition: {figure: _own(given[m, r], cube.truth, figure) for figure, given in scores.items()}
            for m, condition in enumerate(cube.names)
            if cube.read[m, r]
        }
        lines = []
        for a, b in combinations(np.flatnonzero(cube.read[:, r]).tolist(), 2):
            for figure, given in scores.items():
                gap = _cut(_reader_gap(given[b, r], given[a, r], cube.truth, figure))
                better = -1 if figure == "brier" else 1
                worse = None if gap.value is None else bool(better * gap.value < 0)
                lines.append(_named(cube, figure, a, b) | gap.as_dict() | {"worse": worse})
        about = {"group": cube.groups[r] or None, "sequence": sequences.get(name)}
        found[name] = about | {"figures": one, "differences": lines}
    return found


def _own(row: NDArray[np.float64], truth: NDArray[np.int_], figure: str) -> dict[str, Any]:
    read = ~np.isnan(row)
    value = roc.auc(row, truth).value if figure == "auc" else float(row[read].mean()) if read.any() else None
    return {"value": value, "n": int(read.sum())}


def _reader_gap(
    later: NDArray[np.float64], earlier: NDArray[np.float64], truth: NDArray[np.int_], figure: str
) -> Estimate:
    """Return one reader's difference; if no case was read twice, only its value, with a reason."""
    if not (~np.isnan(later) & ~np.isnan(earlier)).any():
        values = [_own(row, truth, figure)["value"] for row in (later, earlier)]
        if None in values:
            return undefined("no case of each class was read under both conditions")
        return Estimate(values[0] - values[1], reason="the cases differ between the two conditions")
    if figure == "auc":
        return roc.compare(later, earlier, truth)
    both = np.stack([later[None], earlier[None]])
    return mrmc.obuchowski_rockette(both, truth, readers="fixed", endpoint=ENDPOINTS[figure])


def groups(cube: Readings, scores: Mapping[str, Cube]) -> dict[str, Any]:
    """Return the differences within each group of readers, and whether they differ between two groups."""
    named = sorted({group for group in cube.groups if group})
    labels = np.array(cube.groups, dtype=object)
    found: dict[str, Any] = {"members": {}, "interaction": []}
    if len(named) < 2 or not cube.within:
        why = "there are fewer than two groups" if cube.within else "each reader read under only one condition"
        return found | {"reason": why}
    for group in named:
        own = labels == group
        found["members"][group] = {"n": int(own.sum()), "differences": []}
        for figure, given in scores.items():
            for a, b in combinations(range(len(cube.names)), 2):
                both = np.stack([given[b][own], given[a][own]])
                gap = mrmc.obuchowski_rockette(both, cube.truth, endpoint=ENDPOINTS[figure])
                gap = led(gap, _readers(gap) - 1)
                found["members"][group]["differences"].append(_named(cube, figure, a, b) | _short(gap))
    if len(named) == 2:
        for figure, given in scores.items():
            for a, b in combinations(range(len(cube.names)), 2):
                gaps, influence, usable = _gaps(np.stack([given[b], given[a]]), cube.truth, figure)
                told = [group if ok else None for group, ok in zip(cube.groups, usable, strict=True)]
                effect = crossing.contrast(gaps, influence, told, {named[1]: 1.0, named[0]: -1.0})
                effect = led(effect, _in_sequences(effect), 2.0)
                line = _named(cube, figure, a, b) | {"first": named[1], "second": named[0]}
                found["interaction"].append(line | effect.as_dict())
    return found


def hints(cube: Readings, credits: Cube, told: Mapping[str, Mapping[str, bool | None]]) -> dict[str, Any] | None:
    """Return differences in accuracy on cases with a right and with a wrong hint; None if no reader saw a hint.

    `told`: condition -> case -> whether its hint was right; None if it points neither way.
    """
    if not told:
        return None
    found: dict[str, Any] = {"conditions": {}, "differences": []}
    for name, of_case in told.items():
        verdicts = np.array([of_case.get(case) for case in cube.cases], dtype=object)
        right, wrong = verdicts == True, verdicts == False  # noqa: E712  # None is neither
        neither = sum(case in of_case for case in cube.cases) - int(right.sum() + wrong.sum())
        found["conditions"][name] = {"right": int(right.sum()), "wrong": int(wrong.sum()), "neither": neither}
        b = cube.names.index(name)
        for a in (m for m, other in enumerate(cube.names) if other not in told):
            if not cube.within:
                continue
            line = _named(cube, HINTED, a, b)
            sides = [np.where(side, np.stack([credits[b], credits[a]]), np.nan) for side in (right, wrong)]
            for hint, both in zip(("right", "wrong"), sides, strict=True):
                gap = mrmc.obuchowski_rockette(both, cube.truth, endpoint="accuracy")
                gap = led(gap, _readers(gap) - 1)
                means = {key: _mean(one) for key, one in (("with", both[0]), ("without", both[1]))}
                found["differences"].append(line | {"hint": hint} | means | _short(gap))
            found["differences"].append(line | {"hint": "right less wrong"} | _interaction(sides, cube.truth).as_dict())
    return found


def _interaction(sides: list[Cube], truth: NDArray[np.int_]) -> Estimate:
    """Return the difference on cases with right hints minus that on cases with wrong ones, readers and cases random."""
    parts = [_gaps(side, truth, "accuracy") for side in sides]
    usable = parts[0][2] & parts[1][2]
    if not usable.any():
        return undefined("no reader has differences both on cases with right and on cases with wrong hints")
    gap, influence = ((parts[0][i] - parts[1][i])[usable] for i in (0, 1))
    return led(mrmc.of_figures(gap, influence, "difference of differences", null=0.0), len(gap) - 1, 2.0)


def _gaps(both: Cube, truth: NDArray[np.int_], figure: str) -> tuple[Cube, Cube, NDArray[np.bool_]]:
    """Each reader's difference between two conditions and its influence (0 if undefined), and where it is defined."""
    found = figures(as_readings(both, truth, ENDPOINTS[figure]), ENDPOINTS[figure], "jackknife")
    usable = np.array([reader not in found.reasons for reader in range(both.shape[1])], dtype=bool)
    value, influence = found.value[0] - found.value[1], found.influence[0] - found.influence[1]
    return np.where(usable, value, 0.0), np.where(usable[:, None], influence, 0.0), usable


def _named(cube: Readings, figure: str, a: int, b: int) -> dict[str, Any]:
    return {"condition": cube.names[b], "against": cube.names[a], "figure": figure}


def _short(estimate: Estimate) -> dict[str, Any]:
    """Return an estimate without the components of each group."""
    told = estimate.as_dict()
    return {key: told[key] for key in ("value", "se", "ci", "p", "df", "reason", "method") if key in told}


def _mean(credits: Cube) -> float | None:
    read = ~np.isnan(credits)
    return float(credits[read].mean()) if read.any() else None


def _met(cube: Readings) -> list[tuple[int, bool]]:
    """Return the condition of each reader, if each read under one only, and whether there is one."""
    return [(int(column.argmax()), bool(column.any())) for column in cube.read.T]


def _merged(given: Cube) -> Cube:
    """Return readers x cases for readers who read under one condition each; NaN where nothing was read."""
    read = ~np.isnan(given)
    return np.where(read.any(axis=0), np.where(read, given, 0.0).sum(axis=0), np.nan)
