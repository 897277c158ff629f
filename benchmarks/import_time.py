"""How long `import analysis` and each statistics module take, compared with the libraries they load only when used.

    python benchmarks/import_time.py

Each import runs in a fresh interpreter; the result is the best of five, minus the start of an empty interpreter.
"""

import pkgutil
import subprocess
import sys
import time

import analysis


def seconds(script: str) -> float:
    """Best of five runs of a fresh interpreter."""
    runs = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", script], check=True)
        runs.append(time.perf_counter() - start)
    return min(runs)


def main() -> None:
    """Print a table: seconds, and the ratio to numpy."""
    empty = seconds("pass")
    numpy = seconds("import numpy") - empty
    ours = [
        "analysis",
        *sorted(
            found.name
            for found in pkgutil.walk_packages(analysis.__path__, "analysis.")
            if not found.name.endswith("__main__")
        ),
    ]
    for name in [*ours, "numpy", "scipy.stats", "pandas", "statsmodels.api", "matplotlib.pyplot"]:
        took = seconds(f"import {name}") - empty
        print(f"{name:28}{took:7.3f} s{took / numpy:7.1f} x numpy")


if __name__ == "__main__":
    main()
