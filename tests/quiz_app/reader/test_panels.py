"""Readers from a panel: the ID in their link, the completion code, and the way back."""

import csv
import io
import json
import zipfile
from html import unescape

import pytest
import sqlalchemy as sa

from quiz_app.database import db, reading
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import export, personal
from quiz_app.models import Reader
from quiz_app.panels import way_back
from quiz_app.reader import not_stored
from quiz_app.sittings import leaving
from quiz_app.study import readers
from quiz_app.study.settings import StudySettings

PANEL = {
    "completion_code": "C1A2B3",
    "return_address": "https://app.prolific.com/submissions/complete?cc={code}&who={reader}",
    "panel_parameter": "PROLIFIC_PID",
}
WHO = "5f1e0c2b9a"


@pytest.fixture
def open_link(app, make_study):
    """A study whose readers come from a panel by its open link: the study, and the link with this ID."""

    def offer(**settings):
        study = make_study(practice=0, **{**PANEL, **settings})
        token = readers.offer_open_link(study, "5")
        db.session.commit()
        return study, lambda who: f"/join/{token}/?PROLIFIC_PID={who}&STUDY_ID=7&SESSION_ID=8"

    return offer


def follow(client, response):
    """The last page that a browser sees after `response`, and its address with the query."""
    while response.status_code == 303:
        address = response.headers["Location"]
        response = client.get(address)
    return response, address


def came(app, take, link, who=WHO):
    """A reader who came by the panel's link and consented, like a browser: forms post to their own address."""
    client = app.test_client()
    page, address = follow(client, client.post(link(who)))
    assert page.status_code == 200
    assert client.post(address, data={"consent": "yes"}).status_code == 303
    return take(address.split("/")[2])


def test_the_id_in_the_link_of_a_panel_is_kept_with_the_reader_who_consents(app, take, open_link, reader_called):
    _, link = open_link()
    came(app, take, link)
    assert reader_called("open-001").external_id == WHO
    told = personal.of(db.session(), reader_called("open-001"))["reader"]
    assert told["external_id"] == WHO


def test_before_the_consent_no_id_is_kept(app, open_link, reader_called):
    _, link = open_link()
    client = app.test_client()
    follow(client, client.post(link(WHO)))
    assert reader_called("open-001").external_id is None


def test_a_personal_link_may_carry_the_id_too(make_study, invite, reader_called):
    taker = invite(make_study(**PANEL))
    _, address = follow(taker.client, taker.client.get(taker.url(f"?PROLIFIC_PID={WHO}")))
    taker.client.post(address, data={"consent": "yes"})
    assert reader_called("R1").external_id == WHO


@pytest.mark.parametrize("name", ["token", "endpoint", "values"])  # as parts of the addresses of the pages are called
def test_a_parameter_of_any_name_is_carried_on(app, make_study, reader_called, name):
    study = make_study(panel_parameter=name)
    token = readers.offer_open_link(study, "5")
    db.session.commit()
    client = app.test_client()
    page, address = follow(client, client.post(f"/join/{token}/?{name}={WHO}"))
    assert page.status_code == 200
    assert client.post(address, data={"consent": "yes"}).status_code == 303
    assert reader_called("open-001").external_id == WHO


def test_a_study_that_asks_for_no_id_keeps_none(app, take, open_link, reader_called):
    _, link = open_link(panel_parameter="", return_address="")
    came(app, take, link)
    assert reader_called("open-001").external_id is None


@pytest.mark.parametrize("who", ["%7B%7B%25PROLIFIC_PID%25%7D%7D", "a/b", "..", "x" * 81, "é", "a%20b", "a%0Ab"])
def test_an_id_that_can_be_none_is_refused_and_nobody_is_registered(app, open_link, who):
    _, link = open_link()
    refused = app.test_client().post(link(who))
    assert refused.status_code == 422
    assert "The ID in this link is not valid." in refused.text
    assert db.session.query(Reader).count() == 0


