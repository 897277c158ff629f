"""The order in which a reader sees the cases: seeded by study and reader, classes and sources balanced by block."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np


def reader_seed(study_seed: int, pseudonym: str, sitting: int = 1) -> int:
    """The seed of one sitting: the same study seed, pseudonym and sitting number always give the same order."""
    digest = hashlib.sha256(f"{study_seed}/{pseudonym}/{sitting}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # 63 bits: fits a signed column


def spread(members: Sequence[int], sources: Sequence[str] | None) -> list[int]:
    """`members` with their sources spread evenly: every stretch has the sources in proportion.

    If there are n sources with equal numbers, each occurs once in every run of n members. Sources come in the order in
    which they are given, and members of one source keep their order. `sources` has one entry per case; None = all from
    one source.
    """
    if sources is None:
        return list(members)
    sizes = Counter(sources[index] for index in members)
    seen: Counter[str] = Counter()
    place = {}
    for index in members:
        place[index] = (seen[sources[index]] + 0.5) / sizes[sources[index]]
        seen[sources[index]] += 1
    return sorted(members, key=place.__getitem__)  # stable: ties stay in the order given


def balanced_order(
    truths: Sequence[bool], block: int, rng: np.random.Generator, sources: Sequence[str] | None = None
) -> list[int]:
    """A random permutation of the cases in which every block has the classes in the same proportion as the pool.

    `truths` has one entry per case. With equal numbers of real and synthetic cases and an even `block`, each full block
    has exactly half of each (permuted-block randomisation); `sources`, one entry per case, are spread over the blocks
    within their class. Returns indices into `truths`.
    """
    shuffled = [rng.permutation([i for i, truth in enumerate(truths) if truth == wanted]) for wanted in (True, False)]
    synthetic, real = (spread([int(index) for index in members], sources) for members in shuffled)
    order: list[int] = []
    taken = 0
    for start in range(0, len(truths), block):
        end = min(start + block, len(truths))
        upto = round(end * len(synthetic) / len(truths))
        members = [*synthetic[taken:upto], *real[start - taken : end - upto]]
        order += [int(index) for index in rng.permutation(members)]
        taken = upto
    return order


def balanced_choice(
    truths: Sequence[bool],
    count: int,
    rng: np.random.Generator,
    read: Sequence[int] | None = None,
    sources: Sequence[str] | None = None,
) -> list[int]:
    """`count` random cases, half of each class, as sorted indices, with sources in the same proportion as the pool.

    `read`, one number per case, is how often each was dealt before: cases dealt least often are then chosen first,
    within their source if `sources` is given. Raises ValueError if a class is too small.
    """
    chosen: list[int] = []
    for wanted in (False, True):
        members = [int(index) for index in rng.permutation([i for i, truth in enumerate(truths) if truth == wanted])]
        if len(members) < count // 2:
            raise ValueError(f"{count // 2} {'synthetic' if wanted else 'real'} cases needed, there are {len(members)}")
        if read is not None:
            members.sort(key=lambda index: read[index])  # stable: ties stay in random order
        chosen += spread(members, sources)[: count // 2]
    return sorted(chosen)


def with_repeats(
    order: Sequence[int], truths: Sequence[bool], count: int, rng: np.random.Generator
) -> list[tuple[int, bool]]:
    """`order` with `count` of its cases shown a second time: pairs of index into `truths` and whether it is a repeat.

    The first `count` / 2 cases of each class are repeated. Each returns at a random position in the last third of the
    order, and always after it was first shown. Raises ValueError if a class is too small.
    """
    repeated: list[int] = []
    for wanted in (False, True):
        members = [index for index in order if truths[index] == wanted][: count // 2]
        if len(members) < count // 2:
            raise ValueError(f"{count // 2} {'synthetic' if wanted else 'real'} cases needed, there are {len(members)}")
        repeated += members
    return shown_again(order, repeated, rng)


def shown_again(order: Sequence[int], repeated: Sequence[int], rng: np.random.Generator) -> list[tuple[int, bool]]:
    """`order` with those in `repeated` shown again, each at a random position in its last third and after the first.

    Returns pairs of the item shown and whether it is a repeat.
    """
    first = {index: place for place, index in enumerate(order)}
    # The position in the order before which each repeat is inserted.
    last_third = len(order) - len(order) // 3
    before = [int(rng.integers(max(last_third, first[index] + 1), len(order) + 1)) for index in repeated]
    shown: list[tuple[int, bool]] = []
    for place in range(len(order) + 1):
        again = [index for index, at in zip(repeated, before, strict=True) if at == place]
        shown += [(int(index), True) for index in rng.permutation(again)]
        if place < len(order):
            shown.append((order[place], False))
    return shown


def balanced_places(trials: int, count: int, rng: np.random.Generator) -> list[list[int]]:
    """The places, from 0, of the `count` members of every trial: each member appears in each place equally often.

    If `trials` is not a multiple of `count`, the numbers differ by at most one. Uses random Latin squares (cyclic, with
    rows, columns and symbols in random order), whose rows are spread over all trials, so that no place can be predicted
    from earlier ones. Returns one row per trial: `row[member]` is its place.
    """
    rows: list[list[int]] = []
    while len(rows) < trials:
        members, places = rng.permutation(count), rng.permutation(count)
        square = [[int(places[(members[member] + turn) % count]) for member in range(count)] for turn in range(count)]
        rows += [square[turn] for turn in rng.permutation(count)]
    return [rows[number] for number in rng.permutation(trials)]
