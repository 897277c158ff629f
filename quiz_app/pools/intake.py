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
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from generation.errors import InputError
from quiz_app import background
from quiz_app.errors import InvalidInputError
from quiz_app.pools import importing, survey, thumbnails
from quiz_app.pools.archives import unpack
from quiz_app.settings import Settings

MOST_STRETCH = 0.02  # more can be seen, and tells the classes apart where only one is stretched
NOTES = "notes.json"
SPECIMENS = "specimens"
CHOICES = "choices.json"
MISSING = "missing.json"  # files that should be here and are not: why, by path
MORE = "more.zip"


@dataclass(frozen=True)
class Wishes:
    """How two folders become a pool. `each` cases of each class, 0 = as many as the smaller class has."""

    name: str
    each: int = 0
    practice: int = 6
    width: int = 1024
    height: int = 512
    harmonise: bool = False
    quartets: bool = False  # each of one real image and one of every synthetic folder
    seed: int = 0

    @classmethod
    def from_form(cls, form: dict[str, str]) -> Wishes:
        """What a form says. Raises InvalidInputError with every fault by field."""
        faults = [] if 0 < len(form.get("name", "").strip()) <= 200 else ["name: 1 to 200 characters are expected"]
        bounds = {"each": (0, 10_000), "practice": (0, 50), "width": (64, 8192), "height": (64, 8192)}
        numbers = {}
        for name, (low, high) in bounds.items():
            text = form.get(name, "")
            if text.isdecimal() and low <= int(text) <= high:
                numbers[name] = int(text)
            else:
                faults.append(f"{name}: {text!r} is not a whole number from {low} to {high}")
        if faults:
            raise InvalidInputError(faults)
        seed = secrets.randbelow(2**31)
        return cls(
            form["name"].strip(),
            **numbers,
            harmonise=form.get("harmonise") == "yes",
            quartets=form.get("quartets") == "yes",
            seed=seed,
        )


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


def _wishes(folder: Path) -> Wishes:
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


@dataclass(frozen=True)
class Choices:
    """What the researcher answered: the class of each folder by its place, and the frames to take."""

    classes: dict[int, str] = field(default_factory=dict)  # real, synthetic, or nothing: left aside
    frames: str = "none"

    @classmethod
    def from_form(cls, form: Mapping[str, str], found: survey.Survey) -> Choices:
        """What a form says. Raises InvalidInputError with every fault by field."""
        classes = {number: form.get(f"class-{number}", "") for number in range(len(found.folders))}
        faults = [
            f"class-{number}: {found.folders[number].name or 'the upload'} has no class; choose one, or leave it out"
            for number, truth in classes.items()
            if truth not in ("real", "synthetic", "none")
        ]
        faults += [
            f"class-0: no folder is {truth}; a pool needs images of both classes"
            for truth in ("real", "synthetic")
            if not faults and truth not in classes.values()
        ]
        if found.faults and form.get("faults") != "leave-out":
            faults.append("faults: choose whether these files are left out, or stop")
        frames = form.get("frames", "none")
        if frames not in ("none", "first", "middle", "all"):
            faults.append(f"frames: {frames!r} is none of none, first, middle, all")
        if faults:
            raise InvalidInputError(faults)
        return cls({number: truth for number, truth in classes.items() if truth != "none"}, frames)

    @classmethod
    def guessed(cls, found: survey.Survey) -> Choices:
        """What the names of folders say."""
        return cls({number: folder.guess for number, folder in enumerate(found.folders)})


def answer(settings: Settings, name: str, choices: Choices) -> None:
    """Continue an upload that had to ask."""
    folder = home(settings.instance) / name
    said = {"classes": {str(number): truth for number, truth in choices.classes.items()}, "frames": choices.frames}
    (folder / CHOICES).write_text(json.dumps(said), "utf-8")
    background.tell(folder, "making", 0.0, "starting")
    _start(settings, folder)


def stop(instance: Path, name: str) -> None:
    """Give up an upload that had to ask, or what was being fetched; its files are removed."""
    folder = home(instance) / name
    faults = survey.load(folder).faults if (folder / survey.FILE).exists() else []
    background.tell(folder, "failed", 0.0, faults=[f"{one['file']}: {one['why']}" for one in faults] or ["Stopped."])
    _clear(folder)


