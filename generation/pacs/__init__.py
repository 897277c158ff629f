"""Fetching radiographs from an archive over DICOMweb: query by modality, date and description, then fetch with resume.

    DIR/dicom/STUDY/SERIES/IMAGE.dcm   numbered, without names; the order is that of the archive's UIDs
    DIR/pacs.json                      what was asked, by whom it was answered, and what was fetched, left out and why

QIDO-RS and WADO-RS (DICOM PS3.18). Every image is written whole or not at all, and one that is there is not fetched
again. What was fetched is read by `generation corpus`, of which only pixels go on.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from generation.errors import InputError
from generation.files import atomic, save_text

Progress = Callable[[int, int], None]
MODALITIES = {
    "PX": "panoramic X-ray", "DX": "digital radiography", "IO": "intra-oral radiography", "CR": "computed radiography",
    "RG": "radiographic imaging", "XC": "photography", "OT": "other", "SC": "secondary capture",
}  # fmt: skip
PAGE = 100  # studies asked for at once
SECONDS = 30


@dataclass(frozen=True)
class Query:
    """What to look for: a modality, dates from and to (YYYYMMDD), words of the study's description, and a limit."""

    modality: str = "PX"
    since: str = ""
    until: str = ""
    description: str = ""
    limit: int = 200  # images

    def faults(self) -> list[str]:
        """Everything that is wrong, by field."""
        found = (
            []
            if re.fullmatch(r"[A-Z]{2}", self.modality)
            else [f"modality: {self.modality!r}; expected PX, DX, IO ..."]
        )
        for name in ("since", "until"):
            if getattr(self, name) and not _is_date(getattr(self, name)):
                found.append(f"{name}: {getattr(self, name)!r}; expected a date as YYYYMMDD")
        if self.since and self.until and self.since > self.until:
            found.append(f"since: {self.since} is after {self.until}")
        if not 1 <= self.limit <= 100_000:
            found.append(f"limit: {self.limit}; expected 1 to 100000 images")
        return found

    def filters(self) -> dict[str, str]:
        """As QIDO-RS asks for it; descriptions are compared here, since archives differ in how they match words."""
        asked = {"ModalitiesInStudy": self.modality}
        if self.since or self.until:
            asked["StudyDate"] = f"{self.since}-{self.until}"
        return asked


def _is_date(text: str) -> bool:
    try:
        return bool(re.fullmatch(r"[0-9]{8}", text) and datetime.strptime(text, "%Y%m%d"))  # noqa: DTZ007  (a day)
    except ValueError:
        return False


class Image(NamedTuple):
    """An image of the archive: its UIDs, and the description of its study."""

    study: str
    series: str
    instance: str
    description: str

    @property
    def path(self) -> Path:
        """Where it is fetched to: names that say nothing of the UIDs, the same for the same UIDs."""
        study, series, instance = map(_name, self[:3])
        return Path(study, series, f"{instance}.dcm")


@dataclass(frozen=True)
class Archive:
    """An archive's DICOMweb address, and who asks: a user with a password, or a bearer token."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, url: str = "") -> Archive:
        """From DISCERN_PACS_URL, _USER, _PASSWORD and _TOKEN. Raises InputError without an address."""
        said = {
            name: os.environ.get(f"DISCERN_PACS_{name.upper()}", "") for name in ("url", "user", "password", "token")
        }
        return cls(**said | ({"url": url} if url else {}))

    def __post_init__(self) -> None:
        if not re.match(r"https?://[^/]", self.url):
            raise InputError("No DICOMweb address of an archive is given; set DISCERN_PACS_URL to https://...")

    def client(self) -> Any:
        """The client. Raises InputError naming the extra where it is not installed, or for an impossible address."""
        try:
            import requests
            from dicomweb_client.api import DICOMwebClient
        except ImportError as error:
            raise InputError("The client of archives is not installed: pip install 'discern[pacs]'") from error
        logging.getLogger("retrying").setLevel(logging.CRITICAL)  # what goes wrong is said once, in words
        session = requests.Session()
        if self.user:
            session.auth = (self.user, self.password)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else None
        try:
            client = DICOMwebClient(self.url, session=session, headers=headers, timeout=SECONDS, permissive_uid=True)
        except ValueError:
            raise InputError("The archive's address cannot be used; expected https://SERVER/PATH") from None
        client.set_http_retry_params(retry=False)  # a run that broke off goes on where it was
        return client


def find(archive: Archive, query: Query, progress: Progress = lambda studies, images: None) -> list[Image]:
    """The images that fit, in order, at most `query.limit`; `progress` is told of studies looked at and images found.

    Raises InputError with every fault of the query, or what the archive answered.
    """
    if faults := query.faults():
        raise InputError("The query cannot be used:", faults)
    found: list[Image] = []
    for number, images in enumerate(_by_study(archive.client(), query), start=1):
        found += images
        progress(number, len(found))
        if len(found) >= query.limit:
            break
    return found[: query.limit]


def _by_study(client: Any, query: Query) -> Iterator[list[Image]]:
    """The images of one study that fits after the other. Raises InputError."""
    known: set[str] = set()
    while True:
        # Some archives count the offset within the limit: with one limit for all, their second page is empty.
        asked = {"search_filters": query.filters(), "limit": len(known) + PAGE, "offset": len(known)}
        some = _answer(client.search_for_studies, fields=["StudyDescription"], **asked)
        told = {_value(entry, "0020000D"): _value(entry, "00081030") for entry in some}
        if "" in told:
            raise InputError(NOT_DICOMWEB)
        if not told.keys() - known:  # archives differ in how many they give at once: the end is where nothing is new
            return
        for study in sorted(told.keys() - known):
            if query.description.lower() in told[study].lower():
                yield _images(client, study, told[study], query.modality)
        known |= told.keys()


def _images(client: Any, study: str, description: str, modality: str) -> list[Image]:
    found = []
    series = _answer(client.search_for_series, study, search_filters={"Modality": modality})
    for one in sorted(_value(entry, "0020000E") for entry in series):
        entries = _answer(client.search_for_instances, study, one)
        found += [Image(study, one, uid, description) for uid in sorted(_value(e, "00080018") for e in entries)]
    return found


def _value(entry: Any, tag: str) -> str:
    """The first value of a tag in an answer; empty without."""
    value = (entry.get(tag, {}).get("Value") if isinstance(entry, dict) else None) or [""]
    return str(value[0])


NOT_DICOMWEB = "What answers at the archive's address is not DICOMweb"
_REFUSALS = {
    401: "The archive refused the user, password or token",
    403: "The archive does not allow this user to read",
    404: "There is no DICOMweb at the archive's address",
}


def _answer(ask: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What the archive answers. Raises InputError in one sentence, without the address, which may hold a password."""
    import requests

    try:
        return ask(*arguments, **options)
    except requests.HTTPError as error:
        code = error.response.status_code if error.response is not None else 0
        raise InputError(f"{_REFUSALS.get(code, 'The archive refused the request')} (HTTP {code})") from None
    except requests.exceptions.SSLError:
        raise InputError("The archive's certificate cannot be verified") from None
    except requests.Timeout:
        raise InputError(f"The archive did not answer within {SECONDS} seconds") from None
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        raise InputError("The archive cannot be reached") from None
    except Exception:  # no JSON, or of another shape than DICOM's
        raise InputError(NOT_DICOMWEB) from None


