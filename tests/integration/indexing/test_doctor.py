from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import text

from kaynak.catalog import Catalog
from kaynak.domain import (
    OWNER,
    Ailment,
    CorruptIndex,
    EmbedderUnavailable,
    EngineUnavailable,
    Examination,
    Forbidden,
    Misconfigured,
    PartSpec,
    Scope,
)
from kaynak.engines import DenseSpec, Point, VectorField
from kaynak.engines.memory import MemoryDense, MemoryLexical
from kaynak.engines.pgvector import PgVectorEngine
from kaynak.engines.qdrant import QdrantDense
from kaynak.engines.qdrant.edge import EdgeTransport
from kaynak.engines.tantivy import TantivyEngine
from kaynak.indexing import Doctor, Followers, Indexes, Proving, Wanted
from kaynak.indexing import proving as proving_module
from kaynak.ingestion import Documents
from kaynak.jobs import enqueue
from kaynak.testing.doomed_worker import REAL
from kaynak.testing.fake_embedder import FakeEmbedder
from kaynak.testing.workshop import Workshop

pytestmark = pytest.mark.anyio

SOME = {f"d{number:02}": f"The text of document {number}.\n\nIt has a second paragraph." for number in range(8)}


@pytest.fixture
async def workshop(catalog: Catalog, tmp_path: Path):
    made = Workshop(
        catalog,
        tmp_path,
        dense={"pgvector": PgVectorEngine(catalog.url, connections=2), "memory": MemoryDense()},
        lexical={"tantivy": TantivyEngine(tmp_path / "tantivy"), "memory": MemoryLexical()},
        spec=REAL,
    )
    await made.collection()
    await made.bring(SOME)
    yield made
    for engine in (*made.dense.values(), *made.lexical.values()):
        await engine.close()


@pytest.fixture
def doctor(workshop: Workshop) -> Doctor:
    return Doctor(workshop.catalog, workshop.blobs, workshop.parts, workshop.followers)


def ailments(examination: Examination) -> list[tuple[str, Ailment, int]]:
    return [(one.where, one.ailment, one.count) for one in examination.findings]


async def mended(doctor: Doctor) -> None:
    after = await doctor.examine(OWNER, repair=True)
    assert after.findings
    assert all(one.repaired for one in after.findings), after.findings
    assert (await doctor.examine(OWNER)).findings == ()


async def test_a_healthy_installation(workshop: Workshop, doctor: Doctor) -> None:
    found = await doctor.examine(OWNER)
    assert found.healthy
    assert found.findings == ()
    assert {"catalog", "originals", "pgvector g1", "tantivy g1", "pgvector", "tantivy"} == set(found.checked)
    with pytest.raises(Forbidden):
        await doctor.examine(Scope("member", frozenset()))


async def test_points_that_are_gone_and_points_of_nothing(workshop: Workshop, doctor: Doctor) -> None:
    engine = workshop.dense["pgvector"]
    revision = await engine.revision("g1")
    ids = [pair async for pair in engine.scan("g1")]
    vector = np.ones(16, dtype=np.float32)
    other = UUID(int=5)
    await engine.apply("g1", [Point(10**9, other, {"text": vector}, {})], [ids[0][1]], revision)
    found = await doctor.examine(OWNER)
    assert ailments(found) == [("pgvector g1", Ailment.MISSING, 1), ("pgvector g1", Ailment.ORPHANED, 1)]
    assert not found.healthy
    await mended(doctor)
    assert sorted([pair async for pair in engine.scan("g1")]) == sorted(ids)


async def test_an_index_that_is_gone(workshop: Workshop, doctor: Doctor) -> None:
    await workshop.lexical["tantivy"].drop("g1")
    assert ailments(await doctor.examine(OWNER)) == [("tantivy g1", Ailment.DAMAGED, 1)]
    await mended(doctor)
    assert await workshop.lexical["tantivy"].count("g1") == await workshop.dense["pgvector"].count("g1")


