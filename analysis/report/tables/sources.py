"""The tables of several generators in one rating study; none with fewer than two."""

from __future__ import annotations

from typing import Any

from analysis.report.tables.table import RULES, Cell, Row, Table, cells

FIGURES = {"fooled": "share called real", "accuracy": "balanced accuracy", "auc": "AUC", "dprime": "d'"}
STYLES = {"fooled": "share_ci", "accuracy": "share_ci", "auc": "number_ci", "dprime": "number_ci"}


def all_tables(results: dict[str, Any]) -> list[Table]:
    """Every table of the section, in its order."""
    if not results.get("sources", {}).get("names"):
        return []
    return [make(results) for make in (each, pairs, together, ranking, readers)]


def each(results: dict[str, Any]) -> Table:
    wanted = [("count", "cases"), *((STYLES[figure], figure) for figure in FIGURES)]
    return Table(
        "sources_each",
        "Every source compared with the real images",
        "How often readers called the images of each source real (an unsure answer is not counted as fooled), and how "
        f"well they told them from the same real images: accuracy ({RULES[results['settings']['unsure']]}, equal "
        "weight for both classes), area under the ROC curve and d' (unsure left out). Means of the readers with 95 % "
        "intervals over readers and cases.",
        ("source", "images", "called real", "accuracy", "AUC", "d'"),
        [[name, *cells(("sources", "each", name), wanted)] for name in results["sources"]["names"]],
    )


def pairs(results: dict[str, Any]) -> Table:
    rows: list[Row] = []
    for i, pair in enumerate(results["sources"]["pairs"]):
        at = ("sources", "pairs", i)
        rows.append(
            [
                FIGURES[pair["figure"]],
                pair["first"],
                pair["second"],
                Cell(STYLES[pair["figure"]], (*at, "difference")),
                *cells((*at, "difference"), [("df", "df"), ("p", "p")]),
                *cells(at, [("p", "holm"), ("p", "equivalence", "p"), ("number_ci", "by_ustatistics")]),
            ]
        )
    return Table(
        "sources_pairs",
        "Differences between sources",
        "First source minus second (the first is the one called real more often), with 95 % intervals over readers and "
        "cases (Obuchowski-Rockette, paired by readers and by the real images that both share; shares in percentage "
        "points). Holm: p corrected for the number of pairs within a measure. Equivalence p: test that the difference "
        "is within "
        f"{results['sources']['margin']:g} of none. The last column is the difference of the AUCs by U-statistics.",
        ("figure", "first", "second", "difference", "df", "p", "Holm", "equivalence p", "U-statistics"),
        rows,
    )


def together(results: dict[str, Any]) -> Table:
    wanted = [("number", "statistic"), ("count", "df1"), ("df", "df"), ("p", "p")]
    return Table(
        "sources_together",
        "All sources together",
        "One test of all sources for each measure, readers and cases random.",
        ("figure", "F", "df", "df of the denominator", "p"),
        [[words, *cells(("sources", "together", figure), wanted)] for figure, words in FIGURES.items()],
    )


def ranking(results: dict[str, Any]) -> Table:
    ranked = results["sources"]["ranking"]
    return Table(
        "sources_ranking",
        "Which source was the most convincing",
        "How often each source came first when readers and cases were resampled with replacement "
        f"({ranked['replicates']:,} replicates): with the highest share called real, and with the lowest AUC. A high "
        "share does not by itself show that a source is better: see the table of differences.",
        ("source", "first by share called real", "first by AUC"),
        [
            [name, *cells(("sources", "ranking"), [("share", figure, name, "best") for figure in ("fooled", "auc")])]
            for name in results["sources"]["names"]
        ],
    )


def readers(results: dict[str, Any]) -> Table:
    wanted = [("count", "n"), *((STYLES[figure], figure) for figure in FIGURES)]
    return Table(
        "sources_readers",
        "Every reader with every source",
        "The results of each reader; 95 % intervals generalise to other cases, not to other readers.",
        ("reader", "source", "images judged", "called real", "accuracy", "AUC", "d'"),
        [
            [reader, source, *cells(("sources", "readers", reader, source), wanted)]
            for reader, sources in results["sources"]["readers"].items()
            for source in sources
        ],
    )
