"""Indexes follow the catalog, whatever happens to them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from uuid import UUID

import pytest

from kaynak.catalog import Catalog
from kaynak.domain import (
    OWNER,
    CollectionExists,
    CollectionNotFound,
    EngineUnavailable,
    InvalidRequest,
    JobState,
    PartSpec,
    RevisionTimeout,
    new_id,
)
from kaynak.engines.memory import MemoryDense, MemoryLexical
from kaynak.indexing import collect_orphans
from kaynak.testing.workshop import MEMORY, Workshop

pytestmark = pytest.mark.anyio


class Flaky(MemoryDense):
    """Is away as often as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.away = 0
        self.writes: list[int] = []

    async def apply(self, name, upserts, deletes, revision):  # type: ignore[no-untyped-def]
        if self.away:
            self.away -= 1
            raise EngineUnavailable("The engine is away.")
        self.writes.append(len(upserts))
        await super().apply(name, upserts, deletes, revision)


async def held(engine: MemoryDense | MemoryLexical, key: str) -> set[int]:
    return {one async for one, _ in engine.scan(key)}


async def truth(workshop: Workshop) -> set[int]:
    documents = await workshop.documents.list(OWNER, "handbook", limit=1000)
    return {
        chunk.id for document in documents for chunk in await workshop.documents.chunks(OWNER, document.id, limit=1000)
    }


async def eventually(check, seconds: float = 10.0) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.02)


async def test_indexes_follow_without_being_asked(workshop: Workshop) -> None:
    made = await workshop.collection()
    workshop.pipeline._index_seconds = 0.0
    async with workshop.working():
        await workshop.bring({"a": "One.", "b": "Two."})
        wanted = await truth(workshop)
        for engine in (workshop.dense["memory"], workshop.lexical["memory"]):

            async def there(engine=engine) -> bool:  # type: ignore[no-untyped-def]
                return await held(engine, made.generation.key) == wanted

            await eventually(there)


async def test_a_lost_index_is_made_again(workshop: Workshop) -> None:
    made = await workshop.collection()
    await workshop.bring({f"n{number}": f"Document number {number}." for number in range(30)})
    await workshop.bring({"n1": "Changed."})
    await workshop.documents.delete(OWNER, (await workshop.documents.find(OWNER, "handbook", "n2")).id)
    key = made.generation.key
    revision = await workshop.followers.applied(made.id)
    await workshop.dense["memory"].drop(key)
    assert await workshop.followers.applied(made.id) == 0
    await workshop.followers.catch_up(made.id, revision)
    assert await held(workshop.dense["memory"], key) == await truth(workshop)
    assert await workshop.followers.applied(made.id) == revision
    await workshop.lexical["memory"].drop(key)
    async with workshop.working():
        workshop.followers.wake(made.id)

        async def there() -> bool:
            return await workshop.followers.applied(made.id) == revision

        await eventually(there)


async def test_an_index_from_another_past_is_made_again(workshop: Workshop) -> None:
    made = await workshop.collection()
    await workshop.bring({"a": "One."})
    key = made.generation.key
    await workshop.dense["memory"].apply(key, [], [], 99)
    dense, _ = workshop.followers.of(made.generation)
    await dense.step()
    await workshop.followers.catch_up(made.id, 1)
    assert await held(workshop.dense["memory"], key) == await truth(workshop)


