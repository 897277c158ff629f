"""Numbers as the page shows them."""

import pytest

from analysis.report.tables.table import show


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0.6275, "0.628"), (-0.0004, "0.000"), (123456.7891, "123456.789"), (3.2e40, "3.2e+40"), (-7e300, "−7.0e+300")],
)
def test_a_number_of_any_size_is_shown(number, shown):
    assert show(number, "number") == shown
