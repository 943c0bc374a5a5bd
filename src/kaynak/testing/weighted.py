# ruff: noqa: D102 - the names of tests are sentences
"""What lexical engines that take learnt weights must do, and those that do not. Part of `LexicalEngineSuite`."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import numpy as np
import pytest

from kaynak.domain import InvalidRequest, Json, Unsupported, matches, parse_filter
from kaynak.engines import Entry, LexicalEngine, LexicalSpec, WeightedEngine
from kaynak.testing.engines import NAME, document

WEIGHTED = LexicalSpec(NAME, {"weights": "model"})
HUGE = 2**32 - 1
"""The largest id of a token there can be."""

BAD: dict[str, Mapping[Any, Any]] = {
    "NaN": {1: math.nan},
    "infinite": {1: math.inf},
    "beyond half floats": {1: 70_000.0},
    "zero": {1: 0.0},
    "below half floats": {1: 1e-12},
    "negative": {1: -0.5},
    "no number": {1: "0.5"},
    "id below zero": {-1: 0.5},
    "id too large": {2**32: 0.5},
    "id far too large": {10**30: 0.5},
    "id no number": {"fox": 0.5},
    "id no whole number": {1.5: 0.5},
    "id true": {True: 0.5},
}


def weighed(
    key: int, weights: Mapping[int, float] | None, *, of: int = 1, payload: Mapping[str, Json] | None = None
) -> Entry:
    """Returns an entry of document ``of`` whose text says something else than its weights."""
    return Entry(key, document(of), "fox", "", "en", payload or {}, weights)


class WeightsSuite:
    """Tests of learnt weights; each is of engines whose capabilities declare them, but for the one of refusing."""

    def run_weights(
        self, factory: Callable[[], LexicalEngine], work: Callable[[WeightedEngine], Awaitable[None]]
    ) -> None:
        """Runs ``work`` with an engine, its index of weights made; skips where the engine takes none."""

        async def main() -> None:
            engine = factory()
            try:
                if not engine.capabilities.weights:
                    pytest.skip("takes no weights")
                await engine.create(WEIGHTED)
                await work(cast("WeightedEngine", engine))
            finally:
                await engine.close()

        asyncio.run(main())

    def test_weights_are_refused_where_they_are_not_taken(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def main() -> None:
            engine = engine_factory()
            try:
                for how in ("model",) if not engine.capabilities.weights else ("words", "", 1, True, None):
                    with pytest.raises(Unsupported):
                        await engine.create(LexicalSpec(NAME, {"weights": how}))
                assert not await engine.exists(NAME)
            finally:
                await engine.close()

        asyncio.run(main())

    def test_weights_multiply_and_add(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: WeightedEngine) -> None:
            entries = [
                weighed(1, {5: 0.5, 7: 0.25}),
                weighed(2, {5: 0.25, HUGE: 2.0}),
                weighed(3, {9: 3.0}),
                weighed(4, {0: 0.125, 5: 0.0625}),
            ]
            await engine.apply(NAME, entries, [], 1)
            found = await engine.search_weights(NAME, {5: 0.5, 7: 1.0, HUGE: 0.25, 11: 9.0}, 10)
            assert found.ids == (2, 1, 4)
            assert found.scores == pytest.approx([0.625, 0.5, 0.03125])
            assert (found.mode, found.short) == ("exact", False)
            assert (await engine.search_weights(NAME, {0: 1.0}, 10)).ids == (4,)
            assert (await engine.search_weights(NAME, {5: 1.0}, 2)).ids == (1, 2)

        self.run_weights(engine_factory, work)

    def test_random_weights_score_as_arithmetic_says(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: WeightedEngine) -> None:
            chance = random.Random(7)  # noqa: S311 - not a secret

            def some(most: int) -> dict[int, float]:
                tokens = chance.sample(range(60), chance.randint(0, most))
                return {token * 71_000_003 % 2**32: float(np.float16(chance.uniform(0.01, 1))) for token in tokens}

            stored = {key: (some(20), {"year": 2000 + key % 7}) for key in range(150)}
            await engine.apply(
                NAME, [weighed(key, one, of=key, payload=told) for key, (one, told) in stored.items()], [], 1
            )
            condition = parse_filter({"year": {"$gte": 2005}})
            for query in [some(12) for _ in range(20)]:
                for where in (None, condition):
                    scores = {
                        key: sum(query[token] * one[token] for token in query if token in one)
                        for key, (one, told) in stored.items()
                        if matches(where, told) and any(token in one for token in query)
                    }
                    found = await engine.search_weights(NAME, query, 200, condition=where)
                    assert set(found.ids) == set(scores)
                    assert found.scores == pytest.approx([scores[key] for key in found.ids], rel=1e-5)
                    assert list(found.scores) == sorted(found.scores, reverse=True)

        self.run_weights(engine_factory, work)

    def test_equal_weights_go_to_the_smaller_id(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: WeightedEngine) -> None:
            keys = [(key * 37) % 101 for key in range(101)]
            await engine.apply(NAME, [weighed(key, {3: 0.5}, of=key) for key in keys], [], 1)
            assert (await engine.search_weights(NAME, {3: 0.5}, 40)).ids == tuple(range(40))

        self.run_weights(engine_factory, work)

    def test_nothing_is_found_by_no_weights(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: WeightedEngine) -> None:
            assert (await engine.search_weights(NAME, {1: 1.0}, 10)).ids == ()
            await engine.apply(NAME, [weighed(1, {}), weighed(2, {1: 0.5})], [], 1)
            assert await engine.count(NAME) == 2
            assert (await engine.search_weights(NAME, {}, 10)).ids == ()
            assert (await engine.search_weights(NAME, {1: 1.0}, 10)).ids == (2,)
            assert sorted([key async for key, _ in engine.scan(NAME)]) == [1, 2]

        self.run_weights(engine_factory, work)

    def test_weights_are_replaced_and_deleted_with_documents(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: WeightedEngine) -> None:
            first = [weighed(1, {1: 0.5}), weighed(2, {1: 0.25}), weighed(3, {1: 0.125}, of=2)]
            await engine.apply(NAME, first, [], 1)
            await engine.apply(NAME, [weighed(2, {2: 0.5}), weighed(4, {1: 1.0})], [document(1)], 2)
            assert (await engine.search_weights(NAME, {1: 1.0}, 10)).ids == (4, 3)
            assert (await engine.search_weights(NAME, {2: 1.0}, 10)).ids == (2,)
            await engine.apply(NAME, [weighed(4, {})], [], 3)
            assert (await engine.search_weights(NAME, {1: 1.0}, 10)).ids == (3,)
            await engine.apply(NAME, [], [document(1), document(2)], 4)
            assert (await engine.search_weights(NAME, {1: 1.0, 2: 1.0}, 10)).ids == ()
            assert (await engine.count(NAME), await engine.revision(NAME)) == (0, 4)

        self.run_weights(engine_factory, work)

    def test_wrong_weights_change_nothing(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: WeightedEngine) -> None:
            await engine.apply(NAME, [weighed(1, {1: 0.5})], [], 1)
            for name, weights in BAD.items():
                with pytest.raises(InvalidRequest):
                    await engine.apply(NAME, [weighed(2, {1: 0.5}), weighed(3, weights)], [document(1)], 2)
                with pytest.raises(InvalidRequest):
                    await engine.search_weights(NAME, weights, 10)
                found = await engine.search_weights(NAME, {1: 1.0}, 10)
                assert (found.ids, await engine.revision(NAME)) == ((1,), 1), name
            with pytest.raises(InvalidRequest):
                await engine.apply(NAME, [weighed(2, None)], [], 2)
            for limit in (0, 10_001):
                with pytest.raises(InvalidRequest):
                    await engine.search_weights(NAME, {1: 1.0}, limit)

        self.run_weights(engine_factory, work)

    def test_words_and_weights_are_not_mixed(self, engine_factory: Callable[[], LexicalEngine]) -> None:
        async def work(engine: WeightedEngine) -> None:
            await engine.apply(NAME, [weighed(1, {1: 0.5})], [], 1)
            with pytest.raises(InvalidRequest):
                await engine.search(NAME, "fox", 10)
            words = LexicalSpec("g2")
            await engine.create(words)
            await engine.apply("g2", [weighed(1, {1: 0.5})], [], 1)
            assert (await engine.search("g2", "fox", 10)).ids == (1,)
            with pytest.raises(InvalidRequest):
                await engine.search_weights("g2", {1: 1.0}, 10)

        self.run_weights(engine_factory, work)
