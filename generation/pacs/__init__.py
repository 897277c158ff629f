"""Fetching radiographs from an archive over DICOMweb: query by modality, date and description, then fetch with resume.

    DIR/dicom/STUDY/SERIES/IMAGE.dcm   numbered, without names; the order is that of the archive's UIDs
    DIR/pacs.json                      what was asked, by whom it was answered, and what was fetched, left out and why

QIDO-RS and WADO-RS (DICOM PS3.18). Every image is written whole or not at all, and one that is there is not fetched
again. What was fetched is read by `generation corpus`, of which only pixels go on.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from generation.errors import InputError
from generation.files import atomic, save_text

Progress = Callable[[int, int], None]
MODALITIES = ("PX", "DX", "IO", "CR", "RG", "XC", "OT", "SC")
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
            if getattr(self, name) and not re.fullmatch(r"\d{8}", getattr(self, name)):
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


@dataclass(frozen=True)
class Archive:
    """An archive's DICOMweb address, and who asks: a user with a password, or a bearer token."""

    url: str
    user: str = ""
    password: str = ""
    token: str = ""

    @classmethod
    def from_environment(cls, url: str = "") -> Archive:
        """From DISCERN_PACS_URL, _USER, _PASSWORD and _TOKEN. Raises InputError without an address."""
        said = {
            name: os.environ.get(f"DISCERN_PACS_{name.upper()}", "") for name in ("url", "user", "password", "token")
        }
        archive = cls(**said | ({"url": url} if url else {}))
        if not re.match(r"https?://", archive.url):
            raise InputError("pacs: no DICOMweb address; set DISCERN_PACS_URL to https://...")
        return archive

    def client(self) -> Any:
        """The client. Raises InputError naming the extra where it is not installed."""
        try:
            import requests
            from dicomweb_client.api import DICOMwebClient
        except ImportError as error:
            raise InputError("pacs: the archive's client is not installed: pip install 'discern[pacs]'") from error
        session = requests.Session()
        if self.user:
            session.auth = (self.user, self.password)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else None
        client = DICOMwebClient(self.url, session=session, headers=headers, timeout=SECONDS)
        client.set_http_retry_params(retry=False)  # a run that broke off goes on where it was
        return client


def find(archive: Archive, query: Query) -> list[tuple[str, str, str]]:
    """The images that fit, as UIDs of study, series and instance, in order, at most `query.limit`.

    Raises InputError with every fault of the query, or what the archive answered.
    """
    if faults := query.faults():
        raise InputError("pacs: the query cannot be used:", faults)
    found = []
    for image in _asked(archive, query):
        found.append(image)
        if len(found) == query.limit:
            break
    return found


def _asked(archive: Archive, query: Query) -> Iterator[tuple[str, str, str]]:
    client = archive.client()
    offset = 0
    while True:
        asked = {"search_filters": query.filters(), "limit": PAGE, "offset": offset}
        some = _answer(archive, client.search_for_studies, fields=["StudyDescription"], **asked)
        told = {_uid(entry, "0020000D"): _uid(entry, "00081030") for entry in some}
        for study in sorted(uid for uid, words in told.items() if query.description.lower() in words.lower()):
            modality = {"Modality": query.modality}
            series = _answer(archive, client.search_for_series, study, search_filters=modality)
            for one in sorted(_uid(entry, "0020000E") for entry in series):
                images = _answer(archive, client.search_for_instances, study, one)
                yield from sorted((study, one, _uid(entry, "00080018")) for entry in images)
        if len(some) < PAGE:
            return
        offset += PAGE


def _uid(entry: dict[str, Any], tag: str) -> str:
    """The first value of a tag in an answer; empty without."""
    value = entry.get(tag, {}).get("Value") or [""]
    return str(value[0])


def _answer(archive: Archive, ask: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What the archive answers. Raises InputError in words, without the password that an address may hold."""
    import requests

    where = re.sub(r"//[^/@]*@", "//", archive.url)
    try:
        return ask(*arguments, **options)
    except requests.HTTPError as error:
        code = error.response.status_code if error.response is not None else "?"
        why: dict[Any, str] = {
            401: "the user or password is wrong",
            403: "this user may not",
            404: "there is no DICOMweb at this address",
        }
        raise InputError(f"{where}: {why.get(code, 'the archive refused')} (HTTP {code})") from None
    except requests.RequestException as error:
        raise InputError(f"{where}: cannot be reached ({type(error).__name__})") from None


def fetch(archive: Archive, query: Query, out: str | Path, progress: Progress | None = None) -> dict[str, Any]:
    """Fetch what fits the query into `out`, and return what pacs.json says. Goes on where an earlier run stopped.

    One image that cannot be fetched is listed under `left_out`, and the others are. Raises InputError as `find` does,
    or when `out` was begun with another query.
    """
    out = Path(out)
    asked = {"format": 1, "archive": re.sub(r"//[^/@]*@", "//", archive.url), "query": asdict(query)}
    told = out / "pacs.json"
    if told.exists():
        earlier = json.loads(told.read_text(encoding="utf-8"))
        if any(earlier.get(key) != value for key, value in asked.items()):
            raise InputError(f"{out}: was begun with another query; choose a new folder")
    elif out.exists() and any(out.iterdir()):
        raise InputError(f"{out}: already there and not empty; images are fetched into a new folder")
    images = find(archive, query)
    out.mkdir(parents=True, exist_ok=True)
    save_text(told, json.dumps(asked, indent=2) + "\n")
    client, left_out, new = archive.client(), [], 0
    for number, uids in enumerate(images, start=1):
        path = out / "dicom" / "/".join(_name(uid) for uid in uids[:2]) / f"{_name(uids[2])}.dcm"
        if not path.exists():
            try:
                data = _answer(archive, client.retrieve_instance, *uids, media_types=_ANY)
                with atomic(path) as part:
                    data.save_as(part, enforce_file_format=True)
                new += 1
            except InputError as error:
                if "cannot be written" in str(error):
                    raise
                left_out.append(f"{path.relative_to(out).as_posix()}: {error}")
            except Exception as error:  # an answer that is no DICOM
                left_out.append(f"{path.relative_to(out).as_posix()}: not fetched ({type(error).__name__})")
        if progress is not None:
            progress(number, len(images))
    summary = asked | {"images": len(images) - len(left_out), "new": new, "left_out": left_out}
    save_text(told, json.dumps(summary, indent=2) + "\n")
    return summary


_ANY = (("application/dicom", "*"),)  # as it is stored, without transcoding


def _name(uid: str) -> str:
    """A short name of a UID that says nothing of it, the same for the same UID."""
    return hashlib.sha256(uid.encode()).hexdigest()[:16]
