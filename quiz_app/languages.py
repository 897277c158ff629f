"""The languages in which readers see a study: the interface from catalogues, a study's own texts from sections.

The browser's preference decides. A study's text may contain several languages: the part before the first line `[da]` or
`[de]` is for everyone else.
"""

from __future__ import annotations

import re

from flask import Flask, request
from flask_babel import Babel, get_locale, gettext

LANGUAGES = {"en": "English", "da": "Dansk", "de": "Deutsch"}
_SECTION = re.compile(r"^\[([a-z]{2})\][ \t]*$", re.MULTILINE)
# Defaults of earlier versions, which studies have stored, and the default whose translation is shown instead.
EARLIER_DEFAULTS = {
    "Thank you. All your answers are saved; you may close this page.": "All your answers are saved.",
    "Thank you for taking part. You will see radiographs several at a time. One of them is real, the others are "
    "synthetic.": "Thank you for taking part. You will see several radiographs at a time. One of them is real, the "
    "others are synthetic.",
}


def init_app(app: Flask) -> None:
    """Show readers' pages in the reader's language; the researcher's pages are in English."""
    Babel(app, locale_selector=_chosen)
    app.jinja_env.globals.update(study_text=study_text, get_locale=get_locale)


def _chosen() -> str:
    if not request.path.startswith(("/r/", "/join/")):
        return "en"
    return request.accept_languages.best_match(LANGUAGES, "en")


def sections(text: str) -> dict[str, str]:
    """The parts of a study's text by language; "" is the part for everyone else."""
    first, *rest = _SECTION.split(text)
    return {"": first.strip()} | {code: part.strip() for code, part in zip(rest[::2], rest[1::2], strict=True)}


def study_text(text: str) -> str:
    """A study's text in the reader's language; the default texts are in the catalogues."""
    parts = sections(text)
    rest = parts[""]
    if own := parts.get(str(get_locale()), ""):
        return own
    known = EARLIER_DEFAULTS.get(rest, rest)
    told = known and gettext(known)  # gettext of nothing is the catalogue's head
    return rest if told == known else told
