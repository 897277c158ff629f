"""The truth of a case cannot be predicted from anything that a reader's browser is sent: see tests/crawling.py."""

import time
from pathlib import Path

import numpy as np
import pytest

from quiz_app.database import db, reading
from quiz_app.designs.rating import Rating
from quiz_app.models import Case, Fault, Reader, TrialCase
from quiz_app.pools import importing
from tests import crawling

pytestmark = pytest.mark.slow


def test_nothing_that_a_whole_sitting_of_400_cases_is_sent_predicts_the_truth(tmp_path):
    app = crawling.furnish(tmp_path / "instance", "rating", 400, practice=4)
    for _ in range(crawling.LOOKS):
        seen = crawling.crawl(app)
        assert seen.told == []
        assert seen.all.shape[0] == 400
        verdict = crawling.judged(seen.all, seen.truth, seen.groups)
        if verdict.blind:
            break
    assert verdict.blind, verdict


def test_nothing_that_a_sitting_with_marks_is_sent_predicts_the_truth(tmp_path):
    more = {"marks": "optional", "marks_for": "all", "marks_rating": True}
    app = crawling.furnish(tmp_path / "instance", "rating", 120, practice=4, **more)
    with app.app_context():
        for case in db.session.query(Case).filter_by(truth="synthetic"):
            case.faults.append(Fault(kind="stripes-of-a-fault", x=0.5, y=0.5, rx=0.1, ry=0.1, angle=0.0))
        db.session.commit()
    for _ in range(crawling.LOOKS):
        seen = crawling.crawl(app)
        assert seen.told == []
        assert any(name.startswith(("sealed marks", "clear marks")) for name in seen.all)
        verdict = crawling.judged(seen.all, seen.truth, seen.groups)
        if verdict.blind:
            break
    assert verdict.blind, verdict


CROSSOVER = {"conditions": ["alone", "aided: hints = true, largest_side = 32"], "result": "at once"}


def test_nothing_that_both_parts_of_a_crossover_are_sent_predicts_the_truth_but_for_what_its_hints_tell(tmp_path):
    rng = np.random.default_rng(5)
    app = crawling.furnish(
        tmp_path / "instance", "rating", 120, practice=2, hint=lambda case: f"{rng.uniform():.4f}", **CROSSOVER
    )
    for _ in range(crawling.LOOKS):
        seen = crawling.crawl(app)
        assert seen.told == []
        assert any("hints 0 hint" in name for name in seen.before)
        verdict = crawling.judged(seen.all, seen.truth, seen.groups)
        if verdict.blind:
            break
    assert verdict.blind, verdict
    with app.app_context(), reading() as session:
        assert all(reader.has_finished and len(reader.sittings) == 2 for reader in session.query(Reader))


def test_the_crawler_finds_the_truth_where_the_hints_tell_it(tmp_path):
    app = crawling.furnish(
        tmp_path / "instance", "rating", 60, hint=lambda case: str(int(case.truth == "synthetic")), **CROSSOVER
    )
    seen = crawling.crawl(app, readers=1)
    verdict = crawling.judged(seen.before, seen.truth, None, permutations=19)
    assert verdict.auc > 0.8
    assert not verdict.blind


def header(app, monkeypatch):
    """Images of one class come from a cache that says so."""
    each_image(app, lambda response, case: response.headers.set("X-Cache", "hit" if case.truth == "real" else "miss"))


def delay(app, monkeypatch):
    """Images of one class take longer."""
    each_image(app, lambda response, case: time.sleep(0.03 * (case.truth == "synthetic")))


def word(app, monkeypatch):
    """A head names the file."""
    each_image(app, lambda response, case: response.headers.set("Content-Disposition", case.file))


def file(app, monkeypatch):
    """Images are kept as they were given."""
    monkeypatch.setattr(importing.images, "encoded", lambda image: Path(image.filename).read_bytes())


def order(app, monkeypatch):
    """The cases come in the order of the pool."""
    compose = Rating.compose
    planned = lambda *given: sorted(compose(*given), key=lambda one: one.cases)  # noqa: E731
    monkeypatch.setattr(Rating, "compose", planned)


def each_image(app, leak):
    def after(response):
        from flask import request

        if request.endpoint in ("reader.sealed", "reader.image"):
            with reading() as session:
                token = request.path.rpartition("/")[2]
                leak(response, session.query(TrialCase).filter_by(token=token).one().case)
        return response

    app.after_request(after)


@pytest.mark.parametrize("leak", [header, delay, word, file, order])
def test_the_crawler_finds_a_leak(tmp_path, monkeypatch, leak):
    if leak in (file, order):
        leak(None, monkeypatch)
    app = crawling.furnish(tmp_path / "instance", "rating", 60)
    if leak not in (file, order):
        leak(app, monkeypatch)
    seen = crawling.crawl(app, readers=1)
    if leak is word:
        assert {f"images/case-{number:04d}.png" for number in range(1, 61)} <= set(seen.told)
    else:
        verdict = crawling.judged(seen.before, seen.truth, None, permutations=19)
        assert verdict.auc > 0.8
        assert verdict.p == 0.05
        assert not verdict.blind
