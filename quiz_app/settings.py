"""Every setting of the application, its default and its meaning.

Each of these overrides the one before it: the default, `settings.toml` in the instance folder, the environment
(`DISCERN_` and the name in capitals), the caller. The settings of a *study* are in `study/settings.py`.
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
    """A field with its meaning: the single source for docs and error messages. A secret is left out of `repr`."""
    return field(default=default, metadata={"help": meaning}, repr=not secret)


@dataclass(frozen=True)
class Settings:
    """How this copy of the application runs."""

    instance: Path = field(metadata={"help": "Folder for the database, the images, the secret and settings.toml."})
    database_url: str = setting(
        "", "SQLAlchemy address of the database; empty = discern.sqlite in the instance folder.", secret=True
    )
    secret_key: str = setting(
        "", "Signs sessions and seals images; empty = generated once and stored in the instance folder.", secret=True
    )
    images_url: str = setting(
        "",
        "Where the blinded images are stored, such as s3://BUCKET/PREFIX; empty = images/ in the instance folder.",
    )
    public_url: str = setting("", "Address under which readers reach this server; empty = the address of the request.")
    trusted_proxies: int = setting(
        0, "Number of reverse proxies in front of the server whose X-Forwarded headers are trusted."
    )
    redis_url: str = setting(
        "", "redis:// address through which processes share log-in limits and live pages; empty = nothing is shared."
    )
    firestore_credentials: str = setting(
        "", "JSON file of a Firebase service account; every answer is copied to its Firestore. Empty = no copy."
    )
    ngrok_path: str = setting(
        "", "ngrok program for --tunnel; empty = the one on the PATH, or one that pyngrok downloads."
    )
    ngrok_token: str = setting(
        "", "ngrok token for --tunnel; empty = NGROK_AUTHTOKEN, or ngrok's own configuration.", secret=True
    )
    ngrok_domain: str = setting(
        "", "Domain reserved at ngrok, so that links still work after a restart; empty = a random one."
    )
    pacs_url: str = setting(
        "", "DICOMweb address of the archive from which researchers fetch images; empty = no archive."
    )
    pacs_user: str = setting("", "User name at the archive; empty = not needed, or a token is used.")
    pacs_password: str = setting("", "Password of that user.", secret=True)
    pacs_token: str = setting("", "Bearer token for the archive, instead of user name and password.", secret=True)
    smtp_host: str = setting(
        "", "Mail server through which the desk sends invitations and reminders; empty = none are sent."
    )
    smtp_port: int = setting(587, "Its port: 587 with starttls, 465 with tls.")
    smtp_user: str = setting("", "User name at the mail server; empty = not needed.")
    smtp_password: str = setting("", "Password of that user.", secret=True)
    smtp_tls: str = setting("starttls", "How the connection is encrypted: starttls, tls (from the first byte) or none.")
    smtp_from: str = setting("", "Sender of the e-mails, such as 'Study office <study@example.org>'.")
    smtp_per_minute: int = setting(30, "Maximum number of e-mails per minute.")
    tunnel_researcher: bool = setting(False, "Whether the researcher's pages can be reached through the tunnel.")
    log_json: bool = setting(
        False, "Whether the log has one JSON object per line, including one per request, without links or addresses."
    )
    joins_per_hour: int = setting(
        300, "Registrations per hour through open links from one address; raise it if a whole hall shares one address."
    )
    session_hours: int = setting(12, "Hours after which a researcher must log in again.")
    max_upload_mb: int = setting(2048, "Largest accepted upload, in megabytes.")

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
        """Gather the settings and prepare the instance folder.

        Raises SettingsError for an unknown name in settings.toml, a value of the wrong type,
        an `images_url` of an unknown kind, a mail server that cannot be used, or an instance folder that cannot be
        created or written to.
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
        _ = settings.images, mail.server_of(settings)  # raise now if they cannot be used
        return settings

    @property
    def tunnel_address(self) -> Path:
        """The file that tells every process the public address while a tunnel is open."""
        return self.instance / "tunnel_address"

    @property
    def reached_at(self) -> str:
        """Where readers reach this server: `public_url`, or the open tunnel; empty if neither is known."""
        if not self.public_url and self.tunnel_address.exists():
            return self.tunnel_address.read_text("utf-8")
        return self.public_url

    @property
    def images(self) -> storage.Store:
        """Where the blinded images are stored. Raises SettingsError for an `images_url` that cannot be used."""
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
            faults.append(f"unknown setting {name!r}; expected one of {', '.join(sorted(_KINDS))}")
        elif _KINDS[name] is str and type(value) is not str:  # do not repeat a password made of digits
            faults.append(f"{name} is not text; put its value in quotes")
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
        probe.unlink(missing_ok=True)  # another process that starts at the same time uses the same file
    except OSError as error:
        raise SettingsError(f"instance folder {instance}: cannot be written to: {error.strerror}") from None


def _secret(path: Path) -> str:
    """The secret of this instance: generated once, readable only by its owner."""
    if not path.exists():
        # O_EXCL: if two processes start together, one creates the file and both read it.
        try:
            with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
        except FileExistsError:
            pass
    return path.read_text().strip()
