from __future__ import annotations

import asyncio

import psycopg
import pytest

from kaynak.domain import (
    OWNER,
    CatalogUnavailable,
    CorruptIndex,
    EmbedderUnavailable,
    EngineUnavailable,
    SearchMode,
    SearchRequest,
)

pytestmark = pytest.mark.anyio


class Failing:
    """Stands before an engine, and fails as often as it is told."""

    def __init__(self, engine, error, times=1_000):
        self._engine = engine
        self._error = error
        self._times = times

    def __getattr__(self, name):
        return getattr(self._engine, name)

    async def search(self, *args, **kwargs):
        if self._times > 0:
            self._times -= 1
            raise self._error
        return await self._engine.search(*args, **kwargs)


def ask(mode=SearchMode.HYBRID):
    return SearchRequest("boats sail", ("handbook",), mode=mode)


async def filled(world):
    handbook = await world.collection()
    await world.add(handbook, "x", ["Boats sail on the sea."])
    await world.index(handbook)
    return handbook


AWAY = EngineUnavailable("The engine sleeps.")
ERRORS = [AWAY, CorruptIndex("The index is damaged.")]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("side", ["dense", "lexical"])
async def test_one_side_answers_for_the_other(world, side, error):
    await filled(world)
    engines = getattr(world.parts, side)
    engines["memory"] = Failing(engines["memory"], error)
    result = await world.searcher.search(ask(), OWNER)
    assert [hit.external_id for hit in result.hits] == ["x"]
    (sentence,) = result.degraded
    assert error.message in sentence
    assert "handbook" in sentence


@pytest.mark.parametrize("error", ERRORS)
async def test_when_no_side_answers_the_error_is_told(world, error):
    await filled(world)
    for engines in (world.parts.dense, world.parts.lexical):
        engines["memory"] = Failing(engines["memory"], error)
    for mode in SearchMode:
        with pytest.raises(type(error)):
            await world.searcher.search(ask(mode), OWNER)


async def test_an_engine_that_was_restarted_is_asked_again(world):
    await filled(world)
    world.parts.dense["memory"] = Failing(world.dense, AWAY, times=1)
    assert (await world.searcher.search(ask(), OWNER)).degraded == ()


async def test_without_the_model_words_are_searched(world):
    await filled(world)
    world.embedder.failures = [EmbedderUnavailable("The model sleeps.")]
    result = await world.searcher.search(ask(), OWNER)
    assert [hit.external_id for hit in result.hits] == ["x"]
    assert "The model sleeps." in result.degraded[0]
    world.embedder.failures = [EmbedderUnavailable("The model sleeps.")]
    with pytest.raises(EmbedderUnavailable):
        await world.searcher.search(ask(SearchMode.DENSE), OWNER)


async def test_another_model_under_the_same_name_is_not_used(world):
    await filled(world)
    world.embedder.fingerprint = "another"
    result = await world.searcher.search(ask(), OWNER)
    assert result.hits
    assert "not the one" in result.degraded[0]


async def test_an_engine_that_is_not_installed_is_away(world):
    await filled(world)
    del world.parts.dense["memory"]
    result = await world.searcher.search(ask(), OWNER)
    assert result.hits
    assert len(result.degraded) == 1


async def test_a_collection_that_cannot_answer_does_not_silence_the_others(world):
    handbook = await filled(world)
    other = await world.collection("other")
    await world.add(other, "y", ["Boats sail on the lake."])
    await world.index(other)
    await world.dense.drop(handbook.generation.key)
    await world.lexical.drop(handbook.generation.key)
    result = await world.searcher.search(SearchRequest("boats sail", ("handbook", "other")), OWNER)
    assert [hit.external_id for hit in result.hits] == ["y"]
    assert len(result.degraded) == 2


async def test_a_lost_index_is_not_reported_as_up_to_date(world):
    handbook = await filled(world)
    assert (await world.searcher.search(ask(), OWNER)).revisions == {"handbook": 1}
    await world.lexical.drop(handbook.generation.key)
    await world.searcher.search(ask(), OWNER)
    assert (await world.searcher.search(ask(), OWNER)).revisions == {"handbook": 0}


async def test_a_database_that_was_restarted_is_not_noticed(world, database_url):
    await filled(world)

    def disconnect_all():
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    async def search():
        return await world.searcher.search(ask(), OWNER)

    for _ in range(5):
        searching = [asyncio.create_task(search()) for _ in range(4)]
        await asyncio.sleep(0.002)
        await asyncio.to_thread(disconnect_all)
        for result in await asyncio.gather(*searching):
            assert [hit.external_id for hit in result.hits] == ["x"]


async def test_a_database_that_stays_away_is_an_error_for_people(world, monkeypatch):
    await filled(world)

    def away():
        raise CatalogUnavailable("The database does not answer.")

    monkeypatch.setattr(world.catalog, "look", away)
    with pytest.raises(CatalogUnavailable):
        await world.searcher.search(ask(), OWNER)
