"""Make a pool from an uploaded zip, in the background.

The zip contains either a pool folder (pool.json, cases.csv, images), or PNG, JPEG, TIFF or DICOM files in folders.
Those are read by `generation.radiographs` and surveyed by folder. If the folders are named `real` and `synthetic` and
every file can be read, they become a pool; otherwise the researcher is asked which class each folder belongs to, and
whether to leave out unreadable files. The images are mixed at random, converted to one size and encoding, and imported
like any other pool.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from generation.errors import InputError
from generation.files import sha256
from quiz_app import background
from quiz_app.errors import InvalidInputError
from quiz_app.pools import draw, importing, survey, thumbnails
from quiz_app.pools.archives import unpack
from quiz_app.pools.wishes import COMPARISONS, Choices, Wishes, class_faults
from quiz_app.settings import Settings

MOST_STRETCH = 0.02  # more would be visible, and would reveal the class if only one is stretched
NOTES = "notes.json"
SPECIMENS = "specimens"
CHOICES = "choices.json"
MISSING = "missing.json"  # files that should be here but are not: the reason, by path
MORE = "more.zip"


def begin(settings: Settings, upload: Path, wishes: Wishes) -> str:
    """Take over the zip at `upload` and start making a pool of it. Returns the name of the work."""
    name = secrets.token_hex(8)
    folder = home(settings.instance) / name
    background.claim(folder)
    shutil.move(upload, folder / "upload.zip")
    keep(folder, wishes)
    _start(settings, folder)
    return name


def _start(settings: Settings, folder: Path) -> None:
    background.start("quiz_app.pools.intake", folder, instance=settings.instance, database_url=settings.database_url)


def keep(folder: Path, wishes: Wishes) -> None:
    """Store, with the work in `folder`, how its images become a pool."""
    (folder / "wishes.json").write_text(json.dumps(asdict(wishes)), "utf-8")


def asked(folder: Path) -> Wishes:
    """How the images of the work in `folder` become a pool."""
    return Wishes(**json.loads((folder / "wishes.json").read_text("utf-8")))


def add(settings: Settings, name: str, upload: Path) -> None:
    """Take over a zip with more images for an upload that awaits answers; the upload is then surveyed again."""
    folder = home(settings.instance) / name
    shutil.move(upload, folder / MORE)
    background.tell(folder, "making", 0.0, "unpacking")
    _start(settings, folder)


def home(instance: Path) -> Path:
    """The folder in which uploads are processed."""
    return instance / "intake"


def of_pool(instance: Path, slug: str) -> str:
    """The name of the upload from which the pool with this slug was made; empty if it was made in another way."""
    for notes in home(instance).glob(f"*/{NOTES}"):
        if json.loads(notes.read_text("utf-8"))["pool"] == slug:
            return notes.parent.name
    return ""


def answer(settings: Settings, name: str, choices: Choices) -> None:
    """Continue an upload that awaited answers. Raises InvalidInputError for incomplete cases that are not left out."""
    folder = home(settings.instance) / name
    without = lacking(folder, survey.load(folder), choices.classes)
    if without and not choices.incomplete:
        cases = "1 case is" if len(without) == 1 else f"{len(without)} cases are"
        raise InvalidInputError([f"incomplete: {cases} not in every folder; choose whether to leave them out, or stop"])
    (folder / CHOICES).write_text(json.dumps(asdict(choices)), "utf-8")
    background.tell(folder, "making", 0.0, "starting")
    _start(settings, folder)


def lacking(folder: Path, found: survey.Survey, classes: Mapping[int, str]) -> list[str]:
    """Images of cases to be compared that are missing or duplicated, if the folders have these classes."""
    from generation.drawing import matched

    if asked(folder).sets != COMPARISONS:
        return []
    return matched(draw.methods(_candidates(folder, found, Choices(dict(classes)))))[1]


def stop(instance: Path, name: str) -> None:
    """Discard an upload that awaits answers, or a fetch; its files are removed."""
    folder = home(instance) / name
    faults = survey.load(folder).faults if (folder / survey.FILE).exists() else []
    background.tell(folder, "failed", 0.0, faults=[f"{one['file']}: {one['why']}" for one in faults] or ["Stopped."])
    _clear(folder)


def _clear(folder: Path) -> None:
    """Remove the images and everything that names their files; keep what the page shows about the pool."""
    for path in folder.iterdir():
        if path.name not in (background.STATUS, NOTES, SPECIMENS):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def make(
    work: Path, found: survey.Survey, choices: Choices, wishes: Wishes, progress: background.Tell
) -> tuple[Path, list[str]]:
    """A pool folder made from the surveyed images, and notes about them.

    Raises InputError or InvalidInputError if there are not enough images, or a comparison lacks one.
    """
    from generation import mixing

    out, size = work / "pool", (wishes.width, wishes.height)
    survey.more_frames(found, work, work / "unpacked", choices.frames, draw.size_of(wishes))
    images = _candidates(work, found, choices)

    def drawing(done: int, total: int) -> None:
        progress(0.4 + 0.2 * done / total, "drawing images")

    def writing(done: int, total: int) -> None:
        progress(0.6 + 0.2 * done / total, "writing the pool")

    drawn, said = draw.drawn(images, wishes, choices.incomplete or choices.text == "leave-out", drawing)

    classes = {folder.name: choices.classes.get(number, "") for number, folder in enumerate(found.folders)}
    made = mixing.build(
        out,
        drawn,
        name=wishes.name,
        seed=wishes.seed,
        size=size,
        harmonised=wishes.harmonise,
        progress=writing,
        left_out=[
            *({"truth": classes[one["folder"]], "sha256": one["sha256"], "why": _why(one)} for one in found.faults),
            *_left_out_for_text(work, found, choices),
            *(draw.incomplete(images) if wishes.sets == COMPARISONS else []),
        ],
        flow=drawn.flow(*found.counted(classes, choices.frames, choices.text)),
    )
    alike = "all alike" if wishes.sets == COMPARISONS else "both classes alike"
    notes = [f"{alike}: {made.manifest['how']['preparation']}"]
    notes += said
    notes += [f"{drawn.duplicates} near-duplicates left out"] if drawn.duplicates else []
    return out, notes + _notes(found, choices, size)


def _candidates(work: Path, found: survey.Survey, choices: Choices) -> dict[str, list]:
    """The prepared images of each class."""
    from generation.drawing import Candidate

    candidates: dict[str, list] = {"real": [], "synthetic": []}
    for number, truth in choices.classes.items():
        folder = found.folders[number]
        source = folder.source or truth
        for image in (found.images[place] for place in folder.images):
            if _is_left_out(image, choices):
                continue
            ready = work / "ready" / image["ready"]
            origin = work / "unpacked" / image["file"] if image["frame"] is None else ready
            text = bool(image["text"]) if "text" in image else None  # an earlier version did not look for it
            about = {"origin": origin, "lossy": image["lossy"], "notes": tuple(image["notes"]), "text": text}
            about["header"] = image.get("header")  # an earlier version did not read it
            stem = Path(image["file"]).stem + ("" if image["frame"] is None else f", image {image['frame'] + 1}")
            candidates[truth].append(Candidate(ready, truth, source, stem, **about))
    return candidates


def _why(fault: Mapping[str, str]) -> str:
    """What a pool records about an unusable file: never a decoder's message, which may quote the file's header."""
    return "it cannot be read as a radiograph" if fault["sha256"] else fault["why"]


def _is_left_out(image: dict, choices: Choices) -> bool:
    return bool(image.get("text")) and choices.text == "leave-out"


def _left_out_for_text(work: Path, found: survey.Survey, choices: Choices) -> list[dict[str, str]]:
    return [
        {"truth": truth, "sha256": sha256(work / "unpacked" / image["file"]), "why": "text seems to be burnt into it"}
        for number, truth in choices.classes.items()
        for image in (found.images[place] for place in found.folders[number].images)
        if _is_left_out(image, choices)
    ]


def _notes(found: survey.Survey, choices: Choices, size: tuple[int, int]) -> list[str]:
    """Notes about the files, by class."""
    notes, telling = [], Counter[str]()
    for truth in ("real", "synthetic"):
        numbers = [number for number, one in choices.classes.items() if one == truth]
        images = [found.images[place] for number in numbers for place in found.folders[number].images]
        total = len(images)
        stretched = [abs(one["width"] / one["height"] * size[1] / size[0] - 1) > MOST_STRETCH for one in images]
        if sum(stretched):
            notes.append(
                f"stretched by over {MOST_STRETCH:.0%} to fit {size[0]} x {size[1]}: "
                f"{sum(stretched)} of {total} {truth} images"
            )
        if lossy := sum(one["lossy"] for one in images):
            notes.append(f"compressed with loss before upload: {lossy} of {total} {truth} images")
        if lettered := sum(bool(one.get("text")) for one in images):
            kept = "kept" if choices.text == "keep" else "left out"
            notes.append(f"text seems to be burnt into the picture, {kept}: {lettered} of {total} {truth} images")
        said = Counter(note for one in images for note in one["notes"])
        notes += [f"{count} of {total} {truth} images: {note}" for note, count in sorted(said.items())]
        telling.update(keyword for one in images for keyword in one["telling"])
    notes += [f"not kept from {count} DICOM file(s): {keyword}" for keyword, count in sorted(telling.items())]
    notes += [f"skipped, not readable: {one['file']}: {one['why']}" for one in found.faults]
    if choices.frames == "none":
        notes += [f"left out, contains {one['frames']} images: {one['file']}" for one in found.several]
    return notes + [f"skipped, not an image file: {count} x {end}" for end, count in sorted(found.aside.items())]


def look(folder: Path, progress: background.Tell) -> survey.Survey:
    """Survey what has been unpacked or fetched. Raises InputError if there is no image."""

    def reading(done: int, total: int) -> None:
        progress(0.4 * done / total, "reading images")

    missing = json.loads((folder / MISSING).read_text("utf-8")) if (folder / MISSING).exists() else {}
    wishes = asked(folder)
    by_method = wishes.sets == COMPARISONS
    return survey.take(folder / "unpacked", folder, draw.size_of(wishes), reading, missing, by_method)


def _look_at_more(folder: Path, progress: background.Tell) -> None:
    """Add more images to those that are here, in their own folders, and ask again."""
    with _asking_again(folder):
        unpack(folder / MORE, folder / "added")
        for entry in sorted((folder / "added").iterdir()):
            number, target = 2, folder / "unpacked" / entry.name
            while target.exists():
                number, target = number + 1, target.with_name(f"{entry.stem}-{number}{entry.suffix}")
            entry.rename(target)
        look(folder, progress)
        background.tell(folder, "asking", 0.0)
    shutil.rmtree(folder / "added", ignore_errors=True)
    (folder / MORE).unlink()


@contextmanager
def _asking_again(folder: Path) -> Iterator[None]:
    """Show errors in the block where the user gave the answers, and keep all images that were uploaded or fetched."""
    try:
        yield
    except Exception as error:
        known = isinstance(error, InvalidInputError | InputError)
        if not known:
            traceback.print_exception(error)
        for half_made in ("pool", SPECIMENS):
            shutil.rmtree(folder / half_made, ignore_errors=True)
        faults = background.faults_of(error) if known else [f"{type(error).__name__}: {error}"]
        background.tell(folder, "asking", 0.0, faults=faults)


def _make_as_answered(folder: Path, progress: background.Tell) -> None:
    """Make the pool from the researcher's answers; show problems where the answers were given."""
    said = json.loads((folder / CHOICES).read_text("utf-8"))
    choices = Choices(**said | {"classes": {int(number): truth for number, truth in said["classes"].items()}})
    (folder / CHOICES).unlink()
    with _asking_again(folder):
        _file(folder, *make(folder, survey.load(folder), choices, asked(folder), progress), progress)


