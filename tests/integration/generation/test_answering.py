from __future__ import annotations

import pytest

from kaynak.domain import OWNER, AskRequest, CollectionNotFound, SearchRequest
from kaynak.generation import Asker, CatalogAnswerings, ExtractiveAnswerer, SearchFinder

pytestmark = pytest.mark.anyio


async def filled(world):
    handbook = await world.collection()
    await world.add(
        handbook,
        "leave",
        ["Everyone has 26 days of annual leave.", "Leave is requested in the portal.", "Unused leave ends in March."],
        between="\n",
    )
    await world.add(handbook, "kitchen", ["Coffee is free for all."])
    await world.index(handbook)
    return asker_of(world)


def asker_of(world):
    return Asker(
        SearchFinder(world.searcher),
        ExtractiveAnswerer(world.searcher),
        answerings=CatalogAnswerings(world.catalog),
    )


def ask(question):
    return AskRequest(SearchRequest(question, ("handbook",)))


async def test_every_quote_is_in_the_text_it_names(world):
    asker = await filled(world)
    answer = await asker.ask(ask("How many days of annual leave does everyone have?"), OWNER)
    assert answer.found
    assert answer.model == "extractive"
    assert "26 days" in answer.text
    async with world.catalog.read() as unit:
        for citation in answer.citations:
            version = await unit.versions.text(OWNER, citation.document_id, citation.version)
            assert version.version_id == citation.version_id
            assert citation.span.of(version.text) == citation.quote
            page = next(page for page in version.pages if page.start <= citation.span.start < page.end)
            assert citation.page == page.number


async def test_off_topic_questions_are_not_answered(world):
    asker = await filled(world)
    for question in ("Which volcano erupted near Naples?", "Dünyanın en yüksek dağı hangisidir?"):
        answer = await asker.ask(ask(question), OWNER)
        assert (answer.found, answer.citations) == (False, ())


async def test_an_empty_collection_says_nothing(world):
    handbook = await world.collection()
    await world.index(handbook)
    asker = asker_of(world)
    assert not (await asker.ask(ask("Anything at all?"), OWNER)).found


async def test_the_model_of_a_collection_is_known_once_it_was_searched(world):
    await filled(world)
    with pytest.raises(CollectionNotFound):
        await world.searcher.embedder_of("handbook")
    await world.searcher.search(ask("leave").search, OWNER)
    assert await world.searcher.embedder_of("handbook") is world.embedder
