"""Where a server of this instance can be reached: each server writes its address to the instance folder while it runs.

A killed server leaves its note behind, so a note is trusted only if this instance answers at its address.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quiz_app.settings import Settings

WAIT_S = 1.0


def name_of(settings: Settings) -> str:
    """The name that /healthz gives this instance: a one-way digest of its secret, different for each instance."""
    return hashlib.blake2b(settings.secret_key.encode(), digest_size=8, person=b"instance").hexdigest()


@contextmanager
def announced(settings: Settings, address: str) -> Iterator[None]:
    """Let the commands find the server at `address` while the context lasts."""
    note = _folder(settings) / f"{time.time_ns()}-{os.getpid()}"
    note.parent.mkdir(exist_ok=True)
    for old in _notes(settings):
        if not _answers(settings, old):
            old.unlink(missing_ok=True)
    note.write_text(address, "utf-8")
    owner = os.getpid()
    try:
        yield
    finally:
        if os.getpid() == owner:  # a worker that exits is a copy of this process; the server keeps running
            note.unlink(missing_ok=True)


def found(settings: Settings) -> str:
    """Where readers reach this instance: `public_url`, the open tunnel or the newest server; otherwise empty."""
    if settings.reached_at:
        return settings.reached_at
    return next((found for note in _notes(settings) if (found := _answers(settings, note))), "")


def _folder(settings: Settings) -> Path:
    return settings.instance / "servers"


def _notes(settings: Settings) -> list[Path]:
    """The notes of servers, newest first."""
    return sorted(_folder(settings).iterdir(), reverse=True) if _folder(settings).is_dir() else []


def _answers(settings: Settings, note: Path) -> str:
    """The address in a note if this instance answers there; otherwise empty, also if the note has just been removed."""
    import httpx

    try:
        address = note.read_text("utf-8")
        told = httpx.get(f"{address}/healthz", timeout=WAIT_S, trust_env=False).json()
    except (FileNotFoundError, httpx.HTTPError, httpx.InvalidURL, ValueError):
        return ""
    return address if isinstance(told, dict) and told.get("instance") == name_of(settings) else ""
