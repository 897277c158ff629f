"""Drawing in processes of their own."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.report.figures import agreement, certainty, marks_reasons, staircase_errors

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import os, sys
from pathlib import Path
from analysis.report import figures
if __name__ == "__main__":
    # What is started from here on ends at once, before it reads anything.
    os.environ["PYTHONPATH"] += os.pathsep + sys.argv[1]
    much = "x" * 10**6  # more than a pipe holds
    figures.make_all(["pies"], {"readers": {}, "much": much}, Path(sys.argv[1]) / "figures", workers=2)
"""


def test_a_drawing_process_that_dies_at_its_start_ends_the_report_and_does_not_hang_it(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif 'spawn_main' in ' '.join(sys.orig_argv): os._exit(1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert done.returncode == 1
    assert "OSError: a drawing process ended unexpectedly" in done.stderr


def test_names_below_the_table_of_agreement_do_not_overlap() -> None:
    names = [f"sim-{number:03d}" for number in range(1, 7)]
    pairs = {one: {other: {"value": 0.5} for other in names if other > one} for one in names}
    drawn = agreement.draw({"readers": dict.fromkeys(names), "agreement": {"cohen_kappa_pairs": pairs}})
    drawn.draw_without_rendering()
    boxes = [label.get_window_extent() for label in drawn.axes[0].get_xticklabels()]
    assert all(one.x1 < other.x0 for one, other in itertools.pairwise(boxes))


READERS = [f"{group}{number}" for group in ("EC", "EP") for number in (1, 2)]
LEVELS = {"synthetic": [2, 5, 9, 20, 30], "real": [30, 20, 9, 5, 2]}
ERRORS = {truth: {"value": 0.97, "ci": [0.9, 0.99]} for truth in ("real", "synthetic")}
SHARE = {"value": 0.5, "k": 5, "n": 10, "ci": [0.3, 0.7]}


@pytest.mark.parametrize("drawing", [certainty, staircase_errors, marks_reasons])
def test_a_legend_covers_nothing_that_is_drawn(drawing) -> None:
    reader = {"n": 10, "levels": LEVELS, "errors": ERRORS}
    marks = {"teeth": {"all": SHARE, "by_truth": {"real": SHARE, "synthetic": SHARE}}}
    drawn = drawing.draw(
        {
            "readers": {name: reader | {"group": name[:2]} for name in READERS},
            "overall": reader,
            "marks": {"n": 20, "reasons": {"teeth": 20}, "shares": marks},
        }
    )
    drawn.draw_without_rendering()
    legends = [*drawn.legends, *(axes.legend_ for axes in drawn.axes if axes.legend_)]
    assert len(legends) == 1
    box = legends[0].get_window_extent()
    assert not any(box.overlaps(axes.get_window_extent()) for axes in drawn.axes)
    assert drawn.bbox.x0 <= box.x0
    assert box.x1 <= drawn.bbox.x1
