"""Log in, log out, and change one's password."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import login_user, logout_user

from quiz_app import log
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.researcher import blueprint, by_field, me, saved
from quiz_app.security import limiter
from quiz_app.study import researchers


@blueprint.route("/login", methods=["GET", "POST"])
@limiter.limit("10 per minute; 100 per day", methods=["POST"])
def log_in() -> ResponseReturnValue:
    """Check name and password, without saying which of them was wrong."""
    if request.method == "GET":
        return render_template("researcher/login.html")
    name = request.form.get("name", "")
    researcher = researchers.check(name, request.form.get("password", ""))
    if researcher is None:
        log.record("login-failed", actor=name[:80])
        db.session.commit()
        return render_template("researcher/login.html", fault="Wrong name or password."), 403
    log.record("logged-in", actor=researcher.name)
    db.session.commit()
    session.permanent = True  # it ends after `session_hours`, not only when the browser is closed
    login_user(researcher)
    return redirect(_within(request.args.get("next", "")), code=303)


def _within(address: str) -> str:
    """`address` if it is on this server, otherwise the list of studies."""
    parts = urlsplit(address)
    own = address.startswith("/researcher/") and not parts.scheme and not parts.netloc and "\\" not in address
    return address if own else url_for("researcher.list_studies")


@blueprint.post("/logout")
def log_out() -> ResponseReturnValue:
    """End the session."""
    logout_user()
    return redirect(url_for("researcher.log_in"), code=303)


@blueprint.route("/password", methods=["GET", "POST"])
def password() -> ResponseReturnValue:
    """Change the password."""
    if request.method == "GET":
        return render_template("researcher/password.html", faults={}, shortest=researchers.SHORTEST_PASSWORD)
    researcher = me()
    try:
        researchers.change_password(researcher, *(request.form.get(name, "") for name in ("old", "new", "again")))
    except InvalidInputError as faulty:
        faults = by_field(faulty)
        return render_template("researcher/password.html", faults=faults, shortest=researchers.SHORTEST_PASSWORD), 422
    db.session.commit()
    login_user(researcher)
    return saved("list_studies", "Your password was changed. You are logged out everywhere else.")
