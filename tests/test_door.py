"""`discern`: one door to every command, and the old spellings of each."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.server import free_port
from tests.test_run import running

ROOT = Path(__file__).resolve().parents[1]
WANTED = "run study pool reader researcher responses simulate backup mirror db generate report compare plan verify"
QUIZ = ["study", "pool", "reader", "researcher", "responses", "simulate", "backup", "mirror"]
DOOR = [sys.executable, str(ROOT / "run.py")]


def done(command, cwd, code=0, **environment):
    known = {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    result = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, env=os.environ | known | environment
    )
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    return result


def at_the_door(tmp_path, *words, code=0):
    return done([*DOOR, "--instance", tmp_path / "instance", *words], tmp_path, code)


@pytest.fixture(scope="module")
def with_study(tmp_path_factory, pool_folder):
    """An instance with a study that is open, made through the door."""
    folder = tmp_path_factory.mktemp("furnished")
    at_the_door(folder, "db", "upgrade")
    at_the_door(folder, "pool", "import", pool_folder, "--slug", "noise")
    at_the_door(folder, "study", "create", "--title", "Mine", "--pool", "noise", "--slug", "mine")
    at_the_door(folder, "study", "open", "mine")
    return folder


@pytest.fixture
def furnished(with_study, tmp_path):
    """A copy of it for one test."""
    shutil.copytree(with_study / "instance", tmp_path / "instance")
    return tmp_path


def test_the_help_fits_one_screen_and_loads_no_wing(tmp_path):
    shown = done([*DOOR, "--help"], tmp_path).stdout.splitlines()
    assert len(shown) <= 24
    assert max(map(len, shown)) <= 80
    commands = {name for line in shown[7:] for name in re.findall(r"^ +(?:[A-Z]\w+ +)?(\w+)  ", line)}
    assert commands >= set(WANTED.split())
    script = "import sys, run\ntry: run.main(['--help'])\nexcept SystemExit: pass\n"
    script += "print([name for name in ('flask', 'torch', 'pandas', 'generation', 'analysis') if name in sys.modules])"
    assert done([sys.executable, "-c", script], ROOT).stdout.splitlines()[-1] == "[]"


HELPS = """
import contextlib, io, sys
sys.path.insert(0, {root!r})
{imports}
for words in {words!r}:
    sys.argv, said = [words[0], *words[1:], "--help"], io.StringIO()
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(said):
        {call}
    print(said.getvalue(), end=chr(12))
