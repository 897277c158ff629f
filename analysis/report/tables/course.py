"""The tables of the course of a study: order, times, predictors of a right answer, cases, and the flow."""

from __future__ import annotations

from typing import Any

from analysis.report.tables.table import RULES, Cell, Pointer, Row, Table, cells, find

ORDER = {
    "per_100_trials": "per hundred cases",
    "after_break": "just after a break, compared with just before",
    "zoomed": "with zoom, compared with without",
    "windowed": "with changed brightness or contrast, compared with without",
    "per_doubling_of_time": "per doubling of the response time",
}


def order(results: dict[str, Any]) -> Table:
    effects = results["order"]["effects"]
    return Table(
        "order",
        "Changes in accuracy during the study",
        f"Change of the accuracy ({RULES[results['settings']['unsure']]}), in percentage points, with order, breaks, "
        "use of the viewer and time: means of the readers' own slopes, with equal weight for real and synthetic "
        "cases, and 95 % intervals over readers.",
        ("circumstance", "change of accuracy", "p"),
        [
            [words, *cells(("order", "effects", name), [("share_ci",), ("p", "p")])]
            for name, words in ORDER.items()
            if effects.get(name, {}).get("value") is not None
        ],
    )


TIMES = {
    "synthetic_to_real": "synthetic cases, compared with real",
    "wrong_to_right": "wrong answers, compared with right",
    "partial_to_full": "partially certain answers, compared with fully certain",
    "unsure_to_decided": "unsure, compared with decided",
    **{name: words for name, words in ORDER.items() if name != "per_doubling_of_time"},
}


MEDIANS = {
    "all": {"all": "all answers"},
    "truth": {"synthetic": "synthetic cases", "real": "real cases"},
    "answer": {"synthetic": "called synthetic", "unsure": "unsure", "real": "called real"},
    "correctness": {"right": "right", "wrong": "wrong"},
    "certainty": {"full": "fully certain", "partial": "partially certain"},
}


def medians(results: dict[str, Any]) -> Table:
    return Table(
        "medians",
        "Median response times",
        "Median of the answers of all readers, with 95 % intervals based on order statistics, which refer to these "
        "readers only.",
        ("answers that were", "number", "median"),
        [
            [words, *cells(("timing", "medians", factor, name), [("count", "n"), ("seconds_ci",)])]
            for factor, names in (MEDIANS.items() if results["timing"] else ())
            for name, words in names.items()
        ],
    )


USE = {
    "late, of all": ("late", "all", "all"),
    "late, of synthetic cases": ("late", "truth", "synthetic"),
    "late, of real cases": ("late", "truth", "real"),
    "with zoom": ("viewer", "zoomed", "all"),
    "with changed brightness or contrast": ("viewer", "windowed", "all"),
}


def use(results: dict[str, Any]) -> Table:
    return Table(
        "use",
        "Late answers and use of the viewer",
        "Share of the answers, all readers pooled, with 95 % intervals (Wilson).",
        ("answers", "of", "share"),
        [
            [words, *cells(("timing", *steps), [("count", "n"), ("share_ci",)])]
            for words, steps in USE.items()
            if find(results, ("timing", *steps, "value")) is not None
        ],
    )


def times(results: dict[str, Any]) -> Table:
    ratios = results["timing"].get("ratios", {})
    return Table(
        "times",
        "Ratios of response times",
        "Ratios of geometric mean response times: means of the readers' own ratios, with 95 % intervals over readers; "
        "above one is slower.",
        ("comparison", "ratio of times", "p"),
        [
            [words, *cells(("timing", "ratios", name), [("number_ci",), ("p", "p")])]
            for name, words in TIMES.items()
            if ratios.get(name, {}).get("value") is not None
        ],
    )


TOGETHER = {
    "synthetic": "synthetic cases",
    "wrong": "wrong answers",
    "partial": "partially certain answers",
    "unsure": "unsure answers",
    "per_100_trials": ORDER["per_100_trials"],
}


def times_model(results: dict[str, Any]) -> Table:
    ratios = find(results, ("timing", "model", "ratios")) or {}
    return Table(
        "times_model",
        "Ratios of response times, in one model",
        "Ratios of geometric mean response times, with 95 % intervals, from one linear mixed model of log time with "
        "readers and cases random: each with the others held constant, compared with right, fully certain answers to "
        "real cases.",
        ("effect", "ratio of times", "p"),
        [
            [words, *cells(("timing", "model", "ratios", name), [("number_ci",), ("p", "p")])]
            for name, words in TOGETHER.items()
            if name in ratios
        ],
    )


def model(results: dict[str, Any]) -> Table:
    ratios = results["model"]["odds_ratios"]
    return Table(
        "model",
        "Odds of a right answer",
        "Odds ratios with 95 % intervals from one logistic mixed model of all answers except unsure ones, with "
        "readers and cases random: above one, a right answer is more likely.",
        ("effect", "odds ratio", "p"),
        [[name, *cells(("model", "odds_ratios", name), [("number_ci",), ("p", "p")])] for name in ratios],
    )


