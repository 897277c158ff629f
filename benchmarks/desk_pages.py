"""Every page of the researcher's desk, with a large study: processor time of the server, SQL statements and bytes.

    python benchmarks/desk_pages.py [--readers 500] [--cases 200] [--bootstrap 200] [--times 5] [--slow]

A study in which all readers have answered all cases is visited while it is open, and again when it is closed and its
report has been created (with `--bootstrap` replicates; their number does not affect the pages). The addresses come from
the application itself, so that no page is forgotten. `first` is the first request to a process that has just started,
`again` the median of `--times` further ones, both in ms of processor time of the whole process. The number of SQL
statements of a further request and the kilobytes sent follow. `--slow` prints only pages that take over 100 ms.
Downloads are not included, because they are streamed. The last line is the cost of a page without a study, with which
every ratio compares.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import flask_migrate
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.security import generate_password_hash

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analysis.designs.common import Settings as Measuring  # noqa: E402
from analysis.report import write  # noqa: E402
from benchmarks.desk import fill  # noqa: E402
from generation import phantom  # noqa: E402
from quiz_app import background, clock, create_app  # noqa: E402
from quiz_app.caching import FRESH_S  # noqa: E402
from quiz_app.database import db, reading  # noqa: E402
from quiz_app.models import Case, Researcher, Study  # noqa: E402
from quiz_app.pools import images  # noqa: E402
from quiz_app.settings import Settings  # noqa: E402
from quiz_app.study import lifecycle, reports  # noqa: E402

PASSWORD = "benchmark only"
PLAIN = "researcher.password"  # a page without a study
# Streamed or stored files: not pages that somebody waits for.
DOWNLOADS = ("responses", "everything", "download_log", "download_plan", "dictionary")
# Pages of work that this study does not have; a comparison is computed from the answers of two studies each time.
ABSENT = ("show_intake", "intake_status", "seen_image", "framed_image", "specimen", "download_registration",
          "archive_status", "download_archive", "show_restoring", "restoring_status", "compare_study",
          "log_in")  # fmt: skip
# More requests to the same addresses: filters, pages, sorting.
FURTHER = {
    "show_cases": ("sort=split", "sort=slow", "truth=synthetic&source=generator+A&group=EC", "page=3"),
    "watch_study": ("part",),
    "plan_study": ("measure=auc&value=0.55&readers=200&cases=20000", "margin=0.1&value=0.5"),
    "list_studies": ("away=1",),
}


@dataclass(frozen=True)
class Look:
    """One request for a page: processor time in ms, SQL statements, bytes."""

    ms: float
    statements: int
    bytes: int


class Desk:
    """A researcher at the desk of `app`, and what the server does for each request."""

    def __init__(self, app: Flask) -> None:
        self._statements = 0
        app.config["WTF_CSRF_ENABLED"] = False
        with app.app_context():
            for engine in (db.engine, app.extensions["discern.looking"]):
                sa.event.listen(engine, "before_cursor_execute", self._count)
        self.client: FlaskClient = app.test_client()
        self.client.post("/researcher/login", data={"name": "a", "password": PASSWORD})

    def _count(self, *_: object) -> None:
        self._statements += 1

    def look(self, address: str) -> Look:
        """Request one address. Raises RuntimeError if there is no page."""
        self._statements, start = 0, time.process_time()
        response = self.client.get(address)
        sent = len(response.data)
        taken = time.process_time() - start
        if response.status_code != 200:
            raise RuntimeError(f"{address}: {response.status_code}")
        return Look(1000 * taken, self._statements, sent)


def addresses(app: Flask, study: Study, key: str) -> Iterator[tuple[str, str]]:
    """Every page of the desk for this study, with its view and its address."""
    case = study.pool.cases[0].id
    values = {"study": study.slug, "slug": "big", "case": case, "reader": 1, "key": key}
    for rule in app.url_map.iter_rules():
        blueprint, _, view = rule.endpoint.partition(".")
        blind = study.blinded and view in {"show_cases", "show_case", "show_result_of_reader", "compare_study",
                                           "report_status", "report_file"}  # fmt: skip
        if blueprint != "researcher" or "GET" not in (rule.methods or ()) or view in ABSENT or blind:
            continue
        values["name"] = {"report_file": "report.html", "show_result_of_reader": "R1"}.get(view, "")
        _, address = rule.build({name: values[name] for name in rule.arguments})
        yield view, address
        for query in FURTHER.get(view, ()):
            yield view, f"{address}?{query}"


def furnished(instance: Path, readers: int, cases: int) -> Settings:
    """An instance with the study `big`, its images, and a researcher."""
    settings = Settings.load({}, instance=instance)
    app = create_app(settings)
    with app.app_context():
        flask_migrate.upgrade()
        fill(readers, cases)
        db.session.add(Researcher(name="a", password_hash=generate_password_hash(PASSWORD, "pbkdf2:sha256:1"),
                                  is_admin=True, created_at=clock.now()))  # fmt: skip
        db.session.commit()
        encoded = images.encoded(Image.fromarray(phantom.draw(0, "real")))
        settings.images.mkdir(parents=True, exist_ok=True)
        for name in db.session.scalars(sa.select(Case.stored)):
            (settings.images / name).write_bytes(encoded)
        db.session.remove()
        db.engine.dispose()
    return settings


def closed(settings: Settings, replicates: int) -> None:
    """Close the study and create its report."""
    app = create_app(settings)
    with app.app_context():
        study = db.session.scalars(sa.select(Study)).one()
        lifecycle.close(study)
        db.session.commit()
        with reading() as session:
            folder = reports.home(settings.instance, study) / reports.key(session, study)
        folder.mkdir(parents=True)
        start = time.process_time()
        write(reports.load(settings, study.slug), folder, Measuring(bootstrap=replicates), workers=1)
        background.tell(folder, "done", 1.0)
        print(f"the report, with {replicates} replicates: {time.process_time() - start:.1f} s of processor time")
        db.session.remove()
        db.engine.dispose()


def walk(settings: Settings, times: int, *, slow: bool) -> None:
    """Visit every page of the study in its current state, and print what each costs."""
    with create_app(settings).app_context(), reading() as session:
        study = db.session.scalars(sa.select(Study)).one()
        key, state = reports.key(session, study), study.state
        found = list(addresses(create_app(settings), study, key))
        db.session.remove()
    desk = Desk(create_app(settings))
    plain = statistics.median(desk.look("/researcher/password").ms for _ in range(9))
    print(f"\n{state}: a page without a study takes {plain:.1f} ms")
    print(f"{'page':<62}{'first':>8}{'again':>8}{'SQL':>6}{'kB':>8}{'ratio':>7}")
    pages = sorted(found, key=lambda one: one[0] in DOWNLOADS)
    for view, address in pages:
        first, again = desk.look(address), []
        for _ in range(times if view not in DOWNLOADS else 1):
            if view == "watch_study":
                time.sleep(1.5 * FRESH_S)  # so that pages cached for a second are not counted
            again.append(desk.look(address))
        median = statistics.median(look.ms for look in again)
        if not slow or max(first.ms, median) > 100:
            name = ("download " if view in DOWNLOADS else "") + address.removeprefix("/researcher")
            print(f"{name[:60]:<62}{first.ms:>8.0f}{median:>8.0f}{again[-1].statements:>6}"
                  f"{again[-1].bytes / 1000:>8.0f}{median / plain:>7.1f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--bootstrap", type=int, default=200, help="replicates of the report")
    parser.add_argument("--times", type=int, default=5, help="requests for each page after the first")
    parser.add_argument("--slow", action="store_true", help="print only pages that take over 100 ms")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = furnished(Path(folder), arguments.readers, arguments.cases)
        walk(settings, arguments.times, slow=arguments.slow)
        closed(settings, arguments.bootstrap)
        walk(settings, arguments.times, slow=arguments.slow)


if __name__ == "__main__":
    main()
