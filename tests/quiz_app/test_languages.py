"""The reader's languages: catalogues that are whole and in step, and a study's texts by section."""

import io
import re
from pathlib import Path

import flask_babel
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

import quiz_app
from quiz_app import languages
from quiz_app.database import db
from quiz_app.study import readers

ROOT = Path(quiz_app.__file__).parent
KEYWORDS = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2), "marked": None, "RefusedError": (2,)}
METHODS = [("quiz_app/**.py", "python"), ("templates/reader/**.html", "jinja2")]


def catalogue(language):
    with (ROOT / "translations" / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


@pytest.fixture(scope="module")
def said():
    """Every text of the interface, as it stands in the sources."""
    found = extract_from_dir(str(ROOT.parent), METHODS, keywords=KEYWORDS)
    return {message for _, _, message, _, _ in found if message}


@pytest.mark.parametrize("language", [code for code in languages.LANGUAGES if code != "en"])
def test_every_text_of_the_interface_is_translated_and_nothing_else(language, said):
    entries = {message.id: message for message in catalogue(language) if message.id}
    assert set(entries) == said
    for message in entries.values():
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(texts), message.id
        assert not message.fuzzy
        first = message.id[-1] if isinstance(message.id, tuple) else message.id
        names = set(re.findall(r"%\(\w+\)s|\{\w+\}", first))
        assert set(re.findall(r"%\(\w+\)s|\{\w+\}", texts[-1])) == names, message.id


@pytest.mark.parametrize("language", [code for code in languages.LANGUAGES if code != "en"])
def test_the_compiled_catalogue_is_in_step_with_its_source(language):
    compiled = (ROOT / "translations" / language / "LC_MESSAGES" / "messages.mo").read_bytes()
    assert texts(read_mo(io.BytesIO(compiled))) == texts(catalogue(language))


def texts(found):
    """Every text of a catalogue by its original, singular and plural as they are."""
    whole = [(message.id, message.string) for message in found if message.id]
    return {(said if isinstance(said, str) else tuple(said)): tuple(told) for said, told in whole}


def test_a_text_of_a_study_may_hold_several_languages(app):
    text = "Look.\n[da]\nSe.\n\nOg se.\n[de]\nSchauen."
    assert languages.sections(text) == {"": "Look.", "da": "Se.\n\nOg se.", "de": "Schauen."}
    told = {}
    for code in ("da", "de-AT", "fr"):
        with app.test_request_context("/r/token/", headers={"Accept-Language": code}):
            flask_babel.refresh()  # the fixture's context outlives the request, and keeps its language
            told[code] = languages.study_text(text)
    assert told == {"da": "Se.\n\nOg se.", "de-AT": "Schauen.", "fr": "Look."}


def test_a_bracket_within_a_line_begins_no_language():
    assert languages.sections("See [da] and\n[dansk]\nall.") == {"": "See [da] and\n[dansk]\nall."}


def test_a_refusal_is_told_in_the_readers_language(app):
    response = app.test_client().get("/r/nobody/", headers={"Accept-Language": "de"})
    assert "nicht bekannt" in response.text
    assert '<html lang="de">' in response.text


def test_the_page_of_an_open_link_speaks_the_readers_language(app, make_study):
    study = make_study(welcome="Look.\n[da]\nSe.\n\nOg se.")
    path = f"/join/{readers.offer_open_link(study, '1')}/"
    db.session.commit()
    page = app.test_client().get(path, headers={"Accept-Language": "da"}).text
    assert "<p>Se.</p><p>Og se.</p>" in page
    assert "Look" not in page
    assert '<html lang="da">' in page
    assert "kendes ikke her" in app.test_client().get("/join/nothing/", headers={"Accept-Language": "da"}).text
