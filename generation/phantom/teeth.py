"""Teeth of a phantom: their shapes, restorations and shadows.

A tooth consists of bodies with elliptic cross-sections, whose shadow at a lateral offset u is the chord
2 b sqrt(1 - (u / w)^2). Enamel is the crown minus its dentin core; the pulp is a subtracted body. Lengths are in pixels
of the 1024 x 512 film; v runs along the tooth from its neck (0) to the crown (+) or to the apex (-).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from generation.phantom.skull import Head

# Crown width, crown height, root length, thickness, roots for upper and lower teeth, central incisor to third molar.
UPPER, LOWER = zip(
    ((36, 40, 62, 0.80, 1), (22, 36, 56, 0.60, 1)),
    ((29, 37, 60, 0.70, 1), (24, 37, 62, 0.65, 1)),
    ((33, 40, 82, 0.90, 1), (29, 42, 76, 0.85, 1)),
    ((30, 34, 64, 0.95, 1), (30, 36, 66, 0.95, 1)),
    ((29, 33, 64, 0.95, 1), (31, 35, 66, 1.00, 1)),
    ((45, 32, 60, 1.10, 3), (49, 33, 62, 1.15, 2)),
    ((43, 31, 56, 1.10, 3), (47, 32, 58, 1.10, 2)),
    ((37, 29, 46, 1.00, 1), (44, 31, 46, 1.00, 2)),
    strict=True,
)
RESTORATIONS = ("amalgam", "composite", "crown", "root filling", "implant", "caries")


@dataclass(frozen=True)
class Tooth:
    """One tooth in place. `place` is 1 (central incisor) to 8; `x`, `y` the middle of its neck; `tilt` in radians."""

    upper: bool
    place: int
    x: float
    y: float
    tilt: float
    width: float
    crown: float
    root: float
    thickness: float
    roots: int
    bend: float
    restoration: str = ""
    cut: str = ""  # "crown" or "root" if a faulty generator omitted that part

    def frame(self, X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Convert film coordinates to (u across, v along the tooth)."""
        up = -1.0 if not self.upper else 1.0
        dx, dy = X - self.x, Y - self.y
        cos, sin = math.cos(self.tilt), math.sin(self.tilt)  # Python floats do not change float32 arrays
        return dx * cos - up * dy * sin, dx * sin + up * dy * cos


def dentition(rng: np.random.Generator, head: Head) -> list[Tooth]:
    """Return the teeth of one mouth: 32 places minus missing teeth, each with its own size, tilt and history."""
    teeth = []
    care = rng.beta(1.2, 2.5)  # amount of dental treatment in this mouth
    loss = rng.beta(1.0, 7.0)
    for upper in (True, False):
        for side in (-1, 1):
            reach = 0.0
            for place, (width, crown, root, thickness, roots) in enumerate(UPPER if upper else LOWER, start=1):
                size = head.scale * rng.normal(1.0, 0.035)
                width, crown, root = width * size * 1.08, crown * size, root * size * rng.normal(1.0, 0.07)
                offset = reach + width / 2
                reach += width * rng.uniform(0.93, 1.0) + (rng.exponential(4.0) if rng.random() < 0.12 else 0.0)
                wisdom = place == 8
                if rng.random() < (0.45 if wisdom else loss * (1.6 if place in (5, 6, 7) else 0.7)):
                    restoration = "implant" if not wisdom and rng.random() < 0.2 else ""
                    if not restoration:
                        continue
                else:
                    restoration = _history(rng, care, place)
                x = head.middle + side * offset
                edge = head.occlusal(x) + (-1 if upper else 1) * head.gap / 2
                y = edge - crown if upper else edge + crown
                lean = (0.02 + 0.10 * offset / 300) if upper else (0.02 + 0.24 * (offset / 300) ** 2)
                tilt = side * lean * (1 if upper else -1) + rng.normal(0.0, 0.045)
                y += rng.normal(0.0, 1.6) * (-1 if upper else 1)
                if wisdom:
                    shift = rng.uniform(0.0, 26.0)  # some never erupt
                    y += -shift if upper else shift
                    tilt += side * rng.normal(-0.15, 0.45) * (0.6 if upper else -1.0) * (shift / 26.0)
                    roots = int(rng.choice([1, roots]))
                teeth.append(
                    Tooth(
                        upper,
                        place,
                        x,
                        y,
                        tilt,
                        width,
                        crown,
                        root,
                        thickness,
                        roots,
                        rng.normal(0.0, 4.0),
                        restoration,
                    )
                )
    return teeth


