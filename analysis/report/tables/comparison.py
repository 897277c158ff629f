"""The tables of comparisons, in the report's order, their headline figure, and their answers in the workbook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analysis.report.tables import course
from analysis.report.tables.table import Cell, Pointer, Row, Table, cells, whole

ANSWERS = ("trial", "case", "source", "place", "criterion", "value", "position", "response_ms", "late")


def all_tables(results: dict[str, Any]) -> list[Table]:
    """Every table of the report, in its order."""
    return [make(results) for make in ORDER]


def headline(results: dict[str, Any]) -> list[tuple[str, str, Pointer]]:
    """Return the figures that a notebook shows first: words, style and place in the results."""
    return [
        (f"{name}: {one['preference']['first']} preferred", "share_ci", ("criteria", name, "preference", "clustered"))
        for name, one in results["criteria"].items()
    ]


def answer(row: Any) -> tuple[Any, ...]:
    """Return the answer to one image on one criterion, as a line of the workbook."""
    late = "late" if row.late == 1 else ""
    said = (row.trial, row.case, row.source, whole(row.place), row.criterion, row.value)
    return (*said, whole(row.position), whole(row.response_ms), late)


def _pairs(results: dict[str, Any]) -> Iterator[tuple[str, str, str, Pointer]]:
    """Yield criterion, first and second method of every pair, and its place in the results."""
    for name, one in results["criteria"].items():
        for i, pair in enumerate(one["pairs"]):
            yield name, pair["first"], pair["second"], ("criteria", name, "pairs", i)


def preferences(results: dict[str, Any]) -> Table:
    wanted = [("count", "better"), ("count", "same"), ("count", "worse"), ("share_ci", "clustered"), ("share_ci",)]
    wanted += [("p", "clustered", "p"), ("p", "p_holm"), ("p", "p")]
    return Table(
        "preferences",
        "Preferences",
        "How often the first method was ahead of the second, tied with it, and behind it. The share of preferences "
        "counts ties as one half and treats readers and cases as random; the exact share ignores ties and treats all "
        "answers as independent. In brackets: 95 % intervals. p: test against one half; Holm: corrected for the "
        "number of pairs under a criterion.",
        (
            *("criterion", "first", "second", "ahead", "level", "behind", "share preferred"),
            *("exact share, without ties", "p", "Holm", "exact p"),
        ),
        [[name, first, second, *cells(at, wanted)] for name, first, second, at in _pairs(results)],
    )


def ways(results: dict[str, Any]) -> Table:
    wanted = [("text", "method"), ("text", "speaks_of"), ("share_ci",), ("df", "df"), ("p", "p")]
    return Table(
        "ways",
        "Preferences, by method",
        "The same answers by several methods, and what each 95 % interval generalises to. The first row of each pair "
        "is the main result: answers by the same reader, or to the same case, are correlated, and the last row "
        "ignores this. Ties count as one half unless they are left out.",
        ("criterion", "first", "second", "method", "generalises to", "share preferred", "df", "p"),
        [
            [name, first, second, *cells((*at, "methods", i), wanted)]
            for name, first, second, at in _pairs(results)
            for i in range(len(results["criteria"][name]["pairs"][at[-1]]["methods"]))
        ],
    )


def strengths(results: dict[str, Any]) -> Table:
    rows: list[Row] = []
    for name, one in results["criteria"].items():
        for method in one["methods"]:
            at = ("criteria", name, "methods", method)
            rows.append([name, method, *cells(at, [("number_ci", "clustered"), ("number", "se")])])
    return Table(
        "strengths",
        "Strength of each method",
        "Bradley-Terry strengths on the log scale with mean 0, and ties by Davidson's model: the difference of two "
        "strengths is the log odds that one is preferred to the other. In brackets: 95 % intervals with readers and "
        "cases as clusters; the standard error treats all answers as independent.",
        ("criterion", "method", "strength", "SE, answers independent"),
        rows,
    )


def answers(results: dict[str, Any]) -> Table:
    rows: list[Row] = []
    for name, one in results["criteria"].items():
        for method, own in one["methods"].items():
            at = ("criteria", name, "methods", method)
            said = "mean" in own
            figure = Cell("number_ci", (*at, "mean")) if said else Cell("share_ci", (*at, "share_clustered"))
            lead = "mean" if said else next(w for w in ("better", "yes", "chosen") if w in own["counts"])
            rows.append([name, method, lead, figure])
    return Table(
        "answers",
        "Answers by method",
        "Answers about the images of each method: the share of better, yes or chosen, with readers and cases random, "
        "or the mean on the scale over readers, with 95 % intervals.",
        ("criterion", "method", "of", "share or mean"),
        rows,
    )


def counts(results: dict[str, Any]) -> Table:
    return Table(
        "counts",
        "Counts of answers",
        "How often each answer was given to the images of each method, by all readers together.",
        ("criterion", "method", "answer", "count"),
        [
            [
                name,
                method,
                f"point {word}" if one["kind"] == "scale" else word,
                Cell("count", ("criteria", name, "methods", method, "counts", word)),
            ]
            for name, one in results["criteria"].items()
            for method in one["methods"]
            for word in one["answers"]
        ],
    )


AGREEMENT = {
    "gwet_ac1": "Gwet's AC1",
    "gwet_ac2": "Gwet's AC2, quadratic weights",
    "fleiss_kappa": "Fleiss' kappa",
    "krippendorff_alpha": "Krippendorff's alpha",
    "percent_agreement": "Share of pairs of readers that agree",
}


def agreement(results: dict[str, Any]) -> Table:
    wanted = [("number_ci",), ("number", "se"), ("p", "p")]
    return Table(
        "agreement",
        "Agreement of all readers",
        "Agreement of readers on single images, or on single cases where one answer follows from the other, with 95 % "
        "intervals; except for the share of pairs, 0 is chance and 1 is perfect. Alpha is ordinal on scales and for "
        "better, same and worse; on scales, AC2 gives partial credit for near answers. p: test against no agreement "
        "beyond chance.",
        ("criterion", "coefficient", "estimate", "SE", "p"),
        [
            [name, words, *cells(("agreement", name, coefficient), wanted)]
            for name, found in results["agreement"].items()
            for coefficient, words in AGREEMENT.items()
            if coefficient in found
        ],
    )


def readers(results: dict[str, Any]) -> Table:
    names = list(results["criteria"])
    rows: list[Row] = []
    for reader in results["readers"]:
        at = ("readers", reader)
        own = cells(at, [("share_ci", "preferences", name) for name in names])
        about = cells(at, [("text", "group"), ("count", "n")])
        rows.append([reader, *about, *own, Cell("seconds", ("timing", "readers", reader))])
    return Table(
        "readers",
        "Readers",
        f"{_first(results)} With exact 95 % intervals over the cases of each reader.",
        ("reader", "group", "trials", *names, "median time"),
        rows,
    )


def _first(results: dict[str, Any]) -> str:
    methods = results["study"]["methods"]
    if len(methods) == 2:
        return f"How often {methods[0]} was preferred to {methods[1]} on each criterion, without ties."
    first = methods[0] if methods else "the first method"
    return (
        f"How often {first} was ahead of all other methods under each criterion, of the comparisons in which one "
        "method was ahead of all others; each comparison counts once."
    )


def groups(results: dict[str, Any]) -> Table:
    names = list(results["criteria"])
    members = results["groups"]["members"]
    return Table(
        "groups",
        "Groups of readers",
        f"{_first(results)} With exact 95 % intervals that treat all answers as independent. There is no test between "
        "the groups.",
        ("group", "readers", *names),
        [
            [
                group,
                Cell("count", ("groups", "members", group, "n")),
                *cells(("groups", "members", group), [("share_ci", "preferences", name) for name in names]),
            ]
            for group in members
        ],
    )


def places(results: dict[str, Any]) -> Table:
    rows: list[Row] = []
    stood: list[int] = []
    for name, one in results["places"].items():
        stood = one["places"]
        counts = [Cell("count", ("places", name, "counts", i)) for i in range(len(stood))]
        rows.append([name, *counts, Cell("p", ("places", name, "p"))])
    return Table(
        "places",
        "Places",
        "How often the image at each position was ahead of all others, and the chi-square test that this happened in "
        "proportion to how often an image was shown there, which treats all answers as independent. If every method "
        "is at each position equally often, a difference reflects the readers' preference for a position.",
        ("criterion", *(f"place {place}" for place in stood), "p"),
        rows if stood else [],
    )


def times(results: dict[str, Any]) -> Table:
    medians = results["timing"].get("medians", {})
    rows: list[Row] = [[name, Cell("seconds_ci", ("timing", "medians", name))] for name in medians]
    if results["timing"]:
        rows.append(["answered late", Cell("share_ci", ("timing", "late"))])
    return Table(
        "times",
        "Median time of a comparison, with all its criteria",
        "Median of the trials of all readers, with 95 % intervals based on order statistics, which refer to these "
        "readers only.",
        ("trials", "figure"),
        rows,
    )


def repeats(results: dict[str, Any]) -> Table:
    return Table(
        "repeats",
        "Agreement of each reader with themselves",
        "Share of the answers that were the same when a case was shown again, with 95 % Wilson intervals.",
        ("reader", "answers", "the same"),
        [[name, *cells(("repeats", name), [("count", "n"), ("share_ci",)])] for name in results["repeats"]],
    )


def cases(results: dict[str, Any]) -> Table:
    rows: list[Row] = []
    for i, one in enumerate(results["cases"]):
        for name, own in one["criteria"].items():
            at = ("cases", i, "criteria", name)
            ahead = [Cell("count", (*at, "ahead", method)) for method in own["ahead"]]
            rows.append([one["case"], name, Cell("count", (*at, "n")), *ahead, Cell("count", (*at, "level"))])
    return Table(
        "cases",
        "Cases",
        "For each case and criterion: how many readers answered, for how many of them each method was ahead of all "
        "others, and for how many none was.",
        ("case", "criterion", "readers", *results["study"]["methods"], "none ahead"),
        rows,
    )


def tests(results: dict[str, Any]) -> Table:
    wanted = [("text", "question"), ("text", "method"), ("share_ci",), ("number", "statistic"), ("df", "df")]
    wanted += [("p", "p"), ("p", "smallest_p"), ("p", "holm"), ("p", "benjamini_hochberg")]
    return Table(
        "tests",
        "Tests of preference",
        "Every test with the question that it answers. p is also corrected for the number of pairs and criteria "
        "within the same method, by the methods of Holm (controls the chance of any false finding) and of Benjamini "
        "and Hochberg (controls the share of false findings). The smallest p is the lowest value that this number of "
        "readers or cases can give.",
        ("pair", "question", "method", "share", "statistic", "df", "p", "smallest p", "Holm", "Benjamini-Hochberg"),
        [[Cell("text", ("tests", i, "name")), *cells(("tests", i), wanted)] for i in range(len(results["tests"]))],
    )


ORDER = (
    *(preferences, ways, strengths, answers, counts, agreement, readers, groups, places, times, repeats, cases, tests),
    course.flow,
)
