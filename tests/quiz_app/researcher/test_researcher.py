"""The researcher's pages: log-in, studies, readers, the answers."""

import csv
import io
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from quiz_app.database import db
from quiz_app.exchange import responses_csv
from quiz_app.models import Event, Member, Reader, Study
from quiz_app.study import lifecycle, readers, researchers
from quiz_app.study.settings import TOOLS
from tests.quiz_app.conftest import downloaded_archive
from tests.server import wait_for_a_fresh_minute

PASSWORD = "correct horse battery"  # as in conftest
NEW = "a new and long password"


def state_of(slug):
    db.session.expire_all()
    return db.session.query(Study).filter_by(slug=slug).one().state


WRITING = [
    "/researcher/studies/new",
    "/researcher/password",
    "/researcher/plan/simulate",
    "/researcher/plan/cancel",
    "/researcher/logout",
    "/researcher/studies/new/plan",
    "/researcher/studies/new/archive",
    "/researcher/restoring/upload/cancel",
    "/researcher/people",
    "/researcher/people/1/password",
    "/researcher/studies/mine/team",
    "/researcher/studies/mine/team/1/remove",
    "/researcher/pools/",
    "/researcher/pools/noise/cases/1/exclude",
    "/researcher/pools/coming/upload",
    *(f"/researcher/pools/coming/upload/{deed}" for deed in ("more", "fetch", "pause", "resume", "discard", "cancel")),
    "/researcher/pacs",
    "/researcher/studies/mine/preflight",
    "/researcher/studies/mine/preflight/cancel",
    "/researcher/studies/mine/reopen",
    "/researcher/studies/mine/register",
    "/researcher/studies/mine/looks",
    "/researcher/studies/mine/put-away",
    "/researcher/studies/mine/settings",
    "/researcher/studies/mine/hints",
    "/researcher/studies/mine/preview",
    "/researcher/studies/mine/copy",
    "/researcher/studies/mine/results",
    "/researcher/studies/mine/results/v1-0/cancel",
    "/researcher/studies/mine/archive",
    "/researcher/studies/mine/archive/v1-0/cancel",
    "/researcher/studies/mine/unblind",
    "/researcher/studies/mine/open",
    "/researcher/studies/mine/close",
    "/researcher/studies/mine/readers",
    "/researcher/studies/mine/readers/selected",
    "/researcher/studies/mine/letters",
    "/researcher/studies/mine/readers/1/revoke",
    "/researcher/studies/mine/readers/1/renew",
    "/researcher/studies/mine/readers/1/extend",
    "/researcher/studies/mine/readers/1/reset",
    "/researcher/studies/mine/readers/1/delete",
    "/researcher/studies/mine/readers/1/correct",
    "/researcher/studies/mine/readers/1/export",
    "/researcher/studies/mine/open-link",
    "/researcher/studies/mine/open-link/withdraw",
]
FORM = {"pseudonyms": "R2", "reason": "x", "until": "2099-01-01", "cap": "3"}
OF_A_STUDY = [path for path in WRITING if "/mine/" in path]


def test_every_writing_route_is_in_the_lists_of_these_tests(app):
    values = {"study": "mine", "reader": 1, "case": 1, "slug": "noise", "person": 1, "member": 1, "name": "upload"}
    values["key"] = "v1-0"
    written = {
        rule.build({name: values[name] for name in rule.arguments})[1]
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("researcher.") and "POST" in rule.methods
    }
    assert written - {"/researcher/login"} == set(WRITING)


@pytest.mark.parametrize("path", WRITING)
def test_writing_needs_log_in(app, owned, path):
    owned()
    before = db.session.query(Event).count()
    response = app.test_client().post(path)
    assert response.status_code == 302
    assert "/researcher/login" in response.headers["Location"]
    assert (state_of("mine"), db.session.query(Event).count()) == ("open", before)


