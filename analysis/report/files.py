"""Files next to the page: tables as CSV, TeX and a workbook, input for iMRMC and MRMCaov, and the manifest."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.designs import conditions, find
from analysis.designs.rating import sources
from analysis.report.document import BIBLIOGRAPHY
from analysis.report.tables import of_design
from analysis.report.tables.table import Table, plain
from analysis.report.tex import tex
from analysis.responses import Responses, natural
from analysis.responses.formulas import defused

if TYPE_CHECKING:
    import pandas as pd

MODALITY = "study"
SCHEMA = Path(__file__).parent / "results.schema.json"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip file, so that the same workbook has the same bytes


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as CSV text: numbers at full precision, missing values empty, text never as a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([defused(entry) for entry in row] for row in (header, *rows))
    return out.getvalue()


def workbook(results: dict[str, Any], tables: Sequence[Table], responses: Responses) -> bytes:
    """Results.xlsx: one sheet per table, and one per reader with every answer, like the original study's sheets."""
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    book.remove(book.active)
    taken: set[str] = set()

    def sheet(title: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        page = book.create_sheet(_unique(re.sub(r"[\[\]:*?/\\]", "_", title), 31, taken))  # Excel's limits
        for line in (header, *rows):
            page.append(line)
        for cell in (cell for line in page for cell in line if cell.data_type == "f"):
            cell.data_type = "s"  # a name that begins with = is not a formula
        page.freeze_panes = "B2"
        for cell in page[1]:
            cell.font = Font(bold=True)
        for column in page.columns:
            width = max(len(str(cell.value if cell.value is not None else "")) for cell in column[:200])
            page.column_dimensions[column[0].column_letter].width = min(max(width + 1, 8), 48)

    for table in tables:
        if table.rows and not table.name.startswith("reader-"):
            sheet(table.name, *plain(results, table))
    met = [column for column in ("condition", "period", "hint") if column in responses.scored]
    turn = ["reader", *(["period"] if met else []), "position", "case"]
    rows = responses.scored.sort_values(turn, kind="stable")
    design = of_design(responses.design)
    for reader in responses.readers:
        own = rows[rows["reader"] == reader]
        sheet(reader, (*design.ANSWERS, *met), (_answer(design, row, met) for row in own.itertuples()))
    return _timeless(book)


def _answer(design: Any, row: Any, met: Sequence[str]) -> tuple[Any, ...]:
    """Return a line of a reader's sheet; `met` are the additional columns of a study with conditions."""
    told = (getattr(row, column) for column in met)
    return (*design.answer(row), *(int(entry) if isinstance(entry, float) else entry for entry in told))


def _unique(name: str, longest: int, taken: set[str]) -> str:
    """`name`, shortened and numbered if needed to differ from all in `taken` (ignoring case), and add it there."""
    unique, number = name[:longest] or "_", 1
    while unique.lower() in taken:
        number += 1
        unique = f"{name[: longest - 1 - len(str(number))]}~{number}"
    taken.add(unique.lower())
    return unique


def _timeless(book: Any) -> bytes:
    """Return the workbook's bytes without its creation time."""
    from datetime import datetime

    book.properties.created = book.properties.modified = datetime(*EPOCH)  # noqa: DTZ001  # xlsx has no time zone
    raw, out = io.BytesIO(), io.BytesIO()
    book.save(raw)
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "docProps/core.xml":
                stamp = rb"\g<1>1980-01-01T00:00:00Z\g<2>"
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)", stamp, content)
            target.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def exchange(responses: Responses) -> dict[str, str]:
    """Return the readings in the formats of other software, by file name.

    `imrmc.csv` is the data frame of the R package iMRMC, `readings.imrmc` the input of its Java application,
    `mrmcaov.csv` the data frame of the R package MRMCaov. Conditions are their modalities (treatments). If the
    synthetic cases have several sources, there is a second version of each file, called `..._sources`, in which a
    modality is a source, with the readings of every real case.
    """
    import pandas as pd

    rows, first = _rated(responses), _rated(conditions.rest(responses))
    truths = list(zip(responses.case_names, responses.truth.tolist(), strict=True))
    found = _files(rows if "condition" in rows else rows.assign(condition=MODALITY), truths, "")
    names = sorted({source for source in first.loc[first["truth"] == 1, "source"] if source}, key=natural)
    if 2 <= len(names) <= sources.MOST:
        parts = [first[(first["truth"] == 0) | (first["source"] == name)].assign(condition=name) for name in names]
        read = {case for part in parts for case in part["case"]}
        found |= _files(pd.concat(parts), [one for one in truths if one[0] in read], "_sources")
    return found


def _rated(responses: Responses) -> pd.DataFrame:
    return responses.scored[responses.scored["level"].notna()].sort_values(["reader", "case"], kind="stable")


def _files(rows: pd.DataFrame, truths: Sequence[tuple[str, int]], suffix: str) -> dict[str, str]:
    """Return the files of `exchange`, with the truth of each case; the column `condition` is the modality."""
    readings = [(row.reader, row.case, row.condition, int(row.level), int(row.truth)) for row in rows.itertuples()]
    synthetic = sum(truth for _, truth in truths)
    java = [
        f"NR: {len({reader for reader, *_ in readings})}",
        f"N0: {len(truths) - synthetic}",
        f"N1: {synthetic}",
        f"NM: {len({modality for _, _, modality, *_ in readings})}",
        "BEGIN DATA:",
        *(f"-1,{_bare(case)},0,{truth}" for case, truth in truths),
        *(f"{_bare(reader)},{_bare(case)},{_bare(modality)},{level}" for reader, case, modality, level, _ in readings),
    ]
    return {
        f"imrmc{suffix}.csv": csv_text(
            ("readerID", "caseID", "modalityID", "score"),
            [("truth", case, "truth", truth) for case, truth in truths]
            + [(reader, case, modality, level) for reader, case, modality, level, _ in readings],
        ),
        f"readings{suffix}.imrmc": "\n".join(java) + "\n",
        f"mrmcaov{suffix}.csv": csv_text(
            ("reader", "treatment", "case", "truth", "rating"),
            [(reader, modality, case, truth, level) for reader, case, modality, level, truth in readings],
        ),
    }


def _bare(name: str) -> str:
    """Remove commas: iMRMC's application splits at every comma and does not support quotes."""
    return name.replace(",", ";")


def manifest(folder: Path) -> str:
    """Return manifest.json: every file of the report with its size and SHA-256."""
    found = {
        str(path.relative_to(folder).as_posix()): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return json.dumps({"format": 1, "files": found}, indent=1) + "\n"


def write_all(
    folder: Path, results: dict[str, Any], tables: Sequence[Table], responses: Responses, texts: dict[str, str]
) -> None:
    """Write everything except the page and the figures into `folder`; `texts` are passages of the report by name."""
    taken: set[str] = set()
    for table in tables:
        if table.rows:
            stem = folder / "tables" / _unique(re.sub(r"[^\w.-]", "_", table.name), 80, taken)
            _write(stem.with_name(stem.name + ".csv"), csv_text(*plain(results, table)))
            _write(stem.with_name(stem.name + ".tex"), tex(results, table))
    if find(responses.design).exchange:
        for name, text in exchange(responses).items():
            _write(folder / "exchange" / name, text)
    if texts:
        _write(folder / "references.bib", BIBLIOGRAPHY.read_text("utf-8"))
    _write(folder / "results.schema.json", SCHEMA.read_text("utf-8"))
    for name, text in texts.items():
        _write(folder / f"{name}.txt", text)
    (folder / "results.xlsx").write_bytes(workbook(results, tables, responses))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
