"""The tables. `responses` (a view, made by the migrations) joins them into one row per trial and case."""

from quiz_app.models.event import Event
from quiz_app.models.outbox import Mirror, Outgoing, Removal
from quiz_app.models.pool import Case, Pool
from quiz_app.models.researcher import Member, Researcher
from quiz_app.models.study import Answer, Reader, Sitting, Study, Trial, TrialCase

__all__ = [
    "Answer",
    "Case",
    "Event",
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
