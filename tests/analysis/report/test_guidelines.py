"""The guidelines item by item: all their numbers, and places that are in the report."""

from __future__ import annotations

import re

import pytest

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report.document import TEMPLATES
from analysis.report.tables import all_tables, guidelines
from analysis.responses import load_frame
from tests.analysis import comparisons, quartets, staircases

STUDIES = {
    "rating": staircases.study(4, 24).assign(design="rating", criterion="", value="", block=1),
    "quartet": quartets.study(4, 12),
    "comparison": comparisons.study(4, 12, criteria={"clearer": "better"}),
    "staircase": staircases.study(4, 24),
}
TRIPOD_ROWS = {
    3: "abc",
    5: "ab",
    6: "abc",
    8: "abc",
    9: "abc",
    12: "abcdefg",
    18: "abcdef",
    20: "abc",
    23: "ab",
    27: "abc",
}
STARD_ROWS = {15: "abcd", 16: "abc", 17: "ab", 26: "ab", 40: "ab"}
ROMAN = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"]


def parted(last: int, parts: dict[int, str]) -> list[str]:
    return [f"{i}{part}" for i in range(1, last + 1) for part in parts.get(i, " ")]


NUMBERS = {
    "claim": [str(i) for i in range(1, 45)],
    "stard_ai": [one.strip() for one in parted(40, STARD_ROWS)],
    "tripod_ai": [one.strip() for one in parted(27, TRIPOD_ROWS)],
    "grras": [str(i) for i in range(1, 16)],
    "synthetic": [f"S{i}" for i in range(1, 11)],
}


def items_of(name: str) -> list[str]:
    return [one["item"] for one in guidelines.items() if one["guideline"] == name]


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_of_a_guideline_is_there_once_and_in_order(name):
    assert items_of(name) == NUMBERS[name]


def test_decide_ai_has_its_seventeen_items_and_ten_general_ones():
    found = items_of("decide_ai")
    assert [one for one in found if one.isdecimal()] == [str(i) for i in range(1, 18)]
    assert [one for one in found if not one.isdecimal()] == ROMAN


def test_every_place_of_an_item_is_known():
    known = set(guidelines.SHARED) | set(guidelines.PARTS["rating"])
    named = {place for one in guidelines.items() for place in one["places"].split(",") if place}
    assert named <= known
    assert {one["guideline"] for one in guidelines.items()} == set(guidelines.TITLES) == set(guidelines.CHECKED)


@pytest.mark.parametrize("design", STUDIES)
def test_every_section_that_is_named_is_on_the_page_of_its_design(design):
    """As the templates have it: the sections of page.html."""
    page = (TEMPLATES / design / "page.html").read_text("utf-8")
    titles = re.findall(r'\("\w+", "([^"]+)"\)', page)
    assert {section for section, _ in guidelines.PARTS[design].values()} <= set(titles)
    assert {"Findings in plain words", "Methods", "Limitations seen in the data", "Flow and checklists"} <= set(titles)


@pytest.mark.parametrize("design", STUDIES)
def test_every_table_that_is_named_is_in_the_report(design):
    results = measure(load_frame(STUDIES[design]), Settings(bootstrap=20))
    tables = {table.name: table for table in all_tables(results)}
    for name in guidelines.TITLES:
        rows = tables[f"guideline_{name}"].rows
        assert len(rows) == len(items_of(name))
        for _, asks, where, _ in rows:
            assert asks
            assert where
            for named in re.findall(r"tables/(\w+)\.csv", where):
                assert tables[named].rows, f"{design}, {name}: {named} is not written"
    where = {row[0]: row[2] for row in tables["guideline_stard_ai"].rows}
    assert where["38"] == guidelines.AUTHORS
    assert where["31"].startswith(guidelines.PARTS[design]["accuracy"][0])


def test_a_section_without_its_tables_answers_nothing():
    table = STUDIES["rating"]
    results = measure(load_frame(table[table["reader"] == "R1"]), Settings(bootstrap=20))
    rows = next(one for one in all_tables(results) if one.name == "guideline_tripod_ai").rows
    where = {row[0]: row[2] for row in rows}
    assert "Groups of readers" not in str(where["23a"])
    assert str(where["23a"]).startswith("Overall results")


def test_every_table_in_the_map_is_one_of_its_design():
    for design, parts in guidelines.PARTS.items():
        results = measure(load_frame(STUDIES[design]), Settings(bootstrap=20))
        there = {table.name for table in all_tables(results)}
        named = {name for _, tables in parts.values() for name in tables}
        assert named <= there, (design, named - there)
