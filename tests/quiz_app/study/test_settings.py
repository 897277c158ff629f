"""Settings come from file, environment and caller, and faults are named."""

import stat

import pytest

from quiz_app import mail
from quiz_app.errors import InvalidInputError, SettingsError
from quiz_app.settings import Settings
from quiz_app.study.settings import PRESETS, StudySettings, settings_of


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
    (tmp_path / "settings.toml").write_text("smtp_password = 24681012")
    with pytest.raises(SettingsError, match="smtp_password is not text; put its value in quotes") as faulty:
        Settings.load({}, instance=tmp_path)
    assert "24681012" not in str(faulty.value)
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


CONDITIONS = ("alone", 'aided: hints = true, limit_s = 20, clue = "Look at the roots: they end, too"')


def test_a_condition_changes_its_settings_and_no_others():
    rules = StudySettings.from_dict({"conditions": CONDITIONS, "limit_s": 12.0})
    assert rules.condition_names == ["alone", "aided"]
    assert rules.under("alone") == rules.under(None) == rules.under("forgotten") == rules
    aided = rules.under("aided").as_dict()
    different = {name: value for name, value in aided.items() if value != rules.as_dict()[name]}
    assert different == {"hints": True, "limit_s": 20.0, "clue": "Look at the roots: they end, too"}


def test_readers_read_in_as_many_parts_as_there_are_conditions_within_them():
    assert StudySettings().periods == 1
    assert StudySettings.from_dict({"conditions": CONDITIONS}).periods == 2
    assert StudySettings.from_dict({"conditions": CONDITIONS, "conditions_by": "between"}).periods == 1


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (["alone"], "number of conditions: 1; expected 2 to 4, or none"),
        (["a", "b", "c", "d", "e"], "number of conditions: 5; expected 2 to 4, or none"),
        (["alone", "Alone: hints = true"], "two conditions have the name 'alone'"),
        (["alone", "b > c"], "'b > c' is not a name of 1 to 40 letters"),
        (["alone", ""], "'' is not a name of 1 to 40 letters"),
        (["alone", "aided: hints"], r"aided: expected as in \"aided: hints = true, limit_s = 20\""),
        (["alone", "aided: cases = 3"], "aided: cases cannot differ between conditions; these can: limit_s,"),
        (["alone", "aided: second_s = 3.0"], "conditions: aided: second_s: unknown setting in this design"),
        (["alone", "aided: hints = 3"], "conditions: aided: hints: 3 is not a yes or no"),
        (["alone", "aided: limit_s = -1"], "conditions: aided: limit_s: -1.0 is not between 0 and 3600"),
        (["alone", 'aided: tools = ["x-ray"]'], "conditions: aided: tools: x-ray: not one of zoom"),
    ],
)
def test_what_is_wrong_with_conditions_is_named(lines, named):
    with pytest.raises(InvalidInputError, match=named):
        StudySettings.from_dict({"conditions": lines})


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        (["truth", "source"], "subgroups: truth, source: every cases.csv has this; expected extra columns"),
        (["device", "device"], "subgroups: device: given twice"),
        (["device", " "], "subgroups: each column name must have 1 to 80 characters"),
    ],
)
def test_what_is_no_subgroup_is_named(columns, named):
    with pytest.raises(InvalidInputError, match=named):
        StudySettings.from_dict({"subgroups": columns})
    assert StudySettings.from_dict({"subgroups": ["device"]}).as_dict()["subgroups"] == ["device"]
    assert "subgroups" not in settings_of("quartet").entries()


def test_settings_and_mail_server_tell_no_secret_of_theirs(tmp_path):
    secrets = {
        "secret_key": "s" * 40,
        "database_url": "postgresql+psycopg://discern:hidden-1@db/discern",
        "ngrok_token": "hidden-2",
        "pacs_password": "hidden-3",
        "pacs_token": "hidden-4",
        "smtp_password": "hidden-5",
    }
    settings = Settings(tmp_path, **secrets, smtp_host="mail.example", smtp_user="ada", smtp_from="ada@clinic.example")
    shown = repr(settings) + repr(mail.server_of(settings))
    assert "mail.example" in shown
    assert "hidden" not in shown
    assert "ssss" not in shown
