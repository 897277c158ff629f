"""The tables with the results of each reader; each cell points into results.json."""

from __future__ import annotations

from typing import Any

from analysis.report.tables.table import RULES, Cell, Row, Table, cells


def readers(results: dict[str, Any]) -> Table:
    rule = results["settings"]["unsure"]
    wanted = [
        ("text", "group"),
        ("count", "n"),
        ("share_ci", "accuracy", rule),
        ("share_ci", "sensitivity"),
        ("share_ci", "specificity"),
        ("share_ci", "precision"),
        ("number_ci", "auc"),
        ("number_ci", "detection"),
        ("number", "criterion"),
    ]
    return Table(
        "readers",
        "Readers",
        "Accuracy, sensitivity (to synthetic cases), specificity and precision by the main rule for unsure answers "
        f"({RULES[rule]}), area under the empirical ROC curve, d' and criterion (unsure left out; a positive criterion "
        "means a tendency to answer “real”). In brackets: 95 % intervals over cases.",
        ("reader", "group", "answers", "accuracy", "sensitivity", "specificity", "precision", "AUC", "d'", "criterion"),
        [[name, *cells(("readers", name), wanted)] for name in results["readers"]],
    )


def rules(results: dict[str, Any]) -> Table:
    def row(name: str, *pointer: str) -> Row:
        return [name, *(Cell("share_ci", (*pointer, "accuracy", rule)) for rule in RULES)]

    rows = [row(name, "readers", name) for name in results["readers"]]
    rows += [row(f"group {name}", "groups", "members", name) for name in results["groups"]["members"]]
    return Table(
        "rules",
        "Accuracy under the four rules for unsure answers",
        "The same answers scored in four ways. The 95 % intervals of readers generalise over cases, those of groups "
        "and of all readers over readers and cases.",
        ("reader", *RULES.values()),
        [*rows, row("all readers", "overall")],
    )


def confusion(results: dict[str, Any]) -> Table:
    parts = [(category, certainty) for category in ("TP", "FN", "FP", "TN") for certainty in ("full", "partial")]
    parts += [("unsure", "synthetic"), ("unsure", "real")]
    return Table(
        "confusion",
        "Answers by category and certainty",
        "Number of answers. TP: synthetic called synthetic, FN: synthetic called real, FP: real called synthetic, TN: "
        "real called real; FC and PC: fully and partially certain.",
        ("reader", *(f"{c} {s[0].upper()}C" if c != "unsure" else f"unsure, {s}" for c, s in parts)),
        [
            [name, *(Cell("count", ("readers", name, "confusion", *part)) for part in parts)]
            for name in results["readers"]
        ],
    )


def certainty(results: dict[str, Any]) -> Table:
    wanted = [
        ("share", "certainty", "accuracy", "full"),
        ("share", "certainty", "accuracy", "partial"),
        ("p", "certainty", "p"),
        ("number_ci", "calibration"),
        ("number", "calibration", "ece"),
    ]
    return Table(
        "certainty",
        "Accuracy by certainty",
        "Proportion of right answers among fully and among partially certain ones, with Fisher's exact test of the "
        "difference; Brier score (0 is perfect, .25 results from always stating one half) with its 95 % interval; and "
        "the mean gap between stated and observed probability (ECE), with the levels taken as probabilities of 0, "
        ".25, .5, .75 and 1.",
        ("reader", "right if fully certain", "right if partially certain", "p", "Brier score", "ECE"),
        [
            *([name, *cells(("readers", name), wanted)] for name in results["readers"]),
            ["all answers", *cells(("overall",), wanted)],
        ],
    )


def predictive(results: dict[str, Any]) -> Table:
    wanted = [("share", "prevalence"), ("share_ci", "positive"), ("share_ci", "negative")]
    return Table(
        "predictive",
        "Predictive values",
        "Share of correct answers among images that a reader calls synthetic (positive) and among those called real "
        "(negative), for the stated share of synthetic images "
        f"({RULES[results['settings']['unsure']]}), with 95 % intervals over cases.",
        ("reader", "share of synthetic images", "positive", "negative"),
        [
            [name, *cells(("readers", name, "predictive_values", i), wanted)]
            for name, reader in results["readers"].items()
            for i in range(len(reader["predictive_values"]))
        ],
    )


def repeats(results: dict[str, Any]) -> Table:
    wanted = [
        ("count", "same_level", "n"),
        ("share_ci", "same_level"),
        ("share_ci", "same_side"),
        ("number_ci", "kappa"),
    ]
    return Table(
        "repeats",
        "Readers' agreement with themselves",
        "Cases shown twice to the same reader: how many, the share given the same level again, the share given the "
        "same answer again, and Cohen's kappa of the two readings (real, unsure, synthetic), with 95 % intervals.",
        ("reader", "cases", "same level", "same side", "kappa"),
        [[name, *cells(("repeats", name), wanted)] for name in results["repeats"]],
    )


def one_reader(results: dict[str, Any], name: str) -> Table:
    by_rule = {
        "accuracy": "accuracy",
        "sensitivity": "sensitivity",
        "specificity": "specificity",
        "precision": "precision",
        "balanced accuracy": "balanced_accuracy",
    }
    at = ("readers", name)
    rows: list[Row] = [
        [measure, *(Cell("share_ci", (*at, step, rule)) for rule in RULES)] for measure, step in by_rule.items()
    ]
    return Table(
        f"reader-{name}",
        f"Reader {name}",
        "Every measure under the four rules for unsure answers, with 95 % intervals over cases.",
        ("measure", *RULES.values()),
        rows,
    )
