"""The reader's languages: catalogues that are whole and in step, and a study's texts by section."""

import ast
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import flask_babel
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

import quiz_app
from quiz_app import languages
from quiz_app.database import db
from quiz_app.study import readers

ROOT = Path(quiz_app.__file__).parent
KEYWORDS = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2), "marked": None, "RefusedError": (2,)}
METHODS = [("quiz_app/**.py", "python"), ("templates/reader/**.html", "jinja2")]
TEMPLATES = sorted((ROOT.parent / "templates" / "reader").rglob("*.html"))
# Whatever of these modules is told to somebody is told to a reader, but for what only a program can have asked wrongly.
TOLD_TO_READERS = [*(ROOT / "reader").glob("*.py"), *(ROOT / "sittings").glob("*.py"), *(ROOT / "designs").glob("*.py")]
TOLD_TO_READERS.append(ROOT / "study" / "readers.py")
WORD = re.compile(r"[^\W\d_]{2,}")


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


class Words(HTMLParser):
    """The words of a page as it stands in its file: its text, but for keys, and the attributes that are read out."""

    def __init__(self):
        super().__init__()
        self.inside, self.found = [], []

    def handle_starttag(self, tag, attrs):
        self.inside.append(tag)
        told = {"title", "alt", "placeholder", "aria-label", "aria-description"}
        for name, text in attrs:
            if name in told or (name.startswith("data-") and " " in (text or "")):
                self.found.append(text or "")

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, text):
        if not {"kbd", "script", "style"} & set(self.inside):
            self.found.append(re.sub(r'[\w-]+="[^"]*"', "", text))  # a block may hold attributes of its parent's tag


def literals(node):
    """The texts an expression of a template gives out as they are: those of a gettext are not."""
    if isinstance(node, nodes.Const):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, nodes.CondExpr):
        return [*literals(node.expr1), *literals(node.expr2 or nodes.Const(""))]
    if isinstance(node, (nodes.Concat, nodes.Or, nodes.And, nodes.Add)):
        return [text for child in node.iter_child_nodes() for text in literals(child)]
    return []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT.parent)))
def test_no_word_of_a_readers_page_is_unmarked_for_translation(template):
    page, written = Words(), []
    for output in Environment(autoescape=True).parse(template.read_text()).find_all(nodes.Output):
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                page.feed(node.data)
            else:
                written += literals(node)
    page.close()
    bare = [text.strip() for text in page.found + written if WORD.search(text.replace("Discern", ""))]
    assert bare == []


def name_of(call):
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


@pytest.mark.parametrize("module", TOLD_TO_READERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_message_to_a_reader_is_unmarked_for_translation(module):
    wrong = []
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.JoinedStr):  # Babel finds nothing within an f-string
            wrong += [one.lineno for one in ast.walk(node) if isinstance(one, ast.Call) and name_of(one) in KEYWORDS]
        if not isinstance(node, ast.Call):
            continue
        if name_of(node) == "RefusedError" and not isinstance(node.args[1], ast.Constant):
            status = node.args[2] if len(node.args) > 2 else {one.arg: one.value for one in node.keywords}.get("status")
            if getattr(status, "value", None) != 422:  # what a program sent is out of form: no page sends that
                wrong.append(node.lineno)
        if name_of(node) in ("render_template", "_page"):
            told = [one.value for one in node.keywords if one.arg in ("fault", "message")]
            wrong += [one.lineno for one in told if isinstance(one, (ast.Constant, ast.JoinedStr)) and one.lineno]
    assert wrong == []


def test_what_is_wrong_with_what_a_reader_wrote_is_told_in_the_readers_language(app, make_study):
    study = make_study(groups=["EC", "EP"], ask_years=True, questions=["Where do you work?"])
    with app.test_request_context():
        _, token = readers.invite(study, "EC1")
        db.session.commit()
    client, german = app.test_client(), {"Accept-Language": "de"}
    client.post(f"/r/{token}/welcome", data={"consent": "yes"})
    page = client.post(f"/r/{token}/about", data={"group": "EX", "years": "many"}, headers=german).text
    assert "Bitte wählen Sie eine der Möglichkeiten." in page
    assert "Bitte geben Sie eine ganze Zahl von 0 bis 70 ein." in page
    assert "Bitte schreiben Sie 1 bis 500 Zeichen." in page


def test_a_text_of_a_study_may_hold_several_languages(app):
    text = "Look.\n[da]\nSe.\n\nOg se.\n[de]\nSchauen."
    assert languages.sections(text) == {"": "Look.", "da": "Se.\n\nOg se.", "de": "Schauen."}
    told = {}
    for code in ("da", "de-AT", "fr"):
        with app.test_request_context("/r/token/", headers={"Accept-Language": code}):
            flask_babel.refresh()  # the fixture's context outlives the request, and keeps its language
            told[code] = languages.study_text(text)
    assert told == {"da": "Se.\n\nOg se.", "de-AT": "Schauen.", "fr": "Look."}


@pytest.mark.parametrize("earlier", languages.EARLIER_DEFAULTS)
def test_a_default_text_of_an_earlier_version_is_translated_and_stays_as_it_is_in_english(app, earlier):
    told = {}
    for code in ("da", "de", "en"):
        with app.test_request_context("/r/token/", headers={"Accept-Language": code}):
            flask_babel.refresh()
            told[code] = languages.study_text(earlier)
    today = languages.EARLIER_DEFAULTS[earlier]
    assert told == {"en": earlier} | {code: catalogue(code)[today].string for code in ("da", "de")}


def test_a_bracket_within_a_line_begins_no_language():
    assert languages.sections("See [da] and\n[dansk]\nall.") == {"": "See [da] and\n[dansk]\nall."}


def test_a_refusal_is_told_in_the_readers_language(app):
    response = app.test_client().get("/r/nobody/", headers={"Accept-Language": "de"})
    assert "nicht gültig" in response.text
    assert '<html lang="de">' in response.text


@pytest.mark.parametrize("path", ["/r/", "/join/", "/r/nobody/nowhere"])
def test_a_link_of_which_a_part_is_missing_is_explained_in_the_readers_language(app, path):
    response = app.test_client().get(path, headers={"Accept-Language": "da"})
    assert response.status_code == 404
    assert "Kontrollér, at du har kopieret hele linket" in response.text
    assert '<html lang="da">' in response.text
    assert "Kontrollér" not in app.test_client().get("/nowhere", headers={"Accept-Language": "da"}).text


def test_who_comes_when_too_many_have_is_told_so_in_the_readers_language(app, monkeypatch):
    monkeypatch.setitem(app.config, "SETTINGS", replace(app.config["SETTINGS"], joins_per_hour=1))
    client, german = app.test_client(), {"Accept-Language": "de"}
    codes = [client.post("/join/nothing/", headers=german) for _ in range(2)]
    assert [response.status_code for response in codes] == [404, 429]
    assert "In der letzten Stunde haben sich zu viele Personen" in codes[1].text


def test_the_page_of_an_open_link_speaks_the_readers_language(app, make_study):
    study = make_study(welcome="Look.\n[da]\nSe.\n\nOg se.")
    path = f"/join/{readers.offer_open_link(study, '1')}/"
    db.session.commit()
    page = app.test_client().get(path, headers={"Accept-Language": "da"}).text
    assert "<p>Se.</p><p>Og se.</p>" in page
    assert "Look" not in page
    assert '<html lang="da">' in page
    assert "ikke gyldigt" in app.test_client().get("/join/nothing/", headers={"Accept-Language": "da"}).text
