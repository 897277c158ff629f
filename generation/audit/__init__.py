"""The audit: can the classes of a pool be told apart without looking at the image content?

For each cue: its AUC (the probability that a synthetic image has more of it than a real one), with an interval at a
level divided among all cues, and a Mann-Whitney p with Holm's correction. For all cues together: a cross-validated
ridge discriminant on ranks and their squares, with a p from permuting the truth.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import mannwhitneyu, norm, rankdata

from generation.arguments import bar, whole
from generation.audit import cues, headers
from generation.errors import InputError
from generation.files import output_folder, save_text
from generation.pool import Case, Pool, Progress, counts, read_table
from generation.radiographs import guarded

LEVEL = 0.05
FOLDS = 5
MOST_SOURCES = 12  # if there are more, they are probably file names, not generators
RIDGE = 1.0  # in units of the number of cases in a fold


@dataclass(frozen=True)
class Cue:
    """The result for one cue. `ci` is at 1 - 0.05 / cues, `p` is Holm's; medians are in the cue's own unit."""

    name: str
    topic: str
    auc: float
    ci: tuple[float, float]
    p: float
    flagged: bool
    visible: bool
    remedy: str
    real: float
    synthetic: float
    values: np.ndarray  # (cases,)

    def as_dict(self) -> dict:
        plain = {field: getattr(self, field) for field in self.__dataclass_fields__ if field != "values"}
        return plain | {"ci": list(self.ci)}


@dataclass(frozen=True)
class Row:
    """A file to measure, and its place in the table."""

    path: Path
    place: int


@dataclass(frozen=True)
class Audit:
    """The full result for a pool: its cues (worst first), all together, remarks on the files, pairs of sources."""

    pool: Pool
    cases: tuple[Case, ...]
    cues: list[Cue]
    together: dict[str, float]
    remarks: list[str]
    sources: list[dict[str, Any]] = field(default_factory=list)

    @property
    def flagged(self) -> bool:
        return any(cue.flagged for cue in self.cues) or self.together["p"] < LEVEL

    def as_dict(self) -> dict:
        return {
            "format": 1,
            "pool": self.pool.name,
            "counts": counts(self.pool.cases),
            "flagged": self.flagged,
            "cues": [cue.as_dict() for cue in self.cues],
            "together": self.together,
            "sources": self.sources,
            "remarks": self.remarks,
        }


def audit(folder: str | Path, permutations: int = 1000, seed: int = 0, progress: Progress | None = None) -> Audit:
    """Audit the scored cases of a pool folder.

    Also reads pools that the quiz would refuse for sizes or checksums, with a remark. Raises InputError if the table
    cannot be read, a file is not an image, or a class has fewer than five cases.
    """
    found = read_table(folder)
    cases = found.scored
    truth = np.array([case.truth == "synthetic" for case in cases])
    if min(truth.sum(), (~truth).sum()) < FOLDS:
        raise InputError(
            f"{folder}: {(~truth).sum()} real and {truth.sum()} synthetic cases; an audit needs {FOLDS} or more of each"
        )
    rows = [Row(found.path(case), place) for place, case in enumerate(cases)]
    files: list[cues.Measured] = []
    faults = []
    for done, file in enumerate(guarded.each(_measured, rows), start=1):
        if isinstance(file, cues.Measured):
            files.append(file)
        else:
            faults.append(str(file))
        if progress is not None:
            progress(done, len(cases))
    if faults:
        raise InputError(f"{folder}: {len(faults)} image(s) cannot be read:", faults)
    columns = cues.table(files)
    features = np.array(list(columns.values())).T if columns else np.empty((len(cases), 0))
    together = _together(features, truth, permutations, seed) if columns else {"auc": 0.5, "p": 1.0}
    sources = between(
        features, [case.source if case.truth == "synthetic" else "" for case in cases], permutations, seed
    )
    return Audit(found, cases, judge(columns, truth), together, _remarks(found) + _told_apart(sources), sources)


def between(features: np.ndarray, sources: Sequence[str], permutations: int, seed: int) -> list[dict[str, Any]]:
    """Test whether two sources of synthetic images can be distinguished by all cues together; p is Holm's.

    features: (cases, cues); sources: one name per case, "" = none. Sources with fewer than FOLDS images are left out.
    permutations: minimum number; many sources need more. This does not flag a pool: generators may differ, but if cues
    distinguish them, readers may use these cues.
    """
    named = np.array(sources, dtype=str)
    names = [
        str(name) for name, count in zip(*np.unique(named, return_counts=True), strict=True) if name and count >= FOLDS
    ]
    if not features.shape[1] or len(names) > MOST_SOURCES:
        return []
    chosen = list(combinations(names, 2))
    enough = max(permutations, round(2 * len(chosen) / LEVEL))  # with fewer, no p could be below LEVEL after Holm
    pairs: list[dict[str, Any]] = []
    for first, second in chosen:
        both = (named == first) | (named == second)
        pairs.append(
            {"first": first, "second": second, **_together(features[both], named[both] == first, enough, seed)}
        )
    ordered = sorted(pairs, key=lambda pair: pair["p"])
    for pair, p in zip(ordered, _holm([pair["p"] for pair in ordered]), strict=True):
        pair["p"] = p
    return pairs


def _holm(ordered: Sequence[float]) -> list[float]:
    """Holm's correction of p values, smallest first."""
    times = np.arange(len(ordered), 0, -1)
    return np.minimum(1.0, np.maximum.accumulate(np.array(ordered) * times)).tolist()


