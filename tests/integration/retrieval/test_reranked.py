from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from kaynak.catalog import Catalog
from kaynak.domain import OWNER, GroupBy, InvalidRequest, Misconfigured, RerankerUnavailable, SearchRequest
from kaynak.retrieval import RerankedSearcher, checking, reranked
from kaynak.testing.world import World

pytestmark = pytest.mark.anyio


class ByNumber:
    """Scores a passage by the number in it: the larger, the better."""

    name = "by-number"

    def __init__(self):
        self.calls = []
        self.error = None
        self.closed = False
        self.waits = 0.0

    async def rerank(self, query, passages):
        self.calls.append((query, list(passages)))
        await asyncio.sleep(self.waits)
        if self.error is not None:
            raise self.error
        return [int("".join(filter(str.isdigit, passage)) or 0) / 1000 for passage in passages]

    async def close(self):
        self.closed = True


@pytest.fixture
async def reranker():
    return ByNumber()


@pytest.fixture(scope="module")
async def boats(shared_database_url, tmp_path_factory):
    """A world with a handbook of seventy documents, which tests only read."""
    catalog = await Catalog.open(shared_database_url, pool_size=8)
    made = World(catalog, tmp_path_factory.mktemp("boats"))
    handbook = await made.collection()
    for number in range(70):
        await made.add(handbook, f"d{number:02}", [f"Boats sail {'far ' * (number % 11)}number {number}."])
    await made.index(handbook)
    yield made
    await made.close()
    await catalog.close()


@pytest.fixture
async def searcher(boats, reranker):
    async def opening():
        return reranker

    found = RerankedSearcher(boats.searcher, opening, seconds=5.0)
    yield found
    await found.close()


ASKED = SearchRequest("boats sail", ("handbook",), limit=5)


def names(result):
    return [hit.external_id for hit in result.hits]


async def test_the_first_fifty_are_in_the_order_of_the_reranker(boats, searcher, reranker):
    plain = await boats.searcher.search(replace(ASKED, limit=70), OWNER)
    result = await searcher.search(ASKED, OWNER)
    best = sorted(names(plain)[:50], reverse=True)
    assert names(result) == best[:5]
    assert result.more
    assert [hit.score for hit in result.hits] == [hit.score for hit in plain.hits[:5]]
    ((query, passages),) = reranker.calls
    assert query == "boats sail"
    assert len(passages) == 50
    assert "rerank" in result.trace.stages
    assert result.degraded == ()


async def test_pages_continue_each_other(boats, searcher):
    whole = names(await searcher.search(replace(ASKED, limit=70), OWNER))
    assert len(set(whole)) == 70
    paged = []
    for offset in range(0, 70, 10):
        result = await searcher.search(replace(ASKED, limit=10, offset=offset), OWNER)
        paged += names(result)
        assert result.more == (offset < 60)
    assert paged == whole
    assert whole[50:] == names(await boats.searcher.search(replace(ASKED, limit=20, offset=50), OWNER))


async def test_documents_are_put_in_order_too(searcher):
    result = await searcher.search(replace(ASKED, group_by=GroupBy.DOCUMENT), OWNER)
    assert names(result) == sorted(names(result), reverse=True)


@pytest.mark.parametrize(
    "error", [RerankerUnavailable("It sleeps."), Misconfigured("It has no key.")], ids=["away", "misconfigured"]
)
async def test_a_reranker_that_is_away_leaves_the_order(boats, searcher, reranker, error):
    reranker.error = error
    plain = await boats.searcher.search(ASKED, OWNER)
    for _ in range(2):
        result = await searcher.search(ASKED, OWNER)
        assert names(result) == names(plain)
        assert "not re-ranked" in result.degraded[0]
    assert len(reranker.calls) == 1  # it is left alone for a while
    searcher._rests_until = 0.0
    reranker.error = None
    assert names(await searcher.search(ASKED, OWNER)) != names(plain)


async def test_a_reranker_that_is_slow_is_not_waited_for(boats, reranker, searcher):
    reranker.waits = 5.0
    searcher._seconds = 0.05
    result = await searcher.search(ASKED, OWNER)
    assert names(result) == names(await boats.searcher.search(ASKED, OWNER))
    assert "0.05 s" in result.degraded[0]


async def test_one_that_cannot_be_loaded_is_tried_again(world, reranker):
    handbook = await world.collection()
    for number in range(3):
        await world.add(handbook, f"d{number}", [f"Boats sail {number}."])
    await world.index(handbook)
    faults = [Misconfigured("No such directory.")]

    async def opening():
        if faults:
            raise faults.pop()
        return reranker

    searcher = RerankedSearcher(world.searcher, opening, seconds=5.0)
    assert (await searcher.search(ASKED, OWNER)).degraded
    searcher._rests_until = 0.0
    assert not (await searcher.search(ASKED, OWNER)).degraded
    await searcher.close()
    assert reranker.closed


async def test_what_moved_is_explained(searcher):
    explained = replace(ASKED, explain=True, explain_document="d69")
    result = await searcher.search(explained, OWNER)
    notes = [note for hit in result.hits for note in hit.explanation.notes]
    assert any("the re-ranker moved it from place" in note for note in notes)
    absent = result.trace.absent
    if absent.found:
        assert absent.reason == f"It is hit {names(result).index('d69') + 1}."
    last = names(await searcher.search(replace(ASKED, limit=50), OWNER))[-1]
    absent = (await searcher.search(replace(explained, explain_document=last), OWNER)).trace.absent
    assert (absent.found, absent.stage, absent.reason) == (False, "limit", "It is hit 50, beyond what was asked for.")


async def test_nothing_found_needs_no_reranker(boats, searcher, reranker):
    await boats.index(await boats.collection("empty"))
    result = await searcher.search(replace(ASKED, collections=("empty",)), OWNER)
    assert result.hits == ()
    assert reranker.calls == []
    with pytest.raises(InvalidRequest):
        await searcher.search(replace(ASKED, limit=0), OWNER)


async def test_the_rest_is_passed_on(searcher):
    await searcher.search(ASKED, OWNER)
    assert (await searcher.embedder_of("handbook")).dimensions == 64
    assert await searcher.pages(OWNER, []) == []


async def test_the_longest_page_may_begin_anywhere(boats, searcher, monkeypatch):
    monkeypatch.setattr(checking, "LIMIT_MOST", 60)
    monkeypatch.setattr(reranked, "LIMIT_MOST", 60)
    first = await searcher.search(replace(ASKED, limit=10), OWNER)
    rest = await searcher.search(replace(ASKED, offset=10, limit=60), OWNER)
    assert sorted(names(first) + names(rest)) == [f"d{number:02}" for number in range(70)]
    with pytest.raises(InvalidRequest):
        await searcher.search(replace(ASKED, limit=61), OWNER)
