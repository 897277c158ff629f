"""Where a server of this instance can be reached: each one leaves its address in the instance folder while it runs.

A killed server leaves its note behind, so a note is believed only when the address answers as this instance does.
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
    """What /healthz calls this instance: a one-way digest of its secret, so that another instance is told apart."""
    return hashlib.blake2b(settings.secret_key.encode(), digest_size=8, person=b"instance").hexdigest()


@contextmanager
def announced(settings: Settings, address: str) -> Iterator[None]:
    """Let the commands find the server at `address` for as long as the context lasts."""
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
        if os.getpid() == owner:  # a worker that ends is a copy of this process, and the server goes on
            note.unlink(missing_ok=True)


def found(settings: Settings) -> str:
    """Where readers reach this instance: `public_url`, the open tunnel, the server started last; else empty."""
    if settings.reached_at:
        return settings.reached_at
    return next((found for note in _notes(settings) if (found := _answers(settings, note))), "")


def _folder(settings: Settings) -> Path:
    return settings.instance / "servers"


def _notes(settings: Settings) -> list[Path]:
    """The notes of servers, the last started first."""
    return sorted(_folder(settings).iterdir(), reverse=True) if _folder(settings).is_dir() else []


def _answers(settings: Settings, note: Path) -> str:
    """The address in a note if this instance answers there; else empty, also for a note that has just gone."""
    import httpx

    try:
        address = note.read_text("utf-8")
        told = httpx.get(f"{address}/healthz", timeout=WAIT_S, trust_env=False).json()
    except (FileNotFoundError, httpx.HTTPError, httpx.InvalidURL, ValueError):
        return ""
    return address if isinstance(told, dict) and told.get("instance") == name_of(settings) else ""
