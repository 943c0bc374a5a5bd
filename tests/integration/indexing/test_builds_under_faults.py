"""What can go wrong while an index is built or switched to: it waits, says why, goes on, and is whole in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog import Catalog, Uncut, uncut
from kaynak.domain import (
    OWNER,
    EmbedderUnavailable,
    EngineUnavailable,
    Generation,
    GenerationState,
    IndexGeneration,
    PartSpec,
    SearchRequest,
    StorageFull,
)
from kaynak.engines import Point
from kaynak.engines.memory import MemoryDense, MemoryLexical
from kaynak.indexing import Doctor, Indexes, Wanted, follower, preparing
from kaynak.retrieval import Searcher, Verifier
from kaynak.testing.fake_embedder import FakeEmbedder
from kaynak.testing.workshop import Workshop

pytestmark = pytest.mark.anyio

SOME = {f"d{number:02}": f"The text of document {number}.\n\nIt has a second paragraph." for number in range(30)}


class Troubled(MemoryDense):
    """Fails in a chosen way, so many times; or is slow."""

    failures: list[Exception]
    slow = 0.0
    writes = 0
    drops = 0

    async def drop(self, name: str) -> None:
        self.drops += 1
        await super().drop(name)

    def __init__(self) -> None:
        super().__init__()
        self.failures = []

    async def apply(self, name: str, upserts: Sequence[Point], deletes: Sequence[UUID], revision: int) -> None:
        self.writes += 1
        await asyncio.sleep(self.slow)
        if self.failures and self.writes % 2:
            raise self.failures.pop()
        await super().apply(name, upserts, deletes, revision)


class Troubling(FakeEmbedder):
    """Goes away after some texts, and comes back."""

    seen = 0
    away_after: int | None = None
    away = 0
    wrong = False

    async def embed(self, texts, kind):
        if self.away_after is not None and self.seen >= self.away_after and self.away:
            self.away -= 1
            raise EmbedderUnavailable("The provider is away.")
        self.seen += len(texts)
        vectors = await super().embed(texts, kind)
        return vectors[:, :-1] if self.wrong else vectors


@pytest.fixture
async def workshop(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setattr(follower, "CHANGES", 8)
    monkeypatch.setattr(preparing, "SLICE", 4)
    made = Workshop(
        catalog,
        tmp_path,
        dense={"memory": MemoryDense(), "memory-2": Troubled()},
        lexical={"memory": MemoryLexical()},
    )
    made.models.others["hosted"] = Troubling(24)
    await made.collection()
    await made.bring(SOME)
    return made


@pytest.fixture
def indexes(workshop: Workshop) -> Indexes:
    return Indexes(workshop.catalog, workshop.parts, workshop.followers)


def troubled(workshop: Workshop) -> Troubled:
    engine = workshop.dense["memory-2"]
    assert isinstance(engine, Troubled)
    return engine


def troubling(workshop: Workshop) -> Troubling:
    model = workshop.models.others["hosted"]
    assert isinstance(model, Troubling)
    return model


async def finished(indexes: Indexes, number: int) -> tuple[IndexGeneration, list[str]]:
    """Waits until a generation is built; returns it, and what it was seen to wait for."""
    waits: list[str] = []
    async with asyncio.timeout(40):
        async for now in indexes.watch(OWNER, "handbook", number):
            waits += [one.error for one in now.sides if one.error]
    assert now.state is GenerationState.READY
    return now, waits


async def assert_whole(workshop: Workshop) -> None:
    examination = await Doctor(workshop.catalog, workshop.blobs, workshop.parts, workshop.followers).examine(OWNER)
    assert examination.findings == ()


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (EngineUnavailable("The engine does not answer."), ""),
        (StorageFull("There is no space left for the index."), "no space left"),
    ],
    ids=["away", "full"],
)
async def test_an_engine_that_takes_no_writes_for_a_while(
    workshop: Workshop, indexes: Indexes, failure: Exception, said: str
) -> None:
    troubled(workshop).failures = [failure] * 3
    begun = await indexes.build(OWNER, "handbook", Wanted(dense=PartSpec("memory-2")))
    _, waits = await finished(indexes, begun.id)
    assert not troubled(workshop).failures
    assert said in " ".join(waits)
    await assert_whole(workshop)


async def test_a_slow_engine(workshop: Workshop, indexes: Indexes) -> None:
    troubled(workshop).slow = 0.2
    begun = await indexes.build(OWNER, "handbook", Wanted(dense=PartSpec("memory-2")))
    await finished(indexes, begun.id)
    assert troubled(workshop).writes >= len(SOME) // 8
    await assert_whole(workshop)


async def test_a_provider_that_goes_away_in_the_middle_costs_nothing_twice(
    workshop: Workshop, indexes: Indexes
) -> None:
    model = troubling(workshop)
    model.away_after, model.away = 20, 5
    begun = await indexes.build(OWNER, "handbook", Wanted(embedder=PartSpec("hosted")))
    _, waits = await finished(indexes, begun.id)
    assert any("provider is away" in one for one in waits)
    texts = [text for some, kind in model.calls for text in some if kind == "document"]
    assert len(texts) == len(set(texts)) == 30
    await assert_whole(workshop)


async def test_vectors_of_the_wrong_dimension_are_never_stored(workshop: Workshop, indexes: Indexes) -> None:
    model = troubling(workshop)
    model.wrong = True
    begun = await indexes.build(OWNER, "handbook", Wanted(embedder=PartSpec("hosted")))
    now, _ = await finished(indexes, begun.id)
    assert now.faults == len(SOME)  # words find them all the same
    assert now.embedded == 0
    model.wrong = False
    doctor = Doctor(workshop.catalog, workshop.blobs, workshop.parts, workshop.followers)
    mended = await doctor.examine(OWNER, repair=True)
    assert mended.healthy, mended.findings
    assert (await indexes.get(OWNER, "handbook", begun.id)).faults == 0
    await assert_whole(workshop)


async def test_what_is_deleted_in_the_middle_does_not_begin_it_anew(workshop: Workshop, indexes: Indexes) -> None:
    begun = await indexes.build(OWNER, "handbook", Wanted(dense=PartSpec("memory-2")))
    dense, lexical = workshop.followers.of(begun.generation)
    for one in (dense, lexical):
        await one.step()
        await one.step()
    assert 0 < await troubled(workshop).count(begun.generation.key) < len(SOME)
    for name in ("d00", "d01", "d29"):
        document = await workshop.documents.find(OWNER, "handbook", name)
        await workshop.documents.delete(OWNER, document.id)
    await finished(indexes, begun.id)
    assert troubled(workshop).drops == 0
    latest = (await workshop.collections.get(OWNER, "handbook")).revision
    await workshop.followers.catch_up(begun.generation.collection_id, latest, 30, generation=begun.generation)
    assert await troubled(workshop).count(begun.generation.key) == len(SOME) - 3
    await assert_whole(workshop)


async def test_two_builds_at_once(workshop: Workshop, indexes: Indexes) -> None:
    first, second = await asyncio.gather(
        indexes.build(OWNER, "handbook", Wanted(dense=PartSpec("memory-2"))),
        indexes.build(OWNER, "handbook", Wanted(chunker=PartSpec("fixed"), embedder=PartSpec("hosted"))),
    )
    await asyncio.gather(finished(indexes, first.id), finished(indexes, second.id))
    await assert_whole(workshop)


async def test_two_builds_at_once_that_cut_alike(
    workshop: Workshop, indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(connection: AsyncConnection, generation: Generation, documents: Sequence[UUID]) -> list[Uncut]:
        found = await uncut(connection, generation, documents)
        await asyncio.sleep(0.05)
        return found

    monkeypatch.setattr(preparing, "uncut", slow)
    cut = PartSpec("fixed")
    begun = [
        await indexes.build(OWNER, "handbook", Wanted(chunker=cut)),
        await indexes.build(OWNER, "handbook", Wanted(chunker=cut, embedder=PartSpec("hosted"))),
    ]
    await asyncio.gather(*(finished(indexes, one.id) for one in begun))
    await assert_whole(workshop)


async def test_switching_to_and_fro_while_people_search_and_add(workshop: Workshop, indexes: Indexes) -> None:
    searcher = Searcher(workshop.catalog, workshop.parts, workshop.followers)
    verifier = Verifier(workshop.catalog, workshop.parts, workshop.followers, indexes)
    begun = await indexes.build(OWNER, "handbook", Wanted(dense=PartSpec("memory-2"), embedder=PartSpec("hosted")))
    await finished(indexes, begun.id)
    await verifier.verify(OWNER, "handbook", begun.id, sample=10)
    stop = asyncio.Event()
    searches = 0

    async def search() -> None:
        nonlocal searches
        while not stop.is_set():
            for number in range(0, 30, 7):
                found = await searcher.search(SearchRequest(f"text of document {number}", ("handbook",)), OWNER)
                assert found.hits
                assert not found.degraded
                searches += 1

    async def add() -> None:
        for number in range(6):
            await workshop.bring({f"new-{number}": f"Something new, number {number}."})

    async def switch() -> None:
        for _ in range(3):
            await indexes.switch(OWNER, "handbook", begun.id)
            await asyncio.sleep(0.3)
            await indexes.rollback(OWNER, "handbook")
            await asyncio.sleep(0.3)
        stop.set()

    async with asyncio.timeout(100):
        await asyncio.gather(search(), search(), add(), switch())
    assert searches > 10
    await searcher.close()
    latest = (await workshop.collections.get(OWNER, "handbook")).revision
    for one in await indexes.list(OWNER, "handbook"):
        await workshop.followers.catch_up(one.generation.collection_id, latest, 30, generation=one.generation)
    await assert_whole(workshop)
