"""Letters by e-mail, to a mail server on this machine: each once, failures named, nothing without a server."""

import email
import json
import os
import re
import ssl
import subprocess
import time as sleeping
from dataclasses import replace
from email import policy
from html import unescape

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from quiz_app import mail
from quiz_app.database import db
from quiz_app.errors import SettingsError
from quiz_app.models import Event, Reader
from quiz_app.settings import Settings
from quiz_app.study import deletion, mailing
from quiz_app.study.letters import Letter
from tests.server import free_port

READERS = "/researcher/studies/mine/readers"
LETTERS = "/researcher/studies/mine/letters"
SENDER = "Study office <study@example.org>"


class Inbox:
    """What a mail server accepted. `says` has refusals by address, which are used up one at a time."""

    def __init__(self):
        self.taken, self.says, self.asked = [], {}, []

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802  (aiosmtpd calls it so)
        self.asked.append(address)
        answers = self.says.get(address, ["250 OK"])
        said = answers.pop(0) if len(answers) > 1 else answers[0]
        if said != "250 OK":
            return said
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        message = email.message_from_bytes(envelope.content, policy=policy.default)
        self.taken.append((envelope.rcpt_tos, message))
        return "250 OK"


@pytest.fixture
def serve_mail():
    """Starts mail servers with an inbox: gives the inbox and the settings to reach it."""
    started = []

    def serve(**how):
        inbox, port = Inbox(), free_port()
        started.append(Controller(inbox, hostname="127.0.0.1", port=port, **how))
        started[-1].start()
        settings = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_tls": "none", "smtp_from": SENDER}
        return inbox, settings | {"smtp_per_minute": 600}

    yield serve
    for controller in started:
        controller.stop()


@pytest.fixture
def mailed(app, serve_mail):
    """The application with a mail server: its inbox."""
    inbox, settings = serve_mail()
    app.config["SETTINGS"] = replace(app.config["SETTINGS"], **settings)
    return inbox


def form(page):
    """The fields of the form that sends."""
    part = page.partition(f'action="{LETTERS}"')[2].partition("</form>")[0]
    fields = re.findall(r'name="(kind|batch|letter)" value="([^"]*)"', part)
    told = {name: [unescape(value) for key, value in fields if key == name] for name in ("kind", "batch", "letter")}
    return {"kind": told["kind"][0], "batch": told["batch"][0], "letter": told["letter"]}


def sent(client, said):
    """The page of a batch after it has ended."""
    response = client.post(LETTERS, data=said)
    assert response.status_code == 303
    for _ in range(600):
        if client.get(f"{LETTERS}/{said['batch']}.json").get_json()["state"] != "making":
            break
        sleeping.sleep(0.1)
    return unescape(client.get(response.headers["Location"]).text)


def logged(kind):
    db.session.expire_all()
    return [event.details for event in db.session.query(Event).filter_by(kind=kind).order_by(Event.id)]


def test_invitations_go_out_each_to_its_reader_with_the_link_that_was_shown(owner, owned, mailed):
    owned()
    page = owner.post(READERS, data={"pseudonyms": "R1,,one@example.org\nR2,,two@example.org\nR3"}).text
    assert "Send 2 invitations" in page
    assert "1 reader has no address and gets none." in page
    assert 'data-ask="Send 2 invitations by e-mail now?' in page
    shown = re.findall(r'<code class="link">([^<]*)</code>', page)
    links = dict(zip(("R1", "R2", "R3"), shown, strict=True))
    assert mailed.taken == []
    page = sent(owner, form(page))
    assert "The mail server accepted 2 of 2 letters." in page
    assert [to for to, _ in mailed.taken] == [["one@example.org"], ["two@example.org"]]
    for (_, message), name in zip(mailed.taken, ("R1", "R2"), strict=True):
        assert message["From"] == SENDER
        assert message["Subject"] == "Invitation: A trial run"
        assert message["Message-ID"].endswith("@example.org>")
        assert links[name] in message.get_content()
    assert [details["reader"] for details in logged("letter-sent")] == ["R1", "R2"]
    assert logged("letters-begun") == [{"what": "invitation", "letters": 2}]


