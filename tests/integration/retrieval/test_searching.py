from __future__ import annotations

from dataclasses import replace

import pytest

from kaynak.domain import (
    OWNER,
    CatalogUnavailable,
    CollectionNotFound,
    GroupBy,
    InvalidQuery,
    RevisionTimeout,
    Scope,
    SearchMode,
    SearchRequest,
    parse_filter,
)
from kaynak.engines import DenseSpec, VectorField
from kaynak.retrieval.hits import Reader
from kaynak.retrieval.searcher import DEPTHS, REPEATS_MOST

pytestmark = pytest.mark.anyio

BOATS = ["Each boat has a keel.", "Sails are white.", "The mast is made of pine.", "An anchor lies in the bow."]


async def filled(world):
    handbook = await world.collection()
    await world.add(handbook, "boats.txt", BOATS, metadata={"team": "yard", "year": 2024})
    await world.add(handbook, "leave.txt", ["Annual leave is 26 days.", "Ask the office."], metadata={"team": "hr"})
    await world.add(handbook, "coffee.txt", ["Coffee is free in the office."])
    await world.index(handbook)
    return handbook


def ask(query, **more):
    return SearchRequest(query, more.pop("collections", ("handbook",)), **more)


async def text_of(world, hit):
    async with world.catalog.read() as unit:
        return (await unit.versions.text(OWNER, hit.document_id)).text


@pytest.mark.parametrize("mode", list(SearchMode))
async def test_finds_what_says_it_and_tells_where(world, mode):
    await filled(world)
    result = await world.searcher.search(ask("annual leave days", mode=mode), OWNER)
    first = result.hits[0]
    assert (first.external_id, first.collection, first.version) == ("leave.txt", "handbook", 1)
    assert first.text == first.span.of(await text_of(world, first))
    assert first.pages is not None
    assert first.pages[0] == 1
    assert first.metadata == {"team": "hr"}
    assert first.language == "en"
    assert first.explanation is None
    assert result.degraded == ()
    assert result.revisions == {"handbook": 3}
    assert all(0 <= hit.score <= 1 for hit in result.hits)
    scores = [hit.score for hit in result.hits]
    assert scores == sorted(scores, reverse=True)
    assert {"lookup", "sides", "fusion", "gate"} <= set(result.trace.stages)


async def test_neighbours_are_read_as_one_passage(world):
    handbook = await world.collection()
    await world.add(
        handbook, "x", ["Red boats sail.", "Blue boats sail.", "Nothing.", "Green boats sail."], between="\n\n  "
    )
    await world.add(handbook, "y", ["Filler about trees and stones."])
    await world.index(handbook)
    request = ask("boats sail", mode=SearchMode.LEXICAL, explain=True)
    hits = (await world.searcher.search(request, OWNER)).hits
    assert [hit.text for hit in hits] == ["Red boats sail.\n\n  Blue boats sail.", "Green boats sail."]
    assert hits[0].pages == (1, 2)
    assert len(hits[0].chunk_ids) == 2
    assert "2 neighbouring chunks are read as one passage" in hits[0].explanation.notes
    for hit in hits:
        assert hit.text == hit.span.of(await text_of(world, hit))


async def test_the_same_passage_in_two_documents_is_shown_once(world):
    handbook = await world.collection()
    policy = "Every boat must carry one life jacket for each person on board, and two more for guests who come late."
    await world.add(handbook, "a", [policy])
    await world.add(handbook, "b", [policy.upper()])
    await world.add(handbook, "c", ["A life jacket is orange."])
    await world.index(handbook)
    request = ask("life jacket for each person", explain=True, explain_document="b")
    result = await world.searcher.search(request, OWNER)
    assert [hit.external_id for hit in result.hits] in (["a", "c"], ["b", "c"])
    standing = result.hits[0]
    other = {"a": "b", "b": "a"}[standing.external_id]
    assert f"stands also for a near-duplicate in “{other}”" in standing.explanation.notes
    expected = "returned" if standing.external_id == "b" else "duplicate"
    assert result.trace.absent.stage == expected
    documents = await world.searcher.search(replace(request, group_by=GroupBy.DOCUMENT), OWNER)
    assert {hit.external_id for hit in documents.hits} == {"a", "b", "c"}