def spread(results: dict[str, Any]) -> Table:
    random = results["model"]["random"]
    rows: list[Row] = [
        [f"between {name}s", *cells(("model", "random", name), [("number",), ("share", "share")])] for name in random
    ]
    left: Row = ["between answers", "", Cell("share", ("model", "residual_share"))]
    return Table(
        "spread",
        "Variation in right answers between readers and cases",
        "Standard deviations of the log odds of a right answer between readers and between cases, from the same model, "
        "and their shares of the variance on the latent scale.",
        ("source", "standard deviation", "share of the variance"),
        [*rows, left] if rows and results["model"]["residual_share"] is not None else [],
    )


CASE = [("text", "truth"), ("text", "source"), ("count", "read"), ("count", "wrong"), ("count", "unsure")]
CASE += [("text", "category"), ("text", "certainty"), ("number", "difficulty")]
CASE_COLUMNS = ("case", "truth", "source", "readers", "fooled", "unsure", "majority", "certainty", "difficulty")
CASE_WORDS = (
    "how many readers judged it, how many it fooled (a synthetic case called real, a real one called synthetic) and "
    "how many were unsure; the answer of the majority (TP, TN, FP, FN) and its certainty; and its difficulty on the "
    "Rasch scale in logits, with a mean of zero."
)


def hardest(results: dict[str, Any]) -> Table:
    order = results["hardest"]
    return Table(
        "hardest",
        "The cases that fooled most readers",
        f"The cases that the largest share of their readers got wrong: {CASE_WORDS}",
        CASE_COLUMNS,
        [[Cell("text", ("cases", i, "case")), *cells(("cases", i), CASE)] for i in order],
    )


def cases(results: dict[str, Any]) -> Table:
    return Table(
        "cases",
        "Every case",
        f"Every case: {CASE_WORDS}",
        CASE_COLUMNS,
        [[Cell("text", ("cases", i, "case")), *cells(("cases", i), CASE)] for i in range(len(results["cases"]))],
    )


def detector(results: dict[str, Any]) -> Table:
    return Table(
        "detector",
        "Readers and the detector",
        "Spearman's correlation of the readers' mean level of a case with the detector's score, within each class, "
        "with 95 % intervals: do both find the same images difficult?",
        ("class", "cases", "correlation", "p"),
        [
            [f"{name} cases", *cells(("detector", name), [("count", "n"), ("number_ci",), ("p", "p")])]
            for name in ("synthetic", "real")
            if find(results, ("detector", name)) is not None
        ],
    )


LEFT_OUT = {
    "unreadable": "not readable",
    "not_fetched": "not fetched",
    "several_images": "several in one file",
    "no_class": "of no class",
    "training": "used in training",
    "unmatched": "without counterpart",
    "text": "with burnt-in text",
    "near_duplicate": "near-duplicates",
    "not_drawn": "not drawn",
}
CLASSES = {"all": "", "real": ": real", "synthetic": ": synthetic", "no_class": ": of no class"}
IMAGES: Pointer = ("study", "pool", "images")
STAGES: dict[str, Pointer] = {
    "images given": (*IMAGES, "given"),
    **{f"images left out, {words}": (*IMAGES, "left_out", reason) for reason, words in LEFT_OUT.items()},
    "images in the pool": (*IMAGES, "in_pool"),
    "images left out on the desk": (*IMAGES, "set_aside"),
}
FLOW: dict[str, Pointer] = {
    **{
        f"{words}{which}": (*at, name)
        for words, at in STAGES.items()
        for name, which in CLASSES.items()
        if not (at[-1] == name == "no_class")  # all of them
    },
    "readers invited": ("study", "flow", "invited"),
    "readers who consented": ("study", "flow", "consented"),
    "readers who began": ("study", "flow", "began"),
    "readers who finished": ("study", "flow", "finished"),
    "readers in the analysis": ("study", "readers"),
    "cases labelled or in the pool": ("flow", "known"),
    "cases never shown to a reader, or for practice only": ("flow", "not_asked"),
    "cases in the analysis": ("study", "cases"),
    "quartets in the analysis": ("study", "quartets"),
    "cases compared": ("study", "compared"),
    "cases that every reader judged": ("flow", "judged_by_all"),
    "answers asked for": ("study", "expected"),
    "answers in the analysis": ("study", "answers"),
    "answers left out: practice": ("study", "excluded", "training"),
    "answers left out: repeated readings": ("study", "excluded", "repeats"),
    "answers left out: earlier attempts of a reader who started again": ("study", "excluded", "superseded"),
}


def flow(results: dict[str, Any]) -> Table:
    return Table(
        "flow",
        "Flow of images, readers, cases and answers" if find(results, IMAGES) else "Flow of readers, cases and answers",
        "Readers, cases and answers that entered the study and that are in the analysis, following the STARD flow "
        "diagram.",
        ("stage", "number"),
        [[words, Cell("count", pointer)] for words, pointer in FLOW.items() if find(results, pointer) is not None],
    )
