"""Every setting of a study: its default, its bounds and its meaning. The single source for form, file and docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, ClassVar, Self

from quiz_app import conditions, panels
from quiz_app.errors import InvalidInputError
from quiz_app.rules import REASONS, check_columns, check_reasons, checked, marked, rule

# The sections of the form, of the file's comments and of docs/reference/settings.md, in order.
SECTIONS = (
    "Time",
    "Exposure",
    "Cases",
    "Conditions",
    "Breaks",
    "Answers",
    "Marks",
    "Viewer",
    "Questions",
    "Looks",
    "Afterwards",
    "Panel",
    "Texts",
)

TOOLS = ("zoom", "window", "invert", "magnifier", "fullscreen")

# What only makes sense with levels of certainty: interim looks at mean AUC or accuracy, and subgroups of the cases.
OF_RATINGS = frozenset({"looks", "looks_figure", "looks_spending", "looks_futility", "subgroups"})


@dataclass(frozen=True)
class StudySettings(conditions.ConditionSettings, panels.PanelSettings):
    """How a study is read. The defaults are those of the published PanoDiff-SR study.

    A design with its own settings derives a class from this one. A field with the same name replaces the one here, and
    `unused` names the fields that do not apply to that design.
    """

    unused: ClassVar[frozenset[str]] = frozenset()

    limit_s: float = rule(
        "Time",
        "Time limit (s)",
        12.0,
        "Seconds a reader has for a case; 0 = no limit. A later answer is still accepted and marked late.",
        0,
        3600,
    )
    at_timeout: str = rule(
        "Time",
        "At time-out",
        "blank",
        "What happens to the image when the time is up and the reader has not answered.",
        choices={"blank": "it disappears for good", "keep": "it stays until the answer"},
    )
    grace_ms: int = rule(
        "Time",
        "Grace (ms)",
        3000,
        "Allowance for a slow connection: the clock starts at most this long after the case is sent.",
        0,
        60_000,
    )
    interval_ms: int = rule(
        "Time", "Interval (ms)", 500, "Pause with a neutral mask between two cases, in milliseconds.", 0, 10_000
    )
    closes: str = rule(
        "Time",
        "Closing date",
        "",
        "After this moment nobody can start; readers who have started can finish. Empty = open until you close it.",
        moment=True,
    )
    cases: int = rule(
        "Cases",
        "Cases per reader",
        0,
        "Cases a reader judges, half of each class; 0 = every case of the pool.",
        0,
        10_000,
        even="half of the cases are of each class",
    )
    assignment: str = rule(
        "Cases",
        "Assignment",
        "crossed",
        "Which cases a reader judges if not every case of the pool.",
        choices={
            "crossed": "every reader judges the same cases (fully crossed), drawn once for the study",
            "balanced": "each reader gets a different subset, so that every case is read about equally often",
            "anchored": "every reader judges the anchors and one block of the other cases: the block that the fewest "
            "readers have finished",
        },
    )
    anchors: int = rule(
        "Cases",
        "Anchors",
        0,
        "Number of cases that every reader judges, half of each class, if the assignment is anchored.",
        0,
        10_000,
        even="half of the anchors are of each class",
    )
    repeats: int = rule(
        "Cases",
        "Repeated cases",
        0,
        "Cases shown a second time, half of each class, to measure a reader's agreement with "
        "themselves: the first cases in the order return in its last third.",
        0,
        1000,
        even="half of the repeats are of each class",
    )
    block: int = rule(
        "Cases",
        "Block",
        20,
        "Each block of this many cases has equal numbers of real and synthetic ones; repeats are extra.",
        2,
        10_000,
        even="a block holds equal numbers of real and synthetic cases",
    )
    subgroups: tuple[str, ...] = rule(
        "Cases",
        "Subgroups",
        (),
        "Extra columns of the pool's cases.csv, one per line, by which the report compares cases, such as device or "
        "finding. They count as declared in advance.",
        check=check_columns,
    )
    practice: int = rule("Cases", "Practice cases", 3, "Practice cases at the start, never scored.", 0, 50)
    practice_feedback: bool = rule(
        "Cases", "Feedback in practice", True, "Show the truth of a practice case after its answer."
    )
    hints: bool = rule(
        "Conditions",
        "Hints",
        False,
        "Show readers a hint for each case from the study's hint file, such as a detector's probability.",
    )
    clue: str = rule(
        "Conditions",
        "Clue",
        "",
        "What to look for, shown on a card with the instructions. Empty = no card.",
        long=True,
    )
    break_every: int = rule(
        "Breaks", "Break every", 25, "A break is offered after this many cases; 0 = none.", 0, 10_000
    )
    break_s: int = rule(
        "Breaks", "Break (s)", 30, "Suggested length of a break in seconds; the reader can continue earlier.", 0, 3600
    )
    long_break_s: int = rule(
        "Breaks", "Long break (s)", 120, "Suggested length of the break halfway through, in seconds.", 0, 3600
    )
    unsure: bool = rule("Answers", "Unsure", True, "Let readers answer 'unsure'.")
    labels: tuple[str, ...] = rule(
        "Answers",
        "Labels",
        (),
        "Words on the answer buttons, one per line, for all five levels from surely real through unsure to surely "
        "synthetic; none = the usual words. A line with only [da] or [de] starts another language.",
        lines=(5,),
    )
    marks: str = rule(
        "Marks",
        "Marks",
        "off",
        "After an answer is saved, ask the reader to mark what decided it in the image, and why.",
        choices={
            "off": "not asked",
            "optional": "the reader may skip it",
            "asked": "the reader marks a place or chooses 'nothing in particular'",
        },
    )
    marks_for: str = rule(
        "Marks",
        "Marks for",
        "synthetic",
        "Which answers are followed by marks.",
        choices={"synthetic": "images that the reader called synthetic", "all": "every image"},
    )
    marks_most: int = rule(
        "Marks", "Maximum number of marks", 3, "How many marks a reader can set in one trial.", 1, 20
    )
    marks_rating: bool = rule(
        "Marks",
        "Rating of marks",
        False,
        "Ask how sure the reader is of each mark, from 1 = a guess to 5 = certain.",
    )
    reasons: tuple[str, ...] = rule(
        "Marks",
        "Reasons",
        REASONS,
        "What can give an image away, one per line, at most ten. The usual reasons are shown in the reader's "
        "language, your own as you write them.",
        check=check_reasons,
    )
    marks_after_timeout: bool = rule(
        "Marks",
        "Show again for marks",
        False,
        "If the image had disappeared before the answer, show it again so that the reader can set marks. Otherwise "
        "no marks are requested for it. Showing it again is recorded.",
    )
    tools: tuple[str, ...] = rule(
        "Viewer",
        "Tools",
        TOOLS,
        "What the viewer offers: zoom, window (brightness and contrast), invert, magnifier, fullscreen.",
        among=TOOLS,
    )
    phones: bool = rule("Viewer", "Phones", True, "Let readers take part on a screen narrower than 600 pixels.")
    largest_side: int = rule(
        "Viewer",
        "Largest side (pixels)",
        0,
        "Images are scaled down so that the longer side has at most this many pixels; 0 = full size.",
        0,
        20_000,
    )
    keys_ahead: int = rule(
        "Viewer",
        "Keys ahead",
        0,
        "For sites with poor connections: how many cases can be opened ahead of time, so that a reader can continue "
        "while offline. Only the browser then measures the times of these cases.",
        0,
        20,
    )
    groups: tuple[str, ...] = rule(
        "Questions",
        "Groups",
        (marked("early-career"), marked("experienced")),
        "Groups that a reader chooses from; none = not asked. An invitation can set the group.",
    )
    ask_years: bool = rule("Questions", "Years of experience", True, "Ask readers for their years of experience.")
    questions: tuple[str, ...] = rule(
        "Questions",
        "Further questions",
        (),
        "One per line: 'Specialty: dentistry | radiology' offers a choice; 'Where do you work?' takes free text.",
    )
    looks: str = rule(
        "Looks",
        "Interim looks",
        "",
        "Numbers of finished readers after which to take an interim look, such as 3, 4, 6. "
        "A look only says stop or continue; empty = none.",
    )
    looks_figure: str = rule(
        "Looks",
        "Measure for interim looks",
        "auc",
        "What a look tests against chance.",
        choices={"auc": "the readers' mean AUC", "accuracy": "their mean accuracy, fractional credit for unsure"},
    )
    looks_spending: str = rule(
        "Looks",
        "Boundaries",
        "obrien-fleming",
        "How the 5 % risk of stopping by mistake is divided among the looks.",
        choices={"obrien-fleming": "little at first (O'Brien and Fleming)", "pocock": "about evenly (Pocock)"},
    )
    looks_futility: float = rule(
        "Looks",
        "Futility",
        0.0,
        "A look also says stop if the chance of a later difference, given the data so far, is below this; 0 = never.",
        0,
        0.5,
    )
    result: str = rule(
        "Afterwards",
        "Own result",
        "never",
        "When readers see how many of their answers were correct, and the cases they got wrong.",
        choices={
            "never": "not at all",
            "closed": "once the study is closed",
            "at once": "on the last page",
        },
    )
    leaderboard: bool = rule(
        "Afterwards", "Leaderboard", False, "Show the accuracy of all readers, by pseudonym, with that result."
    )
    welcome: str = rule(
        "Texts",
        "Welcome",
        marked("Thank you for taking part. You will see radiographs one at a time. Some are real, others synthetic."),
        "Shown at the top of the welcome page.",
        long=True,
    )
    consent: str = rule(
        "Texts",
        "Consent",
        marked(
            "Taking part is voluntary and you may stop at any time. We keep your answers, their times and what you "
            "tell us about your experience, under a pseudonym."
        ),
        "What a reader agrees to before anything else.",
        long=True,
    )
    instructions: str = rule(
        "Texts",
        "Instructions",
        marked(
            "For each radiograph say whether it is real or synthetic, and whether you are fully or only partially "
            "certain."
        ),
        "Shown before practice.",
        long=True,
    )
    thanks: str = rule(
        "Texts",
        "Thanks",
        marked("All your answers are saved."),
        "Shown on the last page.",
        long=True,
    )

    @classmethod
    def entries(cls) -> dict[str, Field[Any]]:
        """The settings that apply here, by name, in the order of the form."""
        return {entry.name: entry for entry in fields(cls) if entry.name not in cls.unused}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Check `values` and build the settings; a missing value keeps its default.

        Raises InvalidInputError that lists every invalid field.
        """
        known = cls.entries()
        faults = [f"{name}: unknown setting" for name in values if name not in known]
        taken: dict[str, Any] = {}
        for name, entry in known.items():
            try:
                if name in values:
                    taken[name] = checked(entry, values[name])
            except ValueError as error:
                faults.append(f"{name}: {error}")
        faults += conditions.faults(known, taken.get("conditions", ())) + panels.faults(taken)
        if faults:
            raise InvalidInputError(faults)
        return cls(**taken)

    def under(self, condition: str | None) -> Self:
        """The settings under a condition; None, or a condition that no longer exists, changes nothing."""
        return replace(self, **conditions.changes(self.entries(), self.conditions, condition)) if condition else self

    @property
    def trial_s(self) -> float:
        """The time limit of a whole trial in seconds; 0 = none."""
        return self.limit_s

    @property
    def closing(self) -> datetime | None:
        """The moment after which nobody can start, if there is one."""
        return datetime.fromisoformat(self.closes) if self.closes else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {name: plain[name] for name in self.entries()}


# The settings of designs that have their own, by design name; filled in where designs are registered.
OF_DESIGNS: dict[str, type[StudySettings]] = {}


def settings_of(design: str) -> type[StudySettings]:
    """The settings of a study of this design."""
    return OF_DESIGNS.get(design, StudySettings)


PRESETS: dict[str, tuple[str, StudySettings]] = {
    "panodiff": ("The published study: every case, 12 s each, five levels, breaks.", StudySettings()),
    "untimed": ("Like the published study, without a time limit (HYPE-infinity).", StudySettings(limit_s=0.0)),
    "short": ("Forty cases, one break: about ten minutes.", StudySettings(cases=40, break_every=20, long_break_s=30)),
}
