"""What a reader uses: the pages from the personal link to the last page, and the JSON interface of the reading room.

The token in the address is the reader's key (192 random bits). There is no cookie that another site could exploit, and
the same link continues the sitting on any device.
"""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, current_app, g, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.exceptions import NotFound

from quiz_app import log
from quiz_app.database import commit_lightly, db, fault, only_look
from quiz_app.errors import InvalidInputError, RefusedError
from quiz_app.models import Sitting
from quiz_app.security import csrf
from quiz_app.sittings import rows
from quiz_app.study import readers

blueprint = Blueprint("reader", __name__, url_prefix="/r/<token>")
csrf.exempt(blueprint)


@blueprint.url_value_preprocessor
def find_reader(_endpoint: str | None, values: dict[str, str] | None) -> None:
    """Take the token, with which every address of this blueprint begins; the views get `g.reader`."""
    g.token = (values or {}).pop("token", "")


@blueprint.url_defaults
def keep_token(_endpoint: str, values: dict[str, str]) -> None:
    """Add the reader's token to addresses created in the reader's pages."""
    if "token" in g:
        values.setdefault("token", g.token)


@blueprint.before_request
def let_in() -> None:
    """Refuse unknown and revoked links. A request that writes locks the reader and the study until it is done."""
    only_look(really=request.method != "POST")
    if request.endpoint == "reader.onset":
        commit_lightly()  # if lost, the clock starts as if the browser had reported nothing; an answer includes it
    found = rows if current_app.view_functions[request.endpoint or ""].__module__ == api.__name__ else readers
    g.reader = found.by_token(g.token, hold=request.method == "POST")
    g.study = g.reader.study


@blueprint.errorhandler(RefusedError)
def refuse(refused: RefusedError) -> ResponseReturnValue:
    """Nothing was changed; say why, in the caller's format, and record it."""
    reader_id = g.reader.id if "reader" in g else None
    db.session.rollback()
    only_look(really=False)
    if reader_id is not None:
        try:
            sitting = db.session.query(Sitting).filter_by(reader_id=reader_id).order_by(Sitting.number.desc()).first()
            log.record(
                "refused", study=g.reader.study, sitting=sitting, actor=g.reader.pseudonym, code=refused.code,
                request=request.endpoint,
            )  # fmt: skip
            db.session.commit()
        except (sa.exc.OperationalError, sa.exc.InternalError, sa.exc.TimeoutError) as error:
            return not_stored(error)
    message = gettext(str(refused))  # constant messages are in the catalogues
    if request.method == "GET" or request.form:
        return render_template("reader/message.html", message=message), refused.status
    return {"error": refused.code, "message": message}, refused.status


@blueprint.app_errorhandler(404)
def lost(error: NotFound) -> ResponseReturnValue | NotFound:
    """Tell a reader whose link is incomplete so, and how to continue."""
    if request.method != "GET" or not request.path.startswith(("/r/", "/join/")):
        return error
    message = gettext("This link is not valid. Please check that you copied all of it, or ask the person who sent it.")
    return render_template("reader/message.html", message=message), 404


@blueprint.errorhandler(sa.exc.OperationalError)
@blueprint.errorhandler(sa.exc.InternalError)  # PostgreSQL accepts no writes: it has become a standby
@blueprint.errorhandler(sa.exc.TimeoutError)
@blueprint.errorhandler(sa.exc.IntegrityError)  # another request of the same reader was first
def not_stored(error: sa.exc.SQLAlchemyError) -> ResponseReturnValue:
    """The disk is full, or the database missing or read-only: nothing was stored or acknowledged; try again."""
    db.session.rollback()
    current_app.logger.error("%s: not stored: %s", request.endpoint, fault(error))
    message = gettext("The server could not save this just now. Please try again in a moment.")
    if request.method == "GET" or request.form:
        return render_template("reader/message.html", message=message), 503
    return {"error": "not-stored", "message": message}, 503


@blueprint.errorhandler(InvalidInputError)
def no_image(faulty: InvalidInputError) -> ResponseReturnValue:
    """The image store is not available; the page tries again."""
    current_app.logger.error("%s: %s", request.endpoint, faulty)
    return "", 503


from quiz_app.reader import api, join, pages  # noqa: E402, F401  (they add their views to the blueprint)