async def test_a_document_is_one_hit_when_documents_are_asked_for(world):
    await filled(world)
    request = ask("boat keel sails mast anchor office", group_by=GroupBy.DOCUMENT)
    hits = (await world.searcher.search(request, OWNER)).hits
    assert [hit.external_id for hit in hits].count("boats.txt") == 1
    assert len({hit.document_id for hit in hits}) == len(hits) == 3


@pytest.mark.parametrize("group_by", list(GroupBy))
@pytest.mark.parametrize("size", [3, 7])
async def test_pages_continue_each_other(world, group_by, size):
    handbook = await world.collection()
    for number in range(30):
        passages = [f"Boat {number} {word} sails on lake {number * 7 % 11}." for word in ("red", "blue", "green")]
        await world.add(handbook, f"d{number}", passages, between=" ")
    await world.index(handbook)

    async def page(offset, limit):
        request = ask("red boat sails on lake 3", group_by=group_by, offset=offset, limit=limit)
        return await world.searcher.search(request, OWNER)

    everything = (await page(0, 200)).hits
    paged, offset = [], 0
    while True:
        result = await page(offset, size)
        paged += result.hits
        assert result.more == (len(paged) < len(everything))
        offset += size
        if not result.more:
            break
    assert [hit.chunk_ids for hit in paged] == [hit.chunk_ids for hit in everything]
    assert len({hit.span for hit in paged if hit.document_id == paged[0].document_id}) == sum(
        hit.document_id == paged[0].document_id for hit in paged
    )
    assert (await page(9000, size)).hits == ()


async def test_deep_pages_do_not_repeat_shallow_ones(world, monkeypatch):
    """Beyond the first candidates more are fetched; what was found before stays where it was."""
    monkeypatch.setattr("kaynak.retrieval.searcher.DEPTHS", (10, 30, 100))
    handbook = await world.collection()
    for number in range(60):
        await world.add(handbook, f"d{number}", [f"Boat {number} sails {'far ' * (number % 5)}"])
    await world.index(handbook)
    seen = []
    for offset in range(0, 60, 4):
        request = ask("boat sails far", group_by=GroupBy.DOCUMENT, offset=offset, limit=4)
        seen += [hit.external_id for hit in (await world.searcher.search(request, OWNER)).hits]
    assert len(seen) == len(set(seen)) == 60


async def test_a_document_that_says_one_thing_a_thousand_times_is_not_read_whole(world, monkeypatch):
    handbook = await world.collection()
    await world.add(handbook, "log", ["The boat left the harbour at noon.", *["The boat came back."] * 1500])
    await world.add(handbook, "other", ["A train left."])
    await world.index(handbook)
    read = []
    original = Reader.read

    async def counted(self, unit, drafts):
        read.append(len(drafts))
        await original(self, unit, drafts)

    monkeypatch.setattr(Reader, "read", counted)
    result = await world.searcher.search(ask("boat came back"), OWNER)
    first = result.hits[0]
    # Of all those places the first is shown, and no other but as one among its neighbours.
    assert (first.external_id, first.span.start) == ("log", len("The boat left the harbour at noon.\n\n"))
    texts = [hit.text for hit in result.hits]
    assert len(texts) == len(set(texts)) <= 3
    assert all(set(text.split("\n\n")) == {"The boat came back."} for text in texts)
    assert sum(read) <= len(DEPTHS) * (REPEATS_MOST + 11)
    assert len(read) < 40  # each may be a question to the database


async def test_a_filter_is_judged_by_the_catalog(world):
    handbook = await filled(world)
    condition = parse_filter({"team": "yard"})
    hits = (await world.searcher.search(ask("office boat leave", filter=condition), OWNER)).hits
    assert {hit.external_id for hit in hits} == {"boats.txt"}
    # The indexes still hold the old metadata.
    await world.describe(handbook, hits[0].document_id, {"team": "sales"})
    assert (await world.searcher.search(ask("office boat leave", filter=condition), OWNER)).hits == ()
    system = parse_filter({"_id": {"$in": ["leave.txt", "coffee.txt"]}, "_type": "text/plain"})
    hits = (await world.searcher.search(ask("office boat leave", filter=system), OWNER)).hits
    assert {hit.external_id for hit in hits} == {"leave.txt", "coffee.txt"}


async def test_what_is_not_for_the_caller_does_not_exist(world):
    handbook = await filled(world)
    other = await world.collection("other")
    stranger = Scope("stranger", frozenset([other.id]))
    with pytest.raises(CollectionNotFound):
        await world.searcher.search(ask("leave"), stranger)
    with pytest.raises(CollectionNotFound):
        await world.searcher.search(ask("leave", collections=("other", "handbook")), stranger)
    member = Scope("member", frozenset([handbook.id]))
    assert (await world.searcher.search(ask("leave"), member)).hits


