"""The tables of quartets, in the report's order, their headline figure, and their answers in the workbook."""

from __future__ import annotations

from typing import Any

from analysis.report.tables import course, realism
from analysis.report.tables.table import Cell, Pointer, Row, Table, cells, find, whole

ANSWERS = (
    "trial",
    "quartet",
    "case",
    "truth",
    "source",
    "place",
    "chosen",
    "realism",
    "position",
    "response_ms",
    "late",
)
SHARE = ("proportion_correct",)


def all_tables(results: dict[str, Any]) -> list[Table]:
    """Every table of the report, in its order."""
    return [make(results) for make in ORDER]


def headline(results: dict[str, Any]) -> list[tuple[str, str, Pointer]]:
    """Return the figures that a notebook shows first: words, style and place in the results."""
    return [("Real one found", "share_ci", ("overall", "clustered")), ("By chance", "share", ("study", "chance"))]


def answer(row: Any) -> tuple[Any, ...]:
    """Return one image of a trial as a line of the workbook."""
    truth = "synthetic" if row.truth else "real"
    said = (whole(row.place), whole(row.chosen), whole(row.realism))
    late = "late" if row.late == 1 else ""
    shown = (row.trial, row.quartet, row.case, truth, row.source)
    return (*shown, *said, whole(row.position), whole(row.response_ms), late)


def readers(results: dict[str, Any]) -> Table:
    wanted = [("text", "group"), ("count", "n"), ("count", *SHARE, "k"), ("share_ci", *SHARE), ("p", *SHARE, "p_exact")]
    wanted.append(("number_ci", "dprime"))
    rows: list[Row] = [
        [name, *cells(("readers", name), wanted), Cell("seconds", ("timing", "readers", name))]
        for name in results["readers"]
    ]
    return Table(
        "readers",
        "Readers",
        "How often each reader found the real image, with the exact binomial test against chance and d'. In brackets: "
        "95 % intervals over quartets (Wilson). p is not corrected for the number of readers; see the tests.",
        ("reader", "group", "answers", "found", "share found", "p", "d'", "median time"),
        rows,
    )


def overall(results: dict[str, Any]) -> Table:
    wanted = [("text", "speaks_of"), ("share_ci",), ("df", "df"), ("p", "p")]
    return Table(
        "overall",
        "Share of real images found, by method",
        "The same answers by several methods, and what each 95 % interval generalises to. p: test against chance. The "
        "first row is the main result: answers by the same reader, or to the same quartet, are correlated, and the "
        "last rows ignore this.",
        ("method", "generalises to", "share found", "df", "p"),
        [
            [Cell("text", ("overall", "methods", i, "method")), *cells(("overall", "methods", i), wanted)]
            for i in range(len(results["overall"]["methods"]))
        ],
    )


def groups(results: dict[str, Any]) -> Table:
    wanted = [("count", "n"), ("count", *SHARE, "n"), ("share_ci", "clustered"), ("share_ci", *SHARE)]
    return Table(
        "groups",
        "Groups of readers",
        "Share of real images found with 95 % intervals, over readers and quartets, and as if all answers were "
        "independent (Wilson). With two or three readers the first is unreliable: use the wider one.",
        ("group", "readers", "answers", "share found", "share found, answers independent"),
        [[name, *cells(("groups", "members", name), wanted)] for name in results["groups"]["members"]],
    )


def comparisons(results: dict[str, Any]) -> Table:
    wanted = [("text", "method"), ("share_ci",), ("df", "df"), ("p", "p"), ("p", "smallest_p")]
    listed = results["groups"]["comparisons"]
    difference = results["groups"]["difference"]
    which = f"{difference['first']} minus {difference['second']}" if listed else ""
    return Table(
        "comparisons",
        "Difference between the groups, by method",
        f"Difference of the shares found ({which}), in percentage points, with 95 % intervals. The methods answer "
        "different questions and may disagree. The smallest p is the lowest value that this number of readers or "
        "replicates can give.",
        ("question", "method", "difference", "df", "p", "smallest p"),
        [
            [Cell("text", ("groups", "comparisons", i, "question")), *cells(("groups", "comparisons", i), wanted)]
            for i in range(len(listed))
        ],
    )


