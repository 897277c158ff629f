import json

import numpy as np
import pytest
from PIL import Image

from generation import drawing, known_faults, mixing, phantom, pool
from generation.__main__ import main
from generation.errors import InputError
from generation.known_faults import KnownFault
from generation.phantom import faults

SIZE = (1024, 512)
Y, X = np.mgrid[0:512, 0:1024]
SOUND = {"kind": "stripes", "x": 0.5, "y": 0.4, "rx": 0.1, "ry": 0.2, "angle": 0}
TRUTHS = {"case-0001": "real", "case-0002": "synthetic"}


def covered(places, size=SIZE) -> np.ndarray:
    """Which pixels lie in any of the ellipses, bool (height, width)."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    return np.any([one.contains((x + 0.5) / size[0], (y + 0.5) / size[1], size) for one in places], axis=0)


@pytest.mark.parametrize("kind", faults.KINDS)
@pytest.mark.parametrize("severity", [0.4, 0.95])
def test_what_a_fault_changes_lies_within_its_ellipse(kind, severity):
    for seed in (1, 2):
        before, nothing = phantom.draw_with(seed, [])
        after, places = phantom.draw_with(seed, [faults.Fault(kind, severity, seed + 50)])
        assert nothing == []
        assert {place.kind for place in places} == {kind}
        change = after.astype(float) - before
        change -= np.median(change)  # the exposure
        power = np.where(np.abs(change) > 3, change**2, 0)
        inside = covered(places)
        assert power.sum() > 500
        assert power[inside].sum() > 0.9 * power.sum()
        assert inside.mean() < 0.5


def test_what_is_told_is_the_phantom_that_is_drawn():
    for seed in range(3):
        pixels, places = phantom.draw_with(seed, phantom.chosen(seed, "synthetic"))
        assert np.array_equal(pixels, phantom.draw(seed, "synthetic"))
        assert {place.kind for place in places} <= {fault.kind for fault in phantom.chosen(seed, "synthetic")}
    assert phantom.chosen(1, "real") == []


@pytest.mark.parametrize("angle", [0, 25, 90, -160])
def test_an_ellipse_stays_around_the_same_pixels_when_its_image_is_cut_and_resized(angle):
    before, box, size = KnownFault("stripes", 0.5, 0.45, 0.1, 0.3, angle), (30.0, 20.0, 1000.0, 500.0), (300, 280)
    after = before.moved(SIZE, box, size)
    place = np.random.default_rng(0).uniform(0.05, 0.95, (5000, 2))
    moved = (place * SIZE - box[:2]) / (box[2] - box[0], box[3] - box[1])
    assert np.array_equal(before.contains(*place.T, SIZE), after.contains(*moved.T, size))
    assert 100 < before.contains(*place.T, SIZE).sum() < 1500
    if angle == 0:
        assert after.angle == pytest.approx(0)


def test_a_turned_ellipse_is_turned_counter_clockwise():
    leaning = KnownFault("x", 0.5, 0.5, 0.4, 0.05, 45)
    assert leaning.contains(0.6, 0.4, (100, 100))
    assert not leaning.contains(0.6, 0.6, (100, 100))
    assert not leaning.contains(0.95, 0.05, (100, 100))


@pytest.mark.parametrize("harmonised", [False, True])
def test_in_a_mixed_pool_the_ellipses_follow_their_images(tmp_path, harmonised):
    assert (
        main(["phantom", "--count", "3", "4", "--practice", "0", "--seed", "8", "--out", str(tmp_path / "from")]) == 0
    )
    options = ["--count", "3", "4", "--size", "300", "280", *(["--harmonise"] if harmonised else [])]
    given = ["--real", str(tmp_path / "from"), "--synthetic", str(tmp_path / "from")]
    assert main(["pool", *given, *options, "--out", str(tmp_path / "to")]) == 0
    before, after = pool.read(tmp_path / "from"), pool.read(tmp_path / "to")
    origins = dict(line.split(",") for line in (tmp_path / "to/origins.csv").read_text().splitlines()[1:])
    assert len(after.faults) == 4
    for case, places in after.faults.items():
        origin = origins[case].rsplit("/", 1)[1].removesuffix(".png")
        assert [place.kind for place in places] == [place.kind for place in before.faults[origin]]
        mask = Image.fromarray(covered(before.faults[origin]))
        if harmonised:  # up to 6 % of either side are cut off
            expected = np.asarray(mask.resize((300, 280), box=(23, 11, 1001, 501)))
        else:
            expected = np.asarray(mask.resize((300, 280)))
            exact = [one.moved(SIZE, (0, 0, *SIZE), (300, 280)) for one in before.faults[origin]]
            assert [place.angle for place in places] == pytest.approx([one.angle for one in exact], abs=2e-4)
        assert (covered(places, (300, 280)) != expected).mean() < (0.03 if harmonised else 0.01)


def test_a_crop_moves_the_ellipses_of_harmonised_images(tmp_path):
    # A wide black border is cut off, so that the fault in the middle of what is left takes more of the image.
    image = np.zeros((200, 400), np.uint8)
    image[50:150, 100:300] = np.random.default_rng(1).integers(30, 220, (100, 200))
    drawn = drawing.Drawn()
    for number, truth in enumerate(("real", "synthetic")):
        Image.fromarray(image + np.uint8(number)).save(tmp_path / f"{truth}.png")
        known = (KnownFault("stripes", 0.5, 0.5, 0.1, 0.1),) if truth == "synthetic" else ()
        candidate = drawing.Candidate(tmp_path / f"{truth}.png", truth, truth, truth, faults=known)
        drawn.candidates.append(candidate)
        drawn.groups.append("")
        drawn.images.append(Image.open(candidate.path))
    made = mixing.build(tmp_path / "pool", drawn, name="p", seed=0, size=(400, 200), harmonised=True)
    ((place,),) = made.faults.values()
    assert place.rx == pytest.approx(0.2, rel=0.1)
    assert place.x == pytest.approx(0.5, abs=0.02)
    assert pool.read(tmp_path / "pool").faults[next(iter(made.faults))][0].rx == pytest.approx(place.rx, abs=1e-4)


def told(tmp_path, given) -> list[str]:
    text = given if isinstance(given, str) else json.dumps(given)
    (tmp_path / known_faults.FILE).write_text(text)
    return known_faults.read(tmp_path, TRUTHS)[1]


def test_a_sound_file_is_read_and_a_missing_one_knows_of_no_faults(tmp_path):
    assert known_faults.read(tmp_path, TRUTHS) == ({}, [])
    assert told(tmp_path, {"format": 1, "faults": {"case-0002": [SOUND], "case-0001": []}}) == []
    assert known_faults.read(tmp_path, TRUTHS)[0] == {"case-0002": (KnownFault(**SOUND),)}


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    wrong = [
        SOUND | {"x": 1.5, "rx": 0, "ry": "wide"},
        SOUND | {"kind": 7, "angle": True, "y": None},
        {"kind": " ", "x": 0.5, "y": 0.5, "rx": 0.1, "colour": "red"},
        "stripes",
    ]
    given = {"case-0001": [SOUND], "case-0002": wrong, "case-0003": [], "case-0004": {"x": 1}}
    assert told(tmp_path, {"format": 2, "faults": given}) == [
        f"faults.json: {fault}"
        for fault in (
            "format is 2, expected 1",
            "case-0001: is real; only synthetic images have faults",
            "case-0002, fault 1: x is 1.5, expected a number from 0 to 1",
            "case-0002, fault 1: rx is 0, expected more",
            "case-0002, fault 1: ry is 'wide', expected a number from 0 to 1",
            "case-0002, fault 2: kind is 7, expected text",
            "case-0002, fault 2: y is None, expected a number from 0 to 1",
            "case-0002, fault 2: angle is True, expected a number from -360 to 360",
            "case-0002, fault 3: unknown field 'colour', expected kind, x, y, rx, ry, angle",
            "case-0002, fault 3: ry is missing",
            "case-0002, fault 3: angle is missing",
            "case-0002, fault 3: kind is ' ', expected text",
            "case-0002, fault 4: expected an object with kind, x, y, rx, ry, angle, got 'stripes'",
            "case-0003: unknown case, not in cases.csv",
            "case-0004: unknown case, not in cases.csv",
            "case-0004: expected a list of faults, got {'x': 1}",
        )
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{", "not readable as JSON"),
        ("[]", 'expected an object with "format" and "faults"'),
        ('{"format": 1, "faults": {"case-0002": [], "case-0002": []}}', "case-0002 occurs twice in one object"),
        ('{"format": 1, "faults": {"case-0002": [{"kind": "a", "x": NaN, "y": 0, "rx": 1, "ry": 1, "angle": 0}]}}',
         "x is nan, expected a number"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_why(tmp_path, given, said):
    (problem,) = told(tmp_path, given)
    assert said in problem


def test_a_pool_with_wrong_faults_is_refused_with_its_other_faults(tmp_path):
    image = pool.encode(np.zeros((8, 8), np.uint8))
    made = pool.write(tmp_path / "pool", [pool.Entry("real", "a", image)], name="p", seed=0, width=8, height=8, how={})
    assert not (made.folder / known_faults.FILE).exists()
    (made.folder / known_faults.FILE).write_text(json.dumps({"format": 1, "faults": {"other": [SOUND]}}))
    (made.folder / made.cases[0].file).write_bytes(b"no image")
    for read in (pool.read, pool.read_table):
        with pytest.raises(InputError) as refused:
            read(made.folder)
        assert "faults.json: other: unknown case, not in cases.csv" in refused.value.faults
        assert len(refused.value.faults) == (3 if read is pool.read else 1)
