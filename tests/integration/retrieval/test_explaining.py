from __future__ import annotations

import pytest

from kaynak.domain import OWNER, SearchMode, SearchRequest, VersionState, parse_filter

pytestmark = pytest.mark.anyio


async def filled(world):
    handbook = await world.collection()
    await world.add(handbook, "leave", ["Annual leave is 26 days."], metadata={"team": "hr"})
    await world.add(handbook, "boats", ["Boats sail on the sea."], metadata={"team": "yard"})
    await world.add(handbook, "coffee", ["Coffee is free, also on leave."], metadata={"team": "hr"})
    await world.index(handbook)
    return handbook


async def absent(world, name, query="annual leave days", **more):
    request = SearchRequest(query, ("handbook",), explain_document=name, **more)
    return (await world.searcher.search(request, OWNER)).trace.absent


async def test_a_hit_tells_both_sides_and_the_weights(world):
    await filled(world)
    request = SearchRequest("annual leave days", ("handbook",), explain=True)
    result = await world.searcher.search(request, OWNER)
    why = result.hits[0].explanation
    assert why.lexical.rank == why.dense.rank == 1
    assert 0 < why.lexical.normalised <= 1
    assert 0 < why.dense.normalised <= 1
    assert sum(why.weights.values()) == pytest.approx(1)
    expected = why.weights["dense"] * why.dense.normalised + why.weights["lexical"] * why.lexical.normalised
    assert why.fused == pytest.approx(expected, abs=1e-4)
    of_collection = result.trace.collections["handbook"]
    assert of_collection["admitted"] == 3
    assert of_collection["lexical"] == 2
    assert of_collection["dense_mode"] == "exact"
    last = result.hits[-1].explanation
    assert last.lexical is None


async def test_a_returned_document_has_its_place(world):
    await filled(world)
    found = await absent(world, "leave")
    assert (found.found, found.stage, found.lexical_rank, found.dense_rank) == (True, "returned", 1, 1)
    assert found.reason == "It is hit 1."


async def test_a_document_that_does_not_exist(world):
    await filled(world)
    assert (await absent(world, "nothing")).stage == "unknown"


async def test_a_document_that_is_not_ready(world):
    handbook = await filled(world)
    async with world.catalog.begin() as unit:
        document, _ = await unit.documents.ensure(handbook.id, "new")
        await unit.versions.create(
            document,
            job_id=None,
            content_hash=b"0" * 32,
            filename="new",
            size=1,
            claimed_type=None,
            password=None,
        )
    found = await absent(world, "new")
    assert found.stage == "not-ready"
    assert VersionState.PENDING in found.reason


async def test_a_document_that_the_filter_leaves_out(world):
    await filled(world)
    found = await absent(world, "leave", filter=parse_filter({"team": "yard"}))
    assert (found.stage, found.lexical_rank) == ("filter", None)


async def test_a_document_that_no_side_proposes(world):
    await filled(world)
    assert (await absent(world, "boats", mode=SearchMode.LEXICAL)).stage == "candidates"


async def test_a_document_behind_the_page(world):
    await filled(world)
    found = await absent(world, "boats", limit=1)
    assert found.stage == "limit"
    assert "document 3 of 3" in found.reason


async def test_a_document_that_never_came_to_the_gate(world):
    handbook = await world.collection()
    for number in range(120):
        await world.add(handbook, f"d{number:03}", [f"Annual leave is {number} days. " + "And so on. " * (number // 8)])
    await world.index(handbook)
    page = await world.searcher.search(SearchRequest("annual leave days", ("handbook",), limit=120), OWNER)
    found = await absent(world, page.hits[97].external_id, limit=2)
    assert found.stage == "limit"


async def test_a_document_whose_index_entries_are_of_the_past(world, monkeypatch):
    await filled(world)

    async def blind(*_args, **_kwargs):
        return []

    monkeypatch.setattr("kaynak.catalog.looking.admit", blind)
    assert (await absent(world, "leave")).stage == "gate"
