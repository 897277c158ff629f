"""The measures of each design, one module per design; new designs are registered in DESIGNS."""

from __future__ import annotations

from analysis.designs import comparison, quartet, rating, staircase
from analysis.designs.design import Design

DESIGNS: dict[str, Design] = {
    design.name: design for design in (rating.DESIGN, staircase.DESIGN, quartet.DESIGN, comparison.DESIGN)
}


def find(name: str) -> Design:
    """Return the design of this name; the check of the responses makes sure that DESIGNS has it."""
    return DESIGNS[name]
