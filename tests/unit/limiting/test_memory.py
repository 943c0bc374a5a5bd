"""The limiter in this process: bounded, and exact at the edges of time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.limiting import Budget, Demand, MemoryLimiter

pytestmark = pytest.mark.anyio


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_memory_is_bounded_and_the_longest_unused_go_first():
    limiter = MemoryLimiter(10)
    budget = Budget("b", 1, 3600)
    for number in range(50):
        await limiter.take([Demand(str(number), budget)])
    assert len(limiter) == 10
    assert (await limiter.take([Demand("49", budget)]))[0].refused
    assert not (await limiter.take([Demand("0", budget)]))[0].refused


async def test_full_buckets_are_forgotten():
    clock = Clock()
    limiter = MemoryLimiter(clock=clock)
    for number in range(50):
        await limiter.take([Demand(str(number), Budget("b", 1, 1))])
    clock.now = 2.0
    await limiter.take([Demand("another", Budget("b", 1, 1))])
    assert len(limiter) == 1


async def test_a_token_is_there_exactly_when_it_was_promised():
    clock = Clock()
    limiter = MemoryLimiter(clock=clock)
    demand = Demand("a", Budget("b", 60, 60))
    for _ in range(60):
        assert not (await limiter.take([demand]))[0].refused
    refused = (await limiter.take([demand]))[0]
    assert refused.retry_after == pytest.approx(1)
    clock.now = 0.99
    assert (await limiter.take([demand]))[0].refused
    clock.now = 1.0
    assert not (await limiter.take([demand]))[0].refused
    assert (await limiter.take([demand]))[0].refused


@given(st.lists(st.floats(0, 40), max_size=200), st.integers(1, 20))
def test_never_more_than_the_bucket_and_what_came_back(waits, count):
    import asyncio

    async def run() -> None:
        clock = Clock()
        limiter = MemoryLimiter(clock=clock)
        demand = Demand("a", Budget("b", count, 60))
        taken = 0
        for wait in waits:
            clock.now += wait
            taken += not (await limiter.take([demand]))[0].refused
        assert taken <= count + clock.now * count / 60 + 1e-3

    asyncio.run(run())
