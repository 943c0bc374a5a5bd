"""A generation is removed by one process while another one fills it: nothing of it comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kaynak.catalog import Catalog, uncut
from kaynak.domain import OWNER, GenerationNotFound, PartSpec
from kaynak.engines.memory import MemoryDense, MemoryLexical
from kaynak.engines.pgvector import PgVectorEngine
from kaynak.indexing import Followers, Indexes, Wanted, follower
from kaynak.indexing.follower import Follower
from kaynak.testing.workshop import Workshop

pytestmark = pytest.mark.anyio

SOME = {f"d{number:02}": f"The text of document {number}.\n\nIt has a second paragraph." for number in range(12)}
OTHER = Wanted(chunker=PartSpec("fixed"), dense=PartSpec("pgvector"))


@pytest.fixture
async def workshop(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(follower, "CHANGES", 4)
    shared = PgVectorEngine(catalog.url, connections=2)
    made = Workshop(
        catalog, tmp_path, dense={"memory": MemoryDense(), "pgvector": shared}, lexical={"memory": MemoryLexical()}
    )
    await made.collection()
    await made.bring(SOME)
    yield made
    await shared.close()


async def chunkers(catalog: Catalog) -> int:
    async with catalog.read() as unit:
        found = await unit.connection.exec_driver_sql("SELECT count(DISTINCT chunker_fingerprint) FROM kaynak.chunks")
        return int(found.scalar_one())


async def _for_ever(index: Follower) -> None:
    async with asyncio.timeout(10):
        while True:
            await index.step()


async def test_whoever_fills_it_stops(workshop: Workshop) -> None:
    indexes = Indexes(workshop.catalog, workshop.parts, workshop.followers)
    begun = await indexes.build(OWNER, "handbook", OTHER)
    elsewhere = Followers(workshop.catalog, workshop.parts)
    dense, _ = elsewhere.of(begun.generation)
    await dense.step()
    await indexes.remove(OWNER, "handbook", begun.id)
    with pytest.raises(GenerationNotFound):
        await _for_ever(dense)
    assert not await workshop.dense["pgvector"].exists(begun.generation.key)
    assert await chunkers(workshop.catalog) == 1


async def test_passages_that_are_just_being_cut_are_not_stored(workshop: Workshop) -> None:
    indexes = Indexes(workshop.catalog, workshop.parts, workshop.followers)
    begun = await indexes.build(OWNER, "handbook", OTHER)
    dense, _ = Followers(workshop.catalog, workshop.parts).of(begun.generation)
    async with workshop.catalog.read() as unit:
        documents = await unit.documents.ids(begun.generation.collection_id, limit=3)
        assert len(await uncut(unit.connection, begun.generation, documents)) == 3
    await indexes.remove(OWNER, "handbook", begun.id)
    with pytest.raises(GenerationNotFound):
        await dense._taking.take(None, documents, 0, 0)  # as if it had read them before
    assert await chunkers(workshop.catalog) == 1