async def test_unknown_collections_and_bad_queries_are_refused(world):
    await filled(world)
    with pytest.raises(CollectionNotFound):
        await world.searcher.search(ask("leave", collections=("handbook", "nowhere")), OWNER)
    for query in ("", "  ", "x" * 100_000):
        with pytest.raises(InvalidQuery):
            await world.searcher.search(ask(query), OWNER)


@pytest.mark.parametrize(
    "query", ["?!…", "🏝️", "zzzz qqqq", "'\"); DROP TABLE x; --", "a" * 8000, "\u202eright to left"]
)
async def test_odd_queries_are_answered(world, query):
    await filled(world)
    result = await world.searcher.search(ask(query), OWNER)
    assert result.degraded == ()


async def test_an_empty_collection_has_no_hits(world):
    handbook = await world.collection()
    await world.index(handbook)
    result = await world.searcher.search(ask("anything", explain=True), OWNER)
    assert (result.hits, result.more, result.revisions) == ((), False, {"handbook": 0})


async def test_ones_own_writes_are_read(world):
    handbook = await filled(world)
    await world.add(handbook, "new.txt", ["Penguins cannot fly."])
    current = await world.current()
    result = await world.searcher.search(ask("penguins", min_revision={"handbook": current.revision}), OWNER)
    assert result.hits[0].external_id == "new.txt"
    assert result.revisions["handbook"] == current.revision


async def test_a_revision_that_never_comes_times_out(world, monkeypatch):
    await filled(world)
    monkeypatch.setattr("kaynak.retrieval.searcher.CATCH_UP_SECONDS", 0.05)
    with pytest.raises(RevisionTimeout):
        await world.searcher.search(ask("leave", min_revision={"handbook": 99}), OWNER)


async def test_the_answer_tells_which_revision_it_reflects(world):
    handbook = await filled(world)
    await world.add(handbook, "new.txt", ["Penguins cannot fly."])
    assert (await world.searcher.search(ask("penguins"), OWNER)).revisions == {"handbook": 3}
    await world.index(handbook)
    assert (await world.searcher.search(ask("penguins"), OWNER)).revisions == {"handbook": 4}


async def test_the_callers_weight_decides(world):
    await filled(world)
    for weight, side in ((0.0, "lexical"), (1.0, "dense")):
        request = ask("annual leave office", dense_weight=weight, explain=True)
        hits = (await world.searcher.search(request, OWNER)).hits
        assert hits[0].explanation.weights[side] == 1.0
        alone = (await world.searcher.search(ask("annual leave office", mode=SearchMode(side)), OWNER)).hits
        count = min(3, len(alone))
        assert [hit.document_id for hit in hits[:count]] == [hit.document_id for hit in alone[:count]]


async def test_each_model_is_asked_once(world):
    first = await world.collection("a")
    second = await world.collection("b")
    for one in (first, second):
        await world.add(one, "x", ["Boats sail."])
    await world.index(first, second)
    world.embedder.calls.clear()
    result = await world.searcher.search(ask("boats", collections=("a", "b", "a")), OWNER)
    assert {hit.collection for hit in result.hits} | {"a", "b"} == {"a", "b"}
    assert [texts for texts, kind in world.embedder.calls if kind == "query"] == [("boats",)]


async def test_a_chosen_generation_stays_chosen_when_the_database_comes_back(world, monkeypatch):
    handbook = await world.collection()
    await world.add(handbook, "leave", ["Annual leave is 26 days."])
    await world.index(handbook)
    handbook = await world.current()
    other = replace(handbook, generation=replace(handbook.generation, id=999))
    await world.dense.create(DenseSpec("g999", (VectorField("text", handbook.generation.dimensions),)))
    look, looks = world.catalog.look, []

    def once_away():
        looks.append(1)
        if len(looks) == 1:
            raise CatalogUnavailable("The database was just restarted.")
        return look()

    monkeypatch.setattr(world.catalog, "look", once_away)
    request = SearchRequest("annual leave", ("handbook",), mode=SearchMode.DENSE)
    assert (await world.searcher.search(request, OWNER, collections=[other])).hits == ()
    assert len(looks) > 1