@pytest.mark.parametrize("path", OF_A_STUDY)
def test_somebody_elses_study_is_forbidden_and_stays_as_it_was(owned, log_in, path):
    readers.invite(owned(), "R1")
    stranger = log_in("eve")
    assert stranger.post(path, data=FORM).status_code == 403
    assert state_of("mine") == "open"
    assert [(reader.pseudonym, reader.revoked_at) for reader in db.session.query(Reader)] == [("R1", None)]


@pytest.mark.parametrize("path", OF_A_STUDY)
def test_a_viewer_looks_and_does_not_write(owned, log_in, path):
    study, viewer = owned(), log_in("vera")
    readers.invite(study, "R1")
    db.session.add(Member(study_id=study.id, researcher_id=viewer.researcher.id, role="viewer"))
    db.session.commit()
    assert viewer.get("/researcher/studies/mine/readers").status_code == 200
    assert viewer.post(path, data=FORM).status_code == 403
    assert state_of("mine") == "open"


@pytest.mark.parametrize("path", [path.replace("mine", "nowhere") for path in OF_A_STUDY])
def test_a_study_that_does_not_exist_is_not_found(owner, path):
    assert owner.post(path).status_code == 404


@pytest.mark.parametrize("number", [2**31, 2**63, 99999999999999999999])
def test_a_number_that_no_row_can_have_is_not_found(owner, owned, number):
    owned()
    study, pool = "/researcher/studies/mine", "/researcher/pools"
    assert owner.get(f"{study}/readers/{number}").status_code == 404
    assert owner.get(f"{pool}/noise/cases/{number}.png").status_code == 404
    for path in (
        *(f"{study}/readers/{number}/{deed}" for deed in ("revoke", "renew", "extend", "reset", "delete")),
        f"{study}/team/{number}/remove",
        f"/researcher/people/{number}/password",
        f"{pool}/noise/cases/{number}/exclude",
    ):
        assert owner.post(path, data=FORM).status_code == 404, path


def sent(client, path, size):
    """The response to a form with a file of `size` bytes."""
    head = b'--mark\r\nContent-Disposition: form-data; name="file"; filename="x.zip"\r\n\r\n'
    body = head + bytes(size) + b"\r\n--mark--\r\n"
    return client.post(path, data=body, content_type="multipart/form-data; boundary=mark")


@pytest.mark.parametrize(
    "path", ["/researcher/login", *WRITING, "/join/nothing/", "/r/nothing/welcome", "/nowhere", "/"]
)
def test_who_is_not_logged_in_may_send_no_more_than_a_form(app, owned, path):
    owned()
    assert sent(app.test_client(), path, 2**20).status_code == 413
    assert sent(app.test_client(), path, 100_000).status_code != 413


@pytest.mark.parametrize("path", ["/researcher/pools/", "/researcher/studies/new/archive"])
def test_files_of_researchers_may_be_large_up_to_the_setting(app, owner, path):
    app.config["SETTINGS"] = replace(app.config["SETTINGS"], max_upload_mb=2)
    assert sent(owner, path, 2**20).status_code == 422
    refused = sent(owner, path, 2 * 2**20)
    assert refused.status_code == 413
    assert "at most 2 MB" in refused.text


def test_pages_need_log_in_and_lead_back_after_it(app, owner, owned):
    owned()
    client = app.test_client()
    sent = client.get("/researcher/studies/mine/").headers["Location"]
    back = client.post(sent, data={"name": "ada", "password": PASSWORD})
    assert back.headers["Location"] == "/researcher/studies/mine/"


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "/\\evil.example", "/researcher/\\x"])
def test_log_in_leads_to_no_other_server(app, owner, address):
    response = app.test_client().post(
        "/researcher/login", query_string={"next": address}, data={"name": "ada", "password": PASSWORD}
    )
    assert response.headers["Location"] == "/researcher/"


