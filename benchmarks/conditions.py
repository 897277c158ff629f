"""Do tests of two conditions keep their 5 % level, and do 95 % intervals cover the difference?

Studies are drawn from the Roe-Metz model for two conditions with three variance structures, for the AUC of five levels
and for accuracy: without a difference, and with one of .1. They are analysed as in the report: readers who read the
same cases under both conditions, half of them in the opposite order; readers whose cases are split between the
conditions; and readers with one condition each. The output for every method is the share of studies without a
difference that have p < .05 (target: 4 to 6 %), and the share of intervals that contain the difference (93 to 97 %),
lowest to highest over the settings. `--each` prints every setting; `--few` uses sizes of two to six readers;
`--resampled N` adds the bootstrap in N studies; `--speed` instead times the analysis of 2 conditions x 20 readers x 400
cases, compared with everything else that is measured for one condition.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from analysis.planning.conditions import Paired
from analysis.planning.roe_metz import RoeMetz, to_levels
from analysis.statistics.crossover import two_periods
from analysis.statistics.estimate import Estimate
from analysis.statistics.few_readers import difference
from analysis.statistics.mrmc import compare_groups, obuchowski_rockette
from analysis.statistics.resampling import paired_bootstrap
from analysis.statistics.ustat import ustatistics

STRUCTURES = {
    "published": Paired(),
    "conditions alike": Paired(reader_share=0.0, case_share=0.0),
    "readers and conditions far apart": Paired(RoeMetz(reader_sd=0.5, leaning_sd=0.4), 0.5, 0.5),
}
VALUES = {"auc": (0.7, 0.8), "accuracy": (0.65, 0.75)}
WAYS = ("same", "split", "between")
SIZES, FEW = ("8x60", "20x100"), ("2x100", "3x40", "3x100", "4x40", "4x100", "5x100", "6x100")
BLOCK = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000, help="number per setting (1000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--sizes", nargs="+", metavar="READERSxCASES", help="between readers: each condition's")
    parser.add_argument("--few", action="store_true", help=f"the sizes {', '.join(FEW)}")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--each", action="store_true", help="print every setting")
    parser.add_argument("--resampled", type=int, default=0, metavar="N", help="studies with the bootstrap, 1,000 draws")
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    if options.speed:
        speed()
        return
    studies = options.resampled or options.studies
    print(f"{studies} studies per setting, seed {options.seed}; % of studies with p < .05 without a difference, and %")
    print("coverage without and with a difference: lowest to highest over structures, AUC and accuracy")
    for by in options.ways:
        for size in options.sizes or (FEW if options.few else SIZES):
            readers, cases = map(int, size.split("x"))
            readers *= 2 if by == "between" else 1
            settings = [(s, e, gap) for s in STRUCTURES for e in VALUES for gap in (False, True)]
            blocks = [range(start, min(start + BLOCK, studies)) for start in range(0, studies, BLOCK)]
            work = (delayed(run)(*one, by, readers, cases, options, block) for one in settings for block in blocks)
            done = Parallel(n_jobs=options.jobs)(work)
            found = [merged(done[i : i + len(blocks)]) for i in range(0, len(done), len(blocks))]
            report(by, size, settings, found, options.each)


def run(structure: str, endpoint: str, gap: bool, by: str, readers: int, cases: int, options, block: range):
    """By method, for each study: whether p < .05, whether the interval covers the truth, whether there is one."""
    model, (low, high) = STRUCTURES[structure], VALUES[endpoint]
    values = (low, high if gap else low)
    ends = [model.base.five_level_auc(one) for one in values] if endpoint == "auc" else list(values)
    true = ends[1] - ends[0]
    told: dict[str, list[tuple[bool, bool, bool]]] = {}
    for number in block:
        scores, truth = model.draw(np.random.default_rng([options.seed, number]), values, readers, cases, endpoint, by)
        unread = np.isnan(scores)
        scores = to_levels(scores) if endpoint == "auc" else ((scores > 0) == (truth == 1)).astype(float)
        scores[unread] = np.nan
        for name, one in analysed(scores, truth, endpoint, by, options.resampled, number).items():
            against = 0.0 if name in ("period", "carry-over") else true
            held = one.ci is not None and one.ci[0] - 1e-12 <= against <= one.ci[1] + 1e-12
            told.setdefault(name, []).append((one.p is not None and one.p < 0.05, held, one.ci is not None))
    return {name: np.array(rows) for name, rows in told.items()}


def analysed(scores, truth, endpoint: str, by: str, resampled: int, seed: int) -> dict[str, Estimate]:
    """The second condition minus the first, by every method; for a crossover also period and carry-over."""
    readers = scores.shape[1]
    if by == "between":
        own = [scores[1, 1::2], scores[0, ::2]]
        rows = np.concatenate(own)
        leading = compare_groups(rows, truth, ["second"] * len(own[0]) + ["first"] * len(own[1]), endpoint=endpoint)
        apart = np.full((2, *rows.shape), np.nan)
        apart[0, : len(own[0])], apart[1, len(own[0]) :] = own
        return {
            "OR": leading,
            "OR, Welch": difference(leading, readers - 2),
            "U-statistics": ustatistics(apart, truth, endpoint=endpoint),
        }
    both = scores[::-1]
    leading = obuchowski_rockette(both, truth, endpoint=endpoint)
    swapped = np.arange(readers) % 2
    in_turn = np.where(swapped[None, :, None] == 1, both, scores)
    effects = two_periods(in_turn, truth, swapped, endpoint=endpoint)
    found = {
        "OR": leading,
        "OR, Welch": difference(leading, readers - 1),
        "U-statistics": ustatistics(both, truth, endpoint=endpoint),
        "adjusted for periods": effects.condition,
        "adjusted for periods, Welch": difference(effects.condition, readers - 2),
        "period": effects.period,
        "carry-over": effects.carry_over,
    }
    if resampled:
        found["bootstrap in pairs"] = paired_bootstrap(*both, truth, endpoint, 1000, seed)
    return found


def merged(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]).mean(axis=0) * 100 for name in parts[0]}


def report(by: str, size: str, settings, found, each: bool) -> None:
    print(f"\n{by + ', ' + size:24} {'p < .05':>13} {'covers 0':>13} {'covers .1':>13} {'no interval':>12}")
    for name in found[0]:
        size_of, zero, gap = [], [], []
        for (_, _, apart), one in zip(settings, found, strict=True):
            (gap if apart else zero).append(one[name][1])
            if not apart or name in ("period", "carry-over"):
                size_of.append(one[name][0])
        spans = (f"{min(part):.1f} to {max(part):.1f}" for part in (size_of, zero, gap))
        lacking = 100 - np.mean([one[name][2] for one in found])
        print(f"{name:24} " + " ".join(f"{span:>13}" for span in spans) + f" {lacking:12.1f}", flush=True)
    for setting, one in zip(settings, found, strict=True) if each else ():
        print(*setting, *(f"{name} {row[0]:.1f}/{row[1]:.1f}" for name, row in one.items()), sep="; ")


def speed() -> None:
    """Processor time of the comparison of two conditions, and of the report's other numbers for one of them."""
    from analysis.designs import conditions
    from analysis.designs.common import Settings
    from analysis.designs.measure import measure
    from analysis.responses import load_csv

    with tempfile.TemporaryDirectory() as folder:
        files = write(Path(folder), 20, 400)
        whole = load_csv(files / "responses.csv", files / "conditions.csv")
    one = conditions.rest(whole)
    took = {}
    for name, work in (
        ("two conditions compared", lambda: conditions.measure(whole, Settings())),
        ("everything else for one condition", lambda: measure(one, Settings())),
    ):
        start = time.process_time()
        work()
        took[name] = time.process_time() - start
        print(f"{name:45} {took[name]:6.1f} s of processor time", flush=True)
    compared, other = took.values()
    print(f"the comparison takes {compared / other:.2f} times as long as everything else")


