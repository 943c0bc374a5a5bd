from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy import text

from kaynak.catalog import validate_metadata
from kaynak.domain import (
    OWNER,
    Answering,
    CitationPolicy,
    CollectionExists,
    CollectionNotFound,
    Condition,
    Depth,
    DocumentNotFound,
    GenerationSpec,
    InvalidRequest,
    ModelSettings,
    Op,
    PartSpec,
    Reasoning,
    Scope,
    Span,
    TooLarge,
    VersionState,
    matches,
    parse_filter,
)
from kaynak.engines.payload_terms import path_key, payload_terms, value_key

pytestmark = pytest.mark.anyio
NOBODY = Scope("stranger")


async def count(catalog, table: str) -> int:
    async with catalog.read() as unit:
        return (await unit.connection.execute(text(f"SELECT count(*) FROM kaynak.{table}"))).scalar_one()


async def test_collections(library) -> None:
    made = await library.collection("alpha")
    await library.collection("beta")
    catalog = library.catalog
    with pytest.raises(CollectionExists):
        await library.collection("alpha")
    async with catalog.begin() as unit:
        await unit.collections.update(made.id, description="New", language="tr")
        with pytest.raises(CollectionExists):
            async with unit.connection.begin_nested():
                await unit.collections.update(made.id, name="beta")
        with pytest.raises(InvalidRequest):
            await unit.collections.update(made.id, name="../x")
        with pytest.raises(CollectionNotFound):
            await unit.collections.update(uuid4(), name="gamma")
    async with catalog.read() as unit:
        found = await unit.collections.get(OWNER, "alpha")
        assert (found.description, found.language, found.revision) == ("New", "tr", 0)
        assert found == await unit.collections.get_by_id(OWNER, made.id)
        assert [c.name for c in await unit.collections.list(OWNER)] == ["alpha", "beta"]
        assert [c.name for c in await unit.collections.list(OWNER, after="alpha", limit=5)] == ["beta"]
        mine = Scope("me", frozenset({made.id}))
        assert [c.name for c in await unit.collections.list(mine)] == ["alpha"]
        for scope, name in ((NOBODY, "alpha"), (mine, "beta"), (OWNER, "nothing")):
            with pytest.raises(CollectionNotFound):
                await unit.collections.get(scope, name)
        with pytest.raises(CollectionNotFound):
            await unit.collections.get_by_id(NOBODY, made.id)


async def test_generations_are_switched(library) -> None:
    made = await library.collection()
    spec = GenerationSpec(chunker=PartSpec("fixed", {"chars": 1200}))
    async with library.catalog.begin() as unit:
        new = await unit.generations.create(made.id, spec, "c2", "e2", 8, active=False)
        assert new.spec == spec
        assert await unit.generations.active(made.id) == made.generation
        assert await unit.generations.previous(made.id) is None
        assert await unit.generations.activate(made.id, new.id) == made.generation.id
        assert await unit.generations.active(made.id) == replace(new, active=True)
        assert await unit.generations.previous(made.id) == replace(made.generation, active=False)
        assert [g.active for g in await unit.generations.followed()] == [False, True]
        with pytest.raises(CollectionNotFound):
            await unit.generations.active(uuid4())