def test_a_wrong_name_or_password_is_refused_in_the_same_words(app, owner):
    client = app.test_client()
    pages = [client.post("/researcher/login", data={"name": name, "password": "wrong"}) for name in ("ada", "nobody")]
    assert [page.status_code for page in pages] == [403, 403]
    one, other = (re.sub(r'(name="csrf_token" value=")[^"]+', r"\1", page.text) for page in pages)
    assert one.replace('value="ada"', 'value="nobody"') == other
    assert client.get("/researcher/").status_code == 302


def test_attempts_to_log_in_are_throttled(app):
    client = app.test_client()
    wait_for_a_fresh_minute()
    codes = [client.post("/researcher/login", data={"name": "x", "password": "y"}).status_code for _ in range(11)]
    assert codes == [403] * 10 + [429]


def test_forms_without_their_token_are_refused(app, owner, owned):
    owned()
    app.config["WTF_CSRF_ENABLED"] = True
    assert owner.post("/researcher/studies/mine/close").status_code == 400
    assert state_of("mine") == "open"


def test_the_first_researcher_is_made_once_and_the_password_is_kept_hashed(app):
    password = researchers.ensure_first()
    assert researchers.ensure_first() is None
    admin = researchers.check("admin", password)
    assert admin.is_admin
    assert password not in admin.password_hash


def test_an_admin_owns_what_nobody_owns_and_others_do_not(app, log_in, make_study):
    make_study("orphan")
    assert log_in("root", is_admin=True).get("/researcher/studies/orphan/").status_code == 200
    assert log_in("ada").get("/researcher/studies/orphan/").status_code == 403


def test_a_new_password_ends_the_other_sessions(app, owner):
    other = app.test_client()
    other.post("/researcher/login", data={"name": "ada", "password": PASSWORD})
    form = {"old": PASSWORD, "new": NEW, "again": NEW}
    assert owner.post("/researcher/password", data=form).status_code == 303
    assert owner.get("/researcher/").status_code == 200
    assert other.get("/researcher/").status_code == 302
    assert researchers.check("ada", NEW)


def test_a_bad_new_password_is_refused_with_every_fault(owner):
    page = owner.post("/researcher/password", data={"old": "wrong", "new": "short", "again": "other"})
    assert page.status_code == 422
    for words in ("not your current password", "5 characters; use at least", "does not match"):
        assert words in page.text
    db.session.expire_all()
    assert researchers.check("ada", PASSWORD)


def test_a_study_is_made_from_a_preset_opened_and_closed(owner):
    form = {"title": "Can they tell?", "pool": "noise", "preset": "untimed"}
    made = owner.post("/researcher/studies/new", data=form)
    assert made.headers["Location"] == "/researcher/studies/can-they-tell/"
    study = lifecycle.find("can-they-tell")
    assert (study.state, study.rules.limit_s, study.owner_id) == ("draft", 0, owner.researcher.id)
    assert "Can they tell?" in owner.get("/researcher/").text
    assert owner.post("/researcher/studies/can-they-tell/open").status_code == 303
    assert state_of("can-they-tell") == "open"
    assert owner.post("/researcher/studies/can-they-tell/close").status_code == 303
    assert state_of("can-they-tell") == "closed"


def test_a_bad_new_study_is_refused_with_every_fault_and_keeps_what_was_typed(owner):
    page = owner.post(
        "/researcher/studies/new", data={"title": " ", "slug": "Not A Slug", "pool": "nowhere", "preset": "magic"}
    )
    assert page.status_code == 422
    for words in ("title: is empty", "slug: ", "pool: ", "preset: ", 'value="Not A Slug"'):
        assert words in page.text
    assert db.session.query(Study).count() == 0


def test_a_study_that_may_not_open_says_every_reason_and_stays_a_draft(owner, owned):
    owned(opened=False, cases=40, practice=9)
    page = owner.post("/researcher/studies/mine/open")
    assert page.status_code == 422
    for words in ("cases: each reader should judge 40", "practice: the study needs 9"):
        assert words in page.text
        assert words in owner.get("/researcher/studies/mine/").text
    assert state_of("mine") == "draft"


