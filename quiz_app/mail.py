"""The mail server, if one is set: e-mails are sent one by one, with a limited number of retries.

The standard library speaks SMTP; this module decides which failures to retry and which apply to all e-mails.
"""

from __future__ import annotations

import contextlib
import smtplib
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

from quiz_app.errors import SettingsError

WAITS_S = (5, 30)  # before each retry of an e-mail; there are no further retries
TIMEOUT_S = 30
MOST_PER_MINUTE = 600
LOCAL = ("localhost", "127.0.0.1", "::1")
TLS = ("starttls", "tls", "none")


@dataclass(frozen=True)
class MailServer:
    """The mail server of the settings."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: str
    sender: str
    per_minute: int

    @property
    def pause_s(self) -> float:
        """The pause between two e-mails, in seconds."""
        return 60 / self.per_minute


def server_of(settings: Any) -> MailServer | None:
    """The mail server of these settings; None if there is none. Raises SettingsError with every problem."""
    if not settings.smtp_host:
        return None
    faults = []
    if not 1 <= settings.smtp_port <= 65_535:
        faults.append(f"smtp_port: {settings.smtp_port} is not between 1 and 65535")
    if settings.smtp_tls not in TLS:
        faults.append(f"smtp_tls: {settings.smtp_tls!r} is not one of {', '.join(TLS)}")
    elif settings.smtp_tls == "none" and settings.smtp_password and settings.smtp_host not in LOCAL:
        faults.append("smtp_tls: without TLS, the password would be sent unencrypted; set starttls or tls")
    if bool(settings.smtp_user) != bool(settings.smtp_password):
        faults.append("smtp_user: set both user and password, or neither")
    for name in (
        "smtp_user",
        "smtp_password",
    ):  # the standard library cannot send others, and its error would name the letter
        if not getattr(settings, name).isascii():
            faults.append(f"{name}: only ASCII characters can be sent to a mail server")
    address = parseaddr(settings.smtp_from)[1]
    if "@" not in address or not settings.smtp_from.isprintable():
        faults.append(
            f"smtp_from: {settings.smtp_from!r} is not an address, such as 'Study office <study@example.org>'"
        )
    if not 1 <= settings.smtp_per_minute <= MOST_PER_MINUTE:
        faults.append(f"smtp_per_minute: {settings.smtp_per_minute} is not between 1 and {MOST_PER_MINUTE}")
    if faults:
        raise SettingsError("\n".join(faults))
    return MailServer(
        settings.smtp_host, settings.smtp_port, settings.smtp_user, settings.smtp_password,
        settings.smtp_tls, settings.smtp_from, settings.smtp_per_minute,
    )  # fmt: skip


class UndeliveredError(Exception):
    """The mail server did not accept an e-mail. `passing`: a retry may succeed; `for_all`: others would fail too."""

    def __init__(self, why: str, *, passing: bool = False, for_all: bool = False) -> None:
        self.passing, self.for_all = passing, for_all
        super().__init__(why)


class Line:
    """The connection to a mail server: opened when it is needed, and reopened when it was lost."""

    def __init__(self, server: MailServer, sleep: Callable[[float], None] = time.sleep) -> None:
        self.server = server
        self._sleep = sleep
        self._open: smtplib.SMTP | None = None

    def deliver(self, message: EmailMessage, to: str) -> None:
        """Send an e-mail, with at most three attempts. Raises UndeliveredError.

        Every attempt has the same Message-ID: if the connection breaks after the server has accepted an e-mail, and it
        is sent again, the recipient's program can recognise the duplicate.
        """
        for pause in (*WAITS_S, None):
            try:
                self._try(message, to)
                break
            except UndeliveredError as why:
                self.close()
                if pause is None or not why.passing:
                    raise
                self._sleep(pause)

    def _try(self, message: EmailMessage, to: str) -> None:
        line = self._open or self._opened()
        try:
            line.send_message(message, to_addrs=[to])
        except smtplib.SMTPRecipientsRefused as refused:
            raise _answered(*next(iter(refused.recipients.values()))) from None
        except smtplib.SMTPResponseException as refused:
            raise _answered(refused.smtp_code, refused.smtp_error) from None
        except (smtplib.SMTPNotSupportedError, UnicodeError, ValueError) as unfit:
            raise UndeliveredError(
                f"this server cannot send to this address, or cannot send this e-mail: {unfit}"
            ) from None
        except (smtplib.SMTPException, OSError) as lost:
            raise UndeliveredError(f"the connection to the mail server broke: {lost}", passing=True) from None

    def _opened(self) -> smtplib.SMTP:
        server = self.server
        try:
            safe = ssl.create_default_context()
            if server.tls == "tls":
                line: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=safe)
            else:
                line = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
            self._open = line
            if server.tls == "starttls":
                line.starttls(context=safe)
            if server.user:
                line.login(server.user, server.password)
        except smtplib.SMTPAuthenticationError as refused:
            raise UndeliveredError(
                f"the mail server refused the user or password ({refused.smtp_code})", for_all=True
            ) from None
        except (smtplib.SMTPNotSupportedError, ssl.SSLError) as unsafe:
            raise UndeliveredError(f"no secure connection to the mail server: {unsafe}", for_all=True) from None
        except (smtplib.SMTPException, OSError) as away:
            raise UndeliveredError(f"the mail server cannot be reached: {away}", passing=True, for_all=True) from None
        return line

    def close(self) -> None:
        """Close the connection."""
        if self._open is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self._open.quit()
            self._open.close()
            self._open = None


def _answered(code: int, said: bytes | str) -> UndeliveredError:
    """The server's reply to an e-mail: codes from 400 to 499 may be temporary, 421 closes the connection."""
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return UndeliveredError(f"the mail server said: {code} {words}", passing=400 <= code < 500)