async def test_an_old_snapshot(workshop: Workshop, doctor: Doctor) -> None:
    engine = workshop.dense["pgvector"]
    revision = await engine.revision("g1")
    last = max([pair async for pair in engine.scan("g1")])
    await engine.apply("g1", [], [last[1]], revision - 1)
    assert ailments(await doctor.examine(OWNER))[0] == ("pgvector g1", Ailment.LAGGING, 1)
    await mended(doctor)
    assert last in [pair async for pair in engine.scan("g1")]


async def test_indexes_of_generations_that_are_gone(workshop: Workshop, doctor: Doctor) -> None:
    async with workshop.catalog.begin() as unit:
        await unit.connection.execute(text("SELECT setval(pg_get_serial_sequence('kaynak.generations', 'id'), 7)"))
    for name in ("g4", "g7"):
        await workshop.dense["pgvector"].create(DenseSpec(name, (VectorField("text", 4),)))
    found = await doctor.examine(OWNER)
    assert ailments(found) == [("pgvector", Ailment.ORPHANED, 2)]
    await mended(doctor)
    assert not await workshop.dense["pgvector"].exists("g7")


async def test_embeddings_and_numbers(workshop: Workshop, doctor: Doctor) -> None:
    async with workshop.catalog.begin() as unit:
        await unit.embeddings.save("nobody's", {b"x" * 32: np.ones(4, dtype=np.float32)})
        await unit.connection.execute(text("UPDATE kaynak.collections SET documents = 99"))
        await unit.connection.execute(text("UPDATE kaynak.generations SET chunks = 1"))
    assert ailments(await doctor.examine(OWNER)) == [
        ("catalog", Ailment.MISCOUNTED, 2),
        ("catalog", Ailment.ORPHANED, 1),
    ]
    await mended(doctor)
    async with workshop.catalog.read() as unit:
        collection = await unit.collections.get(OWNER, "handbook")
    assert (collection.documents, collection.chunks) == (8, await workshop.dense["pgvector"].count("g1"))


async def test_lost_embeddings_are_made_again(workshop: Workshop, doctor: Doctor) -> None:
    async with workshop.catalog.begin() as unit:
        await unit.connection.execute(
            text("DELETE FROM kaynak.embeddings WHERE text_hash = (SELECT min(text_hash) FROM kaynak.embeddings)")
        )
    found = await doctor.examine(OWNER)
    assert ("generation g1", Ailment.MISSING, 1) in ailments(found)
    await mended(doctor)


async def test_a_lost_original_cannot_be_made_again(workshop: Workshop, doctor: Doctor) -> None:
    keys = [key async for key in workshop.blobs.scan()]
    await workshop.blobs.delete(keys[0])
    found = await doctor.examine(OWNER, repair=True)
    assert ailments(found) == [("originals", Ailment.MISSING, 1)]
    assert not found.healthy
    assert "backup" in (found.findings[0].hint or "")


async def test_another_model_under_the_same_name(workshop: Workshop, doctor: Doctor) -> None:
    workshop.models.others[REAL.embedder.name] = other = FakeEmbedder(16)
    other.fingerprint = "another"
    assert ailments(await doctor.examine(OWNER)) == [("generation g1", Ailment.MISCONFIGURED, 1)]