"""


def helps(cwd, imports, call, words):
    """The --help output of each of `words`, from one process that requests them in turn."""
    script = HELPS.format(root=str(ROOT), imports=imports, call=call, words=[tuple(one) for one in words])
    instance = str(cwd / "instance")
    said = done([sys.executable, "-c", script], cwd, DISCERN_INSTANCE=instance).stdout.split("\f")
    assert len(said) == len(words) + 1
    assert all("--help" in one for one in said[:-1])
    return said[:-1]


def test_old_spellings_of_the_other_wings_give_the_same_help(tmp_path):
    names = {"planning": "plan"}
    modules = {
        f"analysis.{name}": names.get(name, name) for name in ("report", "compare", "planning", "verify", "meta")
    }
    olds = [*([name] for name in modules), ["generation"], ["generation", "pool"]]
    news = [["discern", modules.get(old[0], "generate"), *old[1:]] for old in olds]
    before = helps(tmp_path, "import runpy", "runpy.run_module(words[0], run_name='__main__', alter_sys=True)", olds)
    after = helps(tmp_path, "import run", "run.main([*words[1:], '--help'])", news)
    for old, new, one, other in zip(olds, news, before, after, strict=True):
        said = one.replace(f"python -m {old[0]}", f"discern {new[1]}")
        assert re.sub(r"\s+", " ", said) == re.sub(r"\s+", " ", other), new


def test_old_spellings_of_the_quiz_give_the_same_help(tmp_path):
    words = [["discern", name] for name in QUIZ]
    call = "flask.cli.main(['--app', 'quiz_app', *words[1:], '--help'])"
    before = helps(tmp_path, "import flask.cli; flask.cli.main = flask.cli.cli.main", call, words)
    after = helps(tmp_path, "import run", "run.main([*words[1:], '--help'])", words)
    assert [one.partition("\n")[2] for one in before] == [one.partition("\n")[2] for one in after]


def test_old_and_new_spelling_work_on_one_instance(furnished):
    new = at_the_door(furnished, "study", "list").stdout
    flask = [sys.executable, "-m", "flask", "--app", "quiz_app", "study", "list"]
    old = done(flask, furnished, DISCERN_INSTANCE=str(furnished / "instance"))
    assert new == old.stdout == "mine\topen\t0 answers\tMine\n"


def test_the_instance_may_stand_after_the_command_too(furnished):
    after = done([*DOOR, "study", "list", "--instance", furnished / "instance"], furnished).stdout
    assert after == at_the_door(furnished, "study", "list").stdout


def test_scripts_read_json_where_people_read_lines(furnished):
    def told(*words):
        return json.loads(at_the_door(furnished, *words, "--json").stdout)

    assert [one["study"] for one in told("study", "list")] == ["mine"]
    assert told("pool", "list")[0]["cases"] == 15
    assert told("reader", "invite", "--study", "mine", "R1")[0]["reader"] == "R1"
    assert told("reader", "list", "--study", "mine") == [{"reader": "R1", "group": "", "state": "invited"}]
    assert told("reader", "revoke", "--study", "mine", "R1") == {"reader": "R1", "state": "link withdrawn"}
    assert told("responses", "export", "--study", "mine", "--out", furnished / "answers.csv")["rows"] == 0
    assert told("researcher", "add", "ada")["researcher"] == "ada"
    assert told("backup", furnished / "copy.sqlite")["bytes"] > 0
    assert told("study", "close", "mine")["state"] == "closed"


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (("nonsense",), "No such command 'nonsense'", 2),
        (("study", "open", "none"), "study: there is no study 'none'", 1),
        (("report", "--responses", "none.csv", "--out", "out"), "none.csv: cannot be read", 2),
        (("compare", "a.csv", "b.csv"), "a.csv: cannot be read", 2),
        (("verify", "none.zip"), "none.zip: cannot be read", 2),
        (("plan", "auc", "7"), "value: expected a number between 0 and 1", 2),
        (("generate", "audit", "none", "--out", "out"), "none", 2),
        (("report",), "--out", 2),
    ],
)
def test_every_command_says_what_is_wrong_in_one_style(furnished, words, said, code):
    wrong = at_the_door(furnished, *words, code=code)
    assert wrong.stdout == ""
    assert any(line.startswith("Error: ") for line in wrong.stderr.splitlines())
    assert said in wrong.stderr


def test_a_command_whose_packages_are_missing_names_the_extra_to_install(tmp_path):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    said = done([*DOOR, "generate", "train", "--help"], tmp_path, 2, PYTHONPATH=path).stderr
    assert said.startswith("Error: train needs the package torch")
    assert 'pip install "discern[generation]"' in said


def test_a_database_without_tables_is_said_with_the_command_that_makes_them(tmp_path):
    assert "discern db upgrade" in at_the_door(tmp_path, "study", "list", code=1).stderr


def test_settings_that_cannot_be_used_are_said(tmp_path):
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "settings.toml").write_text("nonsense = 1\n")
    assert "unknown setting 'nonsense'" in at_the_door(tmp_path, "study", "list", code=1).stderr


def answers(address):
    try:
        return httpx.get(f"{address}/healthz").is_success
    except httpx.HTTPError:
        return False


def invited(tmp_path, name, *more):
    result = at_the_door(tmp_path, "reader", "invite", "--study", "mine", name, *more)
    return result.stdout.split("\t")[1].strip(), result.stderr


def test_links_lead_to_the_server_that_runs_here_and_to_none_that_was_killed(furnished):
    link, said = invited(furnished, "R1")
    assert link.startswith("/r/")
    assert "No server is running on this instance" in said
    assert "--url" in said
    with running(furnished, "--no-demo") as (address, _):
        link, said = invited(furnished, "R2")
        assert (link.startswith(f"{address}/r/"), said) == (True, "")
        assert invited(furnished, "R3", "--url", "https://quiz.example/")[0].startswith("https://quiz.example/r/")
        with running(furnished, "--no-demo", "--workers", "2") as (second, _):
            assert invited(furnished, "R4")[0].startswith(f"{second}/r/")
        assert invited(furnished, "R5")[0].startswith(f"{address}/r/")
    assert not list((furnished / "instance" / "servers").iterdir())


def test_the_note_of_a_killed_server_is_not_believed_even_when_another_instance_serves_there(furnished):
    port = free_port()

    def started(instance):
        command = [*DOOR, "--instance", str(furnished / instance), "--port", str(port), "--no-demo"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not list((furnished / instance).glob("servers/*")) or not answers(f"http://127.0.0.1:{port}"):
            assert server.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        return server

    server = started("instance")
    server.send_signal(signal.SIGKILL)
    server.wait(20)
    assert len(list((furnished / "instance" / "servers").iterdir())) == 1
    other = started("another")
    try:
        assert invited(furnished, "R1")[0].startswith("/r/")
    finally:
        other.terminate()
        other.wait(20)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
def test_bash_completes_commands(tmp_path):
    program = tmp_path / "bin" / "discern"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT / "run.py"} "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(discern completion bash)"\n'
        'COMP_WORDS=(discern re); COMP_CWORD=1; _discern_completion discern; echo "${COMPREPLY[@]}"\n'
        'COMPREPLY=(); COMP_WORDS=(discern study cl); COMP_CWORD=2; _discern_completion discern; echo "${COMPREPLY[@]}"'
    )
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    shown = done(["bash", "-c", script], tmp_path, PATH=path).stdout.splitlines()
    assert shown == ["reader researcher report responses", "close"] or (
        set(shown[0].split()) == {"reader", "researcher", "responses", "report"} and shown[1] == "close"
    )
