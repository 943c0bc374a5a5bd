from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import text

from kaynak.catalog import Excerpt, excerpts
from kaynak.domain import OWNER, GenerationSpec, Scope, Span

pytestmark = pytest.mark.anyio


async def test_candidates_come_out_in_order_with_what_fusion_needs(library) -> None:
    collection = await library.collection()
    document, version = await library.document(collection, "a", ["One.", "Two.", "Three."], {"team": "hr"})
    ids = await library.chunk_ids(version)
    async with library.catalog.read() as unit:
        admitted = await unit.gate.admit(OWNER, collection.generation, [ids[2], 0, ids[0], 2**62], payload=True)
        assert [a.chunk_id for a in admitted] == [ids[2], ids[0]]
        assert (admitted[0].document_id, admitted[0].version_id) == (document, version)
        assert (admitted[0].external_id, admitted[0].ordinal, admitted[0].details) == ("a", 2, None)
        assert admitted[0].payload.items() > {"team": "hr", "_id": "a", "_title": "Own title"}.items()
        assert await unit.gate.admit(OWNER, collection.generation, []) == []
        detailed = await unit.gate.admit(OWNER, collection.generation, [ids[1], ids[0]], details=True)
        assert [(one.details.text, one.details.paged, one.details.headings) for one in detailed] == [
            ("Two.", True, ["Top", "Below"]),
            ("One.", True, ["Top", "Below"]),
        ]
        assert (detailed[0].title, detailed[0].details.version) == ("Own title", 1)
        assert (detailed[0].payload, detailed[0].details.metadata) == ({}, {"team": "hr"})


@pytest.mark.parametrize("name", ["a", "a/b", "a/b/", "/", "//", "x y/z", "ü/ı//"])
async def test_titles_are_those_of_the_database(library, name) -> None:
    collection = await library.collection()
    _, version = await library.document(collection, name)
    ids = await library.chunk_ids(version)
    async with library.catalog.begin() as unit:
        await unit.connection.execute(text("UPDATE kaynak.document_versions SET title = NULL"))
        (found,) = await unit.gate.admit(OWNER, collection.generation, ids[:1], payload=True, details=True)
        assert found.title == found.payload["_title"]
        assert found.details.own_title is None


async def test_texts_and_pages_of_places(library) -> None:
    collection = await library.collection()
    _, version = await library.document(collection, "a", ["One.", "Two.", "Three."])
    async with library.catalog.read() as unit:
        (chunk, *_, last) = await unit.chunks.of_version(OWNER, version)
        across = (version, Span(chunk.span.start, last.span.end))
        places = [across, (uuid4(), Span(0, 1)), (version, chunk.span)]
        found = await excerpts(unit.connection, OWNER, places)
        whole = (await unit.versions.text(OWNER, chunk.document_id)).text
        assert found == [Excerpt(across[1].of(whole), (1, 3)), None, Excerpt("One.", (1, 1))]
        assert await excerpts(unit.connection, Scope("nobody"), places) == [None, None, None]
        assert await excerpts(unit.connection, OWNER, []) == []


async def test_what_is_gone_old_or_foreign_stays_inside(library) -> None:
    collection = await library.collection()
    other = await library.collection("other")
    gone, gone_version = await library.document(collection, "gone", ["Gone."])
    gone_ids = await library.chunk_ids(gone_version)
    _, foreign_version = await library.document(other, "foreign", ["Foreign."])
    kept, old_version = await library.document(collection, "kept", ["Old."])
    old_ids = await library.chunk_ids(old_version)
    _, new_version = await library.version(collection, "kept", b"new")
    await library.fill(collection, kept, new_version, ["New."])
    async with library.catalog.read() as unit:  # not published yet: the old one is still what is seen
        waiting = await library.chunk_ids(new_version)
        admitted = await unit.gate.admit(OWNER, collection.generation, [*waiting, *old_ids])
        assert [a.chunk_id for a in admitted] == old_ids
    async with library.catalog.begin() as unit:
        await unit.documents.publish(kept, new_version)  # the old chunks still lie there
    await library.delete(collection, gone)
    everything = [*gone_ids, *old_ids, *await library.chunk_ids(foreign_version), *waiting]
    async with library.catalog.read() as unit:
        admitted = await unit.gate.admit(OWNER, collection.generation, everything)
        assert [a.chunk_id for a in admitted] == waiting
        detailed = await unit.gate.admit(OWNER, collection.generation, everything, details=True)
        assert {(one.chunk_id, one.details.text) for one in detailed} == {(waiting[0], "New.")}
        mine = Scope("me", frozenset({collection.id}))
        assert {a.chunk_id for a in await unit.gate.admit(mine, collection.generation, everything)} == set(waiting)
        old = (old_version, Span(0, 3))
        current = (new_version, Span(0, 3))
        far = (foreign_version, Span(0, 3))
        for scope, read in ((OWNER, [None, "New", "For"]), (mine, [None, "New", None])):
            found = await excerpts(unit.connection, scope, [old, current, far])
            assert [one and one.text for one in found] == read
        for scope in (Scope("nobody"), Scope("else", frozenset({other.id, uuid4()}))):
            assert await unit.gate.admit(scope, collection.generation, everything) == []
        assert await unit.gate.neighbours(Scope("nobody"), waiting[0]) == []


