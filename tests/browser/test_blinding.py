"""Nothing that a reader's browser receives tells the truth of a case before the end."""

import base64
import csv
import gzip
import json

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from playwright.sync_api import expect

from quiz_app.database import reading
from quiz_app.models import Case, TrialCase
from tests.browser.conftest import Sitter
from tests.browser.recording import Recorder

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def heard(chromium, house):
    """A whole sitting, and everything the browser was sent in it."""
    with Recorder(int(house.server.address.rpartition(":")[2])) as recorder:
        invitation = house.invite(practice=3, practice_feedback=False, limit_s=60)
        invitation.link = invitation.link.replace(house.server.address, f"127.0.0.1:{recorder.port}")
        context = chromium.new_context(locale="en-GB")
        context.add_init_script("localStorage.setItem('discern-tour', 'seen')")
        sitter = Sitter(context.new_page(), invitation)
        page = sitter.page
        page.goto(invitation.link)
        page.get_by_label("I have read this and agree to take part.").check()
        page.get_by_role("button", name="Begin").click()
        page.get_by_role("button", name="Start").click()
        for _ in range(3):
            sitter.phase("image").page.wait_for_timeout(160)
            sitter.press("1")
            expect(page.locator("#room")).not_to_have_attribute("data-phase", "image")  # the mask may be short
        sitter.begin().finish()
        context.close()
        yield recorder


@pytest.fixture(scope="module")
def truth(house):
    """The truth of the case at each image's address."""
    with house.app.app_context(), reading() as session:
        return {shown.token: shown.case.truth for shown in session.query(TrialCase)}


def images(recorder, truth):
    """How images were sent: (way, truth, exchange)."""
    found = [(*exchange.path.rsplit("/", 2)[1:], exchange) for exchange in recorder.exchanges()]
    return [(way, truth[token], exchange) for way, token, exchange in found if way in ("images", "sealed")]


def test_no_byte_of_a_sitting_tells_truth_source_file_or_checksum(heard, house, pool_folder):
    with (pool_folder / "cases.csv").open() as file:
        cases = list(csv.DictReader(file))
    secrets = {value for case in cases for value in (case["case"], case["file"], case["sha256"], case["source"])}
    secrets |= {case["file"].rpartition("/")[2] for case in cases} | {pool_folder.name, '"truth"', "is_synthetic"}
    with house.app.app_context(), reading() as session:
        secrets |= {case.stored for case in session.query(Case)}
    assert len(secrets) > 60
    received = heard.received
    assert [secret for secret in secrets if secret.encode() in received] == []
    kinds = {exchange.path.split("/")[3 if exchange.path.startswith("/r/") else 1] for exchange in heard.exchanges()}
    assert {"welcome", "instructions", "room", "claim", "trials", "sealed", "images", "end", "static"} <= kinds


def test_what_is_told_of_a_trial_is_the_same_for_every_trial(heard):
    telling = ("claim", "continue", "answer")
    steps = [json.loads(exchange.body)["step"] for exchange in heard.exchanges() if exchange.path.endswith(telling)]
    trials = [step["trial"] for step in steps if step["kind"] == "trial"]
    assert len(trials) == 15

    def plain(trial):
        own = {"trial": "", "position": 0, "training": None, "remaining_ms": 0}
        (image,) = trial["images"]
        return trial | own | {"images": [{name: len(str(value)) for name, value in image.items()}]}

    assert all(plain(trial) == plain(trials[0]) for trial in trials)


def test_sizes_and_headers_of_images_are_the_same_for_both_classes(heard, truth):
    sent = images(heard, truth)
    assert {(way, truth) for way, truth, _ in sent if way == "sealed"} == {("sealed", "real"), ("sealed", "synthetic")}
    for kind in ("images", "sealed"):
        heads = {
            (len(exchange.body), *(item for item in sorted(exchange.headers.items()) if item[0] != "date"))
            for way, _, exchange in sent
            if way == kind
        }
        assert len(heads) == 1
    assert {exchange.headers["cache-control"] for _, _, exchange in sent} == {"no-store"}


def test_everything_but_the_images_weighs_less_than_80_kb_compressed(heard):
    once = {exchange.path: exchange.body for exchange in heard.exchanges() if "/trials/" not in exchange.path}
    pages = [body for path, body in once.items() if "/images/" not in path and "/sealed/" not in path]
    assert 10_000 < sum(len(gzip.compress(body)) for body in pages) < 80_000


def test_a_sealed_image_cannot_be_read_before_its_turn(sitter):
    sitter = sitter(limit_s=60)
    told = []
    sitter.page.on("response", lambda response: told.append(response) if response.url.endswith("/continue") else None)
    sitter.enter().begin().see(1)
    step = told[0].json()["step"]
    (ahead,) = step["ahead"]
    get = sitter.page.request.get
    origin = sitter.invitation.house.server.url
    sealed = get(origin + ahead)
    assert sealed.status == 200
    assert get(origin + ahead.replace("/sealed/", "/images/")).status == 410
    assert b"PNG" not in sealed.body()[:64]
    assert b"IHDR" not in sealed.body()
    token = ahead.rpartition("/")[2]
    assert token not in json.dumps(step["trial"])
    for key in (base64.b64decode(step["trial"]["images"][0]["key"]), bytes(32)):
        with pytest.raises(InvalidTag):
            AESGCM(key).decrypt(bytes(12), sealed.body(), None)
    # The one after it cannot be had at all.
    with sitter.invitation.house.app.app_context(), reading() as session:
        mine = session.query(TrialCase).filter_by(token=token).one().trial.sitting.trials
        later = [trial.cases[0].token for trial in mine if trial.position > 2]
    assert {get(origin + ahead.replace(token, other)).status for other in later} == {410}


def test_without_webcrypto_images_come_at_their_turn_and_the_sitting_says_so(house, sit):
    invitation = house.invite()
    sitter = sit(invitation)
    invitation.link = invitation.link.replace("127.0.0.1", "plain.test")
    requests = []
    sitter.page.on("request", lambda request: requests.append(request.url))
    with_names = sitter.page
    for path, form in (("welcome", {"consent": "yes"}), ("about", {}), ("instructions", {})):
        with_names.request.post(invitation.link.replace("plain.test", "127.0.0.1") + path, form=form)
    with_names.goto(invitation.link)
    assert with_names.evaluate("isSecureContext") is False
    sitter.begin().finish()
    assert not [url for url in requests if "/sealed/" in url]
    assert len([url for url in requests if "/images/" in url]) == 12
    assert [event["way"] for event in invitation.events("claimed")] == ["clear"]
    assert len(invitation.scored()) == 12
