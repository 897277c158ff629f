"""The tables of a study with conditions; none without conditions."""

from __future__ import annotations

from typing import Any

from analysis.report.tables.table import RULES, Cell, Row, Table, cells

FIGURES = {"auc": "AUC", "accuracy": "accuracy", "brier": "Brier score"}
STYLES = {"auc": "number_ci", "accuracy": "share_ci", "brier": "number_ci"}


def all_tables(results: dict[str, Any]) -> list[Table]:
    """Every table of the section."""
    given = results.get("conditions") or {}
    if not given or "reason" in given:
        return []
    return [make(results) for make in (alone, differences, methods, effects, readers, groups, hints, course)]


def _pair(line: dict[str, Any]) -> str:
    return f"{line['condition']} minus {line['against']}"


def alone(results: dict[str, Any]) -> Table:
    rule = results["settings"]["unsure"]
    rows: list[Row] = [
        [name, Cell("count", ("conditions", "figures", name, "readers"))]
        + [Cell(style, ("conditions", "figures", name, figure)) for figure, style in STYLES.items()]
        for name in results["conditions"]["names"]
    ]
    return Table(
        "conditions",
        "Each condition by itself",
        "Means over readers with 95 % intervals over readers and cases (Obuchowski-Rockette); accuracy with "
        f"{RULES[rule]}. Brier score: the mean squared distance of the stated certainty from the truth; lower is "
        "better, and 0.25 results from always stating one half.",
        ("condition", "readers", *FIGURES.values()),
        rows,
    )


def differences(results: dict[str, Any]) -> Table:
    given = results["conditions"]["differences"]
    rows: list[Row] = [
        [
            _pair(line),
            FIGURES[line["figure"]],
            Cell(STYLES[line["figure"]], ("conditions", "differences", i)),
            *cells(("conditions", "differences", i), [("p", "p"), ("p", "holm"), ("text", "reason")]),
        ]
        for i, line in enumerate(given)
    ]
    return Table(
        "condition_differences",
        "Differences between conditions",
        "Mean differences over readers with 95 % intervals, for other readers and other cases. Holm: p corrected for "
        "the number of pairs of conditions.",
        ("conditions", "figure", "difference", "p", "p (Holm)", "remark"),
        rows,
    )


def methods(results: dict[str, Any]) -> Table:
    rows: list[Row] = []
    for i, line in enumerate(results["conditions"]["differences"]):
        for j, _ in enumerate(line["methods"]):
            at = ("conditions", "differences", i, "methods", j)
            wanted = [("text", "method"), ("text", "speaks_of"), ("number", "se"), ("df", "df"), ("p", "p")]
            rows.append([_pair(line), FIGURES[line["figure"]], Cell(STYLES[line["figure"]], at), *cells(at, wanted)])
    return Table(
        "condition_methods",
        "The same differences by other methods",
        "The first row of each measure is the main result. Each row says whether it generalises over readers, cases "
        "or both.",
        ("conditions", "figure", "difference", "method", "generalises to", "standard error", "df", "p"),
        rows,
    )


def effects(results: dict[str, Any]) -> Table:
    given = results["conditions"]["crossover"] or {}
    names = results["conditions"]["names"]
    lines = {
        "condition": f"{names[-1]} minus {names[0]}, adjusted for period",
        "period": "second period minus first",
        "carry_over": f"carry-over of {names[0]} minus that of {names[-1]}",
    }
    rows: list[Row] = [
        [
            words,
            FIGURES[figure],
            Cell(STYLES[figure], ("conditions", "crossover", figure, effect)),
            *cells(("conditions", "crossover", figure, effect), [("p", "p"), ("text", "reason")]),
        ]
        for figure in FIGURES
        if figure in given
        for effect, words in lines.items()
    ]
    return Table(
        "condition_effects",
        "Condition, period and carry-over",
        "Readers are nested in the two sequences; readers and cases are random. The test of carry-over compares "
        "different readers and has little power: a result that is not significant does not show that there was no "
        "carry-over.",
        ("effect", "figure", "estimate", "p", "remark"),
        rows,
    )


