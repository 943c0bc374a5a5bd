"""Indexes may be stale or hostile: that may cost recall, and must not leak or break anything."""

from __future__ import annotations

import pytest

from kaynak.domain import OWNER, GroupBy, Scope, SearchMode, SearchRequest
from kaynak.engines import Candidates, LexicalCandidates

pytestmark = pytest.mark.anyio


def ask(query="boats sail", **more):
    return SearchRequest(query, ("mine",), **more)


class Hostile:
    """Stands before an engine, and answers what it is told."""

    def __init__(self, engine, ids, scores):
        self._engine = engine
        self._ids = ids
        self._scores = scores

    def __getattr__(self, name):
        return getattr(self._engine, name)

    async def search(self, *_args, **_kwargs):
        return Candidates(self._ids, self._scores, "ann")


class HostileWords(Hostile):
    async def search(self, *_args, **_kwargs):
        nan = float("nan")
        return LexicalCandidates(self._ids, self._scores, "exact", ceiling=nan, coverage=(), known=nan)


async def two_collections(world):
    mine = await world.collection("mine")
    theirs = await world.collection("theirs")
    await world.add(mine, "open", ["Boats sail on the sea."])
    await world.add(theirs, "secret", ["Secret boats sail at night."])
    await world.index(mine, theirs)
    return mine, theirs


async def all_chunk_ids(world):
    async with world.catalog.read() as unit:
        found = await unit.connection.exec_driver_sql("SELECT id FROM kaynak.chunks ORDER BY id")
        return list(found.scalars())


def betray(world, ids, scores):
    world.parts.dense["memory"] = Hostile(world.dense, ids, scores)
    world.parts.lexical["memory"] = HostileWords(world.lexical, ids, scores)


@pytest.mark.parametrize("mode", list(SearchMode))
@pytest.mark.parametrize("group_by", list(GroupBy))
async def test_foreign_chunks_do_not_leak(world, mode, group_by):
    mine, _ = await two_collections(world)
    ids = await all_chunk_ids(world)
    nan, inf = float("nan"), float("inf")
    betray(world, (*ids, *ids, -1, 2**62, 0), (*[0.9] * len(ids), *[nan] * len(ids), inf, 0.5, -inf))
    for scope in (OWNER, Scope("me", frozenset([mine.id]))):
        hits = (await world.searcher.search(ask(mode=mode, group_by=group_by, explain=True), scope)).hits
        assert [hit.external_id for hit in hits] == ["open"]
        assert all(0 <= hit.score <= 1 for hit in hits)


@pytest.mark.parametrize(
    ("ids", "scores"),
    [((), ()), ((1, 2, 3), ()), (("x",), (1.0,)), ((2**80,), (1.0,)), ((None,), (None,)), ((1,), ("high",))],
)
async def test_nonsense_is_no_candidate(world, ids, scores):
    await two_collections(world)
    betray(world, ids, scores)
    assert (await world.searcher.search(ask(), OWNER)).hits == ()


async def test_what_was_deleted_is_gone_at_once(world):
    mine = await world.collection("mine")
    documents = [await world.add(mine, f"d{n}", [f"Boats sail to island {n}."]) for n in range(6)]
    await world.index(mine)
    for document in documents[:4]:
        await world.delete(mine, document)
    hits = (await world.searcher.search(ask(), OWNER)).hits
    assert {hit.external_id for hit in hits} == {"d4", "d5"}


async def test_what_was_superseded_is_gone_at_once(world):
    mine = await world.collection("mine")
    await world.add(mine, "d", ["Boats sail by wind."])
    await world.index(mine)
    await world.add(mine, "d", ["Trains run on rails."])
    request = ask(explain_document="d")
    result = await world.searcher.search(request, OWNER)
    assert result.hits == ()
    assert result.trace.absent.stage == "candidates"
    assert "latest change" in result.trace.absent.reason


async def test_a_page_is_filled_although_the_index_is_stale(world, monkeypatch):
    monkeypatch.setattr("kaynak.retrieval.searcher.DEPTHS", (8, 20, 60))
    mine = await world.collection("mine")
    documents = [await world.add(mine, f"d{n:02}", [f"Boats sail {'on ' * n}{n}."]) for n in range(30)]
    await world.index(mine)
    top = (await world.searcher.search(ask(limit=3), OWNER)).hits
    assert len(top) == 3
    first = (await world.searcher.search(ask(limit=25, group_by=GroupBy.DOCUMENT), OWNER)).hits
    assert len(first) == 25
    for hit in first[:12]:
        await world.delete(mine, hit.document_id)
    result = await world.searcher.search(ask(limit=3), OWNER)
    assert len(result.hits) == 3
    assert result.more
    assert {hit.document_id for hit in result.hits} <= set(documents) - {hit.document_id for hit in first[:12]}
