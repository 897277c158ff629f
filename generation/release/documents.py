"""What a release says of itself in words: the card and the datasheet."""

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
OPEN = "*To be written by whoever releases it.*"


@dataclass(frozen=True)
class Facts:
    """What card, datasheet and metadata draw on."""

    settings: dict[str, Any]  # of release.json
    made: int
    kept: int
    left_out: dict[str, int]  # by reason
    size: tuple[int, int]  # width x height, px
    distances: tuple[float, float, float]  # least, median, greatest
    reference: str
    date: str

    @property
    def title(self) -> str:
        return self.settings["title"]


def facts(folder: Path, settings: dict[str, Any], made: int, kept: int, screen: Screen) -> Facts:
    """The facts of a finished release, from its tables; a row at a time."""
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
    """README.md of the release."""
    own, (width, height) = facts.settings, facts.size
    return f"""# {facts.title}

{facts.kept:,} synthetic radiographs of {width} x {height} px, 8-bit grey PNG, made by {DISCERN}.

**Not for diagnosis.** These images show no patient, and nothing in them is a finding. Do not use them to decide about
anybody's care, nor as evidence of how a disease looks.

- Licence: {own["licence"]}
- Released by: {own["creator"]}, {facts.date}
- Made by: the weights `{own["checkpoint"]}` (SHA-256 `{own["sha256"]}`), {own["sampler"]} with {own["steps"]} steps
- Seed: {own["seed"]}; the seed of every image is in `images.csv`, and gives it again on the same software
{_enlarged(own)}
## What is here

| file | what it is |
|---|---|
| `shards/` | the images, in tar files of {own["shard"]:,} each at most |
| `images.csv` | of every image: shard, seed, distance to the nearest training image, SHA-256 and size |
| `excluded.csv` | what was made and left out, and why |
| `croissant.json` | this description for machines (Croissant 1.0) |
| `DATASHEET.md` | a datasheet after Gebru et al. (2021) |
| `release.json` | every setting that decided the images |
| `SHA256SUMS` | `sha256sum --check SHA256SUMS` says whether all is whole |

## Screened against the training images

{facts.made:,} images were made. {_left_out(facts)}

- `copy`: a training image was found again in it, upright or turned over, cut or not (a perceptual hash, confirmed by a
  correlation of .72 or more).
- `near`: its cosine distance to the nearest of {own["training_images"]:,} distinct training images, by {own["space"]}
  features, is below {own["threshold"]:.4g} ({_threshold(facts)}).

The released images are {facts.distances[0]:.4g} to {facts.distances[2]:.4g} away from the nearest training image,
{facts.distances[1]:.4g} in the median (`distance`). Whether two synthetic images are alike was not looked at. Which
training image is the nearest is not told: its name might say whose it is.
"""


def datasheet(facts: Facts) -> str:
    """DATASHEET.md: the questions of Gebru et al. (2021), answered as far as the software can know."""
    own, (width, height) = facts.settings, facts.size
    sections = {
        "Motivation": {
            "For what purpose was the data set created?": OPEN,
            "Who created it, and who paid for it?": f"{own['creator']}. {OPEN}",
        },
        "Composition": {
            "What do the instances represent?": "Synthetic radiographs. Each is the output of a network; none was"
            " taken of a person.",
            "How many instances are there?": f"{facts.kept:,}, of {facts.made:,} that were made.",
            "Is it a sample of a larger set?": "Yes: of all images that the network can make, by consecutive"
            " seeds. None was chosen or rejected for its looks.",
            "What data does each instance consist of?": f"One 8-bit grey PNG of {width} x {height} px.",
            "Is there a label or target?": "No. All are synthetic.",
            "Are there errors, noise or redundancies?": "Teeth, roots and restorations may be malformed. Synthetic"
            " images that are alike were not looked for.",
            "Does it relate to people?": f"Through the {own['training_images']:,} radiographs that the network was"
            f" trained on. {OPEN}",
            "Could people be identified?": "Images in which a training image was found again, or that are nearer to one"
            f" than {_threshold(facts)}, were to be left out. {_left_out(facts)} This does not prove that nothing of a"
            " person is left.",
        },
        "Collection process": {
            "How was the data acquired?": f"Sampled by {DISCERN}: {own['sampler']}, {own['steps']} steps,"
            f" seed {own['seed']}, weights of SHA-256 `{own['sha256']}`. `release.json` has every setting.",
            "Over what time?": f"Finished on {facts.date}.",
            "Was there an ethical review?": OPEN,
        },
        "Preprocessing": {
            "Was the data cleaned or changed?": f"Nothing but the screening above{_and_enlarged(own)}.",
            "Is the raw data there?": "Whoever has the weights can make the images that were left out again, from"
            f" their seeds in `excluded.csv`.{_copies(facts)}",
        },
        "Uses": {
            "What has it been used for?": OPEN,
            "What could it be used for?": "Observer studies of whether synthetic radiographs can be told from real"
            " ones, teaching, tests of software.",
            "What should it not be used for?": "Diagnosis, or claims about how often or how a disease looks. A model"
            " trained on it alone learns the generator's faults.",
        },
        "Distribution": {
            "Under which licence?": f"{own['licence']}.",
            "How is it distributed?": OPEN,
        },
        "Maintenance": {"Who maintains it, and how are they reached?": OPEN, "Will it be updated?": OPEN},
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
    return " Copies of training images are among them: the weights must not be shared beyond those who may see these."


def _threshold(facts: Facts) -> str:
    if facts.settings["threshold_given"]:
        return f"a threshold of {facts.settings['threshold']:.4g} that was chosen"
    return f"the least distance that {facts.reference} have"
