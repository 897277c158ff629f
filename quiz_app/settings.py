"""Every setting of the application, its default and its meaning.

A value comes from, in rising order: the default, `settings.toml` in the instance folder, the environment
(`DISCERN_` and the name in capitals), the caller. Settings of a *study* live with the study: see `study/settings.py`.
"""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from quiz_app import mail, storage
from quiz_app.errors import SettingsError


def setting(default: Any, meaning: str, *, secret: bool = False) -> Any:
    """A field with its meaning beside it: the one source for docs and error messages. A secret is in no `repr`."""
    return field(default=default, metadata={"help": meaning}, repr=not secret)


@dataclass(frozen=True)
class Settings:
    """How this copy of the application runs."""

    instance: Path = field(metadata={"help": "Folder for the database, the images, the secret and settings.toml."})
    database_url: str = setting(
        "", "SQLAlchemy address of the database; empty = discern.sqlite in the instance folder.", secret=True
    )
    secret_key: str = setting(
        "", "Signs sessions and seals images; empty = made once and kept in the instance folder.", secret=True
    )
    images_url: str = setting(
        "",
        "Where the blinded images lie, such as s3://BUCKET/PREFIX; empty = the folder images in the instance folder.",
    )
    public_url: str = setting("", "Address under which readers reach this server; empty = the address of the request.")
    trusted_proxies: int = setting(0, "Number of reverse proxies in front whose X-Forwarded headers are believed.")
    redis_url: str = setting(
        "", "redis:// address where processes count log-ins together and share live pages; empty = each by itself."
    )
    firestore_credentials: str = setting(
        "", "JSON file of a Firebase service account: every answer is copied to its Firestore; empty = no copy."
    )
    ngrok_path: str = setting("", "ngrok program of --tunnel; empty = the one on the PATH, else pyngrok fetches one.")
    ngrok_token: str = setting(
        "", "ngrok token of --tunnel; empty = NGROK_AUTHTOKEN, or ngrok's own configuration.", secret=True
    )
    ngrok_domain: str = setting("", "Domain reserved at ngrok, so that links outlive a restart; empty = a random one.")
    pacs_url: str = setting(
        "", "DICOMweb address of the archive from which researchers fetch images; empty = there is none."
    )
    pacs_user: str = setting("", "User at the archive; empty = none is asked for, or there is a token.")
    pacs_password: str = setting("", "Password of that user.", secret=True)
    pacs_token: str = setting("", "Bearer token for the archive, in place of user and password.", secret=True)
    smtp_host: str = setting(
        "", "Mail server through which the desk sends invitations and reminders; empty = it sends none."
    )
    smtp_port: int = setting(587, "Its port: 587 with starttls, 465 with tls.")
    smtp_user: str = setting("", "User at the mail server; empty = none is asked for.")
    smtp_password: str = setting("", "Password of that user.", secret=True)
    smtp_tls: str = setting("starttls", "How the line is made safe: starttls, tls from the first byte, or none.")
    smtp_from: str = setting("", "Whom the letters come from, such as 'Study office <study@example.org>'.")
    smtp_per_minute: int = setting(30, "Letters a minute, at most.")
    tunnel_researcher: bool = setting(False, "Whether the researcher's pages can be reached through the tunnel.")
    log_json: bool = setting(
        False, "Whether the log is one JSON object a line, with one for each request; no link or address is in it."
    )
    joins_per_hour: int = setting(
        300, "Registrations by open links from one address in an hour; more where a whole hall shares one address."
    )
    session_hours: int = setting(12, "Hours after which a researcher must log in again.")
    max_upload_mb: int = setting(2048, "Largest upload that is accepted, in megabytes.")

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
        """Gather the settings and prepare the instance folder.

        Raises SettingsError for an unknown name in settings.toml, a value of the wrong kind,
        an `images_url` of an unknown kind, a mail server that cannot be used, or an instance folder that cannot be
        made or written.
        """
        environment = os.environ if environment is None else environment
        instance = Path(given.pop("instance", None) or environment.get("DISCERN_INSTANCE") or "instance").resolve()
        _prepare(instance)
        values: dict[str, Any] = {"instance": instance}
        values |= _from_file(instance / "settings.toml")
        for entry in fields(cls):
            if entry.name != "instance" and (text := environment.get(f"DISCERN_{entry.name.upper()}")):
                values[entry.name] = _parsed(entry.name, text, f"DISCERN_{entry.name.upper()}")
        values |= {name: value for name, value in given.items() if value is not None}
        values["secret_key"] = values.get("secret_key") or _secret(instance / "secret_key")
        values["database_url"] = values.get("database_url") or f"sqlite:///{instance / 'discern.sqlite'}"
        settings = cls(**values)
        _ = settings.images, mail.server_of(settings)  # what cannot be used is said now
        return settings

    @property
    def tunnel_address(self) -> Path:
        """The file that names the public address while a tunnel is open, for every process."""
        return self.instance / "tunnel_address"

    @property
    def reached_at(self) -> str:
        """Where readers reach this server: `public_url`, or the open tunnel; empty when neither is known."""
        if not self.public_url and self.tunnel_address.exists():
            return self.tunnel_address.read_text("utf-8")
        return self.public_url

    @property
    def images(self) -> storage.Store:
        """Where the blinded images lie. Raises SettingsError for an `images_url` that cannot be used."""
        if not self.images_url:
            return self.instance / "images"
        return storage.at(self.images_url)


_KINDS: dict[str, type] = {entry.name: type(entry.default) for entry in fields(Settings) if entry.name != "instance"}


def _parsed(name: str, text: str, where: str) -> Any:
    kind = _KINDS[name]
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise SettingsError(f"{where}: {text!r} is neither true nor false")
        return text.lower() == "true"
    try:
        return kind(text)
    except ValueError:
        raise SettingsError(f"{where}: {text!r} is not a {kind.__name__}") from None


def _from_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a TOML file: {error}") from None
    faults = []
    for name, value in values.items():
        if name not in _KINDS:
            faults.append(f"unknown setting {name!r}; known are {', '.join(sorted(_KINDS))}")
        elif _KINDS[name] is str and type(value) is not str:  # a password of digits is not repeated
            faults.append(f"{name} is not a text; put its value in quotes")
        elif type(value) is not _KINDS[name]:
            faults.append(f"{name} is {value!r}, expected a {_KINDS[name].__name__}")
    if faults:
        raise SettingsError("\n".join(f"{path}: {fault}" for fault in faults))
    return values


def _prepare(instance: Path) -> None:
    try:
        instance.mkdir(parents=True, exist_ok=True)
        probe = instance / ".writable"
        probe.touch()
        probe.unlink(missing_ok=True)  # a process that starts beside this one uses the same
    except OSError as error:
        raise SettingsError(f"instance folder {instance}: cannot be written: {error.strerror}") from None


def _secret(path: Path) -> str:
    """The secret of this instance: made once, readable by its owner alone."""
    if not path.exists():
        # O_EXCL: of two processes that start together, one makes it and both read it.
        try:
            with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
        except FileExistsError:
            pass
    return path.read_text().strip()
