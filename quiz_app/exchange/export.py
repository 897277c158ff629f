"""Export a study: everything about it as one zip of CSV files with a dictionary, and in the formats of other software.

Everything comes from one snapshot of the database, is written row by row, and its rows are checked against the
database's counts.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quiz_app import clock
from quiz_app.designs import DESIGNS
from quiz_app.exchange import conditions_csv, marks_csv, responses_csv
from quiz_app.models import Case, Event, Reader, Sitting, Study, Trial
from quiz_app.study import plan

READERS = {
    "reader": "Pseudonym.",
    "group": "Group, as given in the invitation or by the reader.",
    "years": "Years of experience.",
    "profile": "Answers to further questions of the study, as JSON.",
    "invited_at": "When the reader was invited; UTC, like all times.",
    "consented_at": "When the reader agreed to take part.",
    "revoked_at": "When the link was withdrawn.",
    "withdrawn_at": "When the reader left the study.",
    "sittings": "Number of sittings; more than 1 after a reset.",
    "finished_at": "When the last sitting was finished.",
    "seed": "Seed of the last sitting's order.",
    "device": "What the browser reported about the device, as JSON.",
    "external_id": "ID of the reader at the panel from which they came.",
}
TRIALS = {
    "reader": "Pseudonym.",
    "sitting": "Number of the reader's sitting.",
    "trial": "Name of the trial, as in responses.csv. All trials that were shown to the reader are included.",
    "position": "Position of the trial in the reader's order, from 1; practice is counted separately.",
    "is_training": "1 = practice, never scored.",
    "releases": "How often the image was released: 2 = again, because nothing could be painted the first time.",
    "released_at": "When the image could first be seen, UTC, after its latest release.",
    "keyed_at": "When the key of its image was sent ahead of its turn; empty = it was not.",
    "onset_at": "When the image was painted.",
    "deadline_at": "When the time was up; empty = no limit.",
    "answered_at": "When the answer reached the server; empty = no answer.",
    "zoom_ms": "How long the image was magnified, in ms.",
    "lens_ms": "How long the magnifier was on, in ms.",
    "inverted": "How often the image was inverted.",
    "full_screen": "1 = answered in full screen.",
    "light": "1 = answered in the light theme.",
    "first_ms": "In quartets: when the first part, choice or realism, was answered, in ms after painting.",
    "asked_ms": "In staircases: how long the image was meant to be shown, in ms; empty while the study is blinded.",
    "shown_ms": "How long it was shown, as measured by the browser; empty while the study is blinded.",
    "frames": "For how many frames of the screen; empty while the study is blinded.",
    "frame_ms": "How long one frame of the screen lasts, in ms.",
    "cut": "1 = the page was hidden while the image was shown.",
}
EXPOSED = ("asked_ms", "shown_ms", "frames")  # they reveal which answers were right
SETTINGS = {
    "setting": "Name of the setting; study.toml has the same settings, and the study can be recreated from it.",
    "value": "Its value, as JSON.",
    "meaning": "What it does, and its possible values.",
}
CASES = {
    "case": "Name in the pool.",
    "truth": "real or synthetic.",
    "source": "Where the image comes from.",
    "group": "practice, or the name that the cases of one trial share.",
    "sha256": "SHA-256 of the image file as imported.",
    "width": "In pixels.",
    "height": "In pixels.",
    "excluded": "Why the case is left out; empty = it is included.",
}
FURTHER = "A further column of the pool's cases.csv; empty while the study is blinded."
EVENTS = {
    "at": "UTC.",
    "kind": "What happened.",
    "actor": "Pseudonym or log-in name of the person who did it.",
    "sitting": "Number of the reader's sitting to which it belongs.",
    "details": "As JSON.",
}
# The authors' words for the levels 1 to 5.
PANODIFF = (None, "Definitely Real", "Probably Real", "Unsure", "Probably Fake", "Definitely Fake")


@dataclass(frozen=True)
class Part:
    """A file of the zip: its rows, and how many there are according to the database."""

    name: str
    columns: dict[str, str]
    rows: Iterable[Iterable[Any]]
    expected: int


class MiscountedError(RuntimeError):
    """A file has a different number of rows from the database; it must not be delivered."""


def write(session: Session, study: Study, file: IO[bytes]) -> dict[str, int]:
    """Write the zip of `study` into `file`; returns the number of rows by file name.

    While the study is blinded, columns that reveal the truth stay empty. Raises MiscountedError.
    """
    counted, sums = {}, {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in _parts(session, study):
            counted[part.name], sums[part.name] = _table(archive, part)
            if counted[part.name] != part.expected:
                raise MiscountedError(f"{part.name}: {counted[part.name]} rows, but the database has {part.expected}")
        texts = {"study.toml": plan.dump(study), "dictionary.csv": _dictionary(session, study)}
        if not study.blinded and DESIGNS[study.design].has_levels:
            texts |= _for_others(session, study)
        if study.registration:
            texts["registration.json"] = json.dumps(study.registration, indent=1, ensure_ascii=False) + "\n"
        for name, text in texts.items():
            archive.writestr(name, text)
            sums[name] = hashlib.sha256(text.encode()).hexdigest()
        about = {"format": 1, "study": study.slug, "version": study.version, "made": clock.now().isoformat()}
        about |= {"blinded": study.blinded, "rows": counted, "sha256": sums, "pool": _pool(study)}
        archive.writestr("manifest.json", json.dumps(about, indent=1) + "\n")
    return counted


def _parts(session: Session, study: Study) -> list[Part]:
    slug = study.slug
    responses = sa.text("SELECT count(*) FROM responses WHERE study = :slug")
    invited = (Reader.study_id == study.id, sa.not_(Reader.is_preview))
    marked, flawed = (marks_csv.counted(session, slug, view) for view in ("marks", "faults"))
    parts = [
        Part(
            "responses.csv",
            responses_csv.DICTIONARY,
            responses_csv.rows(session, slug, blinded=study.blinded),
            session.scalar(responses, {"slug": slug}) or 0,
        ),
        Part("trials.csv", TRIALS, _trials(session, study), _count_trials(session, study)),
        Part("readers.csv", READERS, _readers(session, study), _count(session, Reader, *invited)),
        Part("cases.csv", *_cases(session, study), _count(session, Case, Case.pool_id == study.pool_id)),
        Part("settings.csv", SETTINGS, _settings(study), len(study.rules.as_dict())),
        Part("events.csv", EVENTS, events(session, study), _count(session, Event, Event.study_id == study.id)),
    ]
    if marked or study.rules.marks != "off":
        rows = marks_csv.marks(session, slug, blinded=study.blinded)
        parts.append(Part("marks.csv", marks_csv.MARKS, rows, marked))
    conditioned = conditions_csv.count(session, slug)
    if conditioned or study.rules.conditions or study.hints:
        rows = conditions_csv.rows(session, slug, blinded=study.blinded)
        parts.append(Part("conditions.csv", conditions_csv.CONDITIONS, rows, conditioned))
    if flawed and not study.blinded:
        parts.append(Part("faults.csv", marks_csv.FAULTS, marks_csv.faults(session, slug), flawed))
    return parts


def _pool(study: Study) -> dict[str, Any]:
    """What the report says about the pool; while the study is blinded, without the numbers of each class."""
    pool = study.pool
    about = {"name": pool.name, "sha256": pool.sha256, "phantom": bool(pool.manifest.get("phantom"))}
    flow = None if study.blinded else pool.manifest.get("flow")
    return about | ({"flow": flow} if flow else {})


def _count(session: Session, model: type, *where: Any) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(model).where(*where)) or 0


def _table(archive: zipfile.ZipFile, part: Part) -> tuple[int, str]:
    count, digest = 0, hashlib.sha256()
    with archive.open(part.name, "w", force_zip64=True) as raw:
        for row in itertools.chain([part.columns], part.rows):
            line = responses_csv.line(row).encode()
            raw.write(line)
            digest.update(line)
            count += 1
    return count - 1, digest.hexdigest()


def _readers(session: Session, study: Study) -> Iterator[tuple[Any, ...]]:
    query = sa.select(Reader).where(Reader.study_id == study.id, sa.not_(Reader.is_preview)).order_by(Reader.id)
    for reader in session.scalars(query):
        last = reader.sitting
        yield (
            *(reader.pseudonym, reader.group, reader.years, _json(reader.profile), _moment(reader.created_at)),
            *map(_moment, (reader.consented_at, reader.revoked_at, reader.withdrawn_at)),
            *(len(reader.sittings), _moment(last and last.finished_at), last and last.seed),
            *(_json(last.device) if last else None, reader.external_id),
        )


def _shown(study: Study, *columns: Any) -> sa.Select[*tuple[Any, ...]]:
    """Select `columns` of the trials that were shown to a reader of the study."""
    query = sa.select(*columns).select_from(Trial).join(Sitting).join(Reader)
    return query.where(Reader.study_id == study.id, sa.not_(Reader.is_preview)).where(
        sa.or_(Trial.released_at.isnot(None), Trial.keyed_at.isnot(None))
    )


def _count_trials(session: Session, study: Study) -> int:
    return session.scalar(_shown(study, sa.func.count())) or 0


def _trials(session: Session, study: Study) -> Iterator[tuple[Any, ...]]:
    moments = (Trial.released_at, Trial.keyed_at, Trial.onset_at, Trial.deadline_at, Trial.answered_at)
    names = (Reader.pseudonym, Sitting.number, Trial.token, Trial.position, Trial.is_training, Trial.releases)
    query = _shown(study, *names, Trial.viewer, *moments).order_by(
        Reader.pseudonym, Sitting.number, Trial.is_training.desc(), Trial.position
    )
    for *named, is_training, releases, viewer, at, keyed, onset, deadline, answered in session.execute(
        query, execution_options={"yield_per": 1000}
    ):
        used = viewer or {}
        yield (
            *(*named, int(is_training), releases),
            *map(_moment, (at, keyed, onset, deadline, answered)),
            *(used.get(name) for name in ("zoom_ms", "lens_ms", "inverted")),
            *(int(used[name]) if name in used else None for name in ("full_screen", "light")),
            used.get("first_ms"),
            *(None if study.blinded else used.get(name) for name in EXPOSED),
            used.get("frame_ms"),
            int(used["cut"]) if "cut" in used else None,
        )


def _cases(session: Session, study: Study) -> tuple[dict[str, str], Iterator[tuple[Any, ...]]]:
    """The columns with their meaning, and the rows; while the study is blinded, they do not reveal the truth."""
    cases = session.scalars(sa.select(Case).where(Case.pool_id == study.pool_id).order_by(Case.id)).all()
    further = list(dict.fromkeys(name for case in cases for name in case.labels if name not in CASES))

    def rows() -> Iterator[tuple[Any, ...]]:
        for case in cases:
            telling = (None, None) if study.blinded else (case.truth, case.source)
            labels = [None if study.blinded else case.labels.get(name) for name in further]
            yield (case.name, *telling, case.group, case.sha256, case.width, case.height, case.excluded, *labels)

    return CASES | dict.fromkeys(further, FURTHER), rows()


def _settings(study: Study) -> Iterator[tuple[Any, ...]]:
    values = study.rules.as_dict()
    for name, entry in study.rules.entries().items():
        yield name, json.dumps(values[name], ensure_ascii=False), plan.meaning(entry)


def events(session: Session, study: Study) -> Iterator[tuple[Any, ...]]:
    """The log of a study as rows with the columns of EVENTS."""
    query = (
        sa.select(Event.at, Event.kind, Event.actor, Sitting.number, Event.details)
        .outerjoin(Sitting, Sitting.id == Event.sitting_id)
        .where(Event.study_id == study.id)
        .order_by(Event.id)
    )
    for at, kind, actor, number, details in session.execute(query, execution_options={"yield_per": 1000}):
        yield (_moment(at), kind, actor, number, _json(details))


def _moment(at: Any) -> str | None:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def _json(value: Any) -> str | None:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else None


def _dictionary(session: Session, study: Study) -> str:
    lines = [responses_csv.line(("file", "column", "meaning"))]
    for part in _parts(session, study):
        lines += [responses_csv.line((part.name, *entry)) for entry in part.columns.items()]
    return "".join(lines)


def _for_others(session: Session, study: Study) -> dict[str, str]:
    """The scored answers in the formats of iMRMC, MRMCaov and the PanoDiff authors' scripts."""
    from analysis.report.files import exchange
    from analysis.responses import ResponsesError, load_csv

    with tempfile.TemporaryDirectory() as folder:
        path, told = (Path(folder) / name for name in ("responses.csv", "conditions.csv"))
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(responses_csv.lines(session, study.slug))
        if study.rules.conditions:
            rows = [tuple(conditions_csv.CONDITIONS), *conditions_csv.rows(session, study.slug)]
            told.write_text("".join(map(responses_csv.line, rows)), encoding="utf-8", newline="")
        try:
            loaded = load_csv(path, told if study.rules.conditions else None)
        except ResponsesError:  # no answers yet
            return {}
        return {**exchange(loaded), **_panodiff(loaded.scored)}


def _panodiff(scored: Any) -> dict[str, str]:
    """`submissions.csv` and `image_labels.csv` in the format of the published study's repository.

    The folder is the study or, if there are conditions, the study and the condition.
    """
    answers: list[tuple[Any, ...]] = [("User Name", "Folder", "File", "Zoom Value", "RealFakeValueSlider")]
    for row in scored[scored["level"].notna()].itertuples():
        zoom = None if row.zoom_max != row.zoom_max else row.zoom_max
        folder = f"{row.study}/{row.condition}" if "condition" in scored else row.study
        answers.append((row.reader, folder, row.case, zoom, PANODIFF[int(row.level)]))
    truths = scored[["case", "truth"]].drop_duplicates().sort_values("case")
    labels: list[tuple[Any, ...]] = [("Filename", "Label")]
    labels += [(case, "Fake" if truth else "Real") for case, truth in truths.itertuples(index=False)]
    tables = {"panodiff/submissions.csv": answers, "panodiff/image_labels.csv": labels}
    return {name: "".join(map(responses_csv.line, rows)) for name, rows in tables.items()}