async def test_chunks_of_another_generation_are_not_admitted(library) -> None:
    collection = await library.collection()
    _, version = await library.document(collection, "a")
    ids = await library.chunk_ids(version)
    async with library.catalog.begin() as unit:
        newer = await unit.generations.create(collection.id, GenerationSpec(), "chunker-2", "e", 4, active=False)
        assert await unit.gate.admit(OWNER, newer, ids) == []
        assert len(await unit.gate.admit(OWNER, collection.generation, ids)) == 2


async def test_a_version_that_is_not_ready_is_not_seen(library) -> None:
    collection = await library.collection()
    _, version = await library.document(collection, "a")
    ids = await library.chunk_ids(version)
    async with library.catalog.begin() as unit:
        await unit.connection.execute(text("UPDATE kaynak.document_versions SET state = 'failed'"))
        assert await unit.gate.admit(OWNER, collection.generation, ids) == []
        assert await unit.gate.admit(OWNER, collection.generation, ids, payload=True, details=True) == []


async def test_neighbours(library) -> None:
    collection = await library.collection()
    _, version = await library.document(collection, "a", [f"{i}." for i in range(6)])
    ids = await library.chunk_ids(version)
    async with library.catalog.read() as unit:
        assert [p.text for p in await unit.gate.neighbours(OWNER, ids[2])] == ["1.", "3."]
        assert [p.text for p in await unit.gate.neighbours(OWNER, ids[0], before=2, after=3)] == ["1.", "2.", "3."]


async def test_the_gate_goes_by_indexes_alone(library) -> None:
    """Its time must depend on the number of candidates, not on the size of the catalog."""
    collection = await library.collection()
    _, version = await library.document(collection, "a", [f"{i}." for i in range(500)])
    ids = await library.chunk_ids(version)
    async with library.catalog.begin() as unit:
        await unit.connection.execute(
            text(
                "INSERT INTO kaynak.documents (id, collection_id, external_id) "
                "SELECT gen_random_uuid(), :c, 'x' || i FROM generate_series(1, 20000) i"
            ),
            {"c": collection.id},
        )
        await unit.connection.execute(
            text(
                "INSERT INTO kaynak.chunks (collection_id, document_id, version_id, chunker_fingerprint, ordinal, "
                'start, "end", text, headings, text_hash) SELECT collection_id, document_id, version_id, '
                "'x' || i, ordinal, start, \"end\", text, headings, text_hash "
                "FROM kaynak.chunks, generate_series(1, 40) i"
            )
        )
    async with library.catalog.begin() as unit:
        for table in ("documents", "document_versions", "chunks"):
            await unit.connection.execute(text(f"ANALYZE kaynak.{table}"))
        from kaynak.catalog.gate import ADMIT

        plan = await unit.connection.execute(
            text("EXPLAIN " + ADMIT),
            {
                "ids": ids[:400],
                "collection_id": collection.id,
                "chunker": "chunker-1",
                "scope": None,
                "principals": None,
            },
        )
        lines = list(plan.scalars())
    assert not any("Seq Scan on chunks" in line or "Seq Scan on documents" in line for line in lines), lines
