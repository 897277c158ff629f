"""How real the images of each source looked: means, paired tests, a model of all ratings, equivalence, agreement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.designs.quartet.trials import REAL, Numbers, Trials
from analysis.statistics import linear_mixed, multiplicity, proportions, reader_tests
from analysis.statistics import realism as scales
from analysis.statistics.estimate import Estimate, undefined

NOT_RATED = "no image was rated"
UNITS = ("reader", "quartet")
POINTS = 4  # of the scale, unless a study has its own labels or a rating is higher


def realism(trials: Trials, points: int | None, margin: float, seed: int) -> dict[str, Any]:
    """Return all results for the ratings of realism, on a scale of `points` if known.

    `margin` is the equivalence margin as a share of the scale's length.
    """
    rows = trials.images[trials.images["realism"].notna()]
    points = max(points or POINTS, 0 if rows.empty else int(rows["realism"].max()))
    found: dict[str, Any] = {"rated": len(rows), "points": points, "margin": margin * (points - 1)}
    if rows.empty:
        nothing = {"by_source": {}, "tests": [], "equivalence": [], "friedman": {}, "icc": {}, "reason": NOT_RATED}
        return found | nothing | {"model": {"odds_ratios": {}, "reason": NOT_RATED}}
    named = [source for source in trials.sources if source != REAL]
    means = {unit: _means(trials, unit) for unit in UNITS}
    by_source, tests = _by_source(trials, points), _tests(means, named, seed)
    ordered = sorted(named, key=lambda source: (by_source[source]["value"] is None, by_source[source]["value"]))
    return found | {
        "by_source": by_source,
        "span": {"low": ordered[0] if ordered else None, "high": ordered[-1] if ordered else None},
        "tests": tests,
        "verdicts": {
            source: _verdict([line for line in tests if line["b"] == source and line["df"]]) for source in named
        },
        "equivalence": [
            {"a": REAL, "b": source, "unit": unit}
            | proportions.mean_equivalence(means[unit][:, 0] - means[unit][:, place], 0, found["margin"]).as_dict()
            for unit in UNITS
            for place, source in enumerate(named, start=1)
        ],
        "friedman": {
            unit: scales.friedman(means[unit]) if named else undefined("there is no synthetic source") for unit in UNITS
        },
        "model": _model(trials, named),
        "icc": scales.icc(trials.ratings()) if len(trials.readers) > 1 else {},
    }


def _means(trials: Trials, unit: str) -> Numbers:
    """Return the mean realism of each source, by reader or by quartet: units x sources, NaN where nothing was rated."""
    table = trials.images.pivot_table("realism", unit, "source", aggfunc="mean")
    names = trials.readers if unit == "reader" else trials.quartets
    return np.asarray(table.reindex(index=names, columns=trials.sources), dtype=np.float64)


def _by_source(trials: Trials, points: int) -> dict[str, Any]:
    """Return mean realism by source, with the interval of the linear mixed model, readers and images random."""
    rows = trials.images[trials.images["realism"].notna()]
    design = np.column_stack([(rows["source"] == source).astype(float) for source in trials.sources])
    fitted = linear_mixed.fit(rows["realism"], design, trials.sources, rows["reader"], rows["case"])
    found = {}
    for source in trials.sources:
        own, one = rows.loc[rows["source"] == source, "realism"], fitted.effects[source]
        found[source] = replace(one, p=None).as_dict() | {
            "mean": float(own.mean()) if len(own) else None,
            "sd": float(own.std()) if len(own) > 1 else None,
            "n": len(own),
            "counts": [int((own == point).sum()) for point in range(1, points + 1)],
        }
    return found


def _tests(means: dict[str, Numbers], named: list[str], seed: int) -> list[dict[str, Any]]:
    """Test real images against each source, by unit and method; the sources of one unit and method form a family."""

    def lines() -> Iterator[tuple[str, str, Estimate]]:
        for unit in UNITS:
            for place, source in enumerate(named, start=1):
                gaps = means[unit][:, 0] - means[unit][:, place]
                what = f"paired, over {unit}s"
                t = reader_tests.t_test(gaps, 0)
                yield unit, source, replace(t, method=f"t test, {what}")
                ranks = reader_tests.signed_rank(gaps, 0, seed)
                exact = "exact " if ranks.method.startswith("exact") else ""
                yield unit, source, replace(ranks, method=f"{exact}Wilcoxon signed-rank test, {what}")

    found: list[dict[str, Any]] = [
        {"a": REAL, "b": source, "unit": unit, "statistic": one.extra.get("statistic"), "p": None, "df": None}
        | {key: entry for key, entry in one.as_dict().items() if key in ("value", "ci", "p", "df", "method", "reason")}
        for unit, source, one in lines()
    ]
    families: dict[str, dict[str, float | None]] = {}
    for i, line in enumerate(found):
        families.setdefault(_family(line), {})[str(i)] = line["p"]
    for row in multiplicity.adjust(families):
        found[int(row.name)] |= {"family": row.family, "p_holm": row.holm}
    return found


def _verdict(tests: list[dict[str, Any]]) -> str:
    """Return whether a source looks less (or more) real according to the paired t tests over readers and over quartets.

    Both must agree; "unclear" if only one is significant. A rank test of seven or fewer readers cannot reject after
    Holm's correction.
    """
    found = [line.get("p_holm") is not None and line["p_holm"] < 0.05 for line in tests]
    ways = {(line.get("value") or 0.0) > 0 for line in tests}
    if not any(found):
        return "none"
    if not all(found) or len(ways) > 1:
        return "unclear"
    return "less" if ways == {True} else "more"


def _family(line: dict[str, Any]) -> str:
    return str(line["method"]).removeprefix("exact ")


def _model(trials: Trials, named: list[str]) -> dict[str, Any]:
    """Fit the sequential logit model of realism: the odds that each source looks more real, relative to real images."""
    rows = trials.images[trials.images["realism"].notna()]
    fixed = {source: (rows["source"] == source).astype(float).to_numpy() for source in named}
    random = {"reader": rows["reader"].to_numpy(), "image": rows["case"].to_numpy()}
    fitted = scales.sequential(rows["realism"].to_numpy(), fixed, random).as_dict()
    ratios: dict[str, Any] = {}
    for source in named:
        one = fitted["fixed"].get(source, {})
        ratios[source] = {"value": one.get("odds_ratio"), "ci": one.get("odds_ratio_ci"), "p": one.get("p")}
        ratios[source]["reason"] = one.get("reason")
    return fitted | {"odds_ratios": ratios}
