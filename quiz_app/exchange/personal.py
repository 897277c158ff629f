"""Everything stored about one reader, at the reader's request (GDPR, articles 15 and 20).

The truth of the cases belongs to the study and not to the reader: it is left out, so that nothing is unblinded. While
the study is blinded, so are the hints, which reveal much of the truth.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quiz_app.models import Event, Reader

# Secrets, and numbers that lead from one table to another.
INTERNAL = {"id", "study_id", "reader_id", "sitting_id", "trial_id", "case_id", "trial_case_id", "token_hash", "lease"}


def written(session: Session, reader: Reader) -> str:
    """The result of `of`, as JSON."""
    return json.dumps(of(session, reader), ensure_ascii=False, indent=1, default=str) + "\n"


def of(session: Session, reader: Reader) -> dict[str, Any]:
    """The reader's record, sittings, trials with their answers, and lines of the log, as plain values."""
    hinted = not reader.study.blinded
    events = session.scalars(sa.select(Event).filter_by(study_id=reader.study_id).order_by(Event.id))
    return {
        "study": reader.study.slug,
        "reader": _plain(reader),
        "sittings": [
            _plain(sitting)
            | {
                "trials": [
                    _plain(trial)
                    | {
                        "cases": [
                            {
                                "case": shown.case.name,
                                "place": shown.place,
                                **({"hint": shown.hint, "text": shown.hint_text} if hinted and shown.hint else {}),
                                "answers": [{"id": answer.id} | _plain(answer) for answer in shown.answers],
                                "marks": [_plain(mark) for mark in shown.marks],
                            }
                            for shown in trial.cases
                        ]
                    }
                    for trial in sitting.trials
                ]
            }
            for sitting in reader.sittings
        ],
        "log": [
            _plain(event)
            for event in events
            if event.actor == reader.pseudonym or event.details.get("reader") == reader.pseudonym
        ],
    }


def _plain(row: Any) -> dict[str, Any]:
    names = [column.key for column in sa.inspect(type(row)).column_attrs if column.key not in INTERNAL]
    return {name: value for name in names if (value := getattr(row, name)) not in (None, {}, "")}
