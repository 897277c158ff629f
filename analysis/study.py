"""For notebooks: a study as one object, with its numbers as tables and its figures as matplotlib figures."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.designs.common import Settings
    from analysis.report.tables.table import Table
    from analysis.responses import Responses

DATABASES = ("sqlite", "postgresql")
EXAMPLE = Path(__file__).parent / "data" / "panodiff_ratings.csv"
TAKES = (
    "expected a CSV, .xlsx or .sav of responses, a folder or zip with responses.csv, a database address with "
    "study=..., a pandas DataFrame, or 'panodiff' for the published example"
)


def load(
    source: str | Path | pd.DataFrame,
    *,
    study: str | None = None,
    labels: str | Path | None = None,
    mapping: str | Path | None = None,
    groups: str | Path | None = None,
    conditions: str | Path | None = None,
    subgroups: Sequence[str] = (),
    cases: str | Path | None = None,
) -> Study:
    """Load a study.

    Args:
        source: a table of responses (CSV, .xlsx, .sav); a folder or zip that the desk exported; a database address
            such as `sqlite:///instance/discern.sqlite`; a DataFrame with the columns reader, case, truth and level; or
            "panodiff" for the published ratings of the PanoDiff-SR study.
        study: the slug of the study, for a database.
        labels: the table of image labels, for the export of the PanoDiff quiz.
        mapping: a TOML file that explains the columns of any other table.
        groups: a table reader,group[,years] that replaces the groups in the responses.
        conditions: for a table of responses, the condition of each trial; exports and databases include it.
        subgroups: columns of `cases` by which to compare cases, in addition to those that the study declared.
        cases: the pool's cases.csv, or any table with the column case and a row for each case.

    Raises:
        TypeError: the source has an unknown type, or `subgroups` is text.
        ResponsesError: lists every problem in the input.
    """
    from analysis.responses import ResponsesError
    from analysis.responses.subgroups import with_subgroups

    if isinstance(subgroups, str):
        raise TypeError(f"subgroups: expected a list of columns such as [{subgroups!r}], got text")
    if bool(subgroups) != (cases is not None):
        raise ResponsesError(["subgroups, cases: must be given together: the columns, and the table that has them"])
    found = _responses(source, study, labels, mapping, conditions)
    found = found.with_groups(groups) if groups else found
    return Study(with_subgroups(found, cases, list(subgroups)) if cases is not None else found)


def _responses(source: Any, study: str | None, labels: Any, mapping: Any, conditions: Any) -> Responses:
    from analysis import responses
    from analysis.responses.database import load_database
    from analysis.responses.exported import is_export, load_export

    frame = hasattr(source, "columns") and hasattr(source, "to_dict")
    if not frame and not isinstance(source, str | Path):
        raise TypeError(f"load: {TAKES}; got {type(source).__name__}")
    database = not frame and "://" in str(source)
    if (study is not None) != database:
        raise responses.ResponsesError(["study: a study's slug is needed for a database address, and only for that"])
    whole = frame or database or source == "panodiff"
    if whole and (labels is not None or mapping is not None):
        raise responses.ResponsesError(
            ["labels, mapping: can only be used with a file of answers, not with this source"]
        )
    if conditions is not None and (whole or labels is not None or mapping is not None or is_export(source)):
        raise responses.ResponsesError(
            ["conditions: can only be used with our own table of answers, not with this source"]
        )
    if frame:
        return responses.load_frame(source)
    if source == "panodiff":
        return responses.load_ratings(EXAMPLE, title="The published PanoDiff-SR observer study")
    if database:
        if str(source).split("+")[0].split(":")[0] not in DATABASES:
            raise responses.ResponsesError([f"{source}: is not a database address; {TAKES}"])
        return load_database(str(source), str(study))
    path = Path(source) / "responses.csv" if Path(source).is_dir() else Path(source)
    if not path.is_file():
        raise responses.ResponsesError([f"{path}: there is no such file; {TAKES}"])
    if mapping is not None:
        return responses.load_mapped(path, mapping, labels)
    if labels is not None:
        return responses.load_panodiff(path, labels)
    return load_export(source) if is_export(source) else responses.load_csv(path, conditions)


class Study:
    """The answers of one study, and its results.

    Every number comes from `measure()`, which the report writes as results.json; it is computed only once for the same
    settings. Settings are those of `analysis.designs.common.Settings`: unsure, bootstrap, seed, margin.
    """

    def __init__(self, responses: Responses) -> None:
        self.responses = responses
        self._measured: dict[Settings, dict[str, Any]] = {}

    @property
    def title(self) -> str:
        """The title of the study."""
        return str(self.responses.study.get("title") or self.responses.study.get("slug") or "Study")

    @property
    def design(self) -> str:
        """rating, quartet, comparison or staircase."""
        return self.responses.design

    @property
    def _said(self) -> str:
        """The column of the responses that holds the answer."""
        from analysis.responses.checks import ROWS

        return ROWS[self.design].said

    @property
    def readers(self) -> pd.DataFrame:
        """One row per reader: reader, group, cases, answered."""
        rows = self.responses.scored.groupby("reader", sort=False)
        said = (self._said, "count")
        found = rows.agg(group=("reader_group", "first"), cases=("case", "nunique"), answered=said)
        return found.loc[self.responses.readers].reset_index()

    @property
    def cases(self) -> pd.DataFrame:
        """One row per case: case, truth, source, readers, answered."""
        rows = self.responses.scored.assign(truth=self.responses.scored["truth"].map({0: "real", 1: "synthetic"}))
        found = rows.groupby("case", sort=False).agg(
            truth=("truth", "first"),
            source=("source", "first"),
            readers=("reader", "nunique"),
            answered=(self._said, "count"),
        )
        return found.loc[self.responses.case_names].reset_index()

    @property
    def tables(self) -> list[str]:
        """The names that you can pass to `table`."""
        return [table.name for table in self._tables(self._results({}))]

    @property
    def plots(self) -> list[str]:
        """The names that you can pass to `plot`; with bayes=True also bayes_predictive."""
        from analysis.report.figures import names

        return list(names(self._results({})))

    def measure(self, **settings: Any) -> dict[str, Any]:
        """Return all numbers of the study, as in results.json; `settings` as in `Settings`, e.g. unsure="half".

        Raises ValueError for an invalid setting.
        """
        return deepcopy(self._results(settings))  # so that changes do not affect later tables

    def table(self, name: str, **settings: Any) -> pd.DataFrame:
        """Return a table of the report at full precision; an estimate and its interval take three columns.

        Raises KeyError for a name that is not in `tables`.
        """
        import pandas as pd

        from analysis.report.tables.table import plain

        results = self._results(settings)
        made = {table.name: table for table in self._tables(results)}
        header, rows = plain(results, made[_known(name, made)])
        return pd.DataFrame(rows, columns=pd.Index(header))

    def plot(self, name: str, **settings: Any) -> Figure:
        """Return a figure of the report.

        Raises KeyError for a name that is not in `plots`, ValueError if the study lacks the data for the figure.
        """
        from analysis.report.figures import draw, names

        results = self._results(settings)
        return draw(_known(name, names(results)), results)

    def report(self, out: str | Path, registration: str | Path | None = None, **settings: Any) -> Path:
        """Write the whole report into the folder `out` and return the path of its report.html.

        `registration`: registration.json, to compare the study with it. Raises ResponsesError if it is for another
        study.
        """
        from analysis.designs.common import Settings
        from analysis.registration import load
        from analysis.report import write

        registered = load(registration) if registration else None
        return write(self.responses, out, Settings(**settings), registered=registered)

    def _results(self, settings: dict[str, Any]) -> dict[str, Any]:
        from analysis.designs.common import Settings
        from analysis.designs.measure import measure

        key = Settings(**settings)
        if key not in self._measured:
            self._measured[key] = measure(self.responses, key)
        return self._measured[key]

    def _tables(self, results: dict[str, Any]) -> list[Table]:
        from analysis.report.tables import all_tables

        return all_tables(results)

    def __repr__(self) -> str:
        readers, cases = len(self.responses.readers), len(self.responses.case_names)
        return f"<Study {self.title!r}: {self.design}, {readers} readers, {cases} cases>"

    def _repr_html_(self) -> str:
        """Return the notebook view: who read what, and the headline figures with their intervals."""
        from analysis.report.tables import of_design
        from analysis.report.tables.table import find, show

        results = self._results({})
        rows = [
            ("Design", self.design),
            ("Readers", f"{len(self.responses.readers)}"),
            ("Cases", f"{results['study']['real']} real, {results['study']['synthetic']} synthetic"),
            ("Answers", f"{results['study']['answers']:,}"),
        ]
        for words, style, pointer in of_design(self.design).headline(results):
            rows.append((words, show(find(results, pointer), style)))
        body = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
        return f"<table><caption>{escape(self.title)}</caption>{body}</table>"


def _known(name: str, names: Any) -> str:
    if name not in names:
        raise KeyError(f"{name!r} is unknown; expected one of {', '.join(names)}")
    return name