def _told_apart(pairs: list[dict[str, Any]]) -> list[str]:
    return [
        f"images of {pair['first']} and {pair['second']} can be distinguished by cues that have nothing to do "
        f"with anatomy (AUC {pair['auc']:.2f}, corrected p {pair['p']:.2g}): readers may use these cues"
        for pair in pairs
        if pair["p"] < LEVEL
    ]


def _measured(row: Row) -> cues.Measured | str:
    try:
        return cues.measure(row.path, row.place)
    except InputError as error:
        return str(error)
    except OSError as error:
        return f"{row.path}: not readable ({error.strerror})"


def _remarks(found: Pool) -> list[str]:
    changed = [
        case.file
        for case in found.scored
        if hashlib.sha256(found.path(case).read_bytes()).hexdigest() != case.sha256.lower()
    ]
    told = _lossy(found) + headers.remarks(found.manifest.get("how"))
    return told + [f"{file}: changed since the pool was written (its checksum differs)" for file in changed]


def _lossy(found: Pool) -> list[str]:
    """Return a remark if one class had lossy compression more often than the other according to the pool."""
    how = found.manifest.get("how")
    told = [how.get(truth) if isinstance(how, dict) else None for truth in ("real", "synthetic")]
    lossy = [one.get("lossy") if isinstance(one, dict) else None for one in told]
    totals = [sum(case.truth == truth for case in found.cases) for truth in ("real", "synthetic")]
    shares = [number / total for number, total in zip(lossy, totals, strict=True) if isinstance(number, int)]
    if len(shares) < 2:
        return []
    if abs(shares[0] - shares[1]) <= 0.05:
        return []
    return [
        f"lossy compression before import: {lossy[0]} of {totals[0]} real and {lossy[1]} of {totals[1]} "
        "synthetic images; the traces alone can tell the classes apart"
    ]


def judge(columns: dict[tuple[str, str], np.ndarray], truth: np.ndarray) -> list[Cue]:
    """Each cue's result, worst first. columns: (cases,) by (topic, name); truth: bool (cases,), True = synthetic."""
    number = max(len(columns), 1)
    found = []
    for (topic, name), values in columns.items():
        synthetic, real = values[truth], values[~truth]
        auc = float(mannwhitneyu(synthetic, real).statistic) / (len(synthetic) * len(real))
        p = float(mannwhitneyu(synthetic, real, method="asymptotic").pvalue)
        found.append((p, topic, name, auc, values))
    found.sort(key=lambda entry: entry[:3])
    verdicts = []
    for p, (_, topic, name, auc, values) in zip(_holm([entry[0] for entry in found]), found, strict=True):
        about = cues.TOPICS[topic]
        limits = interval(values[truth], values[~truth], LEVEL / number)
        real, synthetic = (float(np.median(values[part])) for part in (~truth, truth))
        verdicts.append(
            Cue(
                name=f"{topic}: {name}",
                topic=about.title,
                auc=auc,
                ci=limits,
                p=p,
                flagged=p < LEVEL,
                visible=about.visible and abs(synthetic - real) >= cues.UNSEEN.get((topic, name), 0.0),
                remedy=about.remedy,
                real=real,
                synthetic=synthetic,
                values=values,
            )
        )
    return verdicts