AGREEMENT = (
    ("Brennan-Prediger", "chosen image: the real one, or by source", "brennan_prediger", "image"),
    ("Fleiss' kappa", "chosen image", "fleiss_kappa", "image"),
    ("Fleiss' kappa", "chosen place", "fleiss_kappa", "place"),
    ("Fleiss' kappa", "right or wrong", "fleiss_kappa", "correct"),
)


def agreement(results: dict[str, Any]) -> Table:
    wanted = [("number_ci",), ("number", "se"), ("p", "p")]
    return Table(
        "agreement",
        "Agreement of all readers",
        "Chance-corrected agreement on single quartets with 95 % intervals over quartets; 0 is chance, 1 is perfect. "
        "The first row is the main result: when most readers find the real image, kappa counts most of their "
        "agreement as chance. p: test against no agreement beyond chance. If positions differ between readers, "
        "agreement on the position would reflect a habit, not a judgement.",
        ("coefficient", "over", "estimate", "SE", "p"),
        [[coefficient, over, *cells(("agreement", *steps), wanted)] for coefficient, over, *steps in AGREEMENT],
    )


def sources(results: dict[str, Any]) -> Table:
    return Table(
        "sources",
        "Images chosen as real, by source",
        "How often an image of each source was chosen as the real one, out of the trials that showed one, with 95 % "
        "intervals as if all answers were independent (Wilson).",
        ("source", "shown", "chosen", "share chosen"),
        [
            [name, *cells(("sources", name), [("count", "shown"), ("count", "chosen"), ("share_ci",)])]
            for name in results["sources"]
        ],
    )


def fooling(results: dict[str, Any]) -> Table:
    at = ("fooling",)
    return Table(
        "fooling",
        "Differences between sources and between readers in wrong choices",
        "Whether wrong choices are spread evenly over the synthetic sources, and whether readers were fooled by "
        "different sources. The first row is the main result: the sources are permuted within each quartet, and each "
        "image keeps the choices of all readers. The chi-square tests treat all answers as independent and find "
        "differences too often if single images fool many readers. Cramer's V is 0 if there is no association and 1 "
        "if it is complete; for sources it refers to the table of chosen by source.",
        ("question", "method", "chi-square", "df", "p", "Cramer's V"),
        [
            [
                "do sources fool equally often?",
                *cells((*at, "sources"), [("text", "method"), ("number",), ("df", "df"), ("p", "p")]),
                "",
            ],
            [
                "do sources fool as often as each was shown?",
                *cells((*at, "chi_square"), [("text", "method"), ("number",), ("df", "df"), ("p", "p")]),
                Cell("number", (*at, "strength")),
            ],
            [
                "are all readers fooled by the same sources?",
                *cells(
                    (*at, "readers"),
                    [("text", "method"), ("number", "chi_square"), ("df", "df"), ("p", "p"), ("number",)],
                ),
            ],
        ],
    )


def fooled(results: dict[str, Any]) -> Table:
    named = list(results["sources"])
    return Table(
        "fooled",
        "Choices by reader and source",
        "How often each reader chose an image of each source.",
        ("reader", *named),
        [
            [name, *(Cell("count", ("readers", name, "sources", source)) for source in named)]
            for name in results["readers"]
        ],
    )


def places(results: dict[str, Any]) -> Table:
    at = ("places",)
    rows: list[Row] = [
        [
            Cell("count", (*at, "found", i, "place")),
            *cells(at, [("count", "counts", i), ("count", "real", "counts", i)]),  # type: ignore[list-item]
            Cell("share_ci", (*at, "found", i)),
        ]
        for i in range(len(results["places"]["found"]))
    ]
    p: Row = ["p", *cells(at, [("p", "p"), ("p", "real", "p"), ("p", "found_alike", "p")])]
    return Table(
        "places",
        "Positions on the screen",
        "How often each position was chosen, how often the real image was there, and how often it was found there (95 "
        "% Wilson intervals). p: chi-square tests of equal shares, and of equal success at all positions, which treat "
        "all answers as independent.",
        ("position", "chosen", "real image there", "share found there"),
        [*rows, p] if rows else [],
    )


def order(results: dict[str, Any]) -> Table:
    at = ("order", "stretches")
    rows: list[Row] = [
        [
            Cell("count", (*at, i, "start")),
            *cells((*at, i), [("count", "end"), ("count", "n"), ("share_ci",)]),  # a stretch
        ]
        for i in range(len(results["order"]["stretches"]))
    ]
    return Table(
        "order",
        "Along the order",
        "Share of real images found in equal stretches of the order, all readers pooled, with 95 % Wilson intervals.",
        ("from trial", "to", "answers", "share found"),
        rows,
    )


