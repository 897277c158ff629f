"""The table of published visual Turing tests with which a study is compared."""

from __future__ import annotations

from typing import Any

from analysis.report.tables.table import NOTHING, Cell, Table


def beside(results: dict[str, Any]) -> Table:
    """One row per published test, with the reason if it is not compared."""
    given = results.get("beside", {}).get("studies", [])
    rows: list[list[str | Cell]] = []
    for i, one in enumerate(given):
        at = ("beside", "studies", i)
        rows.append(
            [
                *(one[name] for name in ("study", "modality", "generator")),
                *(Cell("count", (*at, name)) for name in ("readers", "real", "synthetic")),
                Cell(
                    "share" if one["scale"] in ("accuracy", "choice", "classes", "synthetic") else "number",
                    (*at, "value"),
                ),
                "compared" if one["comparable"] else one["reason"],
                one["doi"] or NOTHING,
            ]
        )
    return Table(
        "beside",
        "Published visual Turing tests",
        "Every figure was found in two places, otherwise it is left blank; published_turing_tests.csv says where. "
        "Tests from the same publication had the same readers.",
        ("study", "images", "generator", "readers", "real", "synthetic", "result", "compared or not", "DOI"),
        rows,
    )
