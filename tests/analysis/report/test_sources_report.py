"""The report of a study of three generators, one of them better than the others."""

import csv
import json

import jsonschema
import numpy as np
import pytest

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report import document, tables, write
from analysis.responses import load_csv

NAMES = ("Diffusion", "GAN", "Mirror")
EACH = 30


def write_study(path, shifts=(0.0, 1.2, 1.2), names=NAMES, readers=5):
    rng = np.random.default_rng(4)
    kinds = ["hospital"] * 40 + [name for name in names for _ in range(EACH)]
    shift = np.r_[np.zeros(40), np.repeat(shifts, EACH)]
    seen = shift + rng.normal(0, 0.5, shift.size)
    levels = np.digitize(seen + rng.normal(0, 0.7, (readers, shift.size)), (-0.8, 0.0, 0.5, 1.2)) + 1
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("reader", "case", "truth", "source", "level"))
        for reader, row in enumerate(levels, start=1):
            for case, (kind, level) in enumerate(zip(kinds, row, strict=True), start=1):
                truth = "real" if kind == "hospital" else "synthetic"
                rows.writerow((f"R{reader}", f"c{case}", truth, kind, level))
    return load_csv(path)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    write(write_study(folder / "responses.csv"), folder / "report", Settings(bootstrap=200), workers=1)
    return folder / "report"


@pytest.fixture(scope="module")
def results(report):
    return json.loads((report / "results.json").read_text("utf-8"))


def test_the_results_keep_to_the_published_schema(report, results):
    jsonschema.validate(results, json.loads((report / "results.schema.json").read_text("utf-8")))
    broken = json.loads(json.dumps(results))
    del broken["sources"]["pairs"]
    with pytest.raises(jsonschema.ValidationError, match="'pairs' is a required property"):
        jsonschema.validate(broken, json.loads((report / "results.schema.json").read_text("utf-8")))


def test_the_better_generator_is_found_and_named_in_plain_words(results):
    told = results["sources"]
    assert told["names"] == list(NAMES)
    fooled = [pair for pair in told["pairs"] if pair["figure"] == "fooled"]
    assert [(pair["first"], pair["second"], pair["holm"] < 0.05) for pair in fooled[:2]] == [
        ("Diffusion", "GAN", True),
        ("Diffusion", "Mirror", True),
    ]
    assert told["ranking"]["fooled"]["Diffusion"]["best"] > 0.95
    words = " ".join(document.text(results, "findings").split())
    assert (
        "Diffusion fooled readers more often than GAN: the proportions of their images called real differed by" in words
    )
    assert "GAN fooled readers more often" not in words


def test_the_page_has_the_section_its_tables_and_figures(report):
    page = (report / "report.html").read_text("utf-8")
    assert '<h2 id="sources">Sources compared</h2>' in page
    for title in (
        "How convincing each source was",
        "Share called real, by reader and source",
        "Differences between sources",
    ):
        assert title in page
    for name in ("sources_each", "sources_pairs", "sources_together", "sources_ranking", "sources_readers"):
        assert (report / "tables" / f"{name}.csv").is_file()
        assert (report / "tables" / f"{name}.tex").is_file()
    assert (report / "figures" / "sources_forest.svg").is_file()


def test_equal_generators_are_not_called_equal(tmp_path):
    results = measure(write_study(tmp_path / "r.csv", (0.6, 0.6, 0.6)), Settings(bootstrap=50))
    words = document.text(results, "findings")
    assert "We found no difference between sources" in words
    assert "fooled readers more often" not in words


def test_one_source_is_not_compared(tmp_path):
    results = measure(write_study(tmp_path / "r.csv", names=("GAN",) * 3), Settings(bootstrap=50))
    assert "sources" not in results
    assert not [table for table in tables.all_tables(results) if table.name.startswith("sources")]


def test_names_of_single_images_are_not_taken_for_generators(tmp_path):
    path = tmp_path / "r.csv"
    write_study(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *(line.replace("GAN", f"GAN {line.split(',')[1]}") for line in lines[1:])]))
    results = measure(load_csv(path), Settings(bootstrap=50))
    assert results["sources"]["reason"] == "32 sources of synthetic images; at most 12 are compared"
    assert not [table for table in tables.all_tables(results) if table.name.startswith("sources")]
    assert "fooled readers more often" not in document.text(results, "findings")