def interval(synthetic: np.ndarray, real: np.ndarray, alpha: float) -> tuple[float, float]:
    """An interval at 1 - alpha for the AUC of two samples, within 0..1: DeLong's standard error on the logit scale.

    If the samples do not overlap, this error is 0, and method 5 of Newcombe (Statistics in Medicine 25, 2006, 559) is
    used instead.
    """
    m, n, z = len(synthetic), len(real), norm.isf(alpha / 2)
    ranks = rankdata(np.r_[synthetic, real])
    above = (ranks[:m] - rankdata(synthetic)) / n  # each synthetic case against all real ones, and the reverse
    below = 1 - (ranks[m:] - rankdata(real)) / m
    auc, error = float(above.mean()), float(np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n))
    if 0 < auc < 1 and error > 0:
        return tuple(expit(logit(auc) + sign * z * error / (auc * (1 - auc))).item() for sign in (-1, 1))  # type: ignore[return-value]

    def distance(area: float) -> float:
        both = (1 - area) / (2 - area) + area / (1 + area)
        return (auc - area) ** 2 - z * z * area * (1 - area) * (1 + ((m + n) / 2 - 1) * both) / (m * n)

    return (0.0, brentq(distance, 1e-9, 1.0)) if auc < 0.5 else (brentq(distance, 0.0, 1 - 1e-9), 1.0)


def _together(features: np.ndarray, truth: np.ndarray, permutations: int, seed: int) -> dict[str, float]:
    """Cross-validated AUC of a ridge discriminant, and its permutation p. features: (cases, cues).

    A ridge fit is linear in the labels, so one matrix per fold is used for the truth and all its permutations.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    ranks = np.apply_along_axis(rankdata, 0, features) / len(features) - 0.5
    design = np.hstack([ranks, ranks**2 - (ranks**2).mean(axis=0)])
    labels = np.where(truth, 1.0, -1.0)
    labels = np.column_stack([labels, *(rng.permutation(labels) for _ in range(permutations))])
    fold = rng.permutation(len(truth)) % FOLDS
    scores = np.empty_like(labels)
    for number in range(FOLDS):
        train, test = fold != number, fold == number
        middle, spread = design[train].mean(axis=0), design[train].std(axis=0) + 1e-9
        known, new = (design[train] - middle) / spread, (design[test] - middle) / spread
        kernel = known @ known.T
        weights = np.linalg.solve(
            kernel + RIDGE * len(known) * np.eye(len(known)), labels[train] - labels[train].mean(axis=0)
        )
        scores[test] = new @ known.T @ weights
    ranked = np.apply_along_axis(rankdata, 0, scores)
    positives = labels > 0
    count = positives.sum(axis=0)
    aucs = ((ranked * positives).sum(axis=0) - count * (count + 1) / 2) / (count * (len(truth) - count))
    return {"auc": float(aucs[0]), "p": float((1 + (aucs[1:] >= aucs[0]).sum()) / (1 + permutations))}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pool", type=Path, metavar="POOL", help="the pool folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for audit.json and audit.html")
    parser.add_argument(
        "--permutations",
        type=whole(99),
        default=1000,
        metavar="N",
        help="for the test of all cues together (default 1000)",
    )
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N")


def run(args: argparse.Namespace) -> int:
    from generation.audit.page import page

    with bar("images measured") as progress:
        verdict = audit(args.pool, args.permutations, args.seed, progress)
    out = output_folder(args.out)
    figures = json.dumps(verdict.as_dict(), indent=2, ensure_ascii=False)
    save_text(out / "audit.json", figures + "\n")
    save_text(out / "audit.html", page(verdict))
    for cue in verdict.cues:
        if cue.flagged:
            who = "visible to a viewer" if cue.visible else "detectable only by software"
            print(f"FLAGGED {cue.name}: AUC {cue.auc:.2f} [{cue.ci[0]:.2f}, {cue.ci[1]:.2f}], {who}; {cue.remedy}")
    for remark in verdict.remarks:
        print(f"NOTE {remark}")
    together = verdict.together
    print(f"all cues together: AUC {together['auc']:.2f}, p {together['p']:.3g}; see {out / 'audit.html'}")
    return 3 if verdict.flagged else 0
