"""The tables of the Bayesian analysis; none if it was not requested or the sampler did not converge."""

from __future__ import annotations

from typing import Any

from analysis.report.tables.table import RULES, Cell, Row, Table, cells

PARAMETERS = {
    "reader_sd": "standard deviation of d′ between readers",
    "case_share": "share of the variance that all readers share on a case",
    "spread_ratio": "spread of synthetic over spread of real images",
    "leaning": "middle criterion, from halfway between the classes",
    "leaning_sd": "standard deviation of the middle criterion between readers",
}
TESTS = {"agreement": "pairs of readers who gave a case the same level", "auc_spread": "spread of the readers' AUC"}


def all_tables(results: dict[str, Any]) -> list[Table]:
    """Every table of the section."""
    if "bayes" not in results or results["bayes"]["reason"]:
        return []
    return [make(results) for make in (overall, readers, sensitivity, parameters, fit)]


def overall(results: dict[str, Any]) -> Table:
    lines: list[tuple[str, str, tuple[str, ...]]] = [
        ("d′", "number_ci", ("dprime",)),
        ("AUC over the levels", "number_ci", ("auc",)),
    ]
    lines += [("AUC of the smooth curve", "number_ci", ("smooth_auc",))]
    lines += [(f"accuracy, {words}", "share_ci", ("accuracy", rule)) for rule, words in RULES.items()]
    rows: list[Row] = []
    for words, style, steps in lines:
        reaches = [Cell(style, ("bayes", reach, *steps)) for reach in ("these_readers", "new_readers", "new_reader")]
        shares = [Cell("share", ("bayes", "new_readers", *steps, what)) for what in ("above_chance", "near_chance")]
        rows.append([words, *reaches, *shares])
    return Table(
        "bayes_overall",
        "Bayesian model: all readers",
        "Posterior means with 95 % credible intervals. These readers: their mean over all cases like these. New "
        "readers: the mean of all readers like these. One further reader: a prediction. The last columns are the "
        "posterior probabilities that the mean of new readers lies above chance, and within the margin "
        f"({results['settings']['margin']:g}) of it; for d′ the margin is that of the area under the smooth curve.",
        ("figure", "these readers", "new readers", "one further reader", "above chance", "within the margin"),
        rows,
    )


def readers(results: dict[str, Any]) -> Table:
    rule = results["settings"]["unsure"]
    wanted = [("text", "group"), ("number_ci", "dprime"), ("number_ci", "auc"), ("number_ci", "smooth_auc")]
    return Table(
        "bayes_readers",
        "Bayesian model: each reader",
        f"Posterior means with 95 % credible intervals, over all cases like these; accuracy with {RULES[rule]}. Each "
        "reader's estimate borrows strength from the others', so extremes are closer to the mean.",
        ("reader", "group", "d′", "AUC over the levels", "AUC of the smooth curve", "accuracy"),
        [
            [name, *cells(("bayes", "readers", name), [*wanted, ("share_ci", "accuracy", rule)])]
            for name in results["bayes"]["readers"]
        ],
    )


def sensitivity(results: dict[str, Any]) -> Table:
    wanted = [("number", "mean_sd"), ("number", "spread_median"), ("number", "log10"), ("number_ci", "auc")]
    return Table(
        "bayes_sensitivity",
        "Bayesian model: other priors",
        "The standard deviation of the prior of the mean reader's d′ and the median of the prior of its spread between "
        "readers, each halved and doubled. Bayes factor for a mean reader who differs from chance, against one at "
        "chance, as a power of ten: 1 is ten to one, −1 one to ten.",
        ("prior of the mean", "prior of the spread", "Bayes factor, power of ten", "mean AUC of new readers"),
        [
            cells(("bayes", "bayes_factor", "sensitivity", line), wanted)
            for line in range(len(results["bayes"]["bayes_factor"]["sensitivity"]))
        ],
    )


def parameters(results: dict[str, Any]) -> Table:
    rows: list[Row] = [
        [words, Cell("number_ci", ("bayes", "parameters", name))]
        for name, words in PARAMETERS.items()
        if name in results["bayes"]["parameters"]
    ]
    if "group_difference" in results["bayes"]:
        first, second = results["bayes"]["groups"]
        rows.append([f"d′ of group {second} minus that of {first}", Cell("number_ci", ("bayes", "group_difference"))])
    return Table(
        "bayes_parameters",
        "Bayesian model: variation between readers and cases",
        "Posterior means with 95 % credible intervals, in units of an impression's standard deviation.",
        ("quantity", "posterior"),
        rows,
    )


def fit(results: dict[str, Any]) -> Table:
    return Table(
        "bayes_fit",
        "Bayesian model: fit",
        f"Observed values, and mean and 95 % interval of {results['bayes']['predictive']['studies']} studies drawn "
        "from the model. p: share of these studies with the same value or more; near 0 or 1, the model does not fit.",
        ("figure", "observed", "predicted", "p"),
        [
            [
                words,
                Cell("number", ("bayes", "predictive", "tests", name, "observed")),
                Cell("number_ci", ("bayes", "predictive", "tests", name)),
                Cell("p", ("bayes", "predictive", "tests", name, "p")),
            ]
            for name, words in TESTS.items()
        ],
    )
