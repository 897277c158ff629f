"""Fetch radiographs from an archive over DICOMweb: query by modality, date and description, then fetch with resume.

    DIR/dicom/STUDY/SERIES/IMAGE.dcm   numbered, without names, in the order of the archive's UIDs
    DIR/pacs.json                      the query, the archive, and what was fetched or left out, with reasons

QIDO-RS and WADO-RS (DICOM PS3.18). Images are written atomically, and existing ones are not fetched
again. `generation corpus` reads the fetched files and keeps only pixels.
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
PAGE = 100  # studies requested at once
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
        """Return all problems, by field."""
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
        """The parameters of QIDO-RS; descriptions are compared here, because archives match words differently."""
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
        """Return the path of the fetched file; names do not reveal the UIDs, but are the same for the same UIDs."""
        study, series, instance = map(_name, self[:3])
        return Path(study, series, f"{instance}.dcm")


@dataclass(frozen=True)
class Archive:
    """An archive's DICOMweb address, and credentials: a user with a password, or a bearer token."""

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
            raise InputError("The archive's DICOMweb address is missing; set DISCERN_PACS_URL to https://...")

    def client(self) -> Any:
        """Return the client. Raises InputError naming the extra if it is not installed, or for an invalid address."""
        try:
            import requests
            from dicomweb_client.api import DICOMwebClient
        except ImportError as error:
            raise InputError("The archive client is not installed: pip install 'discern[pacs]'") from error
        logging.getLogger("retrying").setLevel(logging.CRITICAL)  # errors are reported once, in words
        session = requests.Session()
        if self.user:
            session.auth = (self.user, self.password)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else None
        try:
            client = DICOMwebClient(self.url, session=session, headers=headers, timeout=SECONDS, permissive_uid=True)
        except ValueError:
            raise InputError("The archive's address cannot be used; expected https://SERVER/PATH") from None
        client.set_http_retry_params(retry=False)  # an interrupted run can be resumed
        return client


def find(archive: Archive, query: Query, progress: Progress = lambda studies, images: None) -> list[Image]:
    """The matching images, in order, at most `query.limit`; `progress` gets the numbers of studies and images found.

    Raises InputError with every problem of the query, or the archive's error.
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
    """Yield the images of each matching study. Raises InputError."""
    known: set[str] = set()
    while True:
        # Some archives count the offset within the limit: with a fixed limit, their second page would be empty.
        asked = {"search_filters": query.filters(), "limit": len(known) + PAGE, "offset": len(known)}
        some = _answer(client.search_for_studies, fields=["StudyDescription"], **asked)
        told = {_value(entry, "0020000D"): _value(entry, "00081030") for entry in some}
        if "" in told:
            raise InputError(NOT_DICOMWEB)
        if not told.keys() - known:  # archives return different numbers at once: stop when nothing is new
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
    """Return the first value of a tag in an answer; empty if there is none."""
    value = (entry.get(tag, {}).get("Value") if isinstance(entry, dict) else None) or [""]
    return str(value[0])


NOT_DICOMWEB = "The server at the archive's address does not speak DICOMweb"
_REFUSALS = {
    401: "The archive refused the user, password or token",
    403: "The archive does not allow this user to read",
    404: "There is no DICOMweb at the archive's address",
}


def _answer(ask: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """The archive's answer. Raises InputError with one sentence, without the address, which may contain a password."""
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
    except Exception:  # not JSON, or not in DICOM's structure
        raise InputError(NOT_DICOMWEB) from None


def retrieve(
    archive: Archive, images: Sequence[Image], path: Callable[[Image], Path], progress: Progress | None = None
) -> tuple[int, dict[Path, str]]:
    """Fetch the images that do not exist yet; return how many were fetched, and why others were not.

    Raises InputError if the archive stops answering, or a file cannot be written; call it again to resume.
    """
    client, new, left_out = archive.client(), 0, {}
    for number, image in enumerate(images, start=1):
        if not path(image).exists():
            try:
                data = _fetched(client, image)
            except InputError as error:
                _answer(client.search_for_studies, limit=1)  # stop if the archive is unreachable
                left_out[path(image)] = error.what
            else:
                with atomic(path(image)) as part:
                    part.write_bytes(data)
                new += 1
        if progress is not None:
            progress(number, len(images))
    return new, left_out


def _fetched(client: Any, image: Image) -> bytes:
    """Return the file of an image as stored. Raises InputError."""

    def ask() -> bytes:
        data, buffer = client.retrieve_instance(*image[:3], media_types=(("application/dicom", "*"),)), io.BytesIO()
        data.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    try:
        return _answer(ask)
    except InputError as error:
        told = {NOT_DICOMWEB: "The archive sent no readable DICOM file"}
        told |= {f"{_REFUSALS[404]} (HTTP 404)": "The archive no longer has this image (HTTP 404)"}
        raise InputError(told.get(error.what, error.what)) from None


def fetch(archive: Archive, query: Query, out: str | Path, progress: Progress | None = None) -> dict[str, Any]:
    """Fetch matching images into `out`, and return the content of pacs.json. Resumes an earlier run.

    Images that cannot be fetched are listed under `left_out`. Raises InputError like `find` and `retrieve`, or if `out`
    was started with another query.
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
    """Return a short name for a UID that does not reveal it, but is the same for the same UID."""
    return hashlib.sha256(uid.encode()).hexdigest()[:16]
