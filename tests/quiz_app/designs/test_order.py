"""Orders are seeded, complete and balanced."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiz_app.designs.order import balanced_choice, balanced_order, reader_seed, with_repeats


def generator(seed):
    return np.random.Generator(np.random.PCG64(seed))


@given(half=st.integers(1, 150), block=st.integers(1, 30).map(lambda n: 2 * n), seed=st.integers(0, 2**32))
def test_every_block_holds_as_many_real_as_synthetic_cases(half, block, seed):
    truths = [True] * half + [False] * half
    order = balanced_order(truths, block, generator(seed))
    assert sorted(order) == list(range(2 * half))
    for start in range(0, 2 * half, block):
        members = [truths[index] for index in order[start : start + block]]
        assert sum(members) * 2 == len(members)


@given(truths=st.lists(st.booleans(), max_size=120), block=st.integers(2, 30), seed=st.integers(0, 2**32))
def test_unequal_classes_are_spread_as_evenly_as_they_can_be(truths, block, seed):
    order = balanced_order(truths, block, generator(seed))
    assert sorted(order) == list(range(len(truths)))
    for end in range(block, len(truths), block):
        expected = end * sum(truths) / len(truths)
        assert abs(sum(truths[index] for index in order[:end]) - expected) <= 0.5


def test_the_same_seed_gives_the_same_order_and_another_reader_another():
    truths = [True] * 100 + [False] * 100
    first, again, other = (
        balanced_order(truths, 20, generator(reader_seed(5, name))) for name in ("EC1", "EC1", "EC2")
    )
    assert first == again
    assert first != other


def test_the_seed_of_a_sitting_never_changes():
    # Stored orders were made from it: a change here breaks the reproduction of every study.
    assert reader_seed(20250709, "EC1") == 4768987645704784369
    assert len({reader_seed(1, "EC1"), reader_seed(2, "EC1"), reader_seed(1, "EC1", 2)}) == 3


@given(count=st.integers(0, 20).map(lambda n: 2 * n), seed=st.integers(0, 2**32))
def test_a_choice_takes_half_of_each_class(count, seed):
    truths = [True] * 20 + [False] * 30
    chosen = balanced_choice(truths, count, generator(seed))
    assert len(set(chosen)) == count
    assert sum(truths[index] for index in chosen) * 2 == count


def test_a_choice_from_too_few_is_refused_with_the_numbers():
    with pytest.raises(ValueError, match="5 synthetic cases needed, there are 3"):
        balanced_choice([True] * 3 + [False] * 30, 10, generator(0))


@given(readers=st.integers(1, 12), count=st.integers(1, 8).map(lambda n: 2 * n), seed=st.integers(0, 2**32))
def test_subsets_dealt_in_turn_read_every_case_of_a_class_equally_often(readers, count, seed):
    truths = [True] * 9 + [False] * 11
    rng, read = generator(seed), [0] * 20
    for _ in range(readers):
        for index in balanced_choice(truths, count, rng, read):
            read[index] += 1
    for wanted in (True, False):
        times = [read[index] for index in range(20) if truths[index] == wanted]
        assert max(times) - min(times) <= 1
        assert sum(times) == readers * count // 2


@given(each=st.integers(1, 30), kinds=st.integers(2, 4), seed=st.integers(0, 2**32))
def test_every_block_holds_as_many_of_one_source_as_of_another(each, kinds, seed):
    truths = [True] * each * kinds + [False] * each * kinds
    sources = [f"G{number % kinds}" for number in range(each * kinds)] + ["hospital"] * each * kinds
    block = 2 * kinds
    order = balanced_order(truths, block, generator(seed), sources)
    assert sorted(order) == list(range(len(truths)))
    for start in range(0, len(order), block):
        members = [sources[index] for index in order[start : start + block] if truths[index]]
        assert sorted(members) == [f"G{number}" for number in range(kinds)]


@given(seed=st.integers(0, 2**32))
def test_one_source_a_class_leaves_the_order_as_it_was(seed):
    truths = [True] * 20 + [False] * 20
    with_sources = balanced_order(truths, 10, generator(seed), ["G"] * 20 + ["hospital"] * 20)
    assert with_sources == balanced_order(truths, 10, generator(seed))


@given(readers=st.integers(1, 9), seed=st.integers(0, 2**32))
def test_subsets_hold_the_sources_in_proportion_and_read_each_case_about_equally_often(readers, seed):
    truths = [True] * 18 + [False] * 18
    sources = ["A", "B", "C"] * 6 + ["hospital"] * 18
    rng, read = generator(seed), [0] * 36
    for _ in range(readers):
        chosen = balanced_choice(truths, 12, rng, read, sources)
        assert [sum(sources[index] == name for index in chosen) for name in "ABC"] == [2, 2, 2]
        for index in chosen:
            read[index] += 1
    assert max(read[:18]) - min(read[:18]) <= 1


def test_which_source_comes_first_of_a_run_is_left_to_chance():
    truths, sources = [True] * 40, ["A", "B"] * 20
    firsts = {sources[balanced_order(truths, 2, generator(seed), sources)[0]] for seed in range(20)}
    assert firsts == {"A", "B"}


@given(
    half=st.integers(3, 60), block=st.integers(1, 30).map(lambda n: 2 * n), seed=st.integers(0, 2**32), data=st.data()
)
def test_repeats_come_once_each_long_after_the_first_showing_and_half_of_each_class(half, block, seed, data):
    count = 2 * data.draw(st.integers(0, half // 3))
    truths = [True] * half + [False] * half
    rng = generator(seed)
    order = balanced_order(truths, block, rng)
    shown = with_repeats(order, truths, count, rng)
    assert [index for index, is_repeat in shown if not is_repeat] == order
    repeats = [index for index, is_repeat in shown if is_repeat]
    assert len(set(repeats)) == len(repeats) == count
    assert sum(truths[index] for index in repeats) * 2 == count
    firsts = 0
    for index, is_repeat in shown:
        firsts += not is_repeat
        if is_repeat:
            assert firsts >= len(order) - len(order) // 3
            assert order.index(index) < firsts


def test_too_few_to_repeat_is_refused_with_the_numbers():
    with pytest.raises(ValueError, match="2 synthetic cases needed, there are 1"):
        with_repeats([0, 1, 2, 3], [True, False, False, False], 4, generator(0))