def _make_of_upload(folder: Path, progress: background.Tell) -> None:
    """Make the pool of an upload about which there are no questions."""
    progress(0.0, "unpacking")
    unpack(folder / "upload.zip", folder / "unpacked")
    if pools := sorted((folder / "unpacked").rglob("pool.json"), key=lambda path: len(path.parts)):
        _file(folder, pools[0].parent, [], progress)
        return
    found, wishes = look(folder, progress), asked(folder)
    choices = Choices.guessed(found)
    unclear = not found.settled or class_faults(found, choices.classes, wishes.sets)
    if unclear or lacking(folder, found, choices.classes):
        background.tell(folder, "asking", 0.0)
    else:
        _file(folder, *make(folder, found, choices, wishes, progress), progress)


def _work(folder: Path) -> None:
    """Survey an upload, and make its pool if there are no questions or all have been answered."""
    from quiz_app import create_app

    app = create_app(Settings.load())
    with app.app_context(), background.working(folder, InvalidInputError, InputError) as progress:
        try:
            if (folder / MORE).exists():
                _look_at_more(folder, progress)
            elif (folder / CHOICES).exists():
                _make_as_answered(folder, progress)
            else:
                _make_of_upload(folder, progress)
        except Exception:  # in a zip that has just arrived; the user is asked again about earlier images
            _clear(folder)
            raise
        work = background.find(folder)
        if work is None or work.state != "asking":
            _clear(folder)


def _file(folder: Path, pool_folder: Path, notes: list[str], progress: background.Tell) -> None:
    """Import a pool folder, and store what the page shows about it."""
    from flask import current_app

    from quiz_app.database import db

    def filed(done: int, total: int) -> None:
        progress(0.8 + 0.2 * done / total, "importing")
        if done == total:
            background.settle()  # from here on, the images are put where readers get them

    made_here = pool_folder == folder / "pool"
    shown = thumbnails.keep(pool_folder, folder / SPECIMENS) if made_here else []
    pool = importing.import_folder(pool_folder, current_app.config["SETTINGS"].images, actor="upload", progress=filed)
    db.session.commit()
    told = {"pool": pool.slug, "notes": notes, "specimens": shown, "size": [pool.width, pool.height]}
    (folder / NOTES).write_text(json.dumps(told), "utf-8")


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