@pytest.mark.parametrize("scanned", [0, 1000], ids=["asked for by name", "all looked through"])
async def test_deletion_leaves_no_trace(workshop: Workshop, scanned: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving_module, "_SCANNED", scanned)
    proving = Proving(workshop.catalog, workshop.blobs, workshop.followers)
    indexes = Indexes(workshop.catalog, workshop.parts, workshop.followers)
    begun = await indexes.build(OWNER, "handbook", Wanted(chunker=PartSpec("sentence")))
    assert [now async for now in indexes.watch(OWNER, "handbook", begun.id)][-1].state == "ready"
    document = await workshop.documents.find(OWNER, "handbook", "d03")
    async with workshop.catalog.read() as unit:
        generations = await unit.generations.followed()
        original = await unit.versions.original(OWNER, document.id)
    asked = ({document.id: "d03"}, [original.content_hash])
    before = await proving.traces(generations, *asked)
    assert [one.count for one in before.findings[1:]] == [1] * 5
    await workshop.documents.delete(OWNER, document.id)
    after = await proving.traces(generations, *asked)
    assert after.findings == after.unchecked == ()
    assert after.checked == ("catalog", "originals", "pgvector g1", "tantivy g1", "pgvector g2", "tantivy g2")


async def test_a_fault_of_an_index_that_is_gone(workshop: Workshop, doctor: Doctor) -> None:
    document = await workshop.documents.find(OWNER, "handbook", "d03")
    async with workshop.catalog.begin() as unit:
        await unit.index_states.fault(1, "lexical", document.id, "It was too large.")
    await workshop.lexical["tantivy"].drop("g1")
    assert [one for _, one, _ in ailments(await doctor.examine(OWNER))] == [Ailment.REFUSED, Ailment.DAMAGED]
    await mended(doctor)


