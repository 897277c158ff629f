"""Pages of the site that are generated from the code when it is built: the commands, and the notebook as a page."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from run import ELSEWHERE, ROOMS, door  # noqa: E402


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    files.append(File.generated(config, "reference/commands.md", content="\n".join(commands()) + "\n"))
    notebook = ROOT / "docs" / "tutorial" / "published-ratings.ipynb"
    files.append(File.generated(config, "tutorial/published-ratings.md", content=as_page(notebook)))
    return files


def commands() -> Iterator[str]:
    """The page of the commands: the help of each, as printed by the program."""
    yield "# Commands\n\nWhat `discern COMMAND --help` prints, for every command.\n"
    top = click.Context(door, info_name="discern")
    for title, room in ROOMS.items():
        yield f"## {title}\n"
        for name in room:
            if name in ELSEWHERE:
                yield from _of_a_wing(name)
            else:
                command = door.get_command(top, name)
                assert command is not None
                yield from _of_click(command, top, name)


def _of_click(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=76, max_content_width=76)
    yield from _shown(context.command_path, command.get_help(context))
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            found = command.get_command(context, sub)
            assert found is not None
            yield from _of_click(found, context, sub)


def _of_a_wing(name: str) -> Iterator[str]:
    main = import_module(ELSEWHERE[name]).main
    rooms = import_module("generation.__main__").COMMANDS if name == "generate" else []
    for words in ([], *([room] for room in rooms)):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            main([*words, "--help"], prog=f"discern {name}")
        yield from _shown(" ".join(["discern", name, *words]), printed.getvalue())


def _shown(title: str, text: str) -> Iterator[str]:
    yield f"### `{title}`\n\n```text\n{text.rstrip()}\n```\n"


def as_page(notebook: Path) -> str:
    """A notebook as Markdown: its text, its code, and its latest output."""
    parts = []
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    return "\n\n".join(parts) + "\n"
