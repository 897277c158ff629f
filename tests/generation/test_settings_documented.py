"""The how-to pages of generation and restoration: no setting, preset or option of a command without its line."""

import argparse
from importlib import import_module
from pathlib import Path

import pytest

from generation.diffusion import task as diffusion
from generation.restoration import ddpm_lq_task, hat_task, munit_task
from generation.restoration import task as restoration
from generation.settings import settings_of
from generation.superresolution import task as superresolution

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto"
NAMES = ("generation.md", "restoration.md", "learnt-degradations.md")
DOCS, RESTORATION, LEARNT = ((HOWTO / name).read_text(encoding="utf-8") for name in NAMES)


def row(setting, presets) -> str:
    """The line of a setting in the documentation: its name, its meaning, its value in each preset."""
    values = [getattr(getattr(preset, setting.section), setting.name) for preset in presets.values()]
    cells = [", ".join(map(str, value)) if isinstance(value, tuple) else str(value) for value in values]
    return f"| `{setting.section}.{setting.name}` | {setting.meaning} | {' | '.join(cells)} |"


@pytest.mark.parametrize(
    ("stage", "docs"),
    [
        *((diffusion, DOCS), (superresolution, DOCS)),
        *((restoration, RESTORATION), (hat_task, RESTORATION), (ddpm_lq_task, LEARNT), (munit_task, LEARNT)),
    ],
)
def test_every_setting_is_explained_with_its_value_in_every_preset(stage, docs):
    sheet = type(next(iter(stage.PRESETS.values())))
    missing = [line for setting in settings_of(sheet) if (line := row(setting, stage.PRESETS)) not in docs]
    assert not missing, "add to docs/howto:\n" + "\n".join(missing)


@pytest.mark.parametrize(
    "module", ["generation.train_command", "generation.diffusion.command", "generation.superresolution.command"]
)
def test_every_option_of_the_commands_is_named(module):
    parser = argparse.ArgumentParser(add_help=False)
    import_module(module).add_arguments(parser)
    options = [option for action in parser._actions for option in action.option_strings]
    assert [option for option in options if f"`{option}" not in DOCS] == []
