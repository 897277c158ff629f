"""What a trial is, one module a design: it composes trials, checks what a reader says, and says what it means."""

from quiz_app.designs.design import Design
from quiz_app.designs.rating import Rating

DESIGNS: dict[str, Design] = {design.name: design for design in (Rating(),)}
