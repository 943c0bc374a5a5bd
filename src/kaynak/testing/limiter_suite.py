from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from kaynak.limiting import Budget, Demand, Limiter

HOUR = 3600.0
"""Seconds of budgets that do not fill up while a test runs."""

_Body = Callable[[Limiter], Coroutine[Any, Any, None]]


class LimiterSuite:
    """What every limiter must do. Subclasses give a fixture ``limiter``: a function that makes one.

    Those that the function makes may share their buckets: each test uses keys of its own.
    """

    def _with(self, make: Callable[[], Limiter], body: _Body) -> None:
        async def run() -> None:
            limiter = make()
            try:
                await body(limiter)
            finally:
                await limiter.close()

        asyncio.run(run())

    @pytest.mark.parametrize("count", [1, 3, 7, 60])
    def test_a_bucket_gives_what_it_holds(self, limiter: Callable[[], Limiter], count: int) -> None:
        """And then refuses, saying when the next token comes."""

        async def body(it: Limiter) -> None:
            demand = Demand(f"holds-{count}", Budget("suite", count, HOUR))
            for left in reversed(range(count)):
                (standing,) = await it.take([demand])
                assert (standing.refused, standing.remaining) == (False, left)
            for _ in range(3):
                (standing,) = await it.take([demand])
                assert standing.refused
                assert standing.remaining == 0
                assert 0 < standing.retry_after <= HOUR / count
                assert HOUR - HOUR / count < standing.reset <= HOUR + 1

        self._with(limiter, body)

    def test_tokens_come_back(self, limiter: Callable[[], Limiter]) -> None:
        """One by one, and no more than the bucket holds."""

        async def body(it: Limiter) -> None:
            demand = Demand("back", Budget("suite", 2, 0.1))
            async with asyncio.timeout(30):
                for _ in range(2):
                    while not (await it.take([demand]))[0].refused:
                        pass
                    standing = (await it.take([demand]))[0]
                    while standing.refused:
                        await asyncio.sleep(standing.retry_after)
                        standing = (await it.take([demand]))[0]
                    assert standing.remaining < 2

        self._with(limiter, body)

    def test_buckets_do_not_mix(self, limiter: Callable[[], Limiter]) -> None:
        """Neither those of two keys nor those of two budgets of one key."""

        async def body(it: Limiter) -> None:
            one, other = Budget("suite-one", 1, HOUR), Budget("suite-other", 1, HOUR)
            demands = [Demand("mix", one), Demand("Mix", one), Demand("mix", other), Demand("mix:1", one)]
            for demand in demands:
                assert not (await it.take([demand]))[0].refused
            for demand in demands:
                assert (await it.take([demand]))[0].refused

        self._with(limiter, body)

    def test_all_or_none(self, limiter: Callable[[], Limiter]) -> None:
        """If one bucket refuses, the others keep their tokens."""

        async def body(it: Limiter) -> None:
            tight, wide = Demand("tight", Budget("suite", 1, HOUR)), Demand("wide", Budget("suite", 5, HOUR))
            found = await it.take([wide, tight])
            assert [standing.remaining for standing in found] == [4, 0]
            for _ in range(3):
                found = await it.take([wide, tight])
                assert [standing.refused for standing in found] == [False, True]
            assert (await it.take([wide]))[0].remaining == 3

        self._with(limiter, body)

    def test_nothing_is_asked(self, limiter: Callable[[], Limiter]) -> None:
        """Then nothing is taken."""

        async def body(it: Limiter) -> None:
            assert await it.take([]) == []

        self._with(limiter, body)

    def test_many_at_once(self, limiter: Callable[[], Limiter]) -> None:
        """No token is given twice."""

        async def body(it: Limiter) -> None:
            demands = [Demand("crowd", Budget("suite", 20, HOUR)), Demand("crowd", Budget("suite-wide", 100, HOUR))]
            found = await asyncio.gather(*(it.take(demands) for _ in range(60)))
            assert sum(not any(standing.refused for standing in one) for one in found) == 20
            assert (await it.take(demands[1:]))[0].remaining == 79

        self._with(limiter, body)
