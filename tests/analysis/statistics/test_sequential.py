"""Boundaries of planned looks against published ones, and estimates after stopping against simulation."""

import numpy as np
import pytest

from analysis.statistics.sequential import (
    Since,
    adjusted,
    as_normal,
    boundaries,
    conditional_power,
    exits,
    spend,
)

# gsDesign 3.x, gsDesign(k, test.type=1, alpha=.025, sfu=sfLDOF or sfLDPocock); the same as ldbounds and rpact.
LAN_DEMETS = {
    (2, "obrien-fleming"): (2.963, 1.969),
    (3, "obrien-fleming"): (3.710, 2.511, 1.993),
    (4, "obrien-fleming"): (4.333, 2.963, 2.359, 2.014),
    (5, "obrien-fleming"): (4.877, 3.357, 2.680, 2.290, 2.031),
    (2, "pocock"): (2.157, 2.201),
    (3, "pocock"): (2.279, 2.295, 2.296),
    (5, "pocock"): (2.438, 2.427, 2.410, 2.396, 2.386),
}
# The example of SeqBounds.jl (github.com/PharmCat/SeqBounds.jl): one-sided 5 %, quarters of the information
QUARTERS = (3.74955, 2.53993, 2.01604, 1.72014)
# Jennison and Turnbull 2000, tables 2.1 (Pocock) and 2.3 (O'Brien and Fleming), two-sided 5 %.
POCOCK = {2: 2.178, 3: 2.289, 4: 2.361, 5: 2.413, 10: 2.555}
OBRIEN_FLEMING = {2: 1.977, 3: 2.004, 4: 2.024, 5: 2.040, 10: 2.087}


def test_boundaries_are_those_that_another_program_prints():
    assert boundaries([1, 2, 3, 4], alpha=0.10).critical == pytest.approx(QUARTERS, abs=1e-3)


@pytest.mark.parametrize(("looks", "spending"), LAN_DEMETS)
def test_boundaries_are_those_of_gsdesign(looks, spending):
    found = boundaries(range(1, looks + 1), spending=spending)
    assert found.critical == pytest.approx(LAN_DEMETS[looks, spending], abs=0.0015)
    assert found.spent[-1] == 0.05


@pytest.mark.parametrize("looks", POCOCK)
def test_the_tables_of_jennison_and_turnbull_keep_5_per_cent(looks):
    information = np.arange(1, looks + 1)
    for critical in ([POCOCK[looks]] * looks, OBRIEN_FLEMING[looks] * np.sqrt(looks / information)):
        found = exits(information, critical)
        assert found.upper.sum() + found.lower.sum() == pytest.approx(0.05, abs=0.0002)


def test_looks_at_uneven_shares_spend_what_the_function_says():
    found = boundaries([0.2, 0.9, 1.3], alpha=0.1, spending="pocock")
    stops = exits(found.information, found.critical)
    assert np.cumsum(stops.upper + stops.lower) == pytest.approx(found.spent)
    assert found.spent[0] == pytest.approx(spend(0.2 / 1.3, 0.1, "pocock"))


def walks(information, drift, size=200_000, seed=1):
    """Statistics of many studies at every look, drawn."""
    steps = np.diff([0.0, *information])
    rng = np.random.default_rng(seed)
    scores = np.cumsum(rng.normal(drift * steps, np.sqrt(steps), (size, len(steps))), axis=1)
    return scores / np.sqrt(information)


def test_the_recursion_gives_what_drawing_gives():
    information, critical = (0.3, 0.6, 1.0), (2.5, 2.2, 2.0)
    z = walks(information, 1.5)
    beyond = np.abs(z) >= critical
    first = np.where(beyond.any(axis=1), beyond.argmax(axis=1), -1)
    found = exits(information, critical, 1.5)
    for look in range(3):
        up = z[:, look] > 0
        assert found.upper[look] == pytest.approx(np.mean((first == look) & up), abs=0.004)
        assert found.lower[look] == pytest.approx(np.mean((first == look) & ~up), abs=0.002)


def test_conditional_power_goes_on_from_the_look():
    planned = boundaries([1, 2, 3])
    since = Since(planned.information[0], 0.5 * planned.information[0] ** 0.5)
    found = exits(planned.information[1:], planned.critical[1:], 2.0, since)
    assert conditional_power(0.5, 0, planned, drift=2.0) == pytest.approx(found.upper.sum())
    # From z = 1 at two thirds, with the trend: Phi((z sqrt(t) + drift (1 - t) - b) / sqrt(1 - t)).
    assert conditional_power(1.0, 1, planned) == pytest.approx(0.0918, abs=0.0005)
    assert conditional_power(-1.0, 1, planned) == pytest.approx(conditional_power(1.0, 1, planned))


@pytest.mark.parametrize("drift", [0.0, 2.5])
def test_after_stopping_estimates_are_median_unbiased_and_intervals_hold(drift):
    planned = boundaries([1, 2, 3], spending="pocock")
    z = walks(planned.information, drift, size=600, seed=3)
    beyond = np.abs(z) >= planned.critical
    at = np.where(beyond.any(axis=1), beyond.argmax(axis=1), 2)
    found = [adjusted(float(one[look]), int(look), planned) for one, look in zip(z, at, strict=True)]
    assert np.mean([one.drift > drift for one in found]) == pytest.approx(0.5, abs=0.06)
    assert np.mean([one.low <= drift <= one.high for one in found]) == pytest.approx(0.95, abs=0.025)
    plain = [one[look] / planned.information[look] ** 0.5 for one, look in zip(z, at, strict=True)]
    if drift:
        assert np.mean(np.array(plain) > drift) > 0.52  # what stopping early does to the plain one


def test_without_a_look_before_the_end_nothing_is_adjusted():
    found = adjusted(2.2, 0, boundaries([1.0]))
    assert (found.drift, found.low, found.high) == pytest.approx((2.2, 2.2 - 1.96, 2.2 + 1.96), abs=0.001)
    assert found.p == pytest.approx(0.0278, abs=0.0001)


def test_the_interval_leaves_the_null_out_where_the_boundary_was_crossed():
    planned = boundaries([1, 2, 3])
    for look, critical in enumerate(planned.critical):
        for z, crossed in ((critical + 1e-6, True), (critical - 1e-6, False), (-critical - 1e-6, True)):
            if look < 2 and not crossed:
                continue
            found = adjusted(z, look, planned)
            assert (found.low > 0 or found.high < 0) == crossed
            assert (found.p < 0.05) == crossed


def test_p_becomes_the_normal_statistic_of_its_side():
    assert as_normal(0.05, above=True) == pytest.approx(1.96, abs=0.001)
    assert as_normal(0.05, above=False) == pytest.approx(-1.96, abs=0.001)
    assert as_normal(None, above=True) == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: boundaries([1, 1]), "information: expected numbers above 0, each larger"),
        (lambda: boundaries([]), "information: expected 1 to 10 looks, got 0"),
        (lambda: boundaries([1], alpha=0.7), "alpha: expected a level between 0 and .5"),
        (lambda: spend(0.5, spending="haybittle"), "spending"),
        (lambda: adjusted(1.0, 3, boundaries([1, 2])), "look: expected 0 to 1, got 3"),
        (
            lambda: conditional_power(1.0, 1, boundaries([1, 2])),
            "look: expected an earlier look; there is none after the last",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()
