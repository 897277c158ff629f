"""The reader's pages, in order: welcome, about, instructions, room, end."""

from __future__ import annotations

from flask import current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_datetime, gettext
from jinja2 import Template

from quiz_app import clock, panels
from quiz_app.database import commit_deletion, db
from quiz_app.designs import DESIGNS
from quiz_app.errors import InvalidInputError, RefusedError
from quiz_app.reader import blueprint, wire, words
from quiz_app.sittings import entry, leaving, result
from quiz_app.sittings import start as start_of_sitting
from quiz_app.study import readers


def _where() -> str:
    """The page at which this reader should be."""
    reader, sitting = g.reader, g.reader.sitting
    if reader.withdrawn_at is not None:
        return "left"
    if reader.has_finished:
        return "end"
    if reader.study_state == "draft":
        raise RefusedError("not-open", "This study is not open yet. Please come back with the same link later.", 403)
    if reader.study_state == "closed":
        raise RefusedError("study-closed", "This study is closed. Thank you for your interest.", 403)
    is_between = sitting is not None and sitting.finished_at is not None
    if sitting is None or sitting.instructed_at is None or is_between:
        readers.assert_in_time(reader)  # readers in the middle of a sitting may finish it
    if reader.consented_at is None:
        return "welcome"
    if sitting is None:
        return "about"
    if is_between:
        return "between"
    return "instructions" if sitting.instructed_at is None else "room"


def _page(name: str, **values: object) -> ResponseReturnValue:
    """The requested page if the reader should be there; otherwise a redirect to the right page."""
    where = _where()
    if where != name:
        return redirect(url_for(f"reader.{where}"), code=303)
    values |= {
        "tools": words.tools(g.reader.rules.tools),
        "reasons": words.reasons(g.study),
        **DESIGNS[g.study.design].page(g.reader.rules),
    }
    templates: list[str | Template] = [
        f"reader/{g.study.design}/{name}.html",
        f"reader/{name}.html",
    ]  # a design may have its own page
    return render_template(templates, reader=g.reader, study=g.study, rules=g.reader.rules, **values)


def _by_field(faulty: InvalidInputError) -> dict[str, str]:
    """What is wrong with each field, in the reader's language."""
    return {name: gettext(words) for name, words in (fault.split(": ", 1) for fault in faulty.faults)}


def _onward() -> ResponseReturnValue:
    db.session.commit()
    return redirect(url_for(f"reader.{_where()}"), code=303)


@blueprint.get("/")
def start() -> ResponseReturnValue:
    """The personal link itself."""
    carried = panels.told(g.study.rules, request.args)
    return redirect(panels.carrying(url_for(f"reader.{_where()}"), carried), code=303)


@blueprint.route("/welcome", methods=["GET", "POST"])
def welcome() -> ResponseReturnValue:
    """Introduction and consent."""
    if request.method == "GET" or _where() != "welcome":
        return _page("welcome", minutes=entry.expected_minutes(g.study))
    if request.form.get("consent") != "yes":
        return _page(
            "welcome", minutes=entry.expected_minutes(g.study), fault=gettext("Please tick the box to take part.")
        )
    entry.consent(g.reader, *panels.told(g.study.rules, request.args).values())
    if not entry.questions(g.reader):
        entry.enrol(g.reader, {})
    return _onward()


@blueprint.route("/about", methods=["GET", "POST"])
def about() -> ResponseReturnValue:
    """Group, experience and the study's own questions, if it asks them; then the sitting begins."""
    asked = entry.questions(g.reader)
    own = [question for question in entry.own_questions(g.study) if question.name in asked]
    if request.method == "GET" or _where() != "about":
        return _page("about", questions=asked, own=own, faults={}, said={})
    try:
        entry.enrol(g.reader, request.form)
    except InvalidInputError as faulty:
        return _page("about", questions=asked, own=own, faults=_by_field(faulty), said=request.form)
    return _onward()


@blueprint.route("/instructions", methods=["GET", "POST"])
def instructions() -> ResponseReturnValue:
    """How to answer, and with which keys; the device check."""
    if request.method == "GET" or _where() != "instructions":
        return _page("instructions")
    try:
        entry.instruct(g.reader.sitting, request.form.get("device", ""))
    except InvalidInputError as faulty:
        return _page("instructions", fault=_by_field(faulty)["device"])
    return _onward()


@blueprint.get("/room")
def room() -> ResponseReturnValue:
    """The reading room: practice, cases and breaks happen on this one page, through the JSON of api.py."""
    return _page("room")


@blueprint.route("/between", methods=["GET", "POST"])
def between() -> ResponseReturnValue:
    """Between two parts under different conditions: say when the next part can begin, and start it."""
    if _where() != "between":
        return _onward()
    opens = g.reader.next_part_opens
    waits = opens is not None and clock.now() < opens
    if request.method == "GET" or waits:
        form = gettext("d MMMM yyyy, HH:mm")
        when = f"{format_datetime(opens, form)} UTC" if waits else ""
        return _page("between", when=when, opens=opens)
    start_of_sitting.begin_next(g.reader)
    return _onward()


@blueprint.get("/end")
def end() -> ResponseReturnValue:
    """Thanks, and the reader's own result if the study shows it. The server has every answer by now."""
    if _where() != "end":
        return _page("end")
    back = panels.way_back(g.study.rules, g.reader.external_id)
    told: dict[str, object] = {"back": back, "judged": result.judged(g.reader)}
    if result.visible(g.reader):
        board = result.leaders(g.study) if g.study.rules.leaderboard else []
        told |= {"result": result.own(g.reader), "board": board}
    return _page("end", **told)


@blueprint.get("/misses/<image_token>")
def miss(image_token: str) -> ResponseReturnValue:
    """The image of a case that the reader got wrong, once the result may be seen."""
    missed = result.own(g.reader).misses if result.visible(g.reader) else []
    shown = next((shown for shown in missed if shown.token == image_token), None)
    if shown is None:
        raise RefusedError("unknown-image", "This image does not exist.", 404)
    return current_app.response_class(wire.blinded(shown.case.stored), mimetype="image/png")


@blueprint.route("/leave", methods=["GET", "POST"])
def leave() -> ResponseReturnValue:
    """Leave the study for good, and keep or delete the answers."""
    if g.reader.withdrawn_at is not None:
        return redirect(url_for("reader.left"), code=303)
    choice = request.form.get("answers")
    if request.method == "GET" or choice not in ("keep", "delete"):
        fault = gettext("Please choose one.") if request.method == "POST" else ""
        return render_template("reader/leave.html", fault=fault, answered=leaving.answered(g.reader))
    if choice == "keep" and g.reader.has_finished:
        return redirect(url_for("reader.start"), code=303)  # nothing is left to delete or keep
    leaving.withdraw(g.reader, current_app.config["SETTINGS"].instance, delete=choice == "delete")
    commit_deletion()
    return redirect(url_for("reader.left"), code=303)


@blueprint.get("/left")
def left() -> ResponseReturnValue:
    """The page for someone who has left."""
    return _page("left")