async def test_writes_are_bounded(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kaynak.indexing.follower.CHUNKS", 10)
    monkeypatch.setattr("kaynak.indexing.follower.CHANGES", 4)
    flaky = Flaky()
    workshop = Workshop(catalog, tmp_path, dense={"memory": flaky})
    made = await workshop.collection()
    long = "\n\n".join(f"Sentence {number} has a passage of its own, as it is long." for number in range(25))
    await workshop.bring({"a": "Short.", "b": long, **{f"n{number}": f"Number {number}." for number in range(9)}})
    await workshop.bring({"a": "Short again.", "n3": "Other."})
    assert max(size for size in flaky.writes) >= 25
    assert sorted(flaky.writes)[-2] <= 10
    key = made.generation.key
    assert await held(flaky, key) == await held(workshop.lexical["memory"], key) == await truth(workshop)
    await flaky.drop(key)
    await workshop.followers.catch_up(made.id, await workshop.followers.applied(made.id) or 13)
    assert await held(flaky, key) == await truth(workshop)


async def test_an_engine_that_is_away_holds_up_nothing(catalog: Catalog, tmp_path: Path) -> None:
    flaky = Flaky()
    workshop = Workshop(catalog, tmp_path, dense={"memory": flaky})
    made = await workshop.collection()
    workshop.pipeline._index_seconds = 0.1
    flaky.away = 1_000_000
    job = await workshop.bring({"a": "One.", "b": "Two."})
    assert job.state is JobState.SUCCEEDED
    assert job.error is not None
    assert "catching up" in job.error
    with pytest.raises(EngineUnavailable):
        await workshop.followers.catch_up(made.id, 2, 1.0)
    async with workshop.working():
        flaky.away = 2

        async def there() -> bool:
            return await held(flaky, made.generation.key) == await truth(workshop)

        await eventually(there)


async def test_revisions_that_are_not_there_time_out(workshop: Workshop) -> None:
    made = await workshop.collection()
    await workshop.bring({"a": "One."})
    with pytest.raises(RevisionTimeout):
        await workshop.followers.catch_up(made.id, 50, 0.2)
    with pytest.raises(CollectionNotFound):
        await workshop.followers.catch_up(new_id(), 1, 0.2)


async def test_who_is_told_no_leaves_nothing_waiting(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One index says at once that there is no such revision; nobody waits for the other one any more."""
    made = await workshop.collection()
    await workshop.bring({"a": "One."})
    _, busy = workshop.followers.of(made.generation)
    ended = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    monkeypatch.setattr(busy, "step", endless)
    with pytest.raises(RevisionTimeout):
        await workshop.followers.catch_up(made.id, 99, 30)
    assert ended.is_set()


async def test_a_process_that_has_no_turn_waits_for_the_one_that_has(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes share one index: the name of the engine says that it is not private."""
    shared = {"files": MemoryLexical()}
    spec = MEMORY.__class__(MEMORY.chunker, MEMORY.embedder, MEMORY.dense, PartSpec("files"))
    one = Workshop(catalog, tmp_path, lexical=shared, spec=spec)
    two = Workshop(catalog, tmp_path, lexical=shared, spec=spec)
    made = await one.collection()
    await one.bring({f"n{number}": f"Document {number}." for number in range(5)})
    assert await two.followers.applied(made.id) == 0  # its own dense index is empty
    apply, entered = shared["files"].apply, asyncio.Event()

    async def slow(*args: object) -> None:
        entered.set()
        await asyncio.sleep(0.2)
        await apply(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(shared["files"], "apply", slow)
    document = await one.documents.find(OWNER, "handbook", "n1")
    changed = (await one.documents.update(OWNER, document.id, title="New")).document
    first = asyncio.create_task(one.followers.catch_up(made.id, changed.revision))
    await entered.wait()
    await two.followers.catch_up(made.id, changed.revision)
    await first
    assert await shared["files"].revision(made.generation.key) == changed.revision


async def test_collections_live_and_leave_nothing(workshop: Workshop) -> None:
    made = await workshop.collection()
    with pytest.raises(CollectionExists):
        await workshop.collection()
    with pytest.raises(InvalidRequest):
        await workshop.collections.create(OWNER, "other", spec=MEMORY.__class__(dense=PartSpec("nope")))
    with pytest.raises(InvalidRequest):
        await workshop.collections.create(OWNER, "../x")
    assert [one.name for one in await workshop.collections.list(OWNER)] == ["handbook"]
    renamed = await workshop.collections.update(OWNER, "handbook", new_name="manual", description="All of it.")
    assert (renamed.name, renamed.description, renamed.id) == ("manual", "All of it.", made.id)
    sent = await workshop.send({"a": "One."}, "manual")
    await workshop.running.run(sent.job.id)  # type: ignore[union-attr]
    await workshop.collections.delete(OWNER, "manual")
    key = made.generation.key
    assert not await workshop.dense["memory"].exists(key)
    assert not await workshop.lexical["memory"].exists(key)
    assert [one async for one in workshop.blobs.scan()] == []
    with pytest.raises(CollectionNotFound):
        await workshop.collections.get(OWNER, "manual")
    async with workshop.catalog.read() as unit:
        assert await unit.embeddings.orphans() == []


async def test_leftovers_of_crashes_are_tidied_up(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await workshop.collection("first")
    await workshop.collection("second")
    drop = workshop.lexical["memory"].drop

    async def away(name: str) -> None:
        raise EngineUnavailable("The engine is away.")

    monkeypatch.setattr(workshop.lexical["memory"], "drop", away)
    await workshop.collections.delete(OWNER, "first")
    monkeypatch.setattr(workshop.lexical["memory"], "drop", drop)
    assert await workshop.lexical["memory"].exists(first.generation.key)
    orphan, _ = await workshop.blobs.put(b"nobody's")
    unfinished = tmp_path / "blobs" / "incoming" / "half"
    unfinished.write_bytes(b"half an upl")
    os.utime(unfinished, (0, 0))
    async with workshop.catalog.begin() as unit:
        vector = (await workshop.embedder.embed(["nobody's"], "document"))[0]
        await unit.embeddings.save(workshop.embedder.fingerprint, {b"\x00" * 16: vector})
    await workshop.collections.tidy()
    assert not await workshop.lexical["memory"].exists(first.generation.key)
    assert not unfinished.exists()
    assert await workshop.blobs.exists(orphan)  # an upload may be about to name it
    await collect_orphans(workshop.catalog, workshop.blobs, age=0)
    assert not await workshop.blobs.exists(orphan)
    async with workshop.catalog.read() as unit:
        assert await unit.embeddings.orphans() == []


async def test_deleting_a_collection_stops_its_job(workshop: Workshop) -> None:
    await workshop.collection()
    sent = await workshop.send({f"n{number}": f"Number {number}." for number in range(5)})
    assert sent.job is not None
    number: UUID = sent.job.id

    async def gone(source: object) -> None:
        workshop.parsers.before = None
        await workshop.collections.delete(OWNER, "handbook")

    workshop.parsers.before = gone
    await workshop.running.run(number)
    assert await workshop.jobs.list(OWNER) == []
