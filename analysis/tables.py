"""The tables of the report: each cell points into results.json, so that HTML, CSV, TeX and xlsx say the same."""

from __future__ import annotations

from typing import Any

from analysis.cells import RULES, Cell, Row, Table, cells, find


def all_tables(results: dict[str, Any]) -> list[Table]:
    """Every table of the report, in its order; of a design that is not measured only the flow."""
    if "left_out" in results:
        return [flow(results)]
    made = [
        *(
            readers,
            rules,
            confusion,
            overall,
            groups,
            comparisons,
            experience,
            agreement,
            agreement_pairs,
            repeats,
            certainty,
        ),
        *(order, times, model, hardest, cases, tests, flow, predictive),
    ]
    return [make(results) for make in made] + [one_reader(results, name) for name in results["readers"]]


def readers(results: dict[str, Any]) -> Table:
    rule = results["settings"]["unsure"]
    wanted = [
        ("text", "group"),
        ("count", "n"),
        ("share_ci", "accuracy", rule),
        ("share_ci", "sensitivity"),
        ("share_ci", "specificity"),
        ("share_ci", "precision"),
        ("number_ci", "auc"),
        ("number", "dprime"),
        ("number", "criterion"),
    ]
    return Table(
        "readers",
        "Readers",
        "Accuracy, sensitivity (to synthetic cases), specificity and precision by the rule in the lead "
        f"({RULES[rule]}), area under the empirical ROC curve, d' and criterion (unsure left out; a positive criterion "
        "leans to “real”). In brackets 95 % intervals over cases.",
        ("reader", "group", "answers", "accuracy", "sensitivity", "specificity", "precision", "AUC", "d'", "criterion"),
        [[name, *cells(("readers", name), wanted)] for name in results["readers"]],
    )


def rules(results: dict[str, Any]) -> Table:
    def row(name: str, *pointer: str) -> Row:
        return [name, *(Cell("share_ci", (*pointer, "accuracy", rule)) for rule in RULES)]

    rows = [row(name, "readers", name) for name in results["readers"]]
    rows += [row(f"group {name}", "groups", "members", name) for name in results["groups"]["members"]]
    return Table(
        "rules",
        "Accuracy under the four unsure rules",
        "The same answers scored four ways. Intervals of readers (95 %) generalise over cases, those of groups and of "
        "all readers over readers and cases.",
        ("reader", *RULES.values()),
        [*rows, row("all readers", "overall")],
    )


def confusion(results: dict[str, Any]) -> Table:
    parts = [(category, certainty) for category in ("TP", "FN", "FP", "TN") for certainty in ("full", "partial")]
    parts += [("unsure", "synthetic"), ("unsure", "real")]
    return Table(
        "confusion",
        "Answers by category and certainty",
        "Number of answers. TP: synthetic called synthetic, FN: synthetic called real, FP: real called synthetic, TN: "
        "real called real; FC and PC: fully and partially certain.",
        ("reader", *(f"{c} {s[0].upper()}C" if c != "unsure" else f"unsure, {s}" for c, s in parts)),
        [
            [name, *(Cell("count", ("readers", name, "confusion", *part)) for part in parts)]
            for name in results["readers"]
        ],
    )


def overall(results: dict[str, Any]) -> Table:
    rows: list[Row] = []
    for i, method in enumerate(results["overall"]["methods"]):
        style = "share_ci" if method["figure"] == "accuracy" else "number_ci"
        name = "AUC" if method["figure"] == "auc" else method["figure"]
        wanted = [("text", "method"), ("text", "speaks_of"), (style,), ("number", "se"), ("df", "df"), ("p", "p")]
        rows.append([name, *cells(("overall", "methods", i), wanted)])
    return Table(
        "overall",
        "Mean over the readers, by method",
        f"Mean AUC and mean accuracy ({RULES[results['settings']['unsure']]}) of the readers by several methods, and "
        "what each 95 % interval speaks of. p tests the mean against one half.",
        ("figure", "method", "speaks of", "mean", "SE", "df", "p"),
        rows,
    )


