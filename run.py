"""The entry point of Discern: `discern COMMAND`, or `python run.py` to start. Only this module knows all three wings.

Starting prepares the instance folder and the database, creates a demonstration study the first time, and serves. Every
other command is loaded only when it is called, so that showing help loads neither Flask nor torch.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from flask import Flask

    from quiz_app.settings import Settings

DEMO_COUNT, DEMO_PRACTICE, DEMO_SEED = 100, 6, 20250709


# The purpose of each command, as shown by `discern --help`; where it is, if not in the quiz
ROOMS = {
    "Serve": {"run": "Start the server (also: discern without a command)"},
    "Studies": {
        "study": "Create, open, close, copy and archive studies",
        "pool": "Import and list pools of images",
        "reader": "Invite and list readers, withdraw their links",
        "researcher": "Add researchers and reset passwords",
        "responses": "Export the answers",
        "simulate": "Rehearse a study with simulated readers",
        "backup": "Copy the database while the server runs",
        "mirror": "Copy every answer to Firestore, or restore from there",
        "db": "Upgrade the database, or move it to PostgreSQL",
    },
    "Images": {"generate": "Create images and pools: train, sample, pool, audit ..."},
    "Results": {
        "report": "Create the report of a study",
        "compare": "Compare two studies, or one study at two times",
        "meta": "Pool several studies (meta-analysis)",
        "plan": "Plan the numbers of readers and cases",
        "verify": "Recompute a report's numbers from its archive",
    },
    "Shell": {"completion": "Print the script for command completion in your shell"},
}
INSTANCE = "discern.instance"
ELSEWHERE = {
    "generate": "generation.__main__",
    "report": "analysis.report",
    "compare": "analysis.compare",
    "meta": "analysis.meta",
    "plan": "analysis.planning",
    "verify": "analysis.verify",
}


class CannotStartError(click.ClickException):
    """The server cannot start; the message says why and what to do."""


def prepare_database(app: Flask) -> None:
    """Create the tables of a new database; report a database of a different version. Raises CannotStartError."""
    import flask_migrate
    import sqlalchemy as sa

    from quiz_app.database import another_version, db, versions

    try:
        found, wanted = versions()
        with db.engine.connect() as connection:
            tables = sa.inspect(connection).get_table_names()
    except sa.exc.SQLAlchemyError as error:
        raise CannotStartError(f"The database cannot be opened: {error.args[0]}") from error
    if found == wanted:
        return
    if not tables:
        flask_migrate.upgrade()
        return
    raise CannotStartError(another_version(found, wanted))


def demonstration(app: Flask) -> str | None:
    """The token of the demonstration's reader. Creates pool, study and reader if there is no study at all.

    This is the only token that is stored: the demonstration has nothing to protect, and its link is printed at every
    start.
    """
    from generation import phantom
    from generation.arguments import bar
    from quiz_app.database import db
    from quiz_app.models import Study
    from quiz_app.pools import importing
    from quiz_app.study import lifecycle, readers

    settings = app.config["SETTINGS"]
    kept = settings.instance / "demo_token"
    if db.session.query(Study).count():
        return kept.read_text() if kept.exists() else None
    folder = settings.instance / "demo_pool"
    if not folder.exists():
        print(f"Drawing {2 * DEMO_COUNT + DEMO_PRACTICE} phantoms for the demonstration study ...", flush=True)
        with bar("phantoms drawn") as progress:
            phantom.make_pool(folder, DEMO_COUNT, DEMO_COUNT, DEMO_PRACTICE, DEMO_SEED, progress=progress)
    pool = importing.import_folder(folder, settings.images)
    study = lifecycle.create("Demonstration: phantoms", pool, slug="demo", seed=DEMO_SEED)
    lifecycle.open_study(study)
    _, token = readers.invite(study, "demo-reader")
    db.session.commit()
    kept.write_text(token)
    return token


def greet(app: Flask, address: str, no_demo: bool) -> str | None:
    """Print where to go: the researcher's address (and password, the first time) and the demonstration's link.

    Returns the token of that link.
    """
    from quiz_app.study import readers, researchers

    token = None if no_demo else demonstration(app)
    password = (
        researchers.ensure_first()
    )  # last, so that the password is not missed if the slow drawing above is stopped
    print(f"\nResearcher:  {address}/researcher/")
    if password:
        print(f"             log in as {researchers.FIRST}, password {password} (shown only once)")
        print(f"             to set another: discern researcher password {researchers.FIRST}")
    if token:
        print(f"Reader:      {readers.link(address, token)}  (demonstration)")
    print("Stop with Ctrl+C.\n", flush=True)
    return token


def assert_port_is_free(host: str, port: int) -> None:
    """Check that the port is free before anything else is done. Raises CannotStartError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotStartError(
                f"Port {port} on {host} cannot be used: {error.strerror}. Choose another with --port."
            ) from error


@contextmanager
def tunnelled(app: Flask, port: int, token: str | None) -> Iterator[None]:
    """A tunnel to the server at `port`, while the context lasts. It opens in the background and reports its state."""
    from quiz_app.tunnel import OnlyHere, Tunnel

    settings: Settings = app.config["SETTINGS"]
    if not settings.tunnel_researcher:
        app.wsgi_app = OnlyHere(app.wsgi_app, settings)  # type: ignore[method-assign]
    paths = {"Reader (demonstration)": f"/r/{token}/"} if token else {}
    tunnel = Tunnel(settings, port, paths, say=lambda text: print(text, flush=True))
    tunnel.start()
    try:
        yield
    finally:
        tunnel.stop()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5000, show_default=True, help="Port to listen on.")
