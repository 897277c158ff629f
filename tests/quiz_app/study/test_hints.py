"""Hints come by command and at the desk, whole or not at all."""

import io

import pytest

from quiz_app.database import db
from quiz_app.study import lifecycle
from quiz_app.study.cases import scored_cases

LINES = ["alone", "aided: hints = true"]


@pytest.fixture
def study(make_study):
    return make_study("hinted", opened=False, conditions=LINES)


def table(study):
    return "case,hint\n" + "".join(f"{case.name},0.5\n" for case in scored_cases(study))


def test_a_hint_file_is_taken_by_command_and_refused_with_its_faults(app, study, tmp_path):
    file = tmp_path / "ai.csv"
    file.write_text(table(study), "utf-8")
    done = app.test_cli_runner().invoke(args=["study", "hints", "hinted", str(file)])
    assert (done.exit_code, done.output) == (0, "hinted: 12 hints\n")
    file.write_text("case,hint\nnobody,1\n", "utf-8")
    refused = app.test_cli_runner().invoke(args=["study", "hints", "hinted", str(file)])
    assert refused.exit_code == 1
    assert "ai.csv, row 2: case: the pool has no case called 'nobody'" in refused.output
    db.session.expire_all()
    assert len(lifecycle.find("hinted").hints) == 12


def test_a_hint_file_is_uploaded_at_the_desk(owner, study):
    study.owner = owner.researcher
    db.session.commit()
    address = "/researcher/studies/hinted/hints"
    for data in ({}, {"hints": (io.BytesIO(b"\xff"), "ai.csv")}, {"hints": (io.BytesIO(b"case\n"), "ai.csv")}):
        assert owner.post(address, data=data).status_code == 422
    sent = owner.post(address, data={"hints": (io.BytesIO(table(study).encode()), "ai.csv")}, follow_redirects=True)
    assert "This study has 12 hints. Another file replaces them." in sent.text
