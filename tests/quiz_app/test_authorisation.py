"""Who may do what: a rule for every address and method of the application, tested with every kind of user.

A route without a rule here fails. For studies, the rule is the lowest role that is admitted; anyone without a role in a
study is a stranger to it, even an admin.
"""

import pytest
from flask import g

from quiz_app.database import db
from quiz_app.models import Event, Member, Reader, Researcher, Study
from quiz_app.study import readers

PUBLIC, READER, LOGGED_IN, ADMIN = "anybody", "whoever has the link", "a researcher", "an admin"
VIEWER, COLLABORATOR, OWNER = "viewer", "collaborator", "owner"

RULES = {
    PUBLIC: """
        GET home, GET health.healthz, GET health.metrics, GET static,
        GET researcher.log_in, POST researcher.log_in
        """,
    READER: """
        GET join.welcome, POST join.register,
        GET reader.start, GET reader.welcome, POST reader.welcome, GET reader.about, POST reader.about,
        GET reader.instructions, POST reader.instructions, GET reader.room,
        GET reader.between, POST reader.between, GET reader.end,
        GET reader.leave, POST reader.leave, GET reader.left, GET reader.miss, GET reader.image, GET reader.sealed,
        POST reader.claim, POST reader.next_, POST reader.continue_,
        POST reader.onset, POST reader.answer, POST reader.marks, POST reader.failed
        """,
    LOGGED_IN: """
        POST researcher.log_out, GET researcher.password, POST researcher.password,
        GET researcher.plan_study, POST researcher.simulate_plan, GET researcher.plan_status,
        POST researcher.cancel_simulation, POST researcher.cancel_intake,
        GET researcher.list_studies, GET researcher.new_study, POST researcher.new_study,
        POST researcher.make_from_plan, POST researcher.restore_archive,
        GET researcher.show_restoring, GET researcher.restoring_status, POST researcher.cancel_restoring,
        GET researcher.list_pools, POST researcher.bring_pool, GET researcher.show_pool, GET researcher.thumbnail,
        GET researcher.picture, GET researcher.whole_image,
        POST researcher.exclude_case, GET researcher.show_intake, POST researcher.answer_intake,
        POST researcher.add_images, GET researcher.intake_status, GET researcher.seen_image,
        GET researcher.framed_image, GET researcher.specimen,
        GET researcher.search_form, POST researcher.search, POST researcher.fetch, POST researcher.pause,
        POST researcher.resume, POST researcher.discard
        """,
    ADMIN: "GET researcher.list_people, POST researcher.list_people, POST researcher.reset_password",
    VIEWER: """
        GET researcher.show_study, GET researcher.study_settings, GET researcher.download_plan,
        GET researcher.download_registration,
        GET researcher.watch_study, GET researcher.list_readers, GET researcher.show_reader,
        GET researcher.show_letters, GET researcher.letters_status,
        GET researcher.show_preflight, GET researcher.preflight_status, GET researcher.show_results,
        GET researcher.show_cases, GET researcher.show_case, GET researcher.show_result_of_reader,
        GET researcher.compare_study, GET researcher.report_status, GET researcher.report_file,
        GET researcher.responses, GET researcher.dictionary, GET researcher.everything,
        GET researcher.show_team, GET researcher.show_log, GET researcher.download_log
        """,
    COLLABORATOR: """
        POST researcher.study_settings, POST researcher.upload_hints, POST researcher.preview_study,
        POST researcher.copy_study,
        POST researcher.open_study, POST researcher.close_study, POST researcher.put_away_study,
        POST researcher.look_at_pool, POST researcher.make_report,
        POST researcher.cancel_audit, POST researcher.cancel_report,
        POST researcher.invite_readers, POST researcher.revoke_reader, POST researcher.renew_reader,
        POST researcher.extend_reader, POST researcher.reset_reader, POST researcher.delete_reader,
        POST researcher.correct_reader, POST researcher.export_reader,
        POST researcher.offer_open_link, POST researcher.withdraw_open_link, POST researcher.act_on_readers,
        POST researcher.send_letters
        """,
    OWNER: """
        POST researcher.reopen_study, POST researcher.unblind_study,
        GET researcher.show_archive, POST researcher.make_archive, GET researcher.archive_status,
        POST researcher.cancel_archive, GET researcher.download_archive,
        POST researcher.register_study, POST researcher.take_look,
        POST researcher.add_member, POST researcher.remove_member
        """,
}
RULE = {
    tuple(route.split()[::-1]): who for who, routes in RULES.items() for route in routes.split(",") if route.strip()
}
# Beside whoever has a link: the kinds of people, and which rules let them in.
PEOPLE = {
    "an outsider": {PUBLIC},
    "a stranger": {PUBLIC, LOGGED_IN},
    "an admin": {PUBLIC, LOGGED_IN, ADMIN},
    "a viewer": {PUBLIC, LOGGED_IN, VIEWER},
    "a collaborator": {PUBLIC, LOGGED_IN, VIEWER, COLLABORATOR},
    "the owner": {PUBLIC, LOGGED_IN, VIEWER, COLLABORATOR, OWNER},
}
VALUES = {
    "study": "mine", "reader": 1, "case": 1, "slug": "noise", "person": 1, "member": 1, "name": "0" * 16,
    "folder": 0, "number": 0, "side": "before", "key": "0" * 16, "filename": "reader/reader.css",
    "batch": "0" * 32, "trial_token": "unknown", "image_token": "unknown",
}  # fmt: skip