def groups(results: dict[str, Any]) -> Table:
    rule = results["settings"]["unsure"]
    wanted = [("count", "n"), ("share_ci", "accuracy", rule), ("number_ci", "auc")]
    return Table(
        "groups",
        "Groups of readers",
        f"Mean accuracy ({RULES[rule]}) and mean AUC of each group with 95 % intervals over readers and cases.",
        ("group", "readers", "accuracy", "AUC"),
        [[name, *cells(("groups", "members", name), wanted)] for name in results["groups"]["members"]],
    )


AGREEMENT: tuple[tuple[str, ...], ...] = (
    ("Fleiss' kappa", "five levels", "fleiss_kappa", "five_level"),
    ("Fleiss' kappa", "real, unsure, synthetic", "fleiss_kappa", "three_level"),
    ("Fleiss' kappa", "two, unsure as real", "fleiss_kappa", "unsure_as_real"),
    ("Fleiss' kappa", "two, unsure as synthetic", "fleiss_kappa", "unsure_as_synthetic"),
    ("Gwet's AC1", "five levels", "gwet_ac1", "five_level"),
    ("Gwet's AC2", "five levels, quadratic weights", "gwet_ac2"),
    ("Krippendorff's alpha", "five levels, nominal", "krippendorff_alpha", "nominal"),
    ("Krippendorff's alpha", "five levels, ordinal", "krippendorff_alpha", "ordinal"),
    ("Krippendorff's alpha", "five levels, interval", "krippendorff_alpha", "interval"),
)


def agreement(results: dict[str, Any]) -> Table:
    measured = results["agreement"]
    wanted = [("number_ci",), ("number", "se"), ("p", "p")]
    listed = [*AGREEMENT]
    listed += [("Fleiss' kappa", f"five levels, {name} cases alone", "by_class", name) for name in measured["by_class"]]
    listed += [("Fleiss' kappa", f"five levels, group {name} alone", "by_group", name) for name in measured["by_group"]]
    for name in measured["by_certainty"]:
        listed.append(("Fleiss' kappa", f"two, {name}ly certain answers alone", "by_certainty", name))
    return Table(
        "agreement",
        "Agreement of all readers",
        "Chance-corrected agreement on single cases with 95 % intervals over cases; 0 is chance, 1 is perfect. p tests "
        "against no agreement beyond chance.",
        ("coefficient", "over", "estimate", "SE", "p"),
        [[coefficient, over, *cells(("agreement", *steps), wanted)] for coefficient, over, *steps in listed],
    )


def agreement_pairs(results: dict[str, Any]) -> Table:
    pairs = results["agreement"]["cohen_kappa_pairs"]
    return Table(
        "agreement_pairs",
        "Agreement of pairs",
        "Cohen's kappa with linear weights over the five levels, 95 % intervals over cases.",
        ("reader", "other reader", "weighted kappa"),
        [[a, b, Cell("number_ci", ("agreement", "cohen_kappa_pairs", a, b))] for a in pairs for b in pairs[a]],
    )


def certainty(results: dict[str, Any]) -> Table:
    wanted = [
        ("share", "certainty", "accuracy", "full"),
        ("share", "certainty", "accuracy", "partial"),
        ("p", "certainty", "p"),
        ("number_ci", "calibration"),
        ("number", "calibration", "ece"),
    ]
    return Table(
        "certainty",
        "What certainty was worth",
        "Share right among fully and among partially certain answers, with Fisher's exact test of their difference; "
        "Brier score (0 is perfect, .25 is what one half throughout earns) with its 95 % interval, and the mean gap "
        "between stated and observed probability (ECE), a level being taken for the probability 0, .25, .5, .75 or 1.",
        ("reader", "right if fully certain", "right if partially certain", "p", "Brier score", "ECE"),
        [
            *([name, *cells(("readers", name), wanted)] for name in results["readers"]),
            ["all answers", *cells(("overall",), wanted)],
        ],
    )


