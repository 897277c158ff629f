"""Pre-flight: can the study open, and what should be checked first?

The slow checks (the audit of the pool as readers receive it, and the search for near-duplicates) run in the background,
once for each state of a pool.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from PIL import Image
from sqlalchemy.orm import Session

import generation.pool
from generation.errors import InputError
from quiz_app import background, clock, storage
from quiz_app.designs import DESIGNS
from quiz_app.errors import InvalidInputError
from quiz_app.models import Case, Event, Pool, Study
from quiz_app.settings import Settings
from quiz_app.storage import Store
from quiz_app.study import conditions, lifecycle, monitor, subgroups
from quiz_app.study.cases import scored_cases
from quiz_app.tunnel import SKIP_WARNING

FOUND = "found.json"
LITTLE_DISK, TOO_LITTLE_DISK = 5 * 2**30, 2**29
FEW_CASES = 20
LOOK = "A name or a date may be readable. Check the pool's images and leave out those that should not be shown."


@dataclass(frozen=True)
class Check:
    """One check. `verdict` is good, warn (can open, but should be known) or bad (cannot open)."""

    name: str
    verdict: str
    says: str
    details: list[str] = field(default_factory=list)


def checks(session: Session, study: Study, settings: Settings, *, secure: bool) -> list[Check]:
    """Every check of the study. secure: whether the current request uses https."""
    return [
        _may_open(study),
        _cases(study),
        *_sources(study),
        *_conditions(study),
        *_subgroups(study),
        *_exposures(session, study),
        *_burnt_in(study),
        *_headers(study),
        _texts(study),
        _own_result(study),
        *_looked_at(session, study, settings),
        _address(settings, secure),
        _clock(session),
        _disk(settings),
        _backup(session, study),
    ]


def _may_open(study: Study) -> Check:
    reasons = [reason for reason in lifecycle.may_not_open(study) if not reason.startswith(("state:", "consent:"))]
    if reasons:
        return Check("Settings and pool", "bad", "The study cannot open yet:", reasons)
    return Check("Settings and pool", "good", "Pool, settings and practice cases fit together.")


def _cases(study: Study) -> Check:
    design = DESIGNS[study.design]
    count, noun = design.available(scored_cases(study)), design.noun
    read = min(study.rules.cases or count, count)
    if read < FEW_CASES:
        return Check(
            noun.capitalize(), "warn", f"A reader judges only {read} {noun}, so confidence intervals will be very wide."
        )
    return Check(noun.capitalize(), "good", f"A reader judges {read} of {count} {noun}, {design.balance}.")


def _sources(study: Study) -> list[Check]:
    """If synthetic cases come from several sources: whether all have the same number."""
    if not DESIGNS[study.design].has_levels:
        return []
    counts = Counter(case.source for case in scored_cases(study) if case.truth == "synthetic")
    if len(counts) < 2:
        return []
    listed = [f"{source or 'no source'}: {number}" for source, number in sorted(counts.items())]
    if len(set(counts.values())) > 1 or "" in counts:
        reason = "The sources have different numbers of synthetic images, so comparisons between them are less precise:"
        reason = "Some synthetic images have no source and are left out of comparisons:" if "" in counts else reason
        return [Check("Sources", "warn", reason, listed)]
    return [Check("Sources", "good", f"Each of {len(counts)} sources has {min(counts.values())} synthetic images.")]


def _conditions(study: Study) -> list[Check]:
    names, said = study.rules.condition_names, conditions.warnings(study)
    if not names and not said:
        return []
    how = "one after the other" if study.rules.periods > 1 else "each reader under one"
    good = f"Cases are read under {', '.join(names)}, {how}."
    return [Check("Conditions", "warn" if said else "good", "Please consider:" if said else good, said)]


def _subgroups(study: Study) -> list[Check]:
    """If cases will be compared by columns of the pool: how many each subgroup has."""
    if not study.rules.subgroups:
        return []
    lines, weak = subgroups.told(study)
    says = (
        "Comparisons of subgroups will be weak:" if weak else "The report compares cases by these columns of the pool:"
    )
    return [Check("Subgroups", "warn" if weak else "good", says, lines + weak)]


def _exposures(session: Session, study: Study) -> list[Check]:
    """If images are shown briefly: whether the settings and the screens seen so far allow it."""
    design = DESIGNS[study.design]
    if not design.brief:
        return []
    said = design.warnings(study.rules)
    exposures = Check(
        "Exposures", "warn" if said else "good", "Known limits:" if said else "Screens can show these exposures.", said
    )
    slow = [
        f"{reader.pseudonym}: {1000 / frame_ms:.0f} frames per second"
        for reader in study.readers
        if reader.sitting and (frame_ms := reader.sitting.device.get("frame_ms") or 0) > monitor.SLOWEST_FRAME_MS
    ]
    if slow:
        words = "Too slow for brief exposures. These readers need another screen, or should close other programs:"
        return [exposures, Check("Screens", "warn", words, slow)]
    return [exposures, Check("Screens", "good", "No slow screen has been found.")]


def _burnt_in(study: Study) -> list[Check]:
    """A warning if files of the pool state that text is burnt into their pictures."""
    how = study.pool.manifest.get("how") or {}
    told = [how.get(truth) for truth in generation.pool.TRUTHS]
    notes = [one.get("notes") or {} for one in told if isinstance(one, dict)]
    count = sum(number for one in notes for note, number in one.items() if "burnt" in note)
    what = f"{count} files say that text is burnt into the picture. A name may be readable: check the pool's images."
    return [Check("Burnt-in text", "warn", what)] if count else []


def _headers(study: Study) -> list[Check]:
    """A warning if the classes differ in their file headers, without naming a class, as the study may be blinded."""
    from generation.audit import headers

    names = ", ".join(headers.differing(study.pool.manifest.get("how")))
    what = (
        f"The file headers of the classes differ in {names}. This alone can tell them apart; run the audit for details."
    )
    return [Check("File headers", "warn", what)] if names else []


def _texts(study: Study) -> Check:
    empty = [
        name for name in ("welcome", "consent", "instructions", "thanks") if not getattr(study.rules, name).strip()
    ]
    if "consent" in empty:
        return Check("Texts", "bad", "There is no consent text.")
    if empty:
        return Check("Texts", "warn", f"Empty: {', '.join(empty)}.")
    return Check("Texts", "good", "Welcome, consent, instructions and thanks are filled in.")


def _own_result(study: Study) -> Check:
    name = "Own result"
    if study.rules.result != "at once":
        return Check(name, "good", "No reader learns the truth of a scored case before the close.")
    if study.open_token_hash:
        return Check(
            name, "warn",
            "Anyone with the open link can take the study, see the truth of its cases on the last page and register "
            "again as another reader. Show readers their result only after closing, or withdraw the open link.",
        )  # fmt: skip
    return Check(
        name,
        "good",
        "Readers see their result on the last page. Each has one personal link, so nobody can register again.",
    )


def _address(settings: Settings, secure: bool) -> Check:
    url = settings.reached_at
    if not url:
        how = "by https" if secure else "without https"
        return Check("Address", "warn", f"No public_url is set, so links lead to the address you are using now, {how}.")
    try:
        answer = httpx.get(f"{url.rstrip('/')}/healthz", headers=SKIP_WARNING, timeout=3, follow_redirects=True)
        sound = answer.status_code == 200 and answer.json().get("status") == "ok"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        sound = False
    if not sound:
        return Check("Address", "bad", f"{url} does not answer, so readers cannot reach the study.")
    if not url.startswith("https://"):
        return Check(
            "Address", "warn", f"{url} answers, but without https: others on the network could read the links."
        )
    return Check("Address", "good", f"{url} answers.")


def _clock(session: Session) -> Check:
    last = session.scalar(sa.select(sa.func.max(Event.at)))
    now = clock.now()
    if now < datetime(2025, 1, 1, tzinfo=UTC) or (last is not None and last > now):
        return Check("Clock", "bad", f"This server's clock says {now:%Y-%m-%d %H:%M} UTC, which cannot be right.")
    return Check("Clock", "good", f"{now:%Y-%m-%d %H:%M} UTC.")


def _disk(settings: Settings) -> Check:
    free = shutil.disk_usage(settings.instance).free
    verdict = "bad" if free < TOO_LITTLE_DISK else "warn" if free < LITTLE_DISK else "good"
    return Check("Disk", verdict, f"{free / 2**30:.1f} GiB are free.")


def _backup(session: Session, study: Study) -> Check:
    last = session.scalar(sa.select(sa.func.max(Event.at)).where(Event.kind == "backed-up"))
    if last is None:
        return Check("Backup", "warn", "No backup has been recorded. To make one, run: discern backup FILE")
    return Check("Backup", "good", f"Last backup: {last:%Y-%m-%d %H:%M} UTC.")


def home(session: Session, study: Study, settings: Settings) -> Path:
    """The folder for what was found in the pool, specific to the cases that are left out now."""
    out = session.scalar(sa.select(sa.func.count(Case.excluded)).where(Case.pool_id == study.pool_id)) or 0
    return settings.instance / "preflight" / f"{study.pool_id}-{study.pool.slug}-{out}"


def look(session: Session, study: Study, settings: Settings) -> None:
    """Audit the pool in the background, unless this has been done or is in progress. Returns at once."""
    folder = home(session, study, settings)
    if DESIGNS[study.design].has_truth and background.claim(folder):
        background.start(
            "quiz_app.study.preflight", folder, study.pool.slug,
            instance=settings.instance, database_url=settings.database_url,
        )  # fmt: skip


def _text_told(study: Study) -> list[Check]:
    """What the pool itself states about text in its pictures, if no audit looks for it."""
    how = study.pool.manifest.get("how") or {}
    texts = [one.get("text") or {} for one in map(how.get, generation.pool.TRUTHS) if isinstance(one, dict)]
    count = sum(text.get("count", 0) for text in texts)
    says = f"Text seems to be part of the picture in {count} of the pool's images. {LOOK}"
    return [Check("Text in the pictures", "warn", says)] if count else []


def _looked_at(session: Session, study: Study, settings: Settings) -> list[Check]:
    if not DESIGNS[study.design].has_truth:
        says = "Not needed: readers compare versions and are not asked which are real."
        return [Check("Audit", "good", says), *_text_told(study)]
    folder = home(session, study, settings)
    work = background.find(folder)
    names = ("Audit", "Near-duplicates", "Text in the pictures")
    if work is None:
        return [Check(name, "warn", "Not checked yet.") for name in names]
    if work.state == "making":
        return [Check(name, "warn", f"In progress: {work.what}.") for name in names]
    if work.state != "done":
        return [Check(name, "warn", "The check failed:", work.faults) for name in names]
    found = json.loads((folder / FOUND).read_text("utf-8"))
    text = found.get("text")  # an earlier version did not look for it
    apart = _told_apart(found["audit"].get("sources", []))  # an earlier version did not compare them
    return [_audit(found["audit"]), *apart, _duplicates(found["duplicates"]), *([_text(text)] if text else [])]


def _audit(audit: dict[str, Any]) -> Check:
    together = f"all cues together: AUC {audit['together']['auc']:.2f}, p = {audit['together']['p']:.3f}"
    if not audit["flagged"]:
        return Check("Audit", "good", f"Nothing besides the anatomy reveals the class ({together}).")
    flagged = [cue for cue in audit["cues"] if cue["flagged"]]
    cues = [f"{cue['name']}: AUC {cue['auc']:.2f}, p = {cue['p']:.3g}; {cue['remedy']}" for cue in flagged]
    return Check("Audit", "warn", f"The class can be recognised without looking at the anatomy ({together}):", cues)


def _told_apart(pairs: list[dict[str, Any]]) -> list[Check]:
    """Whether cues other than the anatomy tell the sources apart; empty for a single source."""
    name = "Sources apart"
    if not pairs:
        return []
    found = [
        f"{pair['first']} and {pair['second']}: AUC {pair['auc']:.2f}, corrected p = {pair['p']:.3g}"
        for pair in pairs
        if pair["p"] < 0.05
    ]
    if not found:
        return [Check(name, "good", "Nothing besides the anatomy tells the sources apart.")]
    says = "Sources can be told apart without looking at the anatomy, and readers may notice this:"
    return [Check(name, "warn", says, found)]


def _duplicates(pairs: list[dict[str, Any]]) -> Check:
    if not pairs:
        return Check("Near-duplicates", "good", "No two cases are versions of the same image.")
    kinds = Counter("across the classes" if pair["across"] else "within a class" for pair in pairs)
    counted = ", ".join(f"{times} {kind}" for kind, times in kinds.items())
    # Saying which pairs are across the classes would reveal the truth.
    return Check(
        "Near-duplicates", "warn", f"Pairs of cases that look the same: {counted}.",
        [" and ".join(pair["cases"]) for pair in pairs],
    )  # fmt: skip


def _text(text: dict[str, list[int]]) -> Check:
    """The check for text. text: for each class, the number of its cases with text, and the number of its cases."""
    name = "Text in the pictures"
    found = [truth for truth, (count, _) in text.items() if count]
    if not found:
        return Check(name, "good", "No text was found in the images of either class. Short marks are not detected.")
    says = " and ".join(f"{count} of {total} {truth} images" for truth, (count, total) in text.items())
    details = [LOOK]
    if len(found) == 1:
        details.append(f"Only {found[0]} images have text, so anyone who notices it knows their class.")
    elif _differ(*text.values()):
        details.append("The classes differ by more than chance, so text gives the class away.")
    return Check(name, "warn", f"Text seems to be part of the picture in {says}.", details)


def _differ(one: list[int], other: list[int]) -> bool:
    """Whether two counts, each out of a total, differ by Fisher's exact test at 5 %."""
    from scipy.stats import fisher_exact

    return bool(fisher_exact([[count, total - count] for count, total in (one, other)]).pvalue < 0.05)


