"""Which numbers a study asks for, one module a design: a further one is registered in DESIGNS."""

from __future__ import annotations

from analysis.designs import comparison, other, quartet, rating, staircase
from analysis.designs.design import Design

DESIGNS: dict[str, Design] = {
    design.name: design for design in (rating.DESIGN, staircase.DESIGN, quartet.DESIGN, comparison.DESIGN)
}


def find(name: str) -> Design:
    """The design of this name; of one that is not measured the report has the flow and the answers."""
    return DESIGNS.get(name, other.DESIGN)