def model(results: dict[str, Any]) -> Table:
    ratios = results["model"]["odds_ratios"]
    return Table(
        "model",
        "What the odds of a right answer depended on",
        "Odds ratios with 95 % intervals from one logistic mixed model of all answers that decide (unsure left out), "
        "readers and cases being random: above one, a right answer is likelier.",
        ("effect", "odds ratio", "p"),
        [[name, *cells(("model", "odds_ratios", name), [("number_ci",), ("p", "p")])] for name in ratios],
    )


def repeats(results: dict[str, Any]) -> Table:
    wanted = [
        ("count", "same_level", "n"),
        ("share_ci", "same_level"),
        ("share_ci", "same_side"),
        ("number_ci", "kappa"),
    ]
    return Table(
        "repeats",
        "Readers' agreement with themselves",
        "Cases shown twice to one reader: how many, the share given the same level again, the share called the same "
        "again, and Cohen's kappa of the two readings (real, unsure, synthetic), with 95 % intervals.",
        ("reader", "cases", "same level", "same side", "kappa"),
        [[name, *cells(("repeats", name), wanted)] for name in results["repeats"]],
    )


ORDER = {
    "per_100_trials": "each further hundred cases",
    "after_break": "just after a break, against just before",
    "zoomed": "with zoom, against without",
    "windowed": "with changed brightness or contrast, against without",
    "per_doubling_of_time": "each doubling of the response time",
}


def order(results: dict[str, Any]) -> Table:
    effects = results["order"]["effects"]
    return Table(
        "order",
        "What changed accuracy on the way",
        f"Change of the accuracy ({RULES[results['settings']['unsure']]}) with order, breaks, viewer and time: the "
        "mean of the readers' own slopes with real and synthetic cases weighing alike, and 95 % intervals over "
        "readers.",
        ("circumstance", "change of accuracy", "p"),
        [
            [words, *cells(("order", "effects", name), [("share_ci",), ("p", "p")])]
            for name, words in ORDER.items()
            if effects.get(name, {}).get("value") is not None
        ],
    )


TIMES = {
    "synthetic_to_real": "synthetic cases, against real",
    "wrong_to_right": "wrong answers, against right",
    "partial_to_full": "partially certain answers, against fully certain",
    "unsure_to_decided": "unsure, against decided",
    **{name: words for name, words in ORDER.items() if name != "per_doubling_of_time"},
}


def times(results: dict[str, Any]) -> Table:
    ratios = results["timing"].get("ratios", {})
    return Table(
        "times",
        "How many times longer",
        "Ratios of geometric mean response times, the mean over readers of their own ratios, with 95 % intervals over "
        "readers; above one is slower.",
        ("comparison", "ratio of times", "p"),
        [
            [words, *cells(("timing", "ratios", name), [("number_ci",), ("p", "p")])]
            for name, words in TIMES.items()
            if ratios.get(name, {}).get("value") is not None
        ],
    )


