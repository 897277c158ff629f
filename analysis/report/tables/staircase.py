"""The tables of staircases, in the report's order, their headline figure, and their answers in the workbook."""

from __future__ import annotations

from typing import Any

from analysis.report.tables import course, panel
from analysis.report.tables import rating as ratings
from analysis.report.tables.table import Cell, Pointer, Row, Table, cells, find, whole

ANSWERS = (*ratings.ANSWERS, "staircase", "exposure_ms")
THRESHOLD = ("ms_ci", "threshold_ms")
WANTED: tuple[tuple[str, ...], ...] = (("text", "speaks_of"), ("ms_ci",))
OF_GROUP: tuple[tuple[str, ...], ...] = (("count", "n"), THRESHOLD, ("number_ci", "slope"))


def all_tables(results: dict[str, Any]) -> list[Table]:
    """Every table of the report, in its order."""
    return [make(results) for make in ORDER]


def headline(results: dict[str, Any]) -> list[tuple[str, str, Pointer]]:
    """Return the figures that a notebook shows first: words, style and place in the results."""
    return [
        ("Threshold", "ms_ci", ("overall", "threshold_ms")),
        ("Errors on real", "share_ci", ("overall", "errors", "real")),
        ("Errors on synthetic", "share_ci", ("overall", "errors", "synthetic")),
    ]


def answer(row: Any) -> tuple[Any, ...]:
    """Return one answer of a reader as a line of the workbook."""
    return (*ratings.answer(row), whole(row.block), whole(row.exposure_ms))


def readers(results: dict[str, Any]) -> Table:
    wanted: list[tuple[str, ...]] = [
        ("text", "group"),
        ("count", "n"),
        THRESHOLD,
        ("number_ci", "slope"),
        ("number_ci", "lapse"),
    ]
    wanted += [("ms", "reversals"), ("ms", "exposures", "q05"), ("ms", "exposures", "q95")]
    return Table(
        "readers",
        "Thresholds of the readers",
        "The exposure at which each reader is halfway between guessing and always being right, with the slope of the "
        "curve per natural log unit of exposure and the lapse rate, and 95 % profile-likelihood intervals over "
        "answers; an open limit is shown as 0 or a dash. Also, without a model: the geometric mean of the exposures "
        "at which the staircases turned. The last columns give the range of the middle 90 % of the exposures.",
        ("reader", "group", "answers", "threshold", "slope", "lapse rate", "reversals", "from", "to"),
        [[name, *cells(("readers", name), wanted)] for name in results["readers"]],
    )


def errors(results: dict[str, Any]) -> Table:
    wanted = [("share_ci", "errors", "real"), ("share_ci", "errors", "synthetic"), ("share_ci", "errors", "all")]
    rows: list[Row] = [
        [name, *cells(("readers", name), [*wanted, ("number", "dprime"), ("number", "criterion")])]
        for name in results["readers"]
    ]
    return Table(
        "errors",
        "Wrong answers on real and on synthetic images",
        "Shares of wrong answers with 95 % intervals: for single readers over answers (Wilson), for all readers over "
        "readers and cases. A staircase drives the overall share towards a fixed value, so it says little by itself; "
        "comparing real with synthetic images shows which answer readers prefer. d' and criterion: below zero, a "
        "tendency to call images synthetic.",
        ("reader", "real", "synthetic", "all", "d'", "criterion"),
        [*rows, ["all readers", *cells(("overall",), wanted), "", ""]],
    )


def overall(results: dict[str, Any]) -> Table:
    listed = results["overall"]["methods"]
    return Table(
        "overall",
        "The threshold of all readers, by method",
        "The exposure at which readers are halfway between guessing and always being right, by several methods, and "
        "what each 95 % interval generalises to; an open limit is shown as 0 or a dash. The first row is the main "
        "result: thresholds differ between readers, and the last row ignores this.",
        ("method", "generalises to", "threshold"),
        [
            [Cell("text", ("overall", "methods", i, "method")), *cells(("overall", "methods", i), WANTED)]
            for i in range(len(listed))
        ],
    )


def curve(results: dict[str, Any]) -> Table:
    wanted = [("ms", "from_ms"), ("ms", "to_ms"), ("count", "n"), ("count", "k"), ("share_ci",)]
    listed = {
        "all": ("overall", "curve"),
        "real": ("overall", "by_truth", "real"),
        "synthetic": ("overall", "by_truth", "synthetic"),
    }
    return Table(
        "curve",
        "Right answers by exposure",
        "Share of right answers in ranges of exposures with about equal numbers of answers, all readers pooled, with "
        "95 % intervals over answers (Wilson).",
        ("cases", "from", "to", "answers", "right", "share right"),
        [
            [name, *cells((*pointer, i), wanted)]
            for name, pointer in listed.items()
            for i in range(len(find(results, pointer) or ()))
        ],
    )


def groups(results: dict[str, Any]) -> Table:
    return Table(
        "groups",
        "Groups of readers",
        "Threshold of each group with 95 % intervals, readers random. With two or three readers it is unreliable; "
        "with only one reader whose exposures were measured, it refers to that reader alone. An open limit is shown "
        "as 0 or a dash.",
        ("group", "readers", "threshold", "slope"),
        [[name, *cells(("groups", "members", name), OF_GROUP)] for name in results["groups"]["members"]],
    )


def comparisons(results: dict[str, Any]) -> Table:
    ratio, listed = results["groups"]["ratio"], results["groups"]["comparisons"]
    which = f"{ratio['first']} to {ratio['second']}" if listed else ""
    return Table(
        "comparisons",
        "Difference between the groups' thresholds, by method",
        f"Ratio of the geometric mean thresholds ({which}) over the readers who have one, with 95 % intervals. The "
        "smallest p is the lowest value that this number of readers can give.",
        ("method", "ratio", "p", "smallest p"),
        [
            [
                Cell("text", ("groups", "comparisons", i, "method")),
                *cells(("groups", "comparisons", i), [("number_ci",), ("p", "p"), ("p", "smallest_p")]),
            ]
            for i in range(len(listed))
        ],
    )


def tests(results: dict[str, Any]) -> Table:
    wanted = [("text", "question"), ("text", "method"), ("share_ci",), ("number", "statistic"), ("p", "p")]
    wanted += [("p", "holm"), ("p", "benjamini_hochberg")]
    return Table(
        "tests",
        "Do readers prefer one answer?",
        "Errors on synthetic images minus errors on real images, in percentage points. For tests of single readers, p "
        "is also corrected for their number by the methods of Holm (controls the chance of any false finding) and of "
        "Benjamini and Hochberg (controls the share of false findings).",
        ("figure", "question", "method", "difference", "statistic", "p", "Holm", "Benjamini-Hochberg"),
        [[Cell("text", ("tests", i, "name")), *cells(("tests", i), wanted)] for i in range(len(results["tests"]))],
    )


ORDER = (
    *(readers, overall, curve, errors, groups, comparisons, panel.agreement, panel.agreement_pairs),
    *(course.order, course.medians, course.use, course.times, course.times_model),
    *(course.hardest, course.detector, course.cases, tests, course.flow),
)
