"""Searches of collections whose lexical index holds what the model has learnt of tokens."""

from __future__ import annotations

import pytest

from kaynak.domain import OWNER, EmbedderUnavailable, Misconfigured, SearchMode, SearchRequest, parse_filter
from kaynak.testing.fake_sparse import FakeSparseEmbedder
from kaynak.testing.world import MEMORY, WEIGHTED, World

pytestmark = pytest.mark.anyio

AWAY = EmbedderUnavailable("The model sleeps.")


def ask(query: str = "boats sail", mode: SearchMode = SearchMode.HYBRID, **more) -> SearchRequest:
    return SearchRequest(query, more.pop("collections", ("handbook",)), mode=mode, explain=True, **more)


async def filled(world: World, name: str = "handbook", lexical=WEIGHTED):
    made = await world.collection(name, lexical=lexical)
    await world.add(made, "boats", ["Boats sail on the sea."], metadata={"year": 2020})
    await world.add(made, "bread", ["Bread is baked with boats of flour."], metadata={"year": 2021})
    await world.index(made)
    return made


def weigher(world: World) -> FakeSparseEmbedder:
    return world.pool.weigher


async def test_words_count_as_the_model_has_learnt(world: World) -> None:
    await filled(world)
    result = await world.searcher.search(ask(mode=SearchMode.LEXICAL), OWNER)
    assert [hit.external_id for hit in result.hits] == ["boats", "bread"]
    first = result.hits[0].explanation
    assert first is not None
    assert first.lexical is not None
    # Boats and sail are weighed 5/32 and 4/32 by query and passage alike: half of the scale.
    assert (first.lexical.score, first.lexical.normalised) == (pytest.approx(41 / 1024, abs=1e-6), 0.5)
    assert "words count as the model has learnt" in first.notes
    told = result.trace.collections["handbook"]
    assert told["lexical_holds"] == "learnt weights"
    assert told["signals"]["lexical_known"] is None
    assert result.trace.stages["weigh"] >= 0


async def test_both_sides_and_filters(world: World) -> None:
    await filled(world)
    result = await world.searcher.search(ask(filter=parse_filter({"year": 2021})), OWNER)
    assert [hit.external_id for hit in result.hits] == ["bread"]
    explanation = result.hits[0].explanation
    assert explanation is not None
    assert explanation.lexical is not None
    assert explanation.dense is not None
    assert result.degraded == ()


async def test_a_query_is_weighed_once(world: World) -> None:
    for name in ("handbook", "other"):
        await filled(world, name)
    weigher(world).calls.clear()
    await world.searcher.search(ask(collections=("handbook", "other")), OWNER)
    assert weigher(world).calls == [(("boats sail",), "query")]


async def test_collections_of_words_and_of_weights_compare(world: World) -> None:
    await filled(world)
    await filled(world, "words", MEMORY)
    result = await world.searcher.search(ask(collections=("handbook", "words")), OWNER)
    assert [hit.external_id for hit in result.hits][:1] == ["boats"]
    holds = {name: told["lexical_holds"] for name, told in result.trace.collections.items()}
    assert holds == {"handbook": "learnt weights", "words": "words"}


async def test_without_what_weighs_meaning_is_searched(world: World) -> None:
    await filled(world)
    weigher(world).failures = [AWAY]
    result = await world.searcher.search(ask(), OWNER)
    assert result.hits[0].external_id == "boats"
    (sentence,) = result.degraded
    assert "by words" in sentence
    assert "sleeps" in sentence
    weigher(world).failures = [AWAY]
    with pytest.raises(EmbedderUnavailable):
        await world.searcher.search(ask(mode=SearchMode.LEXICAL), OWNER)


async def test_without_vectors_weights_are_searched(world: World) -> None:
    await filled(world)
    world.embedder.failures = [AWAY]
    result = await world.searcher.search(ask(), OWNER)
    assert result.hits[0].external_id == "boats"
    assert "by meaning" in result.degraded[0]


async def test_another_head_under_the_same_name_is_not_used(world: World) -> None:
    await filled(world)
    weigher(world).fingerprint = "another"
    result = await world.searcher.search(ask(), OWNER)
    assert result.hits
    assert "not the one" in result.degraded[0]
    with pytest.raises(Misconfigured):
        await world.searcher.search(ask(mode=SearchMode.LEXICAL), OWNER)


async def test_a_query_without_weights_finds_nothing_by_words(world: World) -> None:
    await filled(world)
    assert (await world.searcher.search(ask("a b c", SearchMode.LEXICAL), OWNER)).hits == ()
    assert (await world.searcher.search(ask("a b c"), OWNER)).degraded == ()


async def test_a_lost_index_of_weights_is_told(world: World) -> None:
    handbook = await filled(world)
    await world.lexical.drop(handbook.generation.key)
    result = await world.searcher.search(ask(), OWNER)
    assert result.hits
    assert len(result.degraded) == 1
