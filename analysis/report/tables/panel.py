"""The tables of all readers together: means, groups, agreement, tests."""

from __future__ import annotations

from typing import Any

from analysis.report.tables.table import RULES, Cell, Pointer, Row, Table, cells, find

Wanted = list[tuple[str, ...]]


def _by_method(results: dict[str, Any], pointer: Pointer, before: Wanted, style: str, after: Wanted) -> list[Row]:
    """A row for each estimate in the list at `pointer`: its figure, cells before it, itself in `style`, cells after."""
    return [
        [
            "AUC" if one["figure"] == "auc" else one["figure"],
            *cells((*pointer, i), before),
            Cell("number_ci" if one["figure"] == "auc" else style, (*pointer, i)),
            *cells((*pointer, i), after),
        ]
        for i, one in enumerate(find(results, pointer))
    ]


def overall(results: dict[str, Any]) -> Table:
    return Table(
        "overall",
        "Mean over the readers, by method",
        f"Mean AUC and mean accuracy ({RULES[results['settings']['unsure']]}) of the readers by several methods, and "
        "what each 95 % interval generalises to. p: test of the mean against one half.",
        ("figure", "method", "generalises to", "mean", "SE", "df", "p"),
        _by_method(
            results,
            ("overall", "methods"),
            [("text", "method"), ("text", "speaks_of")],
            "share_ci",
            [("number", "se"), ("df", "df"), ("p", "p")],
        ),
    )


def groups(results: dict[str, Any]) -> Table:
    rule = results["settings"]["unsure"]
    wanted = [("count", "n"), ("share_ci", "accuracy", rule), ("number_ci", "auc")]
    return Table(
        "groups",
        "Groups of readers",
        f"Mean accuracy ({RULES[rule]}) and mean AUC of each group with 95 % intervals over readers and cases.",
        ("group", "readers", "accuracy", "AUC"),
        [[name, *cells(("groups", "members", name), wanted)] for name in results["groups"]["members"]],
    )


def comparisons(results: dict[str, Any]) -> Table:
    rows = _by_method(
        results,
        ("groups", "comparisons"),
        [("text", "question"), ("text", "method")],
        "share_ci",
        [("df", "df"), ("p", "p"), ("p", "smallest_p")],
    )
    difference = results["groups"]["difference"]
    which = f"{difference['first']} minus {difference['second']}" if rows else ""
    return Table(
        "comparisons",
        "Difference between the groups, by method",
        f"Difference of the groups' means ({which}; for accuracy in percentage points) with 95 % intervals. The "
        "methods answer different questions and may disagree. The smallest p is the lowest value that this number of "
        "readers or replicates can give.",
        ("figure", "question", "method", "difference", "df", "p", "smallest p"),
        rows,
    )


def experience(results: dict[str, Any]) -> Table:
    return Table(
        "experience",
        "Years of experience",
        "Correlation of the readers' accuracy and AUC with the years of experience that they stated.",
        ("figure", "method", "correlation", "p"),
        _by_method(results, ("experience",), [("text", "method")], "number_ci", [("p", "p")]),
    )


CERTAIN = {"full": "fully", "partial": "partially"}
AGREEMENT: tuple[tuple[str, ...], ...] = (
    ("Fleiss' kappa", "five levels", "fleiss_kappa", "five_level"),
    ("Fleiss' kappa", "real, unsure, synthetic", "fleiss_kappa", "three_level"),
    ("Fleiss' kappa", "two, unsure as real", "fleiss_kappa", "unsure_as_real"),
    ("Fleiss' kappa", "two, unsure as synthetic", "fleiss_kappa", "unsure_as_synthetic"),
    ("Gwet's AC1", "five levels", "gwet_ac1", "five_level"),
    ("Gwet's AC2", "five levels, quadratic weights", "gwet_ac2"),
    ("Krippendorff's alpha", "five levels, nominal", "krippendorff_alpha", "nominal"),
    ("Krippendorff's alpha", "five levels, ordinal", "krippendorff_alpha", "ordinal"),
    ("Krippendorff's alpha", "five levels, interval", "krippendorff_alpha", "interval"),
)


def agreement(results: dict[str, Any]) -> Table:
    measured = results["agreement"]
    wanted = [("number_ci",), ("number", "se"), ("p", "p")]
    listed = [*AGREEMENT]
    listed += [("Fleiss' kappa", f"five levels, {name} cases only", "by_class", name) for name in measured["by_class"]]
    listed += [("Fleiss' kappa", f"five levels, group {name} only", "by_group", name) for name in measured["by_group"]]
    for name in measured["by_certainty"]:
        listed.append(("Fleiss' kappa", f"two, {CERTAIN[name]} certain answers only", "by_certainty", name))
    return Table(
        "agreement",
        "Agreement of all readers",
        "Chance-corrected agreement on single cases with 95 % intervals over cases; 0 is chance, 1 is perfect. p: "
        "test against no agreement beyond chance.",
        ("coefficient", "over", "estimate", "SE", "p"),
        [[coefficient, over, *cells(("agreement", *steps), wanted)] for coefficient, over, *steps in listed],
    )


def agreement_pairs(results: dict[str, Any]) -> Table:
    pairs = results["agreement"]["cohen_kappa_pairs"]
    return Table(
        "agreement_pairs",
        "Agreement of pairs",
        "Cohen's kappa with linear weights over the five levels, 95 % intervals over cases.",
        ("reader", "other reader", "weighted kappa"),
        [[a, b, Cell("number_ci", ("agreement", "cohen_kappa_pairs", a, b))] for a in pairs for b in pairs[a]],
    )


def tests(results: dict[str, Any]) -> Table:
    wanted = [("text", "question"), ("text", "method"), ("number", "statistic"), ("df", "df")]
    wanted += [("p", "p"), ("p", "smallest_p"), ("p", "holm"), ("p", "benjamini_hochberg")]
    return Table(
        "tests",
        "Tests against chance",
        "Every test with the question that it answers. The smallest p is the lowest value that this number of readers "
        "can give. For tests of single readers, p is also corrected for their number by the methods of Holm (controls "
        "the chance of any false finding) and of Benjamini and Hochberg (controls the share of false findings).",
        ("figure", "question", "method", "statistic", "df", "p", "smallest p", "Holm", "Benjamini-Hochberg"),
        [[Cell("text", ("tests", i, "name")), *cells(("tests", i), wanted)] for i in range(len(results["tests"]))],
    )