async def test_a_document_from_upload_to_reading(library) -> None:
    collection = await library.collection()
    document, version = await library.version(collection, "files/guide.txt")
    async with library.catalog.read() as unit:
        waiting = await unit.documents.get(OWNER, document)
        assert (waiting.state, waiting.version, waiting.title) == (VersionState.PENDING, None, "guide.txt")
        original = await unit.versions.original(OWNER, document)
        assert (original.filename, original.media_type, original.size) == ("guide.txt", "text/plain", 8)
        with pytest.raises(DocumentNotFound):
            await unit.versions.text(OWNER, document)
        with pytest.raises(DocumentNotFound):
            await unit.versions.load_parsed(version)
        assert (await unit.versions.latest(document)).password == "secret"
        assert await unit.chunks.of_document(OWNER, document) == []

    await library.fill(collection, document, version, ["Bir.", "İki 😀."])
    assert await library.publish(collection, document, version)

    async with library.catalog.read() as unit:
        ready = await unit.documents.find(OWNER, "handbook", "files/guide.txt")
        assert (ready.state, ready.version, ready.title) == (VersionState.READY, 1, "Own title")
        assert (ready.pages, ready.chunks, ready.language, ready.revision) == (2, 2, "en", 1)
        assert (ready.properties, ready.warnings) == ({"author": "Ayşe"}, ("A warning.",))
        read = await unit.versions.text(OWNER, document)
        parsed = await unit.versions.load_parsed(version)
        assert (read.text, read.pages, read.blocks) == (parsed.text, parsed.pages, parsed.blocks)
        assert parsed.text == "Bir.\n\nİki 😀."
        assert parsed.pages[1].label == "p1"
        chunks = await unit.chunks.of_document(OWNER, document)
        assert [c.text for c in chunks] == ["Bir.", "İki 😀."]
        assert all(c.span.of(parsed.text) == c.text for c in chunks)
        assert await unit.chunks.of_version(OWNER, version, after=0) == chunks[1:]
        assert await unit.chunks.of_version(NOBODY, version) == []
        assert (await unit.versions.latest(document)).password is None
        now = await unit.collections.get(OWNER, "handbook")
        assert (now.documents, now.chunks, now.revision) == (1, 2, 1)


async def test_what_is_not_mine_does_not_exist(library) -> None:
    collection = await library.collection()
    document, _ = await library.document(collection, "a")
    async with library.catalog.read() as unit:
        for call in (
            unit.documents.get(NOBODY, document),
            unit.versions.text(NOBODY, document),
            unit.versions.original(NOBODY, document),
            unit.chunks.of_document(NOBODY, document),
        ):
            with pytest.raises(DocumentNotFound):
                await call
        for call in (unit.documents.find(NOBODY, "handbook", "a"), unit.documents.list(NOBODY, "handbook")):
            with pytest.raises(CollectionNotFound):
                await call
        with pytest.raises(DocumentNotFound):
            await unit.documents.find(OWNER, "handbook", "nothing")


async def test_a_new_version_takes_over_and_an_old_one_comes_too_late(library) -> None:
    collection = await library.collection()
    document, first = await library.version(collection, "a", b"1")
    _, second = await library.version(collection, "a", b"2")
    _, third = await library.version(collection, "a", b"3")
    await library.fill(collection, document, first, ["One.", "Uno."])
    await library.fill(collection, document, second, ["Two."])
    assert await library.publish(collection, document, second)
    async with library.catalog.read() as unit:
        assert (await unit.versions.get(first)).state is VersionState.SUPERSEDED
        assert (await unit.versions.get(third)).state is VersionState.PENDING
        assert (await unit.documents.get(OWNER, document)).state is VersionState.PENDING
        assert (await unit.documents.get(OWNER, document)).version == 2
        assert (await unit.collections.get(OWNER, "handbook")).chunks == 1
    assert not await library.publish(collection, document, first)
    async with library.catalog.begin() as unit:
        await unit.versions.set_state(third, VersionState.FAILED, "Broken.", "corrupt", "Send it again.")
    async with library.catalog.read() as unit:
        now = await unit.documents.get(OWNER, document)
        assert (now.state, now.version, now.error, now.error_code) == (VersionState.FAILED, 2, "Broken.", "corrupt")
        assert (await unit.versions.text(OWNER, document)).text == "Two."
        assert (await unit.versions.text(OWNER, document, 1)).text == "One.\n\nUno."
        with pytest.raises(DocumentNotFound):
            await unit.versions.text(OWNER, document, 3)
        assert (await unit.versions.original(OWNER, document, 3)).number == 3
        assert (await unit.versions.get(third)).password is None
    assert await library.chunk_ids(first) == []


