"""Large graphs are built beside the writes. An old snapshot holds a build before its end, as long as a test wants."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import psycopg
import pytest

from kaynak.domain import CorruptIndex, EngineUnavailable, Json, Making
from kaynak.engines import DenseSpec
from kaynak.engines.pgvector import PgVectorEngine
from kaynak.engines.pgvector.building import _progress
from kaynak.engines.pgvector.spec import layout_of
from kaynak.testing.dense import SPEC, TEXT, point, vector
from kaynak.testing.engines import NAME, document

KINDS: tuple[dict[str, Json], ...] = ({}, {"precision": "bit"}, {"index": "ivfflat", "lists": 5, "probes": 5})
WAITS = "waits for other transactions"
BUILDER = """
import asyncio, sys
from kaynak.engines.pgvector import PgVectorEngine

asyncio.run(PgVectorEngine(sys.argv[1], exact_rows=30, at_once=30).finish("g1"))
"""


def engine_on(url: str) -> PgVectorEngine:
    return PgVectorEngine(url, connections=2, exact_rows=30, at_once=30)


def run(engine: PgVectorEngine, work: Callable[[PgVectorEngine], Awaitable[None]]) -> None:
    async def main() -> None:
        try:
            async with asyncio.timeout(50):
                await work(engine)
        finally:
            await engine.close()

    asyncio.run(main())


@contextmanager
def an_old_snapshot(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT 1")
        yield connection
        connection.rollback()


def indexes(url: str) -> list[tuple[int, bool]]:
    """Returns the numbers of the indexes of vectors there are, and whether they are of use."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT indexrelid::int, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            " JOIN pg_am ON pg_am.oid = relam WHERE amname IN ('hnsw', 'ivfflat')"
        )
        return [(row[0], row[1]) for row in found.fetchall()]


def builds(url: str) -> list[int]:
    """Returns the server's processes that build."""
    with psycopg.connect(url, autocommit=True) as connection:
        return [row[0] for row in connection.execute("SELECT pid FROM pg_stat_progress_create_index").fetchall()]


async def filled(engine: PgVectorEngine, spec: DenseSpec = SPEC) -> None:
    await engine.create(spec)
    await engine.apply(NAME, [point(key, key) for key in range(100)], [], 0)
    await engine.apply(NAME, [], [], 7)


async def held(engine: PgVectorEngine) -> None:
    """Returns when the build has come to the snapshot."""
    async with asyncio.timeout(20):
        while WAITS not in str(await engine.unfinished(NAME)):
            await asyncio.sleep(0.02)


@asynccontextmanager
async def a_build(engine: PgVectorEngine) -> AsyncIterator[asyncio.Task[None]]:
    finishing = asyncio.create_task(engine.finish(NAME))
    try:
        await held(engine)
        yield finishing
    finally:
        finishing.cancel()
        await asyncio.gather(finishing, return_exceptions=True)


@pytest.mark.parametrize("params", KINDS, ids=["half", "bit", "lists"])
def test_a_large_index_is_built_when_it_is_finished(database_url: str, params: dict[str, Json]) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await engine.create(DenseSpec(NAME, (TEXT,), params))
        assert await engine.unfinished(NAME) is None
        await engine.finish(NAME)
        await engine.apply(NAME, [point(key, key) for key in range(100)], [], 0)
        assert await engine.unfinished(NAME) is None  # it is being filled
        await engine.finish(NAME)
        await engine.apply(NAME, [], [], 7)
        assert indexes(database_url) == []
        assert "has not begun" in str(await engine.unfinished(NAME))
        await engine.finish(NAME)
        assert [valid for _, valid in indexes(database_url)] == [True]
        assert await engine.unfinished(NAME) is None
        assert (await engine.search(NAME, vector(1), 5)).mode == "ann"
        await engine.finish(NAME)

    run(engine_on(database_url), work)