def test_a_closed_study_cannot_be_closed_again(owner, owned):
    owned()
    owner.post("/researcher/studies/mine/close")
    assert owner.post("/researcher/studies/mine/close").status_code == 422


def test_the_readers_page_tells_how_far_everyone_is_and_nothing_of_truth(owner, owned, invite):
    study = owned(practice=1, break_every=0)
    taker = invite(study, "R1").enter()
    invite(study, "R2")
    taker.answer()
    taker.go_on()
    for _ in range(3):
        taker.answer()
    page = owner.get("/researcher/studies/mine/readers").text
    assert "3 / 12" in page
    assert "reading" in page
    assert "invited" in page
    for telling in ("synthetic", "correct", "accuracy"):
        assert telling not in page.lower()


def test_responses_come_as_csv_and_tell_no_truth_before_the_close(owner, owned, invite):
    invite(owned()).enter().finish()

    def download():
        response = owner.get("/researcher/studies/mine/responses.csv")
        return response.headers["Content-Disposition"], list(csv.DictReader(io.StringIO(response.text)))

    name, rows = download()
    assert "mine-responses-blinded.csv" in name
    assert len(rows) == 15
    assert {(row["truth"], row["source"]) for row in rows} == {("", "")}
    owner.post("/researcher/studies/mine/close")
    name, rows = download()
    assert "mine-responses.csv" in name
    assert {row["truth"] for row in rows} == {"real", "synthetic"}


def test_who_was_handed_the_answers_is_on_record(owner, owned):
    owned()
    for path in ("responses.csv", "everything.zip", "archive/0.zip", "responses.dictionary.csv"):
        owner.get(f"/researcher/studies/mine/{path}", buffered=True).close()
    owner.post("/researcher/studies/mine/close")
    downloaded_archive(owner, "mine")
    found = db.session.query(Event).filter_by(kind="handed-over").order_by(Event.id)
    assert [(event.actor, event.details["file"]) for event in found] == [
        ("ada", "mine-responses-blinded.csv"),
        ("ada", "mine-blinded.zip"),
        ("ada", "mine-archive.zip"),
    ]


def test_the_dictionary_explains_every_column_of_the_responses(owner, owned):
    owned()
    columns = owner.get("/researcher/studies/mine/responses.csv").text.splitlines()[0].split(",")
    page = owner.get("/researcher/studies/mine/responses.dictionary.csv").text
    assert [row["column"] for row in csv.DictReader(io.StringIO(page))] == columns == list(responses_csv.DICTIONARY)


def test_settings_are_changed_by_their_form_and_what_it_does_not_hold_stays(owner, owned):
    owned(unsure=True)
    form = {"title": "Renamed", "limit_s": "7.5", "cases": "6", "unsure": ["no"], "practice_feedback": ["no", "yes"]}
    form |= {"groups": "one\r\n\r\n two ", "closes": "2099-01-01T10:00", "thanks": "a\r\nb"}
    assert owner.post("/researcher/studies/mine/settings", data=form).status_code == 303
    study = lifecycle.find("mine")
    rules = study.rules
    assert (study.title, study.version) == ("Renamed", 2)
    assert (rules.limit_s, rules.cases, rules.unsure, rules.practice_feedback) == (7.5, 6, False, True)
    assert (rules.groups, rules.closes, rules.thanks) == (("one", "two"), "2099-01-01T10:00+00:00", "a\nb")
    assert rules.break_s == 30
    page = owner.get("/researcher/studies/mine/settings").text
    assert 'value="2099-01-01T10:00"' in page


@pytest.mark.parametrize(("ticked", "kept"), [(["", "zoom", "invert"], ("zoom", "invert")), ([""], ())])
def test_the_viewers_tools_are_ticked(owner, owned, ticked, kept):
    owned()
    assert owner.post("/researcher/studies/mine/settings", data={"tools": ticked}).status_code == 303
    assert lifecycle.find("mine").rules.tools == kept
    page = owner.get("/researcher/studies/mine/settings").text
    assert {tool: f'value="{tool}" checked' in page for tool in TOOLS} == {tool: tool in kept for tool in TOOLS}


