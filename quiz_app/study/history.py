"""The log of a study as sentences for its pages; the downloaded log has the codes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Protocol

SENTENCES = {
    "study-created": "{who} created the study from the pool {pool}.",
    "study-changed": "{who} changed {settings} (version {version}).",
    "study-opened": "{who} opened the study (version {version}).",
    "study-closed": "{who} closed the study with {answers} answers (including practice).",
    "study-reopened": "{who} reopened the study: {reason}.",
    "study-put-away": "{who} archived the study.",
    "study-brought-back": "{who} unarchived the study.",
    "study-unblinded": "{who} unblinded the study before it was closed: {reason}.",
    "study-registered": "{who} uploaded the registration made on {made}.",
    "study-restored": "{who} restored the study.",
    "hints-brought": "{who} uploaded {hints} hints (version {version}).",
    "previewed": "{who} previewed the study.",
    "looks-planned": "{who} planned interim looks.",
    "look-taken": "{who} took interim look {look} after {readers} readers: {decision}.",
    "handed-over": "{who} downloaded {file}.",
    "part-given": "{who} made {researcher} a {role} of the study.",
    "part-taken-away": "{who} removed {researcher}, who was a {role}, from the study.",
    "open-link-offered": "{who} created an open link for up to {cap} readers.",
    "open-link-withdrawn": "{who} withdrew the open link.",
    "reader-invited": "{who} invited {reader}.",
    "reader-registered": "{who} registered with the open link.",
    "reader-link-renewed": "{who} created a new link for {reader}.",
    "reader-revoked": "{who} withdrew the link of {reader}: {reason}.",
    "reader-link-given-back": "{who} let the withdrawn link of {reader} work again.",
    "reader-extended": "{who} extended {reader} until {until}: {reason}.",
    "reader-reset": "{who} let {reader} start again: {reason}.",
    "reader-corrected": "{who} corrected {fields} of {reader}: {reason}.",
    "reader-exported": "{who} exported everything stored about {reader}.",
    "reader-deleted": "{who} deleted {reader}, with {answers} answers: {reason}.",
    "letters-begun": "{who} started sending {letters} messages by e-mail ({what}).",
    "letter-sent": "{who} sent an e-mail to {reader} ({what}).",
    "letter-not-sent": "{who} could not send an e-mail to {reader} ({what}): {reason}.",
    "consented": "{who} consented.",
    "sitting-begun": "{who} started sitting {number}.",
    "sitting-finished": "{who} finished the study.",
    "part-finished": "{who} finished part {part} of {parts}.",
    "claimed": "{who} opened the reading room.",
    "paused": "{who} paused.",
    "went-on": "{who} continued after {answered} answers.",
    "released-again": "{who} was sent a case again because it could not be shown.",
    "shown-again": "{who} saw an image again to mark it.",
    "image-failed": "{who} could not load an image: {reason}.",
    "exposure-cut": "{who} saw an image for less time than intended.",
    "exposure-impossible": "{who} has a screen that could not show an image as briefly as intended.",
    "refused": "Discern refused a request from {who}: {code}.",
    "withdrew": "{who} withdrew from the study.",
    "deleted-at-wish": "{who} withdrew, and {answers} answers were deleted at their request.",
}

# Frequent events of a sitting that are left out on pages with only a few lines.
MINOR = (
    "letter-sent",
    "letter-not-sent",
    "claimed",
    "paused",
    "went-on",
    "released-again",
    "shown-again",
    "image-failed",
    "exposure-cut",
    "refused",
)


class _Line(Protocol):
    @property
    def kind(self) -> Any: ...
    @property
    def actor(self) -> Any: ...
    @property
    def details(self) -> Any: ...


def sentence(line: _Line) -> str:
    """One line of the log as a sentence: who did what."""
    told = {name: _words(name, value) for name, value in (line.details or {}).items()}
    kind = "part-finished" if line.kind == "sitting-finished" and "part" in told else line.kind
    said = SENTENCES.get(kind, "{who}: " + line.kind.replace("-", " ") + ".")  # a later version may have more kinds
    for name in (name for name, value in told.items() if value == "1"):
        said = re.sub(rf"({{{name}}} \w+)s\b", r"\1", said)  # 1 answer
    return said.format_map(_Told(told, who=line.actor or "Discern"))


class _Told(dict[str, str]):
    """The details of a line; a line written by an earlier version may lack some."""

    def __missing__(self, name: str) -> str:
        return "–"


def _words(name: str, value: Any) -> str:
    if isinstance(value, (list, dict)):
        return ", ".join(map(str, value))
    if name == "code":
        return str(value).replace("-", " ")
    if name == "until":
        moment = datetime.fromisoformat(str(value))  # if there is no zone, it is UTC
        return f"{moment.astimezone(UTC) if moment.tzinfo else moment:%Y-%m-%d %H:%M} UTC"
    return str(value).strip().rstrip(".") if name == "reason" else str(value)
