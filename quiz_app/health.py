"""GET /healthz: whether this server can do its work."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue

from quiz_app import address
from quiz_app.database import reading
from quiz_app.exchange import mirror
from quiz_app.version import __version__

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 and `database: ok`, or 503 and what is wrong in a word; where answers are mirrored, how that goes."""
    settings = current_app.config["SETTINGS"]
    told = {"version": __version__, "instance": address.name_of(settings)}
    try:
        with reading() as session:
            session.execute(sa.text("SELECT version_num FROM alembic_version"))
            more = {"mirror": mirror.status(session)} if settings.firestore_credentials else {}
    except sa.exc.SQLAlchemyError as error:
        return {"status": "failing", **told, "database": type(error).__name__}, 503
    return {"status": "ok", **told, "database": "ok", **more}