def test_a_tool_that_is_none_is_refused(owner, owned):
    owned()
    page = owner.post("/researcher/studies/mine/settings", data={"tools": ["", "zoom", "x-ray"], "limit_s": "5"})
    assert page.status_code == 422
    assert "x-ray: not one of zoom" in page.text
    assert 'value="zoom" checked' in page.text
    assert 'value="window" checked' not in page.text


def test_bad_settings_are_refused_with_every_fault_and_keep_what_was_typed(owner, owned):
    owned()
    form = {"title": " ", "limit_s": "soon", "cases": "3", "assignment": "any", "closes": "x", "block": ""}
    page = owner.post("/researcher/studies/mine/settings", data=form)
    assert page.status_code == 422
    for words in (
        "title: is empty",
        "&#39;soon&#39; is not a number",
        "3 is odd",
        "is not one of crossed",
        "not a date and time",
    ):
        assert words in page.text
    assert 'value="soon"' in page.text
    assert (lifecycle.find("mine").version, lifecycle.find("mine").title) == (1, "A trial run")


def test_settings_of_a_study_with_answers_are_frozen_but_for_its_end(owner, owned, invite):
    invite(owned()).enter().answer()
    refused = owner.post("/researcher/studies/mine/settings", data={"limit_s": "5"})
    assert refused.status_code == 422
    assert "settings are locked" in refused.text
    assert owner.post("/researcher/studies/mine/settings", data={"thanks": "Bye."}).status_code == 303
    assert (lifecycle.find("mine").rules.limit_s, lifecycle.find("mine").rules.thanks) == (12, "Bye.")


def test_a_plan_is_downloaded_and_made_again(owner, owned):
    owned(limit_s=8)
    text = owner.get("/researcher/studies/mine/plan.toml").text
    file = {"plan": (io.BytesIO(text.encode()), "mine.toml"), "slug": "again"}
    assert owner.post("/researcher/studies/new/plan", data=file).status_code == 303
    assert lifecycle.find("again").rules == lifecycle.find("mine").rules


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"title = 1\nformat = 2"])
def test_a_bad_plan_is_refused_and_nothing_is_made(owner, content):
    page = owner.post("/researcher/studies/new/plan", data={"plan": (io.BytesIO(content), "x.toml")})
    assert page.status_code == 422
    assert db.session.query(Study).count() == 0


def test_a_preview_walks_through_a_draft_and_counts_nowhere(app, owner, owned, take):
    study = owned(opened=False, practice=1)
    link = owner.post("/researcher/studies/mine/preview").headers["Location"]
    take(link.split("/")[2]).enter().finish()
    assert lifecycle.answers(study) == 0
    assert owner.get("/researcher/studies/mine/responses.csv").text.count("\n") == 1
    assert "(preview)" not in owner.get("/researcher/studies/mine/readers").text
    again = owner.post("/researcher/studies/mine/preview").headers["Location"]
    assert app.test_client().get(link).status_code == 404
    assert app.test_client().get(again).status_code == 303


def test_a_copy_is_a_draft_of_the_one_who_copies(owner, owned):
    owned(limit_s=8)
    assert owner.post("/researcher/studies/mine/copy").status_code == 303
    twin = lifecycle.find("a-trial-run-copy")
    assert (twin.state, twin.rules.limit_s, twin.owner_id) == ("draft", 8, owner.researcher.id)


