"""Survey an upload, by folder, before it becomes a pool: every file is read once and prepared for the pool.

survey.json   what the page asks about, see `Survey`
ready/        each readable image: 8-bit grey, at the pool's size, or at its original size if it will be harmonised
seen/         small copies: a few from each folder, and images in which text seems to be burnt in, with the text framed
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from PIL import Image

from generation import radiographs
from generation.errors import InputError
from generation.files import sha256
from generation.flow import NO_CLASS
from generation.radiographs import burned_in, guarded
from quiz_app.pools import thumbnails

FILE = "survey.json"
SEEN = "seen"
EACH = 4  # images shown from each folder
MOST_FRAMED = 24  # images with text shown
SMALL = (240, 240)
MOST_METHODS = 4  # compared
MOST_BRANCHES = (
    12  # folders below one whose name gives the class: if there are more, they are patients and not generators
)
WORDS = {
    "real": "real original originals genuine authentic patient patients clinical true echt echte original ægte rigtig",
    "synthetic": "synthetic synthetics fake fakes generated gan gans diffusion ai artificial synth syn ki "
    "künstlich synthetisch generiert falsk syntetisk kunstig",
}
TRUTHS = {word: truth for truth, words in WORDS.items() for word in words.split()}


@dataclass
class Folder:
    """A folder of the upload about which the page asks; `images` are indices into the survey's list."""

    name: str
    guess: str = ""  # real, synthetic, or nothing
    sure: bool = False  # named exactly real or synthetic
    images: list[int] = field(default_factory=list)
    shown: int = 0
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The source of its images in a pool: the innermost part of the folder's name."""
        return self.name.rpartition("/")[2]


@dataclass
class Survey:
    """Everything found: `images` as returned by `_ready`, `faults` by file, files with several frames, and the rest."""

    folders: list[Folder]
    images: list[dict[str, Any]]
    faults: list[dict[str, str]]  # file, folder, why, sha256
    several: list[dict[str, Any]]  # file, folder, frames
    aside: dict[str, int]  # files that are not images, counted by extension

    @property
    def lettered(self) -> list[dict[str, Any]]:
        """The images in which text seems to be burnt in; none in a survey by an earlier version, which did not look."""
        return [image for image in self.images if image.get("text")]

    @property
    def settled(self) -> bool:
        """Whether there are no questions about the folders: their names give their classes, and there is nothing to
        decide or to check."""
        loud = any("burnt" in note for folder in self.folders for note in folder.notes)
        return not (self.faults or self.several or self.lettered or loud) and all(
            folder.sure for folder in self.folders
        )

    def counted(
        self, classes: Mapping[str, str], frames: str, text: str = "keep"
    ) -> tuple[Counter[str], dict[str, Counter[str]]]:
        """The number of images given, by class, and of those left out before drawing, by reason and class.

        classes: of each folder by name, empty if it is left out. frames: what is taken from files with several images.
        text: whether images with text are kept or left out (`leave-out`).
        """
        lost: dict[str, Counter[str]] = defaultdict(Counter)
        for one in self.faults:
            lost["unreadable" if one["sha256"] else "not_fetched"][classes[one["folder"]] or NO_CLASS] += 1
        for several in self.several if frames == "none" else ():
            lost["several_images"][classes[several["folder"]] or NO_CLASS] += 1
        given = sum(lost.values(), Counter[str]())
        for folder in self.folders:
            given[classes[folder.name] or NO_CLASS] += len(folder.images)
            if classes[folder.name] and text == "leave-out":
                lost["text"][classes[folder.name]] += sum(bool(self.images[one].get("text")) for one in folder.images)
            lost[NO_CLASS][NO_CLASS] += 0 if classes[folder.name] else len(folder.images)
        return given, lost

    def save(self, work: Path) -> None:
        (work / FILE).write_text(json.dumps(asdict(self), ensure_ascii=False), "utf-8")


def load(work: Path) -> Survey:
    """The survey of an upload."""
    said = json.loads((work / FILE).read_text("utf-8"))
    return Survey(**{**said, "folders": [Folder(**folder) for folder in said["folders"]]})