def test_who_presses_twice_sends_every_letter_once(owner, owned, mailed):
    owned()
    said = form(owner.post(READERS, data={"pseudonyms": "R1,,one@example.org\nR2,,two@example.org"}).text)
    first = owner.post(LETTERS, data=said)
    page = sent(owner, said)
    assert first.status_code == 303
    assert "accepted 2 of 2" in page
    sent(owner, said)  # and again when it is over
    assert len(mailed.taken) == len(logged("letter-sent")) == 2
    assert len(logged("letters-begun")) == 1


def test_what_could_not_be_sent_is_named_by_reader_and_without_the_address(owner, owned, mailed):
    owned()
    mailed.says["gone@example.org"] = ["550 <gone@example.org> is unknown here"]
    lines = "R1,,one@example.org\nR2,,gone@example.org\nR3,,three@example.org"
    page = sent(owner, form(owner.post(READERS, data={"pseudonyms": lines}).text))
    assert "accepted 2 of 3 letters. 1 could not be sent" in re.sub(r"\s+", " ", page)
    assert "550 <the address> is unknown here" in page
    assert [(one["reader"], one["reason"]) for one in logged("letter-not-sent")] == [
        ("R2", "the mail server said: 550 <the address> is unknown here")
    ]
    assert [one["reader"] for one in logged("letter-sent")] == ["R1", "R3"]
    assert mailed.asked.count("gone@example.org") == 1
    assert "example.org" not in json.dumps([event.details for event in db.session.query(Event)])


def test_reminders_go_to_those_who_still_have_something_to_do(owner, owned, invite, mailed, reader_called):
    study = owned(cases=4, practice=0)
    for name in ("R1", "R2", "R3"):
        invite(study, name)
        reader_called(name).email = f"{name}@example.org"
    db.session.commit()
    numbers = [reader_called(name).id for name in ("R1", "R2", "R3")]
    said = form(owner.post(f"{READERS}/selected", data={"reader": numbers, "deed": "remind"}).text)
    assert len(said["letter"]) == 3
    reader_called("R2").withdrawn_at = study.created_at  # between the page and the press
    db.session.commit()
    assert "accepted 2 of 2" in sent(owner, said)
    assert [to for to, _ in mailed.taken] == [["R1@example.org"], ["R3@example.org"]]
    assert "have not started yet" in mailed.taken[0][1].get_content()


def test_an_invitation_whose_link_has_changed_is_not_sent(owner, owned, mailed, reader_called):
    owned()
    said = form(owner.post(READERS, data={"pseudonyms": "R1,,one@example.org"}).text)
    owner.post(f"{READERS}/{reader_called('R1').id}/renew")
    refused = owner.post(LETTERS, data=said)
    assert refused.status_code == 422
    assert "the link of 'R1' has changed" in unescape(refused.text)
    assert mailed.taken == []


@pytest.mark.parametrize(
    "wrong", [{"batch": "../../x"}, {"batch": ""}, {"kind": "advertisement"}, {"letter": []}, {"letter": ["R1 x"]}]
)
def test_a_form_that_no_page_made_sends_nothing(owner, owned, mailed, wrong):
    owned()
    said = form(owner.post(READERS, data={"pseudonyms": "R1,,one@example.org"}).text)
    assert owner.post(LETTERS, data=said | wrong).status_code == 422
    assert owner.get(f"{LETTERS}/{'0' * 32}").status_code == owner.get(f"{LETTERS}/x").status_code == 404
    assert mailed.taken == []


def test_without_a_mail_server_nothing_is_offered_and_nothing_sent(owner, owned):
    owned()
    page = owner.post(READERS, data={"pseudonyms": "R1,,one@example.org"}).text
    assert LETTERS not in page
    refused = owner.post(LETTERS, data={"kind": "invitation", "batch": "0" * 32, "letter": "R1 x"})
    assert refused.status_code == 422
    assert "no mail server is set" in refused.text


