"""The chosen images: how often the real one, by which reader, at which place, and which sources fooled readers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.designs import common
from analysis.designs.common import test_line
from analysis.designs.quartet.trials import REAL, Numbers, Trials
from analysis.responses import natural
from analysis.statistics import (
    agreement,
    detection,
    distributions,
    forced_choice,
    mixed,
    mrmc,
    multiplicity,
    proportions,
    reader_tests,
)
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.groups import compare as compare_two

if TYPE_CHECKING:
    import pandas as pd

BOTH, CASES, READERS = "other readers, other quartets", "other quartets, these readers", "other readers, these quartets"
HARDEST = 10  # number of quartets listed
NEITHER = "these answers, as if each were independent"


def share(correct: Numbers, alternatives: int) -> dict[str, Any]:
    """Return the share of correct choices with tests against chance, and d'; every answer has the same weight."""
    found = forced_choice.proportion(correct, alternatives)
    plain = found.as_dict()
    dprime = plain.pop("dprime", undefined("there are no answers to count"))
    return {"proportion_correct": plain, "dprime": dprime}


def clustered(correct: Numbers, alternatives: int, readers: str = "random", cases: str = "random") -> Estimate:
    """Return the mean over readers, with readers and quartets random and p against chance."""
    return common.clustered(correct, 1 / alternatives, readers, cases, "quartet")


def overall(trials: Trials, margin: float) -> dict[str, Any]:
    """Return the share of correct choices of all readers by every method, d', the model, and equivalence to chance."""
    correct, size = trials.correct, trials.alternatives
    found = share(correct, size)
    lead, fitted = clustered(correct, size), model(trials)
    pooled = found["proportion_correct"]
    k, n = pooled["k"], pooled["n"]
    ways: list[tuple[Estimate | Mapping[str, Any], str]] = [
        (lead, BOTH),
        (fitted["proportion"], BOTH),
        (clustered(correct, size, readers="fixed"), CASES),
        (clustered(correct, size, cases="fixed"), READERS),
        (pooled, NEITHER),
        (proportions.against_chance(k, n, 1 / size), NEITHER),
    ]
    return {
        "proportion_correct": pooled,
        "clustered": lead,
        "dprime": _dprime(lead, size),
        "model": fitted,
        "methods": [
            {"speaks_of": reach} | (one.as_dict() if isinstance(one, Estimate) else dict(one)) for one, reach in ways
        ],
        "equivalence": {
            "answers": _equivalence(k, n, 1 / size, margin),
            "clustered": mrmc.equivalence(lead, 1 / size, margin),
        },
    }


def _dprime(found: Estimate, alternatives: int) -> Estimate:
    """Return d' for a share, with the limits of its interval converted too."""
    if found.value is None:
        return undefined(found.reason or "there are no answers to count")
    point = detection.mafc_dprime(found.value, alternatives)
    if found.ci is None or point.value is None:
        return point
    limits = [detection.mafc_dprime(limit, alternatives).value for limit in found.ci]
    if None in limits:
        return replace(point, reason="a limit of the share is 0 or 1, so the limit of d' is infinite")
    ci = float(limits[0] or 0), float(limits[1] or 0)
    return replace(point, ci=ci, method=f"{point.method}, limits of the mean with readers and quartets random")


def _equivalence(k: int, n: int, chance: float, margin: float) -> Estimate:
    if not 0 < chance - margin < chance + margin < 1:
        return undefined(f"the margin {margin:g} around chance {chance:.3g} reaches 0 or 1")
    return proportions.equivalence(k, n, chance, margin)