def _history(rng: np.random.Generator, care: float, place: int) -> str:
    if rng.random() > care * (1.0 if place >= 4 else 0.35):
        return "caries" if rng.random() < 0.04 else ""
    shares = (0.5, 0.2, 0.14, 0.16) if place >= 4 else (0.0, 0.5, 0.25, 0.25)
    return str(rng.choice(RESTORATIONS[:4], p=shares))


def _profile(tooth: Tooth, v: np.ndarray) -> np.ndarray:
    """Return the half-width of the crown and of the root trunk at v."""
    half = tooth.width / 2
    neck = 0.80 if tooth.place >= 6 else 0.70
    tip = {1: 0.93, 2: 0.85, 3: 0.62}.get(tooth.place, 0.80)
    heights = np.array([-0.25 * tooth.root, 0.0, 0.35, 0.68, 0.9, 1.0]) * np.r_[1.0, np.full(5, tooth.crown)]
    widths = half * np.array([neck * 0.97, neck, 0.93, 1.0, (1 + tip) / 2, tip])
    return np.interp(v, heights, widths).astype(np.float32)


def _occlusal(tooth: Tooth, u: np.ndarray) -> np.ndarray:
    """Return the height of the biting edge above the neck at u: flat incisors, pointed canines, posterior cusps."""
    s = np.clip(u / (tooth.width / 2), -1.3, 1.3)
    if tooth.place <= 2:
        return tooth.crown - 1.5 * s**2
    if tooth.place == 3:
        return tooth.crown - 9.0 * np.abs(s) ** 1.3
    if tooth.place <= 5:
        return tooth.crown - 6.0 * s**2 + 1.0 * np.cos(2 * np.pi * s)
    return tooth.crown - 2.5 * s**4 - 1.9 * (1 + np.cos(2 * np.pi * s * 1.05))