CASE = [("text", "truth"), ("text", "source"), ("count", "read"), ("count", "wrong"), ("count", "unsure")]
CASE += [("text", "category"), ("text", "certainty"), ("number", "difficulty")]
CASE_COLUMNS = ("case", "truth", "source", "readers", "fooled", "unsure", "majority", "certainty", "difficulty")
CASE_WORDS = (
    "how many readers judged it, how many it fooled (a synthetic case called real, a real one called synthetic) and "
    "how many were unsure; what the majority made of it (TP, TN, FP, FN) and with which certainty; and its "
    "difficulty on the Rasch scale in logits, zero being the mean."
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


def experience(results: dict[str, Any]) -> Table:
    rows: list[Row] = [
        [
            "AUC" if one["figure"] == "auc" else one["figure"],
            *cells(("experience", i), [("text", "method"), ("number_ci",), ("p", "p")]),
        ]
        for i, one in enumerate(results["experience"])
    ]
    return Table(
        "experience",
        "Years of experience",
        "Correlation of each reader's accuracy and AUC with the years of experience that the reader stated.",
        ("figure", "method", "correlation", "p"),
        rows,
    )


def comparisons(results: dict[str, Any]) -> Table:
    rows: list[Row] = []
    for i, one in enumerate(results["groups"]["comparisons"]):
        name = "AUC" if one["figure"] == "auc" else one["figure"]
        style = "number_ci" if one["figure"] == "auc" else "share_ci"
        wanted = [("text", "question"), ("text", "method"), (style,), ("df", "df"), ("p", "p"), ("p", "smallest_p")]
        rows.append([name, *cells(("groups", "comparisons", i), wanted)])
    difference = results["groups"]["difference"]
    which = f"{difference['first']} less {difference['second']}" if rows else ""
    return Table(
        "comparisons",
        "The difference of the groups, by method",
        f"Difference of the groups' means ({which}) with 95 % intervals. The methods answer different questions and "
        "may well disagree; the smallest p is the least that so few readers, or so few replicates, can give.",
        ("figure", "question", "method", "difference", "df", "p", "smallest p"),
        rows,
    )


def tests(results: dict[str, Any]) -> Table:
    wanted = [("text", "question"), ("text", "method"), ("number", "statistic"), ("df", "df")]
    wanted += [("p", "p"), ("p", "smallest_p"), ("p", "holm")]
    return Table(
        "tests",
        "Tests against chance",
        "Every test with the question that it answers. The smallest p is the least that so few readers can give; "
        "Holm's correction is for the number of readers tested one by one.",
        ("figure", "question", "method", "statistic", "df", "p", "smallest p", "p after Holm"),
        [[Cell("text", ("tests", i, "name")), *cells(("tests", i), wanted)] for i in range(len(results["tests"]))],
    )


def predictive(results: dict[str, Any]) -> Table:
    wanted = [("share", "prevalence"), ("share_ci", "positive"), ("share_ci", "negative")]
    return Table(
        "predictive",
        "Predictive values",
        "Of the images that a reader calls synthetic, the share that is (positive), and of those called real, the "
        "share that is (negative), where the share of synthetic images is as stated "
        f"({RULES[results['settings']['unsure']]}), with 95 % intervals over cases.",
        ("reader", "share of synthetic images", "positive", "negative"),
        [
            [name, *cells(("readers", name, "predictive_values", i), wanted)]
            for name, reader in results["readers"].items()
            for i in range(len(reader["predictive_values"]))
        ],
    )


def one_reader(results: dict[str, Any], name: str) -> Table:
    by_rule = {
        "accuracy": "accuracy",
        "sensitivity": "sensitivity",
        "specificity": "specificity",
        "precision": "precision",
        "balanced accuracy": "balanced_accuracy",
    }
    at = ("readers", name)
    rows: list[Row] = [
        [measure, *(Cell("share_ci", (*at, step, rule)) for rule in RULES)] for measure, step in by_rule.items()
    ]
    return Table(
        f"reader-{name}",
        f"Reader {name}",
        "Every measure under the four unsure rules, with 95 % intervals over cases.",
        ("measure", *RULES.values()),
        rows,
    )


FLOW = {
    "readers invited": ("study", "flow", "invited"),
    "readers who consented": ("study", "flow", "consented"),
    "readers who began": ("study", "flow", "began"),
    "readers who finished": ("study", "flow", "finished"),
    "readers in the analysis": ("study", "readers"),
    "cases labelled or in the pool": ("flow", "known"),
    "cases never put to a reader, or for practice only": ("flow", "not_asked"),
    "cases in the analysis": ("study", "cases"),
    "cases that every reader judged": ("flow", "judged_by_all"),
    "answers asked for": ("study", "expected"),
    "answers in the analysis": ("study", "answers"),
    "answers left out: practice": ("study", "excluded", "training"),
    "answers left out: repeated readings": ("study", "excluded", "repeats"),
    "answers left out: earlier sittings of a reader who began anew": ("study", "excluded", "superseded"),
}


def flow(results: dict[str, Any]) -> Table:
    return Table(
        "flow",
        "Flow of readers, cases and answers",
        "Who and what entered the study and who and what is in the analysis, after the flow diagram of STARD.",
        ("stage", "number"),
        [[words, Cell("count", pointer)] for words, pointer in FLOW.items() if find(results, pointer) is not None],
    )
