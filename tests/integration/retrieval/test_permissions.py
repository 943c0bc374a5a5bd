"""What engines are told of who may read, and that it costs nobody anything that they may read."""

from __future__ import annotations

import time
from dataclasses import replace
from uuid import UUID

import pytest

from kaynak.domain import OWNER, Scope, SearchMode, SearchRequest, parse_filter
from kaynak.domain.filters import READERS, And, Condition

pytestmark = pytest.mark.anyio

ADA = UUID(int=1)


class Told:
    """Stands before an engine, and notes what it is asked."""

    def __init__(self, engine):
        self._engine = engine
        self.conditions = []

    def __getattr__(self, name):
        return getattr(self._engine, name)

    async def search(self, *args, condition=None, **more):
        self.conditions.append(condition)
        return await self._engine.search(*args, condition=condition, **more)


async def library(world, count, listed, text="Boats sail on sea number {}."):
    """Makes a collection of ``count`` documents, of which those in ``listed`` have readers; returns Ada's scope."""
    collection = await world.collection("mine")
    documents = [await world.add(collection, f"doc-{at}", [text.format(at)]) for at in range(count)]
    async with world.catalog.begin() as unit:
        given = {documents[at]: readers for at, readers in listed.items()}
        await unit.changes.record(collection.id, [(one, "put") for one in await unit.documents.restrict(given)])
    await world.index(await world.current("mine"))
    world.told = Told(world.dense)
    world.parts.dense["memory"] = world.told
    return Scope(f"user:{ADA}", frozenset([collection.id]), principals=frozenset([ADA]))


async def names(world, scope, query="boats sail", **more):
    result = await world.searcher.search(SearchRequest(query, ("mine",), **more), scope)
    return {hit.external_id for hit in result.hits}


def names_asked_for(condition):
    parts = condition.parts if isinstance(condition, And) else (condition,)
    return next(part.value for part in parts if isinstance(part, Condition) and part.field == READERS)


async def test_where_all_have_a_list_only_those_with_a_name_are_found(world):
    mine = {0: frozenset([ADA]), 3: frozenset([ADA])}
    scope = await library(world, 10, {**dict.fromkeys(range(10), frozenset()), **mine})
    assert await names(world, scope) == {"doc-0", "doc-3"}
    assert names_asked_for(world.told.conditions[-1]) == (None, str(ADA))
    await names(world, scope, filter=parse_filter({"_id": "doc-0"}))
    assert names_asked_for(world.told.conditions[-1]) == (None, str(ADA))
    assert len(await names(world, OWNER)) == 10
    assert world.told.conditions[-1] is None


async def test_where_one_has_none_it_is_found(world):
    scope = await library(world, 10, {0: frozenset([ADA]), **dict.fromkeys(range(1, 9), frozenset())})
    assert await names(world, scope) == {"doc-0", "doc-9"}
    assert names_asked_for(world.told.conditions[-1]) == (None, str(ADA))


async def test_who_may_read_little_is_remembered_each_with_their_groups(world, monkeypatch):
    scope = await library(world, 10, {0: frozenset([ADA]), **dict.fromkeys(range(1, 10), frozenset())})
    for looks in (2, 1):  # the second question is not asked loosely any more
        world.told.conditions.clear()
        assert await names(world, scope, mode=SearchMode.DENSE) == {"doc-0"}
        assert len(world.told.conditions) == looks
    other = replace(scope, principals=frozenset([UUID(int=2)]))
    world.told.conditions.clear()
    assert await names(world, other, mode=SearchMode.DENSE) == set()
    assert world.told.conditions[0] is None
    later = time.monotonic() + 301
    monkeypatch.setattr("kaynak.retrieval.narrow.time.monotonic", lambda: later)
    world.told.conditions.clear()
    assert await names(world, scope, mode=SearchMode.DENSE) == {"doc-0"}
    assert world.told.conditions[0] is None


@pytest.mark.parametrize("mode", list(SearchMode))
async def test_where_much_may_be_read_engines_are_not_told_and_the_gate_drops_them(world, mode):
    scope = await library(world, 30, {0: frozenset([ADA]), 1: frozenset(), 2: frozenset()})
    assert await names(world, scope, mode=mode, limit=50) == {f"doc-{at}" for at in range(30)} - {"doc-1", "doc-2"}
    assert world.told.conditions == ([] if mode is SearchMode.LEXICAL else [None])
    explained = await world.searcher.search(SearchRequest("boats sail", ("mine",), mode=mode, explain=True), scope)
    told = explained.trace.collections["mine"]
    assert {told["dense"], told["lexical"]} <= {0, 28}
    assert told["admitted"] == 28


@pytest.mark.untraced
async def test_who_asks_for_what_they_may_not_read_finds_all_that_they_may(world):
    """Everything near the question is for others: what is left of the first look is little, and from one side alone."""
    scope = await library(world, 300, {at: frozenset() for at in range(90)}, text="Note {}.")
    collection = await world.current("mine")
    for at in range(90):
        await world.add(collection, f"doc-{at}", [f"The director earns nine moonstones in month {at}."])
    for at in range(90, 110):
        await world.add(collection, f"doc-{at}", [f"The director of the zoo likes {at} moonstones."])
    await world.index(collection)
    query = "How many moonstones does the director earn in a month?"
    for mode in (SearchMode.DENSE, SearchMode.HYBRID):
        hits = await names(world, scope, query, mode=mode, limit=10)
        assert len(hits) == 10
        assert hits <= {f"doc-{at}" for at in range(90, 110)}
    first, *others = world.told.conditions
    assert first is None
    assert [names_asked_for(one) for one in others] == [(None, str(ADA))] * 2
