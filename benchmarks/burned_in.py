"""How often lettering drawn into radiographs is found, and how often lettering is found where there is none.

python benchmarks/burned_in.py [--folder DIR ...] [--phantoms N] [--images N]

Texts such as names, dates and numbers, 4 to 14 characters long, in nine fonts of 10 to 40 px, are drawn at a random
place or in a corner, at least 60 grey levels brighter or darker than 95 % of the pixels below. A text counts as found
if boxes cover half of its width. Images of each folder are also tested at twice their size; a phantom's own label does
not count.
"""

import argparse
import os
import time
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from PIL import Image, ImageDraw, ImageFont

from generation import phantom, radiographs
from generation.radiographs import burned_in

CONTRAST, PLACE = 60, 6
TEXTS = ["ANDERSEN, MAJA", "Jensen Peter", "MUELLER", "Schmidt, Eva", "DOE^JANE", "Nguyen Van", "Sorensen", "MAJA"]
TEXTS += ["Lind", "DOE J", "12.03.1968", "2019-11-04", "04/11/2023", "21:45:10", "ID 4711082", "1968", "070245-1234"]
FONTS = ["DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif"]
FONTS += ["STIXGeneral", "STIXGeneralBol", "cmss10", "cmtt10"]


def fonts() -> dict[str, str]:
    """The fonts that come with matplotlib, and the one of Pillow (empty path)."""
    import matplotlib

    home = Path(matplotlib.get_data_path(), "fonts", "ttf")
    return {"Aileron": ""} | {name: str(home / f"{name}.ttf") for name in FONTS}


def lettered(pixels: np.ndarray, rng: np.random.Generator, corner: bool) -> tuple | None:
    """The pixels with a text, its box, and its category; None if no text fits with the required contrast."""
    height, width = pixels.shape
    for _ in range(100):
        name, path = list(fonts().items())[rng.integers(len(FONTS) + 1)]
        points, text = int(rng.integers(10, 41)), TEXTS[rng.integers(len(TEXTS))]
        font = ImageFont.truetype(path, points) if path else ImageFont.load_default(points)
        left, top, right, bottom = font.getbbox(text)
        wide, high = int(right - left) + 2, int(bottom - top) + 2
        if wide > width - 2 * PLACE or high > height - 2 * PLACE:
            continue
        ends = [(PLACE, width - wide - PLACE), (PLACE, height - high - PLACE)]
        x, y = (int(rng.choice(pair)) if corner else int(rng.integers(pair[0], pair[1] + 1)) for pair in ends)
        darkest, brightest = np.percentile(pixels[y : y + high, x : x + wide], [5, 95])
        greys = {
            "bright": np.arange(np.ceil(brightest) + CONTRAST, 256),
            "dark": np.arange(0, np.floor(darkest) - CONTRAST + 1),
        }
        fitting = [kind for kind, own in greys.items() if len(own)]
        if fitting:
            kind = str(rng.choice(fitting))
            image = Image.fromarray(pixels)
            ImageDraw.Draw(image).text((x - left, y - top), text, fill=int(rng.choice(greys[kind])), font=font)
            size = "10 to 14 px" if points < 15 else "15 to 24 px" if points < 25 else "25 to 40 px"
            return np.asarray(image), (y, x, y + high, x + wide), (name, size, kind, "corner" if corner else "anywhere")
    return None


def is_found(boxes: list[burned_in.Box], place: tuple[int, int, int, int]) -> bool:
    top, left, bottom, right = place
    covered = np.zeros(right - left, bool)
    for box in boxes:
        if box.top < bottom and top < box.bottom:
            covered[max(0, box.left - left) : max(0, box.right - left)] = True
    return bool(covered.mean() >= 0.5)


def alarms(pixels: np.ndarray, label: bool) -> list[burned_in.Box]:
    found = burned_in.find(pixels)
    return [box for box in found if not (label and box.top > phantom.HEIGHT - 40 and box.left < 100)]


def drawn(number: int, pixels: np.ndarray) -> tuple[tuple, bool] | None:
    given = lettered(pixels, np.random.Generator(np.random.PCG64([7, number])), bool(number % 2))
    return (given[2], is_found(burned_in.find(given[0]), given[1])) if given else None


def kinds(args: argparse.Namespace, do: Parallel) -> dict[str, list[np.ndarray]]:
    found = {}
    for folder in args.folder:
        paths = radiographs.find(folder)
        images = [
            found.image for found in radiographs.looks(paths[:: max(1, len(paths) // args.images)][: args.images])
        ]
        found[folder.name] = [np.asarray(image) for image in images]
        double = [image.resize((2 * image.width, 2 * image.height), Image.Resampling.LANCZOS) for image in images]
        found[f"{folder.name}, twice as large"] = [np.asarray(image) for image in double]
    seeds = range(args.phantoms)
    found["phantoms"] = do(delayed(phantom.draw)(seed, ("real", "synthetic")[seed % 2]) for seed in seeds)
    return {name: images for name, images in found.items() if images}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, nargs="+", default=[], help="radiographs without lettering")
    parser.add_argument("--phantoms", type=int, default=200)
    parser.add_argument("--images", type=int, default=400, help="maximum number per folder (default 400)")
    args = parser.parse_args()
    do = Parallel(n_jobs=-1)
    of_kind = kinds(args, do)
    told: dict[str, list[bool]] = defaultdict(list)
    for name, images in of_kind.items():
        wrong = [bool(boxes) for boxes in do(delayed(partial(alarms, label=name == "phantoms"))(one) for one in images)]
        sizes = "x".join(map(str, images[0].shape[::-1]))
        print(f"{name} ({sizes}): false alarms in {sum(wrong)} of {len(wrong)} images, {np.mean(wrong):.1%}")
        for given in do(delayed(drawn)(number, one) for number, one in enumerate(images)):
            for key in ("all texts", name, *given[0]) if given else ():
                told[key].append(given[1])
    for key, hits in told.items():
        print(f"{key}: {sum(hits)} of {len(hits)} found, {np.mean(hits):.1%}")
    image = next(iter(of_kind.values()))[0]
    image = np.asarray(Image.fromarray(image).resize((1024, 512)))
    start = time.perf_counter()
    for _ in range(10):
        burned_in.find(image)
    spent = (time.perf_counter() - start) * 100
    print(f"{spent:.0f} ms per image of 1024 x 512, in one process of {os.cpu_count()} cores")
