"""The readable form of a registration, as Markdown and PDF, under the headings of the OSF preregistration form."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

ENDPOINTS = {
    "auc": "mean area under the ROC curve (AUC) over readers",
    "accuracy": "mean accuracy over readers",
    "kappa": "Fleiss' kappa for the readers' answers (real or synthetic)",
    "quartet": "share of trials in which readers find the real image",
    "threshold": "exposure threshold of the readers",
}
SHORT = {"auc": "AUC", "accuracy": "accuracy", "kappa": "Fleiss' kappa", "quartet": "share of correct choices"}
RULE_WORDS = {
    "fractional": "fractional credit: 1 for correct with full certainty, then 0.75, 0.5 (unsure), 0.25 and 0",
    "excluded": "unsure answers are excluded",
    "wrong": "unsure answers count as incorrect",
    "half": "unsure answers count as one half",
}
DESIGNS = {
    "rating": "Each trial shows one image, real or synthetic. Readers state which it is and how certain they are.",
    "staircase": "Each trial shows one image, real or synthetic, for a short time that depends on earlier answers.",
    "quartet": "Each trial shows several images, one of them real. Readers pick the real one.",
    "comparison": "Each trial shows several images of one case. Readers compare them on each criterion.",
}
COMPARED = {
    "same": "Every reader reads the same cases under each of two conditions, in a balanced order.",
    "split": "Every reader reads each case under one of two conditions; the assignment is balanced over readers.",
    "between": "Every reader reads under one of two conditions, assigned at random.",
    "sources": "The synthetic images come from two sources. Both are compared with the same real cases.",
}
MODELS = {
    "kappa": "Fleiss' kappa over cases, with its large-sample standard error.",
    "threshold": "A psychometric function with a guess rate and lapses; readers are treated as random.",
}
USUAL_MODEL = (
    "Obuchowski-Rockette model with readers and cases as random effects, jackknife covariances and Hillis's degrees of "
    "freedom."
)
Block = str | list[str]
Section = tuple[str, list[tuple[str, list[Block]]]]


def hypothesis(sample: Mapping[str, Any]) -> str:
    """Return the hypothesis of the planned test, for forms that state none."""
    what, null, margin = ENDPOINTS[sample["endpoint"]], sample.get("null"), sample.get("margin")
    if sample["endpoint"] == "threshold":
        return f"The {what} can be distinguished from a threshold {sample.get('ratio', 1.25):g} times as long."
    if margin is not None:
        return f"The {what} lies within {margin:g} of {null:g}: for practical purposes, readers are at chance level."
    if sample.get("by"):
        return f"The {what} differs between the two {'sources' if sample['by'] == 'sources' else 'conditions'}."
    return f"The {what} differs from {null:g}."


def test(sample: Mapping[str, Any]) -> str:
    """Return the planned inference in words."""
    alpha, null, margin = sample["alpha"], sample.get("null"), sample.get("margin")
    if sample["endpoint"] == "threshold":
        return f"95 % confidence interval of the threshold; significance level {alpha:g}."
    if margin is not None:
        return (
            f"Two one-sided tests of equivalence within {margin:g} of {null:g}, each at level {alpha:g}: "
            f"equivalence is concluded if the {100 * (1 - 2 * alpha):g} % confidence interval lies within the margin."
        )
    against = "of no difference" if sample.get("by") else f"against {null:g}"
    return f"Two-sided test {against} at level {alpha:g}, with readers and cases as random effects."


def sections(registration: Mapping[str, Any]) -> Iterator[Section]:
    """Yield sections, headings and paragraphs (a list is a bulleted list), in the order of the OSF form."""
    parts = registration["registration"]
    study, design, sample, steps = parts["study"], parts["design"], parts["sample"], parts["procedure"]
    what = f"Primary measure: {ENDPOINTS[sample['endpoint']]}."
    yield (
        "Study information",
        [
            ("Title", [study["title"]]),
            ("Authors", [", ".join(study["authors"]) or "Not stated."]),
            ("Description", [study["description"]] if study["description"] else []),
            ("Research question", [study["question"]]),
            ("Hypotheses", [list(study["hypotheses"])]),
        ],
    )
    yield (
        "Design plan",
        [
            ("Study type", ["Observer study: readers judge images one trial at a time."]),
            (
                "Blinding",
                ["Readers do not know the truth of any image. Researchers see it only after the study is closed."],
            ),
            ("Study design", [DESIGNS[design["name"]], COMPARED.get(sample.get("by"), ""), *_settings(parts["plan"])]),
            ("Randomization", [_order(parts["plan"])]),
        ],
    )
    yield (
        "Sampling plan",
        [
            ("Existing data", [steps["existing_data"] or "No answers had been collected at the time of registration."]),
            ("Data collection procedures", [steps["recruitment"] or "Not stated.", _pool(parts["pool"])]),
            ("Sample size", [f"{design['readers']} readers, each reading {_cases(sample)}."]),
            ("Sample size rationale", [_power(sample), [_assumed(sample)] if sample.get("model") else []]),
            (
                "Stopping rule",
                [
                    steps["stopping"] or "When every invited reader has finished or the study is closed.",
                    looks(sample.get("looks")),
                ],
            ),
        ],
    )
    yield (
        "Variables",
        [
            ("Manipulated variables", ["Origin of the image: real or synthetic. Synthetic is the positive class."]),
            ("Measured variables", ["Answer and certainty in each trial, and response time."]),
            ("Indices", [what, f"Scoring of unsure answers in the main analysis: {_rule(parts['analysis'])}."]),
        ],
    )
    yield (
        "Analysis plan",
        [
            ("Statistical models", [MODELS.get(sample["endpoint"], USUAL_MODEL)]),
            ("Transformations", ["Only those described in the methods section of the report."]),
            ("Follow-up analyses", [_subgroups(parts["analysis"])]),
            ("Inference criteria", [test(sample)]),
            ("Analysis settings", [_analysis(parts["analysis"])]),
            ("Data exclusion", [list(parts["exclusions"])]),
            ("Missing data", ["Unanswered cases are treated as missing; nothing is imputed."]),
            ("Exploratory analysis", [steps["exploratory"] or "All other analyses in the report."]),
        ],
    )
    made = parts["made"]
    versions = ", ".join(f"{name} {version}" for name, version in made["software"].items())
    sums = [f"{name}: {registration['sums'][name]}" for name in registration["sums"]]
    yield (
        "Other",
        [
            ("Other", [steps["other"]] if steps["other"] else []),
            ("Date", [made["at"]]),
            ("Software", [versions]),
            ("Checksums (SHA-256)", [f"Registration: {registration['sha256']}", sums]),
        ],
    )


def looks(plan: Mapping[str, Any] | None) -> str:
    """Describe the planned interim looks; return an empty string if there are none."""
    if not plan:
        return ""
    at = ", ".join(
        f"{look['readers']} readers and {look['cases']} cases ({look['level']:.4f})" for look in plan["looks"]
    )
    futility = f"; futility if the conditional power falls below {plan['futility']:g}" if plan["futility"] else ""
    return f"Interim looks (each with its significance level): {at}; {plan['spending']} alpha spending{futility}."


def _subgroups(analysis: Mapping[str, Any]) -> str:
    if not analysis.get("subgroups"):
        return ""
    columns = ", ".join(analysis["subgroups"])
    return (
        "Subgroups of images are defined by these columns of the pool's cases.csv, with p values corrected for the "
        f"number of columns: {columns}."
    )


def _analysis(analysis: Mapping[str, Any]) -> list[str]:
    return [f"{name}: {_value(value)}" for name, value in analysis.items() if name != "subgroups"]


def _cases(sample: Mapping[str, Any]) -> str:
    return f"{sample['cases']} {'quartets' if sample['endpoint'] == 'quartet' else 'cases'}"


def _rule(analysis: Mapping[str, Any]) -> str:
    return RULE_WORDS[analysis["unsure"]]


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _settings(plan: Mapping[str, Any] | None) -> list[Block]:
    if plan is None:
        return []
    listed = [f"{name} = {_value(value)}" for name, value in plan["settings"].items() if len(str(value)) <= 60]
    return [
        f"Study settings ({plan['file']}, SHA-256 {plan['sha256']}); the file also contains the longer texts:",
        listed,
    ]


def _order(plan: Mapping[str, Any] | None) -> str:
    seed = f" (random seed {plan['seed']})" if plan and plan.get("seed") is not None else ""
    return f"Each reader sees the cases in their own random order{seed}."


def _pool(pool: Mapping[str, Any] | None) -> str:
    if pool is None:
        return "The image pool did not yet exist at the time of registration."
    return (
        f"Images: pool {pool['name']!r}, {pool['cases']} cases (practice cases not counted), "
        f"cases.csv {pool['sha256']} (SHA-256). The number of images of each class is in that file, not here, "
        "where readers could look it up."
    )


def _power(sample: Mapping[str, Any]) -> str:
    name = SHORT.get(sample["endpoint"], "threshold")
    told = f"Power {sample['power']:.3f} to confirm the hypothesis if the true {name} is {sample['value']:g}"
    if sample.get("by"):
        told += f" for one and {sample['against']:g} for the other"
    if sample.get("half_width") is not None:
        told += f"; expected half-width of the 95 % confidence interval {sample['half_width']:.3f}"
    if sample.get("simulated_power") is not None:
        told += (
            f"; power {sample['simulated_power']:.3f} in {sample['studies']} simulated studies, seed {sample['seed']}"
        )
    return told + f". Target power: {sample['target']:g}. Method: {sample['method']}."


def _assumed(sample: Mapping[str, Any]) -> str:
    model = dict(sample["model"])
    model = model.pop("base", {}) | model  # two conditions: shared assumptions, then specific ones
    return "Assumptions: " + ", ".join(f"{name} {_value(value)}" for name, value in model.items())


def markdown(registration: Mapping[str, Any]) -> str:
    """Return the registration as Markdown, with the sections of the OSF form."""
    lines = [f"# Preregistration: {registration['registration']['study']['title']}", ""]
    for section, entries in sections(registration):
        lines += [f"## {section}", ""]
        for heading, blocks in entries:
            told = [block for block in blocks if block]
            lines += [f"### {heading}", ""] if told else []
            for block in told:
                lines += [block, ""] if isinstance(block, str) else [*(f"- {one}" for one in block), ""]
    return "\n".join(lines).rstrip() + "\n"


def pdf(registration: Mapping[str, Any]) -> bytes:
    """Return the registration as an A4 PDF, made with ReportLab; the same registration gives the same bytes."""
    from matplotlib import get_data_path
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    for name, font in (("Text", "DejaVuSans"), ("Strong", "DejaVuSans-Bold")):  # fonts with every European letter
        pdfmetrics.registerFont(TTFont(name, f"{get_data_path()}/fonts/ttf/{font}.ttf"))
    body = ParagraphStyle("body", fontName="Text", fontSize=9, leading=13, spaceAfter=4, splitLongWords=True)
    bullet = ParagraphStyle("bullet", body, leftIndent=12, bulletIndent=2, spaceAfter=2)
    title, large, small = (
        ParagraphStyle(f"h{size}", body, fontName="Strong", fontSize=size, leading=1.3 * size, spaceBefore=before,
                       keepWithNext=1)
        for size, before in ((16, 0), (12, 12), (9.5, 6))
    )  # fmt: skip
    named = registration["registration"]["study"]["title"]
    story = [Paragraph(escape(f"Preregistration: {named}"), title)]
    for section, entries in sections(registration):
        story.append(Paragraph(escape(section), large))
        for heading, blocks in entries:
            told = [block for block in blocks if block]
            story += [Paragraph(escape(heading), small)] if told else []
            for block in told:
                if isinstance(block, str):
                    story.append(Paragraph(escape(block), body))
                else:
                    story += [Paragraph(escape(one), bullet, bulletText="•") for one in block]

    def foot(canvas: Any, document: Any) -> None:
        canvas.setFont("Text", 7)
        canvas.drawString(20 * mm, 10 * mm, f"SHA-256 {registration['sha256']}")
        canvas.drawRightString(A4[0] - 20 * mm, 10 * mm, str(document.page))

    file = io.BytesIO()
    sides = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), 20 * mm)
    authors = ", ".join(registration["registration"]["study"]["authors"])
    SimpleDocTemplate(
        file, pagesize=A4, title=f"Preregistration: {named}", author=authors, invariant=1, **sides
    ).build(story, onFirstPage=foot, onLaterPages=foot)  # fmt: skip
    return file.getvalue()
