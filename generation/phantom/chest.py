"""Procedural chest radiographs with nodules planted in the lungs at known places, for studies of restoration."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.random import PCG64, Generator
from PIL import Image
from scipy.ndimage import distance_transform_edt

from generation.errors import InputError
from generation.files import atomic, output_folder, save_picture
from generation.phantom import film
from generation.phantom.skull import Sketch, clouds, curve
from generation.pool import Progress

SIDE = 1024  # px, about 0.35 mm each
MIDDLE = SIDE / 2
EDGE = 44  # minimum distance in px from the centre of a nodule to the edge of the lung
SIDES = (1024, 512, 256)


@dataclass(frozen=True)
class Nodule:
    """A ball in the lung: its centre and radius in px of the image; the centre of the first pixel is 0, 0."""

    x: float
    y: float
    radius: float


def draw(seed: int, nodules: int | None = None, side: int = SIDE) -> tuple[np.ndarray, list[Nodule]]:
    """Draw one chest phantom, uint8 (side, side), and return it with its nodules; by default one to three.

    Patient, film and pixels depend on the seed; the same chest with another number of nodules differs only there and in
    exposure. side: one of SIDES.
    """
    patient, lung, machine = (Generator(PCG64(child)) for child in np.random.SeedSequence(seed).spawn(3))
    attenuation, air = _chest(patient)
    planted: list[Nodule] = []
    wanted = int(lung.integers(1, 4)) if nodules is None else nodules
    places = np.argwhere(distance_transform_edt(air[::4, ::4] > 0.97) > EDGE / 4) * 4
    while len(planted) < wanted:
        y, x = places[lung.integers(len(places))]
        radius, contrast = lung.uniform(11, 22), lung.uniform(0.10, 0.25)
        if all(np.hypot(x - other.x, y - other.y) > 3 * (radius + other.radius) for other in planted):
            planted.append(Nodule(float(x), float(y), float(radius)))
            attenuation += contrast * _ball(planted[-1])
    pixels = film.develop(machine, attenuation)
    step = SIDE // side
    small = np.asarray(Image.fromarray(pixels).reduce(step)) if step > 1 else pixels
    middle = (step - 1) / 2
    return small, [Nodule((n.x - middle) / step, (n.y - middle) / step, n.radius / step) for n in planted]


def make_folder(
    folder: Path, count: int, seed: int = 0, side: int = SIDE, progress: Progress | None = None
) -> dict[str, list[Nodule]]:
    """Draw `count` chest phantoms on all cores: `images/` and `nodules.csv`, one row per nodule, in px of the image.

    Raises InputError if `folder` is not empty or cannot be written.
    """
    output_folder(folder)
    if any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; give a new folder")
    seeds = Generator(PCG64(seed)).integers(2**62, size=count)
    drawn = Parallel(n_jobs=-1, return_as="generator")(delayed(draw)(int(one), side=side) for one in seeds)
    planted = {}
    for number, (pixels, nodules) in enumerate(drawn, start=1):
        planted[f"chest-{number:04d}"] = nodules
        save_picture(folder / "images" / f"chest-{number:04d}.png", Image.fromarray(pixels))
        if progress is not None:
            progress(number, count)
    with atomic(folder / "nodules.csv") as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["image", *(field.name for field in fields(Nodule))])
        table.writerows([image, *(f"{value:.3f}" for value in astuple(n))] for image in planted for n in planted[image])
    return planted


def _ball(nodule: Nodule) -> np.ndarray:
    """Return the thickness of a ball along the beam as a share of its diameter: float32 (SIDE, SIDE)."""
    y, x = np.ogrid[0:SIDE, 0:SIDE]
    inside = 1 - ((x - nodule.x) ** 2 + (y - nodule.y) ** 2) / nodule.radius**2
    return np.sqrt(inside.clip(0, 1)).astype(np.float32)


def _chest(rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """The attenuation of a chest without nodules, and a mask of lung without other structures, float32 (SIDE, SIDE)."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    size, tall, turn = rng.uniform(0.92, 1.06), rng.uniform(-30, 30), rng.normal(0, 8)

    def sketch(*shapes: Sequence[tuple[float, float]] | np.ndarray, blur: float, wander: float = 4) -> np.ndarray:
        """Draw closed shapes, given in px right of the centre and down, each slightly varied, as a mask."""
        body = Sketch(SIDE, SIDE)
        for shape in shapes:
            points = np.array(shape, dtype=float) + rng.normal(0, wander, (len(shape), 2))
            points = np.r_[points, points[:1]] * [size, 1] + [MIDDLE + turn, 0]
            body.shape(curve(points, 400))
        return body.mask(blur)

    body = sketch(
        [(-110, -60), (110, -60), (130, 60), (300, 110), (440, 210), (470, 500), (455, 1080), (-455, 1080),
         (-470, 500), (-440, 210), (-300, 110), (-130, 60)], blur=6,
    )  # fmt: skip
    lungs = sketch(
        *(
            [(side * a, b) for a, b in (
                (96, 158), (160, 150), (232, 210), (300, 340), (348, 520), (366, 700), (368, 830 + tall),
                (330, 822 + tall), (240, 778 + tall), (150, 776 + tall + 12 * side), (90, 815 + tall), (72, 600),
                (66, 420), (72, 260))]
            for side in (-1, 1)
        ),
        blur=5,
    )  # fmt: skip
    heart = sketch(
        [(-50, 330), (20, 330), (70, 400), (120, 520), (185, 650), (205, 760), (150, 840), (0, 860), (-95, 800),
         (-100, 680), (-70, 540)], blur=9,
    )  # fmt: skip
    middle = sketch([(-48, 100), (52, 100), (74, 300), (60, 520), (70, 900), (-70, 900), (-66, 400)], blur=9)
    solid = np.maximum(heart, middle)
    air = lungs * (1 - 0.92 * solid)
    chest = body * (0.98 + 0.10 * np.clip((y - 780 - tall) / 120, 0, 1) + 0.03 * clouds(rng, 128, (SIDE, SIDE)))
    chest -= air * (0.62 + 0.04 * clouds(rng, 64, (SIDE, SIDE)) + 0.012 * clouds(rng, 10, (SIDE, SIDE)))
    chest += 0.10 * middle * (1 + 0.5 * np.sin(y / rng.uniform(8.5, 10)) * np.exp(-(((x - MIDDLE - turn) / 40) ** 2)))
    chest += 0.14 * _vessels(rng, turn, size) * air
    bones, edges = _ribs(rng, turn, size)
    chest += 0.085 * bones + 0.075 * edges
    chest += 0.16 * _clavicles(rng, turn, size)
    inner = Image.fromarray(air).reduce(8)
    clear = np.asarray(inner.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) * (solid < 0.02)
    return chest.astype(np.float32), clear