def times(results: dict[str, Any]) -> Table:
    named = ("all", "right", "wrong") if results["timing"] else ()
    rows: list[Row] = [
        [f"{name} choices", *cells(("timing", "medians", name), [("count", "n"), ("seconds_ci",)])] for name in named
    ]
    return Table(
        "times",
        "Median response times",
        "Median of the trials of all readers, with 95 % intervals based on order statistics, which refer to these "
        "readers only.",
        ("trials", "number", "median"),
        rows,
    )


def effects(results: dict[str, Any]) -> Table:
    listed = {
        "odds of a correct choice, per ten trials": ("order", "effects", "per_ten_trials"),
        "ratio of times: wrong choices, compared with right": ("timing", "wrong_to_right"),
    }
    return Table(
        "effects",
        "Learning, fatigue and time",
        "An odds ratio and a ratio of geometric mean times with 95 % intervals, from mixed models with readers and "
        "quartets random.",
        ("effect", "ratio", "p"),
        [
            [words, *cells(pointer, [("number_ci",), ("p", "p")])]
            for words, pointer in listed.items()
            if (find(results, pointer) or {}).get("value") is not None
        ],
    )


def spread(results: dict[str, Any]) -> Table:
    at = ("overall", "model")
    rows: list[Row] = [
        [f"between {name}s", *cells((*at, "random", name), [("number",), ("share", "share")])]
        for name in results["overall"]["model"]["random"]
    ]
    left: Row = ["between answers", "", Cell("share", (*at, "residual_share"))]
    return Table(
        "spread",
        "Variation in correct choices between readers and quartets",
        "Standard deviations of the log odds of a right choice between readers and between quartets, from the mixed "
        "model, and their shares of the variance on the latent scale.",
        ("source", "standard deviation", "share of the variance"),
        [*rows, left] if results["overall"]["model"]["residual_share"] is not None else [],
    )


def repeats(results: dict[str, Any]) -> Table:
    return Table(
        "repeats",
        "Readers' agreement with themselves",
        "Quartets shown twice to the same reader: how many, and the share in which the same image was chosen again, "
        "with 95 % Wilson intervals.",
        ("reader", "quartets", "same image"),
        [[name, *cells(("repeats", name), [("count", "n"), ("share_ci",)])] for name in results["repeats"]],
    )


QUARTET = [("count", "n"), ("count", "correct"), ("text", "fooled_by"), ("count", "fooled")]


def hardest(results: dict[str, Any]) -> Table:
    return _quartets(results, "hardest", "Quartets in which fewest readers found the real image", results["hardest"])


def quartets(results: dict[str, Any]) -> Table:
    return _quartets(results, "quartets", "Every quartet", range(len(results["quartets"])))


def _quartets(results: dict[str, Any], name: str, title: str, places: Any) -> Table:
    return Table(
        name,
        title,
        "How many readers judged the quartet, how many found its real image, and which synthetic image fooled most.",
        ("real image", "readers", "found it", "most fooled by", "fooled"),
        [[Cell("text", ("quartets", i, "quartet")), *cells(("quartets", i), QUARTET)] for i in places],
    )


def tests(results: dict[str, Any]) -> Table:
    wanted = [("text", "question"), ("text", "method"), ("share_ci",), ("number", "statistic"), ("df", "df")]
    wanted += [("p", "p"), ("p", "holm"), ("p", "benjamini_hochberg")]
    return Table(
        "tests",
        "Tests against chance",
        "Every test with the question that it answers. For tests of single readers, p is also corrected for their "
        "number by the methods of Holm (controls the chance of any false finding) and of Benjamini and Hochberg "
        "(controls the share of false findings). Intervals for equivalence are 90 % intervals.",
        ("figure", "question", "method", "share", "statistic", "df", "p", "Holm", "Benjamini-Hochberg"),
        [[Cell("text", ("tests", i, "name")), *cells(("tests", i), wanted)] for i in range(len(results["tests"]))],
    )


ORDER = (
    *(readers, overall, groups, comparisons, agreement, sources, fooling, fooled, places),
    *realism.ORDER,
    *(order, times, effects, spread, repeats, hardest, quartets, tests, course.flow),
)
