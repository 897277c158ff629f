"""A crawler that takes whole sittings, records everything sent to the browser, and tries to predict the truth.

Readers who guess take a study of noise images over a connection that records each byte and its time. Everything they
received about a case before the end (headers, sizes, bytes, names, numbers, times) becomes a row of numbers, and
scikit-learn tries to tell the classes apart: with all numbers together, evaluated on unseen cases, and compared with
permutations of the truth.

The files of the classes differ as much as possible (in colour, compression, texts, and in their order in the pool), but
their pixels do not: any difference that is found comes from the application.
"""

from __future__ import annotations

import base64
import io
import json
import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flask_migrate
import numpy as np
import pandas as pd
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GroupKFold, StratifiedKFold, permutation_test_score

import generation.pool as pool
from quiz_app import create_app, simulation
from quiz_app.database import db, reading
from quiz_app.models import Case, Fault, Pool, TrialCase
from quiz_app.pools import importing
from quiz_app.settings import Settings
from quiz_app.study import hints, lifecycle
from quiz_app.study.cases import scored_cases
from tests.browser.recording import Exchange, Recorder

SIZE = (32, 64)
LEVEL, MOST = 0.05, 0.6
LOOKS = 3  # a p below LEVEL is chance once in twenty times; a leak comes again with new readers
SOURCES = {
    "rating": ("clinic-of-the-real", "network-of-the-synthetic"),
    "staircase": ("clinic-of-the-real", "network-of-the-synthetic"),
    "quartet": ("clinic-of-the-real", "network-one", "network-two", "network-three"),
    "comparison": ("method-alpha", "method-beta"),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "rating": {"limit_s": 20.0, "practice_feedback": False},
    "quartet": {"practice_feedback": False},
    "comparison": {},
    "staircase": {
        "start_ms": 100,
        "shortest_ms": 20,
        "longest_ms": 200,
        "jitter_ms": 30,
        "practice_feedback": False,
    },
}
USUAL = {"groups": [], "ask_years": False, "break_every": 50, "break_s": 0, "interval_ms": 0}


@dataclass(frozen=True)
class Crawl:
    """What was received: one row per case, and the values to predict."""

    before: pd.DataFrame  # cases x numbers: known before the answer to the case
    all: pd.DataFrame  # and with it all that came from then on to the end
    truth: np.ndarray  # (cases,), 1 = synthetic, or the second of two methods
    groups: np.ndarray | None  # (cases,): of quartets and comparisons
    told: list[str]  # words and checksums that should not have been sent, and were
    exchanges: int


@dataclass(frozen=True)
class Verdict:
    """How well the truth is predicted: AUC on unseen cases, and the share of permutations that do as well."""

    auc: float
    p: float

    @property
    def blind(self) -> bool:
        return self.auc <= MOST and self.p > LEVEL