def model(trials: Trials) -> dict[str, Any]:
    """Model the log odds of a correct choice, with readers and quartets random.

    `against_chance` is the intercept (an average reader's log odds on an average quartet) minus the log odds of chance.
    `proportion` is the mean share over such readers and quartets according to the model, tested against chance.
    """
    from scipy.optimize import brentq

    rows = trials.table[trials.table["correct"].notna()]
    chance = 1 / trials.alternatives
    random = {"reader": rows["reader"].to_numpy(), "quartet": rows["quartet"].to_numpy()}
    fitted = mixed.logistic(rows["correct"].to_numpy(), {}, random)
    chance_odds = math.log(chance / (1 - chance))
    found = fitted.as_dict() | {"chance_log_odds": chance_odds}
    one = fitted.fixed["intercept"]
    method = "logistic mixed model, readers and quartets random, averaged over both"
    if one.value is None or one.se is None or one.ci is None:
        nothing = undefined(one.reason or "the model could not be fitted", method)
        return found | {"against_chance": nothing, "proportion": nothing}
    spread = math.sqrt(sum((factor.value or 0.0) ** 2 for factor in fitted.random.values()))
    value, low, high = (mixed.averaged(odds, spread) for odds in (one.value, *one.ci))
    # The log odds at which such readers, on such quartets, are right as often as by chance.
    guessing = brentq(lambda odds: mixed.averaged(odds, spread) - chance, -50 - 10 * spread, 50 + 10 * spread)
    p, p_intercept = (distributions.normal_p((one.value - null) / one.se) for null in (guessing, chance_odds))
    away = one.value - chance_odds
    ci = one.ci[0] - chance_odds, one.ci[1] - chance_odds
    against = Estimate(
        away, one.se, ci, p_intercept, "intercept of the logistic mixed model less the log odds of chance"
    )
    share = Estimate(value, ci=(low, high), p=p, method=method, reason=fitted.reason)
    return found | {"against_chance": against, "proportion": share}