def routes(app):
    """Every endpoint and method, and an address of it."""
    for rule in app.url_map.iter_rules():
        values = VALUES | ({"name": "report.html"} if rule.endpoint == "researcher.report_file" else {})
        address = rule.build({name: values.get(name, "a-token") for name in rule.arguments})[1]
        yield from ((rule.endpoint, method, address) for method in rule.methods - {"HEAD", "OPTIONS"})


def test_every_route_has_a_rule_and_every_rule_a_route(app):
    assert {(endpoint, method) for endpoint, method, _ in routes(app)} == set(RULE)


def refused(response):
    """Whether somebody was kept out."""
    to_log_in = response.status_code == 302 and response.headers["Location"].startswith("/researcher/login")
    return to_log_in or response.status_code == 403


def state():
    """What people without permission must not be able to change."""
    db.session.expire_all()
    people = [(one.name, one.password_hash) for one in db.session.query(Researcher)]
    study = db.session.query(Study).filter_by(slug="mine").one()
    everyone = [(one.pseudonym, one.token_hash, one.revoked_at, one.closes_at) for one in db.session.query(Reader)]
    members = [(one.researcher_id, one.role) for one in db.session.query(Member)]
    return people, study.state, study.version, study.archived_at, everyone, members, db.session.query(Study).count()


@pytest.fixture(autouse=True)
def apart(app):
    """The test's context outlives its requests: the study of one must not appear in the page of the next."""
    app.teardown_request(lambda _error: [g.pop(name, None) for name in ("study", "study_slug", "role")])


@pytest.fixture
def somebody(app, apart, owner, owned, log_in):
    """Logs in one of PEOPLE, with a closed study that has a reader; returns the client."""
    study = owned()
    readers.invite(study, "R1")
    owner.post("/researcher/studies/mine/close")  # blinding has rules of its own, and tests

    def enter(who):
        if who == "an outsider":
            return app.test_client()
        if who == "the owner":
            return owner
        client = log_in("somebody", is_admin=who == "an admin")
        if who in ("a viewer", "a collaborator"):
            role = who.split()[-1]
            db.session.add(Member(study_id=study.id, researcher_id=client.researcher.id, role=role))
            db.session.commit()
        return client

    return enter


@pytest.mark.parametrize("who", PEOPLE)
def test_each_is_let_in_where_the_rule_says_and_nowhere_else(app, somebody, who):
    client, let_in, wrong = somebody(who), PEOPLE[who], []
    before = state()
    kept_out = [route for route in routes(app) if RULE[route[:2]] not in {*let_in, READER}]
    for endpoint, method, address in kept_out:
        for verb in (method, *(["HEAD"] if method == "GET" else [])):
            if not refused(client.open(address, method=verb, data={"reason": "x", "name": "eve"})):
                wrong.append((endpoint, verb, "is let in"))
    assert state() == before
    own = [route for route in routes(app) if RULE[route[:2]] in let_in - {PUBLIC}]
    for endpoint, method, address in sorted(own, key=lambda route: (route[0] == "researcher.log_out", route[2])):
        response = client.open(address, method=method, buffered=True)
        if refused(response) or response.status_code >= 500:
            wrong.append((endpoint, method, "is kept out", response.status_code))
        response.close()
    assert wrong == []


@pytest.mark.parametrize(("link", "status"), [("unknown", 404), ("revoked", 410)])
def test_a_link_that_holds_no_more_or_never_did_opens_no_route_of_a_reader(app, make_study, invite, link, status):
    taker = invite(make_study()).enter()
    readers.revoke(db.session.query(Reader).one(), "left the clinic")
    db.session.commit()
    token = taker.token if link == "revoked" else "x" * len(taker.token)
    events = db.session.query(Event).filter(Event.kind != "refused").count()
    for endpoint, method, address in routes(app):
        if endpoint.startswith("reader."):
            response = app.test_client().open(address.replace("a-token", token), method=method, json=None)
            assert response.status_code == status, endpoint
        if endpoint.startswith("join."):
            assert app.test_client().open(address.replace("a-token", token), method=method).status_code == 404
    assert db.session.query(Event).filter(Event.kind != "refused").count() == events
