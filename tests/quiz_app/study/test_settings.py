"""Settings come from file, environment and caller, and faults are named."""

import stat

import pytest

from quiz_app.errors import InvalidInputError, SettingsError
from quiz_app.settings import Settings
from quiz_app.study.settings import PRESETS, StudySettings


def test_later_sources_win(tmp_path):
    (tmp_path / "settings.toml").write_text('public_url = "https://file"\ntrusted_proxies = 1\nsession_hours = 3\n')
    environment = {"DISCERN_TRUSTED_PROXIES": "2", "DISCERN_SESSION_HOURS": "4"}
    settings = Settings.load(environment, instance=tmp_path, session_hours=5)
    assert (settings.public_url, settings.trusted_proxies, settings.session_hours) == ("https://file", 2, 5)


def test_the_secret_is_made_once_and_private(tmp_path):
    first, again = (Settings.load({}, instance=tmp_path).secret_key for _ in range(2))
    assert first == again
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_every_fault_of_the_file_is_named(tmp_path):
    (tmp_path / "settings.toml").write_text('colour = "red"\ntrusted_proxies = "one"\n')
    with pytest.raises(SettingsError, match=r"(?s)unknown setting 'colour'.*trusted_proxies is 'one', expected a int"):
        Settings.load({}, instance=tmp_path)
    (tmp_path / "settings.toml").write_text("colour = ")
    with pytest.raises(SettingsError, match="not a TOML file"):
        Settings.load({}, instance=tmp_path)


def test_a_number_in_the_environment_that_is_none_is_named(tmp_path):
    with pytest.raises(SettingsError, match="DISCERN_SESSION_HOURS: 'long' is not a int"):
        Settings.load({"DISCERN_SESSION_HOURS": "long"}, instance=tmp_path)


def test_an_instance_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be written"):
        Settings.load({}, instance=tmp_path / "file" / "below")


def test_study_settings_survive_their_plain_form():
    for _, preset in PRESETS.values():
        assert StudySettings.from_dict(preset.as_dict()) == preset


def test_all_faults_of_study_settings_are_listed_by_field():
    with pytest.raises(InvalidInputError) as faulty:
        StudySettings.from_dict(
            {"limit_s": -1, "unsure": "yes", "cases": 7, "block": 3, "colour": 1, "groups": "EC", "practice": True}
        )
    assert sorted(fault.split(":")[0] for fault in faulty.value.faults) == [
        "block", "cases", "colour", "groups", "limit_s", "practice", "unsure",
    ]  # fmt: skip


def test_the_default_study_is_the_published_one():
    # FACTS: 12 s an image, five levels, a break about every 25 images, a longer one half-way.
    rules = PRESETS["panodiff"][1]
    assert (rules.limit_s, rules.unsure, rules.break_every) == (12, True, 25)
    assert rules.long_break_s > rules.break_s
