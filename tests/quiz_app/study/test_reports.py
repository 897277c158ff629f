"""Reports are made in the background, kept, and shown only when truth may be seen."""

import json
import os
import time as clock_of_the_machine

import pytest

from quiz_app import background, log
from quiz_app.database import db, reading
from quiz_app.models import Event, Member
from quiz_app.study import lifecycle, reports

RESULTS = "/researcher/studies/mine/results"


@pytest.fixture
def instance(app):
    return app.config["SETTINGS"].instance


def closed(owned, invite, readers=1, **settings):
    study = owned(**{"practice": 0} | settings)
    for number in range(readers):
        invite(study, f"R{number}").enter().finish()
    lifecycle.close(study)
    db.session.commit()
    return study


def written(instance, study, name="v1-12", state="done", faults=()):
    """A report folder as the process leaves it."""
    folder = reports.home(instance, study) / name
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<title>The report</title>")
    background.tell(folder, state, 1.0, faults=list(faults))
    return folder


def test_a_report_is_made_in_the_background_and_opens(owner, owned, invite, instance):
    study = closed(owned, invite, readers=2)
    assert owner.post(RESULTS).status_code == 303
    address = f"{RESULTS}/v1-24"
    shares = []
    while (told := owner.get(f"{address}.json", buffered=True).get_json())["state"] == "making":
        shares.append(told["share"])
        clock_of_the_machine.sleep(0.2)
    assert told["state"] == "done", reports.find(reports.home(instance, study) / "v1-24")
    assert shares == sorted(shares)
    page = owner.get(f"{address}/report.html", buffered=True)
    assert "A trial run" in page.text
    assert "sandbox" in page.headers["Content-Security-Policy"]
    assert json.loads(owner.get(f"{address}/results.json", buffered=True).text)["study"]["readers"] == 2
    assert "Open report" in owner.get(RESULTS, buffered=True).text
    before = (reports.home(instance, study) / "v1-24" / "report.html").stat().st_mtime
    owner.post(RESULTS)
    assert (reports.home(instance, study) / "v1-24" / "report.html").stat().st_mtime == before


@pytest.mark.parametrize(
    "kind", ["reader-corrected", "reader-reset", "reader-deleted", "deleted-at-wish", "study-reopened"]
)
def test_after_a_change_another_report_can_be_made(owner, owned, invite, instance, kind):
    study = closed(owned, invite)
    written(instance, study)
    with reading() as session:
        assert reports.key(session, study) == "v1-12"
    log.record(kind, study=study, reader="R0", reason="mistyped")
    db.session.commit()
    with reading() as session:
        assert reports.key(session, study) == "v1-12-c1"
    written(instance, study, "v1-12-c1")
    found = reports.kept(instance, study)
    assert [(report.key, report.answers) for report in found] == [("v1-12-c1", 12), ("v1-12", 12)]


def test_before_the_close_nothing_of_the_results_is_shown(owner, owned, invite, instance):
    study = owned(practice=0)
    invite(study).enter().finish()
    written(instance, study)
    assert "stay hidden until the study is closed" in owner.get(RESULTS, buffered=True).text
    assert owner.post(RESULTS).status_code == 403
    for path in ("v1-12.json", "v1-12/report.html"):
        assert owner.get(f"{RESULTS}/{path}", buffered=True).status_code == 403


def test_unblinding_needs_a_reason_and_stays_on_record(owner, owned, instance):
    study = owned()
    assert owner.post("/researcher/studies/mine/unblind", data={"reason": " "}).status_code == 422
    assert study.blinded
    form = {"reason": "Safety board"}
    assert owner.post("/researcher/studies/mine/unblind", data=form).status_code == 303
    db.session.expire_all()
    assert study.unblinded_at is not None
    assert not study.blinded
    assert db.session.query(Event).filter_by(kind="study-unblinded").one().details["reason"] == "Safety board"
    assert "Unblinded on" in owner.get(RESULTS, buffered=True).text
    assert owner.post("/researcher/studies/mine/unblind", data=form).status_code == 422


def test_only_the_owner_unblinds(owned, log_in):
    study, helper = owned(), log_in("cora")
    db.session.add(Member(study_id=study.id, researcher_id=helper.researcher.id, role="collaborator"))
    db.session.commit()
    assert helper.post("/researcher/studies/mine/unblind", data={"reason": "I want to know"}).status_code == 403
    assert study.blinded