def _clear(folder: Path) -> None:
    uploaded = ("upload.zip", MORE, "added", "unpacked", "pool", "ready", survey.SEEN)
    for name in (*uploaded, "query.json", "found.json", "fetch.json", MISSING):
        shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink(missing_ok=True)


def _size(wishes: Wishes) -> tuple[int, int] | None:
    """The size at which images are kept before they are drawn; none where they are to be harmonised, at their own."""
    return None if wishes.harmonise else (wishes.width, wishes.height)


def make(
    work: Path, found: survey.Survey, choices: Choices, wishes: Wishes, progress: background.Tell
) -> tuple[Path, list[str]]:
    """A pool folder of what was surveyed, and what was noted. Raises InputError where there are not enough images."""
    from generation import mixing

    out, size = work / "pool", (wishes.width, wishes.height)
    survey.more_frames(found, work, work / "unpacked", choices.frames, _size(wishes))
    candidates = _candidates(work, found, choices)
    rng = np.random.Generator(np.random.PCG64(wishes.seed))
    if wishes.quartets:
        sources = _sources(candidates["synthetic"])
        each, practice, said = _quartet_counts(candidates["real"], sources, wishes)
        drawn = mixing.quartets(candidates["real"], sources, each, practice, rng, _size(wishes))
    else:
        each, practice = _counts(candidates, wishes)
        drawn = mixing.single(candidates["real"], candidates["synthetic"], (each, each), practice, rng, _size(wishes))
        cases = "1 case" if each == 1 else f"{each} cases"
        said = [f"{cases} of each class and {practice} for practice, at random with seed {wishes.seed}"]

    def writing(done: int, total: int) -> None:
        progress(0.4 + 0.4 * done / total, "writing the pool")

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
            {"truth": classes[one["folder"]], "sha256": one["sha256"], "why": one["why"]} for one in found.faults
        ],
        flow=drawn.flow(*found.counted(classes, choices.frames)),
    )
    notes = [f"both classes alike: {made.manifest['how']['preparation']}"]
    notes += said
    notes += [f"{drawn.duplicates} near-duplicates left out"] if drawn.duplicates else []
    return out, notes + _notes(found, choices, size)


def _candidates(work: Path, found: survey.Survey, choices: Choices) -> dict[str, list]:
    """The images of each class, made ready."""
    from generation.mixing import Candidate

    candidates: dict[str, list] = {"real": [], "synthetic": []}
    for number, truth in choices.classes.items():
        folder = found.folders[number]
        source = folder.name.rpartition("/")[2] or truth
        for image in (found.images[place] for place in folder.images):
            ready = work / "ready" / image["ready"]
            origin = work / "unpacked" / image["file"] if image["frame"] is None else ready
            about = {"origin": origin, "lossy": image["lossy"], "notes": tuple(image["notes"])}
            candidates[truth].append(Candidate(ready, truth, source, origin.stem, **about))
    return candidates


