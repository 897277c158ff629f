"""Answers per second, compared with oTree, a platform for online experiments: `python benchmarks/load_otree.py`.

oTree is installed into its own environment in a temporary folder, and served by its own production server (`otree
prodserver`) on its default database, SQLite: one page with one form field per case, as in its tutorial. Its
participants and our readers take turns in one run; both are closed loops without pauses. An answer costs oTree the form
and the next page, and ours the onset and the answer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.load import Line, OurReader, prepared, rate, serving  # noqa: E402
from tests.server import free_port  # noqa: E402

KEY = "only-here"
SETTINGS = """
SESSION_CONFIGS = [dict(name="quiz", app_sequence=["quiz"], num_demo_participants=1)]
SESSION_CONFIG_DEFAULTS = dict(real_world_currency_per_point=1, participation_fee=0)
PARTICIPANT_FIELDS = SESSION_FIELDS = []
LANGUAGE_CODE = "en"
REAL_WORLD_CURRENCY_CODE = "USD"
USE_POINTS = True
ADMIN_USERNAME = "admin"
ADMIN_PASSWORD = SECRET_KEY = "only-here"
"""
APP = """
from otree.api import *


class C(BaseConstants):
    NAME_IN_URL, PLAYERS_PER_GROUP, NUM_ROUNDS = "quiz", None, {cases}


class Subsession(BaseSubsession):
    pass


class Group(BaseGroup):
    pass


class Player(BasePlayer):
    answer = models.StringField(choices=["real", "synthetic"], widget=widgets.RadioSelect)


class Case(Page):
    form_model = "player"
    form_fields = ["answer"]


page_sequence = [Case]
"""
PAGE = "{{ block content }}<h1>Real or synthetic?</h1>{{ formfields }}{{ next_button }}{{ endblock }}"


class Participant:
    """A participant in oTree."""

    def __init__(self, port: int, link: str, cases: int) -> None:
        self.line, self.link, self.cases = Line(port), link, cases
        self.waits: list[float] = []

    def come_in(self) -> None:
        self.where = self.link
        while (response := self.line.ask("GET", self.where)).status in (302, 303, 307):
            self.where = urllib.parse.urlsplit(response.headers["Location"]).path

    def read(self) -> None:
        for _ in range(self.cases):
            began = time.perf_counter()
            self.where = urllib.parse.urlsplit(self.line.form(self.where, answer="real")).path
            self.waits.append(time.perf_counter() - began)
            self.line.ask("GET", self.where)


def installed(folder: Path) -> Path:
    """Install oTree into its own environment; returns its program."""
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", "otree>=6"], check=True)
    return folder / "bin" / "otree"


def project(folder: Path, cases: int) -> Path:
    """A project of one app, with as many rounds as there are cases."""
    app = folder / "project" / "quiz"
    app.mkdir(parents=True)
    (app.parent / "_static").mkdir()
    (app.parent / "settings.py").write_text(SETTINGS)
    (app / "__init__.py").write_text(APP.format(cases=cases))
    (app / "Case.html").write_text(PAGE)
    return app.parent


def session(port: int, count: int) -> str:
    """The path of the link of a new session for `count` participants."""
    line = Line(port)
    body = json.dumps({"session_config_name": "quiz", "num_participants": count})
    line.connection.request("POST", "/api/sessions", body, {"Content-Type": "application/json", "otree-rest-key": KEY})
    response = line.connection.getresponse()
    told = response.read()
    assert response.status == 200, told[:300]
    return urllib.parse.urlsplit(json.loads(told)["session_wide_url"]).path


def main() -> None:
    """Measure oTree and ours in turn, `--rounds` times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program, at = installed(folder / "venv"), project(folder, given.cases)
        subprocess.run([program, "resetdb", "--noinput"], cwd=at, check=True)
        each = [given.readers] * given.rounds
        tokens, _, _ = prepared(folder, None, given.cases, each, False)
        theirs, ours = free_port(), free_port()
        serve = ["sh", "-c", 'cd "$0" && exec otree prodserver "$1"', str(at), str(theirs)]
        environment = {"OTREE_REST_KEY": KEY, "OTREE_PRODUCTION": "1", "PATH": f"{program.parent}:{os.environ['PATH']}"}
        ourselves = [sys.executable, "run.py", "--port", str(ours), "--no-demo"]
        with (
            serving(serve, theirs, environment) as otree,
            serving(ourselves, ours, {"DISCERN_INSTANCE": str(folder / "instance")}) as discern,
        ):
            for keys in tokens:
                link = session(theirs, given.readers)
                people = [Participant(theirs, link, given.cases) for _ in keys]
                there, spent = rate("oTree", people, otree)
                here, we_spent = rate("Discern", [OurReader(ours, token, False) for token in keys], discern)
                print(
                    f"oTree: {there / here:.2f} times our answers, at {spent / we_spent:.1f} times the processor time"
                )


if __name__ == "__main__":
    main()