def test_a_batch_that_was_cut_off_says_of_whom_nothing_is_known(app, owner, owned, invite, reader_called):
    study = owned()
    invite(study, "R1")
    folder = mailing.home(app.config["SETTINGS"].instance, study) / ("a" * 32)
    folder.mkdir(parents=True)
    (folder / mailing.ABOUT).write_text(json.dumps({"kind": "invitation", "readers": [reader_called("R1").id]}))
    (folder / "status.json").write_text(json.dumps({"state": "making", "share": 0, "what": "", "faults": []}))
    long_ago = sleeping.time() - 3600
    os.utime(folder / "status.json", (long_ago, long_ago))
    page = unescape(owner.get(f"{LETTERS}/{folder.name}").text)
    assert "whether 1 of them went out is not known" in page
    assert "create a new link" in page


@pytest.fixture
def post(app, make_study, invite):
    """Sends messages to these addresses: the waits, and the outcome of each message."""

    def send(settings, *addresses):
        server = mail.server_of(replace(app.config["SETTINGS"], **settings))
        study = make_study()
        for number, _ in enumerate(addresses):
            invite(study, f"R{number}")
        letters = [Letter(f"R{number}", address, "Hello", "Good day") for number, address in enumerate(addresses)]
        waited = []

        def wait(seconds):
            assert not db.session().in_transaction()  # it would hold every reader up
            waited.append(seconds)

        assert study.title  # read as the process does, which opens a transaction
        mailing.post(study, "b" * 32, server, "reminder", letters, actor="ada", progress=lambda *_: None, sleep=wait)
        became = db.session.query(Event).filter(Event.kind.in_((mailing.SENT, mailing.NOT_SENT))).order_by(Event.id)
        return waited, [(event.kind, event.details.get("reason", "")) for event in became]

    return send


def test_a_refusal_that_may_pass_is_tried_again_a_bounded_number_of_times(serve_mail, post):
    inbox, settings = serve_mail()
    inbox.says = {"grey@example.org": ["451 later", "451 later", "250 OK"], "busy@example.org": ["451 never"]}
    waited, became = post(settings, "grey@example.org", "busy@example.org")
    assert became == [("letter-sent", ""), ("letter-not-sent", "the mail server said: 451 never")]
    assert waited == [*mail.WAITS_S, 0.1, *mail.WAITS_S]
    assert inbox.asked == ["grey@example.org"] * 3 + ["busy@example.org"] * 3


@pytest.mark.parametrize("before", ["", "x" * 262])  # so that the reason ends within the address
def test_no_part_of_an_address_is_in_a_reason(serve_mail, post, before):
    inbox, settings = serve_mail()
    inbox.says = {"Gone@Example.org": [f"550 {before}gone@example.org is unknown here"]}
    _, [(_, why)] = post(settings, "Gone@Example.org")
    assert why == f"the mail server said: 550 {before}the address is unknown here"[:300]


def test_who_is_deleted_or_has_left_while_a_batch_goes_out_gets_no_letter(app, serve_mail, owned, invite):
    inbox, settings = serve_mail()
    study, server = owned(), mail.server_of(replace(app.config["SETTINGS"], **settings))
    for name in ("R0", "R1", "R2", "R3"):
        invite(study, name)
    letters = [Letter(f"R{number}", f"r{number}@example.org", "Hello", "Good day") for number in range(4)]

    def meanwhile(_seconds):
        gone, left = (db.session.query(Reader).filter_by(pseudonym=name).one_or_none() for name in ("R1", "R2"))
        if gone is not None:
            deletion.delete_reader(gone, "at their wish", app.config["SETTINGS"].instance)
            left.withdrawn_at = left.created_at
        db.session.commit()

    mailing.post(
        study, "b" * 32, server, "reminder", letters, actor="ada", progress=lambda *_: None, sleep=meanwhile
    )  # fmt: skip
    assert inbox.asked == ["r0@example.org", "r3@example.org"]
    assert [one["reader"] for one in logged("letter-sent")] == ["R0", "R3"]
    assert [(one["reader"], one["reason"]) for one in logged("letter-not-sent")] == [
        ("R2", "the link was withdrawn, or the reader left")
    ]


def test_letters_go_out_at_the_rate_of_the_setting(serve_mail, post):
    inbox, settings = serve_mail()
    waited, _ = post(settings | {"smtp_per_minute": 20}, "a@example.org", "b@example.org", "c@example.org")
    assert waited == [3, 3]
    assert len(inbox.taken) == 3


