# ruff: noqa: D102 - the names of tests are sentences
"""What every dense engine must do. A backend passes by subclassing `DenseEngineSuite`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from kaynak.domain import Filter, InvalidRequest, Json, Unsupported, parse_filter
from kaynak.engines import DenseEngine, DenseSpec, Point, Vector, VectorField
from kaynak.testing.engines import NAME, EngineSuite, Found, document

DIMENSIONS = 8
TEXT = VectorField("text", DIMENSIONS)
SPEC = DenseSpec(NAME, (TEXT,))


def vector(seed: int, dimensions: int = DIMENSIONS) -> Vector:
    """Returns a random vector that is the same for the same seed."""
    return np.random.default_rng(seed).standard_normal(dimensions).astype(np.float32)


def point(key: int, of: int = 1, payload: Mapping[str, Json] | None = None, at: Vector | None = None) -> Point:
    """Returns a point of document ``of`` with a vector that depends on ``key`` alone, unless given."""
    return Point(key, document(of), {"text": vector(key) if at is None else at}, payload or {})


def cosine(left: Vector, right: Vector) -> float:
    """Returns the cosine of two vectors."""
    return float(left @ right / (np.linalg.norm(left) * np.linalg.norm(right)))


class DenseEngineSuite(EngineSuite[DenseEngine]):
    """Subclass it, and give a fixture ``engine_factory``: a function that makes an engine. See `EngineSuite`."""

    spec = SPEC
    tolerance = 2e-3
    """Of scores, as engines may store vectors in half precision."""

    def item(self, key: int, of: int, payload: Mapping[str, Json]) -> Point:
        """See `EngineSuite.item`."""
        return point(key, of, payload)

    async def find(self, engine: DenseEngine, limit: int, condition: Filter | None = None) -> Found:
        """See `EngineSuite.find`."""
        return await engine.search(NAME, vector(1), limit, condition=condition)

    def test_what_it_cannot_do_is_refused(self, engine_factory: Callable[[], DenseEngine]) -> None:
        async def work(engine: DenseEngine) -> None:
            with pytest.raises(Unsupported):
                await engine.create(DenseSpec(NAME, (TEXT,), {"no_such_parameter": 1}))
            for bad in ("", "G1", "1g", "g-1", "g1;drop", "x" * 60):
                with pytest.raises(InvalidRequest):
                    await engine.create(DenseSpec(bad, (TEXT,)))
            with pytest.raises(InvalidRequest):
                await engine.create(DenseSpec(NAME, ()))
            assert not await engine.exists(NAME)

        self.run(engine_factory, work)

    def test_a_bad_point_spoils_the_whole_write(self, engine_factory: Callable[[], DenseEngine]) -> None:
        async def work(engine: DenseEngine) -> None:
            await engine.create(SPEC)
            await engine.apply(NAME, [point(1)], [], 1)
            bad = (
                vector(5, DIMENSIONS + 1),
                np.full(DIMENSIONS, np.nan, dtype=np.float32),
                np.full(DIMENSIONS, np.inf, dtype=np.float32),
            )
            for one in bad:
                with pytest.raises(InvalidRequest):
                    await engine.apply(NAME, [point(2), point(3, at=one)], [document(1)], 2)
            with pytest.raises(InvalidRequest):
                await engine.apply(NAME, [Point(2, document(1), {}, {})], [], 2)
            assert (await engine.revision(NAME), await engine.count(NAME)) == (1, 1)

        self.run(engine_factory, work)

    # -- searching

    @pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
    def test_scores_and_order_follow_the_metric(self, engine_factory: Callable[[], DenseEngine], metric: str) -> None:
        async def work(engine: DenseEngine) -> None:
            if metric not in engine.capabilities.metrics:
                pytest.skip("not one of its metrics")
            await engine.create(DenseSpec(NAME, (VectorField("text", DIMENSIONS, metric),)))  # type: ignore[arg-type]
            await engine.apply(NAME, [point(key) for key in range(60)], [], 1)
            query = vector(1000)
            score: dict[str, Callable[[Vector], float]] = {
                "cosine": lambda one: cosine(query, one),
                "dot": lambda one: float(query @ one),
                "l2": lambda one: -float(np.linalg.norm(query - one)),
            }
            expected = sorted(((score[metric](vector(key)), key) for key in range(60)), reverse=True)
            found = await engine.search(NAME, query, 10, exact=True)
            assert found.mode == "exact"
            assert list(found.scores) == sorted(found.scores, reverse=True)
            assert found.scores == pytest.approx([one for one, _ in expected[:10]], abs=self.tolerance * 10)
            overlap = set(found.ids) & {key for _, key in expected[:10]}
            assert len(overlap) >= 9

        self.run(engine_factory, work)

    def test_ties_go_to_the_smaller_id(self, engine_factory: Callable[[], DenseEngine]) -> None:
        async def work(engine: DenseEngine) -> None:
            await engine.create(SPEC)
            same = vector(7)
            keys = [40, 3, 17, 8, 25, 1]
            for turn, key in enumerate(keys):
                await engine.apply(NAME, [point(key, key, at=same)], [], turn + 1)
            found = await engine.search(NAME, same, 4)
            assert found.ids == (1, 3, 8, 17)
            assert found.scores == pytest.approx([1.0] * 4, abs=self.tolerance)

        self.run(engine_factory, work)

    def test_limits(self, engine_factory: Callable[[], DenseEngine]) -> None:
        async def work(engine: DenseEngine) -> None:
            await engine.create(SPEC)
            assert (await engine.search(NAME, vector(1), 10)).ids == ()
            await engine.apply(NAME, [point(key) for key in range(5)], [], 1)
            assert len((await engine.search(NAME, vector(1), 3)).ids) == 3
            found = await engine.search(NAME, vector(1), 10_000)
            assert (len(found.ids), found.short) == (5, False)
            for bad in (0, -1, 10_001):
                with pytest.raises(InvalidRequest):
                    await engine.search(NAME, vector(1), bad)

        self.run(engine_factory, work)

    def test_bad_queries_are_refused(self, engine_factory: Callable[[], DenseEngine]) -> None:
        async def work(engine: DenseEngine) -> None:
            await engine.create(SPEC)
            for bad in (vector(1, 3), np.full(DIMENSIONS, np.nan, dtype=np.float32), vector(1).reshape(2, 4)):
                with pytest.raises(InvalidRequest):
                    await engine.search(NAME, bad, 1)
            with pytest.raises(InvalidRequest):
                await engine.search(NAME, vector(1), 1, field="picture")

        self.run(engine_factory, work)

    def test_a_vector_of_zeros_is_like_nothing(self, engine_factory: Callable[[], DenseEngine]) -> None:
        async def work(engine: DenseEngine) -> None:
            await engine.create(SPEC)
            query = vector(1)
            zeros = np.zeros(DIMENSIONS, dtype=np.float32)
            await engine.apply(NAME, [point(1, at=query), point(2, at=zeros), point(3, at=-query)], [], 1)
            found = await engine.search(NAME, query, 3, exact=True)
            assert found.ids == (1, 2, 3)
            assert found.scores == pytest.approx([1.0, 0.0, -1.0], abs=self.tolerance)
            assert (await engine.search(NAME, zeros, 3)).scores == pytest.approx([0.0] * 3)

        self.run(engine_factory, work)

    def test_named_vectors(self, engine_factory: Callable[[], DenseEngine]) -> None:
        async def work(engine: DenseEngine) -> None:
            spec = DenseSpec(NAME, (TEXT, VectorField("picture", 4, "dot")))
            if not engine.capabilities.named_vectors:
                with pytest.raises(Unsupported):
                    await engine.create(spec)
                return
            await engine.create(spec)
            points = [
                Point(key, document(key), {"text": vector(key), "picture": vector(100 - key, 4)}, {})
                for key in range(10)
            ]
            await engine.apply(NAME, points, [], 1)
            assert (await engine.search(NAME, vector(3), 1, field="text")).ids == (3,)
            best = max(range(10), key=lambda key: float(vector(50, 4) @ vector(100 - key, 4)))
            assert (await engine.search(NAME, vector(50, 4), 1, field="picture")).ids == (best,)
            with pytest.raises(InvalidRequest):
                await engine.search(NAME, vector(3), 1)

        self.run(engine_factory, work)

    def test_points_may_lack_vectors(self, engine_factory: Callable[[], DenseEngine]) -> None:
        async def work(engine: DenseEngine) -> None:
            if not engine.capabilities.named_vectors:
                pytest.skip("one vector for each point")
            await engine.create(DenseSpec(NAME, (TEXT, VectorField("picture", 4))))
            texts = [Point(key, document(key), {"text": vector(key)}, {"kind": "text"}) for key in range(5)]
            pictures = [Point(key, document(key), {"picture": vector(key, 4)}, {"kind": "both"}) for key in range(5, 8)]
            both = Point(9, document(9), {"text": vector(9), "picture": vector(9, 4)}, {"kind": "both"})
            await engine.apply(NAME, [*texts, *pictures, both], [], 1)
            assert await engine.count(NAME) == 9
            for exact in (False, True):
                found = await engine.search(NAME, vector(1), 20, field="text", exact=exact)
                assert (sorted(found.ids), found.short) == ([0, 1, 2, 3, 4, 9], False)
                found = await engine.search(NAME, vector(7, 4), 20, field="picture", exact=exact)
                assert (found.ids[0], sorted(found.ids)) == (7, [5, 6, 7, 9])
            condition = parse_filter({"kind": "both"})
            assert (await engine.search(NAME, vector(9), 20, field="text", condition=condition)).ids == (9,)
            await engine.apply(NAME, [Point(9, document(9), {"text": vector(9)}, {"kind": "both"})], [document(9)], 2)
            assert sorted((await engine.search(NAME, vector(7, 4), 20, field="picture")).ids) == [5, 6, 7]
            with pytest.raises(InvalidRequest):
                await engine.apply(NAME, [Point(10, document(10), {"thumbnail": vector(1)}, {})], [], 3)

        self.run(engine_factory, work)

    def test_it_finds_what_exact_search_finds(self, engine_factory: Callable[[], DenseEngine]) -> None:
        async def work(engine: DenseEngine) -> None:
            await engine.create(SPEC)
            for part in range(4):
                keys = range(part * 300, part * 300 + 300)
                await engine.apply(NAME, [point(key, key, {"mod": key % 10}) for key in keys], [], part + 1)
            for condition in (None, parse_filter({"mod": {"$lt": 5}}), parse_filter({"mod": 3})):
                found = wanted = 0
                for seed in range(2000, 2015):
                    exact = await engine.search(NAME, vector(seed), 10, condition=condition, exact=True)
                    quick = await engine.search(NAME, vector(seed), 10, condition=condition)
                    assert exact.mode == "exact"
                    assert len(exact.ids) == len(quick.ids) == 10
                    found += len(set(exact.ids) & set(quick.ids))
                    wanted += 10
                assert found / wanted >= 0.97

        self.run(engine_factory, work)

    # -- filters

    def test_filters_narrow_the_search(self, engine_factory: Callable[[], DenseEngine]) -> None:
        async def work(engine: DenseEngine) -> None:
            await engine.create(SPEC)
            points = [point(key, key, {"year": 2000 + key % 10, "tags": ["all", f"t{key}"]}) for key in range(50)]
            await engine.apply(NAME, points, [], 1)
            recent = parse_filter({"year": {"$gte": 2008}})
            found = await engine.search(NAME, vector(1), 50, condition=recent)
            assert sorted(found.ids) == [key for key in range(50) if key % 10 >= 8]
            one = parse_filter({"tags": "t7"})
            assert (await engine.search(NAME, vector(1), 10, condition=one)).ids == (7,)
            none = parse_filter({"tags": "t7", "year": 1999})
            found = await engine.search(NAME, vector(1), 10, condition=none)
            assert (found.ids, found.short) == ((), False)

        self.run(engine_factory, work)