async def test_counters_follow_every_path(library) -> None:
    collection = await library.collection()
    document, version = await library.document(collection, "a", ["1.", "2.", "3."])
    other, _ = await library.document(collection, "b", ["4."])
    async with library.catalog.begin() as unit:
        await unit.chunks.delete_of_versions([version])
    async with library.catalog.read() as unit:
        assert (await unit.collections.get(OWNER, "handbook")).chunks == 1
    await library.fill(collection, document, version, ["1.", "2."])
    async with library.catalog.read() as unit:
        assert (await unit.collections.get(OWNER, "handbook")).chunks == 3
    async with library.catalog.begin() as unit:
        await unit.documents.delete_many([document, other, uuid4()])
    async with library.catalog.read() as unit:
        now = await unit.collections.get(OWNER, "handbook")
        assert (now.documents, now.chunks) == (0, 0)


async def test_delete_leaves_nothing_derived(library) -> None:
    collection = await library.collection()
    other = await library.collection("other")
    document, _ = await library.document(collection, "a", ["Only here.", "Shared."])
    await library.document(other, "b", ["Shared."])
    twin, _ = await library.document(other, "c", ["Only here.", "Shared."])
    removed = await library.delete(collection, document)
    assert removed.content_hashes == frozenset()  # the twin has the same original
    assert await count(library.catalog, "embeddings") == 2
    removed = await library.delete(other, twin)
    assert len(removed.content_hashes) == 1
    assert await count(library.catalog, "embeddings") == 1
    assert await count(library.catalog, "chunks") == 1
    async with library.catalog.begin() as unit:
        assert await unit.versions.release_contents(removed.content_hashes) == removed.content_hashes
        gone = await unit.collections.delete(other.id)
        assert len(gone.content_hashes) == 1
    async with library.catalog.begin() as unit:
        assert await unit.embeddings.collect_garbage() == 1
    for table in ("documents", "document_versions", "chunks", "embeddings"):
        assert await count(library.catalog, table) == 0
    with pytest.raises(CollectionNotFound):
        async with library.catalog.begin() as unit:
            await unit.collections.delete(other.id)


async def test_the_same_name_sent_many_times_at_once_is_one_document(library) -> None:
    collection = await library.collection()

    async def send(number: int) -> tuple[object, bool, int]:
        async with library.catalog.begin() as unit:
            document, created = await unit.documents.ensure(collection.id, "same")
            latest = await unit.versions.latest(document)
            await asyncio.sleep(0.001)
            _, version = await unit.versions.create(
                document, job_id=None, content_hash=bytes([number]), filename="f", size=1
            )
            assert version == (latest.number if latest else 0) + 1
            return document, created, version

    sent = await asyncio.gather(*(send(number) for number in range(30)))
    assert len({document for document, _, _ in sent}) == 1
    assert sum(created for _, created, _ in sent) == 1
    assert sorted(version for _, _, version in sent) == list(range(1, 31))


async def test_overlapping_batches_do_not_deadlock(library) -> None:
    collection = await library.collection()
    names = [f"n{i}" for i in range(50)]

    async def send(order: list[str]) -> None:
        async with library.catalog.begin() as unit:
            found = await unit.documents.ensure_many(collection.id, order)
            assert set(found) == set(names)

    await asyncio.gather(*(send(names if i % 2 else names[::-1]) for i in range(10)))
    assert await count(library.catalog, "documents") == 50


async def test_names_and_collections_are_checked(library) -> None:
    collection = await library.collection()
    async with library.catalog.begin() as unit:
        for name in ("", " ", "a\x00b", "a\nb", "x" * 1025, "\ud800"):
            with pytest.raises(InvalidRequest):
                await unit.documents.ensure(collection.id, name)
    with pytest.raises(CollectionNotFound):
        async with library.catalog.begin() as unit:
            await unit.documents.ensure(uuid4(), "a")


@pytest.mark.parametrize(
    "metadata",
    [
        {"_id": 1},
        {"": 1},
        {"a": "\x00"},
        {"a": {"b\ud800": 1}},
        {"a": float("nan")},
        {"a": 1e301},
        {"a": b"bytes"},
        {1: 2},
    ],
)
async def test_metadata_that_cannot_be_kept(metadata) -> None:
    with pytest.raises(InvalidRequest):
        validate_metadata(metadata)