def _chord(u: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Return the relative chord of an elliptic body of half-width `half` at offset u; 0 outside."""
    ratio = u / np.maximum(half, 1e-3)
    return np.sqrt(np.clip(1.0 - ratio * ratio, 0.0, 1.0)) * (half > 0)


def _root_bodies(tooth: Tooth, v: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Return each root as (centre line, half-width, relative length)."""
    neck = tooth.width / 2 * (0.80 if tooth.place >= 6 else 0.70)
    depth = -v / tooth.root
    bodies = []
    spread = {1: (0.0,), 2: (-0.5, 0.5), 3: (-0.52, 0.52, 0.05), 4: (-0.62, -0.2, 0.25, 0.65)}[tooth.roots]
    for number, place in enumerate(spread):
        length = 1.08 if number == 2 else 1.0 - 0.04 * number
        d = np.clip(depth / length, 0.0, None)
        past = tooth.root * length * np.clip(d - 1, 0, None)  # px beyond the apex
        if tooth.roots == 1:
            half = neck * (1 - np.clip(d, 0, 1) ** 2.0) ** 0.62 * (1 - 0.12 * np.clip(d, 0, 1)) - past
            centre = tooth.bend * d**2
        else:
            girth = 0.40 if tooth.roots < 4 else 0.26
            half = neck * girth * (1.15 - 0.35 * np.clip(d, 0, 1)) * (1 - np.clip(d, 0, 1) ** 4) ** 0.5 - past
            centre = place * neck * (1.0 + 0.28 * np.sin(np.pi * np.clip(d, 0, 1)) * (1 - 0.5 * d)) + tooth.bend * d**2
        bodies.append((centre, half, length))
    return bodies


def shadow(tooth: Tooth, X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a tooth's contribution to the attenuation of the film, and its signed depth (px, positive inside)."""
    u, v = tooth.frame(X, Y)
    if tooth.restoration == "implant":
        return _implant(tooth, u, v)
    crown_half, top = _profile(tooth, v), _occlusal(tooth, u)
    above = np.clip(v + 0.5, 0.0, 1.0)
    edge = np.clip((top - v) / 1.6, 0.0, 1.0)
    thin = np.clip(0.35 + (top - v) / (0.55 * tooth.crown), 0.35, 1.0) if tooth.place <= 3 else 1.0  # incisors taper

    outer = _chord(u, crown_half) * edge * above * thin
    coat = 1.0 + 4.2 * np.clip(v / tooth.crown, 0.0, 1.0) ** 0.7
    core_edge = np.clip((top - 1.55 * coat - v) / 2.5, 0.0, 1.0)
    core = _chord(u, crown_half - coat) * core_edge * above * thin
    dentin, enamel = core, np.clip(outer - core, 0.0, None)

    depth_inside = np.where(v >= 0, np.minimum(crown_half - np.abs(u), top - v), -99.0)
    root, canal = np.zeros_like(u), np.zeros_like(u)
    below = 1.0 - above
    for centre, half, length in _root_bodies(tooth, v):
        fade = np.clip(1.0 + 0.45 * v / tooth.root, 0.45, 1.0)
        body = _chord(u - centre, half) * fade * below
        root = np.maximum(root, body * (0.85 if tooth.roots > 1 else 1.0))
        depth_inside = np.maximum(depth_inside, np.where(v < 2, half - np.abs(u - centre), -99.0))
        narrow = np.clip(0.13 * tooth.width * (1 + 0.75 * v / (tooth.root * length)), 0.9, 4.5)
        canal = np.maximum(canal, _chord(u - centre, np.where(-v < 0.93 * tooth.root * length, narrow, 0.0)) * below)
    if tooth.roots > 1:  # the trunk above the furcation
        fork = 0.30 * tooth.root
        trunk = _chord(u, _profile(tooth, v)) * below * np.clip((v + fork + 0.02 * u * u) / 5.0, 0.0, 1.0)
        root = np.maximum(root, trunk)
        depth_inside = np.maximum(depth_inside, np.where((v < 2) & (v > -fork), _profile(tooth, v) - np.abs(u), -99.0))
        canal *= np.clip((-v - 0.12 * tooth.root) / 6.0, 0.0, 1.0)
    chamber_half = (
        tooth.width * (0.20 if tooth.place >= 4 else 0.12) * np.clip(1.15 - v / (0.5 * tooth.crown), 0.0, 1.0)
    )
    low = -0.16 * tooth.root if tooth.roots > 1 else -1.0
    chamber = _chord(u, np.where((v > low) & (v < 0.5 * tooth.crown), chamber_half, 0.0))
    pulp = np.maximum(canal, chamber)

    if tooth.cut == "crown":
        dentin, enamel, pulp = dentin * 0, enamel * 0, pulp * below
    if tooth.cut == "root":
        kept = np.clip(1.0 + v / (0.25 * tooth.root), 0.0, 1.0)
        root, pulp = root * kept, pulp * np.maximum(kept, above)
        depth_inside = np.where(v < -0.2 * tooth.root, -99.0, depth_inside)

    added = tooth.thickness * (0.50 * dentin + 0.95 * enamel + 0.46 * root - 0.17 * pulp)
    return added + _restored(tooth, u, v, top, crown_half, outer, pulp), depth_inside


def _restored(tooth: Tooth, u: Any, v: Any, top: Any, crown_half: Any, outer: Any, pulp: Any) -> np.ndarray:
    """Return the contribution of restorations or decay to the shadow."""
    half, kind = tooth.width / 2, tooth.restoration
    wobble = 1.2 * np.sin(u * 0.45 + tooth.x) + 0.8 * np.sin(v * 0.6 + tooth.y)
    inside = np.clip((crown_half - np.abs(u)) / 1.5, 0.0, 1.0)
    bite = np.clip((top - v) / 1.5, 0.0, 1.0)
    if kind in ("amalgam", "composite"):
        offset = half * 0.5 * math.sin(tooth.x)  # position of the cavity
        floor = top - (0.30 + 0.10 * math.cos(tooth.y)) * tooth.crown + 0.018 * (u - offset) ** 2 + wobble
        body = np.clip((v - floor) / 1.5, 0.0, 1.0) * np.clip((0.72 * half - np.abs(u - offset)) / 2.0, 0.0, 1.0)
        return body * inside * bite * (3.2 if kind == "amalgam" else 0.45)
    if kind == "crown":
        cap = np.clip((v + 1.5 + 0.01 * u * u) / 1.5, 0.0, 1.0) * inside * bite
        return cap * (1.1 + 2.2 * (math.sin(7 * tooth.x) > -0.2))
    if kind == "root filling":
        return 1.5 * pulp + 2.4 * np.clip((v - 0.55 * tooth.crown + wobble) / 2, 0, 1) * outer * (
            math.sin(3 * tooth.x) > 0
        )
    if kind == "caries":
        side = math.copysign(1.0, math.sin(5 * tooth.x))
        return -0.5 * outer * np.exp(-((u - side * half * 0.9) ** 2 + (v - 0.45 * tooth.crown) ** 2) / 40.0)
    return np.zeros_like(u)


def _implant(tooth: Tooth, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A screw in the bone, and a crown on it."""
    half = 0.20 * tooth.width + 5.0
    length = 0.85 * tooth.root
    thread = half * (1 + 0.07 * np.sin(v * 1.25)) * np.clip(1.05 + 0.22 * v / length, 0.5, 1.0)
    screw = _chord(u, np.where((v < 3) & (v > -length), thread, 0.0))
    crowned = replace(tooth, restoration="", roots=1)
    top = _occlusal(crowned, u)
    width = _profile(crowned, v) * np.clip(0.45 + v / (0.4 * tooth.crown), 0.0, 1.0)
    cap = _chord(u, width) * np.clip((top - v) / 1.6, 0, 1) * np.clip(v - 1, 0, 1)
    depth = np.where(v < 3, np.minimum(thread - np.abs(u), v + length), -99.0)
    return 2.6 * screw**0.5 + 1.7 * cap**0.5, depth - 4.0  # no ligament: bone contacts the implant


def add(film: np.ndarray, texture: np.ndarray, teeth: list[Tooth]) -> None:
    """Add all teeth to the attenuation `film` (height, width), and clear the bone `texture` at the roots."""
    height, width = film.shape
    for tooth in teeth:
        reach = tooth.width * 0.75 + 12 + abs(math.sin(tooth.tilt)) * (tooth.root + tooth.crown)
        far, near = tooth.root * 1.15 + 14, tooth.crown + 8
        lower, upper = (near, far) if tooth.upper else (far, near)
        rows = slice(max(0, int(tooth.y - upper - reach * 0.3)), min(height, int(tooth.y + lower + reach * 0.3)))
        columns = slice(max(0, int(tooth.x - reach)), min(width, int(tooth.x + reach)))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        Y, X = np.mgrid[rows, columns].astype(np.float32)
        added, depth = shadow(tooth, X, Y)
        _, v = tooth.frame(X, Y)
        rooted = np.clip(-v / 6.0, 0.0, 1.0)
        ligament = np.exp(-(((depth + 1.6) / 1.3) ** 2)) * rooted
        lamina = np.exp(-(((depth + 4.2) / 1.3) ** 2)) * rooted
        film[rows, columns] += added - 0.085 * ligament + 0.06 * lamina
        texture[rows, columns] *= 1.0 - 0.75 * np.clip(depth / 3.0, 0.0, 1.0) * rooted
