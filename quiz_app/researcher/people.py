"""Researchers: the admin's list of them, the team of a study, and the log of what everyone did."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from flask import abort, current_app, flash, g, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from quiz_app.database import db, reading
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import export, responses_csv
from quiz_app.models import Event, Member, Researcher, Study
from quiz_app.researcher import WayBack, blueprint, by_field, looking, owner_only, saved
from quiz_app.study import researchers

SHOWN = 500


@blueprint.route("/people", methods=["GET", "POST"])
def list_people() -> ResponseReturnValue:
    """Everyone who can log in; an admin can add others."""
    if not current_user.is_admin:
        abort(403)
    faults: dict[str, str] = {}
    if request.method == "POST":
        try:
            name, admin = request.form.get("name", "").strip(), request.form.get("admin") == "yes"
            _, password = researchers.add(name, admin=admin, actor=current_user.name)
            db.session.commit()
            flash(f"{name} can log in with this password, shown only now: {password}", "warn")
        except InvalidInputError as faulty:
            db.session.rollback()
            faults = by_field(faulty)
    everyone = looking().scalars(sa.select(Researcher).order_by(Researcher.name)).all()
    page = render_template("researcher/people.html", everyone=everyone, faults=faults, said=request.form)
    return page, 422 if faults else 200


@blueprint.post("/people/<int:person>/password")
def reset_password(person: int) -> ResponseReturnValue:
    """Create a new password for someone who has lost theirs."""
    if not current_user.is_admin:
        abort(403)
    found = db.session.get(Researcher, person) or abort(404)
    password = researchers.reset_password(found, actor=current_user.name)
    db.session.commit()
    flash(f"The new password of {found.name}, shown only now: {password}", "warn")
    everyone = db.session.scalars(sa.select(Researcher).order_by(Researcher.name)).all()
    return render_template("researcher/people.html", everyone=everyone, faults={}, said={})


@blueprint.get("/studies/<study>/team")
def show_team() -> ResponseReturnValue:
    """Who runs the study, and who can view it."""
    return _team({})


def _team(faults: dict[str, str]) -> ResponseReturnValue:
    members = looking().scalars(sa.select(Member).filter_by(study_id=g.study.id).order_by(Member.id)).all()
    page = render_template("researcher/team.html", members=members, faults=faults, said=request.form)
    return page, 422 if faults else 200


@blueprint.post("/studies/<study>/team")
@owner_only
def add_member() -> ResponseReturnValue:
    """Give a researcher a role in the study, or change it."""
    try:
        name, role = request.form.get("name", "").strip(), request.form.get("role", "")
        researchers.give_part(g.study, name, role, actor=current_user.name)
    except InvalidInputError as faulty:
        db.session.rollback()
        return _team(by_field(faulty))
    return saved("show_team", f"{name} is now a {role} of this study.")


@blueprint.post("/studies/<study>/team/<int:member>/remove")
@owner_only
def remove_member(member: int) -> ResponseReturnValue:
    """Remove a researcher from the study."""
    found = db.session.get(Member, member)
    if found is None or found.study_id != g.study.id:
        abort(404)
    name, part = found.researcher.name, found.role
    researchers.take_part_away(g.study, found, actor=current_user.name)
    undo = WayBack(url_for("researcher.add_member"), {"name": name, "role": part})
    return saved("show_team", f"{name} is no longer on the team of this study.", undo=undo)


@blueprint.get("/studies/<study>/log")
def show_log() -> ResponseReturnValue:
    """The log, latest first."""
    query = sa.select(Event).filter_by(study_id=g.study.id).order_by(Event.id.desc()).limit(SHOWN)
    return render_template("researcher/log.html", events=looking().scalars(query).all(), shown=SHOWN)


@blueprint.get("/studies/<study>/log.csv")
def download_log() -> ResponseReturnValue:
    """The complete log as CSV."""
    slug = g.study.slug

    def lines() -> Iterator[str]:
        with reading() as session:
            study = session.scalars(sa.select(Study).filter_by(slug=slug)).one()
            yield responses_csv.line(export.EVENTS)
            yield from map(responses_csv.line, export.events(session, study))

    headers = {"Content-Disposition": f'attachment; filename="{slug}-log.csv"'}
    return current_app.response_class(stream_with_context(lines()), mimetype="text/csv", headers=headers)
