"""Images and pools for docs/screenshots.py, from the phantoms of its pool for ratings."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

from flask import Flask
from PIL import Image, ImageFilter

import generation.__main__ as generation
from generation.pool import read_table
from quiz_app.database import db
from quiz_app.pools import importing

METHODS = {"method-a": 1.0, "method-b": 2.5, "reference": 0.5}  # radius of the blur


def uploaded(app: Flask, path: str) -> str:
    """A zip of images in two folders whose names do not say their class, as a researcher may bring it."""
    drawn = sorted((app.config["SETTINGS"].instance / "drawn" / "images").iterdir())
    with zipfile.ZipFile(path, "w") as archive:
        for number, image in enumerate(drawn[:8]):
            archive.write(image, f"{'clinic' if number % 2 else 'model-7'}/{image.name}")
    return path


def versions(app: Flask, path: str) -> str:
    """A zip with one folder a method and a reference, in which a method lacks a case."""
    drawn = sorted((app.config["SETTINGS"].instance / "drawn" / "images").iterdir())[:5]
    with zipfile.ZipFile(path, "w") as archive:
        for folder, radius in METHODS.items():
            for number, image in enumerate(drawn):
                if (folder, number) != ("method-b", 2):
                    archive.writestr(f"{folder}/case-{number + 1}.png", restored(image, radius))
    return path


def restored(image: Path, radius: float) -> bytes:
    """An image as a method with so much blur might give it."""
    file = io.BytesIO()
    with Image.open(image) as drawn:
        drawn.filter(ImageFilter.GaussianBlur(radius)).save(file, "PNG")
    return file.getvalue()


def pool_of(app: Flask, folder: Path, slug: str, options: list[str]) -> None:
    """Make a pool of folders as the command does, and import it."""
    assert generation.main(["pool", "--out", str(folder / slug), "--practice", "0", *options]) == 0
    with app.app_context():
        importing.import_folder(folder / slug, app.config["SETTINGS"].images, slug)
        db.session.commit()
        db.session.remove()


def make_designs(app: Flask, folder: Path) -> None:
    """Pools of quartets and of comparisons, from the phantoms of the one for ratings."""
    drawn = read_table(app.config["SETTINGS"].instance / "drawn")
    for truth, names in (("real", ["clinic"]), ("synthetic", ["epoch-100", "epoch-200", "epoch-300"])):
        for number, case in enumerate(case for case in drawn.scored if case.truth == truth):
            (folder / names[number % len(names)]).mkdir(exist_ok=True)
            shutil.copy(drawn.path(case), folder / names[number % len(names)])
    for method, radius in METHODS.items():
        (folder / method).mkdir()
        for case in drawn.scored[:4]:
            (folder / method / f"{case.case}.png").write_bytes(restored(drawn.path(case), radius))
    at = {name: str(folder / name) for name in ("clinic", "epoch-100", "epoch-200", "epoch-300", *METHODS)}
    sources = [at["epoch-100"], at["epoch-200"], at["epoch-300"]]
    pool_of(app, folder, "quartets", ["--real", at["clinic"], "--synthetic", *sources, "--quartets", "2"])
    compared = ["--synthetic", at["method-a"], at["method-b"], "--reference", at["reference"], "--comparisons", "3"]
    pool_of(app, folder, "comparisons", compared)