async def test_metadata_is_bounded_and_exact() -> None:
    with pytest.raises(TooLarge):
        validate_metadata({"a": "x" * 70_000})
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(InvalidRequest):
        validate_metadata({"a": deep})
    assert validate_metadata({"a": 1e23, "b": (1, 2), "c": 0.1}) == {"a": int(1e23), "b": [1, 2], "c": 0.1}
    assert validate_metadata({"a": 10**23, "b": 2**64 - 1}) == {"a": int(1e23), "b": 2**64 - 1}


LARGE = (10**23, 1e23, int(1e23), 2**53, float(2**53), 2**53 + 1, 2**64 - 1, 2**64, -(10**30), -1e30)
"""Those that exceed 64 bits, and that a float does not tell apart, are one."""


async def test_a_large_number_is_found_however_it_was_written(library) -> None:
    collection = await library.collection()
    for at, number in enumerate(LARGE):
        await library.document(collection, str(at), metadata={"n": number})

    def one(number: float) -> float:
        return number if isinstance(number, int) and abs(number) < 2**64 else float(number)

    async with library.catalog.read() as unit:
        for asked in LARGE:
            expected = [str(at) for at, number in enumerate(LARGE) if one(number) == one(asked)]
            for wanted in (asked, {"$gte": asked, "$lte": asked}, {"$in": [asked]}):
                condition = parse_filter({"n": wanted})
                found = await unit.documents.list(OWNER, "handbook", condition=condition)
                assert [document.external_id for document in found] == expected, wanted
                for at, number in enumerate(LARGE):
                    payload = validate_metadata({"n": number})
                    assert matches(condition, payload) is (str(at) in expected)
                    if isinstance(condition, Condition) and condition.op is Op.EQ:
                        term = path_key("n") + value_key(condition.value)
                        assert (term in payload_terms(payload)) is (str(at) in expected)


async def test_list_filters_on_metadata_and_on_our_fields(library) -> None:
    collection = await library.collection()
    made = [
        await library.document(collection, f"docs/{i}.txt", metadata={"year": 2020 + i, "tags": ["a", f"t{i}"]})
        for i in range(5)
    ]
    await library.version(collection, "waiting")

    async def names(condition: object, **options: object) -> list[str]:
        async with library.catalog.read() as unit:
            found = await unit.documents.list(OWNER, "handbook", condition=parse_filter(condition), **options)
            return [d.external_id for d in found]

    assert len(await names(None)) == 6
    assert await names({"year": {"$gte": 2023}}) == ["docs/3.txt", "docs/4.txt"]
    assert await names({"tags": "t1"}) == ["docs/1.txt"]
    assert await names({"_id": {"$in": ["docs/2.txt", "waiting"]}}) == ["docs/2.txt", "waiting"]
    assert await names({"_type": None}) == ["waiting"]
    assert await names({"_title": "Own title", "_language": "en"}, limit=2) == ["docs/0.txt", "docs/1.txt"]
    assert await names({"_created": {"$gt": "2020-01-01"}}, after=made[3][0]) == ["docs/4.txt", "waiting"]
    assert await names({"_updated": {"$lt": "2020-01-01"}}) == []


async def test_set_metadata_says_whether_it_changed(library) -> None:
    collection = await library.collection()
    document, _ = await library.document(collection, "a")
    async with library.catalog.begin() as unit:
        assert await unit.documents.set_metadata(document, {"a": [1, {"b": None}]}, "Title")
        assert not await unit.documents.set_metadata(document, {"a": [1.0, {"b": None}]}, "Title")
        assert await unit.documents.set_metadata(document, {"a": 1}, None)
        assert (await unit.documents.get(OWNER, document)).metadata == {"a": 1}


