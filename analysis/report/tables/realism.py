"""The tables of realism ratings, in the report's order."""

from __future__ import annotations

from typing import Any

from analysis.report.tables.table import Cell, Row, Table, cells


def by_source(results: dict[str, Any]) -> Table:
    points = results["realism"]["points"]
    return Table(
        "realism",
        "Realism by source",
        "How many images were rated, how many received each point of the scale (the highest is the most realistic), "
        "and the mean with its 95 % interval, readers and images random.",
        ("source", "ratings", *(f"point {point}" for point in range(1, points + 1)), "mean realism"),
        [
            [
                name,
                *cells(("realism", "by_source", name), [("count", "n")]),
                *(Cell("count", ("realism", "by_source", name, "counts", i)) for i in range(points)),
                Cell("number_ci", ("realism", "by_source", name)),
            ]
            for name in results["realism"]["by_source"]
        ],
    )


def tests(results: dict[str, Any]) -> Table:
    wanted = [("text", "method"), ("number_ci",), ("number", "statistic"), ("df", "df"), ("p", "p"), ("p", "p_holm")]
    return Table(
        "realism_tests",
        "Realism: real images against each source",
        "Mean realism of the real images minus that of the source, paired by reader (the mean over quartets) or by "
        "quartet (the mean over readers), with 95 % intervals. Holm: p corrected for the sources, within one unit and "
        "method.",
        ("source", "method", "difference", "statistic", "df", "p", "Holm"),
        [
            [Cell("text", ("realism", "tests", i, "b")), *cells(("realism", "tests", i), wanted)]
            for i in range(len(results["realism"]["tests"]))
        ],
    )


def equivalence(results: dict[str, Any]) -> Table:
    wanted = [("text", "unit"), ("number_ci",), ("number", "margin"), ("p", "p")]
    return Table(
        "realism_equivalence",
        "Realism: equivalence of real images and each source",
        "Two one-sided t tests of whether the mean difference (real minus source) is within the margin, paired by "
        "reader or by quartet; 90 % intervals, which lie within the margin if p is below 5 %.",
        ("source", "paired by", "difference, 90 % interval", "margin", "p"),
        [
            [Cell("text", ("realism", "equivalence", i, "b")), *cells(("realism", "equivalence", i), wanted)]
            for i in range(len(results["realism"]["equivalence"]))
        ],
    )


def model(results: dict[str, Any]) -> Table:
    return Table(
        "realism_model",
        "Realism: one model of all ratings",
        "Odds ratios with 95 % intervals of the sequential logit, readers and images random: the odds that a rating "
        "goes beyond a point of the scale once it has reached it, compared with the real images. Below one, the "
        "source looks less real.",
        ("source", "odds ratio", "p"),
        [
            [name, *cells(("realism", "model", "odds_ratios", name), [("number_ci",), ("p", "p")])]
            for name in results["realism"]["model"]["odds_ratios"]
        ],
    )


def agreement(results: dict[str, Any]) -> Table:
    at = ("realism",)
    rows: list[Row] = [
        [
            f"Kendall's W of sources, over {unit}s (Friedman)",
            *cells((*at, "friedman", unit), [("number_ci",), ("p", "p")]),
        ]
        for unit in results["realism"]["friedman"]
    ]
    rows += [[name, *cells((*at, "icc", name), [("number_ci",), ("p", "p")])] for name in results["realism"]["icc"]]
    return Table(
        "realism_agreement",
        "Realism: differences between sources, agreement of readers",
        "Friedman's test of whether all sources, including the real images, are rated equally, with Kendall's W; "
        "intra-class "
        "correlations of single readers' (1) and of mean ratings (k) of one image: readers differ between images (1), "
        "agreement (A), consistency (C), with 95 % intervals and tests of 0.",
        ("figure", "value", "p"),
        rows,
    )


ORDER = (by_source, tests, equivalence, model, agreement)
