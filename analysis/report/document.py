"""The results as a document: one self-contained HTML page, and passages as plain text.

Every number on the page is written by `Writer.number`, which reads it from results.json and records its place there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from analysis.designs import find as design_of
from analysis.report.figures import Drawn
from analysis.report.tables.table import NOTHING, PERCENT, RULES, Cell, Table, find, show

TEMPLATES = Path(__file__).parent / "templates"
BIBLIOGRAPHY = TEMPLATES / "references.bib"


@cache
def bibliography() -> dict[str, dict[str, str]]:
    """Return references.bib as key -> fields; it must have one field per line, in braces."""
    text = BIBLIOGRAPHY.read_text(encoding="utf-8")
    entries = re.findall(r"@\w+\{([\w-]+),\n(.*?)\n\}", text, re.DOTALL)
    return {key: dict(re.findall(r"^\s*(\w+) = \{(.*)\},?$", body, re.MULTILINE)) for key, body in entries}


class Writer:
    """Functions for the templates: numbers from the results, and citations in order of use."""

    def __init__(self, results: dict[str, Any]):
        self.results = results
        self.cited: list[str] = []
        self.placed: dict[str, list[str]] = {}

    def number(self, style: str, *pointer: str | int) -> str:
        """Return the entry at `pointer` as text."""
        return show(find(self.results, pointer), style).replace("\u202f", " ")

    def plural(self, one: str, several: str, *pointer: str | int) -> str:
        """Return the singular or plural that matches the count at `pointer`."""
        return one if find(self.results, pointer) == 1 else several

    def counted(self, one: str, *pointer: str | int, many: str = "") -> str:
        """Return the count at `pointer` with its noun: 1 reader, 6 readers."""
        return self.number("count", *pointer) + " " + self.plural(one, many or one + "s", *pointer)

    def cite(self, *keys: str) -> str:
        self.cited += [key for key in keys if key not in self.cited]
        return (
            "(" + "; ".join(f"{_first_author(bibliography()[key])} {bibliography()[key]['year']}" for key in keys) + ")"
        )


class PageWriter(Writer):
    """The same for the page: numbers have their place in results.json, citations are links."""

    def number(self, style: str, *pointer: str | int) -> Markup:
        entry = find(self.results, pointer)
        value = entry.get("value") if isinstance(entry, dict) else entry
        shown, address = show(entry, style), "/" + "/".join(_escaped(step) for step in pointer)
        if shown == NOTHING:
            reason = (entry.get("reason") if isinstance(entry, dict) else None) or "undefined here"
            return Markup('<span class="gap" title="{}">{}</span>').format(reason, NOTHING)
        if style.endswith("_ci") and "(" in shown:
            first, interval = shown.split(" (")
            shown = Markup('{} <span class="ci">({}</span>').format(first, interval)
        kind = Markup(' class="text"') if style == "text" else ""
        return Markup('<data value="{}" data-from="{}"{}>{}</data>').format(value, address, kind, shown)

    def cite(self, *keys: str) -> Markup:
        super().cite(*keys)
        links = (Markup('<a href="#ref-{0}">{1}</a>').format(key, self.cited.index(key) + 1) for key in keys)
        return Markup('<span class="fixed">[{}]</span>').format(Markup(", ").join(links))

    def label(self, kind: str, name: str) -> str:
        """Return `Figure 3`, numbering figures and tables in the order of their placement."""
        self.placed.setdefault(kind, []).append(name)
        return f"{kind} {len(self.placed[kind])}"

    def cell(self, cell: str | Cell) -> Markup:
        return self.number(cell.style, *cell.pointer) if isinstance(cell, Cell) else escape(cell)

    def references(self) -> list[tuple[str, dict[str, str]]]:
        """Return the works cited so far, in order of first citation."""
        return [(key, bibliography()[key]) for key in self.cited]


def page(results: dict[str, Any], tables: Sequence[Table], figures: Sequence[Drawn], template: str = "") -> str:
    """Return report.html; the template (by default the design's) places `tables` and `figures` by name."""
    css, js = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    digest = base64.b64encode(hashlib.sha256(js.encode()).digest()).decode()
    writer = PageWriter(results)
    written = (
        _environment(writer, html=True)
        .get_template(template or f"{design_of(results['design']).templates}/page.html")
        .render(
            results=results,
            html=True,
            tables={table.name: table for table in tables},
            figures={figure.name: figure for figure in figures},
            plates=any(figure.name.startswith("plate_") for figure in figures),
            css=Markup(css),  # our own file
            js=Markup(js),  # our own file
            policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        )
    )
    return re.sub(r"(?<=\d) %", PERCENT, written)  # no line break between 95 and %


def text(results: dict[str, Any], template: str) -> str:
    """Return a passage of the report (`findings`, `methods`, `limitations`) as plain text."""
    writer, folder = Writer(results), design_of(results["design"]).templates
    written = (
        _environment(writer, html=False).get_template(f"{folder}/{template}.j2").render(results=results, html=False)
    )
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", written)]
    return "\n\n".join(part for part in paragraphs if part) + "\n"


def data_url(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _environment(writer: Writer, html: bool) -> jinja2.Environment:
    environment = jinja2.Environment(  # only the page is escaped, plain text is not
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["paragraphs"] = _paragraphs
    environment.globals |= {
        "n": writer.number,
        "plural": writer.plural,
        "counted": writer.counted,
        "cite": writer.cite,
        "writer": writer,
        "rules": RULES,
        "data_url": data_url,
    }
    return environment


def _paragraphs(markup: str) -> Markup:
    """Convert escaped text with blank lines between paragraphs to HTML paragraphs."""
    parts = [part.strip() for part in re.split(r"\n\s*\n", markup) if part.strip()]
    return Markup("\n").join(Markup("<p>{}</p>").format(Markup(part)) for part in parts)


def _escaped(step: str | int) -> str:
    """Escape one step of a JSON pointer (RFC 6901)."""
    return str(step).replace("~", "~0").replace("/", "~1")


def _first_author(entry: dict[str, str]) -> str:
    authors = entry["author"].split(" and ")
    return authors[0].split(",")[0] + (
        " et al." if len(authors) > 2 else f" and {authors[1].split(',')[0]}" if authors[1:] else ""
    )


def dump(results: dict[str, Any]) -> str:
    """Return results.json: strict JSON, keys in order of creation, numbers at full precision."""
    return json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
