"""The export of the PanoDiff quiz and its image labels."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from analysis.responses.checks import COLUMNS, checked
from analysis.responses.names import Names
from analysis.responses.readings import Responses, as_responses
from analysis.responses.tabular import ResponsesError, Table, checksum, read, refuse

PANODIFF_LEVELS = {
    "definitely real": 1,
    "probably real": 2,
    "unsure": 3,
    "probably fake": 4,
    "definitely fake": 5,
}
PANODIFF_TRUTHS = {"real": "real", "fake": "synthetic", "synthetic": "synthetic"}


def read_labels(table: Table, faults: list[str]) -> dict[str, str]:
    """Return the truth (real or synthetic) of each image in a table `Filename, Label`; add problems to `faults`."""
    truth: dict[str, str] = {}
    for number, row in table.rows:
        file, label = row["Filename"].strip(), row["Label"].strip()
        if label.lower() not in PANODIFF_TRUTHS:
            faults.append(f"{table.name}, row {number}: label {label!r} of image {file!r}; expected Real or Fake")
        if file in truth:
            faults.append(f"{table.name}, row {number}: image {file!r} is labelled twice")
        truth[file] = PANODIFF_TRUTHS.get(label.lower(), "")
    return truth


def load_panodiff(responses: str | Path, labels: str | Path) -> Responses:
    """Load the export of the PanoDiff quiz: `User Name, File, RealFakeValueSlider` and `Filename, Label`.

    The letters before the digits of a reader's name are the group. If the export has `Progress Value`, the position in
    the reading order is derived from it.

    Raises:
        ResponsesError: lists every problem in both files.
    """
    import pandas as pd

    answers, truths = Path(responses).name, Path(labels).name
    given = read(responses).named(("User Name", "File", "RealFakeValueSlider", "Progress Value"))
    labelled = read(labels).named(("Filename", "Label"))
    needed = ("User Name", "File", "RealFakeValueSlider")
    refuse(
        [f"{answers}: column {c!r} is missing" for c in needed if c not in given.header]
        + [f"{truths}: column {c!r} is missing" for c in ("Filename", "Label") if c not in labelled.header]
    )
    faults: list[str] = []
    truth = read_labels(labelled, faults)
    rows, names = given.rows, Names(truth)
    records, places = [], []
    for number, row in rows:
        place, file, said = f"{answers}, row {number}", row["File"].strip(), row["RealFakeValueSlider"].strip()
        try:
            file = names.find(file)
        except ValueError as error:
            faults.append(f"{place}: image {error} in {truths}")
        if said.lower() not in PANODIFF_LEVELS:
            expected = ", ".join(level.title() for level in PANODIFF_LEVELS)
            faults.append(f"{place}: level {said!r}; expected one of {expected}")
        reader = row["User Name"].strip()
        group = re.match(r"\D*", reader).group().rstrip("-_ ")  # type: ignore[union-attr]
        level = PANODIFF_LEVELS.get(said.lower(), "")
        records.append(
            {"reader": reader, "reader_group": group, "case": file, "truth": truth.get(file) or "real", "level": level}
            | {"position": _progress(row.get("Progress Value", ""), len(truth))}
        )
        places.append(place)
    refuse([f"{answers}: it contains no responses"] if not rows else [])
    table = pd.DataFrame(records).reindex(columns=COLUMNS, fill_value="").astype(str)
    if table.duplicated(["reader", "position"]).any():
        table["position"] = ""
    try:
        table = checked(table, places, answers)
    except ResponsesError as bad:
        faults += bad.faults
    refuse(faults)
    files = {answers: checksum(responses), truths: checksum(labels)}
    remarks = [*given.remarks, *labelled.remarks, *names.remarks(answers, truths)]
    loaded = as_responses(table, {"kind": "panodiff", "files": files, "remarks": remarks}, title="PanoDiff export")
    return replace(loaded, cases={case: int(t == "synthetic") for case, t in truth.items()})


def _progress(text: str, total: int) -> str:
    """Return the position given by a text such as `Progress: 89.055%`, counted from 1; empty if there is none."""
    match = re.search(r"(\d{1,3}(?:\.\d*)?)\s*%", text, re.ASCII)
    return str(round(float(match[1]) / 100 * total)) if match else ""
