"""How much script and style a page needs, compressed: everything that its tags name, and what that imports."""

import gzip
import posixpath
import re
from urllib.parse import urljoin

from quiz_app.database import db
from quiz_app.study import readers

OF_A_READER, OF_THE_DESK = 80_000, 200_000  # bytes
TAGS = re.compile(r'<script[^>]*\bsrc="([^"]+)"|<link[^>]*\brel="(?:stylesheet|modulepreload)"[^>]*\bhref="([^"]+)"')
INLINE = re.compile(r"<(script|style)\b(?![^>]*\bsrc=)[^>]*>(.*?)</\1>", re.DOTALL)
IMPORTS = re.compile(r'\bimport\b[^;"\'`]*["\']([^"\']+)["\']|@import\s+(?:url\()?["\']?([^"\')\s]+)')
NAMED = re.compile(r'data-ask="(\w+)"')  # the room imports the module of this name


def weight(client, address):
    """The bytes of every file that the page at `address` brings along, each compressed by itself, and how many."""
    page = client.get(address, follow_redirects=True)
    assert page.status_code == 200, address
    due = [first or second for first, second in TAGS.findall(page.text)]
    due += [f"/static/reader/{name}.js" for name in NAMED.findall(page.text) if "reader/room.js" in page.text]
    sizes = {
        f"inline {at}": len(gzip.compress(text.encode())) for at, (_, text) in enumerate(INLINE.findall(page.text))
    }
    while due:
        name = posixpath.normpath(due.pop().partition("?")[0])
        if name in sizes:
            continue
        assert name.startswith("/static/"), f"{address} asks another server for {name}"
        with client.get(name) as file:
            status, data = file.status_code, file.data
        assert status == 200, name
        sizes[name] = len(gzip.compress(data))
        due += [urljoin(name, first or second) for first, second in IMPORTS.findall(data.decode())]
    return sum(sizes.values()), len(sizes)


def test_a_page_of_a_reader_needs_at_most_80_kb(make_study, invite):
    taker = invite(make_study(marks="optional", marks_for="all"))
    seen = {"welcome": weight(taker.client, taker.url("welcome"))}
    taker.client.post(taker.url("welcome"), data={"consent": "yes"})
    seen["instructions"] = weight(taker.client, taker.url("instructions"))
    taker.client.post(taker.url("instructions"))
    seen["room"] = weight(taker.client, taker.url("room"))
    taker.claim().finish()
    seen["end"] = weight(taker.client, taker.url("end"))
    assert max(bytes_ for bytes_, _ in seen.values()) <= OF_A_READER, seen
    assert seen["room"][1] > 15  # the marks, the questions and all that the room imports are among them


def test_a_page_of_the_desk_needs_at_most_200_kb(owned, owner):
    owner.researcher.is_admin = True
    reader, _ = readers.invite(owned(), "R1")
    db.session.commit()
    of_a_study = ("", "settings", "preflight", "readers", f"readers/{reader.id}", "live", "results", "team", "log")
    pages = ["", "plan", "pools/", "pacs", "people", "studies/new", *(f"studies/mine/{name}" for name in of_a_study)]
    seen = {page: weight(owner, f"/researcher/{page}") for page in pages}
    assert max(bytes_ for bytes_, _ in seen.values()) <= OF_THE_DESK, seen
    assert seen["pools/"][1] > seen["studies/mine/team"][1] >= 5  # what uploads, too, and what it imports