def retrieve(
    archive: Archive, images: Sequence[Image], path: Callable[[Image], Path], progress: Progress | None = None
) -> tuple[int, dict[Path, str]]:
    """Fetch the images that are not at their `path` yet: how many came, and why others did not.

    Raises InputError where the archive answers no more, or a file cannot be written; called again, it goes on there.
    """
    client, new, left_out = archive.client(), 0, {}
    for number, image in enumerate(images, start=1):
        if not path(image).exists():
            try:
                data = _fetched(client, image)
            except InputError as error:
                _answer(client.search_for_studies, limit=1)  # an archive that is gone ends the run
                left_out[path(image)] = error.what
            else:
                with atomic(path(image)) as part:
                    part.write_bytes(data)
                new += 1
        if progress is not None:
            progress(number, len(images))
    return new, left_out


def _fetched(client: Any, image: Image) -> bytes:
    """The file of an image, as it is stored. Raises InputError."""

    def ask() -> bytes:
        data, buffer = client.retrieve_instance(*image[:3], media_types=(("application/dicom", "*"),)), io.BytesIO()
        data.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    try:
        return _answer(ask)
    except InputError as error:
        told = {NOT_DICOMWEB: "The archive sent no readable DICOM file"}
        told |= {f"{_REFUSALS[404]} (HTTP 404)": "The archive does not hold this image any more (HTTP 404)"}
        raise InputError(told.get(error.what, error.what)) from None


def fetch(archive: Archive, query: Query, out: str | Path, progress: Progress | None = None) -> dict[str, Any]:
    """Fetch what fits the query into `out`, and return what pacs.json says. Goes on where an earlier run stopped.

    One image that cannot be fetched is listed under `left_out`, and the others are. Raises InputError as `find` and
    `retrieve` do, or when `out` was begun with another query.
    """
    out = Path(out)
    asked = {"format": 1, "archive": re.sub(r"//[^/@]*@", "//", archive.url), "query": asdict(query)}
    told = out / "pacs.json"
    if told.exists():
        earlier = json.loads(told.read_text(encoding="utf-8"))
        if any(earlier.get(key) != value for key, value in asked.items()):
            raise InputError(f"{out}: was started with another query; choose a new folder")
    elif out.exists() and any(out.iterdir()):
        raise InputError(f"{out}: already exists and is not empty; give a new folder for the images")
    images = find(archive, query)
    out.mkdir(parents=True, exist_ok=True)
    save_text(told, json.dumps(asked, indent=2) + "\n")
    new, missing = retrieve(archive, images, lambda image: out / "dicom" / image.path, progress)
    left_out = [f"{path.relative_to(out).as_posix()}: {why}" for path, why in missing.items()]
    summary = asked | {"images": len(images) - len(left_out), "new": new, "left_out": left_out}
    save_text(told, json.dumps(summary, indent=2) + "\n")
    return summary


def _name(uid: str) -> str:
    """A short name of a UID that says nothing of it, the same for the same UID."""
    return hashlib.sha256(uid.encode()).hexdigest()[:16]
