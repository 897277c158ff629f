"""The tables of a meta-analysis: its studies, the mean without each, and meta-regressions."""

from __future__ import annotations

from typing import Any

from analysis.report.tables.table import NOTHING, Cell, Row, Table


def studies(results: dict[str, Any]) -> Table:
    """Return one row per pooled study."""
    style = _style(results)
    rows: list[Row] = []
    for i, one in enumerate(results["studies"]):
        if one["weight"] is not None:
            at = ("studies", i)
            rows.append(
                [
                    one["name"],
                    *(str(one[name] or NOTHING) for name in ("year", "modality", "kind")),
                    *(Cell("count", (*at, name)) for name in ("readers", "real", "synthetic")),
                    Cell(style, at),
                    Cell("share", (*at, "weight")),
                    one["variance_from"],
                ]
            )
    return Table(
        "studies",
        "Pooled studies",
        "Intervals are calculated on the logit scale from the best standard error available, so they may differ from "
        "the published ones. Weight: the study's share of the mean.",
        ("study", "year", "images", "kind", "readers", "real", "synthetic", "result", "weight", "error from"),
        rows,
    )


def apart(results: dict[str, Any]) -> Table:
    """Return one row per study that is not pooled, with the reason."""
    rows: list[Row] = [
        [one["name"], str(one["modality"] or NOTHING), Cell("share", ("studies", i, "value")), one["reason"]]
        for i, one in enumerate(results["studies"])
        if one["weight"] is None
    ]
    return Table(
        "apart",
        "Studies that are not pooled",
        "With the reason. Missing figures were not estimated.",
        ("study", "images", "result", "reason"),
        rows,
    )


def without(results: dict[str, Any]) -> Table:
    """Return the mean without each study in turn."""
    rows: list[Row] = [
        [one["study"], Cell(_style(results), ("without", i))] for i, one in enumerate(results["without"])
    ]
    return Table(
        "without",
        "The mean without each study",
        "The mean should not depend on a single study.",
        ("without", "mean"),
        rows,
    )


def regression(results: dict[str, Any]) -> Table:
    """Return the coefficients of each meta-regression, on the logit scale."""
    rows: list[Row] = []
    for name, found in results["regression"].items():
        if "coefficients" not in found:
            rows.append([name, f"left out: {found['reason']}", NOTHING, NOTHING])
            continue
        for covariate in found["coefficients"]:
            if covariate != "constant":
                at = ("regression", name, "coefficients", covariate)
                rows.append([name, covariate, Cell("number_ci", at), Cell("p", (*at, "p"))])
    return Table(
        "regression",
        "Associations with the results",
        "Differences of logits by meta-regression (REML, Knapp-Hartung), one property at a time, over the studies for "
        "which it is known. The studies are few and were not designed to answer this.",
        ("property", "what is compared", "difference of logits", "p"),
        rows,
    )


def _style(results: dict[str, Any]) -> str:
    return "share_ci" if results["scale"] == "accuracy" else "number_ci"


ORDER = (studies, apart, without, regression)