def _counts(candidates: dict[str, list], wishes: Wishes) -> tuple[int, int]:
    """How many cases of each class, and how many for practice. Raises InvalidInputError for too few images."""
    shares = {"real": (wishes.practice + 1) // 2, "synthetic": wishes.practice // 2}
    each = wishes.each or min(len(candidates[truth]) - shares[truth] for truth in candidates)
    if each < 1:
        have = ", ".join(f"{len(own)} {truth}" for truth, own in candidates.items())
        raise InvalidInputError(
            [f"zip: too few images ({have}) for {wishes.practice} practice cases and one of each class"]
        )
    return each, wishes.practice


def _sources(synthetic: list) -> dict[str, list]:
    """The synthetic images by their source."""
    return {
        source: [one for one in synthetic if one.source == source]
        for source in sorted({one.source for one in synthetic})
    }


def _quartet_counts(real: list, sources: dict[str, list], wishes: Wishes) -> tuple[int, int, list[str]]:
    """How many quartets, how many for practice (as many as the practice cases fill), and what is said of it.

    Raises InvalidInputError where a folder has too few images, by its name.
    """
    practice = -(-wishes.practice // (1 + len(sources)))
    have = {"real images": len(real)} | {source: len(own) for source, own in sources.items()}
    each = wishes.each or min(have.values()) - practice
    short = [f"{name} ({count})" for name, count in have.items() if count < each + practice or each < 1]
    if short:
        wanted = f"{max(each, 1)} quartets and {practice} for practice need {max(each, 1) + practice} of each source"
        raise InvalidInputError([f"zip: too few images: {', '.join(short)}; {wanted}"])
    said = [
        f"{each} quartets of {1 + len(sources)} images and {practice} for practice, at random with seed {wishes.seed}"
    ]
    spare = [f"{count - each - practice} of {name}" for name, count in have.items() if count > each + practice]
    return each, practice, said + ([f"not needed, at random: {', '.join(spare)}"] if spare else [])


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
            notes.append(f"compressed with loss before they came: {lossy} of {total} {truth} images")
        said = Counter(note for one in images for note in one["notes"])
        notes += [f"{count} of {total} {truth} images: {note}" for note, count in sorted(said.items())]
        telling.update(keyword for one in images for keyword in one["telling"])
    notes += [f"left behind of {count} DICOM file(s): {keyword}" for keyword, count in sorted(telling.items())]
    notes += [f"skipped, not readable: {one['file']}: {one['why']}" for one in found.faults]
    if choices.frames == "none":
        notes += [f"left out, holds {one['frames']} images: {one['file']}" for one in found.several]
    return notes + [f"skipped, not an image file: {count} x {end}" for end, count in sorted(found.aside.items())]


def look(folder: Path, progress: background.Tell) -> survey.Survey:
    """The survey of what has been unpacked or fetched. Raises InputError for no image."""

    def reading(done: int, total: int) -> None:
        progress(0.4 * done / total, "reading images")

    missing = json.loads((folder / MISSING).read_text("utf-8")) if (folder / MISSING).exists() else {}
    return survey.take(folder / "unpacked", folder, _size(_wishes(folder)), reading, missing)


def _look_at_more(folder: Path, progress: background.Tell) -> None:
    """Put more images beside those that are here, in folders of their own, and ask again."""
    faults = []
    try:
        unpack(folder / MORE, folder / "added")
        for entry in sorted((folder / "added").iterdir()):
            number, target = 2, folder / "unpacked" / entry.name
            while target.exists():
                number, target = number + 1, target.with_name(f"{entry.stem}-{number}{entry.suffix}")
            entry.rename(target)
        look(folder, progress)
    except InvalidInputError as faulty:
        faults = faulty.faults
    finally:
        shutil.rmtree(folder / "added", ignore_errors=True)
        (folder / MORE).unlink()
    background.tell(folder, "asking", 0.0, faults=faults)


def _make_as_answered(folder: Path, progress: background.Tell) -> None:
    """The pool as the researcher answered; what makes it impossible is told where that was asked."""
    said = json.loads((folder / CHOICES).read_text("utf-8"))
    choices = Choices({int(number): truth for number, truth in said["classes"].items()}, said["frames"])
    (folder / CHOICES).unlink()
    try:
        made = make(folder, survey.load(folder), choices, _wishes(folder), progress)
    except InvalidInputError as faulty:
        background.tell(folder, "asking", 0.0, faults=faulty.faults)
    else:
        _file(folder, *made, progress)


def _make_of_upload(folder: Path, progress: background.Tell) -> None:
    """The pool of an upload where nothing need be asked."""
    progress(0.0, "unpacking")
    unpack(folder / "upload.zip", folder / "unpacked")
    if pools := sorted((folder / "unpacked").rglob("pool.json"), key=lambda path: len(path.parts)):
        _file(folder, pools[0].parent, [], progress)
    elif (found := look(folder, progress)).settled:
        _file(folder, *make(folder, found, Choices.guessed(found), _wishes(folder), progress), progress)
    else:
        background.tell(folder, "asking", 0.0)


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
        finally:
            work = background.find(folder)
            if work is None or work.state != "asking":
                _clear(folder)


def _file(folder: Path, pool_folder: Path, notes: list[str], progress: background.Tell) -> None:
    """Import a pool folder, and keep what the page tells of it."""
    from flask import current_app

    from quiz_app.database import db

    def filed(done: int, total: int) -> None:
        progress(0.8 + 0.2 * done / total, "importing")

    made_here = pool_folder == folder / "pool"
    shown = thumbnails.keep(pool_folder, folder / SPECIMENS) if made_here else []
    pool = importing.import_folder(pool_folder, current_app.config["SETTINGS"].images, actor="upload", progress=filed)
    db.session.commit()
    told = {"pool": pool.slug, "notes": notes, "specimens": shown, "size": [pool.width, pool.height]}
    (folder / NOTES).write_text(json.dumps(told), "utf-8")


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
