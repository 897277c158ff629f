"""Plates of pictures: the right cases, from the pool that is the study's own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report.figures import Drawn
from analysis.report.plates import make_plates, open_pool
from analysis.responses import Responses, ResponsesError, load_ratings

TRUTHS = ("synthetic", "synthetic", "real", "real")


@pytest.fixture
def study(tmp_path: Path) -> Responses:
    """Three readers: c1 a clear TP, c2 a fooled FN of partial certainty, c3 a clear TN, c4 tied."""
    (tmp_path / "r.csv").write_text(
        "case,truth,A1,A2,A3\nc1,synthetic,5,5,4\nc2,synthetic,2,2,5\nc3,real,1,1,1\nc4,real,1,3,5\n"
    )
    return load_ratings(tmp_path / "r.csv")


def pool(folder: Path, phantom: bool = False, truths: tuple[str, ...] = TRUTHS) -> Path:
    """A pool of four small grey images."""
    (folder / "images").mkdir(parents=True)
    (folder / "pool.json").write_text(json.dumps({"format": 1, "phantom": phantom}))
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "file", "truth"])
        for i, truth in enumerate(truths, start=1):
            Image.fromarray(np.full((32, 64), 40 * i, dtype=np.uint8)).save(folder / "images" / f"{i}.png")
            writer.writerow([f"c{i}", f"images/{i}.png", truth])
    return folder


def plates(study: Responses, folder: Path, out: Path) -> dict[str, Drawn]:
    results = measure(study, Settings(bootstrap=50))
    return {plate.name: plate for plate in make_plates(results, open_pool(folder, study), out)}


def shown(plate: Drawn) -> list[str]:
    return [row["case"] for row in csv.DictReader(plate.numbers.splitlines())]


def test_plates_show_each_category_and_the_most_convincing(study: Responses, tmp_path: Path) -> None:
    made = plates(study, pool(tmp_path / "pool"), tmp_path / "out")
    assert shown(made["plate_categories"]) == ["c1", "c3", "c2"]
    assert shown(made["plate_convincing"]) == ["c2", "c1", "c1", "c2"]
    for plate in made.values():
        assert "phantoms" not in plate.caption
        with Image.open(tmp_path / "out" / f"{plate.name}.png") as image:
            assert image.width > 2000


def test_phantoms_are_called_phantoms_and_a_missing_image_leaves_the_plate_standing(
    study: Responses, tmp_path: Path
) -> None:
    folder = pool(tmp_path / "pool", phantom=True)
    (folder / "images" / "1.png").unlink()
    (folder / "images" / "3.png").write_bytes(b"no image")
    made = plates(study, folder, tmp_path / "out")
    assert all("The images are phantoms" in plate.caption for plate in made.values())
    assert shown(made["plate_categories"]) == ["c1", "c3", "c2"]


def test_a_pool_of_another_truth_is_refused_with_every_row(study: Responses, tmp_path: Path) -> None:
    folder = pool(tmp_path / "pool", truths=("real", "synthetic", "synthetic", "real"))
    with pytest.raises(ResponsesError) as caught:
        open_pool(folder, study)
    assert caught.value.faults == [
        "cases.csv, row 2: case 'c1' is real here, synthetic in the responses",
        "cases.csv, row 4: case 'c3' is synthetic here, real in the responses",
    ]


def test_a_folder_that_is_no_pool_and_a_pool_of_another_study_are_refused(study: Responses, tmp_path: Path) -> None:
    with pytest.raises(ResponsesError, match="not a pool folder"):
        open_pool(tmp_path, study)
    folder = pool(tmp_path / "pool")
    text = (folder / "cases.csv").read_text().replace("c", "x").replace("xase", "case")
    (folder / "cases.csv").write_text(text)
    with pytest.raises(ResponsesError, match="none of the study's cases"):
        open_pool(folder, study)
