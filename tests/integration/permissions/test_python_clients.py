"""Sharing and readers, by the Python clients."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from kaynak.api import create_app
from kaynak.api.deps import _uncounted_caller
from kaynak.client import AsyncClient, TextInput
from kaynak.domain import CollectionRole, DocumentNotFound, Forbidden, InvalidRequest, NotFound, PrincipalKind

pytestmark = pytest.mark.anyio

ANNA, EMRE, VERA, NINA = "anna@example.org", "emre@example.org", "vera@example.org", "nina@example.org"


@pytest.fixture
async def clients(company):
    """The client of each person, by their address."""
    app = create_app(company.kaynak)
    app.dependency_overrides = company.client._transport.app.dependency_overrides
    assert _uncounted_caller in app.dependency_overrides
    made = {}
    for who in (ANNA, EMRE, VERA, NINA):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        made[who] = AsyncClient("http://127.0.0.1", transport=transport)
        made[who]._http.headers["x-as"] = who
    yield made
    await asyncio.gather(*(client.close() for client in made.values()))


async def test_a_collection_is_shared_and_not_any_more(company, clients):
    handbook = await company.collection()
    anna, nina = clients[ANNA], clients[NINA]
    assert [one.name async for one in nina.collections() if one.name == handbook] == []
    grant = await anna.share(handbook, NINA)
    assert (grant.principal.name, grant.principal.kind, grant.role) == (
        NINA,
        PrincipalKind.PERSON,
        CollectionRole.VIEWER,
    )
    assert (await nina.collection(handbook)).name == handbook
    assert (await anna.share(handbook, NINA, role="editor")).role is CollectionRole.EDITOR
    granted = {one.principal.name: one.role for one in await anna.grants(handbook)}
    assert granted[NINA] is CollectionRole.EDITOR
    assert granted["hr"] is CollectionRole.VIEWER
    assert await anna.unshare(handbook, NINA) is None
    with pytest.raises(NotFound):
        await nina.collection(handbook)
    with pytest.raises(NotFound):
        await anna.unshare(handbook, NINA)
    with pytest.raises(Forbidden):
        await clients[VERA].share(handbook, NINA)
    with pytest.raises(ValueError, match="boss"):
        await anna.share(handbook, NINA, role="boss")


async def test_readers_are_shown_and_replaced(company, clients):
    handbook = await company.collection()
    anna, vera = clients[ANNA], clients[VERA]
    document = await vera.find_document(handbook, "shared.txt")
    assert await anna.readers(document.id) is None
    assert (await anna.set_readers(document.id, ["hr"])).id == document.id
    assert [(one.name, one.kind) for one in await anna.readers(document.id)] == [("hr", PrincipalKind.GROUP)]
    with pytest.raises(DocumentNotFound):
        await vera.document(document.id)
    await anna.set_readers(document.id, [])
    assert await anna.readers(document.id) == ()
    await anna.set_readers(document.id, None)
    assert (await vera.document(document.id)).id == document.id
    with pytest.raises(InvalidRequest):
        await anna.set_readers(document.id, ["nobody at all"])


async def test_documents_have_readers_from_the_first(company, clients):
    handbook = await company.collection()
    anna, vera = clients[ANNA], clients[VERA]
    await anna.add_files(handbook, [("files.txt", b"Falcons.")], readers=["hr", VERA])
    await anna.add_files(handbook, [("owners.txt", b"Falcons of owners.")], readers=[])
    await anna.add_texts(handbook, [TextInput("text.txt", "Herons.", readers=("hr",)), TextInput("all.txt", "Otters.")])
    await company.settled(handbook)
    shown = {}
    for name in ("files.txt", "owners.txt", "text.txt", "all.txt"):
        found = await anna.readers((await anna.find_document(handbook, name)).id)
        shown[name] = None if found is None else sorted(one.name for one in found)
    assert shown == {"files.txt": ["hr", VERA], "owners.txt": [], "text.txt": ["hr"], "all.txt": None}
    seen = {one.external_id async for one in vera.documents(handbook)}
    assert seen & set(shown) == {"files.txt", "all.txt"}
