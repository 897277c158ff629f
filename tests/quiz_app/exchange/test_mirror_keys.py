"""Keys that do not work are reported, with a token endpoint that checks signature and times like Google's."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from google.auth import jwt
from google.cloud.firestore_v1.services.firestore.client import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

from quiz_app.database import db
from quiz_app.exchange import mirror
from quiz_app.models import Answer, Mirror
from tests.firestore import new_key, status, until
from tests.server import certify, free_port

HOUR = 3600
AUDIENCE = "https://oauth2.googleapis.com/token"  # whatever the address of the endpoint
BAD_TIME = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp "
    "values in the JWT claim."
)


class Google(ThreadingHTTPServer):
    """Issues a token for requests signed with the known key, at a plausible time by its own clock."""

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Asked)
        self.known, self.ahead, self.given = b"", 0, 0
        self.uri = f"http://127.0.0.1:{self.server_port}/token"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def judge(self, assertion):
        """What is wrong with the request; empty if nothing."""
        now = time.time() + self.ahead
        try:
            said = jwt.decode(assertion, certs=self.known, audience=AUDIENCE, clock_skew_in_seconds=24 * HOUR)
        except ValueError:
            return "Invalid JWT Signature."
        return "" if said["iat"] - 300 <= now <= said["exp"] <= now + HOUR + 300 else BAD_TIME


class Asked(BaseHTTPRequestHandler):
    def do_POST(self):
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        fault = self.server.judge(body["assertion"][0])
        told = {"access_token": "good", "expires_in": HOUR, "token_type": "Bearer"}
        if fault:
            told = {"error": "invalid_grant", "error_description": fault}
        self.server.given += not fault
        self.send_response(400 if fault else 200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    def log_message(self, *_):
        pass


def public(key):
    loaded = serialization.load_pem_private_key(key.encode(), None).public_key()
    return loaded.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def google(private_key, monkeypatch):
    """The token endpoint; it knows `private_key`."""
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    with Google() as google:
        google.known = public(private_key)
        yield google
        google.shutdown()


@pytest.fixture
def keyed(app, google, credentials):
    """The application with a key for that endpoint; or for another one, or with another key."""

    def make(**more):
        path = credentials(**{"token_uri": google.uri} | more)
        app.config["SETTINGS"] = replace(app.config["SETTINGS"], firestore_credentials=path)
        return app

    return make


def test_a_key_that_google_knows_goes_on(keyed, google):
    client = mirror.connect(keyed().config["SETTINGS"])
    assert (client.project, google.given) == ("demo-study", 1)


TROUBLES = [
    ("unknown", "Google does not accept the key; it may have been revoked"),
    ("an hour behind", "Google does not accept the time of this machine: set its clock"),
    ("an hour ahead", "Google does not accept the time of this machine: set its clock"),
    ("away", "cannot be reached"),
]


@pytest.fixture
def troubled(keyed, google):
    """The application in one of TROUBLES."""

    def make(trouble):
        google.ahead = {"an hour behind": 2 * HOUR, "an hour ahead": -2 * HOUR}.get(trouble, 0)
        if trouble == "unknown":
            google.known = public(new_key())
        return keyed(**({"token_uri": f"http://127.0.0.1:{free_port()}/token"} if trouble == "away" else {}))

    return make


@pytest.mark.parametrize(("trouble", "words"), TROUBLES)
@pytest.mark.parametrize("command", ["verify", "restore", "import"])
def test_a_command_names_what_is_wrong_with_the_key_and_keeps_nothing(troubled, tmp_path, command, trouble, words):
    app = troubled(trouble)
    labels = tmp_path / "labels.csv"
    labels.write_text("Filename,Label\na.png,Fake\n")
    more = ["--study", "again", "--labels", str(labels)] if command == "import" else []
    told = app.test_cli_runner().invoke(args=["mirror", command, *more])
    assert told.exit_code == 1
    assert words in told.output
    assert len(told.output.splitlines()) == 1
    assert db.session.query(Answer).count() == 0


@pytest.mark.parametrize(("trouble", "words"), TROUBLES)
def test_the_worker_names_what_is_wrong_with_the_key_before_it_ever_sent(troubled, worker_of, trouble, words):
    app = troubled(trouble)
    worker_of(app)
    until(lambda: words in status()["last_error"])
    told = app.test_client().get("/healthz")
    assert told.status_code == 200
    assert told.get_json()["mirror"]["last_error"].endswith("Trying again.")


@pytest.fixture
def worker_of():
    """Starts the worker of an application in a thread."""
    stop, threads = threading.Event(), []

    def start(app):
        threads.append(threading.Thread(target=mirror.Worker(app).run, args=[stop]))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join()


def test_a_key_that_is_replaced_is_taken_up_and_the_project_is_known_from_then_on(keyed, google):
    app = keyed(key=new_key())
    worker = mirror.Worker(app)
    with pytest.raises(mirror.MirrorError, match="may have been revoked"):
        worker.begin()
    assert db.session.query(Mirror).count() == 0
    keyed()
    worker.begin()
    assert db.session.query(Mirror).one().project == "demo-study"


@pytest.mark.parametrize(("trouble", "words"), TROUBLES)
def test_a_token_that_is_refused_while_something_is_sent_is_named_as_well(troubled, tmp_path, trouble, words):
    """gRPC asks for the token by itself, over a line to a server that speaks TLS, and calls every refusal the same."""
    certify(tmp_path)
    pem, key = (tmp_path / "fullchain.pem").read_bytes(), (tmp_path / "privkey.pem").read_bytes()
    threads = ThreadPoolExecutor(2)
    server = grpc.server(threads)
    port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([(key, pem)]))
    server.start()
    transport = FirestoreGrpcTransport(
        host=f"localhost:{port}",
        credentials=mirror.certificate(troubled(trouble).config["SETTINGS"]).get_credential(),
        ssl_channel_credentials=grpc.ssl_channel_credentials(pem),
    )
    try:
        with pytest.raises(Exception, match="Getting metadata from plugin failed") as refused:
            FirestoreClient(transport=transport).commit({"database": "projects/p/databases/(default)"}, retry=None)
    finally:
        transport.close()
        server.stop(None).wait()
        threads.shutdown()
    assert words in mirror.sentence(refused.value)
