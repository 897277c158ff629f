"""What image generators get wrong, drawn into phantoms on purpose, in degrees from hardly seen to plain."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

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


@dataclass(frozen=True)
class Fault:
    """One of KINDS, with its severity in 0..1 and a seed of its own."""

    kind: str
    severity: float
    seed: int

    def rng(self) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(self.seed))


def choose(rng: np.random.Generator) -> list[Fault]:
    """One to three faults of different kinds; severe ones are as likely as slight ones."""
    kinds = rng.choice(KINDS, size=rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2]), replace=False)
    return [Fault(str(kind), float(rng.uniform(0.15, 1.0)), int(rng.integers(2**32))) for kind in kinds]


def in_teeth(faults: list[Fault], teeth: list[Tooth]) -> list[Tooth]:
    """The teeth with the faults that concern them."""
    teeth = list(teeth)
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
        elif fault.kind == "doubled tooth":
            n = int(rng.choice(sound))
            shift = teeth[n].width * (0.65 - 0.3 * fault.severity)
            teeth.append(replace(teeth[n], x=teeth[n].x + shift, tilt=teeth[n].tilt + rng.normal(0, 0.08)))
            if fault.severity > 0.6:
                teeth.append(replace(teeth[n], x=teeth[n].x - shift))
        elif fault.kind == "wrong roots":
            back = [n for n in sound if teeth[n].place >= 6] or sound
            for n in rng.choice(back, size=min(times, len(back)), replace=False):
                teeth[n] = replace(teeth[n], roots=int(rng.choice([1, 4])), bend=teeth[n].bend * 4)
    return teeth


def in_texture(faults: list[Fault], texture: np.ndarray) -> np.ndarray:
    """The net of spongy bone, float32 (height, width), smeared or repeated where a fault says so."""
    height, width = texture.shape
    for fault in faults:
        rng = fault.rng()
        if fault.kind == "smeared trabeculae":
            smeared = gaussian_filter(texture, (1.0, 4 + 7 * fault.severity), truncate=2.0)
            smeared *= 0.8 * texture.std() / smeared.std()
            where = _spot(rng, texture.shape, 90 + 160 * fault.severity)
            texture = texture + where * (smeared - texture)
        elif fault.kind == "repeated texture":
            size = int(rng.integers(22, 42))
            top, left = rng.integers(300, 400), rng.integers(200, 760)
            tile = 1.35 * texture[top : top + size, left : left + size]
            tiled = np.tile(tile, (height // size + 1, width // size + 1))[:height, :width]
            where = _spot(rng, texture.shape, 90 + 160 * fault.severity)
            texture = texture + where * (tiled - texture)
    return texture


def in_film(faults: list[Fault], film: np.ndarray, middle: float) -> np.ndarray:
    """The attenuation, float32 (height, width), with one side mirrored, stripes, or crowns that run."""
    height, width = film.shape
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
            weight = (fade * np.exp(-(((rows - rng.uniform(280, 340)) / band) ** 6))).astype(np.float32)
            film = film + weight * (mirrored - film)
        elif fault.kind == "stripes":
            Y, X = np.mgrid[0:height, 0:width].astype(np.float32)
            turn, period = rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.03), rng.uniform(6, 15)
            wave = np.sin(2 * np.pi * (X * np.cos(turn) + Y * np.sin(turn)) / period)
            film = film + (0.012 + 0.035 * fault.severity) * wave * _spot(rng, film.shape, 120 + 200 * fault.severity)
        elif fault.kind == "melted crowns":
            film = _melt(rng, film, fault.severity)
    return film


def _spot(rng: np.random.Generator, shape: tuple[int, int], size: float) -> np.ndarray:
    """A soft-edged spot over the jaws, 1 in its middle."""
    Y, X = np.ogrid[0 : shape[0], 0 : shape[1]]
    x, y = rng.uniform(260, 760), rng.uniform(200, 430)
    return np.exp(-((((X - x) / size) ** 2 + ((Y - y) / (0.6 * size)) ** 2) ** 2)).astype(np.float32)


def _melt(rng: np.random.Generator, film: np.ndarray, severity: float) -> np.ndarray:
    """Rows of the crowns displaced sideways, as where a sampler stopped too early."""
    height, width = film.shape
    Y, X = np.mgrid[0:height, 0:width].astype(np.float32)
    phase = rng.uniform(0, 6.3, 2)
    push = (2.5 + 5 * severity) * _spot(rng, film.shape, 70 + 70 * severity)
    dx = push * np.sin(Y / 9 + phase[0] + X / 40)
    dy = push * np.sin(X / 11 + phase[1])
    return film[np.clip(np.rint(Y + dy), 0, height - 1).astype(int), np.clip(np.rint(X + dx), 0, width - 1).astype(int)]
