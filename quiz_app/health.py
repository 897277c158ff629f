"""GET /healthz: whether this server can do its work."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue

from quiz_app.database import reading
from quiz_app.exchange import mirror
from quiz_app.version import __version__

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 and `database: ok`, or 503 and what is wrong in a word; where answers are mirrored, how that goes."""
    try:
        with reading() as session:
            session.execute(sa.text("SELECT version_num FROM alembic_version"))
            mirrored = current_app.config["SETTINGS"].firestore_credentials
            more = {"mirror": mirror.status(session)} if mirrored else {}
    except sa.exc.SQLAlchemyError as error:
        return {"status": "failing", "version": __version__, "database": type(error).__name__}, 503
    return {"status": "ok", "version": __version__, "database": "ok", **more}