def take(
    unpacked: Path,
    work: Path,
    size: tuple[int, int] | None,
    progress: Callable[[int, int], None] = lambda *_: None,
    missing: Mapping[str, str] = MappingProxyType({}),
    by_method: bool = False,
) -> Survey:
    """Read everything below `unpacked`, in processes that a bad file cannot stop, and store the findings in `work`.

    size: width and height of the pool; None keeps the original size of images. missing: files that should be there but
    are not, with the reason. by_method: folders are methods and a reference instead of classes. Raises InputError if
    there is no radiograph.
    """
    paths = radiographs.find(unpacked)
    rest = Counter(
        path.suffix.lower() or "no extension"
        for path in unpacked.rglob("*")
        if path.is_file() and path not in set(paths)
    )
    if not paths:
        raise InputError(
            f"zip: contains no image ({', '.join(radiographs.SUFFIXES)}, or DICOM files without an extension)"
        )
    wanted = [*paths, *(unpacked / file for file in missing)]
    told = (_methods, _guess_method) if by_method else (_folders, _guess)
    names = dict(zip(wanted, told[0]([path.relative_to(unpacked) for path in wanted]), strict=True))
    (work / "ready").mkdir(exist_ok=True)
    (work / SEEN).mkdir(exist_ok=True)
    found = Survey([], [], [], [], dict(rest))
    folders: dict[str, Folder] = {}
    results = guarded.each(partial(_ready, unpacked=unpacked, out=work / "ready", size=size), paths)
    for done, (path, result) in enumerate(zip(paths, results, strict=True), start=1):
        name, file = names[path], path.relative_to(unpacked).as_posix()
        if name not in folders:
            folders[name] = Folder(name, *told[1](name))
            found.folders.append(folders[name])
        if isinstance(result, int):
            found.several.append({"file": file, "folder": name, "frames": result})
        elif isinstance(result, dict):
            folders[name].images.append(len(found.images))
            found.images.append(result)
        else:
            why = _without_name(str(result), path)
            found.faults.append({"file": file, "folder": name, "why": why, "sha256": sha256(path)})
        progress(done, len(paths))
    for file, why in missing.items():
        name = names[unpacked / file]
        if name not in folders:
            folders[name] = Folder(name, *told[1](name))
            found.folders.append(folders[name])
        found.faults.append({"file": file, "folder": name, "why": why, "sha256": ""})
    for number, folder in enumerate(found.folders):
        _show(work, number, folder, found)
    for number, image in enumerate(found.lettered[:MOST_FRAMED], start=1):
        with Image.open(work / "ready" / image["ready"]) as picture:
            thumbnails.framed(picture, image["text"]).save(work / SEEN / f"text-{number}.png")
    found.save(work)
    return found


def more_frames(found: Survey, work: Path, unpacked: Path, frames: str, size: tuple[int, int] | None) -> None:
    """Add to the survey the chosen frames (first, middle or all) of files that contain several."""
    folders = {folder.name: folder for folder in found.folders}
    for one in found.several if frames != "none" else []:
        path = unpacked / one["file"]
        for frame in radiographs.chosen(one["frames"], frames):
            [result] = guarded.each(
                partial(_ready, unpacked=unpacked, out=work / "ready", size=size, frame=frame), [path]
            )
            if isinstance(result, dict):
                folders[one["folder"]].images.append(len(found.images))
                found.images.append(result)
            else:
                found.faults.append(
                    {
                        "file": one["file"],
                        "folder": one["folder"],
                        "why": _without_name(str(result), path),
                        "sha256": sha256(path),
                    }
                )


