"""Images from a hospital's archive: searched and fetched over DICOMweb in the background, then treated as an upload.

    query.json    the query
    found.json    the matching images: their UIDs, and the descriptions of their studies
    fetch.json    how many of them to fetch
    unpacked/     a folder for each description; images that are already there are not fetched again
    missing.json  what could not be fetched, and why

After a search, the user chooses how many images to fetch; after fetching, the images are surveyed like an upload. Both
can be paused or interrupted, and then continue where they stopped.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from generation import pacs
from generation.errors import InputError
from quiz_app import background
from quiz_app.errors import InvalidInputError
from quiz_app.pools import intake, survey
from quiz_app.pools.wishes import Wishes
from quiz_app.settings import Settings

QUERY, FOUND, FETCH, PAUSE = "query.json", "found.json", "fetch.json", "pause"
MOST = 20_000  # images that a search counts
NAMED = 11  # descriptions with a folder each; the rest share one, because the user is asked about each folder


def archive(settings: Settings) -> pacs.Archive:
    """The archive in the settings. Raises InvalidInputError with one sentence if it is not set or not installed."""
    if not settings.pacs_url:
        raise InvalidInputError(
            ["Set pacs_url in settings.toml, or DISCERN_PACS_URL, to the DICOMweb address of your archive."]
        )
    try:
        found = pacs.Archive(settings.pacs_url, settings.pacs_user, settings.pacs_password, settings.pacs_token)
        found.client()
    except InputError as error:
        raise InvalidInputError([f"{error.what}."]) from error
    return found


def query(form: Mapping[str, str]) -> pacs.Query:
    """The query from a form. Raises InvalidInputError with every problem by field."""
    said = {name: form.get(name, "").strip() for name in ("modality", "since", "until", "description")}
    said |= {name: said[name].replace("-", "") for name in ("since", "until")}
    asked = pacs.Query(**said | {"modality": said["modality"].upper(), "limit": MOST})  # type: ignore[arg-type]
    if faults := asked.faults():
        raise InvalidInputError(faults)
    return asked


def begin(settings: Settings, asked: pacs.Query) -> str:
    """Start a search of the archive. Returns the name of the work. Raises InvalidInputError like `archive`."""
    archive(settings)
    name = secrets.token_hex(8)
    folder = intake.home(settings.instance) / name
    background.claim(folder)
    (folder / QUERY).write_text(json.dumps(asdict(asked)), "utf-8")
    _start(settings, folder)
    return name


@dataclass(frozen=True)
class Found:
    """The result of a search: the matching images, in a random order that is always the same."""

    images: list[pacs.Image]

    @classmethod
    def load(cls, folder: Path) -> Found:
        """The result of the search in `folder`."""
        images = [pacs.Image(*image) for image in json.loads((folder / FOUND).read_text("utf-8"))]
        return cls(sorted(images, key=lambda image: image.path))

    @property
    def studies(self) -> int:
        """The number of studies."""
        return len({image.study for image in self.images})

    def descriptions(self) -> list[tuple[str, int, int]]:
        """Each description with its studies and images, the most frequent first."""
        images = Counter(_words(image) for image in self.images)
        studies = Counter(words for words, _ in {(_words(image), image.study) for image in self.images})
        return [(words, studies[words], count) for words, count in images.most_common()]

    def chosen(self, limit: int) -> dict[pacs.Image, Path]:
        """The first `limit` images in that order, and the path of each below the folder of an upload."""
        images = self.images[:limit]
        counted = Counter(_words(image) for image in images).most_common()
        own = {words for words, _ in (counted if len(counted) <= NAMED + 1 else counted[:NAMED])}
        folders = {words: f"PACS - {words if words in own else 'other descriptions'}" for words, _ in counted}
        return {image: Path(folders[_words(image)], image.path.name) for image in images}


def _words(image: pacs.Image) -> str:
    """The description of an image's study, as a valid folder name."""
    words = " ".join(re.sub(r"[^\w()+,.-]+", " ", image.description.lower()).split())
    return words[:60].strip(". ") or "no description"


