from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import numpy as np
import psycopg
import pytest

from kaynak.domain import Conflict, InvalidRequest, Json, Unsupported, parse_filter
from kaynak.engines import DenseSpec, Point, VectorField
from kaynak.engines.pgvector import PgVectorEngine, pool, searching
from kaynak.engines.pgvector.spec import layout_of
from kaynak.testing.dense import DIMENSIONS, SPEC, TEXT, point, vector
from kaynak.testing.engines import NAME, document

KINDS: tuple[dict[str, Json], ...] = (
    {"precision": "full"},
    {"precision": "bit"},
    {"index": "ivfflat"},
    {"index": "ivfflat", "precision": "full", "lists": 50, "probes": 10},
    {"index": "ivfflat", "precision": "bit"},
)


def named(params: object) -> str:
    return "-".join(map(str, params.values())) if isinstance(params, dict) else ""


def run(url: str, work: Callable[[PgVectorEngine], Awaitable[None]], exact_rows: int = 100) -> None:
    async def main() -> None:
        engine = PgVectorEngine(url, exact_rows=exact_rows)
        try:
            await work(engine)
        finally:
            await engine.close()

    asyncio.run(main())


@pytest.mark.parametrize("params", KINDS, ids=named)
def test_every_kind_finds_what_exact_search_finds_by_its_index(database_url: str, params: dict[str, Json]) -> None:
    width, count = 96, 4000
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((60, width))
    vectors = (centres[rng.integers(0, 60, count)] + 0.7 * rng.standard_normal((count, width))).astype(np.float32)
    queries = (centres[rng.integers(0, 60, 15)] + 0.7 * rng.standard_normal((15, width))).astype(np.float32)

    async def work(engine: PgVectorEngine) -> None:
        field = VectorField("text", width)
        await engine.create(DenseSpec(NAME, (field,), params))
        points = [Point(key, document(key), {"text": vectors[key]}, {"mod": key % 100}) for key in range(count)]
        await engine.apply(NAME, points, [], 1)
        for condition, mode in (
            (None, "ann"),
            ({"mod": {"$lt": 50}}, "ann"),
            ({"mod": {"$lt": 10}}, ""),
            ({"mod": 1}, "exact"),
        ):
            right = 0
            for query in queries:
                exact = await engine.search(NAME, query, 10, condition=parse_filter(condition), exact=True)
                quick = await engine.search(NAME, query, 10, condition=parse_filter(condition))
                assert quick.mode == (mode or quick.mode)
                assert len(quick.ids) == len(exact.ids) == 10
                right += len(set(exact.ids) & set(quick.ids))
            assert right / len(queries) / 10 >= 0.95, condition
        layout = await engine._layout(NAME)
        search = searching.Search(layout, field, queries[0], 10, None)

        async def explain(connection: pool.Connection) -> list[str]:
            sql = (
                f"EXPLAIN SELECT chunk_id FROM {layout.table}"
                f" ORDER BY {searching.walked(field, layout.precision)} LIMIT {search._wanted}"
            )
            return [row[0] for row in await (await connection.execute(sql, search._query)).fetchall()]

        plan = await engine._pool.look(explain, walk=search.walk)
        assert any(layout.index(field).strip('"') in line for line in plan), plan

    run(database_url, work)


def test_an_index_of_a_version_without_kinds_opens_unchanged(database_url: str) -> None:
    old = {"fields": [["text", DIMENSIONS, "cosine"]], "params": {"m": 16, "ef_construction": 64, "ef_search": 80}}

    async def make(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(key, key) for key in range(300)], [], 1)

    async def use(engine: PgVectorEngine) -> None:
        for params in ({}, {"index": "hnsw", "precision": "half"}, {"ef_construction": 64}):
            await engine.create(DenseSpec(NAME, (TEXT,), params))
        for other in ({"index": "ivfflat"}, {"precision": "full"}, {"precision": "bit"}):
            with pytest.raises(Conflict):
                await engine.create(DenseSpec(NAME, (TEXT,), other))
        found = await engine.search(NAME, vector(7), 1)
        assert (found.ids, found.mode) == ((7,), "ann")
        await engine.apply(NAME, [point(400)], [document(7)], 2)
        assert (await engine.search(NAME, vector(400), 1)).ids == (400,)

    run(database_url, make)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE kaynak_index.registry SET spec = %s::jsonb", [json.dumps(old)])
    run(database_url, use)


def test_full_precision_holds_what_half_does_not(database_url: str) -> None:
    field = VectorField("text", DIMENSIONS, "dot")

    async def work(engine: PgVectorEngine) -> None:
        await engine.create(DenseSpec(NAME, (field,), {"precision": "full"}))
        large = np.full(DIMENSIONS, 1e6, dtype=np.float32)
        await engine.apply(NAME, [point(1, at=large), point(2)], [], 1)
        assert (await engine.search(NAME, large, 1)).scores == pytest.approx([DIMENSIONS * 1e12])
        await engine.create(DenseSpec("g2", (field,)))
        with pytest.raises(InvalidRequest) as caught:
            await engine.apply("g2", [point(1, at=large)], [], 1)
        assert "precision: full" in str(caught.value.hint)

    run(database_url, work)


def test_what_is_too_long_for_an_index_is_searched_exactly(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await engine.create(DenseSpec(NAME, (VectorField("text", 2500),), {"precision": "full"}))
        await engine.apply(NAME, [point(key, at=vector(key, 2500)) for key in range(5)], [], 1)
        found = await engine.search(NAME, vector(3, 2500), 1)
        assert (found.ids, found.mode) == ((3,), "exact")
        await engine.create(DenseSpec("g2", (VectorField("text", 2500),), {"precision": "bit"}))
        await engine.apply("g2", [point(key, at=vector(key, 2500)) for key in range(5)], [], 1)
        found = await engine.search("g2", vector(3, 2500), 1)
        assert (found.ids, found.mode) == ((3,), "ann")

    run(database_url, work, exact_rows=7)


def test_as_many_lists_as_may_be_can_be_built(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await engine.create(DenseSpec(NAME, (TEXT,), {"index": "ivfflat", "lists": 2000, "probes": 200}))
        await engine.apply(NAME, [point(key, key) for key in range(2500)], [], 1)
        assert (await engine.search(NAME, vector(7), 1)).ids == (7,)

    run(database_url, work)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"index": "flat"}, "hnsw, ivfflat"),
        ({"precision": "double"}, "half, full, bit"),
        ({"index": "ivfflat", "m": 16}, "lists, probes"),
        ({"lists": 10}, "ef_search"),
        ({"rerank": 10}, "ef_search"),
        ({"index": "ivfflat", "lists": 0}, "from 1 to 2000"),
        ({"index": "ivfflat", "lists": 10, "probes": 11}, "at most lists"),
    ],
    ids=named,
)
def test_what_cannot_be_is_refused(params: dict[str, Json], said: str) -> None:
    with pytest.raises(Unsupported) as caught:
        layout_of(DenseSpec(NAME, (TEXT,), params))
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_bits_are_refused_where_lengths_count() -> None:
    with pytest.raises(Unsupported):
        layout_of(DenseSpec(NAME, (VectorField("text", DIMENSIONS, "l2"),), {"precision": "bit"}))
