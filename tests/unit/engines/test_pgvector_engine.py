from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import numpy as np
import psycopg
import pytest
from psycopg import errors

from kaynak.domain import (
    Conflict,
    CorruptIndex,
    EngineUnavailable,
    InvalidRequest,
    Misconfigured,
    StorageFull,
    Unsupported,
    may_read,
    parse_filter,
)
from kaynak.domain.filters import READERS
from kaynak.engines import DenseSpec, Point, VectorField
from kaynak.engines.memory import MemoryDense
from kaynak.engines.pgvector import PgVectorEngine, pool, searching
from kaynak.engines.pgvector.faults import translated
from kaynak.engines.pgvector.spec import layout_of
from kaynak.testing.dense import DIMENSIONS, SPEC, TEXT, point, vector
from kaynak.testing.engines import NAME, document


def run(engine: PgVectorEngine, work: Callable[[PgVectorEngine], Awaitable[None]]) -> None:
    async def main() -> None:
        try:
            await work(engine)
        finally:
            await engine.close()

    asyncio.run(main())


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


# -- faults


def test_a_server_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_WAIT", 0.3)

    async def work(engine: PgVectorEngine) -> None:
        for call in (engine.health(), engine.search(NAME, vector(1), 1), engine.create(SPEC)):
            with pytest.raises(EngineUnavailable):
                await call

    run(PgVectorEngine("postgresql://nobody@127.0.0.1:1/nothing"), work)


def test_connections_killed_by_a_restart_are_replaced(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(1)], [], 1)
        for _ in range(3):
            execute(
                database_url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            assert (await engine.search(NAME, vector(1), 1)).ids == (1,)
            await engine.apply(NAME, [point(2, 2)], [document(2)], 2)

    run(PgVectorEngine(database_url), work)


@pytest.mark.parametrize(
    "damage", ["DROP TABLE kaynak_index.g1", "DROP SCHEMA kaynak_index CASCADE", "DELETE FROM kaynak_index.registry"]
)
def test_a_lost_table_is_noticed_and_made_anew(database_url: str, damage: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(1)], [], 1)
        execute(database_url, damage)
        assert not await engine.exists(NAME)
        with pytest.raises(CorruptIndex):
            await engine.revision(NAME)
        with pytest.raises(CorruptIndex):
            await engine.apply(NAME, [point(1)], [], 2)
        if "registry" not in damage:
            with pytest.raises(CorruptIndex):
                await engine.search(NAME, vector(1), 1)
            await engine.drop(NAME)
        await engine.create(DenseSpec(NAME, (VectorField("text", 4),)))
        await engine.apply(NAME, [point(1, at=vector(1, 4))], [], 5)
        assert (await engine.search(NAME, vector(1, 4), 1)).ids == (1,)

    run(PgVectorEngine(database_url), work)


