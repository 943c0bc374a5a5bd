"""What is remembered is never stale and never forbidden."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from kaynak.caching import MemoryCache
from kaynak.domain import OWNER, CollectionNotFound, EmbedderUnavailable, InvalidQuery, Scope, SearchRequest
from kaynak.retrieval import CachedSearcher, Moments

pytestmark = pytest.mark.anyio

REQUEST = SearchRequest("annual leave", ("handbook",))


class Counting:
    """Counts the searches that reach it."""

    def __init__(self, inner):
        self.inner = inner
        self.searches = 0

    async def search(self, request, scope, **known):
        self.searches += 1
        return await self.inner.search(request, scope, **known)

    async def pages(self, scope, places):
        return await self.inner.pages(scope, places)

    async def embedder_of(self, collection):
        return await self.inner.embedder_of(collection)


@pytest.fixture
async def handbook(world):
    handbook = await world.collection()
    world.leave = await world.add(handbook, "leave", ["Annual leave is 26 days.", "Ask the office for leave."])
    world.coffee = await world.add(handbook, "coffee", ["Coffee is free."])
    await world.index(handbook)
    return handbook


@pytest.fixture
def cache():
    return MemoryCache(1_000_000)


@pytest.fixture
def cached(world, cache):
    world.counting = Counting(world.searcher)
    return CachedSearcher(world.counting, cache, Moments(world.catalog, world.parts), world.pool, seconds=60)


async def test_the_second_time_nothing_is_searched(world, handbook, cached):
    first = await cached.search(REQUEST, OWNER)
    second = await cached.search(REQUEST, OWNER)
    assert world.counting.searches == 1
    assert second.hits == first.hits
    assert (second.more, second.revisions, second.degraded) == (first.more, first.revisions, ())
    assert list(second.trace.stages) == ["cache"]
    third = await cached.search(replace(REQUEST, limit=1), OWNER)
    assert world.counting.searches == 2
    assert third.hits == first.hits[:1]


async def test_changes_are_seen_at_once(world, handbook, cached):
    await cached.search(REQUEST, OWNER)
    await world.add(handbook, "more", ["Annual leave can be carried over."])
    await world.index(handbook)
    found = await cached.search(REQUEST, OWNER)
    assert "more" in [hit.external_id for hit in found.hits]
    await world.add(handbook, "leave", ["Annual leave is 30 days."])
    await world.index(handbook)
    found = await cached.search(REQUEST, OWNER)
    assert [hit.version for hit in found.hits if hit.external_id == "leave"] == [2]
    await world.delete(handbook, world.leave)
    found = await cached.search(REQUEST, OWNER)  # the indexes do not know yet
    assert "leave" not in [hit.external_id for hit in found.hits]
    assert world.counting.searches == 4


async def test_what_indexes_say_while_they_lag_is_not_remembered(world, handbook, cached):
    await world.add(handbook, "more", ["Annual leave can be carried over."])
    behind = await cached.search(REQUEST, OWNER)
    assert "more" not in [hit.external_id for hit in behind.hits]
    await world.index(handbook)
    found = await cached.search(REQUEST, OWNER)
    assert "more" in [hit.external_id for hit in found.hits]


async def test_what_a_search_says_whose_indexes_caught_up_meanwhile_is_not_remembered(world, handbook, cached):
    await world.add(handbook, "more", ["Annual leave can be carried over."])
    inner = world.counting.inner

    class Slow(Counting):
        async def search(self, request, scope, **known):
            found = await inner.search(request, scope, **known)
            await world.index(handbook)
            return replace(found, revisions={"handbook": 3})  # so an index says that is asked after the search

    world.counting.inner = Slow(inner)
    await cached.search(REQUEST, OWNER)
    world.counting.inner = inner
    found = await cached.search(REQUEST, OWNER)
    assert "more" in [hit.external_id for hit in found.hits]


async def test_nobody_gets_what_is_for_others(world, handbook, cached):
    allowed = Scope("ada", frozenset([handbook.id]))
    assert (await cached.search(REQUEST, allowed)).hits
    for other in (Scope("bob", frozenset()), Scope("ada", frozenset()), Scope("ada", frozenset([uuid4()]))):
        with pytest.raises(CollectionNotFound):
            await cached.search(REQUEST, other)


async def test_a_value_under_another_key_or_of_another_version_is_not_shown(world, handbook, cached, cache):
    await cached.search(REQUEST, OWNER)
    await cached.search(replace(REQUEST, query="coffee"), OWNER)
    first, second = cache._entries
    cache._entries[first], cache._entries[second] = cache._entries[second], cache._entries[first]
    assert "leave" in (await cached.search(REQUEST, OWNER)).hits[0].external_id
    assert world.counting.searches == 3


async def test_forged_values_do_not_pass_the_gate(world, handbook, cached, cache):
    first = await cached.search(REQUEST, OWNER)
    (key,) = cache._entries
    hit = first.hits[0]
    forged = [
        replace(hit, chunk_ids=(10**9,)),
        replace(hit, version_id=uuid4()),
        replace(hit, collection="secrets"),
        replace(hit, score=7.0),
        replace(hit, text="other"),
    ]
    for count, one in enumerate(forged, start=2):
        value = cached._values.dump(key, replace(first, hits=(one,)))
        await cache.set(key, value, 60)
        assert (await cached.search(REQUEST, OWNER)).hits == first.hits
        assert world.counting.searches == count
    for value in (b"", b"\x00" * 50, key.encode(), key.encode() + b"\n{}", b"[" * 10_000):
        await cache.set(key, value, 60)
        assert (await cached.search(REQUEST, OWNER)).hits == first.hits


async def test_degraded_results_are_not_remembered(world, handbook, cached):
    world.embedder.failures = [EmbedderUnavailable("away")]
    first = await cached.search(REQUEST, OWNER)
    assert first.degraded
    second = await cached.search(REQUEST, OWNER)
    assert second.degraded == ()
    assert world.counting.searches == 2


async def test_requests_that_are_searched_for_in_any_case(world, handbook, cached):
    for request in (replace(REQUEST, explain=True), replace(REQUEST, explain_document="coffee")):
        for _ in range(2):
            found = await cached.search(request, OWNER)
            assert found.trace.collections
    assert world.counting.searches == 4


async def test_faults_are_those_of_the_search(world, handbook, cached):
    for request, error in (
        (replace(REQUEST, query=" "), InvalidQuery),
        (replace(REQUEST, collections=("nowhere",)), CollectionNotFound),
    ):
        with pytest.raises(error):
            await cached.search(request, OWNER)


async def test_the_model_is_known_where_another_process_has_searched(world, handbook, cached, cache):
    await cached.search(REQUEST, OWNER)
    other = CachedSearcher(
        Counting(type(world.searcher)(world.catalog, world.parts, world.followers)), cache,
        Moments(world.catalog, world.parts), world.pool, seconds=60,
    )  # fmt: skip
    await other.search(REQUEST, OWNER)
    assert other._inner.searches == 0
    assert await other.embedder_of("handbook") is world.embedder
    with pytest.raises(CollectionNotFound):
        await other.embedder_of("elsewhere")