async def test_an_index_that_cannot_be_read_through(
    workshop: Workshop, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scan(name: str) -> AsyncIterator[tuple[int, UUID]]:
        raise CorruptIndex("A file is cut short.")
        yield 1, UUID(int=1)

    monkeypatch.setattr(workshop.dense["pgvector"], "scan", scan)
    for repair in (False, True):
        found = await doctor.examine(OWNER, repair=repair)
        assert ailments(found) == [("pgvector g1", Ailment.DAMAGED, 1)]


async def test_a_model_that_is_away_while_something_is_mended(workshop: Workshop, doctor: Doctor) -> None:
    class Away(FakeEmbedder):
        async def embed(self, texts, kind):
            raise EmbedderUnavailable("The provider is away.")

    await workshop.dense["pgvector"].apply("g1", [], [(await _held(workshop))[0]], 8)
    async with workshop.catalog.begin() as unit:
        await unit.connection.execute(text("DELETE FROM kaynak.embeddings"))
    workshop.models.others[REAL.embedder.name] = Away(16)
    found = await doctor.examine(OWNER, repair=True)
    assert not found.healthy
    assert "The provider is away." in [one.detail for one in found.findings]


async def test_an_engine_that_goes_away_while_it_is_tidied(
    workshop: Workshop, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drop(name: str) -> None:
        raise EngineUnavailable("It has gone.")

    async with workshop.catalog.begin() as unit:
        await unit.connection.execute(text("SELECT setval(pg_get_serial_sequence('kaynak.generations', 'id'), 4)"))
    await workshop.dense["pgvector"].create(DenseSpec("g4", (VectorField("text", 4),)))
    monkeypatch.setattr(workshop.dense["pgvector"], "drop", drop)
    found = await doctor.examine(OWNER, repair=True)
    assert found.unchecked == ("pgvector: It has gone.",)


async def test_a_collection_that_is_deleted_meanwhile(
    workshop: Workshop, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = workshop.dense["pgvector"]
    healthy = engine.health

    async def health() -> None:
        if await engine.exists("g1"):
            await workshop.collections.delete(OWNER, "handbook")
        await healthy()

    monkeypatch.setattr(engine, "health", health)
    assert (await doctor.examine(OWNER)).findings == ()


async def test_what_is_being_built_is_not_ill(workshop: Workshop, doctor: Doctor) -> None:
    indexes = Indexes(workshop.catalog, workshop.parts, workshop.followers)
    begun = await indexes.build(OWNER, "handbook", Wanted(chunker=PartSpec("sentence")))
    found = await doctor.examine(OWNER, repair=True)
    assert found.findings == ()
    assert found.unchecked == ("generation g2: It is being built.",)
    assert (await indexes.get(OWNER, "handbook", begun.id)).state == "building"


async def test_an_index_that_is_just_catching_up_is_not_ill(workshop: Workshop, doctor: Doctor) -> None:
    document = await workshop.documents.find(OWNER, "handbook", "d03")
    generation = (await workshop.collections.get(OWNER, "handbook")).generation
    async with workshop.catalog.begin() as unit:
        revision = await unit.changes.record(generation.collection_id, [(document.id, "put")])

    async def soon() -> None:
        await asyncio.sleep(0.3)
        await workshop.followers.catch_up(generation.collection_id, revision)

    follower = asyncio.create_task(soon())
    assert (await doctor.examine(OWNER)).findings == ()
    await follower


async def test_embeddings_that_a_job_stores_ahead_belong_to_somebody(workshop: Workshop, doctor: Doctor) -> None:
    await workshop.send({"later": "Some text."})
    async with workshop.catalog.begin() as unit:
        await unit.embeddings.save("ahead", {b"x" * 32: np.ones(4, dtype=np.float32)})
    assert (await doctor.examine(OWNER)).findings == ()


async def _held(workshop: Workshop) -> list[UUID]:
    return [document async for _, document in workshop.dense["pgvector"].scan("g1")]


async def test_deleting_where_a_store_is_not_part_of_the_process(workshop: Workshop) -> None:
    indexes = Indexes(workshop.catalog, workshop.parts, workshop.followers)
    begun = await indexes.build(OWNER, "handbook", Wanted(dense=PartSpec("memory")))
    assert [now async for now in indexes.watch(OWNER, "handbook", begun.id)][-1].state == "ready"
    parts = replace(workshop.parts, dense={"memory": workshop.dense["memory"]})
    followers = Followers(workshop.catalog, parts)
    elsewhere = Proving(workshop.catalog, workshop.blobs, followers)
    document = await workshop.documents.find(OWNER, "handbook", "d03")
    looked = await elsewhere.proof(OWNER, "handbook", {document.id: "d03"})
    await Documents(workshop.catalog, workshop.blobs, followers, enqueue).delete(OWNER, document.id)
    found = await looked()
    assert found.findings == ()
    assert found.checked == ("catalog", "originals", "memory g2", "tantivy g2")
    assert [one.partition(":")[0] for one in found.unchecked] == ["generation g1"]


async def test_a_store_that_is_not_set_up_is_named_as_not_looked_at(workshop: Workshop, doctor: Doctor) -> None:
    class Nowhere(MemoryDense):
        async def health(self) -> None:
            raise Misconfigured("It is not set where it is.")

    workshop.dense["nowhere"] = Nowhere()
    found = await doctor.examine(OWNER)
    assert "nowhere" not in found.checked
    assert found.unchecked == ("nowhere: It is not set where it is.",)
    assert found.healthy


async def test_what_another_installation_keeps_in_the_same_store_is_its_own(
    workshop: Workshop, doctor: Doctor, tmp_path: Path
) -> None:
    ours, theirs = (QdrantDense(EdgeTransport(tmp_path / "qdrant", prefix)) for prefix in ("ours", "theirs"))
    workshop.dense["qdrant"] = ours
    async with workshop.catalog.begin() as unit:
        await unit.connection.execute(text("SELECT setval(pg_get_serial_sequence('kaynak.generations', 'id'), 7)"))
    spec = DenseSpec("g5", (VectorField("text", 16),))
    await theirs.create(spec)
    assert (await doctor.examine(OWNER, repair=True)).healthy
    await ours.create(spec)
    assert ailments(await doctor.examine(OWNER, repair=True)) == [("qdrant", Ailment.ORPHANED, 1)]
    assert (await ours.exists("g5"), await theirs.exists("g5")) == (False, True)
    await theirs.close()
