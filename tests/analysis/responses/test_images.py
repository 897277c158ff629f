"""What happened to the images given for a pool, as the report reads it."""

import pytest

from analysis.responses import ResponsesError
from analysis.responses.images import images_of

FLOW = {"given": {"real": 3, "no_class": 1}, "left_out": {"no_class": {"no_class": 1}}, "in_pool": {"real": 3}}


def case(group: str = "", excluded: str | None = None) -> dict[str, str | None]:
    return {"truth": "real", "group": group, "excluded": excluded}


def test_a_pool_that_says_nothing_of_its_images_gives_nothing():
    assert images_of(None, [], "rating", "here") is None


def test_totals_are_added_and_nothing_set_aside_is_not_told():
    assert images_of(FLOW, [case(), case()], "rating", "here") == {
        "given": {"all": 4, "real": 3, "no_class": 1},
        "left_out": {"no_class": {"all": 1, "no_class": 1}, "all": {"all": 1, "no_class": 1}},
        "in_pool": {"all": 3, "real": 3},
    }


@pytest.mark.parametrize(("design", "aside"), [("rating", 1), ("staircase", 1), ("quartet", 2), ("comparison", 2)])
def test_a_case_left_out_takes_its_group_with_it_where_that_is_one_trial(design, aside):
    cases = [case("q1", "blurred"), case("q1"), case("q2")]
    found = images_of(FLOW, cases, design, "here")
    assert (found["set_aside"], found["kept"]) == ({"all": aside, "real": aside}, {"all": 3 - aside, "real": 3 - aside})


def test_practice_is_no_group_that_goes_as_a_whole():
    cases = [case("practice", "blurred"), case("practice"), case("q2")]
    assert images_of(FLOW, cases, "quartet", "here")["set_aside"]["all"] == 1


@pytest.mark.parametrize("flow", [[], {"given": {}}, FLOW | {"given": {"real": "3"}}, FLOW | {"left_out": [1]}])
def test_a_flow_of_another_form_is_refused_by_its_place(flow):
    with pytest.raises(ResponsesError, match=r"x\.zip: flow: expected whole numbers for given, left_out and in_pool"):
        images_of(flow, [], "rating", "x.zip: flow")