def _work(folder: Path, slug: str) -> None:
    """Audit the pool as readers receive it: the work of the process."""
    from generation import duplicates
    from generation.audit import audit
    from quiz_app import create_app
    from quiz_app.database import reading

    app = create_app(Settings.load())
    with app.app_context(), background.working(folder, InputError, InvalidInputError) as progress, reading() as session:
        pool = session.scalars(sa.select(Pool).filter_by(slug=slug)).one()
        scored = [case for case in pool.cases if not case.is_practice and case.excluded is None]
        store = app.config["SETTINGS"].images
        _as_received(pool, scored, store, folder / "pool")
        found = audit(folder / "pool", progress=lambda done, total: progress(0.6 * done / total, "auditing"))
        progress(0.7, "looking for near-duplicates")
        signatures = []
        for case in scored:
            with Image.open(io.BytesIO(storage.read(store, case.stored))) as image:
                signatures.append(duplicates.signature(image))
        pairs = [
            {"cases": [scored[one].name, scored[other].name], "across": scored[one].truth != scored[other].truth}
            for one, other, _ in duplicates.pairs(signatures)
        ]
        progress(0.8, "looking for text")
        text = _lettered(folder / "pool")
        told = {"audit": found.as_dict(), "duplicates": pairs, "text": text}
        (folder / FOUND).write_text(json.dumps(told), "utf-8")
        shutil.rmtree(folder / "pool")


def _lettered(folder: Path) -> dict[str, list[int]]:
    """For each class of a pool folder, the number of its images with text, and the number of its images."""
    from generation import radiographs

    pool = generation.pool.read_table(folder)
    text = {truth: [0, 0] for truth in generation.pool.TRUTHS}
    found = radiographs.looks([pool.path(case) for case in pool.cases], lettering=True)
    for case, image in zip(pool.cases, found, strict=True):
        if isinstance(image, str):
            raise InputError(image)
        text[case.truth][0] += bool(image.text)
        text[case.truth][1] += 1
    return text


def _as_received(pool: Pool, cases: list[Case], store: Store, folder: Path) -> None:
    """A pool folder with the images as readers receive them, under the names they have in the pool."""
    entries = [
        generation.pool.Entry(case.truth, case.source, storage.read(store, case.stored)) for case in
        sorted(cases, key=lambda case: case.stored)
    ]  # fmt: skip
    how = dict.fromkeys(generation.pool.TRUTHS, "as readers receive them")
    generation.pool.write(folder, entries, name=pool.name, seed=0, width=pool.width, height=pool.height, how=how)


if __name__ == "__main__":
    _work(Path(sys.argv[1]), sys.argv[2])
