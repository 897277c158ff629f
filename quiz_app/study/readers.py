"""Readers: invited with a link, found by its token, admitted while it is valid."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager

from quiz_app import clock, log
from quiz_app.database import db
from quiz_app.errors import InvalidInputError, RefusedError
from quiz_app.models import Pool, Reader, Study
from quiz_app.study import lifecycle

PREVIEW = "(preview)"  # no invited reader can have this name
OPEN = "open-"  # the prefix of the pseudonyms of readers from the open link
MOST_BY_OPEN_LINK = 10_000
REGISTERING = 7_507_093  # any number that does not change


@dataclass(frozen=True)
class Invitation:
    """Whom to invite. If the group is empty, the reader is asked for it."""

    pseudonym: str
    group: str = ""
    email: str = ""


def invitations(text: str, group: str = "") -> list[Invitation]:
    """Parse typed text or a spreadsheet: lines with `pseudonym,group,email`, or pseudonyms separated by spaces.

    Separators are comma, semicolon or tab; a first line `pseudonym,...` is a header. `group` is used for lines without
    one.
    """
    invited = []
    for number, line in enumerate(text.splitlines()):
        mark = next((mark for mark in "\t;," if mark in line), "")
        if not mark:
            invited += [Invitation(word, group) for word in line.split()]
            continue
        cells = [*(cell.strip().strip('"') for cell in line.split(mark)), "", ""][:3]
        if number == 0 and cells[0].lower() in ("pseudonym", "reader"):
            continue
        invited.append(Invitation(cells[0], cells[1] or group, cells[2]))
    return [invitation for invitation in invited if invitation != Invitation("", group)]


def invite(
    study: Study, pseudonym: str, group: str | None = None, *, email: str | None = None, actor: str = ""
) -> tuple[Reader, str]:
    """Create a reader; returns them and the secret of the personal link. Only its hash is stored, so that the secret
    cannot be shown again.

    Raises InvalidInputError with everything that is wrong with the pseudonym, the group and the address.
    """
    faults = []
    if not re.fullmatch(r"[\w.-]{1,80}", pseudonym):
        faults.append(
            f"pseudonym: {pseudonym!r} is not valid; use 1 to 80 letters, digits, full stops, dashes or underscores"
        )
    elif db.session.scalar(sa.select(Reader).filter_by(study_id=study.id, pseudonym=pseudonym)):
        faults.append(f"pseudonym: {pseudonym!r} is already in this study")
    if group and study.rules.groups and group not in study.rules.groups:
        faults.append(f"group: {group!r} of {pseudonym} is not a group of this study: {', '.join(study.rules.groups)}")
    faults += no_address(email or "", pseudonym)
    if faults:
        raise InvalidInputError(faults)
    reader, token = _add(study, pseudonym, group or None)
    reader.email = email or None
    log.record("reader-invited", study=study, actor=actor, reader=pseudonym, group=group)
    return reader, token


def _add(study: Study, pseudonym: str, group: str | None = None, *, is_preview: bool = False) -> tuple[Reader, str]:
    token = secrets.token_urlsafe(24)
    reader = Reader(
        study=study,  # not study.readers.append, which would load them all
        pseudonym=pseudonym,
        group=group,
        is_preview=is_preview,
        token_hash=hashed(token),
        created_at=clock.now(),
    )
    db.session.add(reader)
    db.session.flush()
    return reader, token


def invite_all(study: Study, invited: Sequence[Invitation], *, actor: str = "") -> list[tuple[Reader, str]]:
    """Invite everyone, all or none. Raises InvalidInputError with what is wrong with any of them."""
    let_in, faults = [], [] if invited else ["pseudonyms: enter at least one, or upload a list"]
    for one in invited:
        try:
            let_in.append(invite(study, one.pseudonym, one.group, email=one.email, actor=actor))
        except InvalidInputError as faulty:
            faults += faulty.faults
    if faults:
        raise InvalidInputError(faults)
    return let_in


BY_TOKEN = (
    sa.select(Reader)
    .join(Reader.study)
    .join(Study.pool)
    .where(Reader.token_hash == sa.bindparam("token_hash"))
    .options(contains_eager(Reader.study).contains_eager(Study.pool).load_only(Pool.width, Pool.height))
    .execution_options(populate_existing=True)
)
HELD = BY_TOKEN.with_for_update(of=Reader).suffix_with("FOR SHARE OF study", dialect="postgresql")


def by_token(token: str, *, hold: bool = False) -> Reader:
    """The reader with this link. Raises RefusedError (404 unknown, 410 revoked).

    `hold`: until the transaction ends, nobody else can change the reader, or the state or settings of the study.
    """
    return admitted(db.session.scalar(HELD if hold else BY_TOKEN, {"token_hash": hashed(token)}))


class _Revocable(Protocol):
    revoked_at: Any


Found = TypeVar("Found", bound=_Revocable)


def admitted(reader: Found | None) -> Found:
    """The reader found by a link. Raises RefusedError (404 none found, 410 revoked)."""
    if reader is None:
        raise RefusedError(
            "unknown-link",
            "This link is not valid. Please check that you copied all of it, or ask the person who sent it.",
            404,
        )
    if reader.revoked_at is not None:
        raise RefusedError(
            "revoked-link", "This link has been withdrawn. Please ask the person who sent it for a new one.", 410
        )
    return reader


def assert_in_time(reader: Reader) -> None:
    """Raise RefusedError (403) if the closing date, the reader's own or the study's, has passed."""
    closing = reader.closes_at or reader.study.rules.closing
    if closing is not None and not reader.is_preview and clock.now() >= closing:
        raise RefusedError("study-over", "This study can no longer be started. Thank you for your interest.", 403)


def preview(study: Study, *, actor: str = "") -> str:
    """The secret of a link with which a researcher can take the study like a reader, even in a draft.

    Its answers do not count, and the next preview replaces it. Raises InvalidInputError with the reasons why no sitting
    can be created.
    """
    if wanting := [
        reason for reason in lifecycle.may_not_open(study) if not reason.startswith(("state:", "closes:", "consent:"))
    ]:
        raise InvalidInputError(wanting)
    for earlier in [reader for reader in study.readers if reader.is_preview]:
        study.readers.remove(earlier)
    db.session.flush()
    _, token = _add(study, PREVIEW, is_preview=True)
    log.record("previewed", study=study, actor=actor)
    return token


def revoke(reader: Reader, reason: str, *, actor: str = "") -> None:
    """Withdraw the link; the answers are kept. Raises InvalidInputError without a reason."""
    if faults := no_reason(reason):
        raise InvalidInputError(faults)
    reader.revoked_at = clock.now()
    log.record("reader-revoked", study=reader.study, actor=actor, reader=reader.pseudonym, reason=reason.strip()[:500])


def give_back(reader: Reader, *, actor: str = "") -> None:
    """The withdrawn link works again. Raises InvalidInputError for one that was not withdrawn, or has been replaced."""
    if reader.revoked_at is None:
        raise InvalidInputError([f"reader: the link of {reader.pseudonym} is not withdrawn"])
    reader.revoked_at = None
    log.record("reader-link-given-back", study=reader.study, actor=actor, reader=reader.pseudonym)


def renew(reader: Reader, *, actor: str = "") -> str:
    """The secret of a new link; the old one stops working, and a revoked reader is admitted again."""
    token = secrets.token_urlsafe(24)
    reader.token_hash, reader.revoked_at = hashed(token), None
    log.record("reader-link-renewed", study=reader.study, actor=actor, reader=reader.pseudonym)
    return token


def extend(reader: Reader, until: str, reason: str, *, actor: str = "") -> None:
    """Set the reader's own closing date, whatever the study's is.

    Raises InvalidInputError with every problem by field.
    """
    faults = no_reason(reason)
    try:
        moment = datetime.fromisoformat(until)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment <= clock.now():
            faults.append(f"until: {until} is in the past; choose a later time")
    except ValueError:
        faults.append(f"until: {until!r} is not a date and time")
    if faults:
        raise InvalidInputError(faults)
    reader.closes_at = moment
    log.record(
        "reader-extended", study=reader.study, actor=actor, reader=reader.pseudonym, until=until, reason=reason.strip()
    )


def no_address(email: str, pseudonym: str) -> list[str]:
    """The problem with an invalid e-mail address, as a list; an empty address means not given."""
    if not email or (len(email) <= 254 and re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email)):
        return []
    return [f"email: {email!r} of {pseudonym} is not an address"]


def no_reason(reason: str) -> list[str]:
    """The problem with an empty reason, as a list."""
    return [] if reason.strip() else ["reason: please give one; it is recorded in the log"]


def offer_open_link(study: Study, cap: str, *, actor: str = "") -> str:
    """The secret of one link with which up to `cap` readers can register; it replaces an earlier one."""
    if not (cap.isdecimal() and len(cap) <= 5 and 1 <= int(cap) <= MOST_BY_OPEN_LINK):
        raise InvalidInputError([f"cap: {cap!r} is not a whole number from 1 to {MOST_BY_OPEN_LINK}"])
    token = secrets.token_urlsafe(24)
    study.open_token_hash, study.open_cap = hashed(token), int(cap)
    log.record("open-link-offered", study=study, actor=actor, cap=int(cap))
    return token


def withdraw_open_link(study: Study, *, actor: str = "") -> None:
    """Withdraw the open link; readers who registered with it stay."""
    study.open_token_hash = study.open_cap = None
    log.record("open-link-withdrawn", study=study, actor=actor)


def by_open_link(token: str, *, hold: bool = False) -> Study:
    """The study of an open link. Raises RefusedError.

    `hold`: until the transaction ends, nobody else can register in it, or change its state or settings; answers do not
    wait for this.
    """
    query = sa.select(Study).filter_by(open_token_hash=hashed(token))
    study = db.session.scalar(query.with_for_update(read=True) if hold else query)
    if study is not None and hold and db.engine.dialect.name == "postgresql":
        db.session.execute(sa.select(sa.func.pg_advisory_xact_lock(REGISTERING, study.id)))
    if study is None:
        raise RefusedError(
            "unknown-link",
            "This link is not valid. Please check that you copied all of it, or ask the person who sent it.",
            404,
        )
    if study.state != "open" or (study.rules.closing and study.rules.closing <= clock.now()):
        raise RefusedError("not-open", "This study is not accepting readers at the moment.", 403)
    if came_by_open_link(study) >= (study.open_cap or 0):
        raise RefusedError("full", "This study already has all the readers it needs. Thank you for your interest.", 403)
    return study


def came_by_open_link(study: Study) -> int:
    """The number of readers who have registered with the open link."""
    mine = sa.select(sa.func.count()).where(Reader.study_id == study.id)
    return db.session.scalar(mine.where(Reader.pseudonym.startswith(OPEN, autoescape=True))) or 0


def register(study: Study) -> str:
    """Register a reader from the open link; returns the secret of a personal link. `by_open_link` locks the study."""
    taken = set(db.session.scalars(sa.select(Reader.pseudonym).filter_by(study_id=study.id)))
    pseudonym = next(name for number in range(1, len(taken) + 2) if (name := f"{OPEN}{number:03d}") not in taken)
    _, token = _add(study, pseudonym)
    log.record("reader-registered", study=study, actor=pseudonym)
    return token


def hashed(token: str) -> str:
    """The hash of a token. It has 192 random bits, so one round of SHA-256 protects it as well as a slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def link(address: str, token: str) -> str:
    """The personal link under the address at which readers reach this server; only its path if that is empty."""
    return f"{address.rstrip('/')}/r/{token}/"
