"""What filters look through in pgvector, and what is compared of much that matches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import psycopg
import pytest

from kaynak.domain import parse_filter
from kaynak.engines import DenseSpec, Point, VectorField
from kaynak.engines.memory import MemoryDense
from kaynak.engines.pgvector import PgVectorEngine, searching
from kaynak.testing.dense import SPEC, TEXT, point, vector
from kaynak.testing.engines import NAME, document

Groups = dict[tuple[int, ...], object]
HALF = parse_filter({"half": True})


def run(url: str, work: Callable[[PgVectorEngine], Awaitable[None]], exact_rows: int = 10_000) -> None:
    async def main() -> None:
        engine = PgVectorEngine(url, exact_rows=exact_rows)
        try:
            await work(engine)
        finally:
            await engine.close()

    asyncio.run(main())


def groups(url: str) -> Groups:
    """Returns the payloads by the ids of their points; their bits are checked."""
    with psycopg.connect(url) as connection:
        wrong = connection.execute(
            "SELECT count(*) FROM (SELECT unnest(chunk_ids) AS chunk_id, unnest(b_text) AS bits"
            " FROM kaynak_index.g1_groups) AS point FULL JOIN kaynak_index.g1 USING (chunk_id)"
            " WHERE bits IS DISTINCT FROM binary_quantize(v_text)"
        ).fetchone()
        assert wrong == (0,)
        found = connection.execute("SELECT chunk_ids, payload FROM kaynak_index.g1_groups").fetchall()
    return {tuple(keys): payload for keys, payload in found}


def test_groups_follow_whatever_is_written(database_url: str) -> None:
    async def work(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        one, two = {"a": 1}, {"a": 2}
        await engine.apply(NAME, [point(3, 1, one), point(1, 1, one), point(2, 1, two), point(4, 2, one)], [], 1)
        assert groups(database_url) == {(1, 3): one, (2,): two, (4,): one}
        await engine.apply(NAME, [point(2, 1, one, at=vector(9))], [], 2)
        assert groups(database_url) == {(1, 2, 3): one, (4,): one}
        await engine.apply(NAME, [point(3, 2, one)], [], 3)  # of another document now
        assert groups(database_url) == {(1, 2): one, (3, 4): one}
        await engine.apply(NAME, [point(7, 1, two)], [document(1), document(2)], 4)
        assert groups(database_url) == {(7,): two}
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute("DELETE FROM kaynak_index.g1")
        assert groups(database_url) == {}
        await engine.drop(NAME)
        with psycopg.connect(database_url) as connection:
            left = connection.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'g1%'").fetchall()
        assert left == []

    run(database_url, work)


def test_groups_of_an_index_without_them_are_made_of_what_it_has(database_url: str) -> None:
    async def make(engine: PgVectorEngine) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(key, key // 3, {"a": key % 2}) for key in range(9)], [], 1)

    async def use(engine: PgVectorEngine) -> None:
        assert await engine.count(NAME, parse_filter({"a": 1})) == 4
        await engine.apply(NAME, [], [document(0)], 2)

    run(database_url, make)
    before = groups(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP TABLE kaynak_index.g1_groups; DROP FUNCTION kaynak_index.g1_regroup CASCADE")
    run(database_url, use)
    assert groups(database_url) == {keys: payload for keys, payload in before.items() if min(keys) > 2}


@pytest.mark.parametrize("condition", [{"half": True}, {"rank": {"$gte": 2000}}], ids=["equal", "range"])
def test_of_much_that_matches_is_compared_what_is_near_by_its_bits(
    database_url: str, condition: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_SIFTED_LEAST", 100)
    monkeypatch.setattr(searching, "_SIFTED", 100)
    width, count = 128, 4000
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((60, width))
    vectors = (centres[rng.integers(0, 60, count)] + 0.7 * rng.standard_normal((count, width))).astype(np.float32)
    vectors[::400] = 0
    points = [
        Point(key, document(key // 10), {"text": vectors[key]}, {"half": key % 20 >= 10, "rank": key // 10 * 10})
        for key in range(count)
    ]

    async def work(engine: PgVectorEngine) -> None:
        reference, right = MemoryDense(), 0
        for one in (engine, reference):
            await one.create(DenseSpec(NAME, (VectorField("text", width),)))
            await one.apply(NAME, points, [], 1)
        for seed in range(20):
            query = (centres[seed] + 0.7 * rng.standard_normal(width)).astype(np.float32)
            found = await engine.search(NAME, query, 10, condition=parse_filter(condition))
            wanted = await reference.search(NAME, query, 10, condition=parse_filter(condition))
            assert (found.mode, found.short) == ("ann", False)
            assert len(found.ids) == 10
            right += len(set(found.ids) & set(wanted.ids))
        assert right >= 197
        found = await engine.search(NAME, query, 10, condition=parse_filter(condition), exact=True)
        assert (found.ids, found.mode) == (wanted.ids, "exact")

    run(database_url, work)


def test_points_that_lack_a_vector_are_not_among_what_is_near(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_SIFTED_LEAST", 0)
    monkeypatch.setattr(searching, "_SIFTED", 1)
    spec = DenseSpec(NAME, (TEXT, VectorField("picture", TEXT.dimensions), VectorField("place", 3, "l2")))

    async def work(engine: PgVectorEngine) -> None:
        await engine.create(spec)
        points = [
            Point(key, document(key // 10), {"text" if key % 4 else "picture": vector(key)}, {"half": key % 2 == 0})
            for key in range(600)
        ]
        await engine.apply(NAME, [*points, Point(600, document(600), {"place": vector(1, 3)}, {"half": True})], [], 1)
        found = await engine.search(NAME, vector(8), 10, field="picture", condition=HALF)
        assert (found.ids[0], found.mode) == (8, "ann")
        assert all(key % 4 == 0 for key in found.ids)
        found = await engine.search(NAME, vector(1, 3), 10, field="place", condition=HALF)
        assert (found.ids, found.mode) == ((600,), "exact")

    run(database_url, work)
