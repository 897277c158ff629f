"""Which numbers a study asks for, one module a design: a further one is registered in DESIGNS."""

from __future__ import annotations

from analysis.designs import comparison, quartet, rating, staircase
from analysis.designs.design import Design

DESIGNS: dict[str, Design] = {
    design.name: design for design in (rating.DESIGN, staircase.DESIGN, quartet.DESIGN, comparison.DESIGN)
}


def find(name: str) -> Design:
    """The design of this name, which the check of the responses has found in DESIGNS."""
    return DESIGNS[name]
