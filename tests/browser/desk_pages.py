"""Every page of the desk by the table of routes, so that a new one is not forgotten."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from flask import Flask

from quiz_app.database import db
from quiz_app.models import Reader
from quiz_app.study import lifecycle, outcome, reports

FILES = (".csv", ".json", ".png", ".toml", ".zip", "<path:name>")  # how the rules of no pages end

ASKED = {"researcher.compare_study": ("with",)}  # what a page wants after the question mark


def paths(app: Flask, slug: str) -> dict[str, str]:
    """The addresses, without the host, of all pages for a closed study with a report, by the name of their view."""
    with app.app_context():
        study = lifecycle.find(slug)
        reader = db.session.query(Reader).filter_by(study=study).order_by(Reader.id.desc()).first()
        assert reader is not None
        known = {"study": slug, "slug": study.pool.slug, "reader": reader.id, "name": reader.pseudonym}
        known["case"] = next(iter(outcome.numbers(db.session(), study).values()))
        known["with"] = reports.kept(app.config["SETTINGS"].instance, study)[0].key  # what a comparison is made with
        db.session.remove()
    adapter = app.url_map.bind("", url_scheme="")
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("researcher.")]
    return {
        rule.endpoint.removeprefix("researcher."): _without_host(
            adapter.build(
                rule.endpoint, {name: known[name] for name in {*rule.arguments, *ASKED.get(rule.endpoint, ())}}
            )
        )
        for rule in rules
        if "GET" in (rule.methods or ())
        and not rule.rule.endswith(FILES)
        and not {"coming", "restoring"} & set(rule.rule.split("/"))
        and rule.arguments <= known.keys()
    }


def _without_host(url: str) -> str:
    return urlunsplit(("", "", *urlsplit(url)[2:]))