def _ready(
    path: Path, unpacked: Path, out: Path, size: tuple[int, int] | None, frame: int | None = None
) -> dict[str, Any] | str | int:
    """Prepare one image. Returns what is known about it, what is wrong with it, or how many frames it has."""
    count = radiographs.frames_of(path)
    if count > 1 and frame is None:
        return count
    try:
        read = radiographs.look(path, frame, lettering=True)
    except InputError as error:
        return str(error)
    file = path.relative_to(unpacked)
    name = re.sub(r"[/\\]", "~", file.as_posix())[-150:] + ("" if frame is None else f"~{frame + 1}")
    ready = out / f"{hashlib.sha256(file.as_posix().encode()).hexdigest()[:16]}-{name}.png"
    image = radiographs.high(read.image, size) if size else read.image
    image.save(ready, "PNG", compress_level=0)  # it is read once and then deleted
    return {
        "file": file.as_posix(), "frame": frame, "ready": ready.name,
        "width": read.image.width, "height": read.image.height,
        "notes": list(read.notes), "lossy": read.lossy, "telling": list(read.telling),
        "header": read.header,
        "text": burned_in.shares(read.text, read.image.size),
    }  # fmt: skip


def _without_name(why: str, path: Path) -> str:
    """An error message without the path, which is shown next to it."""
    return why.replace(f"{path}: ", "").replace(f"'{path}'", "the file").replace(str(path), "the file")


def _folders(files: list[Path]) -> list[str]:
    """The folder used for each file in questions, without the part that all files have in common.

    This is the path down to the first folder whose name gives a class, plus one more level if it has few folders
    (generators, not patients). If no name gives a class, it is the outermost folder.
    """
    parts = [PurePosixPath(file.as_posix()).parts[:-1] for file in files]
    while parts and all(one and one[0] == parts[0][0] and not _words(one[0]) for one in parts):
        parts = [one[1:] for one in parts]
    heads = [one[: next((n + 1 for n, part in enumerate(one) if _words(part)), 1)] for one in parts]
    branches = {
        head: {one[len(head)] for one, its in zip(parts, heads, strict=True) if its == head and len(one) > len(head)}
        for head in set(heads)
    }
    return [
        "/".join(one[: len(head) + (head != () and _words(head[-1]) != set() and len(branches[head]) <= MOST_BRANCHES)])
        for one, head in zip(parts, heads, strict=True)
    ]


def _methods(files: list[Path]) -> list[str]:
    """The same for comparisons: the folders that contain files, without the part that all have in common, or the
    outermost folders if there are more than methods and a reference."""
    parts = [PurePosixPath(file.as_posix()).parts[:-1] for file in files]
    while parts and all(one and one[0] == parts[0][0] for one in parts):
        parts = [one[1:] for one in parts]
    few = len(set(parts)) <= MOST_METHODS + 1
    return ["/".join(one if few else one[:1]) for one in parts]


def _words(part: str) -> set[str]:
    """The classes mentioned in a folder's name."""
    spaced = re.sub(r"(?<=[a-zæøåäöü])(?=[A-Z])", " ", part)
    return {TRUTHS[word] for word in re.findall(r"[^\W\d_]+", spaced.lower()) if word in TRUTHS}


def _guess(name: str) -> tuple[str, bool]:
    """The class mentioned in a folder's name, if there is just one, and whether that is the whole name."""
    said = [_words(part) for part in name.split("/")]
    every = set().union(*said)
    exact = [part.lower() for part in name.split("/") if part.lower() in WORDS]
    return (next(iter(every)), len(exact) == 1) if len(every) == 1 else ("", False)


def _guess_method(name: str) -> tuple[str, bool]:
    """Real (the reference) for a folder with that name; others are methods, unless they could be the originals."""
    if name.rpartition("/")[2].lower() == "reference":
        return "real", True
    return ("real", False) if _guess(name)[0] == "real" else ("synthetic" if name else "", bool(name))


def _show(work: Path, number: int, folder: Folder, found: Survey) -> None:
    """Store a few small copies from a folder, and count the notes about its files."""
    step = max(1, len(folder.images) // EACH)
    for place, image in enumerate(folder.images[::step][:EACH], start=1):
        with Image.open(work / "ready" / found.images[image]["ready"]) as picture:
            picture.thumbnail(SMALL)
            picture.save(work / SEEN / f"{number}-{place}.png")
        folder.shown = place
    notes = Counter(note for image in folder.images for note in found.images[image]["notes"])
    lossy = sum(found.images[image]["lossy"] for image in folder.images)
    folder.notes = dict(notes) | ({"compressed with loss": lossy} if lossy else {})