def test_after_the_closing_date_nobody_comes_in_and_who_is_in_the_middle_finishes(owned, invite, time):
    study = owned(closes=f"{time.moment + timedelta(hours=1):%Y-%m-%dT%H:%M:%S+00:00}")
    inside, outside = invite(study).enter(), invite(study, "R2")
    time.forward(3601)
    page = outside.client.get(outside.url("welcome"))
    assert page.status_code == 403
    assert "study can no longer be started" in page.text
    inside.claim().finish()
    reader = db.session.query(Reader).filter_by(pseudonym="R2").one()
    reader.closes_at = time.moment + timedelta(hours=1)
    db.session.commit()
    assert outside.enter().step["kind"] == "trial"


def test_a_closed_study_is_put_away_and_brought_back(owner, owned):
    owned()
    assert owner.post("/researcher/studies/mine/put-away", data={"away": "yes"}).status_code == 422
    owner.post("/researcher/studies/mine/close")
    for listed, away in ((False, True), (True, False)):
        for _ in range(2):  # the second changes nothing
            said = {"away": "yes" if away else "no"}
            assert owner.post("/researcher/studies/mine/put-away", data=said).status_code == 303
        owner.get("/researcher/studies/mine/")  # shows, and with it clears, what was said
        assert ("A trial run" in owner.get("/researcher/").text) is listed
        assert ("A trial run" in owner.get("/researcher/?away=1").text) is away
    kinds = [event.kind for event in db.session.query(Event).order_by(Event.id)]
    assert kinds[-2:] == ["study-put-away", "study-brought-back"]


def test_reopening_is_the_owners(owner, owned, log_in):
    study, helper = owned(), log_in("cora")
    db.session.add(Member(study_id=study.id, researcher_id=helper.researcher.id, role="collaborator"))
    lifecycle.close(study)
    db.session.commit()
    assert helper.post("/researcher/studies/mine/reopen", data={"reason": "x"}).status_code == 403
    assert owner.post("/researcher/studies/mine/reopen", data={"reason": " "}).status_code == 422
    assert owner.post("/researcher/studies/mine/reopen", data={"reason": "x"}).status_code == 303
    assert state_of("mine") == "open"


def test_every_form_that_writes_carries_its_token(log_in, make_study, invite):
    admin = log_in("root", is_admin=True)
    closed, draft = make_study("closed"), make_study("draft", opened=False)
    invite(closed).enter().answer()
    invite(draft, "R2")
    readers.offer_open_link(closed, "3")
    researchers.add("cora")
    researchers.give_part(closed, "cora", "viewer")
    number = db.session.query(Reader).filter_by(pseudonym="R1").one().id
    pages = ["", "studies/new", "password", "people", "pools/", "pools/noise/"]
    pages += [f"studies/closed/{page}" for page in ("", "readers", f"readers/{number}", "results", "team", "settings")]
    pages += [f"studies/draft/{page}" for page in ("", "preflight", "readers", "settings")]
    db.session.commit()
    forms = 0
    for state in ("open", "closed"):
        for page in pages:
            text = admin.get(f"/researcher/{page}").text
            assert text.count('<form method="post"') == text.count("<form ") == text.count('name="csrf_token"'), page
            forms += text.count("<form ")
        if state == "open":
            lifecycle.close(lifecycle.find("closed"))
            db.session.commit()
    assert forms > 80


def test_what_cannot_be_undone_is_asked_about_and_what_can_is_not(owner, owned):
    study = owned()
    reader, _ = readers.invite(study, "R1")
    readers.offer_open_link(study, "5")
    db.session.commit()
    pages = [
        owner.get(f"/researcher/studies/mine/{page}").text for page in ("readers", f"readers/{reader.id}", "results")
    ]
    lifecycle.close(study)
    db.session.commit()
    pages.append(owner.get("/researcher/studies/mine/").text)
    asked = dict.fromkeys(("delete", "open-link", "open-link/withdraw", "unblind", "reopen"), True)
    for deed, asks in (asked | {"revoke": False}).items():
        (form,) = {one for page in pages for one in re.findall(rf'<form [^>]*/{deed}"[^>]*>', page)}
        assert ("data-ask=" in form) is asks, deed
