from __future__ import annotations

import asyncio

import pytest

from kaynak.catalog.embeddings import Embeddings
from kaynak.domain import OWNER, SearchRequest
from kaynak.retrieval import Searcher

pytestmark = pytest.mark.anyio


async def test_what_goes_on_behind_the_scenes_ends_with_the_searcher(world, monkeypatch) -> None:
    """A profile that takes long outlives the search that asked for it, and has a connection of the catalog."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def sample(_self, _generation, _size):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(Embeddings, "sample", sample)
    monkeypatch.setattr("kaynak.retrieval.profiles._PATIENCE", 0.01)
    handbook = await world.collection()
    await world.add(handbook, "leave", ["Annual leave is 26 days."])
    await world.index(handbook)
    searcher = Searcher(world.catalog, world.parts, world.followers)
    await searcher.search(SearchRequest("leave", ("handbook",)), OWNER)
    assert begun.is_set()
    assert not ended.is_set()
    await searcher.close()
    assert ended.is_set()


async def test_a_searcher_that_did_nothing_closes(world) -> None:
    await Searcher(world.catalog, world.parts, world.followers).close()