def by_reader(trials: Trials, groups: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the share, places and sources of each reader, like `overall` for all readers."""
    found = {}
    for name in trials.readers:
        rows = trials.table[trials.table["reader"] == name]
        said = rows[rows["correct"].notna()]
        found[name] = {
            "group": groups[name] or None,
            "n": len(said),
            "asked": len(rows),
            **share(rows["correct"].to_numpy(), trials.alternatives),
            "places": _even(said["chosen_place"], trials.alternatives),
            "sources": {source: int((said["chosen_source"] == source).sum()) for source in trials.sources},
        }
    return found


def groups(trials: Trials, labels: list[str], bootstrap: int, seed: int) -> dict[str, Any]:
    """Return the results of each group of readers and, if there are two, their difference by every method."""
    members = {}
    for name in sorted(set(labels) - {""}):
        own = trials.correct[[label == name for label in labels]]
        members[name] = (
            {"n": len(own)} | share(own, trials.alternatives) | {"clustered": clustered(own, trials.alternatives)}
        )
    if len(members) != 2:
        reason = f"a difference needs two groups of readers, and there are {len(members)}"
        return {"members": members, "difference": undefined(reason), "comparisons": []}
    compared = compare_two(
        trials.correct,
        np.ones(len(trials.quartets)),
        [label or None for label in labels],
        endpoint="sensitivity",
        replicates=bootstrap,
        seed=seed,
    )
    listed = [estimate for found in compared.values() for estimate in found if estimate.value is not None]
    comparisons = [_of_quartets(estimate.as_dict()) for estimate in listed]
    nested = (one for one in comparisons if one["method"].startswith("nested Obuchowski-Rockette"))
    difference = next(nested, undefined("a group of readers is too small for a comparison").as_dict())
    first, second = list(dict.fromkeys(label for label in labels if label))
    return {
        "members": members,
        "difference": difference | {"first": first, "second": second},
        "comparisons": comparisons,
    }


def _of_quartets(entry: dict[str, Any]) -> dict[str, Any]:
    """Reword a difference over readers and cases for quartets, and keep its interval within -1 and 1."""
    if entry.get("ci"):
        entry = entry | {"ci": [max(-1.0, entry["ci"][0]), min(1.0, entry["ci"][1])]}
    return entry | {word: entry[word].replace("cases", "quartets") for word in ("method", "question") if word in entry}


def agreements(trials: Trials) -> dict[str, Any]:
    """Measure whether readers chose the same image and the same place, and were right on the same quartets."""
    image, place = trials.matrix("chosen").T, trials.matrix("chosen_place").T
    size = trials.alternatives
    return {
        "fleiss_kappa": {
            "image": agreement.fleiss_kappa(image, range(size)),
            "place": agreement.fleiss_kappa(place, range(1, size + 1)),
            "correct": agreement.fleiss_kappa(trials.correct.T, (0, 1)),
        },
        "brennan_prediger": {"image": agreement.brennan_prediger(image, range(size))},
        "percent_agreement": {"image": agreement.percent_agreement(image)},
    }


def places(trials: Trials) -> dict[str, Any]:
    """Count how often each place was chosen and had the real image, and test whether results depended on the place."""
    said = trials.table[trials.table["correct"].notna()]
    size = trials.alternatives
    found = []
    for place in range(1, size + 1):
        there = said.loc[said["real_place"] == place, "correct"]
        found.append({"place": place, **proportions.interval(int(there.sum()), len(there)).as_dict()})
    chosen = _even(said["chosen_place"], size)
    if said["real_place"].isna().all():
        found = []
    table = [[one.get("k", 0), one["n"] - one.get("k", 0)] for one in found]
    return chosen | {
        "real": _even(trials.table["real_place"], size),
        "found": found,
        "found_alike": forced_choice.association(table) if found else undefined("places are not known"),
    }


def _even(column: Any, size: int) -> dict[str, Any]:
    """Return counts of places 1 to `size`, and the test that they are equally frequent."""
    if column.notna().sum() == 0:
        return {"counts": [0] * size} | undefined("places are not known").as_dict() | {"p": None}
    counts = [int((column == place).sum()) for place in range(1, size + 1)]
    return {"counts": counts, "p": None} | forced_choice.even(counts).as_dict()


def sources(trials: Trials, seed: int) -> dict[str, Any]:
    """`sources`, how often each was chosen when shown, and `fooling`, whether sources and readers differ in this.

    `fooling.sources` permutes sources within quartets; `fooling.chi_square` treats every answer as independent.
    """
    said = trials.table[trials.table["correct"].notna()]
    answered = trials.images.merge(said[["reader", "trial"]], on=["reader", "trial"])
    found, named = {}, [source for source in trials.sources if source != REAL]
    for source in trials.sources:
        own = answered[answered["source"] == source]
        one = proportions.interval(int((own["chosen"] == 1).sum()), len(own)).as_dict()
        found[source] = {"chosen": one.pop("k", 0), "shown": one.pop("n", 0), **one}
    counts = [found[source]["chosen"] for source in named]
    shown = [found[source]["shown"] for source in named]
    table = [
        [int(((said["reader"] == reader) & (said["chosen_source"] == source)).sum()) for source in named]
        for reader in trials.readers
    ]
    nothing = undefined("there is no synthetic source")
    most = max(named, key=lambda source: found[source]["value"] or 0.0, default=None)
    return {
        "sources": found,
        "fooling": {
            "most": most,
            "sources": _within_quartets(answered, seed) if named else nothing,
            "chi_square": forced_choice.even(counts, shown) if named else nothing,
            "strength": forced_choice.association([[k, n - k] for k, n in zip(counts, shown, strict=True)])
            if named
            else nothing,
            "readers": forced_choice.association(table) if named else nothing,
        },
    }


def _within_quartets(answered: pd.DataFrame, seed: int) -> Estimate:
    """Test whether all sources fool readers equally often, keeping the answers to one image together."""
    images = answered[answered["label"] > 0].assign(chosen=answered["chosen"] == 1)
    if images.empty:
        return undefined("there are no answers to count")
    by = images.groupby(["quartet", "label"]).agg(chosen=("chosen", "sum"), source=("source", "first"))
    found = forced_choice.within(by["chosen"].unstack(), by["source"].unstack(), seed=seed)
    return replace(found, method=found.method.replace("names within sets", "sources within quartets"))


def tests(
    readers: Mapping[str, Any], found: Mapping[str, Any], alternatives: int, margin: float, seed: int
) -> list[dict[str, Any]]:
    """The tests against chance, each with its question; those of single readers are corrected for their number."""
    chance = 1 / alternatives
    pooled, name = found["proportion_correct"], "share of correct choices"
    values = np.array([reader["proportion_correct"]["value"] for reader in readers.values()], dtype=float)
    alone = "were these answers right more often than by chance, if each were independent?"
    other = "would other readers be better than chance, on"
    equal = f"would other readers be within {margin:g} of chance, on other quartets?"
    pearson = {
        "value": pooled["value"],
        "p": pooled.get("p_chisquare"),
        "df": 1,
        "method": "chi-square test against chance, no continuity correction",
    }
    lines = [
        test_line(name, f"{other} other quartets?", found["clustered"]),
        test_line(name, f"{other} other quartets?", found["model"]["proportion"]),
        *(
            test_line(name, f"{other} these quartets?", test)
            for test in (reader_tests.t_test(values, chance), reader_tests.signed_rank(values, chance, seed))
        ),
        test_line(name, alone, pooled | {"method": "exact binomial test against chance", "p": pooled.get("p_exact")}),
        test_line(name, alone, pearson) | {"statistic": pooled.get("chi_square")},
        test_line(f"{name}, equivalence", equal, found["equivalence"]["clustered"]),
        test_line(
            f"{name}, equivalence",
            f"are these answers within {margin:g} of chance, if each were independent?",
            found["equivalence"]["answers"],
        ),
    ]
    each = {
        reader: test_line(
            f"{name} of {reader}",
            "was this reader right more often than by chance?",
            measured["proportion_correct"] | {"method": "exact binomial test against chance"},
        )
        for reader, measured in readers.items()
    }
    corrected = multiplicity.adjust({"each reader": {reader: line["p"] for reader, line in each.items()}})
    return lines + [
        each[row.name] | {"family": row.family, "holm": row.holm, "benjamini_hochberg": row.benjamini_hochberg}
        for row in corrected
    ]


def listed(trials: Trials) -> dict[str, Any]:
    """List every quartet: how many readers found its real image, how each image was judged, and which were hardest."""
    found = []
    rows = dict(list(trials.images.groupby("quartet", sort=False)))
    for quartet, correct in zip(trials.quartets, trials.correct.T, strict=True):
        answered = correct[~np.isnan(correct)]
        images = []
        for case, own in rows[quartet].groupby("case", sort=False):
            rated = own["realism"].dropna()
            images.append(
                {
                    "case": case,
                    "source": own["source"].iloc[0],
                    "chosen": int((own["chosen"] == 1).sum()),
                    "realism": float(rated.mean()) if len(rated) else None,
                }
            )
        images.sort(key=lambda image: (image["source"] != REAL, natural(image["source"]), natural(image["case"])))
        fooled = max(images[1:], key=lambda image: image["chosen"], default=None)
        found.append(
            {
                "quartet": quartet,
                "n": len(answered),
                "correct": int(answered.sum()),
                "fooled_by": fooled["case"] if fooled and fooled["chosen"] else None,
                "fooled": fooled["chosen"] if fooled else 0,
                "images": images,
            }
        )
    judged = np.flatnonzero(~np.isnan(trials.correct).all(axis=0))
    shares = np.nanmean(trials.correct[:, judged], axis=0)
    return {"quartets": found, "hardest": judged[np.argsort(shares, kind="stable")][:HARDEST].tolist()}


def repeats(trials: Trials, again: Trials) -> dict[str, Any]:
    """Intra-reader agreement on quartets shown twice: the share with the same choice; other readers are left out."""
    both = again.table.merge(trials.table[["reader", "quartet", "chosen"]], on=["reader", "quartet"])
    both = both[both["chosen_x"].notna() & both["chosen_y"].notna()]
    return {
        str(name): proportions.interval(int((pairs["chosen_x"] == pairs["chosen_y"]).sum()), len(pairs))
        for name, pairs in both.groupby("reader", sort=False)
    }
