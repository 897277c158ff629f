"""The words that go with a count, in the texts of every design."""

import re

import pytest

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report.document import text
from analysis.responses import load_frame
from tests.analysis import comparisons, quartets, staircases

COUNTED = "readers|cases|images|answers|quartets|trials|rows|criteria|methods|replicates|have|are|were"


def silent(table):
    """The study of one reader, whose last answer is missing."""
    table = table[table["reader"] == "R1"].astype(object)
    last = table["trial"] == table["trial"].iloc[-1]
    columns = [name for name in ("answer", "certainty", "level", "chosen", "realism", "value") if name in table]
    table.loc[last, columns] = ""
    return table


STUDIES = {
    "rating": silent(staircases.study(2, 24).assign(design="rating", criterion="", value="", block=1)),
    "quartet": silent(quartets.study(2, 12)),
    "comparison": silent(comparisons.study(2, 12, criteria={"clearer": "better"})),
    "staircase": silent(staircases.study(2, 24)),
}


@pytest.mark.parametrize("design", STUDIES)
def test_one_of_a_thing_is_told_in_the_singular(design):
    results = measure(load_frame(STUDIES[design]), Settings(bootstrap=50))
    assert results["design"] == design
    texts = {name: text(results, name) for name in ("findings", "methods", "limitations")}
    assert "There was only 1 reader." in texts["limitations"]
    assert "1 answer is missing, from 1 reader who did not finish" in texts["limitations"]
    assert [found for one in texts.values() for found in re.findall(rf"\b1 (?:{COUNTED})\b", one)] == []
