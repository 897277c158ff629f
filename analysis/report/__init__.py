"""The report of a study: load, measure, draw, write. `python -m analysis.report --help`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from analysis import registration
from analysis.arguments import Parser, refuse
from analysis.designs import conditions, find
from analysis.designs.common import Progress, Settings, silent
from analysis.designs.measure import measure
from analysis.report import archive, document, figures, files, marked, tables
from analysis.report.plates import Pictures, make_plates, open_pool, with_pool
from analysis.report.tables.table import RULES
from analysis.responses import Responses, ResponsesError, load_csv, load_mapped, load_panodiff, load_ratings
from analysis.responses.database import load_database
from analysis.responses.exported import is_export, load_export
from analysis.responses.looks import with_looks
from analysis.responses.marks import with_marks
from analysis.responses.subgroups import with_subgroups
from analysis.statistics.bayes import BayesError

EXAMPLE = Path(__file__).parents[1] / "data" / "panodiff_ratings.csv"


def write(
    responses: Responses,
    out: str | Path,
    settings: Settings,
    progress: Progress = silent,
    workers: int | None = None,
    pictures: Pictures | None = None,
    registered: Mapping[str, Any] | None = None,
) -> Path:
    """Measure, draw and write the whole report of a study into the folder `out`; return the path of report.html.

    Everything is first written next to `out` and moved there when complete, so that a failure leaves nothing behind.

    Args:
        responses: from a loader of `analysis.responses`.
        out: the folder; created if needed.
        settings: the rules, seeds and sizes.
        progress: called with the share done (0 to 1) and the name of the next step.
        workers: number of drawing processes; by default one per processor, at most two.
        pictures: the images of the cases, for the plates; without them, the report says that the plates are left out.
        registered: the registration of the study, if not the one in its database.

    Raises:
        ResponsesError: the registration is for another study.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as name:
        folder = Path(name)
        registered = registered or registration_of(responses)
        results = computed(responses, settings, registered, lambda share, what: progress(0.5 * share, what))
        (folder / "results.json").write_text(document.dump(results), encoding="utf-8")
        drawn = _draw(results, folder / "figures", workers or min(2, os.cpu_count() or 1), progress)
        drawn += make_plates(results, pictures, folder / "figures") if pictures and "plates" in results else []
        if "marks" in results:
            told = conditions.rest(responses)
            drawn += marked.make_wall(results, told, pictures, folder / "figures")
            marked.write_folder(results, told, pictures, folder / "marks")
        texts = {name: document.text(results, name) for name in find(responses.design).passages}
        every = tables.all_tables(results)
        progress(0.95, "page and tables")
        (folder / "report.html").write_text(document.page(results, every, drawn), encoding="utf-8")
        files.write_all(folder, results, every, responses, texts)
        (folder / archive.NAME).write_bytes(archive.pack(document.dump(results), responses, registered))
        (folder / "manifest.json").write_text(files.manifest(folder), encoding="utf-8")
        _replace(folder, out)
    progress(1.0, "done")
    return out / "report.html"


def computed(
    responses: Responses, settings: Settings, registered: Mapping[str, Any] | None, progress: Progress = silent
) -> dict[str, Any]:
    """All numbers of a report: the measures, and the comparison with the registration. Arguments as for `write`."""
    results = measure(responses, settings, progress)
    if registered:
        results["registration"] = registration.compare(registered, results, responses)
    return results


def registration_of(responses: Responses) -> dict[str, Any] | None:
    """Return the registration in the study's database, or None. Raises ResponsesError if it was edited."""
    given = responses.study.get("registration")
    return registration.loads(json.dumps(given), "the study's registration") if given else None


def _draw(results: dict[str, Any], folder: Path, workers: int, progress: Progress) -> list[figures.Drawn]:
    count, names = 0, figures.names(results)

    def done() -> None:
        nonlocal count
        count += 1
        progress(0.5 + 0.44 * count / len(names), "figures")

    return figures.make_all(names, results, folder, workers, done) if names else []


def _replace(folder: Path, out: Path) -> None:
    """Move every file of `folder` into `out`, and delete files of an earlier report that this one does not have."""
    earlier = out / "manifest.json"
    listed = json.loads(earlier.read_text("utf-8"))["files"] if earlier.is_file() else {}
    new = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    for path in sorted(new):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / path, out / path)
    for name in listed:
        if Path(name) not in new:
            (out / name).unlink(missing_ok=True)


def load(arguments: argparse.Namespace) -> Responses:
    """Load the responses named on the command line."""
    if arguments.example:
        responses = load_ratings(EXAMPLE, title="The published PanoDiff-SR observer study")
    elif arguments.database:
        responses = load_database(arguments.database, arguments.study)
    elif arguments.mapping:
        responses = load_mapped(arguments.responses, arguments.mapping, arguments.labels)
    elif arguments.labels:
        responses = load_panodiff(arguments.responses, arguments.labels)
    elif is_export(arguments.responses):
        responses = load_export(arguments.responses)
    else:
        responses = load_csv(arguments.responses, arguments.conditions)
    responses = responses.with_groups(arguments.groups) if arguments.groups else responses
    if arguments.marks or arguments.faults:
        responses = with_marks(responses, arguments.marks, arguments.faults)
    responses = with_looks(responses, arguments.looks) if arguments.looks else responses
    if arguments.subgroups:
        responses = with_subgroups(responses, arguments.cases or arguments.pool / "cases.csv", arguments.subgroups)
    return responses.with_detector(arguments.detector) if arguments.detector else responses


