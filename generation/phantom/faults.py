"""Typical faults of image generators, drawn into phantoms on purpose, from barely visible to obvious.

Functions that draw a fault also return its ellipse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from generation.known_faults import KnownFault
from generation.phantom.skull import HEIGHT, WIDTH
from generation.phantom.teeth import Tooth

KINDS = (
    "missing part",
    "doubled tooth",
    "wrong roots",
    "smeared trabeculae",
    "repeated texture",
    "wrong symmetry",
    "stripes",
    "melted crowns",
)
ROUND = 1.2  # half-axes relative to half a box: the tips of its corners remain outside


@dataclass(frozen=True)
class Fault:
    """One of KINDS, with its severity in 0..1 and its own seed."""

    kind: str
    severity: float
    seed: int

    def rng(self) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(self.seed))


def choose(rng: np.random.Generator) -> list[Fault]:
    """Choose one to three faults of different kinds; all severities are equally likely."""
    kinds = rng.choice(KINDS, size=rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2]), replace=False)
    return [Fault(str(kind), float(rng.uniform(0.15, 1.0)), int(rng.integers(2**32))) for kind in kinds]


def in_teeth(faults: list[Fault], teeth: list[Tooth]) -> tuple[list[Tooth], list[KnownFault]]:
    """Return the teeth with their faults, and the places of the faults."""
    teeth, places = list(teeth), []
    for fault in faults:
        rng, sound = (
            fault.rng(),
            [n for n, tooth in enumerate(teeth) if tooth.restoration != "implant" and tooth.place < 8],
        )
        if not sound:
            continue
        times = 1 + round(2 * fault.severity)
        if fault.kind == "missing part":
            for n in rng.choice(sound, size=min(times, len(sound)), replace=False):
                teeth[n] = replace(teeth[n], cut=str(rng.choice(["crown", "root"])))
                places.append(_in_tooth(fault.kind, teeth[n].cut, teeth[n]))
        elif fault.kind == "doubled tooth":
            n = int(rng.choice(sound))
            shift = teeth[n].width * (0.65 - 0.3 * fault.severity)
            added = [replace(teeth[n], x=teeth[n].x + shift, tilt=teeth[n].tilt + rng.normal(0, 0.08))]
            if fault.severity > 0.6:
                added.append(replace(teeth[n], x=teeth[n].x - shift))
            teeth += added
            places += [_in_tooth(fault.kind, "whole", tooth) for tooth in added]
        elif fault.kind == "wrong roots":
            back = [n for n in sound if teeth[n].place >= 6] or sound
            for n in rng.choice(back, size=min(times, len(back)), replace=False):
                before = teeth[n]
                teeth[n] = replace(before, roots=int(rng.choice([1, 4])), bend=before.bend * 4)
                places.append(_in_tooth(fault.kind, "root", before, teeth[n]))
    return teeth, places


def in_texture(faults: list[Fault], texture: np.ndarray) -> tuple[np.ndarray, list[KnownFault]]:
    """Return the trabecular texture, float32 (height, width), smeared or repeated by faults, and their places."""
    height, width = texture.shape
    places = []
    for fault in faults:
        rng = fault.rng()
        if fault.kind == "smeared trabeculae":
            smeared = gaussian_filter(texture, (1.0, 4 + 7 * fault.severity), truncate=2.0)
            smeared *= 0.8 * texture.std() / smeared.std()
            where, place = _spot(rng, fault.kind, texture.shape, 90 + 160 * fault.severity)
            texture = texture + where * (smeared - texture)
            places.append(place)
        elif fault.kind == "repeated texture":
            size = int(rng.integers(22, 42))
            top, left = rng.integers(300, 400), rng.integers(200, 760)
            tile = 1.35 * texture[top : top + size, left : left + size]
            tiled = np.tile(tile, (height // size + 1, width // size + 1))[:height, :width]
            where, place = _spot(rng, fault.kind, texture.shape, 90 + 160 * fault.severity)
            texture = texture + where * (tiled - texture)
            places.append(place)
    return texture, places


def in_film(faults: list[Fault], film: np.ndarray, middle: float) -> tuple[np.ndarray, list[KnownFault]]:
    """The attenuation, float32 (height, width), with a mirrored side, stripes or melted crowns, and their places."""
    height, width = film.shape
    places = []
    for fault in faults:
        rng = fault.rng()
        if fault.kind == "wrong symmetry":
            axis = round(middle)
            side = film[:, axis : 2 * axis] if rng.random() < 0.5 or axis < width // 2 else film[:, axis:]
            reach = min(side.shape[1], axis)
            mirrored = film.copy()
            mirrored[:, axis - reach : axis] = side[:, :reach][:, ::-1]
            rows = np.arange(height)[:, None]
            band = 60 + 260 * fault.severity
            fade = np.clip((np.arange(width)[None, :] - (axis - reach)) / 60, 0, 1)
            height_of_band = rng.uniform(280, 340)
            weight = (fade * np.exp(-(((rows - height_of_band) / band) ** 6))).astype(np.float32)
            film = film + weight * (mirrored - film)
            top, bottom = max(0.0, height_of_band - band), min(float(height), height_of_band + band)
            places.append(_place(fault.kind, axis - reach / 2, (top + bottom) / 2, reach / 2, (bottom - top) / 2))
        elif fault.kind == "stripes":
            Y, X = np.mgrid[0:height, 0:width].astype(np.float32)
            turn, period = rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.03), rng.uniform(6, 15)
            wave = np.sin(2 * np.pi * (X * np.cos(turn) + Y * np.sin(turn)) / period)
            where, place = _spot(rng, fault.kind, film.shape, 120 + 200 * fault.severity)
            film = film + (0.012 + 0.035 * fault.severity) * wave * where
            places.append(place)
        elif fault.kind == "melted crowns":
            film, place = _melt(rng, fault.kind, film, fault.severity)
            places.append(place)
    return film, places


def _place(kind: str, x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> KnownFault:
    """Return the ellipse of a fault, given in px of the film and degrees."""
    return KnownFault(kind, x / WIDTH, y / HEIGHT, min(1.0, rx / WIDTH), min(1.0, ry / HEIGHT), angle)


def _in_tooth(kind: str, part: str, *versions: Tooth) -> KnownFault:
    """Return the ellipse around the crown, the root or the whole of a tooth, for all versions at the same place."""
    tooth = versions[0]
    half = tooth.width / 2
    top = 0.0 if part == "root" else tooth.crown
    bottom = 0.0 if part == "crown" else -1.05 * tooth.root
    bends = [0.0] + ([one.bend for one in versions] if bottom else [])
    left, right, middle = -half + min(bends), half + max(bends), (top + bottom) / 2
    u, up = (left + right) / 2, 1.0 if tooth.upper else -1.0
    sin, cos = math.sin(tooth.tilt), math.cos(tooth.tilt)
    x, y = tooth.x + u * cos + middle * sin, tooth.y + up * (middle * cos - u * sin)
    return _place(kind, x, y, ROUND * (right - left) / 2, ROUND * (top - bottom) / 2, math.degrees(up * tooth.tilt))


def _spot(rng: np.random.Generator, kind: str, shape: tuple[int, int], size: float) -> tuple[np.ndarray, KnownFault]:
    """Return a soft-edged spot over the jaws, 1 at its centre, and the ellipse that contains all but its faint edge."""
    Y, X = np.ogrid[0 : shape[0], 0 : shape[1]]
    x, y = rng.uniform(260, 760), rng.uniform(200, 430)
    spot = np.exp(-((((X - x) / size) ** 2 + ((Y - y) / (0.6 * size)) ** 2) ** 2)).astype(np.float32)
    return spot, _place(kind, x, y, ROUND * size, ROUND * 0.6 * size)


def _melt(rng: np.random.Generator, kind: str, film: np.ndarray, severity: float) -> tuple[np.ndarray, KnownFault]:
    """Displace rows of the crowns sideways, as if a sampler had stopped too early."""
    height, width = film.shape
    Y, X = np.mgrid[0:height, 0:width].astype(np.float32)
    phase = rng.uniform(0, 6.3, 2)
    where, place = _spot(rng, kind, film.shape, 70 + 70 * severity)
    push = (2.5 + 5 * severity) * where
    dx = push * np.sin(Y / 9 + phase[0] + X / 40)
    dy = push * np.sin(X / 11 + phase[1])
    rows, columns = np.rint(Y + dy).clip(0, height - 1).astype(int), np.rint(X + dx).clip(0, width - 1).astype(int)
    return film[rows, columns], place
