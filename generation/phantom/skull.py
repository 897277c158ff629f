"""The bones and airways around the teeth of a phantom, as attenuation on a 1024 x 512 panoramic film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFilter
from scipy.interpolate import make_interp_spline
from scipy.ndimage import gaussian_filter

WIDTH, HEIGHT = 1024, 512


@dataclass(frozen=True)
class Head:
    """The patient and their position in the machine. Lengths in px, heights downwards."""

    middle: float
    scale: float
    bite: float  # height of the occlusal plane at the midline
    smile: float  # how far it rises towards the molars: chin down
    slope: float
    gap: float
    crest: float  # bone loss around the necks
    density: float
    chin: float
    angle: float  # distance of the jaw's angles from the midline
    ramus: float  # height of the condyles

    def occlusal(self, x: Any) -> Any:
        """Return the height of the occlusal plane at column x."""
        t = (x - self.middle) / (330.0 * self.scale)
        return self.bite - self.smile * t * t + self.slope * t


def head(rng: np.random.Generator) -> Head:
    """Return a random patient."""
    return Head(
        middle=512 + rng.normal(0, 9),
        scale=rng.uniform(0.93, 1.06),
        bite=rng.uniform(272, 298),
        smile=rng.uniform(2, 34),
        slope=rng.normal(0, 4),
        gap=rng.uniform(4, 20),
        crest=rng.exponential(5.0),
        density=rng.uniform(0.8, 1.2),
        chin=rng.uniform(462, 484),
        angle=rng.uniform(372, 412),
        ramus=rng.uniform(88, 126),
    )


def curve(points: ArrayLike, samples: int = 160) -> np.ndarray:
    """Return a smooth curve through points (n, 2), as (samples, 2)."""
    points = np.asarray(points, dtype=float)
    along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    return make_interp_spline(along, points, k=min(3, len(points) - 1))(np.linspace(0, along[-1], samples))


class Sketch:
    """Shapes and lines drawn at twice the size, returned as a float mask in 0..1."""

    def __init__(self, width: int = WIDTH, height: int = HEIGHT) -> None:
        self.size = (width, height)
        self.image = Image.new("L", (2 * width, 2 * height))
        self.pen = ImageDraw.Draw(self.image)

    def shape(self, points: np.ndarray, value: float = 1.0) -> None:
        self.pen.polygon([(2 * x, 2 * y) for x, y in points], fill=round(255 * value))

    def line(self, points: np.ndarray, width: float, value: float = 1.0) -> None:
        self.pen.line([(2 * x, 2 * y) for x, y in points], fill=round(255 * value), width=round(2 * width))

    def mask(self, blur: float) -> np.ndarray:
        if blur < 4:
            blurred = self.image.reduce(2).filter(ImageFilter.GaussianBlur(blur))
        else:  # at a quarter of the size, which costs a sixteenth
            small = self.image.reduce(8).filter(ImageFilter.GaussianBlur(blur / 4))
            blurred = small.resize(self.size, Image.Resampling.BICUBIC)
        return np.asarray(blurred, dtype=np.float32) / 255


def clouds(rng: np.random.Generator, cell: int, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """Return smooth noise of unit variance that varies over about `cell` px."""
    height, width = shape
    coarse = rng.standard_normal((height // cell + 3, width // cell + 3)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)) * 1.3


def trabeculae(rng: np.random.Generator) -> np.ndarray:
    """Return trabecular texture: noise of a few px, wider than high, with varying density."""
    grain = rng.standard_normal((HEIGHT, WIDTH), dtype=np.float32)
    net = gaussian_filter(grain, (1.0, 1.5), truncate=3.0) - gaussian_filter(grain, (2.4, 3.4), truncate=2.5)
    net /= net.std()
    return (net + 0.25 * np.abs(net)) * (1 + 0.3 * clouds(rng, 64))


def _both(head: Head, rng: np.random.Generator, points: Any, wander: float = 3.0) -> list[np.ndarray]:
    """Return a curve, given for positive t, on both sides with small variations. t is px from the midline."""
    sides = []
    for side in (-1, 1):
        moved = np.asarray(points, dtype=float) + rng.normal(0, wander, (len(points), 2)) * (np.c_[points][:, :1] != 0)
        sides.append(curve(np.c_[head.middle + side * moved[:, 0] * head.scale, moved[:, 1]]))
    return sides


def draw(rng: np.random.Generator, head: Head) -> tuple[np.ndarray, np.ndarray]:
    """The attenuation of everything except teeth, and the mask of trabecular bone; both float32 (HEIGHT, WIDTH)."""
    Y, X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    t = (X - head.middle) / head.scale
    film = 0.46 + 0.06 * clouds(rng, 128) + 0.03 * clouds(rng, 40) + 0.012 * clouds(rng, 12)
    film += rng.uniform(0.16, 0.30) * np.exp(-((t / rng.uniform(60, 95)) ** 2)) * (0.75 + 0.25 * Y / HEIGHT)  # spine
    film += 0.05 * np.exp(-((t / 45) ** 2)) * np.sin(Y / rng.uniform(13, 17) + rng.uniform(0, 6))  # its vertebrae
    edge = np.clip((np.abs(t) - 455) / 45, 0, 1)
    film += edge * (0.30 + 0.10 * np.sin(Y / 15 + rng.uniform(0, 6)) + 0.05 * clouds(rng, 40))
    film += 0.30 * np.clip((120 - Y) / 120, 0, 1) * np.clip((np.abs(t) - 240) / 200, 0, 1)  # base of the skull

    bone = _mandible(rng, head, film)
    bone = np.maximum(bone, _maxilla(rng, head, film, X, Y))
    _airways(rng, head, film)
    return film, bone


def _mandible(rng: np.random.Generator, head: Head, film: np.ndarray) -> np.ndarray:
    necks = head.gap / 2 + 42 * head.scale + head.crest
    crest = [(t, head.occlusal(head.middle + t * head.scale) + necks + rng.normal(0, 2.5)) for t in range(245, -1, -35)]
    a, top = head.angle, head.ramus
    half = [
        (0, head.chin), (60, head.chin), (135, head.chin - 3), (235, head.chin - 22), (a - 70, head.chin - 52),
        (a - 8, 384), (a + 18, 320), (a + 26, 240), (a + 24, top + 72), (a + 38, top + 28), (a + 34, top + 4),
        (a + 14, top - 4), (a - 6, top + 10), (a - 10, top + 52), (a - 34, top + 74), (a - 64, top + 40),
        (a - 80, top + 14), (a - 96, top + 34), (a - 98, top + 96), (a - 106, 250), (a - 118, 286),
        (268, crest[0][1] - 10), *crest,
    ]  # fmt: skip
    body = Sketch()
    left, right = _both(head, rng, half, wander=2.5)
    outline = np.r_[right, left[::-1]]
    body.shape(outline)
    mask = body.mask(1.6)
    inner = body.mask(7.0)
    film += head.density * (0.26 * mask + 0.34 * mask * (1 - inner))  # the cortex, seen edge on
    lines = Sketch()
    thick = rng.uniform(4.5, 8)
    for side in (left, right):
        lines.line(side[:66] - [0, thick * 0.7], thick, 0.9)  # the lower border
    for ridge in _both(head, rng, [(a - 100, 270), (280, 330), (225, 372), (170, 398)]):
        lines.line(ridge, 4, 0.35)
    film += head.density * 0.42 * lines.mask(2.4)
    canal, walls = Sketch(), Sketch()
    for way in _both(head, rng, [(a - 40, 235), (a - 62, 300), (300, 372), (235, 412), (175, 424), (142, 412)], 2.0):
        canal.line(way, 9)
        walls.line(way - [0, 5.5], 1.8)
        walls.line(way - [0, -5.5], 1.8)
        x, y = way[-1]
        canal.pen.ellipse((2 * x - 14, 2 * y - 16, 2 * x + 14, 2 * y + 8), fill=255)  # mental foramen
    film -= 0.075 * canal.mask(2.4)
    film += 0.07 * head.density * walls.mask(1.5)
    return mask


def _maxilla(rng: np.random.Generator, head: Head, film: np.ndarray, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    palate = rng.uniform(168, 186)
    t = np.abs(X - head.middle) / head.scale
    crest = head.occlusal(X) - head.gap / 2 - 41 * head.scale - head.crest
    roof = palate - 6 + 10 * (t / 250) ** 2
    inside = (
        np.clip((Y - roof) / 14, 0, 1)
        * np.clip((crest + 2 * clouds(rng, 24) - Y) / 8, 0, 1)
        * np.clip((296 - t) / 50, 0, 1)
    )
    film += 0.24 * head.density * inside
    film += 0.10 * inside * np.exp(-(((crest - Y) / 7) ** 2))

    cavities, walls, soft = Sketch(), Sketch(), Sketch()
    floor = palate + rng.uniform(2, 24)
    sinuses = [
        (84, palate - 62), (78, palate - 20), (110, palate - 2), (160, floor), (215, floor - 2), (252, palate - 34),
        (262, palate - 92), (200, palate - 118), (120, palate - 104), (84, palate - 62),
    ]  # fmt: skip
    nostril = [
        (6, palate - 12), (34, palate - 10), (52, palate - 40), (40, palate - 92), (16, palate - 112), (6, palate - 60),
        (6, palate - 12),
    ]  # fmt: skip
    for sinus in _both(head, rng, sinuses, 5.0):
        cavities.shape(sinus, rng.uniform(0.35, 0.75))
        walls.line(sinus[8:110], 1.8, rng.uniform(0.5, 0.9))
    for nose in _both(head, rng, nostril, 2.5):
        cavities.shape(nose, 0.9)
    film -= 0.24 * cavities.mask(4.5) * (1 + 0.3 * clouds(rng, 40))
    for shell in _both(
        head, rng, [(14, palate - 78), (40, palate - 58), (42, palate - 36), (22, palate - 32), (14, palate - 50)]
    ):
        soft.shape(shell, 0.8)
    for strut in _both(
        head, rng, [(190, palate - 80), (200, palate - 34), (224, palate - 10), (246, palate - 32), (256, palate - 96)]
    ):
        walls.line(strut, rng.uniform(3, 6), 0.7)  # zygomatic buttress
        soft.line(strut, 14, 0.3)
    for arch in _both(
        head,
        rng,
        [(240, palate - 80), (300, palate - 74), (370, palate - 88), (440, palate - 84), (520, palate - 96)],
        5.0,
    ):
        soft.line(arch, rng.uniform(12, 22), 0.6)
        walls.line(arch - [0, 9], 2.0, 0.35)
    for orbit in _both(head, rng, [(40, -14), (74, 26), (140, 46), (214, 34), (280, -18)], 6.0):
        walls.line(orbit, rng.uniform(3, 6), 0.5)
        soft.line(orbit - [0, -10], 20, 0.35)
    for fissure in _both(head, rng, [(278, palate - 110), (290, palate - 60), (292, palate - 20), (280, palate + 22)]):
        walls.line(fissure, 2, rng.uniform(0.3, 0.7))
    for _ in range(rng.integers(10, 18)):  # edges of the skull base at all angles
        x, y = head.middle + rng.choice([-1, 1]) * rng.uniform(250, 520), rng.uniform(-10, 110)
        steps = np.r_[[(x, y)], rng.normal([rng.normal(0, 34), rng.normal(4, 24)], 9, (3, 2))]
        soft.line(curve(np.cumsum(steps, axis=0), 60), rng.uniform(4, 11), rng.uniform(0.2, 0.7))
    across = np.linspace(-330, 330, 80)
    ends = walls.image.copy()
    for lift, width, value in ((0, 3.4, 1.0), (-rng.uniform(9, 16), 2.6, 0.6), (rng.uniform(7, 12), 2.2, 0.35)):
        bow = palate + lift + rng.uniform(-6, 16) * (across / 265) ** 2 + rng.normal(0, 1.2) * np.sin(across / 60)
        walls.line(np.c_[head.middle + across * head.scale, bow], width, value)
    septum = curve([(head.middle + rng.normal(0, 3), palate - lift) for lift in (4, 45, 80, 120, 160)])
    walls.line(septum, 3.4, 0.6)
    walls.image = Image.composite(walls.image, ends, _taper(head))  # the palate fades out sideways
    film += 0.26 * soft.mask(4.0) * (1 + 0.4 * clouds(rng, 32))
    film += 0.34 * head.density * walls.mask(1.9) * (1 + 0.35 * clouds(rng, 32))
    return inside


def _taper(head: Head) -> Image.Image:
    t = np.abs(np.arange(2 * WIDTH) / 2 - head.middle) / head.scale
    row = np.clip((330 - t) / 110, 0, 1) * 255
    return Image.fromarray(np.tile(row.astype(np.uint8), (2 * HEIGHT, 1)))


def _airways(rng: np.random.Generator, head: Head, film: np.ndarray) -> None:
    air, ghost = Sketch(), Sketch()
    for throat in _both(head, rng, [(296, 176), (338, 246), (372, 330), (396, 430), (408, 505)], 6.0):
        air.line(throat, rng.uniform(16, 34), 0.8)
    across = np.linspace(-270, 270, 60)
    roof = rng.uniform(198, 212) + 14 * (across / 270) ** 2
    air.line(
        np.c_[head.middle + across * head.scale, roof], rng.uniform(5, 16), rng.uniform(0.3, 1.0)
    )  # above the tongue
    bite = np.c_[head.middle + across * head.scale, head.occlusal(head.middle + across * head.scale)]
    air.line(bite, head.gap * 0.8 + 4, 0.75)
    film -= 0.17 * air.mask(6.0)
    for hyoid in _both(head, rng, [(110, 496), (190, 486), (262, 498), (300, 512)], 5.0):
        ghost.line(hyoid, 12, rng.uniform(0.4, 0.9))
    for jaw in _both(head, rng, [(190, 250), (280, 190), (380, 150), (470, 120)], 10.0):
        ghost.line(jaw, 60, 0.35)  # the other side's jaw, out of focus and higher up
    film += 0.22 * ghost.mask(9.0)
