"""Citations that open: what they point at, drawn and as text, whatever has become of the document since."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from kaynak import AsyncClient, Client
from kaynak.domain import OWNER, DocumentNotFound, InvalidRequest, NotFound, Scope, Span, new_id
from kaynak.ingestion import Upload

pytestmark = pytest.mark.anyio

HANDBOOK = Path(__file__).parents[3] / "examples/company/handbook/employee-handbook.pdf"
QUOTE = "Everyone has 26 days of annual leave in the first four years and 30 days from the fifth year on."
NOTHING = Scope("a stranger", frozenset())


async def bring(workshop, name: str, content: bytes, collection: str = "handbook"):
    """Uploads one file, and returns its current version."""
    submission = await workshop.intake.submit(OWNER, collection, [Upload(name, name, content)])
    await workshop.running.run(submission.job.id)
    document = await workshop.documents.find(OWNER, collection, name)
    return await workshop.places.version(OWNER, document.id)


async def place_of(workshop, version, quote: str) -> Span:
    text = (await workshop.documents.text(OWNER, version.document_id, version.number)).text
    start = text.index(quote)
    return Span(start, start + len(quote))


def is_png(content: bytes) -> bool:
    return content.startswith(b"\x89PNG\r\n\x1a\n")


async def test_a_citation_of_a_pdf_opens_to_the_letter(workshop):
    await workshop.collection()
    version = await bring(workshop, "handbook.pdf", HANDBOOK.read_bytes())
    span = await place_of(workshop, version, QUOTE)
    place = await workshop.places.resolve(OWNER, version.id, span, before=40, after=40)
    assert (place.quote, place.version, place.current_version, place.newer) == (QUOTE, 1, 1, False)
    assert place.headings[-1] == "Leave"
    assert place.after.startswith(" Leave is requested in the staff portal.")
    assert len(place.before) == 40
    (page,) = place.pages
    assert (page.number, page.picture, place.note) == (1, True, None)
    assert len(page.boxes) == 1
    assert 0 < page.boxes[0].left < page.boxes[0].right < page.width
    assert is_png((await workshop.places.picture(OWNER, version, 1, span, 400)).png)


async def test_an_old_citation_resolves_to_its_version_and_says_that_a_newer_one_exists(workshop, client_of):
    await workshop.collection()
    old = await bring(workshop, "leave.md", b"# Leave\n\nEveryone has 26 days.\n")
    span = await place_of(workshop, old, "26 days")
    new = await bring(workshop, "leave.md", b"# Leave\n\nSince May everyone has 30 days.\n")
    place = await workshop.places.resolve(OWNER, old.id, span)
    assert place.quote == "26 days"
    assert place.headings == ("Leave",)
    assert (place.version, place.current_version, place.newer) == (1, 2, True)
    assert (place.version_id, place.current_version_id) == (old.id, new.id)
    shown = await workshop.places.show(OWNER, old.document_id, 1, span)
    assert "26 days" in shown.text
    assert "30 days" not in shown.text
    async with client_of() as client:
        path = f"/v1/documents/{old.document_id}/view?start={span.start}&end={span.end}&version="
        before, now = await client.get(f"{path}1"), await client.get(f"{path}2")
        assert "The document has changed since" in before.text
        assert f"/v1/documents/{old.document_id}/view?version=2" in before.text
        assert "has changed" not in now.text
        assert before.headers["etag"] != now.headers["etag"]


async def test_an_old_pdf_is_drawn_as_it_was(workshop):
    await workshop.collection()
    old = await bring(workshop, "a.pdf", HANDBOOK.read_bytes())
    span = await place_of(workshop, old, QUOTE)
    await bring(workshop, "a.pdf", (HANDBOOK.parents[1] / "policies/information-security.pdf").read_bytes())
    place = await workshop.places.resolve(OWNER, old.id, span)
    assert (place.quote, place.newer, len(place.pages[0].boxes)) == (QUOTE, True, 1)
    assert is_png((await workshop.places.picture(OWNER, old, 1, span, 200)).png)


async def test_who_may_not_read_a_collection_finds_nothing(workshop):
    await workshop.collection()
    version = await bring(workshop, "leave.md", b"Everyone has 26 days.\n")
    with pytest.raises(DocumentNotFound):
        await workshop.places.resolve(NOTHING, version.id, Span(0, 5))
    with pytest.raises(DocumentNotFound):
        await workshop.places.version(NOTHING, version.document_id)
    with pytest.raises(DocumentNotFound):
        await workshop.places.show(NOTHING, version.document_id, None, None)


async def test_a_deleted_document_takes_its_citations_with_it(workshop):
    await workshop.collection()
    version = await bring(workshop, "leave.md", b"Everyone has 26 days.\n")
    await workshop.documents.delete(OWNER, version.document_id)
    with pytest.raises(DocumentNotFound):
        await workshop.places.resolve(OWNER, version.id, Span(0, 5))


@pytest.mark.parametrize("span", [Span(0, 0), Span(5, 5), Span(0, 23), Span(10**6, 10**6 + 1), Span(0, 20_001)])
async def test_a_span_that_is_not_in_the_text_is_refused(workshop, span):
    await workshop.collection()
    version = await bring(workshop, "leave.md", b"Everyone has 26 days.\n")
    with pytest.raises(InvalidRequest):
        await workshop.places.resolve(OWNER, version.id, span)


async def test_the_addresses_and_what_they_answer(workshop, client_of):
    await workshop.collection()
    version = await bring(workshop, "handbook.pdf", HANDBOOK.read_bytes())
    span = await place_of(workshop, version, QUOTE)
    at = f"start={span.start}&end={span.end}"
    async with client_of() as client:
        resolved = await client.get(f"/v1/citations/{version.id}?{at}")
        assert resolved.status_code == 200, resolved.text
        body = resolved.json()
        assert (body["quote"], body["newer"]) == (QUOTE, False)
        picture = await client.get(body["pages"][0]["picture"])
        assert (picture.headers["content-type"], is_png(picture.content)) == ("image/png", True)
        again = await client.get(body["pages"][0]["picture"], headers={"If-None-Match": picture.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = await client.get(f"/v1/documents/{version.document_id}/pages/1.png")
        assert other.headers["etag"] != picture.headers["etag"]

        led = await client.get(f"/v1/citations/{version.id}?{at}", headers={"Accept": "text/html,*/*;q=0.8"})
        assert led.status_code == 303
        assert led.headers["location"].endswith("#cited")
        page = await client.get(led.headers["location"].partition("#")[0])
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert f'<mark id="cited">{QUOTE}</mark>' in page.text
        assert "/pages/1.png?" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_both_clients_open_a_citation_and_see_its_page(workshop, client_of):
    await workshop.collection()
    version = await bring(workshop, "handbook.pdf", HANDBOOK.read_bytes())
    span = await place_of(workshop, version, QUOTE)
    cited = SimpleNamespace(version_id=version.id, span=span)
    async with client_of() as http, AsyncClient("http://127.0.0.1", transport=http._transport) as client:
        place = await client.resolve(cited)
        assert place == await workshop.places.resolve(OWNER, version.id, span)
        (page,) = place.pages
        assert page.picture is True
        drawn = await client.page_picture(place.document_id, page.number, version=1, span=place.span, width=300)
        plain = await client.page_picture(place.document_id, page.number, width=300)
        assert (is_png(drawn), is_png(plain), drawn != plain) == (True, True, True)
        with pytest.raises(NotFound):
            await client.page_picture(place.document_id, 99)
        with pytest.raises(InvalidRequest):
            await client.resolve(SimpleNamespace(version_id=version.id, span=Span(0, 10**8)))
        note = await bring(workshop, "leave.md", b"# Leave\n\nEveryone has 26 days.\n")
        nowhere = await client.resolve(SimpleNamespace(version_id=note.id, span=Span(9, 17)))
        assert (nowhere.pages, nowhere.newer) == ((), False)

        # The other client sends the same and reads the same: its answers are those of this application.
        seen = {}

        def answer(request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, content=seen[request.url.raw_path])

        for path in (
            f"/v1/citations/{version.id}?start={span.start}&end={span.end}",
            f"/v1/documents/{place.document_id}/pages/{page.number}.png?width=300",
        ):
            seen[path.encode()] = (await http.get(path)).content
    with Client("http://127.0.0.1", transport=httpx.MockTransport(answer)) as client:
        assert client.resolve(cited) == place
        assert client.page_picture(place.document_id, page.number, width=300) == plain


async def test_text_that_wants_to_be_a_page_stays_text(workshop, client_of):
    await workshop.collection()
    hostile = b"</article><script>alert(1)</script><img src=//evil.example/x> & more text to cite here."
    version = await bring(workshop, "<b>x</b>.txt", hostile)
    async with client_of() as client:
        page = await client.get(f"/v1/documents/{version.document_id}/view?start=0&end=30")
        assert "<script" not in page.text.replace("<style", "")
        assert "<b>" not in page.text
        assert "<img" not in page.text
        assert '<mark id="cited">&lt;/article&gt;' in page.text


async def test_a_password_that_is_not_kept_leaves_the_text(workshop, client_of, locked_pdf):
    await workshop.collection()
    uploads = [Upload("locked.pdf", "locked.pdf", locked_pdf, password="secret")]
    submission = await workshop.intake.submit(OWNER, "handbook", uploads)
    await workshop.running.run(submission.job.id)
    document = await workshop.documents.find(OWNER, "handbook", "locked.pdf")
    version = await workshop.places.version(OWNER, document.id)
    place = await workshop.places.resolve(OWNER, version.id, Span(0, 5))
    assert "password" in place.note
    assert (place.pages[0].number, place.pages[0].picture, place.pages[0].boxes) == (1, False, ())
    async with client_of() as client:
        picture = await client.get(f"/v1/documents/{document.id}/pages/1.png")
        assert (picture.status_code, picture.json()["reason"]) == (422, "encrypted")
        assert "/view" in picture.json()["hint"]
        page = await client.get(f"/v1/documents/{document.id}/view?start=0&end=5")
        assert "protected by a password" in page.text
        assert "<img" not in page.text


async def test_what_cannot_be_answered_says_why(workshop, client_of):
    await workshop.collection()
    version = await bring(workshop, "leave.md", b"Everyone has 26 days.\n")
    pdf = await bring(workshop, "handbook.pdf", HANDBOOK.read_bytes())
    document, paper = f"/v1/documents/{version.document_id}", f"/v1/documents/{pdf.document_id}"
    citation = f"/v1/citations/{version.id}"
    cases = [
        (f"{document}/pages/1.png", 404),
        (f"{paper}/pages/0.png", 422),
        (f"{paper}/pages/-1.png", 422),
        (f"{paper}/pages/99999.png", 404),
        (f"{paper}/pages/2147483647.png", 404),
        (f"{paper}/pages/2147483648.png", 422),
        (f"{paper}/pages/one.png", 422),
        (f"{paper}/pages/1.png?width=100000", 422),
        (f"{paper}/pages/1.png?start=1", 422),
        (f"{paper}/pages/1.png?start=5&end=5", 422),
        (f"{paper}/pages/1.png?start=5&end=2147483647", 422),
        (f"{paper}/pages/1.png?version=7", 404),
        (f"{paper}/pages/1.png?version=99999999999", 422),
        (f"{document}/view?start=9&end=3", 422),
        (f"{document}/view?start=0&end=100000", 422),
        (f"{document}/view?version=2", 404),
        (f"/v1/documents/{new_id()}/view", 404),
        (f"/v1/documents/{new_id()}/pages/1.png", 404),
        (f"{citation}", 422),
        (f"{citation}?start=-1&end=5", 422),
        (f"{citation}?start=0&end=1e9", 422),
        (f"{citation}?start=0&end=22", 422),
        (f"/v1/citations/{new_id()}?start=0&end=5", 404),
        ("/v1/citations/nonsense?start=0&end=5", 422),
    ]
    async with client_of() as client:
        for path, status in cases:
            answer = await client.get(path)
            assert (path, answer.status_code) == (path, status), answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"]
        # A place that is on another page leaves a page as it is.
        assert (await client.get(f"{paper}/pages/2.png?start=0&end=5&width=64")).status_code == 200


async def test_slides_have_pages_that_are_not_drawn(workshop, client_of):
    await workshop.collection()
    slides = HANDBOOK.parent / "first-week.pptx"
    version = await bring(workshop, "slides.pptx", slides.read_bytes())
    place = await workshop.places.resolve(OWNER, version.id, Span(0, 10))
    assert [(page.number, page.picture) for page in place.pages] == [(1, False)]
    assert place.note is None
    async with client_of() as client:
        answer = await client.get(f"/v1/documents/{version.document_id}/pages/1.png")
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:kaynak:error:unsupported")
        assert (await client.get(f"/v1/documents/{version.document_id}/view?start=0&end=10")).status_code == 200


async def test_a_long_text_is_shown_around_the_place(workshop):
    await workshop.collection()
    words = " ".join(f"word{number}" for number in range(30_000))
    version = await bring(workshop, "long.txt", words.encode())
    span = await place_of(workshop, version, "word15000")
    shown = await workshop.places.show(OWNER, version.document_id, None, span)
    assert shown.window.start > 0
    assert shown.window.end < version.length
    assert shown.marked.shift(-shown.window.start).of(shown.text) == "word15000"
