"""The graph of a generation is built: people see how far it is, deletions do not wait, and it can be given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from kaynak.catalog import Catalog
from kaynak.domain import OWNER, Examination, GenerationState, IndexGeneration, Making, PartSpec, StorageFull
from kaynak.engines import Point
from kaynak.engines.memory import MemoryDense, MemoryLexical
from kaynak.engines.pgvector import PgVectorEngine
from kaynak.indexing import Followers, Indexes, Proving, Wanted
from kaynak.indexing.locks import shared_lock
from kaynak.ingestion import Deleting, documents
from kaynak.testing.workshop import Workshop

pytestmark = pytest.mark.anyio

SOME = {f"d{number:02}": f"The text of document {number}.\n\nIt has a second paragraph." for number in range(12)}
WAITS = "building the graph waits for other transactions"


class Held(MemoryDense):
    """Writes when it is told to; or says that its disk is full when it is to finish, so many times."""

    capabilities = replace(MemoryDense.capabilities, finishes=True)
    full = 0

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.writing = asyncio.Event()
        self.go_on.set()

    async def apply(self, name: str, upserts: Sequence[Point], deletes: Sequence[UUID], revision: int) -> None:
        if upserts:
            self.writing.set()
            await self.go_on.wait()
        await super().apply(name, upserts, deletes, revision)

    async def finish(self, name: str) -> None:
        if self.full:
            self.full -= 1
            raise StorageFull("There is no space left for the index.")

    async def unfinished(self, name: str) -> Making | None:
        return Making("building it", 0.5) if self.full else None


@pytest.fixture
async def workshop(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workshop]:
    monkeypatch.setattr("kaynak.indexing.indexes._STEP_SECONDS", 0.3)
    engine = PgVectorEngine(catalog.url, connections=3, exact_rows=5, at_once=5)
    made = Workshop(
        catalog,
        tmp_path,
        dense={"memory": MemoryDense(), "pgvector": engine, "memory-2": Held()},
        lexical={"memory": MemoryLexical()},
    )
    await made.collection()
    await made.bring(SOME)
    yield made
    await made.followers.rest()
    await engine.close()


@pytest.fixture
def indexes(workshop: Workshop) -> Indexes:
    return Indexes(workshop.catalog, workshop.parts, workshop.followers)


@contextmanager
def an_old_snapshot(url: str) -> Iterator[psycopg.Connection]:
    """Holds builds before their end."""
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT 1")
        yield connection
        connection.rollback()


def builds(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT count(*) FROM pg_stat_progress_create_index").fetchone()
        return 0 if found is None else int(found[0])


async def begun(indexes: Indexes, engine: str = "pgvector") -> IndexGeneration:
    return await indexes.build(OWNER, "handbook", Wanted(dense=PartSpec(engine)))


async def seen(indexes: Indexes, number: int, wanted: str) -> IndexGeneration:
    """Helps to build a generation until its dense index is seen to be made."""
    async with asyncio.timeout(30):
        async for now in indexes.watch(OWNER, "handbook", number):
            if any(wanted in str(side.making) for side in now.sides):
                return now
    raise AssertionError(now)


async def ready(indexes: Indexes, number: int) -> IndexGeneration:
    async with asyncio.timeout(30):
        *_, now = [one async for one in indexes.watch(OWNER, "handbook", number)]
    assert now.state is GenerationState.READY
    return now


async def deleted(workshop: Workshop, name: str, patience: float = 10.0) -> Examination:
    document = await workshop.documents.find(OWNER, "handbook", name)
    proving = Proving(workshop.catalog, workshop.blobs, workshop.followers, patience=patience)
    deleting = Deleting(workshop.catalog, workshop.documents, proving)
    return await deleting.delete(OWNER, "handbook", {document.id: name})


async def test_whoever_waits_for_an_index_has_it_next(workshop: Workshop) -> None:
    catalog = workshop.catalog
    holding = asyncio.Event()
    let_go = asyncio.Event()

    async def hold() -> None:
        async with shared_lock(catalog, 1, "dense") as held:
            assert held
            holding.set()
            await let_go.wait()

    async def wait(patience: float) -> bool:
        async with shared_lock(catalog, 1, "dense", patience) as held:
            return held

    first = asyncio.create_task(hold())
    await holding.wait()
    assert not await wait(0)
    assert not await wait(0.05)
    second = asyncio.create_task(wait(20))
    async with asyncio.timeout(10):
        while True:
            async with catalog.read() as unit:
                found = await unit.connection.exec_driver_sql(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                )
                if found.scalar_one():
                    break
    let_go.set()
    assert await second
    await first


async def test_people_see_how_far_the_graph_is(workshop: Workshop, indexes: Indexes) -> None:
    number = (await begun(indexes)).id
    with an_old_snapshot(workshop.catalog.url):
        now = await seen(indexes, number, WAITS)
        assert now.state is GenerationState.BUILDING
        assert now.lag == 0
        (listed, _) = await indexes.list(OWNER, "handbook")
        assert [WAITS in str(side.making) for side in listed.sides] == [True, False]
    now = await ready(indexes, number)
    assert [side.making for side in now.sides] == [None, None]


async def test_a_deletion_and_its_proof_do_not_wait_for_the_graph(workshop: Workshop, indexes: Indexes) -> None:
    number = (await begun(indexes)).id
    with an_old_snapshot(workshop.catalog.url):
        await seen(indexes, number, WAITS)
        async with asyncio.timeout(5):
            proof = await deleted(workshop, "d03")
        assert (proof.findings, proof.unchecked) == ((), ())
        assert f"pgvector g{number}" in proof.checked
        assert builds(workshop.catalog.url) == 1
    now = await ready(indexes, number)
    assert await workshop.dense["pgvector"].count(now.generation.key) == len(SOME) - 1


async def test_a_generation_is_removed_while_its_graph_is_built_elsewhere(workshop: Workshop, indexes: Indexes) -> None:
    number = (await begun(indexes)).id
    elsewhere = Followers(workshop.catalog, workshop.parts)
    with an_old_snapshot(workshop.catalog.url):
        now = await seen(Indexes(workshop.catalog, workshop.parts, elsewhere), number, WAITS)
        async with asyncio.timeout(8):
            await indexes.remove(OWNER, "handbook", number)
        assert builds(workshop.catalog.url) == 0
        assert not await workshop.dense["pgvector"].exists(now.generation.key)
        async with asyncio.timeout(20):
            while elsewhere._finishing._tasks:  # it finds out, and does not try again
                await asyncio.sleep(0.05)
    await elsewhere.rest()
    assert not await workshop.dense["pgvector"].exists(now.generation.key)


async def test_a_worker_that_stops_leaves_the_build_to_the_server_and_the_next_one(
    workshop: Workshop, indexes: Indexes
) -> None:
    number = (await begun(indexes)).id
    with an_old_snapshot(workshop.catalog.url):
        async with workshop.working():
            async with asyncio.timeout(20):
                while not builds(workshop.catalog.url):
                    await asyncio.sleep(0.05)
            before = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - before < 5
        assert builds(workshop.catalog.url) == 1
    async with workshop.working():
        async with asyncio.timeout(20):
            while (await indexes.get(OWNER, "handbook", number)).state is GenerationState.BUILDING:
                await asyncio.sleep(0.05)


async def test_what_keeps_a_graph_from_being_built_is_told(workshop: Workshop, indexes: Indexes) -> None:
    engine = workshop.dense["memory-2"]
    assert isinstance(engine, Held)
    engine.full = 3
    number = (await begun(indexes, "memory-2")).id
    errors: list[str] = []
    async with asyncio.timeout(30):
        async for now in indexes.watch(OWNER, "handbook", number):
            errors += [side.error for side in now.sides if side.error]
    assert now.state is GenerationState.READY
    assert not engine.full
    assert any("no space left" in one for one in errors)


async def test_a_write_that_began_before_is_never_taken_for_a_proof(
    workshop: Workshop, indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read the document, and brings it in after the others have looked."""
    monkeypatch.setattr(documents, "DELETE_SECONDS", 0.3)
    engine = workshop.dense["memory-2"]
    assert isinstance(engine, Held)
    made = await begun(indexes, "memory-2")
    where = f"memory-2 {made.generation.key}"
    engine.go_on.clear()
    engine.writing.clear()
    filling = asyncio.create_task(ready(indexes, made.id))
    await engine.writing.wait()
    async with asyncio.timeout(10):
        proof = await deleted(workshop, "d03", patience=0.2)
    assert where not in proof.checked
    assert [one.partition(":")[0] for one in proof.unchecked] == [where]
    engine.go_on.set()
    await filling
    async with asyncio.timeout(20):
        proof = await deleted(workshop, "d04")
    assert where in proof.checked
    assert proof.healthy
    assert await engine.count(made.generation.key) == len(SOME) - 2