def furnish(
    instance: Path,
    design: str,
    cases: int,
    practice: int = 0,
    hint: Callable[[Case], str] | None = None,
    **more: Any,
) -> Flask:
    """A new instance with an open study of `design` on `cases` images of noise, half of each class (of quartets a
    quarter is real), the real ones first. hint: what its hint file says of a case, if it has one; more: settings of the
    study besides the usual ones."""
    rng = np.random.Generator(np.random.PCG64(11))
    sources = SOURCES[design]
    grouped = design in ("quartet", "comparison")
    entries = []
    for place, source in enumerate(sources):
        truth = "synthetic" if place or design == "comparison" else "real"
        for number in range(cases // len(sources) + practice):
            group = pool.PRACTICE if number < practice else f"group-{number:04d}" if grouped else ""
            pixels = rng.integers(0, 256, SIZE, dtype=np.uint8)
            entries.append(pool.Entry(truth, source, _encoded(pixels, source, odd=place > 0), group))
    how = {"real": "noise", "synthetic": "noise"}
    pool.write(instance / "pool", entries, name="Noise", seed=11, width=SIZE[1], height=SIZE[0], how=how)
    app = create_app(Settings.load({}, instance=instance))
    with app.app_context():
        flask_migrate.upgrade()
        made = importing.import_folder(instance / "pool", app.config["SETTINGS"].images, "noise")
        db.session.commit()
        settings = USUAL | SETTINGS[design] | more | {"practice": practice, "cases": cases // _images(design)}
        study = lifecycle.create("A crawl", made, slug="crawl", seed=11, design=design, settings=settings)
        if hint is not None:
            hints.bring(study, "case,hint\n" + "".join(f"{case.name},{hint(case)}\n" for case in scored_cases(study)))
        lifecycle.open_study(study)
        db.session.commit()
        db.session.remove()
    return app


def _images(design: str) -> int:
    """How many images a trial has."""
    return len(SOURCES[design]) if design in ("quartet", "comparison") else 1


def _encoded(pixels: np.ndarray, source: str, odd: bool) -> bytes:
    """A PNG as plain as can be, or an odd one: coloured, hardly compressed, with texts."""
    buffer, image = io.BytesIO(), Image.fromarray(pixels)
    if not odd:
        image.save(buffer, "PNG", compress_level=9)
        return buffer.getvalue()
    texts = PngInfo()
    texts.add_text("Software", source)
    image.convert("RGB").save(buffer, "PNG", compress_level=1, pnginfo=texts, dpi=(72, 72))
    return buffer.getvalue()


def crawl(app: Flask, readers: int = 2) -> Crawl:
    """Have readers take the study of `furnish`, every second one with images in the clear; keep what they get."""
    streams: list[list[Exchange]] = []
    received = b""
    with simulation.serving(app) as address:
        for number in range(readers):
            with Recorder(int(address.rpartition(":")[2])) as line:
                (outcome,) = simulation.run(
                    app,
                    "crawl",
                    1,
                    seed=number,
                    url=f"http://127.0.0.1:{line.port}",
                    success=0.5 if len(SOURCES[_design(app)]) == 2 else None,
                    threshold_ms=1e9,
                    dprime=0.0,
                    clear=number % 2 == 1,
                )
                if outcome.refusal:
                    raise RuntimeError(outcome.refusal)
                streams.append(list(_before_the_end(line.exchanges())))
    for exchange in (exchange for stream in streams for exchange in stream):
        received += exchange.head + exchange.body
    with app.app_context(), reading() as session:
        shown = {
            one.token: (one.trial.token, one.case) for one in session.query(TrialCase) if not one.trial.is_training
        }
        cases = [case for case in session.query(Case).order_by(Case.id) if case.group != pool.PRACTICE]
        (design,) = {one.trial.sitting.reader.study.design for one in session.query(TrialCase).limit(1)}
        names = {token: (trial, case.name) for token, (trial, case) in shown.items()}
        truth = np.array([case.source == SOURCES[design][-1] if design == "comparison" else case.truth == "synthetic"
                          for case in cases])  # fmt: skip
        order = [case.name for case in cases]
        groups = np.array([case.group for case in cases]) if design in ("quartet", "comparison") else None
        secrets = {str(value) for case in session.query(Case) for value in _telling(case)} - {""}
        secrets |= {fault.kind for fault in session.query(Fault)}
        secrets |= {"is_synthetic", '"truth"', *(made.sha256 for made in session.query(Pool))}
    told = sorted(secret for secret in secrets if secret.encode() in received)
    before, after = defaultdict(list), defaultdict(list)
    for number, stream in enumerate(streams):
        way = "clear" if number % 2 else "sealed"
        for known, rows in zip((before, after), _sightings(stream, names), strict=True):
            for case, row in rows.items():
                known[case].append({f"{way} {name}": value for name, value in row.items()})
    tables = [_table(known, order) for known in (before, after)]
    known = tables[0], tables[0].join(tables[1].add_suffix(", afterwards"))
    return Crawl(*known, truth.astype(int), groups, told, sum(map(len, streams)))


def _design(app: Flask) -> str:
    with app.app_context():
        design = lifecycle.find("crawl").design
        db.session.remove()
    return design


def _telling(case: Case) -> tuple[str, ...]:
    return (
        case.name,
        case.file,
        case.file.rpartition("/")[2],
        case.sha256,
        case.source,
        case.stored,
        "" if case.is_practice else case.group,
    )


def _before_the_end(exchanges: list[Exchange]) -> Iterator[Exchange]:
    for exchange in sorted(exchanges, key=lambda one: one.asked_at):
        if exchange.path.endswith("/end"):
            return
        if exchange.path.startswith("/r/"):
            yield exchange


def _table(known: dict[str, list[dict[str, float]]], order: list[str]) -> pd.DataFrame:
    """One row per case, combining what several readers received."""
    rows = [pd.DataFrame(known[case]).mean() if known[case] else pd.Series(dtype=float) for case in order]
    table = pd.DataFrame(rows, index=order)
    return table.loc[:, table.nunique(dropna=False) > 1].fillna(-1.0)


def _sightings(
    exchanges: list[Exchange], names: dict[str, tuple[str, str]]
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """What one reader receives about each case before answering it, and afterwards."""
    images = {token: case for token, (_, case) in names.items()}
    cases_of = defaultdict(list)
    for trial, case in names.values():
        cases_of[trial].append(case)
    before: dict[str, dict[str, float]] = defaultdict(dict)
    after: dict[str, dict[str, float]] = defaultdict(dict)
    keys: dict[str, bytes] = {}
    last = 0.0
    for place, exchange in enumerate(exchanges):
        kind, token = exchange.path.rsplit("/", 2)[1:]
        wire = dict(_wire(exchange, place, last))
        if token in images and kind in ("sealed", "images"):
            _add(before[images[token]], kind, {**wire, **dict(_content(exchange.body))})
            if token in keys:  # the image came after its key
                _add(before[images[token]], "opened", dict(_opened(exchange.body, keys[token])))
            keys.setdefault(f"{token} sealed", exchange.body)
        elif kind in cases_of and token in ("onset", "answer", "marks"):
            for case in cases_of[kind]:
                _add((before if token == "onset" else after)[case], token, wire)
                if token != "onset":
                    told = json.loads(exchange.body)
                    _add(after[case], f"{token} told", dict(_numbers(told | {"feedback": told["feedback"] or 0})))
        if exchange.headers.get("content-type") == "application/json" and (
            step := json.loads(exchange.body).get("step")
        ):
            _told_ahead(step, images, after if step["kind"] == "marks" else before, place)
            for image in step.get("trial", {}).get("images", []):
                token = image["address"].rpartition("/")[2]
                keys[token] = base64.b64decode(image["key"])
                if token in images and f"{token} sealed" in keys:
                    _add(before[images[token]], "opened", dict(_opened(keys[f"{token} sealed"], keys[token])))
        last = exchange.ended_at
    return before, after


def _told_ahead(step: dict[str, Any], images: dict[str, str], before: dict[str, dict[str, float]], place: int) -> None:
    """What a step reveals about its trial and about later images."""
    for number, address in enumerate(step["ahead"]):
        if (token := address.rpartition("/")[2]) in images:
            _add(before[images[token]], "ahead", {"number": number, "place": place, **dict(_letters("name", token))})
    trial = step.get("trial", {})
    for image in trial.get("images", []):
        if (token := image["address"].rpartition("/")[2]) in images:
            plain = {
                name: value for name, value in {**step, **trial}.items() if name not in ("images", "ahead", "trial")
            }
            row = dict(_numbers(plain | {"image": image, "trial": trial["trial"], "place": place}))
            _add(before[images[token]], "due", row)


def _add(row: dict[str, float], kind: str, values: dict[str, float]) -> None:
    """The first time under its name, later ones added up, and how often."""
    row[f"{kind} times"] = row.get(f"{kind} times", 0) + 1
    for name, value in values.items():
        row[f"{kind} {name}"] = row.get(f"{kind} {name}", 0) + value


def _wire(exchange: Exchange, place: int, last: float) -> Iterator[tuple[str, float]]:
    yield "place", place
    yield "since", exchange.asked_at - last
    yield "first byte", exchange.began_at - exchange.asked_at
    yield "last byte", exchange.ended_at - exchange.began_at
    yield "head", len(exchange.head)
    yield "body", len(exchange.body)
    yield "status", int(exchange.head.split(b" ", 2)[1])
    for number, (name, value) in enumerate(exchange.headers.items()):
        yield f"header {name}", float(value) if re.fullmatch(r"\d{1,9}", value) else zlib.crc32(value.encode()) % 9973
        yield f"header {name} at", number


def _content(body: bytes) -> Iterator[tuple[str, float]]:
    """The bytes as they come: how often each kind, and those at both ends."""
    counted = np.bincount(np.frombuffer(body, np.uint8) >> 4, minlength=16)
    yield from ((f"bytes {number}", float(count)) for number, count in enumerate(counted))
    ends = body[:40] + body[-24:]
    yield from ((f"byte {number}", float(byte)) for number, byte in enumerate(ends))


def _opened(body: bytes, key: bytes) -> Iterator[tuple[str, float]]:
    """The PNG within: its chunks and their lengths."""
    png = body if body.startswith(b"\x89PNG") else AESGCM(key).decrypt(bytes(12), body, None)
    yield from _content(png)
    at, number = 8, 0
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at : at + 8])
        yield f"chunk {number} {name.decode('latin-1')}", float(length)
        at, number = at + 12 + length, number + 1
    yield "chunks", float(number)


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number in plain data, and of every text its length and letters."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _numbers(one, f"{name} {key}")
    elif isinstance(value, list):
        yield f"{name} number", float(len(value))
        for number, one in enumerate(value[:8]):
            yield from _numbers(one, f"{name} {number}")
    elif isinstance(value, str):
        yield from _letters(name, value)
    else:
        yield name, float(-1 if value is None else value)


def _letters(name: str, text: str) -> Iterable[tuple[str, float]]:
    return [
        (f"{name} length", float(len(text))),
        *((f"{name} {n}", float(ord(one))) for n, one in enumerate(text[:24])),
    ]


def judged(table: pd.DataFrame, truth: np.ndarray, groups: np.ndarray | None, permutations: int = 39) -> Verdict:
    """Can the truth of cases be told from these numbers? Folds and permutations by case; those of a quartet or a
    comparison stay together, and the truth is permuted within them."""
    if not table.shape[1]:
        return Verdict(0.5, 1.0)
    model = ExtraTreesClassifier(
        20, max_depth=3, min_samples_leaf=5, max_features=None, class_weight="balanced", random_state=1
    )
    folds = GroupKFold(5) if groups is not None else StratifiedKFold(5, shuffle=True, random_state=1)
    auc, _, p = permutation_test_score(
        model, table.to_numpy(), truth, groups=groups, cv=folds, n_permutations=permutations, scoring="roc_auc",
        random_state=1, n_jobs=1,
    )  # fmt: skip
    return Verdict(float(auc), float(p))
