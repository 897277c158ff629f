"""The documents of a release: card and datasheet."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from generation.pool import today
from generation.release.screening import Screen

try:
    DISCERN = f"Discern {version('discern')}"
except PackageNotFoundError:
    DISCERN = "Discern"
OPEN = "*To be completed by the publisher.*"


@dataclass(frozen=True)
class Facts:
    """Facts for card, datasheet and metadata."""

    settings: dict[str, Any]  # of release.json
    made: int
    kept: int
    left_out: dict[str, int]  # by reason
    size: tuple[int, int]  # width x height, px
    distances: tuple[float, float, float]  # smallest, median, largest
    reference: str
    date: str

    @property
    def title(self) -> str:
        return self.settings["title"]


def facts(folder: Path, settings: dict[str, Any], made: int, kept: int, screen: Screen) -> Facts:
    """Return the facts of a finished release from its tables, read row by row."""
    distances = np.empty(kept)
    with (folder / "images.csv").open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file)):
            distances[number] = float(row["distance"])
    size = (int(row["width"]), int(row["height"]))
    with (folder / "excluded.csv").open(newline="", encoding="utf-8") as file:
        left_out = Counter(row["reason"] for row in csv.DictReader(file))
    least, median, greatest = np.quantile(distances, (0, 0.5, 1)).tolist()
    return Facts(settings, made, kept, dict(left_out), size, (least, median, greatest), screen.reference, today())


def card(facts: Facts) -> str:
    """Return README.md of the release."""
    own, (width, height) = facts.settings, facts.size
    return f"""# {facts.title}

{facts.kept:,} synthetic radiographs of {width} x {height} px, 8-bit grey PNG, made by {DISCERN}.

**Not for diagnosis.** These images do not show patients, and nothing in them is a clinical finding. Do not use them for
decisions about care, or as evidence of how a disease looks.

- Licence: {own["licence"]}
- Released by: {own["creator"]}, {facts.date}
- Made by: the weights `{own["checkpoint"]}` (SHA-256 `{own["sha256"]}`), {own["sampler"]} with {own["steps"]} steps
- Seed: {own["seed"]}; the seed of every image is in `images.csv`, and reproduces it with the same software
{_enlarged(own)}
## Content

| file | description |
|---|---|
| `shards/` | the images, in tar files of at most {own["shard"]:,} each |
| `images.csv` | for every image: shard, seed, distance to the nearest training image, SHA-256 and size |
| `excluded.csv` | images that were made and left out, with reasons |
| `croissant.json` | machine-readable description (Croissant 1.0) |
| `DATASHEET.md` | a datasheet after Gebru et al. (2021) |
| `release.json` | all settings that determined the images |
| `SHA256SUMS` | `sha256sum --check SHA256SUMS` verifies all files |

## Screened against the training images

{facts.made:,} images were made. {_left_out(facts)}

- `copy`: it contains a training image, possibly mirrored or cropped (found by a perceptual hash, confirmed by a
  correlation of .72 or more).
- `near`: its cosine distance to the nearest of {own["training_images"]:,} distinct training images, by {own["space"]}
  features, is below {own["threshold"]:.4g} ({_threshold(facts)}).

The distance of the released images to the nearest training image is {facts.distances[0]:.4g} to
{facts.distances[2]:.4g}, with a median of {facts.distances[1]:.4g} (`distance`). Similarity between synthetic images
was not checked. The nearest training image is not named, because its name might identify a person.
"""


def datasheet(facts: Facts) -> str:
    """Return DATASHEET.md: the questions of Gebru et al. (2021), answered as far as the software can."""
    own, (width, height) = facts.settings, facts.size
    sections = {
        "Motivation": {
            "For what purpose was the data set created?": OPEN,
            "Who created it, and who paid for it?": f"{own['creator']}. {OPEN}",
        },
        "Composition": {
            "What do the instances represent?": "Synthetic radiographs. Each is the output of a network; none is a"
            " radiograph of a person.",
            "How many instances are there?": f"{facts.kept:,}, of {facts.made:,} that were made.",
            "Is it a sample of a larger set?": "Yes: of all images that the network can make, by consecutive"
            " seeds. None was selected or rejected for its appearance.",
            "What data does each instance consist of?": f"One 8-bit grey PNG of {width} x {height} px.",
            "Is there a label or target?": "No. All are synthetic.",
            "Are there errors, noise or redundancies?": "Teeth, roots and restorations may be malformed. Similar"
            " synthetic images were not searched for.",
            "Does it relate to people?": f"Through the {own['training_images']:,} radiographs that the network was"
            f" trained on. {OPEN}",
            "Could people be identified?": "Images that contain a training image, or are closer to one"
            f" than {_threshold(facts)}, were excluded. {_left_out(facts)} This does not prove that no trace of a"
            " person remains.",
        },
        "Collection process": {
            "How was the data acquired?": f"Sampled by {DISCERN}: {own['sampler']}, {own['steps']} steps,"
            f" seed {own['seed']}, weights of SHA-256 `{own['sha256']}`. `release.json` has every setting.",
            "Over what time frame was the data collected?": f"Finished on {facts.date}.",
            "Was there an ethical review?": OPEN,
        },
        "Preprocessing": {
            "Was the data cleaned or changed?": f"Only by the screening above{_and_enlarged(own)}.",
            "Is the raw data available?": "With the weights, the excluded images can be made again from"
            f" their seeds in `excluded.csv`.{_copies(facts)}",
        },
        "Uses": {
            "What has it been used for?": OPEN,
            "What could it be used for?": "Observer studies of whether synthetic radiographs can be told from real"
            " ones, teaching, tests of software.",
            "What should it not be used for?": "Diagnosis, or claims about how often or how a disease looks. A model"
            " trained only on it learns the generator's faults.",
        },
        "Distribution": {
            "Under which licence?": f"{own['licence']}.",
            "How is it distributed?": OPEN,
        },
        "Maintenance": {"Who maintains it, and how can they be contacted?": OPEN, "Will it be updated?": OPEN},
    }
    lines = [f"# Datasheet: {facts.title}", "", "After Gebru et al., *Datasheets for datasets* (2021).", ""]
    for section, questions in sections.items():
        lines += [f"## {section}", ""]
        for question, answer in questions.items():
            lines += [f"**{question}** {answer}", ""]
    return "\n".join(lines)


def _enlarged(own: dict[str, Any]) -> str:
    if not own["enlarged_by"]:
        return ""
    return f"- Enlarged by: the weights `{own['enlarged_by']}` (SHA-256 `{own['enlarged_sha256']}`)\n"


def _and_enlarged(own: dict[str, Any]) -> str:
    return f", and enlargement by the network `{own['enlarged_by']}`" if own["enlarged_by"] else ""


def _left_out(facts: Facts) -> str:
    total = facts.made - facts.kept
    if not total:
        return "None had to be left out."
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in sorted(facts.left_out.items()))
    return f"{total:,} were left out: {reasons}."


def _copies(facts: Facts) -> str:
    if not facts.left_out.get("copy"):
        return ""
    return " These include copies of training images: share the weights only with people who may see these."


def _threshold(facts: Facts) -> str:
    if facts.settings["threshold_given"]:
        return f"a chosen threshold of {facts.settings['threshold']:.4g}"
    return f"the smallest distance of {facts.reference}"