def test_creating_over_a_lost_table_asks_for_a_drop(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        execute(database_url, "DROP TABLE kaynak_index.g1")
        with pytest.raises(CorruptIndex):
            await engine.create(SPEC)

    run(PgVectorEngine(database_url), work)


def test_errors_have_meanings() -> None:
    for raised, expected in (
        (errors.DiskFull("no space"), StorageFull),
        (errors.IndexCorrupted("bad"), CorruptIndex),
        (errors.DeadlockDetected("deadlock"), EngineUnavailable),
        (errors.LockNotAvailable("another one has it"), EngineUnavailable),
        (errors.QueryCanceled("somebody wanted it"), EngineUnavailable),
        (errors.ReadOnlySqlTransaction("a replica"), EngineUnavailable),
        (errors.InsufficientPrivilege("no"), Misconfigured),
        (errors.UndefinedObject('type "halfvec" does not exist'), Misconfigured),
        (errors.NumericValueOutOfRange("half"), InvalidRequest),
        (errors.SyntaxError("our own mistake"), errors.SyntaxError),
    ):
        with pytest.raises(expected), translated(NAME):
            raise raised


# -- specifications


@pytest.mark.parametrize(
    "params", [{"m": 1}, {"m": 101}, {"m": "16"}, {"m": True}, {"ef_search": 0}, {"m": 50, "ef_construction": 60}]
)
def test_parameters_out_of_range_are_refused(params: dict[str, object]) -> None:
    async def work(engine: PgVectorEngine) -> None:
        with pytest.raises(Unsupported):
            await engine.create(DenseSpec(NAME, (TEXT,), params))  # type: ignore[arg-type]

    run(PgVectorEngine("postgresql://nobody@127.0.0.1:1/nothing"), work)


def test_a_different_index_of_the_same_name_is_a_conflict(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        with pytest.raises(Conflict):
            await engine.create(DenseSpec(NAME, (TEXT,), {"m": 24}))
        with pytest.raises(Unsupported):
            await engine.create(DenseSpec("g2", (VectorField("text", 20_000),)))

    run(PgVectorEngine(database_url), work)


def test_an_index_made_with_other_defaults_is_the_same(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await engine.create(DenseSpec(NAME, (TEXT,), {"ef_construction": 64, "ef_search": 160}))
        await engine.create(DenseSpec(NAME, (TEXT,)))
        with pytest.raises(Conflict):
            await engine.create(DenseSpec(NAME, (TEXT,), {"ef_construction": 128}))

    run(PgVectorEngine(database_url), work)


def test_vectors_too_long_for_a_graph_are_searched_exactly(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await engine.create(DenseSpec(NAME, (VectorField("text", 5000),)))
        await engine.apply(NAME, [point(key, at=vector(key, 5000)) for key in range(5)], [], 1)
        found = await engine.search(NAME, vector(3, 5000), 1)
        assert (found.ids, found.mode) == ((3,), "exact")

    run(PgVectorEngine(database_url, exact_rows=1), work)


def test_numbers_beyond_half_precision_are_refused(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await engine.create(DenseSpec(NAME, (VectorField("text", DIMENSIONS, "dot"),)))
        with pytest.raises(InvalidRequest):
            await engine.apply(NAME, [point(1, at=np.full(DIMENSIONS, 1e6, dtype=np.float32))], [], 1)
        assert await engine.count(NAME) == 0

    run(PgVectorEngine(database_url), work)


# -- exact or not


def test_the_graph_is_built_when_it_begins_to_pay(database_url: str) -> None:
    def graphs() -> int:
        found = execute(database_url, "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%hnsw%'")
        return int(str(found[0][0]))

    async def work(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(key, key) for key in range(20)], [], 1)
        assert graphs() == 0
        assert (await engine.search(NAME, vector(1), 5)).mode == "exact"
        await engine.apply(NAME, [point(key, key) for key in range(20, 60)], [], 2)
        assert graphs() == 1
        assert (await engine.search(NAME, vector(1), 5)).mode == "ann"
        few = parse_filter({"a": 1})
        assert (await engine.search(NAME, vector(1), 5, condition=few)).mode == "exact"

    run(PgVectorEngine(database_url, exact_rows=30), work)


def test_an_index_that_is_being_filled_gets_its_graph_at_the_end(database_url: str) -> None:
    def graphs() -> int:
        found = execute(database_url, "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%hnsw%'")
        return int(str(found[0][0]))

    async def work(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        for start in range(0, 200, 50):
            await engine.apply(NAME, [point(key, key) for key in range(start, start + 50)], [], 0)
        assert graphs() == 0
        await engine.apply(NAME, [], [], 7)
        assert graphs() == 1
        assert (await engine.search(NAME, vector(1), 5)).mode == "ann"

    run(PgVectorEngine(database_url, exact_rows=30), work)


def test_a_graph_is_built_with_the_memory_it_takes_and_no_more_than_is_allowed() -> None:
    layout = layout_of(SPEC)
    assert layout.build_megabytes(TEXT, 1000, 2048) == 128
    assert layout.build_megabytes(TEXT, 10**6, 2048) > 700
    assert layout.build_megabytes(TEXT, 10**6, 300) == 300


def test_mass_deletes_do_not_shorten_results(database_url: str) -> None:
    """Dead rows stay in the graph; asking it again and again is what it takes, or exact search."""

    async def work(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(key, key + 1) for key in range(2000)], [], 1)
        assert (await engine.search(NAME, vector(1), 10)).mode == "ann"
        await engine.apply(NAME, [], [document(key + 1) for key in range(1985)], 2)
        found = await engine.search(NAME, vector(1), 10)
        assert len(found.ids) == 10
        assert set(found.ids) <= set(range(1985, 2000))

    run(PgVectorEngine(database_url, exact_rows=10), work)


def test_short_is_said_when_exact_search_would_take_too_long(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaynak.engines.pgvector.engine.EXACT_MOST", 5)

    async def work(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(key, key) for key in range(50)], [], 1)
        found = await engine.search(NAME, vector(1), 100)
        assert found.short
        assert found.mode == "ann"

    run(PgVectorEngine(database_url, exact_rows=1), work)


def test_of_equal_points_a_walk_under_a_filter_finds_the_smaller_ids(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        points = [point(key, key, {"half": key % 2}) for key in range(2000)]
        equal = [Point(key, document(key), {"text": vector(1)}, {"half": key % 2}) for key in range(2020, 2000, -1)]
        await engine.apply(NAME, points + equal, [], 1)
        for limit in (1, 2, 5, 30):
            found = await engine.search(NAME, vector(1), limit, condition=parse_filter({"half": 1}))
            assert found.mode == "ann"
            assert len(found.ids) == limit
            assert found.ids[:11] == (1, *range(2001, 2020, 2))[:limit]

    run(PgVectorEngine(database_url, exact_rows=100), work)


def test_scan_pages_through_everything(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kaynak.engines.pgvector.engine._PAGE", 7)

    async def work(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        keys = [*range(30), 2**62]
        await engine.apply(NAME, [point(key, 3) for key in keys], [], 1)
        assert [key async for key, _ in engine.scan(NAME)] == keys

    run(PgVectorEngine(database_url), work)


# -- who may read

EVERY_500TH, EVERY_20TH, EVERY_2ND, ALL = (UUID(int=number) for number in range(1, 5))
SHARES = {EVERY_500TH: 500, EVERY_20TH: 20, EVERY_2ND: 2, ALL: 1}


def listed_points(count: int, *, open_every: int | None = None) -> list[Point]:
    """Returns points whose lists name people by the share of them that they read; some have no list."""
    lists = [[str(who) for who, every in SHARES.items() if key % every == 0] for key in range(count)]
    return [
        point(key, key, {} if open_every and key % open_every == 1 else {READERS: one}) for key, one in enumerate(lists)
    ]


def groups_of(url: str) -> Sequence[tuple[object, ...]]:
    return execute(url, "SELECT 1 FROM pg_tables WHERE tablename = 'g1_groups'")


@pytest.mark.untraced
@pytest.mark.parametrize("open_every", [None, 7])
def test_whoever_asks_finds_what_is_nearest_of_what_they_may_read(database_url: str, open_every: int | None) -> None:
    async def work(engine: PgVectorEngine) -> None:
        reference = MemoryDense()
        points = listed_points(3000, open_every=open_every)
        for one in (engine, reference):
            await one.create(SPEC)
            await one.apply(NAME, points, [], 1)
        for who in SHARES:
            condition = may_read([who, UUID(int=9)])
            modes, right = set(), 0
            for seed in range(20):
                query = vector(10_000 + seed)
                found = await engine.search(NAME, query, 10, condition=condition)
                wanted = await reference.search(NAME, query, 10, condition=condition)
                assert len(found.ids) == len(wanted.ids)
                modes.add(found.mode)
                right += len(set(found.ids) & set(wanted.ids)) / len(wanted.ids)
            assert right / 20 >= 0.97
            few = {EVERY_20TH, EVERY_500TH} if open_every is None else set()
            assert modes == ({"exact"} if who in few else {"ann"})

    run(PgVectorEngine(database_url, exact_rows=100), work)


def test_the_table_is_not_read_for_those_who_may_read_little(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, listed_points(3000, open_every=400), [], 1)
        execute(database_url, "ANALYZE kaynak_index.g1_groups")
        condition = may_read([EVERY_500TH])
        await engine.search(NAME, vector(1), 10, condition=condition)
        search = searching.Search(await engine._layout(NAME), TEXT, vector(1), 10, condition)

        async def explain(connection: pool.Connection) -> list[str]:
            sql = f"EXPLAIN SELECT 1 FROM {search._matching.rows}"
            return [row[0] for row in await (await connection.execute(sql, search._where.params)).fetchall()]

        plan = await engine._pool.look(explain)
        assert any("g1_groups_readers" in line for line in plan)
        assert not any("Seq Scan" in line for line in plan)

    run(PgVectorEngine(database_url, exact_rows=100), work)


def test_an_index_of_an_older_version_is_mended_when_it_is_used(database_url: str) -> None:
    condition = may_read([EVERY_20TH])

    async def make(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, listed_points(200), [], 1)
        execute(database_url, "DROP TABLE kaynak_index.g1_groups")
        execute(database_url, "DROP FUNCTION kaynak_index.g1_regroup CASCADE")

    async def use(engine: PgVectorEngine) -> None:
        assert len((await engine.search(NAME, vector(1), 20, condition=condition)).ids) == 10
        assert await engine.count(NAME, condition) == 10

    run(PgVectorEngine(database_url), make)
    assert not groups_of(database_url)
    with psycopg.connect(database_url) as writer:
        # Somebody is writing: nobody waits for that, and all is found the slow way.
        writer.execute("DELETE FROM kaynak_index.g1 WHERE chunk_id = 1")
        run(PgVectorEngine(database_url), use)
        assert not groups_of(database_url)
        writer.rollback()
    run(PgVectorEngine(database_url), use)
    assert groups_of(database_url)
