"""Researchers: their accounts, and what each may do with a study."""

from __future__ import annotations

import functools
import re
import secrets

import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from quiz_app import clock, log
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Member, Researcher, Study

FIRST = "admin"
SHORTEST_PASSWORD = 12
# In rising order: each role may do everything that the roles before it may do.
ROLES = ("viewer", "collaborator", "owner")


def ensure_first() -> str | None:
    """Create the first researcher, `admin`, if there is none yet, and commit.

    Returns the generated password, which is stored only as a hash and cannot be shown again; None if there is a
    researcher.
    """
    if db.session.scalar(sa.select(sa.func.count()).select_from(Researcher)):
        return None
    _, password = add(FIRST, admin=True)
    db.session.commit()
    return password


def add(name: str, *, admin: bool = False, actor: str = "") -> tuple[Researcher, str]:
    """Create a researcher with a generated password, which cannot be shown again. The caller commits.

    Raises InvalidInputError.
    """
    if not re.fullmatch(r"[\w.@-]{1,80}", name):
        raise InvalidInputError(
            [f"name: {name!r} is not valid; use 1 to 80 letters, digits, full stops, dashes, underscores or @"]
        )
    if find(name):
        raise InvalidInputError([f"name: {name!r} is in use; choose another"])
    password = secrets.token_urlsafe(12)
    researcher = Researcher(
        name=name, password_hash=generate_password_hash(password), is_admin=admin, created_at=clock.now()
    )
    db.session.add(researcher)
    log.record("researcher-added", actor=actor, researcher=name, admin=admin)
    return researcher, password


def find(name: str) -> Researcher | None:
    """The researcher with this log-in name."""
    return db.session.scalar(sa.select(Researcher).filter_by(name=name))


def check(name: str, password: str) -> Researcher | None:
    """The researcher with this name and password."""
    researcher, nobody = find(name), _nobody()
    right = check_password_hash(researcher.password_hash if researcher else nobody, password)
    return researcher if right else None


@functools.cache
def _nobody() -> str:
    """A hash to check if nobody has the given name, so that the response takes as long as for a wrong password."""
    return generate_password_hash(secrets.token_urlsafe(16))


def change_password(researcher: Researcher, old: str, new: str, again: str) -> None:
    """Change the password to `new`; every session of the researcher ends.

    Raises InvalidInputError with every problem by field.
    """
    faults = []
    if not check_password_hash(researcher.password_hash, old):
        faults.append("old: this is not your current password")
    if len(new) < SHORTEST_PASSWORD:
        faults.append(f"new: {len(new)} characters; use at least {SHORTEST_PASSWORD}")
    if again != new:
        faults.append("again: does not match the new password")
    if faults:
        raise InvalidInputError(faults)
    researcher.password_hash = generate_password_hash(new)
    log.record("password-changed", actor=researcher.name)


def reset_password(researcher: Researcher, *, actor: str = "") -> str:
    """Generate a new password for a researcher who has lost theirs; all their sessions end."""
    password = secrets.token_urlsafe(12)
    researcher.password_hash = generate_password_hash(password)
    log.record("password-reset", actor=actor, researcher=researcher.name)
    return password


def role(session: Session, researcher: Researcher, study: Study) -> str | None:
    """The researcher's role in the study: `owner`, `collaborator`, `viewer` or None.

    An admin owns studies without an owner, which were created at the command line.
    """
    if study.owner_id == researcher.id or (study.owner_id is None and researcher.is_admin):
        return "owner"
    return session.scalar(sa.select(Member.role).filter_by(study_id=study.id, researcher_id=researcher.id))


def give_part(study: Study, name: str, role: str, *, actor: str = "") -> Member:
    """Make the researcher with this name a collaborator or viewer of the study.

    Raises InvalidInputError with every problem.
    """
    researcher, faults = find(name), []
    if researcher is None:
        faults.append(f"name: there is no researcher called {name!r}")
    elif researcher.id == study.owner_id:
        faults.append(f"name: {name} owns the study")
    if role not in ROLES[:2]:
        faults.append(f"role: {role!r} is not one of {', '.join(ROLES[:2])}")
    if faults or researcher is None:
        raise InvalidInputError(faults)
    member = db.session.scalar(sa.select(Member).filter_by(study_id=study.id, researcher_id=researcher.id))
    if member is None:
        member = Member(study_id=study.id, researcher=researcher)
        db.session.add(member)
    member.role = role
    log.record("part-given", study=study, actor=actor, researcher=name, role=role)
    return member


def take_part_away(study: Study, member: Member, *, actor: str = "") -> None:
    """Remove the researcher's role in the study."""
    log.record("part-taken-away", study=study, actor=actor, researcher=member.researcher.name, role=member.role)
    db.session.delete(member)


def may(has: str | None, wanted: str) -> bool:
    """Whether someone with the role `has` may do what requires the role `wanted`."""
    return has is not None and ROLES.index(has) >= ROLES.index(wanted)


def studies(session: Session, researcher: Researcher) -> list[tuple[Study, str]]:
    """Every study in which the researcher has a role, newest first, with that role."""
    found = session.scalars(sa.select(Study).order_by(Study.id.desc()))
    return [(study, has) for study in found if (has := role(session, researcher, study))]
