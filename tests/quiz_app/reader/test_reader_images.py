"""Who gets which image and when, and what is revealed about its truth."""

import pytest


def image_tokens(reader):
    """The address of the image of each trial of a reader, in their order."""
    return [trial.cases[0].token for trial in reader.sitting.trials]


def statuses(taker, token):
    """The responses to requests for an image, unencrypted and sealed."""
    return tuple(taker.client.get(taker.url(f"{way}/{token}")).status_code for way in ("images", "sealed"))


def test_nobody_gets_an_image_of_another_reader(make_study, invite, reader_called):
    study = make_study(practice=0)
    taker, other = invite(study).enter(), invite(study, "R2").enter()
    for each in (taker, other):
        each.go_on()
    theirs = image_tokens(reader_called("R2"))[0]
    assert statuses(other, theirs) == (200, 200)
    assert statuses(taker, theirs) == (404, 404)


def test_an_image_that_was_not_released_is_not_sent_in_the_clear(make_study, invite, reader_called):
    taker = invite(make_study(practice=0)).enter()
    assert taker.step["kind"] == "begin"
    first = image_tokens(reader_called("R1"))[0]
    assert taker.client.get(taker.url(f"images/{first}")).status_code == 410
    taker.go_on()
    assert taker.client.get(taker.url(f"images/{first}")).status_code == 200


@pytest.mark.parametrize("limit_s", [0, 12])
def test_of_all_images_only_that_of_the_due_trial_is_sent_in_the_clear(make_study, invite, reader_called, limit_s):
    taker = invite(make_study(practice=0, limit_s=limit_s)).enter()
    taker.go_on()
    taker.answer()
    asked = [statuses(taker, token)[0] for token in image_tokens(reader_called("R1"))]
    assert asked == [410, 200, *[410] * 10]


@pytest.mark.parametrize(("keys_ahead", "ahead"), [(0, 1), (3, 3)])
def test_sealed_images_travel_no_further_ahead_than_the_study_says(
    make_study, invite, reader_called, keys_ahead, ahead
):
    taker = invite(make_study(practice=0, keys_ahead=keys_ahead)).enter()
    taker.go_on()
    taker.answer()
    asked = [statuses(taker, token)[1] for token in image_tokens(reader_called("R1"))]
    assert asked == [410, *[200] * (1 + ahead), *[410] * (10 - ahead)]


def test_where_practice_gives_no_truth_none_is_told(make_study, invite):
    taker = invite(make_study(practice=1, practice_feedback=False)).enter()
    assert taker.answer().get_json()["feedback"] is None


def test_nothing_sent_to_a_reader_is_kept_by_a_browser_or_on_the_way(make_study, invite):
    taker = invite(make_study(practice=0)).enter()
    taker.go_on()
    image = taker.trial["images"][0]
    asked = [taker.client.get(taker.url("room")), taker.post("next")]
    asked += [taker.client.get(image[way]) for way in ("address", "sealed")]
    assert [(response.status_code, response.headers["Cache-Control"]) for response in asked] == [(200, "no-store")] * 4
