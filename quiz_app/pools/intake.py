"""Bringing images in: an uploaded zip becomes a pool, in the background.

The zip holds either a pool folder (pool.json, cases.csv, images), or PNG, JPEG, TIFF or DICOM files in folders. Those
are read as `generation.radiographs` says and surveyed by folder. Where folders are called `real` and `synthetic` and
every file can be read, they become a pool; else the researcher is asked which folder is which class, and whether files
that cannot be read are left out. They are mixed at random, brought to one size and encoder, and imported as any pool.
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

MOST_STRETCH = 0.02  # more can be seen, and tells the classes apart where only one is stretched
NOTES = "notes.json"
SPECIMENS = "specimens"
CHOICES = "choices.json"
MISSING = "missing.json"  # files that should be here and are not: why, by path
MORE = "more.zip"


def begin(settings: Settings, upload: Path, wishes: Wishes) -> str:
    """Take over the zip at `upload` and have it made into a pool. Returns the name of the work."""
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
    """Keep with the work in `folder` how its images become a pool."""
    (folder / "wishes.json").write_text(json.dumps(asdict(wishes)), "utf-8")


def asked(folder: Path) -> Wishes:
    """How the images of the work in `folder` become a pool."""
    return Wishes(**json.loads((folder / "wishes.json").read_text("utf-8")))


def add(settings: Settings, name: str, upload: Path) -> None:
    """Take over a zip of more images for an upload that asks, which is then surveyed anew."""
    folder = home(settings.instance) / name
    shutil.move(upload, folder / MORE)
    background.tell(folder, "making", 0.0, "unpacking")
    _start(settings, folder)


def home(instance: Path) -> Path:
    """Where uploads are worked on."""
    return instance / "intake"


def of_pool(instance: Path, slug: str) -> str:
    """The name of the upload from which the pool with this slug was made; empty where it came otherwise."""
    for notes in home(instance).glob(f"*/{NOTES}"):
        if json.loads(notes.read_text("utf-8"))["pool"] == slug:
            return notes.parent.name
    return ""


def answer(settings: Settings, name: str, choices: Choices) -> None:
    """Continue an upload that had to ask. Raises InvalidInputError for cases that lack a method and are to stay."""
    folder = home(settings.instance) / name
    without = lacking(folder, survey.load(folder), choices.classes)
    if without and not choices.incomplete:
        cases = "1 case is" if len(without) == 1 else f"{len(without)} cases are"
        raise InvalidInputError([f"incomplete: {cases} not in every folder; choose whether to leave them out, or stop"])
    (folder / CHOICES).write_text(json.dumps(asdict(choices)), "utf-8")
    background.tell(folder, "making", 0.0, "starting")
    _start(settings, folder)


def lacking(folder: Path, found: survey.Survey, classes: Mapping[int, str]) -> list[str]:
    """What images are missing of cases to be compared, or are there twice, where the folders are of these classes."""
    from generation.drawing import matched

    if asked(folder).sets != COMPARISONS:
        return []
    return matched(draw.methods(_candidates(folder, found, Choices(dict(classes)))))[1]


def stop(instance: Path, name: str) -> None:
    """Give up an upload that had to ask, or what was being fetched; its files are removed."""
    folder = home(instance) / name
    faults = survey.load(folder).faults if (folder / survey.FILE).exists() else []
    background.tell(folder, "failed", 0.0, faults=[f"{one['file']}: {one['why']}" for one in faults] or ["Stopped."])
    _clear(folder)


def _clear(folder: Path) -> None:
    """Remove the images, and all that names their files; what the page tells of the pool stays."""
    for path in folder.iterdir():
        if path.name not in (background.STATUS, NOTES, SPECIMENS):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def make(
    work: Path, found: survey.Survey, choices: Choices, wishes: Wishes, progress: background.Tell
) -> tuple[Path, list[str]]:
    """A pool folder of what was surveyed, and what was noted.

    Raises InputError or InvalidInputError where there are not enough images, or a comparison lacks one.
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
    """The images of each class, made ready."""
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
    """What a pool records of a file that cannot be used: no word of a decoder, which may quote the file's header."""
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
    """What is said of the files, class by class."""
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
        notes += [f"left out, holds {one['frames']} images: {one['file']}" for one in found.several]
    return notes + [f"skipped, not an image file: {count} x {end}" for end, count in sorted(found.aside.items())]


def look(folder: Path, progress: background.Tell) -> survey.Survey:
    """The survey of what has been unpacked or fetched. Raises InputError for no image."""

    def reading(done: int, total: int) -> None:
        progress(0.4 * done / total, "reading images")

    missing = json.loads((folder / MISSING).read_text("utf-8")) if (folder / MISSING).exists() else {}
    wishes = asked(folder)
    by_method = wishes.sets == COMPARISONS
    return survey.take(folder / "unpacked", folder, draw.size_of(wishes), reading, missing, by_method)


def _look_at_more(folder: Path, progress: background.Tell) -> None:
    """Put more images beside those that are here, in folders of their own, and ask again."""
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
    """Whatever goes wrong in the block is told where it was asked, and nothing of what was brought is lost."""
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
    """The pool as the researcher answered; what makes it impossible is told where that was asked."""
    said = json.loads((folder / CHOICES).read_text("utf-8"))
    choices = Choices(**said | {"classes": {int(number): truth for number, truth in said["classes"].items()}})
    (folder / CHOICES).unlink()
    with _asking_again(folder):
        _file(folder, *make(folder, survey.load(folder), choices, asked(folder), progress), progress)


def _make_of_upload(folder: Path, progress: background.Tell) -> None:
    """The pool of an upload where nothing need be asked."""
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
    """Look at an upload, and make its pool where nothing need be asked or all has been answered."""
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
        except Exception:  # of a zip that has just come; whatever came before it is asked about again
            _clear(folder)
            raise
        work = background.find(folder)
        if work is None or work.state != "asking":
            _clear(folder)


def _file(folder: Path, pool_folder: Path, notes: list[str], progress: background.Tell) -> None:
    """Import a pool folder, and keep what the page tells of it."""
    from flask import current_app

    from quiz_app.database import db

    def filed(done: int, total: int) -> None:
        progress(0.8 + 0.2 * done / total, "importing")
        if done == total:
            background.settle()  # the images come to lie where readers get them

    made_here = pool_folder == folder / "pool"
    shown = thumbnails.keep(pool_folder, folder / SPECIMENS) if made_here else []
    pool = importing.import_folder(pool_folder, current_app.config["SETTINGS"].images, actor="upload", progress=filed)
    db.session.commit()
    told = {"pool": pool.slug, "notes": notes, "specimens": shown, "size": [pool.width, pool.height]}
    (folder / NOTES).write_text(json.dumps(told), "utf-8")


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
