"""What a trial is, one module per design: it composes trials, and checks and interprets a reader's answers."""

from quiz_app.designs.comparison import Comparison
from quiz_app.designs.design import Design
from quiz_app.designs.quartet import Quartet
from quiz_app.designs.rating import Rating
from quiz_app.designs.staircase import Staircase
from quiz_app.study.settings import OF_DESIGNS, StudySettings

DESIGNS: dict[str, Design] = {design.name: design for design in (Rating(), Quartet(), Staircase(), Comparison())}
PRESETS: dict[str, tuple[str, StudySettings]] = {
    name: preset for design in DESIGNS.values() for name, preset in design.presets.items()
}
OF_DESIGNS.update({name: design.settings for name, design in DESIGNS.items()})


def design_of(preset: str) -> str:
    """The design of a preset."""
    return next(name for name, design in DESIGNS.items() if preset in design.presets)