def parser(prog: str) -> argparse.ArgumentParser:
    """The command line."""
    made = Parser(prog, description="Create the report of an observer study, as a folder.")
    source = made.add_mutually_exclusive_group(required=True)
    source.add_argument("--database", metavar="URL", help="a study's database, e.g. sqlite:///instance/discern.sqlite")
    source.add_argument(
        "--responses",
        metavar="FILE",
        type=Path,
        help="Discern's CSV, .xlsx or .sav, the desk's zip, or (with --labels) the PanoDiff export",
    )
    source.add_argument("--example", action="store_true", help="use the published ratings of the PanoDiff-SR study")
    made.add_argument("--study", metavar="SLUG", help="the study in the database")
    made.add_argument("--labels", metavar="FILE", type=Path, help="the truth: a table Filename,Label")
    made.add_argument(
        "--mapping", metavar="FILE", type=Path, help="a TOML file that explains the columns of any other table"
    )
    made.add_argument(
        "--conditions",
        metavar="FILE",
        type=Path,
        help="with --responses: a table reader,case,condition,period,...",
    )
    made.add_argument(
        "--groups", metavar="FILE", type=Path, help="a CSV reader,group[,years] to replace the groups in the responses"
    )
    made.add_argument("--detector", metavar="FILE", type=Path, help="scores of an automatic detector: a CSV case,value")
    made.add_argument(
        "--marks", metavar="FILE", type=Path, help="a table of readers' marks: reader,case,x,y,reason,..."
    )
    made.add_argument(
        "--faults", metavar="FILE", type=Path, help="with --marks: known faults, as a pool's faults.json or a table"
    )
    made.add_argument(
        "--looks", metavar="FILE", type=Path, help="planned interim looks: looks.json from `discern plan --looks`"
    )
    made.add_argument(
        "--subgroups",
        metavar="COLUMN",
        action="append",
        help="a column of cases.csv to compare images by; may be repeated",
    )
    made.add_argument("--cases", metavar="FILE", type=Path, help="with --subgroups: cases.csv, if you give no --pool")
    made.add_argument("--pool", metavar="DIR", type=Path, help="the pool folder, to show its images")
    made.add_argument(
        "--registration",
        metavar="FILE",
        type=Path,
        help="registration.json from `discern plan --register`: compare with it",
    )
    made.add_argument("--out", metavar="DIR", type=Path, required=True, help="the folder to write")
    made.add_argument(
        "--unsure",
        choices=list(RULES),
        default="fractional",
        help="how unsure answers count in the main results; all rules are reported (%(default)s)",
    )
    made.add_argument(
        "--margin", metavar="M", type=_margin, default=0.1, help="equivalence margin around chance (%(default)s)"
    )
    made.add_argument(
        "--bayes", action="store_true", help="add a Bayesian analysis, for few readers (needs the extra 'bayes')"
    )
    made.add_argument(
        "--bootstrap", metavar="N", type=_from(2), default=10_000, help="bootstrap replicates (%(default)s)"
    )
    made.add_argument("--seed", metavar="S", type=_from(0), default=0, help="random seed (%(default)s)")
    return made


def _from(least: int) -> Callable[[str], int]:
    """Return the type of an option that is a whole number of at least `least`."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of {least} or more, got {text!r}")
        return int(text)

    return number


def _margin(text: str) -> float:
    """Convert an option to an equivalence margin."""
    try:
        return Settings(margin=float(text)).margin
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 0.5, got {text!r}") from None


def main(argv: list[str] | None = None, prog: str = "python -m analysis.report") -> int:
    """Run the command line; return 0, or 2 with every problem on standard error."""
    from tqdm import tqdm

    command = parser(prog)
    arguments = command.parse_args(argv)
    if bool(arguments.database) != bool(arguments.study):
        command.error("--database and --study must be given together")
    if arguments.labels and not arguments.responses:
        command.error("--labels can only be used with --responses")
    if arguments.conditions and (not arguments.responses or is_export(arguments.responses)):
        command.error(
            "--conditions can only be used with a table given by --responses; exports and databases have their own"
        )
    if arguments.mapping and not arguments.responses:
        command.error("--mapping can only be used with --responses")
    if arguments.subgroups and not (arguments.cases or arguments.pool):
        command.error("--subgroups needs --cases or --pool")
    settings = Settings(arguments.unsure, arguments.bootstrap, arguments.seed, arguments.margin, arguments.bayes)
    try:
        responses = load(arguments)
        pictures = open_pool(arguments.pool, responses) if arguments.pool else None
        registered = registration.load(arguments.registration) if arguments.registration else registration_of(responses)
        if registered:
            responses = with_pool(responses, arguments.pool)
            registration.assert_same(registered, responses.design, responses.study.get("pool"))
    except ResponsesError as bad:
        return refuse([f"{len(bad.faults)} problem(s); nothing was written.", *bad.faults])
    for remark in responses.remarks:
        print(f"note: {remark}", file=sys.stderr)
    try:
        with tqdm(total=100, unit="%", delay=2, bar_format="{desc:24} {bar} {percentage:3.0f} %") as bar:

            def progress(share: float, what: str) -> None:
                bar.set_description(what, refresh=False)
                bar.update(100 * share - bar.n)

            print(write(responses, arguments.out, settings, progress, pictures=pictures, registered=registered))
    except BayesError as bad:
        return refuse([f"{len(bad.faults)} problem(s); nothing was written.", *bad.faults])
    except OSError as error:
        return refuse([f"{error.filename or arguments.out}: {error.strerror or error}; the report was not written"])
    return 0
