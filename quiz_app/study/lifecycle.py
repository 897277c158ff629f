"""Draft, open, closed: what can happen to a study, and when."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from quiz_app import clock, log
from quiz_app.database import db
from quiz_app.designs import DESIGNS, design_of
from quiz_app.designs import PRESETS as PRESETS
from quiz_app.errors import InvalidInputError
from quiz_app.models import Hint, Pool, Reader, Researcher, Sitting, Study, Trial
from quiz_app.pools.importing import free_slug, slugified
from quiz_app.study import conditions, looks, subgroups
from quiz_app.study.cases import practice_cases, scored_cases, scored_in
from quiz_app.study.settings import StudySettings, settings_of

# Settings that do not affect any reader's answers.
CHANGEABLE_ANY_TIME = {"closes", "thanks", "completion_code", "return_address", "panel_parameter"}


def create(
    title: str,
    pool: Pool | None,
    *,
    slug: str = "",
    preset: str = "",
    settings: Mapping[str, Any] | None = None,
    design: str = "",
    seed: int | None = None,
    owner: Researcher | None = None,
) -> Study:
    """Create a draft with the settings of `preset`, overridden by `settings`.

    A preset belongs to one design; either can be left out.
    Raises InvalidInputError with every problem by field.

    If no `seed` is given, one is drawn; it is stored with the study and determines the orders of all readers.
    """
    faults = _title_faults(title)
    design = design or (design_of(preset) if preset in PRESETS else "rating")
    preset = preset or next(iter(DESIGNS[design].presets if design in DESIGNS else PRESETS))
    if pool is None:
        faults.append("pool: choose an imported pool")
    if preset not in PRESETS:
        faults.append(f"preset: {preset!r} is not one of {', '.join(PRESETS)}")
    if design not in DESIGNS:
        faults.append(f"design: {design!r} is not one of {', '.join(DESIGNS)}")
    elif preset in PRESETS and preset not in DESIGNS[design].presets:
        faults.append(f"preset: {preset!r} is for the design {design_of(preset)}, not for {design}")
    elif pool is not None:
        faults += DESIGNS[design].unfit(scored_in(pool, design))
    if slug and slug != slugified(slug):
        faults.append(f"slug: {slug!r} is not valid; use lower-case letters, digits and dashes")
    elif slug and db.session.scalar(sa.select(Study).filter_by(slug=slug)):
        faults.append(f"slug: {slug!r} is in use; choose another")
    rules = None
    try:
        usual = DESIGNS[design].presets.get(preset) if design in DESIGNS else None
        rules = settings_of(design).from_dict({**(usual[1].as_dict() if usual else {}), **(settings or {})})
    except InvalidInputError as faulty:
        faults += faulty.faults
    if faults or rules is None or pool is None:
        raise InvalidInputError(faults)
    study = Study(
        slug=slug or free_slug(title, Study),
        title=title.strip(),
        design=design,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        settings=rules.as_dict(),
        pool=pool,
        owner=owner,
        created_at=clock.now(),
    )
    db.session.add(study)
    db.session.flush()
    log.record("study-created", study=study, actor=_name(owner), preset=preset, pool=pool.slug, seed=study.seed)
    return study


def find(slug: str) -> Study:
    """The study with this slug. Raises InvalidInputError."""
    study = db.session.scalar(sa.select(Study).filter_by(slug=slug))
    if study is None:
        raise InvalidInputError([f"study: there is no study {slug!r}; list them with: discern study list"])
    return study


def answers(study: Study) -> int:
    """The number of scored and practice trials answered in the study, without previews."""
    query = sa.select(sa.func.count(Trial.answered_at)).select_from(Trial).join(Sitting).join(Reader)
    return db.session.scalar(query.where(Reader.study_id == study.id, sa.not_(Reader.is_preview))) or 0


def assert_may_change(study: Study) -> None:
    """Raise InvalidInputError if the study has answers: what readers have already seen cannot be changed."""
    if study.state == "closed":
        raise InvalidInputError([f"study: {study.slug} is closed; copy it to change it"])
    db.session.refresh(study, with_for_update=True)  # an answer on its way comes first, and is counted
    if given := answers(study):
        count = f"{given} answer{'' if given == 1 else 's'}"
        raise InvalidInputError(
            [f"study: {study.slug} has {count}, so its settings are locked; copy it to change them"]
        )


def change(study: Study, settings: Mapping[str, Any], *, title: str | None = None, actor: str = "") -> list[str]:
    """Replace some settings of a study without answers; those in CHANGEABLE_ANY_TIME can also be changed later.

    Sittings that began under the old settings start again, and the version increases. Returns the names of the settings
    that have changed. Raises InvalidInputError with every problem by field.
    """
    faults = _title_faults(study.title if title is None else title)
    try:
        new = settings_of(study.design).from_dict({**study.settings, **settings}).as_dict()
    except InvalidInputError as faulty:
        raise InvalidInputError(faults + faulty.faults) from None
    if faults:
        raise InvalidInputError(faults)
    old = study.rules.as_dict()
    different = {name: value for name, value in new.items() if value != old[name]}
    if different.keys() - CHANGEABLE_ANY_TIME:
        assert_may_change(study)
        for reader in study.readers:
            reader.sittings.clear()
    if title is not None and title.strip() != study.title:
        study.title = different["title"] = title.strip()
    if different:
        study.settings = new
        study.version += 1
        log.record("study-changed", study=study, actor=actor, version=study.version, settings=different)
    return list(different)


def may_not_open(study: Study) -> list[str]:
    """Why the study cannot be opened; empty if it can."""
    rules, reasons = study.rules, []
    if study.state == "open":
        reasons.append("state: the study is already open")
    if study.state == "closed":  # its truth was visible
        reasons.append("state: the study is closed; reopen it and give a reason")
    if rules.closing and rules.closing <= clock.now():
        reasons.append(f"closes: {rules.closes} is in the past; choose a later date")
    if not rules.consent.strip():
        reasons.append("consent: the text is empty; readers must know what they agree to")
    reasons += looks.faults(study)
    reasons += conditions.faults(study)
    reasons += subgroups.faults(study)
    reasons += _marks_faults(rules, brief=DESIGNS[study.design].brief)
    return reasons + DESIGNS[study.design].faults(scored_cases(study), practice_cases(study), rules)


def _marks_faults(rules: StudySettings, *, brief: bool) -> list[str]:
    """Conflicts between the settings for marks and other settings."""
    faults = []
    if rules.marks != "off" and rules.keys_ahead:
        faults.append(
            "keys_ahead: marks follow a saved answer, so no case can be "
            "opened ahead; set keys_ahead to 0 or turn marks off"
        )
    if rules.marks != "off" and brief and not rules.marks_after_timeout:
        faults.append("marks_after_timeout: the image is gone before the answer; turn this on so that marks can be set")
    return faults


def open_study(study: Study, *, actor: str = "") -> None:
    """Open the study to readers. Raises InvalidInputError with every reason why it cannot open."""
    if reasons := may_not_open(study):
        raise InvalidInputError(reasons)
    study.state, study.opened_at, study.closed_at = "open", clock.now(), None
    log.record("study-opened", study=study, actor=actor, version=study.version)
    looks.record_plan(study, actor)


def close(study: Study, *, actor: str = "") -> None:
    """Stop accepting answers. Raises InvalidInputError if the study is not open."""
    if study.state != "open":
        raise InvalidInputError([f"state: {study.slug} is {study.state}; only an open study can be closed"])
    study.state, study.closed_at = "closed", clock.now()
    log.record("study-closed", study=study, actor=actor, answers=answers(study))


def reopen(study: Study, reason: str, *, actor: str = "") -> None:
    """Accept answers again. The truth was visible while the study was closed, so it now counts as unblinded.

    Raises InvalidInputError without a reason, or if the study is not closed.
    """
    faults = (
        []
        if study.state == "closed"
        else [f"state: {study.slug} is {study.state}; only a closed study can be reopened"]
    )
    if not reason.strip():
        faults.append("reason: please give one; it is recorded in the log")
    if faults:
        raise InvalidInputError(faults)
    study.state, study.closed_at, study.archived_at = "open", None, None
    study.unblinded_at = study.unblinded_at or clock.now()
    log.record("study-reopened", study=study, actor=actor, reason=reason.strip()[:500], answers=answers(study))


def put_away(study: Study, *, away: bool = True, actor: str = "") -> None:
    """Archive a closed study, or unarchive it if not `away`. Raises InvalidInputError if it is not closed."""
    if study.state != "closed":
        raise InvalidInputError([f"state: {study.slug} is {study.state}; only a closed study can be archived"])
    if away == (study.archived_at is not None):
        return
    study.archived_at = clock.now() if away else None
    log.record("study-put-away" if study.archived_at else "study-brought-back", study=study, actor=actor)


def unblind(study: Study, reason: str, *, actor: str = "") -> None:
    """Let researchers see truth and results before the close. This is recorded. Raises InvalidInputError."""
    faults = [] if study.blinded else ["state: the study is already unblinded"]
    if not reason.strip():
        faults.append("reason: please give one; it is recorded in the log")
    if faults:
        raise InvalidInputError(faults)
    study.unblinded_at = clock.now()
    log.record("study-unblinded", study=study, actor=actor, reason=reason.strip()[:500], answers=answers(study))


def copy(study: Study, *, slug: str = "", title: str = "", owner: Researcher | None = None) -> Study:
    """Create a draft with the same pool, design, settings and hints, its own seed, and no readers."""
    title = title or f"{study.title} (copy)"
    twin = create(title, study.pool, slug=slug, settings=study.settings, design=study.design, owner=owner)
    twin.hints = [Hint(case_id=hint.case_id, hint=hint.hint, text=hint.text) for hint in study.hints]
    return twin


def _title_faults(title: str) -> list[str]:
    if not title.strip():
        return ["title: is empty"]
    return [f"title: has {len(title)} characters; at most 200 are allowed"] if len(title) > 200 else []


def _name(researcher: Researcher | None) -> str:
    return researcher.name if researcher else ""
