"""A mail server, where the settings name one: letters handed to it one after the other, tried again a bounded number
of times.

The standard library speaks SMTP; here stands what it does not say: what may be tried again, and what holds for all.
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

WAITS_S = (5, 30)  # before a letter is tried again; there is no further try
TIMEOUT_S = 30
MOST_PER_MINUTE = 600
LOCAL = ("localhost", "127.0.0.1", "::1")
TLS = ("starttls", "tls", "none")


@dataclass(frozen=True)
class MailServer:
    """Where letters go out, as the settings say."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: str
    sender: str
    per_minute: int

    @property
    def pause_s(self) -> float:
        """From one letter to the next."""
        return 60 / self.per_minute


def server_of(settings: Any) -> MailServer | None:
    """The mail server of these settings; None where there is none. Raises SettingsError with every fault."""
    if not settings.smtp_host:
        return None
    faults = []
    if not 1 <= settings.smtp_port <= 65_535:
        faults.append(f"smtp_port: {settings.smtp_port} is not between 1 and 65535")
    if settings.smtp_tls not in TLS:
        faults.append(f"smtp_tls: {settings.smtp_tls!r} is none of {', '.join(TLS)}")
    elif settings.smtp_tls == "none" and settings.smtp_password and settings.smtp_host not in LOCAL:
        faults.append("smtp_tls: without TLS the password would be sent in the clear; set starttls or tls")
    if bool(settings.smtp_user) != bool(settings.smtp_password):
        faults.append("smtp_user: user and password are set together, or neither of them")
    for name in ("smtp_user", "smtp_password"):  # the standard library sends no others, and would name the letter
        if not getattr(settings, name).isascii():
            faults.append(f"{name}: only letters, digits and signs of ASCII can be sent to a mail server")
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
    """The mail server did not take a letter. `passing`: another try may succeed; `for_all`: it would take no other."""

    def __init__(self, why: str, *, passing: bool = False, for_all: bool = False) -> None:
        self.passing, self.for_all = passing, for_all
        super().__init__(why)


class Line:
    """The line to a mail server: opened when it is needed, and opened again when it was lost."""

    def __init__(self, server: MailServer, sleep: Callable[[float], None] = time.sleep) -> None:
        self.server = server
        self._sleep = sleep
        self._open: smtplib.SMTP | None = None

    def deliver(self, message: EmailMessage, to: str) -> None:
        """Hand a letter over, in at most three tries. Raises UndeliveredError.

        Every try has the same Message-ID: should a line break after the server has taken a letter, and it is sent
        again, whoever receives both can tell.
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
            raise UndeliveredError(f"the address or the letter cannot be sent by this server: {unfit}") from None
        except (smtplib.SMTPException, OSError) as lost:
            raise UndeliveredError(f"the line to the mail server broke: {lost}", passing=True) from None

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
                f"the mail server refused user or password ({refused.smtp_code})", for_all=True
            ) from None
        except (smtplib.SMTPNotSupportedError, ssl.SSLError) as unsafe:
            raise UndeliveredError(f"no safe line to the mail server: {unsafe}", for_all=True) from None
        except (smtplib.SMTPException, OSError) as away:
            raise UndeliveredError(f"the mail server cannot be reached: {away}", passing=True, for_all=True) from None
        return line

    def close(self) -> None:
        """Hang up."""
        if self._open is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self._open.quit()
            self._open.close()
            self._open = None


def _answered(code: int, said: bytes | str) -> UndeliveredError:
    """What the server said to a letter: a code from 400 to 499 may pass, 421 closes the line."""
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return UndeliveredError(f"the mail server said: {code} {words}", passing=400 <= code < 500)
