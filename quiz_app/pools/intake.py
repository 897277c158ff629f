"""Bringing images in: an uploaded zip becomes a pool, in the background.

The zip holds either a pool folder (pool.json, cases.csv, images), or two folders called `real` and `synthetic` with
PNG, JPEG, TIFF or DICOM files. Those are read as generation/radiographs.py says, mixed by lot, brought to one size and
encoder, and imported as any pool. What is not pixels stays behind, and is listed.
"""

from __future__ import annotations

import json
import secrets
import shutil
import stat
import sys
import zipfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from generation.errors import InputError
from quiz_app import background
from quiz_app.errors import InvalidInputError
from quiz_app.pools import importing, thumbnails
from quiz_app.settings import Settings

MOST_FILES = 50_000
MOST_BYTES = 64 * 2**30
# Deflate cannot do better than about 1000:1, and images hardly 10:1.
MOST_RATIO = 200
MOST_STRETCH = 0.02  # more can be seen, and tells the classes apart where only one is stretched
NOTES = "notes.json"
SPECIMENS = "specimens"


@dataclass(frozen=True)
class Wishes:
    """How two folders become a pool. `each` cases of each class, 0 = as many as the smaller class has."""

    name: str
    each: int = 0
    practice: int = 6
    width: int = 1024
    height: int = 512
    harmonise: bool = False
    seed: int = 0

    @classmethod
    def from_form(cls, form: dict[str, str]) -> Wishes:
        """What a form says. Raises InvalidInputError with every fault by field."""
        faults = [] if 0 < len(form.get("name", "").strip()) <= 200 else ["name: 1 to 200 characters are expected"]
        bounds = {"each": (0, 10_000), "practice": (0, 50), "width": (64, 8192), "height": (64, 8192)}
        numbers = {}
        for field, (low, high) in bounds.items():
            text = form.get(field, "")
            if text.isdecimal() and low <= int(text) <= high:
                numbers[field] = int(text)
            else:
                faults.append(f"{field}: {text!r} is not a whole number from {low} to {high}")
        if faults:
            raise InvalidInputError(faults)
        seed = secrets.randbelow(2**31)
        return cls(form["name"].strip(), **numbers, harmonise=form.get("harmonise") == "yes", seed=seed)


def begin(settings: Settings, upload: Path, wishes: Wishes) -> str:
    """Take over the zip at `upload` and have it made into a pool. Returns the name of the work."""
    name = secrets.token_hex(8)
    folder = home(settings.instance) / name
    background.claim(folder)
    shutil.move(upload, folder / "upload.zip")
    (folder / "wishes.json").write_text(json.dumps(asdict(wishes)), "utf-8")
    background.start("quiz_app.pools.intake", folder, instance=settings.instance, database_url=settings.database_url)
    return name


def home(instance: Path) -> Path:
    """Where uploads are worked on."""
    return instance / "intake"


def of_pool(instance: Path, slug: str) -> str:
    """The name of the upload from which the pool with this slug was made; empty where it came otherwise."""
    for notes in home(instance).glob(f"*/{NOTES}"):
        if json.loads(notes.read_text("utf-8"))["pool"] == slug:
            return notes.parent.name
    return ""


