"""The logistic mixed model for 6 readers x 200 cases, compared with lme4 and statsmodels' variational mixed GLM.

    python benchmarks/mixed_model.py

lme4 is timed if Rscript and the package are installed (Debian: r-cran-lme4); otherwise a message says that it is
skipped. It is timed inside R, without the start of R, twice: with its default tolerance, and with the one at which its
results converge.
"""

import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from shutil import which

import numpy as np
import pandas as pd

from analysis.statistics.mixed import logistic

RUNS = 5
LME4 = """
suppressMessages(library(lme4)); d <- read.csv("FILE"); d$reader <- factor(d$reader); d$case <- factor(d$case)
for (tolerance in c(1e-7, 1e-12)) {
  fit <- function() suppressWarnings(glmer(right ~ synthetic + (1 | reader) + (1 | case), data = d, family = binomial,
                                           control = glmerControl(tolPwrss = tolerance)))
  m <- fit(); took <- min(replicate(RUNS, system.time(fit())[["elapsed"]]))
  cat(took, fixef(m)[["synthetic"]], sqrt(diag(as.matrix(vcov(m))))[["synthetic"]],
      as.numeric(VarCorr(m)$case)^.5, as.numeric(VarCorr(m)$reader)^.5, as.numeric(logLik(m)), "\\n")
}
"""


def study(readers: int, cases: int) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    reader, case = np.repeat(np.arange(readers), cases), np.tile(np.arange(cases), readers)
    synthetic = case % 2
    odds = 0.8 - 0.5 * synthetic + rng.normal(0, 0.5, readers)[reader] + rng.normal(0, 0.9, cases)[case]
    right = (rng.random(odds.size) < 1 / (1 + np.exp(-odds))).astype(int)
    return pd.DataFrame({"right": right, "synthetic": synthetic, "reader": reader, "case": case})


def ours(data: pd.DataFrame, runs: int = RUNS) -> float:
    def fit():
        return logistic(data.right, {"synthetic": data.synthetic}, {"reader": data.reader, "case": data.case})

    model, times = fit(), []
    for _ in range(runs):
        start = time.perf_counter()
        fit()
        times.append(time.perf_counter() - start)
    effect = model.fixed["synthetic"]
    sds = model.random["case"].value, model.random["reader"].value
    report("ours", min(times), effect.value, effect.se, *sds, model.log_likelihood)
    return min(times)


def lme4(data: pd.DataFrame, mine: float) -> None:
    if not which("Rscript"):
        print("lme4: Rscript is not installed here, so it is not timed")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.csv"
        data.to_csv(path, index=False)
        script = LME4.replace("FILE", path.as_posix()).replace("RUNS", str(RUNS))
        found = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=False)
    if found.returncode:
        print(f"lme4: R could not run it, so it is not timed ({found.stderr.strip().splitlines()[-1]})")
        return
    for name, line in zip(("lme4, its default", "lme4, tolPwrss 1e-12"), found.stdout.split("\n"), strict=False):
        took, *figures = map(float, line.split())
        report(name, took, *figures)
        print(f"{'':22} ours takes {mine / took:.2f} of its time (goal: at most 2)")


def statsmodels(data: pd.DataFrame, mine: float) -> None:
    from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM

    effects = {"reader": "0 + C(reader)", "case": "0 + C(case)"}
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit = BinomialBayesMixedGLM.from_formula("right ~ synthetic", effects, data).fit_vb()
    took = time.perf_counter() - start
    sds = np.exp(fit.vcp_mean)
    report("statsmodels, VB", took, fit.fe_mean[1], fit.fe_sd[1], sds[1], sds[0], float("nan"))
    words = f"; it said: {str(said[0].message).splitlines()[0]}" if said else ""
    print(f"{'':22} ours takes {mine / took:.3f} of its time{words}")


def report(name: str, took: float, effect: float, se: float, case: float, reader: float, log_likelihood: float) -> None:
    figures = f"synthetic {effect:7.4f} (se {se:.4f})  sd case {case:.4f} reader {reader:.4f}"
    print(f"{name:22} {took:7.3f} s  {figures}  log L {log_likelihood:.4f}", flush=True)


def main() -> None:
    data = study(6, 200)
    mine = ours(data)
    lme4(data, mine)
    statsmodels(data, mine)
    print("100 readers x 1,000 cases:")
    ours(study(100, 1000), runs=1)


if __name__ == "__main__":
    main()
