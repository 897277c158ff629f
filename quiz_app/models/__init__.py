"""The tables. Views, created by the migrations, join them: `responses` has a row per trial and case, `marks` one per
mark, `faults` one per known fault of a case; `conditions` gives the condition under which a trial was read."""

from quiz_app.models.event import Event
from quiz_app.models.outbox import Mirror, Outgoing, Removal
from quiz_app.models.pool import Case, Fault, Pool
from quiz_app.models.researcher import Member, Researcher
from quiz_app.models.study import MARKS_DUE, Answer, Hint, Mark, Reader, Sitting, Study, Trial, TrialCase

__all__ = [
    "MARKS_DUE",
    "Answer",
    "Case",
    "Event",
    "Fault",
    "Hint",
    "Mark",
    "Member",
    "Mirror",
    "Outgoing",
    "Pool",
    "Reader",
    "Removal",
    "Researcher",
    "Sitting",
    "Study",
    "Trial",
    "TrialCase",
]