def test_nobody_takes_a_study_twice_under_one_id(app, take, open_link, make_study, invite, reader_called):
    study, link = open_link()
    came(app, take, link)
    refused = app.test_client().post(link(WHO))
    assert refused.status_code == 409
    assert "You have already started this study." in unescape(refused.text)
    assert db.session.query(Reader).count() == 1
    other = invite(study, "R2")
    assert other.client.post(other.url(f"welcome?PROLIFIC_PID={WHO}"), data={"consent": "yes"}).status_code == 409
    assert reader_called("R2").consented_at is None
    elsewhere = invite(make_study("another", **PANEL), "R3")
    address = elsewhere.url(f"welcome?PROLIFIC_PID={WHO}")
    assert elsewhere.client.post(address, data={"consent": "yes"}).status_code == 303
    assert reader_called("R3").external_id == WHO


def test_a_completion_code_is_shown_only_to_who_has_finished(app, take, open_link):
    _, link = open_link()
    taker = came(app, take, link)
    seen = [taker.client.get(taker.url(page), follow_redirects=True).text for page in ("", "about", "end")]
    taker.client.post(taker.url("about"))
    taker.client.post(taker.url("instructions"))
    seen += [taker.client.get(taker.url(page), follow_redirects=True).text for page in ("room", "end")]
    taker.claim()
    while taker.step["kind"] != "done":
        seen += [json.dumps(taker.step), taker.client.get(taker.url("end"), follow_redirects=True).text]
        taker.go_on() if taker.step["kind"] != "trial" else taker.answer()
    assert [page for page in seen if PANEL["completion_code"] in page or "prolific" in page] == []
    page = unescape(taker.client.get(taker.url("end")).text)
    assert f'<strong class="code">{PANEL["completion_code"]}</strong>' in page
    assert f'href="https://app.prolific.com/submissions/complete?cc=C1A2B3&who={WHO}"' in page
    assert "Go back to app.prolific.com" in page
    assert "close this page" not in page


def test_who_left_the_study_gets_no_code(app, take, open_link):
    _, link = open_link()
    taker = came(app, take, link)
    taker.client.post(taker.url("leave"), data={"answers": "keep"})
    page = taker.client.get(taker.url("end"), follow_redirects=True)
    assert "You have left the study" in page.text
    assert PANEL["completion_code"] not in page.text


def test_all_readers_see_the_same_however_right_they_were(make_study, invite):
    study = make_study(practice=0, **{**PANEL, "return_address": "https://panel.example/?cc={code}", "result": "never"})
    pages = []
    for name, answer in (("R1", "real"), ("R2", "synthetic"), ("R3", "unsure")):
        taker = invite(study, name).enter()
        while taker.step["kind"] != "done":
            taker.go_on() if taker.step["kind"] != "trial" else taker.answer(answer, None if name == "R3" else "full")
        pages.append(taker.client.get(taker.url("end")).text.replace(taker.token, "TOKEN"))
    assert pages[0] == pages[1] == pages[2]


def test_without_a_panel_the_last_page_has_no_word_of_one(make_study, invite):
    taker = invite(make_study(practice=0)).enter()
    taker.finish()
    assert "completion" not in taker.client.get(taker.url("end")).text


def test_a_way_back_of_a_reader_without_an_id_leaves_its_place_empty():
    rules = StudySettings.from_dict(PANEL)
    assert way_back(rules, None).address == "https://app.prolific.com/submissions/complete?cc=C1A2B3&who="
    assert way_back(rules, "a.b").host == "app.prolific.com"
    assert way_back(StudySettings(), "a").address == way_back(StudySettings(), "a").host == ""


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("http://panel.example/", "https://"),
        ("//panel.example/", "https://"),
        ("javascript:alert(1)", "https://"),
        ("https:///path", "https://"),
        ("https://user:pass@panel.example/", "without a user name"),
        ("https://panel.example:port/", "https://"),
        ("https://{reader}/done", "not in the host"),
        ("https://panel.example.{code}/", "not in the host"),
        ("https://panel.example/?id={pid}", "{pid}: unknown placeholder; expected {code} and {reader}"),
        ("https://panel.example/?id={reader", "a brace is not closed"),
        ("https://panel.example/a b", "without spaces"),
        ("https://panel.example/\\evil", "backslashes"),
        ('https://panel.example/"><script>', "quotes"),
        ("https://pänel.example/", "accents"),
        ("https://panel.example/" + "x" * 1000, "at most 1000 characters"),
    ],
)
def test_an_address_to_which_no_reader_should_be_sent_is_refused(address, fault):
    with pytest.raises(InvalidInputError) as faulty:
        StudySettings.from_dict({**PANEL, "return_address": address})
    assert len(faulty.value.faults) == 1
    assert faulty.value.faults[0].startswith("return_address: ")
    assert fault in faulty.value.faults[0]