def fetch(settings: Settings, name: str, limit: str, form: Mapping[str, str]) -> int:
    """Start fetching at most `limit` images, for a pool as described in `form`. Returns how many.

    Raises InvalidInputError with every problem by field.
    """
    folder = intake.home(settings.instance) / name
    found, faults = Found.load(folder), []
    most = len(found.images)
    if not (limit.isdecimal() and 1 <= int(limit) <= most):
        faults.append(f"limit: {limit!r} is not a whole number from 1 to {most}")
    try:
        wishes = Wishes.from_form(dict(form))
    except InvalidInputError as faulty:
        faults += faulty.faults
    if faults:
        raise InvalidInputError(faults)
    intake.keep(folder, wishes)
    (folder / FETCH).write_text(json.dumps({"limit": int(limit)}), "utf-8")
    _start(settings, folder)
    return int(limit)


def is_at_work(folder: Path) -> bool:
    """Whether the work in `folder` is searching or fetching, or waits for the choice of how many images."""
    return (folder / QUERY).exists() and not (folder / survey.FILE).exists()


def is_interrupted(folder: Path, work: background.Work) -> bool:
    """Whether the work in `folder` was interrupted and can be resumed or discarded."""
    return (folder / QUERY).exists() and work.state in ("failed", "stopped")


def pause(folder: Path) -> None:
    """Make the work in `folder` stop at the next study or image."""
    (folder / PAUSE).touch()


def resume(settings: Settings, name: str) -> None:
    """Continue a search or a fetch where it stopped; the user is asked again about images already surveyed."""
    folder = intake.home(settings.instance) / name
    if (folder / survey.FILE).exists():
        background.tell(folder, "asking", 0.0)
    else:
        _start(settings, folder)


def progress(folder: Path) -> tuple[int, int]:
    """The number of chosen images that have arrived, and the number chosen; (0, 0) before the choice."""
    if not (folder / FETCH).exists():
        return 0, 0
    chosen = Found.load(folder).chosen(_limit(folder)).values()
    return sum((folder / "unpacked" / path).exists() for path in chosen), len(chosen)


def unfinished(instance: Path) -> list[tuple[str, pacs.Query, background.Work]]:
    """Queries to the archive that have not become a pool yet, newest first."""
    found = []
    for path in intake.home(instance).glob(f"*/{QUERY}"):
        if (work := background.find(path.parent)) is not None:
            found.append((path.parent.name, pacs.Query(**json.loads(path.read_text("utf-8"))), work))
    return sorted(found, key=lambda one: str(one[2].at), reverse=True)


def _limit(folder: Path) -> int:
    return json.loads((folder / FETCH).read_text("utf-8"))["limit"]


def _start(settings: Settings, folder: Path) -> None:
    (folder / PAUSE).unlink(missing_ok=True)
    background.tell(folder, "making", 0.0, "asking the archive")
    background.start("quiz_app.pools.fetching", folder, instance=settings.instance, database_url=settings.database_url)


def _work(folder: Path) -> None:
    """Search the archive, or fetch the chosen images."""
    with background.working(folder, InvalidInputError, InputError) as told:

        def telling(share: float, what: str) -> None:
            if (folder / PAUSE).exists():
                raise InvalidInputError(["Paused."])
            told(share, what)

        source = archive(Settings.load())
        if (folder / FETCH).exists():
            _fetch(folder, source, telling)
        else:
            _search(folder, source, telling)
        background.tell(folder, "asking", 0.0)


def _search(folder: Path, source: pacs.Archive, telling: background.Tell) -> None:
    asked = pacs.Query(**json.loads((folder / QUERY).read_text("utf-8")))
    found = pacs.find(source, asked, lambda studies, images: telling(0.0, f"{images} images in {studies} studies"))
    part = folder / f"{FOUND}.part"
    part.write_text(json.dumps(found), "utf-8")
    part.replace(folder / FOUND)


def _fetch(folder: Path, source: pacs.Archive, telling: background.Tell) -> None:
    unpacked, chosen = folder / "unpacked", Found.load(folder).chosen(_limit(folder))

    def fetching(done: int, total: int) -> None:
        telling(0.8 * done / total, f"{done} of {total} images fetched")

    _, missing = pacs.retrieve(source, list(chosen), lambda image: unpacked / chosen[image], fetching)
    if len(missing) == len(chosen):
        raise InvalidInputError(["No image could be fetched.", *sorted(set(missing.values()))])
    why = {path.relative_to(unpacked).as_posix(): why for path, why in missing.items()}
    (folder / intake.MISSING).write_text(json.dumps(why), "utf-8")
    intake.look(folder, lambda share, what: telling(0.8 + 0.5 * share, what))


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
