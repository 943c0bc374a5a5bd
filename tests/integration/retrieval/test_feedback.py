from __future__ import annotations

from uuid import uuid4

import numpy as np
import pytest

from kaynak.domain import OWNER, EmbedderUnavailable, Scope, SearchMode, SearchRequest
from kaynak.retrieval import Feedback

pytestmark = pytest.mark.anyio


async def filled(world):
    handbook = await world.collection()
    await world.add(handbook, "leave", ["Annual leave is vacation of 26 days.", "Vacation is paid."])
    await world.add(handbook, "rest", ["Everyone on vacation is paid."])
    await world.add(handbook, "coffee", ["Coffee is free in the kitchen.", "Tea costs nothing."])
    await world.index(handbook)
    return Feedback(world.catalog, world.parts)


def ask(query, **more):
    return SearchRequest(query, ("handbook",), **more)


async def test_what_was_found_says_what_was_meant(world):
    feedback = await filled(world)
    request = ask("annual leave", mode=SearchMode.DENSE, limit=3)
    plain = await world.searcher.search(request, OWNER)
    vectors = await feedback.vectors("annual leave", plain.hits[:1], OWNER)
    (own,) = await world.embedder.embed(["annual leave"], "query")
    (rest,) = await world.embedder.embed(["Everyone on vacation is paid."], "document")
    moved = vectors["fake"]
    assert moved.dtype == np.float32
    assert np.linalg.norm(moved) == pytest.approx(1, abs=1e-5)
    assert float(moved @ rest) > float(own @ rest)
    again = await world.searcher.search(request, OWNER, vectors=vectors)
    assert [hit.external_id for hit in again.hits][:2] == ["leave", "rest"]


async def test_vectors_of_another_size_or_model_are_not_used(world):
    await filled(world)
    request = ask("annual leave", mode=SearchMode.DENSE)
    plain = await world.searcher.search(request, OWNER)
    for vectors in ({"fake": np.ones(3, np.float32)}, {"other": np.ones(64, np.float32)}):
        assert (await world.searcher.search(request, OWNER, vectors=vectors)).hits == plain.hits


async def test_what_the_caller_may_not_read_moves_nothing(world):
    feedback = await filled(world)
    hits = (await world.searcher.search(ask("annual leave"), OWNER)).hits
    handbook = await world.current()
    await world.delete(handbook, hits[0].document_id)
    only = [hit for hit in hits if hit.document_id == hits[0].document_id]
    assert await feedback.vectors("annual leave", only, OWNER) == {}
    assert await feedback.vectors("annual leave", [], Scope("x", frozenset([uuid4()]))) == {}


async def test_without_its_model_there_is_nothing_to_move(world):
    feedback = await filled(world)
    hits = (await world.searcher.search(ask("annual leave"), OWNER)).hits
    world.embedder.failures = [EmbedderUnavailable("away")] * 3
    assert await feedback.vectors("annual leave", hits, OWNER) == {}