def unpack(path: Path, into: Path) -> None:
    """Unpack a zip.

    Raises InvalidInputError for one that climbs out, links, swells, or is none; then nothing is unpacked.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir() and not _is_litter(info.filename)]
            faults = [f"{info.filename}: {fault}" for info in members for fault in _member_faults(info)]
            if len(members) > MOST_FILES:
                faults.append(f"zip: holds {len(members)} files, at most {MOST_FILES} are taken")
            if sum(info.file_size for info in members) > MOST_BYTES:
                faults.append(f"zip: unpacks to more than {MOST_BYTES // 2**30} GiB")
            if faults:
                raise InvalidInputError(faults)
            for info in members:
                archive.extract(info, into)
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError) as error:
        raise InvalidInputError([f"zip: cannot be read: {error}"]) from error


def _is_litter(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith(".") and part not in ("..", ".") for part in parts)


def _member_faults(info: zipfile.ZipInfo) -> list[str]:
    path, faults = PurePosixPath(info.filename), []
    if path.is_absolute() or ".." in path.parts or "\\" in info.filename or ":" in info.filename:
        faults.append("leads out of the zip")
    if stat.S_ISLNK(info.external_attr >> 16):
        faults.append("is a link")
    if info.file_size > MOST_RATIO * max(1, info.compress_size) and info.file_size > 2**20:
        faults.append(f"swells from {info.compress_size} to {info.file_size} bytes")
    return faults


def pool_folder(unpacked: Path, out: Path, wishes: Wishes, progress: background.Tell) -> tuple[Path, list[str]]:
    """The pool folder in what was unpacked, or one made of its folders `real` and `synthetic`; and what was noted.

    Raises InvalidInputError, or InputError, with every fault.
    """
    if found := sorted(unpacked.rglob("pool.json"), key=lambda path: len(path.parts)):
        return found[0].parent, []
    return _mixed(*_two_folders(unpacked), out, wishes, progress)


def _two_folders(unpacked: Path) -> tuple[Path, Path]:
    """The folders `real` and `synthetic`.

    Raises InvalidInputError where one is missing or it is not clear which is meant.
    """
    faults, found = [], []
    for truth in ("real", "synthetic"):
        folders = [path for path in unpacked.rglob("*") if path.is_dir() and path.name.lower() == truth]
        highest = min((len(path.parts) for path in folders), default=0)
        meant = sorted(path for path in folders if len(path.parts) == highest)
        found += meant
        if len(meant) != 1:
            several = ", ".join(str(path.relative_to(unpacked)) for path in meant)
            faults.append(
                f"zip: has several folders {truth!r}: {several}" if meant
                else f"zip: has neither pool.json nor a folder {truth!r}"
            )  # fmt: skip
    if not faults and (found[0] in found[1].parents or found[1] in found[0].parents):
        faults.append("zip: of the folders 'real' and 'synthetic' one lies within the other")
    if faults:
        raise InvalidInputError(faults)
    return found[0], found[1]


def _mixed(real: Path, synthetic: Path, out: Path, wishes: Wishes, progress: background.Tell) -> tuple[Path, list[str]]:
    from generation import mixing, radiographs

    aside = _left_aside(real) + _left_aside(synthetic)
    found = {truth: mixing.candidates([folder], truth) for truth, folder in (("real", real), ("synthetic", synthetic))}
    every = [*found["real"], *found["synthetic"]]
    faults, left_behind, stretched = [], Counter[str](), Counter[str]()
    for number, candidate in enumerate(every):
        progress(0.4 * number / len(every), "reading images")
        try:
            image = radiographs.read(candidate.path)
            stretch = image.width / image.height * wishes.height / wishes.width
            stretched[candidate.truth] += abs(stretch - 1) > MOST_STRETCH
            left_behind.update(_patient_data(candidate.path))
        except InputError as error:
            faults.append(str(error).replace(f"{real.parent}/", ""))
    if faults:
        raise InvalidInputError(faults)
    shares = {"real": (wishes.practice + 1) // 2, "synthetic": wishes.practice // 2}
    each = wishes.each or min(len(found[truth]) - shares[truth] for truth in found)
    rng = np.random.Generator(np.random.PCG64(wishes.seed))
    size = (wishes.width, wishes.height)
    kept = None if wishes.harmonise else size
    drawn = mixing.single(found["real"], found["synthetic"], (each, each), wishes.practice, rng, kept)

    def writing(done: int, total: int) -> None:
        progress(0.4 + 0.4 * done / total, "writing the pool")

    made = mixing.build(
        out, drawn, name=wishes.name, seed=wishes.seed, size=size, harmonised=wishes.harmonise, progress=writing
    )
    notes = [f"both classes alike: {made.manifest['how']['preparation']}"]
    notes += [f"{each} cases of each class and {wishes.practice} for practice, by lot with seed {wishes.seed}"]
    notes += [
        f"stretched by over {MOST_STRETCH:.0%} to fit {size[0]} x {size[1]}: "
        f"{count} of {len(found[truth])} {truth} images"
        for truth, count in stretched.items()
        if count
    ]
    notes += [f"{drawn.duplicates} near-duplicates left out"] if drawn.duplicates else []
    notes += [f"left behind of {count} DICOM file(s): {keyword}" for keyword, count in sorted(left_behind.items())]
    notes += [f"left aside, no image by its name: {count} x {suffix}" for suffix, count in sorted(aside.items())]
    return out, notes


def _left_aside(folder: Path) -> Counter[str]:
    """Give DICOM files their suffix, which hospitals leave out; counts the suffixes of what is no image."""
    from pydicom.misc import is_dicom

    from generation.radiographs import SUFFIXES

    aside = Counter[str]()
    for path in [path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() not in SUFFIXES]:
        if is_dicom(path):
            path.rename(path.with_name(f"{path.name}.dcm"))
        else:
            aside[path.suffix.lower() or "no ending"] += 1
    return aside


def _patient_data(path: Path) -> list[str]:
    """The names of what a DICOM file tells of the patient and the visit; none of it comes along."""
    if path.suffix.lower() not in (".dcm", ".dicom"):
        return []
    import pydicom
    from pydicom.datadict import keyword_for_tag

    keywords = map(keyword_for_tag, pydicom.dcmread(path, stop_before_pixels=True).keys())
    telling = ("Patient", "Study", "Institution", "Physician", "Operator", "Accession", "DeviceSerial")
    return [keyword for keyword in keywords if keyword.startswith(telling) or "Physician" in keyword]


def _work(folder: Path) -> None:
    """Make the pool of an upload: what the process does."""
    from quiz_app import create_app
    from quiz_app.database import db

    app = create_app(Settings.load())
    wishes = Wishes(**json.loads((folder / "wishes.json").read_text("utf-8")))
    with app.app_context(), background.working(folder, InvalidInputError, InputError) as progress:
        try:
            progress(0.0, "unpacking")
            unpack(folder / "upload.zip", folder / "unpacked")
            found, notes = pool_folder(folder / "unpacked", folder / "pool", wishes, progress)

            def filed(done: int, total: int) -> None:
                progress(0.8 + 0.2 * done / total, "importing")

            made_here = found == folder / "pool"
            shown = thumbnails.keep(found, folder / SPECIMENS) if made_here else []
            pool = importing.import_folder(found, app.config["SETTINGS"].images, actor="upload", progress=filed)
            db.session.commit()
            told = {"pool": pool.slug, "notes": notes, "specimens": shown, "size": [pool.width, pool.height]}
            (folder / NOTES).write_text(json.dumps(told), "utf-8")
        finally:
            for name in ("upload.zip", "unpacked", "pool"):
                shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink(missing_ok=True)


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
