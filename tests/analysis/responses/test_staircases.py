"""Rows of staircases: exposures are numbers in ms, and invalid ones are named."""

import numpy as np
import pytest

from analysis.responses import ResponsesError, load_csv, load_frame
from tests.analysis.staircases import study


def test_exposures_are_read_from_a_file_and_an_empty_one_is_not_known(tmp_path):
    table = study(2, 10).astype({"value": object})
    table.loc[3, ["value", "criterion"]] = ""
    table.to_csv(tmp_path / "r.csv", index=False)
    found = load_csv(tmp_path / "r.csv").scored["exposure_ms"]
    assert np.isnan(found[3])
    assert found.drop(3).tolist() == table["value"].drop(3).tolist()


@pytest.mark.parametrize(
    ("column", "entry", "words"),
    [
        ("value", "-5", "row 2: value '-5'; expected an exposure in ms, above 0"),
        ("value", "0", "row 2: value '0'; expected an exposure in ms, above 0"),
        ("value", "long", "row 2: value 'long'; expected an exposure in ms"),
        ("value", "1e9", "at most 600000"),
        ("criterion", "clarity", "row 2: criterion 'clarity'; expected exposure_ms"),
        ("level", "7", "row 2: level '7'; expected 1 to 5"),
    ],
)
def test_what_cannot_be_is_named_with_its_row(column, entry, words):
    table = study(1, 6).astype(object)
    table.loc[1, column] = entry
    with pytest.raises(ResponsesError, match="row 2") as refused:
        load_frame(table)
    assert words in str(refused.value)