def test_the_files_of_a_report_are_those_in_its_folder_and_no_others(owner, owned, invite, instance):
    study = closed(owned, invite)
    folder = written(instance, study)
    (folder.parent / "secret.txt").write_text("x")
    assert owner.get(f"{RESULTS}/v1-12/report.html", buffered=True).status_code == 200
    for path in (
        "v1-12/../secret.txt",
        "v1-12/%2e%2e/secret.txt",
        "v1-12/status.json",
        "v9-9/report.html",
        "v9-9.json",
    ):
        assert owner.get(f"{RESULTS}/{path}", buffered=True).status_code == 404


def test_a_failed_report_says_why_and_can_be_tried_again(owner, owned, invite, instance):
    written(instance, closed(owned, invite), state="failed", faults=["no disk"])
    page = owner.get(RESULTS, buffered=True).text
    assert "no disk" in page
    assert "Try again" in page


def test_a_report_whose_process_died_is_told_as_stopped(owned, invite, instance):
    folder = written(instance, closed(owned, invite), state="making")
    assert reports.find(folder).work.state == "making"
    past = clock_of_the_machine.time() - background.SILENT_FOR_S - 1
    os.utime(folder / background.STATUS, (past, past))
    assert reports.find(folder).work.state == "stopped"


def test_a_study_without_answers_gets_no_report_but_a_reason(owner, owned, instance):
    study = owned()
    lifecycle.close(study)
    db.session.commit()
    owner.post(RESULTS)
    with reading() as session:
        name = reports.key(session, study)
    while (report := reports.find(reports.home(instance, study) / name)).work.state == "making":
        clock_of_the_machine.sleep(0.1)
    assert report.work.state == "failed"
    assert report.work.faults == ["study 'mine' has no responses yet"]  # and not where the database lies


def test_a_report_made_here_shows_the_pictures_of_the_pool(owner, owned, invite, instance):
    study = closed(owned, invite, readers=2)
    folder = reports.home(instance, study) / "v1-24"
    owner.post(RESULTS)
    while (work := reports.find(folder).work).state == "making":
        clock_of_the_machine.sleep(0.2)
    assert work.state == "done", work
    assert (folder / "figures" / "plate_categories.png").exists()


def compared(owner, wanted):
    return owner.get(f"{RESULTS.removesuffix('results')}compare?with={wanted}", buffered=True)


def test_two_studies_are_compared_over_the_readers_they_share(owner, owned, invite):
    for slug, readers in (("before", ("A", "B", "C")), ("mine", ("B", "C", "D"))):
        study = owned(slug, practice=0)
        for name in readers:
            invite(study, name).enter().finish()
        lifecycle.close(study)
        db.session.commit()
    assert "before" in owner.get(RESULTS, buffered=True).text
    page = compared(owner, "before").text
    assert "Only readers who took part in both are compared, each with themselves (2):" in page
    assert "Cases in both: 12." in page
    assert "+0.000" in page  # everybody answered alike in both


def test_what_has_nothing_to_compare_says_so_and_not_where_the_database_lies(app, owner, owned, invite):
    for slug, readers in (("mine", ("A",)), ("apart", ("B",)), ("empty", ())):
        study = owned(slug, practice=0)
        for name in readers:
            invite(study, name).enter().finish()
        lifecycle.close(study)
        db.session.commit()
    page = compared(owner, "apart")
    assert page.status_code == 200
    assert "each with themselves: there are none." in page.text
    refused = compared(owner, "empty")
    assert refused.status_code == 422
    assert "study &#39;empty&#39; has no responses yet" in refused.text
    assert app.config["SETTINGS"].database_url.split("://")[1] not in refused.text
    assert "://" not in refused.text


def test_a_study_is_compared_with_itself_at_an_earlier_moment(owner, owned, invite, instance):
    study = closed(owned, invite, readers=2)
    written(instance, study, "v1-12")
    assert "the same study when it had 12 answers" in compared(owner, "v1-12").text
    assert "each with themselves (1):" in compared(owner, "v1-12").text


def test_what_is_blinded_or_somebody_elses_cannot_be_compared(owner, owned, invite, make_study):
    closed(owned, invite)
    owned("still-open", practice=0)
    other = make_study("others")
    lifecycle.close(other)
    db.session.commit()
    assert [compared(owner, wanted).status_code for wanted in ("still-open", "others", "v1-7", "")] == [404] * 4
    assert owner.get("/researcher/studies/still-open/compare", query_string={"with": "mine"}).status_code == 403
