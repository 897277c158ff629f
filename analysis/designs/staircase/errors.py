"""How often readers were wrong on real and on synthetic images, and whether they favour one answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.designs.common import clustered, test_line
from analysis.designs.staircase.answers import CLASSES, Answers, Numbers
from analysis.statistics import detection, multiplicity, proportions, reader_tests

NAMES = ("real", "synthetic", "all")


def one_reader(correct: Numbers, truth: Any) -> dict[str, Any]:
    """Return one reader's shares of wrong answers with Wilson intervals, and the signal detection measures."""
    shares = {}
    for name in NAMES:
        own = _of_class(correct[None, :], truth, name)[0]
        own = own[~np.isnan(own)]
        shares[name] = proportions.interval(int((own == 0).sum()), len(own)).as_dict()
    hits, misses = (int((correct[truth == 1] == right).sum()) for right in (1, 0))
    rejections, alarms = (int((correct[truth == 0] == right).sum()) for right in (1, 0))
    found = detection.dprime(hits, misses, alarms, rejections)
    return {"errors": shares, "dprime": found.dprime, "criterion": found.criterion}


def overall(found: Answers) -> dict[str, Any]:
    """Return the mean shares of wrong answers, readers and cases random; `k` of `n` answers were wrong."""
    return {name: _clustered(_of_class(1 - found.correct, found.truth, name)) for name in NAMES}


def tests(readers: Mapping[str, Any], seed: int) -> list[dict[str, Any]]:
    """Test whether synthetic images are mistaken as often as real ones, over readers and for each reader (Holm)."""
    gaps = np.array(
        [
            np.nan if None in (a := [r["errors"][name]["value"] for name in CLASSES]) else a[1] - a[0]
            for r in readers.values()
        ],
        dtype=float,
    )
    name = "errors on synthetic minus errors on real images"
    question = "would other readers mistake synthetic images as often as real ones?"
    lines = [
        test_line(name, question, test)
        for test in (reader_tests.t_test(gaps, 0.0), reader_tests.signed_rank(gaps, 0.0, seed))
    ]
    each = {}
    for reader, measured in readers.items():
        counts = [
            [one["k"], one["n"] - one["k"]]
            for one in (measured["errors"][c] for c in ("synthetic", "real"))
            if one["n"]
        ]
        exact = proportions.odds_ratio(counts) if len(counts) == 2 else None
        words = "did this reader mistake synthetic images as often as real ones?"
        gap = float(gaps[list(readers).index(reader)])
        each[reader] = test_line(
            f"{name}, {reader}",
            words,
            {"value": gap, "p": exact.p if exact else None, "method": "Fisher's exact test"},
        )
    corrected = multiplicity.adjust({"each reader": {reader: line["p"] for reader, line in each.items()}})
    return lines + [
        each[row.name] | {"family": row.family, "holm": row.holm, "benjamini_hochberg": row.benjamini_hochberg}
        for row in corrected
    ]


def _of_class(matrix: Numbers, truth: Any, name: str) -> Numbers:
    return matrix if name == "all" else matrix[:, truth == CLASSES[name]]


def _clustered(wrong: Numbers) -> dict[str, Any]:
    """Return the mean over readers, with readers and cases random, and the counts."""
    return clustered(wrong).as_dict() | {"k": int((wrong == 1).sum()), "n": int((~np.isnan(wrong)).sum())}