def write(folder: Path, readers: int, cases: int) -> Path:
    """responses.csv and conditions.csv of a crossover with hints, times and groups."""
    from analysis.report.files import csv_text

    rng = np.random.default_rng(1)
    scores, truth = Paired().draw(rng, (0.7, 0.8), readers, cases, "auc", "same")
    levels = to_levels(scores).astype(int)
    responses, told = [], []
    for r in range(readers):
        for c in range(2):
            period = 1 + (c + r) % 2
            for case in range(cases):
                name, trial = f"c{case}", f"{r}-{period}-{case}"
                kind = "synthetic" if truth[case] else "real"
                spent = int(rng.lognormal(8.5 - 0.2 * c, 0.4))
                responses.append(
                    (f"R{r}", "AB"[r // 2 % 2], period, trial, case + 1, name, kind, levels[c, r, case], spent)
                )
                hint = f"{0.8 if (case % 5 > 0) == truth[case] else 0.2}" if c else ""
                told.append((f"R{r}", period, trial, name, ("unaided", "assisted")[c], period, hint))
    header = ("reader", "reader_group", "sitting", "trial", "position", "case", "truth", "level", "response_ms")
    (folder / "responses.csv").write_text(csv_text(header, responses))
    header = ("reader", "sitting", "trial", "case", "condition", "period", "hint")
    (folder / "conditions.csv").write_text(csv_text(header, told))
    return folder


if __name__ == "__main__":
    main()