def test_where_no_server_answers_every_letter_is_on_record_as_not_sent(post):
    settings = {"smtp_host": "127.0.0.1", "smtp_port": free_port(), "smtp_tls": "none", "smtp_from": SENDER}
    waited, became = post(settings, "a@example.org", "b@example.org", "c@example.org")
    assert [kind for kind, _ in became] == ["letter-not-sent"] * 3
    assert all(why.startswith("the mail server cannot be reached") for _, why in became)
    assert waited == list(mail.WAITS_S)  # for the first one; the others are not even tried


def test_a_wrong_password_is_said_once_and_not_tried_again(serve_mail, post):
    def right(_server, _session, _envelope, _mechanism, data):
        return AuthResult(success=data.password == b"right", handled=False)

    inbox, settings = serve_mail(authenticator=right, auth_require_tls=False)
    settings |= {"smtp_user": "office", "smtp_password": "wrong"}
    waited, became = post(settings, "a@example.org", "b@example.org")
    assert became == [("letter-not-sent", "the mail server refused the user or password (535)")] * 2
    assert waited == []
    server = mail.server_of(replace(Settings(instance=None), **settings | {"smtp_password": "right"}))
    line = mail.Line(server)
    line.deliver(mailing.message_of(Letter("R", "a@example.org", "S", "T"), SENDER), "a@example.org")
    line.close()
    assert len(inbox.taken) == 1


@pytest.fixture
def certificate(tmp_path):
    """A certificate that nobody trusts yet: its file, and the server's side."""
    key, file = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return file, context


@pytest.mark.parametrize("trusted", [True, False])
def test_the_line_is_safe_or_there_is_none(serve_mail, post, certificate, trusted, monkeypatch):
    file, context = certificate
    inbox, settings = serve_mail(tls_context=context, require_starttls=True)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    _, became = post(settings | {"smtp_tls": "starttls"}, "a@example.org")
    assert len(inbox.taken) == int(trusted)
    assert became[0][0] == ("letter-sent" if trusted else "letter-not-sent")
    assert trusted or became[0][1].startswith("no secure connection to the mail server")


def test_a_server_that_offers_no_tls_gets_no_letter(serve_mail, post):
    inbox, settings = serve_mail()
    _, became = post(settings | {"smtp_tls": "starttls"}, "a@example.org")
    assert became[0][1].startswith("no secure connection to the mail server")
    assert inbox.taken == []


def test_every_fault_of_the_mail_servers_settings_is_named(tmp_path):
    environment = {
        "DISCERN_SMTP_HOST": "mail.example.org", "DISCERN_SMTP_PORT": "70000", "DISCERN_SMTP_PASSWORD": "secret",
        "DISCERN_SMTP_TLS": "none", "DISCERN_SMTP_FROM": "nobody", "DISCERN_SMTP_PER_MINUTE": "0",
    }  # fmt: skip
    with pytest.raises(SettingsError) as faulty:
        Settings.load(environment, instance=tmp_path)
    told = str(faulty.value)
    for name in ("smtp_port", "smtp_tls: without TLS", "smtp_user", "smtp_from: 'nobody'", "smtp_per_minute"):
        assert name in told
    assert "secret" not in told
    with pytest.raises(SettingsError, match="smtp_tls: 'ssl' is not one of starttls, tls, none"):
        Settings.load(
            {"DISCERN_SMTP_HOST": "h", "DISCERN_SMTP_FROM": "a@b.c", "DISCERN_SMTP_TLS": "ssl"}, instance=tmp_path
        )
    usual = {"DISCERN_SMTP_HOST": "h", "DISCERN_SMTP_FROM": "a@b.c"}
    with pytest.raises(SettingsError, match="smtp_password: only ASCII") as faulty:
        Settings.load(usual | {"DISCERN_SMTP_USER": "u", "DISCERN_SMTP_PASSWORD": "geh\u00e4im"}, instance=tmp_path)
    assert "\u00e4" not in str(faulty.value)
    assert mail.server_of(Settings.load({}, instance=tmp_path)) is None