async def test_what_followers_get(library) -> None:
    collection = await library.collection()
    document, version = await library.document(collection, "a", ["One.", "Two."], {"team": "hr"})
    await library.version(collection, "waiting")
    async with library.catalog.read() as unit:
        assert list(await unit.documents.ids(collection.id)) == [document]
        chunks = await unit.chunks.of_documents(collection.generation, [document, uuid4()], "lexical")
        points = await unit.chunks.of_documents(collection.generation, [document, uuid4()], "dense")
    assert [(c.text, c.title, c.language, c.headings) for c in chunks] == [
        ("One.", "Own title", "en", ("Top", "Below")),
        ("Two.", "Own title", "en", ("Top", "Below")),
    ]
    assert chunks[0].version_id == version
    assert chunks[0].embedding() is None
    assert [point.id for point in points] == [chunk.id for chunk in chunks]
    assert [point.payload for point in points] == [chunk.payload for chunk in chunks]
    assert points[0].embedding().tolist() == [0.5] * 4
    assert points[0].text == ""
    payload = chunks[0].payload
    assert payload.pop("_created") <= payload.pop("_updated")
    assert payload == {
        "team": "hr",
        "_id": "a",
        "_type": "text/plain",
        "_language": "en",
        "_title": "Own title",
    }


async def test_embeddings_are_shared_and_exact_to_half_precision(library) -> None:
    vectors = {bytes([i]) * 16: np.random.default_rng(i).normal(size=8).astype(np.float32) for i in range(200)}
    async with library.catalog.begin() as unit:
        await unit.embeddings.save("m", vectors)
        await unit.embeddings.save("m", vectors)
        await unit.embeddings.save("m", {})
        assert await unit.embeddings.known("m", [*vectors, b"x" * 16]) == set(vectors)
        assert await unit.embeddings.known("other", vectors) == set()
        loaded = await unit.embeddings.load("m", vectors)
    assert all(np.allclose(loaded[key], vectors[key], atol=2e-3) for key in vectors)
    assert loaded[bytes(16)].dtype == np.float32


async def test_pending_of_a_job(library) -> None:
    collection = await library.collection()
    job = uuid4()
    async with library.catalog.begin() as unit:
        await unit.connection.execute(
            text("INSERT INTO kaynak.jobs (id, kind, collection_id, state) VALUES (:id, 'ingest', :c, 'queued')"),
            {"id": job, "c": collection.id},
        )
        found = await unit.documents.ensure_many(collection.id, ["a", "b"])
        made = [
            await unit.versions.create(found[name][0], job_id=job, content_hash=b"h", filename=name, size=1)
            for name in ("a", "b")
        ]
        await unit.versions.set_state(made[1][0], VersionState.CANCELLED)
        pending = await unit.versions.pending_of_job(job)
    assert [(v.id, v.external_id, v.collection_id) for v in pending] == [(made[0][0], "a", collection.id)]


async def test_many_chunks_go_in_quickly_and_in_few_statements(library) -> None:
    collection = await library.collection()
    document, version = await library.version(collection, "long")
    await library.fill(collection, document, version, [f"Passage {i}\twith \\ odd 'text'\n{i}" for i in range(1000)])
    await library.publish(collection, document, version)
    async with library.catalog.read() as unit:
        chunks = await unit.chunks.of_version(OWNER, version, limit=2000)
        assert len(await unit.chunks.of_documents(collection.generation, [document], "lexical")) == 1000
    assert chunks[7].text == "Passage 7\twith \\ odd 'text'\n7"
    assert chunks[7].span == Span(chunks[7].span.start, chunks[7].span.start + len(chunks[7].text))


@pytest.mark.parametrize(
    "answering",
    [
        Answering(),
        Answering("test:model", ("test:other", "extractive")),
        Answering(None, (), ModelSettings(0.0, 5, Reasoning.HIGH), CitationPolicy.REFUSE, Depth.QUICK),
    ],
)
async def test_how_a_collection_is_answered_from_is_kept(library, answering) -> None:
    made = await library.collection("alpha")
    assert made.answering == Answering()
    async with library.catalog.begin() as unit:
        await unit.collections.update(made.id, answering=answering)
        await unit.collections.update(made.id, description="else")
        assert (await unit.collections.get_by_id(OWNER, made.id)).answering == answering
