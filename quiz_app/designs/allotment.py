"""Who reads which cases, under which conditions and in which sequence: seeded, balanced and unpredictable."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence

import numpy as np

from quiz_app.designs.order import spread

MARK = ">"  # between the conditions of a sequence


def sequences(count: int) -> list[tuple[int, ...]]:
    """The orders of `count` conditions, each as indices, that balance period and carry-over.

    Every condition occurs in every period equally often and follows every other condition equally often: Williams'
    Latin squares, one with `count` rows if that is even, two if it is odd (Williams, Aust. J. Sci. Res. A 1949; 2:149).
    """
    first = [0]
    for step in range(1, count):  # 0, 1, n-1, 2, n-2, ...
        first.append((step + 1) // 2 if step % 2 else count - step // 2)
    rows = [tuple((place + turn) % count for place in first) for turn in range(count)]
    return rows if count % 2 == 0 else rows + [row[::-1] for row in rows]


def allotted(arms: int, number: int, seed: int, stratum: str) -> int:
    """The arm, from 0, of reader `number`, from 0, in a stratum.

    Uses permuted blocks. The length of each is once or twice `arms`, chosen at random so that its end cannot be
    predicted; after each block, all arms have the same number of readers. The same seed and stratum always give the
    same arms.
    """
    digest = hashlib.sha256(f"{seed}/allotment/{stratum}".encode()).digest()
    rng = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "big")))
    while True:
        block = rng.permutation(np.repeat(np.arange(arms), rng.integers(1, 3)))
        if number < len(block):
            return int(block[number])
        number -= len(block)


def parts(strata: Sequence[Hashable], count: int, rng: np.random.Generator) -> list[int]:
    """A random part, from 0 to `count` - 1, for every case; each part has the same number of cases from each stratum.

    If the size of a stratum is not a multiple of `count`, the numbers differ by at most one, as do the totals.
    """
    part, dealt = [0] * len(strata), int(rng.integers(count))
    for stratum in sorted(set(strata), key=repr):
        members = [index for index, one in enumerate(strata) if one == stratum]
        for index in rng.permutation(members):
            part[int(index)] = dealt % count
            dealt += 1
    return part


def anchored(
    truths: Sequence[bool],
    cases: int,
    anchors: int,
    rng: np.random.Generator,
    sources: Sequence[str] | None = None,
) -> tuple[list[int], list[list[int]]]:
    """The anchors, which everybody reads, and the blocks that cover all other cases; half of each class in both.

    A block has `cases` - `anchors` cases, so that a reader who reads the anchors and a block reads `cases`. The last
    block is filled up with cases from the first ones. `sources` has one entry per case; anchors and blocks contain
    sources in proportion. Raises ValueError if there are not enough cases of a class.
    """
    drawn = {}
    for truth in (False, True):
        members = rng.permutation([index for index, one in enumerate(truths) if one == truth])
        drawn[truth] = spread([int(index) for index in members], sources)
    size = (cases - anchors) // 2
    if size < 1 or any(len(members) < cases // 2 for members in drawn.values()):
        raise ValueError(f"{cases} cases, {anchors} of them anchors, half of each class, cannot be drawn")
    rest = {truth: members[anchors // 2 :] for truth, members in drawn.items()}
    count = -(-max(map(len, rest.values())) // size)
    blocks = [
        sorted(members[(block * size + place) % len(members)] for members in rest.values() for place in range(size))
        for block in range(count)
    ]
    return sorted(drawn[False][: anchors // 2] + drawn[True][: anchors // 2]), blocks


def least_filled(
    blocks: Sequence[Sequence[int]], finished: Sequence[int], begun: Sequence[int], rng: np.random.Generator
) -> int:
    """The block to read next: the one with the fewest finished readers, then the fewest who have begun, then at random.

    `finished` and `begun` count readers by case. The count of a block is the smallest count of its cases, because a
    block that was filled up shares cases with others.
    """
    order = [int(number) for number in rng.permutation(len(blocks))]
    return min(order, key=lambda n: (min(finished[i] for i in blocks[n]), min(begun[i] for i in blocks[n])))