def test_placeholders_need_what_they_stand_for():
    with pytest.raises(InvalidInputError) as faulty:
        StudySettings.from_dict({"return_address": "https://panel.example/?cc={code}&pid={reader}"})
    assert faulty.value.faults == [
        "return_address: contains {code}, but there is no completion code",
        "return_address: contains {reader}, but no parameter is set for the reader's ID in the link",
    ]
    with pytest.raises(InvalidInputError) as faulty:
        StudySettings.from_dict({"completion_code": "zwei Wörter", "panel_parameter": "a b"})
    assert [fault.split(":")[0] for fault in faulty.value.faults] == ["completion_code", "panel_parameter"]


def test_ids_are_exported_and_go_with_a_reader_who_has_everything_deleted(app, take, open_link, reader_called):
    study, link = open_link()
    came(app, take, link)
    file = io.BytesIO()
    with reading() as session:
        export.write(session, session.merge(study, load=False), file)
    rows = list(csv.DictReader(io.StringIO(zipfile.ZipFile(file).read("readers.csv").decode())))
    assert [row["external_id"] for row in rows] == [WHO]
    leaving.withdraw(reader_called("open-001"), app.config["SETTINGS"].instance, delete=True)
    db.session.commit()
    assert reader_called("open-001").external_id is None


def test_the_desk_shows_the_id_and_may_set_the_code_while_readers_answer(app, take, owner, open_link, reader_called):
    study, link = open_link()
    study.owner_id = owner.researcher.id
    came(app, take, link)
    number = reader_called("open-001").id
    assert WHO in owner.get(f"/researcher/studies/{study.slug}/readers/{number}").text
    taker = take(readers.renew(reader_called("open-001")))
    db.session.commit()
    taker.client.post(taker.url("about"))
    taker.client.post(taker.url("instructions"))
    taker.claim().go_on()
    taker.answer()
    said = {"completion_code": "NEW-CODE", "return_address": PANEL["return_address"], "panel_parameter": "PROLIFIC_PID"}
    owner.post(f"/researcher/studies/{study.slug}/settings", data=said)
    db.session.refresh(study)
    assert study.rules.completion_code == "NEW-CODE"


def test_the_desk_says_how_the_panel_is_given_the_open_link(owner, owned):
    owned(**PANEL)
    page = unescape(owner.post("/researcher/studies/mine/open-link", data={"cap": "5"}).text)
    assert "/?PROLIFIC_PID=…" in page
    assert "{{%PROLIFIC_PID%}}" in page
    owned("other")
    assert "panel" not in owner.post("/researcher/studies/other/open-link", data={"cap": "5"}).text


def test_two_consents_with_one_id_at_one_moment_leave_it_in_no_log(app, take, open_link, reader_called, caplog):
    _, link = open_link()
    came(app, take, link)
    first = reader_called("open-001")
    db.session.add(Reader(study=first.study, pseudonym="open-002", token_hash="b" * 64, external_id=WHO))
    with pytest.raises(sa.exc.IntegrityError) as twice:
        db.session.flush()
    with app.test_request_context("/r/x/welcome"):
        assert not_stored(twice.value)[1] == 503
    assert "not stored" in caplog.text
    assert WHO not in caplog.text
