"""The tables of marks and reasons, in the report's order; none if readers were not asked."""

from __future__ import annotations

from typing import Any

from analysis.report.tables.table import Cell, Row, Table, cells, find


def all_tables(results: dict[str, Any]) -> list[Table]:
    """Every table of the marks."""
    if not results.get("marks"):
        return []
    return [make(results) for make in (reasons, by_source, by_group, readers, places, found, each, kinds, cases)]


def reasons(results: dict[str, Any]) -> Table:
    wanted = [
        *[("share_ci", "all"), ("share_ci", "by_truth", "synthetic"), ("share_ci", "by_truth", "real")],
        *[("share_ci", "when_given"), ("share_ci", "right"), ("p", "right", "holm")],
    ]
    return Table(
        "marks_reasons",
        "Reasons",
        "How often each reason was given, as a share of all marks and of those on synthetic and on real images; how "
        "often the answer was right when it was given, and how much more often than with the other reasons. 95 % "
        "intervals are clustered by reader and case. Holm: p of the difference, corrected for the number of reasons.",
        ("reason", "marks", "of all", "on synthetic", "on real", "answer right", "more often right", "p (Holm)"),
        [
            [reason, Cell("count", ("marks", "reasons", reason)), *cells(("marks", "shares", reason), wanted)]
            for reason in results["marks"]["reasons"]
        ],
    )


def _by(results: dict[str, Any], what: str, title: str, of: str) -> Table:
    shares = results["marks"]["shares"]
    names = sorted({name for one in shares.values() for name in one[f"by_{what}"]})
    rows: list[Row] = [
        [reason, *(Cell("share_ci", ("marks", "shares", reason, f"by_{what}", name)) for name in names)]
        for reason in results["marks"]["reasons"]
    ]
    caption = f"Share of each reason among the marks {of}, with 95 % intervals clustered by reader and case."
    return Table(f"marks_by_{what}", title, caption, ("reason", *names), rows if names else [])


def by_source(results: dict[str, Any]) -> Table:
    return _by(results, "source", "Reasons by source", "on the images of each source")


def by_group(results: dict[str, Any]) -> Table:
    return _by(results, "group", "Reasons by group of readers", "of each group of readers")


def readers(results: dict[str, Any]) -> Table:
    wanted = [("text", "group"), ("count", "marked"), ("count", "nothing"), ("count", "skipped"), ("count", "n")]
    return Table(
        "marks_readers",
        "Marks of each reader",
        "How many times the reader was asked, marked a place, said nothing in particular, or skipped the question; "
        "the number of marks, and the most frequent reason.",
        ("reader", "group", "marked", "nothing in particular", "skipped", "marks", "most common reason"),
        [
            [name, *cells(("marks", "readers", name), [*wanted, ("text", "reason")])]
            for name in results["marks"]["readers"]
        ],
    )


def places(results: dict[str, Any]) -> Table:
    rows = {
        "nearest": "distance to the nearest mark of another reader, share of the image's width",
        "dice": "overlap of two readers' densities (Dice)",
    }
    agreement = results["marks"]["agreement"]
    return Table(
        "marks_places",
        "Agreement on places",
        "Means over the marks on all images that several readers marked, and the same with each reader's places "
        "shuffled among the images that the reader marked. p: one-sided, by permutation.",
        ("measure", "observed", "by chance", "p"),
        [
            [words, *cells(("marks", "agreement", name), [("number",), ("number", "chance"), ("p", "p")])]
            for name, words in rows.items()
            if agreement[name]["value"] is not None
        ],
    )


LOCALISED = ("marks", "localisation")


def found(results: dict[str, Any]) -> Table:
    rows: list[Row] = []
    if find(results, ("marks", "jafroc", "value")) is not None:
        chance = [
            [Cell(style, (*LOCALISED, "chance", name, key)) for style, key in ((style, "value"), ("p", "p"))]
            for name, style in (("area", "number"), ("faults", "share"))
        ]
        rows = [
            ["AFROC area", Cell("number_ci", ("marks", "jafroc")), *chance[0]],
            ["known faults found", Cell("share_ci", (*LOCALISED, "faults")), *chance[1]],
            ["marks per real image", Cell("number_ci", (*LOCALISED, "elsewhere_real")), "", ""],
            [
                "marks outside the faults per synthetic image",
                Cell("number_ci", (*LOCALISED, "elsewhere_synthetic")),
                "",
                "",
            ],
        ]
    return Table(
        "marks_faults",
        "Known faults, found and missed",
        "Means over readers with 95 % intervals, readers and cases random. A mark within the ellipse of a fault "
        "counts as finding it. By chance: the same with each reader's places shuffled among the images that the "
        "reader marked. p: one-sided.",
        ("measure", "observed", "by chance", "p"),
        rows,
    )


def each(results: dict[str, Any]) -> Table:
    measured = find(results, ("marks", "jafroc", "each")) or {}
    parts = (("number_ci", ("marks", "jafroc")), ("share_ci", (*LOCALISED, "faults")))
    real = (*LOCALISED, "elsewhere_real")
    return Table(
        "marks_faults_readers",
        "Known faults, by reader",
        "95 % intervals, cases random.",
        ("reader", "AFROC area", "faults found", "marks per real image"),
        [
            [
                name,
                *(Cell(style, (*pointer, "each", name)) for style, pointer in parts),
                Cell("number_ci", (*real, "each", name)),
            ]
            for name in measured
        ],
    )


def kinds(results: dict[str, Any]) -> Table:
    of = find(results, (*LOCALISED, "kinds")) or {}
    return Table(
        "marks_kinds",
        "Which faults were found",
        "Share of the known faults of each kind that a reader marked: mean over readers with its 95 % interval, "
        "readers and cases random. Opportunities: number of faults of the kind, counted once for every reader who "
        "judged the image.",
        ("kind of fault", "chances", "found", "share found"),
        [
            [kind, *cells((*LOCALISED, "kinds", kind), [("count", "chances"), ("count", "found"), ("share_ci",)])]
            for kind in of
        ],
    )


def cases(results: dict[str, Any]) -> Table:
    rows: list[Row] = []
    for name, case in results["marks"]["cases"].items():
        wanted = [("text", "truth"), ("text", "source"), ("count", "readers"), ("count", "n"), ("count", "nothing")]
        told = ", ".join(list(case["reasons"])[:3])
        rows.append([name, *cells(("marks", "cases", name), [*wanted, ("number", "spread"), ("number", "dice")]), told])
    return Table(
        "marks_cases",
        "Marked cases",
        "The cases that most readers marked come first. Spread: root mean square distance of the marks from their "
        "mean, as a "
        "share of the image's width. Dice: mean overlap of two readers' densities.",
        (
            "case",
            "truth",
            "source",
            "readers",
            "marks",
            "nothing in particular",
            "spread",
            "Dice",
            "most common reasons",
        ),
        rows,
    )
