"""Settings sheets: read from TOML with every fault at once, written with every explanation."""

from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.errors import InputError
from generation.settings import as_toml, explained, read, settings_of, update


@dataclass(frozen=True)
class Paint:
    colour: Literal["grey", "black"] = explained("grey", "what it looks like")
    coats: int = explained(2, "how often", least=1)
    gloss: float = explained(0.5, "how shiny", least=0, most=1)
    sizes: tuple[int, ...] = explained((1, 2), "brushes")
    dry: bool = explained(True, "whether to wait")
    maker: str = explained("not stated", "who made it")


@dataclass(frozen=True)
class House:
    paint: Paint = field(default_factory=Paint)


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path):
    path = tmp_path / "house.toml"
    path.write_text("[paint]\ncolour = 'black'\nsizes = [3]\ngloss = 1\n")
    assert read(path, House()) == House(Paint(colour="black", sizes=(3,), gloss=1.0))


@given(
    st.builds(
        Paint,
        colour=st.sampled_from(["grey", "black"]),
        coats=st.integers(1, 10**6),
        gloss=st.floats(0, 1),
        sizes=st.lists(st.integers(), max_size=4).map(tuple),
        dry=st.booleans(),
        maker=st.text(st.characters(exclude_categories=["Cs"])),
    )
)
def test_what_is_written_is_read_back(tmp_path_factory, paint):
    path = tmp_path_factory.mktemp("settings") / "house.toml"
    path.write_text(as_toml(House(paint)))
    assert read(path, House()) == House(paint)


def test_every_setting_is_written_under_its_explanation():
    text = as_toml(House())
    for setting in settings_of(House):
        assert f"# {setting.meaning}\n{setting.name} = " in text


def test_all_faults_are_named_at_once():
    wrong = {"colour": "red", "coats": 0, "gloss": 2.0, "sizes": ["big"], "dry": 1, "smell": 3}
    with pytest.raises(InputError) as refusal:
        update(House(), {"paint": wrong, "roof": {}}, "house.toml")
    assert refusal.value.faults == [
        "paint.colour: expected one of 'grey', 'black', found 'red'",
        "paint.coats: expected at least 1, found 0",
        "paint.gloss: expected 0 to 1, found 2.0",
        "paint.sizes: expected a list of int, found ('big',)",
        "paint.dry: expected bool, found 1",
        "paint.smell: unknown setting; expected colour, coats, gloss, sizes, dry, maker",
        "[roof]: unknown section; expected paint",
    ]


@pytest.mark.parametrize(("text", "complaint"), [(None, "cannot be read"), ("[paint", "is not valid TOML")])
def test_a_file_that_is_no_toml_is_refused(tmp_path, text, complaint):
    path = tmp_path / "house.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=complaint):
        read(path, House())