@click.option("--instance", type=Path, help="Folder for database, images and settings (default: ./instance).")
@click.option("--tunnel", is_flag=True, help="Let readers in from the internet through ngrok.")
@click.option("--no-demo", is_flag=True, help="Do not create the demonstration study.")
@click.option("--workers", default=1, show_default=True, help="Number of server processes; on Windows only 1.")
@click.option("--check", is_flag=True, help="Check whether the server could start, print the result, and exit.")
@click.pass_context
def run(
    context: click.Context,
    host: str,
    port: int,
    instance: Path | None,
    tunnel: bool,
    no_demo: bool,
    workers: int,
    check: bool,
) -> None:
    """Start the server. The first start also creates a demonstration study. Stop with Ctrl+C."""
    if tunnel and workers > 1:
        raise CannotStartError(
            "A tunnel serves a single process: leave out --workers, or see docs/howto/deployment.md."
        )
    if workers > 1 and sys.platform == "win32":
        raise CannotStartError("Several workers are not supported on Windows: leave out --workers.")
    if check:
        look(host, port, instance or context.meta.get(INSTANCE))
        return
    assert_port_is_free(host, port)
    if workers > 1:
        count_together()
    app = made(instance or context.meta.get(INSTANCE), trusted_proxies=1 if tunnel else None)
    settings: Settings = app.config["SETTINGS"]
    listening = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    with app.app_context():
        from quiz_app import serving, storage
        from quiz_app.address import announced
        from quiz_app.database import let_go

        prepare_database(app)
        if settings.images_url:
            storage.assert_usable(settings.images)
        token = greet(app, settings.public_url or listening, no_demo)
        let_go(app)  # the workers open their own
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that open resources are closed with the server
    way_in = tunnelled(app, port, token) if tunnel else nullcontext()
    with suppress(KeyboardInterrupt), announced(settings, listening), way_in:
        serving.serve(app, host, port, workers)


def look(host: str, port: int, instance: Path | None) -> None:
    """Print what a server would find at its start. Raises CannotStartError if something is wrong."""
    faults = []
    app = made(instance)
    with app.app_context():
        from quiz_app.health import checks

        found = list(checks(app.config["SETTINGS"]))
    try:
        assert_port_is_free(host, port)
        found.append(("port", f"{port} on {host} is free", True))
    except CannotStartError as error:
        found.append(("port", error.message, False))
    for name, told, well in found:
        print(f"{'ok   ' if well else 'FAULT'}  {name:10}{told}")
        faults += [] if well else [name]
    if faults:
        raise CannotStartError(f"The server cannot start. Fix these checks first (see above): {', '.join(faults)}.")


def count_together() -> None:
    """Let the workers add up their counts for /metrics, in a folder that is removed when this process ends."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder = tempfile.mkdtemp(prefix="discern-metrics-")
        owner = os.getpid()
        atexit.register(lambda: os.getpid() == owner and shutil.rmtree(folder, ignore_errors=True))


def made(instance: Path | None, **given: Any) -> Flask:
    """The application on an instance folder. Raises ClickException for invalid settings."""
    from quiz_app import create_app
    from quiz_app.errors import SettingsError
    from quiz_app.settings import Settings

    try:
        return create_app(Settings.load(instance=instance, **given))
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


class Door(click.Group):
    """All commands, grouped by purpose, and loaded when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for room in ROOMS.values() for name in room]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in ELSEWHERE:
            return passed_on(cmd_name, ELSEWHERE[cmd_name])
        if cmd_name in ROOMS["Studies"]:
            from quiz_app import commands

            return commands.COMMANDS[cmd_name]
        return super().get_command(ctx, cmd_name)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.hidden = True  # readers of the help already know it
        return option

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, room in ROOMS.items():
            for heading, (name, purpose) in zip_longest([title], room.items(), fillvalue=""):
                formatter.write(f"  {heading:9}{name:12}{purpose}\n")


def passed_on(name: str, module: str) -> click.Command:
    """The command that passes everything after its name to the `main` of `module`."""

    def call(words: tuple[str, ...]) -> None:
        sys.exit(import_module(module).main(list(words), prog=f"discern {name}"))

    everything = click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)
    settings = {"ignore_unknown_options": True}
    return click.Command(name, callback=call, params=[everything], context_settings=settings, add_help_option=False)


@click.group(cls=Door, options_metavar="[--instance DIR]", subcommand_metavar="COMMAND ...")
@click.option("--instance", type=Path, help="Folder for database, images, settings [./instance].")
@click.version_option(package_name="discern", message="%(version)s")
@click.pass_context
def door(context: click.Context, instance: Path | None) -> None:
    """Can experts tell synthetic radiographs from real ones?"""
    context.meta[INSTANCE] = instance
    if context.invoked_subcommand in ROOMS["Studies"]:
        from flask.cli import ScriptInfo

        context.obj = ScriptInfo(create_app=lambda: made(instance))


door.add_command(run)


@door.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script for command completion in SHELL. For bash: eval "$(discern completion bash)"."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(door, {}, "discern", "_DISCERN_COMPLETE").source())


def main(arguments: list[str] | None = None) -> None:
    """Run a command; without one, start the server. Ends the process with the command's exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if "--instance" in words and set(words) & set(
        ROOMS["Studies"]
    ):  # also after the command, because people type it there
        place = words.index("--instance")
        words = [*words[place : place + 2], *words[:place], *words[place + 2 :]]
    rest = words[2:] if words[:1] == ["--instance"] else words
    if not rest or (rest[0].startswith("-") and rest[0] not in ("--help", "--version")):
        words = ["run", *words]
    door.main(words, prog_name="discern")


if __name__ == "__main__":
    main()
