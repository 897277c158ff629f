"""The flow of images into a pool, before readers saw any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.responses.tabular import ResponsesError

PRACTICE = "practice"
GROUPED = ("quartet", "comparison")  # designs whose trials are the groups of the pool


def images_of(flow: Any, cases: Sequence[Mapping[str, Any]], design: str, where: str) -> dict[str, Any] | None:
    """Return counts of a study's images, each as `{"all": n, CLASS: n}`; None if the pool does not have them.

    `given`; `left_out` by reason, with the total under `all`; `in_pool`; and if the researcher excluded cases on the
    desk, `set_aside` and the remainder, `kept`.

    Args:
        flow: the entry in pool.json (docs/howto/pool.md).
        cases: cases of the pool, with truth, group and excluded; a group that forms one trial is excluded as a whole.
        design: design of the study.
        where: name of `flow` in error messages.

    Raises:
        ResponsesError: the flow is invalid.
    """
    if flow is None:
        return None
    try:
        given, pooled = _numbers(flow["given"]), _numbers(flow["in_pool"])
        lost = {str(reason): _numbers(numbers) for reason, numbers in flow["left_out"].items()}
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ResponsesError(
            [f"{where}: expected whole numbers for given, left_out and in_pool, got {flow!r}"]
        ) from None
    every = sum((Counter(numbers) for numbers in lost.values()), Counter[str]())
    told: dict[str, Any] = {
        "given": _total(given),
        "left_out": {name: _total(numbers) for name, numbers in lost.items()} | {"all": _total(every)},
        "in_pool": _total(pooled),
    }
    aside = _set_aside(cases, grouped=design in GROUPED)
    if aside.total():
        told |= {"set_aside": _total(aside), "kept": _total(Counter(pooled) - aside)}
    return told


def _set_aside(cases: Sequence[Mapping[str, Any]], *, grouped: bool) -> Counter[str]:
    """Count cases excluded on the desk, and those of their group that cannot be shown without them, by class."""
    out = [case for case in cases if case.get("excluded")]
    broken = {case["group"] for case in out if grouped} - {"", PRACTICE}
    return Counter(case["truth"] for case in cases if case.get("excluded") or case["group"] in broken)


def _numbers(numbers: Mapping[str, Any]) -> dict[str, int]:
    if not all(type(number) is int and number >= 0 for number in numbers.values()):
        raise ValueError("not whole numbers")
    return dict(numbers)


def _total(numbers: Mapping[str, int]) -> dict[str, int]:
    return {"all": sum(numbers.values()), **numbers}