def test_a_graph_of_few_is_built_in_the_write(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await filled(engine)
        assert [valid for _, valid in indexes(database_url)] == [True]
        assert await engine.unfinished(NAME) is None

    run(PgVectorEngine(database_url, exact_rows=30, at_once=100), work)


def test_nothing_waits_for_a_build(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await filled(engine)
        with an_old_snapshot(database_url):
            async with a_build(engine):
                async with asyncio.timeout(5):
                    await engine.apply(NAME, [point(500, 500)], [document(3)], 8)
                    assert await engine.revision(NAME) == 8
                    assert await engine.count(NAME) == 100
                    for exact in (False, True):
                        assert (await engine.search(NAME, vector(500), 1, exact=exact)).ids == (500,)
                assert builds(database_url)
        await engine.finish(NAME)
        found = await engine.search(NAME, vector(500), 100)
        assert (found.mode, found.ids[0], 3 in found.ids, len(found.ids)) == ("ann", 500, False, 100)

    run(engine_on(database_url), work)


def test_the_server_goes_on_without_whoever_began_it(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await filled(engine)
        other = engine_on(database_url)
        with an_old_snapshot(database_url) as snapshot:
            async with a_build(engine) as first:
                (build,) = builds(database_url)
                first.cancel()
                async with asyncio.timeout(5):
                    await asyncio.gather(first, return_exceptions=True)
                assert first.cancelled()
            waiting = asyncio.create_task(other.finish(NAME))
            await asyncio.sleep(0.2)
            assert builds(database_url) == [build]
            assert not waiting.done()
            snapshot.rollback()
            await waiting
        assert [valid for _, valid in indexes(database_url)] == [True]
        await other.close()

    run(engine_on(database_url), work)


def test_it_goes_on_when_a_process_is_killed(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as admin:
        # As the embedded server has it, but for a hundred times as often.
        admin.execute(
            psycopg.sql.SQL("ALTER DATABASE {} SET client_connection_check_interval = '20ms'").format(
                psycopg.sql.Identifier(admin.info.dbname)
            )
        )

    async def work(engine: PgVectorEngine) -> None:
        await filled(engine)
        with an_old_snapshot(database_url), subprocess.Popen([sys.executable, "-c", BUILDER, database_url]) as other:
            await held(engine)
            other.kill()
            other.wait()
            await asyncio.sleep(0.5)
            assert WAITS in str(await engine.unfinished(NAME))
            (begun,) = indexes(database_url)
        await engine.finish(NAME)
        assert indexes(database_url) == [(begun[0], True)]

    run(engine_on(database_url), work)


def test_what_was_given_up_is_begun_anew(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await filled(engine)
        with an_old_snapshot(database_url), psycopg.connect(database_url, autocommit=True) as admin:
            async with a_build(engine) as finishing:
                admin.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_progress_create_index")
                with pytest.raises(EngineUnavailable, match="gave up"):
                    await finishing
        (left,) = indexes(database_url)
        assert not left[1]
        # Few are left: a write would build it at once, were it not for what is left of the other build.
        await engine.apply(NAME, [], [document(key) for key in range(69)], 8)
        await engine.finish(NAME)
        (made,) = indexes(database_url)
        assert made[1]
        assert made[0] != left[0]

    run(PgVectorEngine(database_url, exact_rows=30, at_once=99), work)


def test_to_drop_an_index_ends_its_build(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await filled(engine)
        other = engine_on(database_url)
        with an_old_snapshot(database_url):
            async with a_build(engine) as finishing:
                async with asyncio.timeout(5):
                    await other.drop(NAME)
                with pytest.raises((EngineUnavailable, CorruptIndex)):
                    await finishing
                assert builds(database_url) == []
                assert not await other.exists(NAME)
                with pytest.raises(CorruptIndex):
                    await engine.finish(NAME)
        await other.close()

    run(engine_on(database_url), work)


def test_one_that_is_read_all_the_time_is_not_dropped(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kaynak.engines.pgvector.writing._PATIENCE", "50ms")

    async def work(engine: PgVectorEngine) -> None:
        await filled(engine)
        with psycopg.connect(database_url) as reader:
            reader.execute("SELECT count(*) FROM kaynak_index.g1")
            with pytest.raises(EngineUnavailable, match="in use"):
                await engine.drop(NAME)
        assert await engine.exists(NAME)
        await engine.drop(NAME)
        assert not await engine.exists(NAME)

    run(engine_on(database_url), work)


class _Row:
    """A connection whose server says that it builds."""

    def __init__(self, *row: object) -> None:
        self._row = row

    async def execute(self, *_: object) -> _Row:
        return self

    async def fetchone(self) -> tuple[object, ...]:
        return self._row


@pytest.mark.parametrize(
    ("phase", "blocks", "wanted"),
    [
        ("initializing", (0, 0), "building the graph"),
        ("building index: loading tuples", (43, 100), "building the graph, 43%"),
        ("building index: loading tuples", (0, 0), "building the graph"),
        ("index validation: scanning table", (43, 100), "checking the graph"),
        ("waiting for old snapshots", (0, 0), "building the graph waits for other transactions of the database"),
    ],
)
def test_how_far_it_is(phase: str, blocks: tuple[int, int], wanted: str) -> None:
    made = asyncio.run(_progress(_Row(phase, *blocks), layout_of(SPEC), 0))  # type: ignore[arg-type]
    assert str(made) == wanted
    assert isinstance(made, Making)
