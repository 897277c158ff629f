"""Phrases that were replaced on the pages do not come back."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
REPLACED = (
    *("Go on", "How it goes", "You had it", "Not looked at yet", "Bring images", "Bring them in", "Make the draft"),
    *("Studies put away", "At most so many", "Make an open link", "what its readers met is frozen", "Handing over"),
    *("No more answers are taken", "counts nowhere", "what tells the truth", "faster than can be", "clocks apart"),
    *("Looks again every", "left aside, no image", "only the pixels come along", "The progress of who does not look"),
    *("Nothing speaks against", "Look at the warnings first"),
    *(
        "were not shown to differ",
        "cannot be said (",
        "taken for equality",
        "is no option of",
        "fault(s)",
        "there is not one",
    ),
    *(
        "Now it counts",
        "The keys",
        "has taken over",
        "None of your answers has",
        "readers it can take",
        "not known here",
    ),
    *("is empty, and this stays on record", "Not yet a pool", "Begin anew"),
    *("opens nothing from then on", "This is not yours to do", "Give a part", "Present password", "At most so"),
    *("as it came:", "read blindly any more", "Lines lost", "waits for you", "drawn anew, the"),
    *("Let researchers in", "stand beside it", "speaks for chance", "as if each answer were independent"),
)


@pytest.mark.parametrize("phrase", REPLACED)
def test_a_replaced_phrase_stays_away(phrase):
    where = ("templates", "static", "quiz_app", "analysis", "generation", "docs", "README.md")
    command = ["git", "grep", "-nI", "-F", phrase, "--", *where, ":!docs/example-report"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.stdout == ""
