"""A crossover with the clock moved over its washout, and anchored blocks whose readers drop out, in real browsers."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from quiz_app import clock, create_app, simulation
from quiz_app.database import db, let_go, reading
from quiz_app.exchange import conditions_csv
from quiz_app.models import Pool, Reader, Trial
from quiz_app.study import hints, lifecycle, readers
from quiz_app.study.cases import scored_cases
from tests.browser.conftest import House, Invitation
from tests.databases import copied

pytestmark = pytest.mark.browser

CLUE = "Look at the roots."
LINES = ["alone: limit_s = 30.0", f'aided: hints = true, limit_s = 0.0, clue = "{CLUE}"']


@pytest.fixture
def moved(monkeypatch):
    """The clock of this process and its server: it runs, and `moved.days` ahead."""
    moved = SimpleNamespace(days=0.0)
    monkeypatch.setattr(clock, "source", lambda: datetime.now(UTC) + timedelta(days=moved.days))
    return moved


@pytest.fixture
def near(prepared, tmp_path, moved):
    """A server in this very process, whose clock can be moved."""
    with copied(prepared, tmp_path / "instance") as settings:
        app = create_app(settings)
        with simulation.serving(app) as url:
            yield House(app, SimpleNamespace(url=url))
        with app.app_context():
            let_go(app)


def hinted(house, **settings):
    """An invitation to a study of every case, each with its own hint, whose draft had no other faults."""
    settings = {"cases": 0, "practice": 0, "groups": [], "ask_years": False, "break_every": 0} | settings
    with house.app.app_context():
        pool = db.session.query(Pool).filter_by(slug="noise").one()
        study = lifecycle.create("Two parts", pool, slug="two-parts", seed=1, settings=settings)
        told = "".join(f"{case.name},0.{number:02d},detector\n" for number, case in enumerate(scored_cases(study)))
        hints.bring(study, f"case,hint,text\n{told}")
        lifecycle.open_study(study)
        _, token = readers.invite(study, "R1")
        db.session.commit()
        db.session.remove()
    return Invitation(house, "two-parts", f"{house.server.url}/r/{token}/", 12)


def sittings(invitation):
    """The reader's sittings: condition, and by trial the case and the hint stored for it."""
    with invitation.house.app.app_context(), reading() as session:
        reader = session.query(Reader).filter(Reader.study.has(slug=invitation.slug)).one()
        return [
            (sitting.condition, [(trial.cases[0].case.name, trial.cases[0].hint) for trial in sitting.trials])
            for sitting in reader.sittings
        ]


def read_part(sitter):
    """From the instructions to the last answer of the part; returns the hint shown with each image."""
    page = sitter.page
    expect(page.get_by_role("heading", name="How it works")).to_be_visible()
    clued = page.get_by_role("heading", name="What to look for").is_visible()
    page.get_by_role("button", name="Start").click()
    sitter.begin()
    told = []
    for position in range(1, 13):
        sitter.see(position)
        note = page.get_by_role("note", name="Hint")
        told.append(note.inner_text() if note.is_visible() else None)
        sitter.press("1" if position % 2 else "5")
    return clued, told


def test_a_reader_crosses_over_when_the_clock_has_moved_over_the_washout(near, moved, sit):
    invitation = hinted(near, conditions=LINES, washout_days=14)
    sitter = sit(invitation, timezone_id="Europe/Copenhagen")
    page = sitter.page
    page.goto(invitation.link)
    expect(page.get_by_text("The study has 2 parts of about this length, at least 14 days apart.")).to_be_visible()
    page.get_by_label("I have read this and agree to take part.").check()
    page.get_by_role("button", name="Begin").click()
    met = [read_part(sitter)]
    expect(page.get_by_role("heading", name="This part is done")).to_be_visible()
    expect(page.get_by_text("Part 1 of 2 is complete.")).to_be_visible()
    with near.app.app_context(), reading() as session:
        opens = session.query(Reader).one().next_part_opens
    here = opens.astimezone(ZoneInfo("Europe/Copenhagen"))
    when = f"{here.day} {here:%B %Y} at {here:%H:%M}"
    for days in (0, 13.99):
        moved.days = days
        page.goto(invitation.link)
        expect(page.get_by_text(f"You can start the next part from {when}.")).to_be_visible()
        expect(page.get_by_title(f"{opens.day} {opens:%B %Y, %H:%M} UTC")).to_be_visible()
        expect(page.get_by_role("button", name="Start the next part")).to_be_hidden()
        sent = page.request.post(invitation.link + "between")
        assert (sent.status, sent.url.endswith("/between")) == (200, True)
        assert len(sittings(invitation)) == 1
    moved.days = 14.01
    page.goto(invitation.link)  # the same link
    page.get_by_role("button", name="Start the next part").click()
    met.append(read_part(sitter))
    sitter.ended()
    laid = sittings(invitation)
    assert sorted(condition for condition, _ in laid) == ["aided", "alone"]
    assert {case for case, _ in laid[0][1]} == {case for case, _ in laid[1][1]}
    assert [case for case, _ in laid[0][1]] != [case for case, _ in laid[1][1]]
    for (condition, trials), (clued, told) in zip(laid, met, strict=True):
        assert clued == (condition == "aided")
        shown = [f"Hint: {hint} – detector" for _, hint in trials] if condition == "aided" else [None] * 12
        assert told == shown
    with near.app.app_context(), reading() as session:
        rows = list(conditions_csv.rows(session, invitation.slug))
        late = session.query(Trial).filter_by(late=True).count()
    assert len(rows) == 24
    assert {(row.condition, row.period) for row in rows} == {(laid[0][0], 1), (laid[1][0], 2)}
    assert late == 0


def test_the_block_of_readers_who_drop_out_is_read_by_the_next_one_until_one_finishes(house, sit):
    first = house.invite(cases=6, assignment="anchored", anchors=2)
    dealt = {}

    def enter(name, invitation):
        sitter = sit(invitation).enter().begin().see(1)
        with house.app.app_context(), reading() as session:
            reader = session.query(Reader).filter(Reader.study.has(slug=first.slug), Reader.pseudonym == name).one()
            dealt[name] = {trial.cases[0].case.name for trial in reader.sitting.trials}
        return sitter

    def invite(name):
        with house.app.app_context():
            _, token = readers.invite(lifecycle.find(first.slug), name)
            db.session.commit()
            db.session.remove()
        return Invitation(house, first.slug, f"{house.server.url}/r/{token}/", first.total)

    sitters = [enter("R1", first), *(enter(name, invite(name)) for name in ("R2", "R3"))]
    assert len(set.union(*dealt.values())) == 12  # three blocks are read, with the anchors they are all cases
    anchors = set.intersection(*dealt.values())
    assert len(anchors) >= 2
    sitters[0].press("1")
    sitters[0].see(2)
    sitters[0].page.close()  # the first one does not come back
    for sitter in sitters[1:]:
        sitter.finish()
    enter("R4", invite("R4")).page.close()  # nor does the fourth one, who began the same block
    late = enter("R5", invite("R5"))  # of which two have begun, and of the others one each: those who finish count
    assert dealt["R1"] == dealt["R4"] == dealt["R5"]
    late.finish()
    with house.app.app_context(), reading() as session:
        finished = [reader.pseudonym for reader in session.query(Reader) if reader.study.slug == first.slug
                    and reader.has_finished]  # fmt: skip
    assert sorted(finished) == ["R2", "R3", "R5"]
    assert set.union(*(dealt[name] for name in finished)) == set.union(*dealt.values())
