"""Sequences, arms, parts and anchored blocks are balanced, the same for the same seed, and not to be foreseen."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from quiz_app.designs.allotment import allotted, anchored, least_filled, parts, sequences


def rng(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_every_condition_stands_in_every_period_and_follows_every_other_equally_often(count):
    rows = sequences(count)
    assert all(sorted(row) == list(range(count)) for row in rows)
    assert all(Counter(period) == dict.fromkeys(range(count), len(rows) // count) for period in zip(*rows, strict=True))
    followed = Counter(pair for row in rows for pair in pairwise(row))
    assert len(followed) == count * (count - 1)
    assert len(set(followed.values())) == 1


@pytest.mark.parametrize("arms", [2, 3, 4, 6])
def test_arms_never_differ_by_more_than_a_block_and_end_even_with_it(arms):
    told = [allotted(arms, number, 7, "EC") for number in range(20 * arms)]
    for upto in range(len(told)):
        counts = Counter(told[: upto + 1])
        assert max(counts.values()) - min(counts[arm] for arm in range(arms)) <= 2
    assert told == [allotted(arms, number, 7, "EC") for number in range(20 * arms)]


def test_the_last_of_a_block_cannot_be_foreseen():
    same = sum(allotted(2, 1, seed, "EC") == allotted(2, 0, seed, "EC") for seed in range(400))
    assert 40 < same < 95  # a third of the blocks of four, none of the blocks of two: 67 are expected


def test_each_group_has_a_list_of_its_own():
    lists = [[allotted(2, number, 7, group) for number in range(24)] for group in ("EC", "EP")]
    assert lists[0] != lists[1]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_parts_hold_equally_many_of_each_stratum(count):
    strata = [("real", "R")] * 12 + [("synthetic", "A")] * 12 + [("synthetic", "B")] * 24
    dealt = Counter(zip(strata, parts(strata, count, rng()), strict=True))
    for (stratum, _part), times in dealt.items():
        assert times == strata.count(stratum) // count
    assert len(dealt) == 3 * count


def test_parts_of_odd_strata_differ_by_one_case():
    strata = ["A"] * 5 + ["B"] * 7 + ["C"] * 3
    part = parts(strata, 2, rng())
    assert sorted(Counter(part).values()) == [7, 8]


def test_anchors_and_blocks_cover_every_case_with_half_of_each_class():
    truths = [index % 2 == 0 for index in range(100)]
    anchors, blocks = anchored(truths, 30, 10, rng())
    assert len(anchors) == 10
    assert sum(truths[index] for index in anchors) == 5
    assert len(blocks) == 5  # 90 others by 20, the last filled up
    for block in blocks:
        assert len(set(block)) == 20
        assert sum(truths[index] for index in block) == 10
        assert not set(block) & set(anchors)
    assert {index for block in blocks for index in block} | set(anchors) == set(range(100))


def test_sources_are_in_anchors_and_blocks_in_proportion():
    truths = [index % 2 == 0 for index in range(80)]
    sources = ["" if not truth else f"G{index // 2 % 4}" for index, truth in enumerate(truths)]
    anchors, blocks = anchored(truths, 24, 8, rng(), sources)
    for members, each in ((anchors, 1), *((block, 2) for block in blocks[:-1])):
        told = Counter(sources[index] for index in members if truths[index])
        assert told == dict.fromkeys(("G0", "G1", "G2", "G3"), each)


def test_too_few_cases_for_anchors_and_a_block_are_refused():
    for cases, anchors in ((10, 10), (12, 4)):
        with pytest.raises(ValueError, match="half of each class"):
            anchored([False, True] * 5, cases, anchors, rng())


def test_the_block_of_the_fewest_finished_readers_comes_next_and_then_of_the_fewest_begun():
    blocks = [[0, 1], [2, 3], [4, 5]]
    assert least_filled(blocks, [1, 1, 0, 0, 0, 0], [1, 1, 5, 5, 4, 4], rng()) == 2
    assert least_filled(blocks, [1, 1, 0, 0, 1, 1], [1, 1, 5, 5, 1, 1], rng()) == 1
    assert {least_filled(blocks, [0] * 6, [0] * 6, rng(seed)) for seed in range(20)} == {0, 1, 2}