def _ribs(rng: Generator, turn: float, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw ten pairs of ribs, with fainter anterior parts, and their cortex seen edge-on."""
    whole, inner = Sketch(SIDE, SIDE), Sketch(SIDE, SIDE)
    step, first, slope = rng.uniform(62, 70), rng.uniform(120, 150), rng.uniform(40, 70)
    for side in (-1, 1):
        for number in range(10):
            wide = 250 + 150 * np.sin(min(1.0, (number + 1) / 7) * np.pi / 2)
            top = first + step * number + rng.normal(0, 4)
            back = [(34, top), (0.45 * wide, top - 22), (0.8 * wide, top + 0.35 * slope), (wide, top + 1.6 * slope)]
            front = [(wide, top + 1.6 * slope), (0.94 * wide, top + 2.9 * slope), (0.6 * wide, top + 4 * slope)]
            for points, width, value in ((back, 21, 1.0), (front, 25, 0.45)):
                line = curve(np.array([(side * a * size + MIDDLE + turn, b) for a, b in points]))
                whole.line(line, width, value)
                inner.line(line, width - 7, value)
    bones = whole.mask(1.5)
    return bones, np.clip(bones - inner.mask(2.5), 0, 1)


def _clavicles(rng: Generator, turn: float, size: float) -> np.ndarray:
    lines, lift = Sketch(SIDE, SIDE), rng.uniform(-20, 25)
    for side in (-1, 1):
        points = [(44, 196), (130, 176 - lift), (230, 130 - lift), (350, 128 - lift)]
        moved = np.array(points) + rng.normal(0, 5, (4, 2))
        lines.line(curve(moved * [side * size, 1] + [MIDDLE + turn, 0]), rng.uniform(20, 26))
    return lines.mask(2.5)


def _vessels(rng: Generator, turn: float, size: float) -> np.ndarray:
    """Draw vessels that leave the hila and become thinner towards the pleura."""
    tree = Sketch(SIDE, SIDE)
    for side in (-1, 1):
        for angle in np.linspace(-1.35, 1.35, 13) + rng.normal(0, 0.08, 13):
            place = np.array([side * 80 * size + MIDDLE + turn, 470 + rng.normal(0, 25)])
            width = rng.uniform(7, 13)
            for _ in range(9):
                step = rng.uniform(22, 38) * np.array([side * np.cos(angle), np.sin(angle)])
                tree.line(np.array([place, place + step]), width, min(1.0, width / 9))
                place, width, angle = place + step, width * 0.84, angle + rng.normal(0, 0.16)
                if rng.random() < 0.45:  # a branch
                    aside = angle + rng.choice([-0.6, 0.6])
                    tip = place + rng.uniform(40, 80) * np.array([side * np.cos(aside), np.sin(aside)])
                    tree.line(np.array([place, tip]), 0.6 * width, min(1.0, width / 9))
    return tree.mask(1.8)
