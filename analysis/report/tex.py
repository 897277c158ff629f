r"""A table of the report for LaTeX, ready to \input, in the style of booktabs and never wider than the page.

It needs \usepackage{array,booktabs,longtable,rotating}, all of which come with every LaTeX.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from analysis.report.tables.table import Cell, Table, find, show

LETTERS = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}"}
LETTERS |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "|": r"\textbar{}"}
LETTERS |= {"<": "$<$", ">": "$>$", "−": "$-$", "±": r"$\pm$", "≥": r"$\geq$", "≤": r"$\leq$"}
LETTERS |= {"–": "--", "—": "---", "“": "``", "”": "''", "…": r"\dots{}", "\u00a0": "~", "\u202f": r"\,"}

WHOLE = re.compile(r"\([^()a-z]*\d to [^()a-z]*\)|< \S+|\S+?-(?=\S)|\S+")
BETWEEN = 1.4  # letters between two columns, at 3 pt on either side


class Page(NamedTuple):
    """A way to typeset a table on LaTeX's narrow default page, and its capacity.

    `letters` per line, each `points` wide; `lines`, without the caption.
    """

    environment: str
    size: str
    letters: int
    points: float
    lines: float


PAGES = (
    Page("table", r"\footnotesize", 81, 4.25, 48),
    Page("sidewaystable", r"\footnotesize", 125, 4.25, 26),
    Page("sidewaystable", r"\scriptsize", 146, 3.65, 34),
    Page("longtable", r"\footnotesize", 81, 4.25, math.inf),
    Page("longtable", r"\scriptsize", 92, 3.65, math.inf),
)


class Column(NamedTuple):
    """The widest entry and the widest part that cannot be broken, in letters; numbers are right-aligned."""

    natural: int
    least: int
    is_text: bool


def tex(results: dict[str, Any], table: Table) -> str:
    r"""Return `table` as a float, rotated if it is too wide, or as a longtable if it is too long for a page.

    Columns that must be narrower than their entries become paragraphs: texts break between words, and an interval is
    below its estimate.
    """
    body = [[show(find(results, c.pointer), c.style) if isinstance(c, Cell) else c for c in row] for row in table.rows]
    columns = [
        _column([name, *shown], first=place == 0, cells=[row[place] for row in table.rows])
        for place, (name, *shown) in enumerate(zip(table.columns, *body, strict=True))
    ]
    page = next((page for page in PAGES if _fits(page, columns, body)), PAGES[-1])
    widths = _widths(columns, page)
    layout = "".join(map(_declared, columns, widths, [page.points] * len(columns)))
    head = " & ".join(_escaped(name) for name in table.columns) + r" \\"
    rows = [" & ".join(_escaped(cell) for cell in row) + r" \\" for row in body]
    caption = rf"\caption{{\textbf{{{_escaped(table.title)}.}} {_escaped(table.caption)}}}"
    label = rf"\label{{tab:{re.sub('[^A-Za-z0-9-]', '-', table.name)}}}"
    small = [page.size, r"\setlength{\tabcolsep}{3pt}"]
    if page.environment == "longtable":
        rule = [r"\toprule", head, r"\midrule"]
        start = [r"\begin{longtable}{" + layout + "}", caption + label + r" \\", *rule, r"\endfirsthead"]
        lines = [r"\begingroup", *small, *start, *rule, r"\endhead", *rows, r"\bottomrule", r"\end{longtable}"]
        return "\n".join([*lines, r"\endgroup"]) + "\n"
    lines = [
        rf"\begin{{{page.environment}}}",
        r"\centering",
        caption,
        label,
        *small,
        r"\begin{tabular}{" + layout + "}",
    ]
    lines += [r"\toprule", head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}", rf"\end{{{page.environment}}}"]
    return "\n".join(lines) + "\n"


def _column(entries: Sequence[str], first: bool, cells: Sequence[str | Cell]) -> Column:
    is_text = first or all(not isinstance(cell, Cell) or cell.style == "text" for cell in cells)
    least = max(len(part) for entry in entries for part in _parts(entry))
    return Column(max(map(len, entries)), least, is_text)


def _parts(entry: str) -> list[str]:
    """Return the parts into which an entry may be broken: words, also after hyphens; not intervals or "< 0.001"."""
    return WHOLE.findall(entry) or [""]


def _fits(page: Page, columns: Sequence[Column], body: Sequence[Sequence[str]]) -> bool:
    if sum(column.least + BETWEEN for column in columns) > page.letters:
        return False
    widths = _widths(columns, page)
    # A paragraph breaks slightly before its full width.
    lines = [max(math.ceil(len(cell) / width - 0.05) for cell, width in zip(row, widths, strict=True)) for row in body]
    return sum(lines) <= page.lines


def _widths(columns: Sequence[Column], page: Page) -> list[float]:
    """The width of each column in letters: its full width if there is room, otherwise its minimum and a share."""
    least = sum(column.least for column in columns)
    wanted = sum(column.natural for column in columns) - least
    spare = max(page.letters - BETWEEN * len(columns) - least, 0)
    share = min(1.0, spare / wanted) if wanted else 1.0
    return [column.least + share * (column.natural - column.least) for column in columns]


def _declared(column: Column, width: float, points: float) -> str:
    """Return the LaTeX declaration of a column: a paragraph if it is narrower than its entries."""
    if width >= column.natural:
        return "l" if column.is_text else "r"
    ragged = r"\raggedright" if column.is_text else r"\raggedleft"
    return rf">{{{ragged}\arraybackslash}}p{{{width * points:.1f}pt}}"


def _escaped(text: str) -> str:
    """Escape LaTeX's special characters in `text`, without line breaks within the parts from `_parts`."""
    tied = WHOLE.sub(lambda match: match[0].replace(" ", "\u00a0"), text)
    return "".join(LETTERS.get(letter, letter) for letter in tied)
