"""Response times, and changes in accuracy over time: learning, fatigue, breaks, viewing.

Questions: do readers take longer for synthetic cases, or for wrong or uncertain answers; do they become faster, better
or tired; do breaks and the viewer help? Times are compared on the log scale, as ratios. `responses` is a table of
trials for `analysis.statistics.trials`.

Effects over readers are computed in two steps: for each reader a slope adjusted for truth (deviations from the reader's
own mean within each class, so that a run of hard synthetic cases late in the order is not mistaken for fatigue), then
the mean slope with its t interval over readers. A single reader has the standard error of their own slope.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics import distributions, proportions
from analysis.statistics.arrays import Floats, as_floats
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.scoring import UNSURE, credits
from analysis.statistics.trials import Trials, trials

if TYPE_CHECKING:
    import pandas as pd

AROUND_BREAK = 5


def median_interval(values: ArrayLike) -> Estimate:
    """The median with its distribution-free 95 % interval: order statistics by the binomial (Conover 1999, ch. 3.2).

    The interval covers at least 95 %; with fewer than six values there is none, but a reason. NaN is left out and
    counted.

    >>> found = median_interval([3.1, 4.0, 4.4, 5.2, 6.0, 6.3, 7.7, 9.0, 12.5])
    >>> found.value, found.ci
    (6.0, (4.0, 9.0))
    """
    from scipy.stats import binom

    array = as_floats(values, "values")
    known = np.sort(array[~np.isnan(array)])
    extra = {"n": known.size, "left_out": int(array.size - known.size)}
    method = "median, 95% interval from order statistics"
    if not known.size:
        return undefined("there are no values", method, **extra)
    value = float(np.median(known))
    if known.size < 6:
        return Estimate(value, method=method, reason="with fewer than six values, no interval covers 95 %", extra=extra)
    # The largest k for which the k-th smallest and the k-th largest value enclose the median with at least 95 %.
    k = int(binom.ppf(0.025, known.size, 0.5))
    return Estimate(value, ci=(float(known[k - 1]), float(known[-k])), method=method, extra=extra)


def medians(responses: pd.DataFrame) -> dict[str, dict[str, Estimate]]:
    """Median response times in ms: overall, by answer, truth, correctness, certainty, and by reader.

    Intervals are for these readers, with answers pooled. `time_effects` and `mixed_model` compare across readers.

    >>> import pandas as pd
    >>> from analysis.statistics.trials import NEEDED
    >>> rows = [("A", c, c % 2, 5 if c % 2 else 1, 1000 + 100 * c) for c in range(8)]
    >>> found = medians(pd.DataFrame(rows, columns=NEEDED))
    >>> found["all"]["all"].value, found["truth"]["synthetic"].value
    (1350.0, 1400.0)
    """
    t = trials(responses)
    right = (t.levels > UNSURE) == t.synthetic
    decided = t.levels != UNSURE
    splits = {
        "all": {"all": np.ones(t.ms.size, dtype=bool)},
        "answer": {"real": t.levels < UNSURE, "unsure": ~decided, "synthetic": t.levels > UNSURE},
        "truth": {"real": ~t.synthetic, "synthetic": t.synthetic},
        "correctness": {"right": decided & right, "wrong": decided & ~right, "unsure": ~decided},
        "certainty": {
            "full": np.isin(t.levels, (1, 5)),
            "partial": np.isin(t.levels, (2, 4)),
            "unsure": ~decided,
        },
    }
    found = {
        factor: {name: median_interval(t.ms[of]) for name, of in split.items()} for factor, split in splits.items()
    }
    return found | {"reader": {name: median_interval(t.ms[of]) for name, of in t.by_reader().items()}}


def late_shares(responses: pd.DataFrame) -> dict[str, dict[str, Estimate]]:
    """Shares of trials answered after the deadline, with Wilson intervals: overall, by truth, by reader.

    >>> import pandas as pd
    >>> from analysis.statistics.trials import NEEDED
    >>> rows = [("A", c, 1, 5, 900.0, c == 0) for c in range(4)]
    >>> late_shares(pd.DataFrame(rows, columns=[*NEEDED, "late"]))["all"]["all"].value
    0.25
    """
    t = trials(responses)
    if "late" not in responses.columns or responses["late"].isna().all():
        nobody = undefined("it is not known which answers were late")
        return {"all": {"all": nobody}, "truth": {"real": nobody, "synthetic": nobody}, "reader": {}}

    def share(late: NDArray[np.bool_]) -> Estimate:
        return proportions.interval(int(late.sum()), late.size)

    return {
        "all": {"all": share(t.late)},
        "truth": {"real": share(t.late[~t.synthetic]), "synthetic": share(t.late[t.synthetic])},
        "reader": {name: share(t.late[of]) for name, of in t.by_reader().items()},
    }


def time_effects(responses: pd.DataFrame) -> dict[str, Estimate]:
    """Ratios of geometric mean times for each reader, then over readers (see above).

    Comparisons: synthetic against real cases, wrong against right, partial against full certainty, unsure against
    decided; the change with each 100 trials (below 1 = faster), the first five trials after a break against the last
    five before it, and trials with zoom, or with changed windowing, against those without.

    >>> import pandas as pd
    >>> from analysis.statistics.trials import NEEDED
    >>> rows = [(r, c, c % 2, 1, (1000 + 10 * c) * (1 + c % 2)) for r in "AB" for c in range(8)]
    >>> found = time_effects(pd.DataFrame(rows, columns=NEEDED))
    >>> round(found["synthetic_to_real"].value, 2), found["after_break"].reason
    (2.02, 'it is not known for any trial')
    """
    t = trials(responses)
    log_ms = np.log(t.ms)
    return {
        name: _as_ratio(_over_readers(t, log_ms, x, by_truth=name != "synthetic_to_real"))
        for name, x in (_answers(t) | _circumstances(t)).items()
    }


def accuracy_effects(responses: pd.DataFrame, rule: str = "fractional") -> dict[str, Estimate]:
    """Changes in accuracy for each reader, then over readers (see above); `rule` as in `scoring`.

    Per 100 trials (learning above 0, fatigue below), after breaks, with zoom and windowing as in `time_effects`, and
    per doubling of the response time.

    >>> import pandas as pd
    >>> from analysis.statistics.trials import NEEDED
    >>> rows = [("A", c, c % 2, 5 if c % 2 else 1, 2000, c) for c in range(40)]
    >>> found = accuracy_effects(pd.DataFrame(rows, columns=[*NEEDED, "position"]))
    >>> found["per_100_trials"].value, found["per_doubling_of_time"].reason
    (0.0, 'no reader has trials of both kinds to compare')
    """
    t = trials(responses)
    earned = credits(t.levels, t.synthetic, rule)
    circumstances = _circumstances(t) | {"per_doubling_of_time": np.log2(t.ms)}
    return {name: _over_readers(t, earned, x) for name, x in circumstances.items()}


def mixed_model(responses: pd.DataFrame) -> tuple[dict[str, Estimate], dict[str, float]]:
    """Model log time by truth, correctness, certainty and position, readers and cases random (`linear_mixed.fit`).

    Ratios as in `time_effects`, each with the others held fixed: `synthetic`, `wrong` (of decided answers), `partial`,
    `unsure` against a correct answer with full certainty to a real case, and `per_100_trials`. Also the standard
    deviations of log time over readers, cases and residuals. If positions are unknown, they are left out of the model.

    >>> import pandas as pd
    >>> from analysis.statistics.trials import NEEDED
    >>> times = [1000 * (1 + c % 2) + 37 * (c * c % 11) for c in range(20)]
    >>> rows = [(r, c, c % 2, 1 + (7 * c + ord(r)) % 5, times[c]) for r in "AB" for c in range(20)]
    >>> effects, spread = mixed_model(pd.DataFrame(rows, columns=NEEDED))
    >>> round(effects["synthetic"].value, 2), sorted(effects)
    (1.89, ['partial', 'synthetic', 'unsure', 'wrong'])
    """
    from analysis.statistics.linear_mixed import fit

    t = trials(responses)
    answers = _answers(t)
    columns = {
        "intercept": np.ones(t.ms.size),
        "synthetic": t.synthetic.astype(float),
        "wrong": np.nan_to_num(answers["wrong_to_right"]),
        "partial": np.nan_to_num(answers["partial_to_full"]),
        "unsure": answers["unsure_to_decided"],
    }
    if t.ms.size and not np.isnan(t.position).any():
        columns["per_100_trials"] = (t.position - t.position.mean()) / 100
    found = fit(np.log(t.ms), np.stack(list(columns.values()), axis=1), list(columns), t.readers, t.cases)
    return {name: _as_ratio(one) for name, one in found.effects.items() if name != "intercept"}, found.spread


def over_position(responses: pd.DataFrame, parts: int = 8, rule: str = "fractional") -> list[dict[str, Any]]:
    """Accuracy (the mean of both classes' mean credits, which balances truth) and median time along the order.

    One row for each of `parts` equal stretches of positions: `start`, `end`, `n`, `accuracy`, `median_ms`.

    >>> import pandas as pd
    >>> from analysis.statistics.trials import NEEDED
    >>> rows = [("A", c, c % 2, 5 if c % 2 else 1, 2000 - c, c) for c in range(40)]
    >>> found = over_position(pd.DataFrame(rows, columns=[*NEEDED, "position"]), parts=2)
    >>> [(row["n"], row["accuracy"].value, row["median_ms"].value) for row in found]
    [(20, 1.0, 1990.5), (20, 1.0, 1970.5)]
    """
    t = trials(responses)
    known = ~np.isnan(t.position)
    if not known.any():
        return []
    edges = np.linspace(t.position[known].min() - 0.5, t.position[known].max() + 0.5, parts + 1)
    stretch = np.digitize(t.position, edges) - 1
    spans = [(part, {"start": float(edges[part]), "end": float(edges[part + 1])}) for part in range(parts)]
    return _rows(t, [(known & (stretch == part), span) for part, span in spans], rule)


def speed_accuracy(responses: pd.DataFrame, parts: int = 5, rule: str = "fractional") -> list[dict[str, Any]]:
    """The speed-accuracy curve: accuracy in `parts` equal shares of each reader's own times, fastest first.

    The cuts are made within readers, so that good but slow readers do not make slow answers look good (the conditional
    accuracy function; Heitz 2014, Front Neurosci 8:150). Rows as in `over_position`, `part` from 1.

    >>> import pandas as pd
    >>> from analysis.statistics.trials import NEEDED
    >>> rows = [("A", c, c % 2, 5 if c % 2 and c > 9 else 1, 1000 + c) for c in range(20)]
    >>> [row["accuracy"].value for row in speed_accuracy(pd.DataFrame(rows, columns=NEEDED), parts=2)]
    [0.5, 1.0]
    """
    t = trials(responses)
    share = np.zeros(t.ms.size)
    for mine in t.by_reader().values():
        share[mine] = (np.argsort(np.argsort(t.ms[mine], kind="stable")) + 0.5) / mine.size
    part = np.minimum((share * parts).astype(int), parts - 1)
    return _rows(t, [(part == number, {"part": number + 1}) for number in range(parts)], rule)


def viewer_use(responses: pd.DataFrame) -> dict[str, dict[str, Estimate]]:
    """Shares of trials with zoom and with changed windowing, with Wilson intervals: overall and by reader.

    >>> import pandas as pd
    >>> from analysis.statistics.trials import NEEDED
    >>> rows = [("A", c, 1, 5, 900.0, 1 + c % 2) for c in range(4)]
    >>> viewer_use(pd.DataFrame(rows, columns=[*NEEDED, "zoom_max"]))["zoomed"]["all"].value
    0.5
    """
    t = trials(responses)
    found: dict[str, dict[str, Estimate]] = {}
    for tool, used in (("zoomed", t.zoomed), ("windowed", t.windowed)):
        found[tool] = {}
        for name, of in ({"all": np.arange(t.ms.size)} | t.by_reader()).items():
            known = used[of][~np.isnan(used[of])]
            found[tool][name] = proportions.interval(int(known.sum()), known.size)
    return found


def _answers(t: Trials) -> dict[str, Floats]:
    """Return the compared properties of answers: 1 against 0, NaN where a trial is neither."""
    decided = t.levels != UNSURE
    wrong = np.where(decided, (t.levels > UNSURE) != t.synthetic, np.nan)
    return {
        "synthetic_to_real": t.synthetic.astype(float),
        "wrong_to_right": wrong,
        "partial_to_full": np.where(decided, np.isin(t.levels, (2, 4)), np.nan),
        "unsure_to_decided": (~decided).astype(float),
    }


def _circumstances(t: Trials) -> dict[str, Floats]:
    return {
        "per_100_trials": t.position / 100,
        "after_break": _after_break(t),
        "zoomed": t.zoomed,
        "windowed": t.windowed,
    }


def _after_break(t: Trials) -> Floats:
    """1 in the first five trials after a break, 0 in the last five before one, NaN elsewhere."""
    marks = np.full(t.ms.size, np.nan)
    for of in t.by_reader().values():
        mine = of[~(np.isnan(t.position[of]) | np.isnan(t.block[of]))]
        mine = mine[np.argsort(t.position[mine], kind="stable")]
        for turn in np.flatnonzero(np.diff(t.block[mine])) + 1:
            marks[mine[max(0, turn - AROUND_BREAK) : turn]] = 0
            marks[mine[turn : turn + AROUND_BREAK]] = 1
    return marks


def _over_readers(t: Trials, y: Floats, x: Floats, by_truth: bool = True) -> Estimate:
    """Return the slope of y on x within each reader (and class), then its mean over readers with a t interval."""
    method = "mean over readers of their slopes" + (" adjusted for truth" if by_truth else "") + ", t 95% interval"
    known = ~(np.isnan(y) | np.isnan(x))
    names, reader = np.unique(t.readers[known], return_inverse=True)
    if not names.size:
        return undefined("it is not known for any trial", method, readers=0, trials=0)
    y, x = y[known], x[known]
    stratum = 2 * reader + (t.synthetic[known] if by_truth else 0)
    size = np.maximum(np.bincount(stratum, minlength=2 * names.size), 1)
    y = y - (np.bincount(stratum, y, 2 * names.size) / size)[stratum]
    x = x - (np.bincount(stratum, x, 2 * names.size) / size)[stratum]
    xx = np.bincount(reader, x * x)
    usable = xx > 1e-9
    extra = {"readers": int(usable.sum()), "trials": int(known.sum()), "readers_left_out": int((~usable).sum())}
    if not usable.any():
        return undefined("no reader has trials of both kinds to compare", method, **extra)
    slopes = np.bincount(reader, x * y)[usable] / xx[usable]
    if slopes.size > 1:
        value, se, df = float(slopes.mean()), float(slopes.std(ddof=1)) / math.sqrt(slopes.size), float(slopes.size - 1)
    else:
        (alone,) = np.flatnonzero(usable)
        mine = reader == alone
        value, df = float(slopes[0]), float(mine.sum() - np.unique(stratum[mine]).size - 1)
        method = "one reader's slope, t 95% interval over trials"
        left_over = float(((y[mine] - value * x[mine]) ** 2).sum())
        se = math.sqrt(left_over / df / float(xx[alone])) if df > 0 else 0.0
    if se < 1e-12:
        return Estimate(value, method=method, reason="nothing varies, so there is no standard error", extra=extra)
    half = distributions.t_quantile(0.95, df) * se
    return Estimate(value, se, (value - half, value + half), distributions.t_p(value / se, df), method, df, extra=extra)


def _as_ratio(one: Estimate) -> Estimate:
    """Convert an estimate of log time to a ratio of times; `log_se` is the standard error of the logarithm."""
    if one.value is None:
        return one
    ci = (math.exp(one.ci[0]), math.exp(one.ci[1])) if one.ci else None
    method = f"ratio of geometric mean times; {one.method}"
    extra = one.extra | ({"log_se": one.se} if one.se is not None else {})
    return replace(one, value=math.exp(one.value), se=None, ci=ci, method=method, extra=extra)


def _rows(t: Trials, parts: list[tuple[NDArray[np.bool_], dict[str, Any]]], rule: str) -> list[dict[str, Any]]:
    from analysis.statistics.scoring import score

    return [
        label
        | {
            "n": int(of.sum()),
            "accuracy": score(t.levels[of], t.synthetic[of], rule).balanced_accuracy(),
            "median_ms": median_interval(t.ms[of]),
        }
        for of, label in parts
    ]