def readers(results: dict[str, Any]) -> Table:
    rows: list[Row] = []
    for name, reader in results["conditions"]["readers"].items():
        for i, line in enumerate(reader["differences"]):
            if line["figure"] == "brier":
                continue
            at = ("conditions", "readers", name)
            values = [
                Cell(STYLES[line["figure"]].removesuffix("_ci"), (*at, "figures", line[side], line["figure"]))
                for side in ("against", "condition")
            ]
            gap = Cell(STYLES[line["figure"]], (*at, "differences", i))
            verdict = {True: "worse", False: "", None: ""}[line["worse"]]
            about = cells(at, [("text", "group"), ("text", "sequence")])
            rows.append(
                [
                    name,
                    *about,
                    _pair(line),
                    FIGURES[line["figure"]],
                    *values,
                    gap,
                    Cell("p", (*at, "differences", i, "p")),
                    verdict,
                ]
            )
    return Table(
        "condition_readers",
        "Each reader under two conditions",
        "Differences of single readers generalise over cases only (DeLong's paired test for the AUC, paired "
        "deviations for accuracy). The last column marks readers who did worse than under the reference.",
        (
            "reader",
            "group",
            "sequence",
            "conditions",
            "figure",
            "reference",
            "condition",
            "difference",
            "p",
            "direction",
        ),
        rows,
    )


def groups(results: dict[str, Any]) -> Table:
    given, rows = results["conditions"]["groups"], list[Row]()
    for group, one in given["members"].items():
        for i, line in enumerate(one["differences"]):
            at = ("conditions", "groups", "members", group, "differences", i)
            figure = line["figure"]
            rows.append([group, _pair(line), FIGURES[figure], Cell(STYLES[figure], at), *cells(at, [("p", "p")])])
    for i, line in enumerate(given["interaction"]):
        below, figure = ("conditions", "groups", "interaction", i), line["figure"]
        words = f"{line['first']} minus {line['second']}"
        rows.append([words, _pair(line), FIGURES[figure], Cell(STYLES[figure], below), *cells(below, [("p", "p")])])
    return Table(
        "condition_groups",
        "Differences by group of readers",
        "The last rows test whether the groups gained differently, with readers nested in groups.",
        ("group", "conditions", "figure", "difference", "p"),
        rows,
    )


def hints(results: dict[str, Any]) -> Table:
    given = (results["conditions"]["hints"] or {}).get("differences", [])
    rows: list[Row] = [
        [
            _pair(line),
            line["hint"],
            *cells(at, [("share", "without"), ("share", "with")]),
            Cell("share_ci", at),
            *cells(at, [("p", "p"), ("text", "reason")]),
        ]
        for i, line in enumerate(given)
        for at in [("conditions", "hints", "differences", i)]
    ]
    return Table(
        "condition_hints",
        "Accuracy by whether the hint was right",
        "A hint is right if it points to the class of the case; hints that point to neither class are left out.",
        ("conditions", "hint", "without", "with", "difference", "p", "remark"),
        rows,
    )


def course(results: dict[str, Any]) -> Table:
    given = results["conditions"]
    rows: list[Row] = [
        [words, name, Cell("number_ci", at), *cells(at, [("p", "p"), ("text", "reason")])]
        for words, path in (
            ("odds of a right answer", ("conditions", "model", "odds_ratios")),
            ("response time", ("conditions", "times", "ratios")),
        )
        for name in given[path[1]][path[2]]
        for at in [(*path, name)]
    ]
    return Table(
        "condition_course",
        "Answers and times by condition and period",
        "Ratios of odds and of times with 95 % intervals, from models with readers and cases as crossed random "
        "effects; unsure answers are left out of the first.",
        ("what", "effect", "ratio", "p", "remark"),
        rows,
    )
