from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from kaynak.caching import MemoryCache

KEYS = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, st.binary(max_size=400), st.integers(1, 20)),
        st.tuples(st.just("get"), KEYS),
        st.tuples(st.just("wait"), st.integers(1, 15)),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(STEPS)
def test_it_never_takes_more_than_it_may_and_never_invents(steps):
    now = 0.0
    cache = MemoryCache(1500, entry_bytes=300, clock=lambda: now)
    model: dict[str, tuple[bytes, float]] = {}

    async def run():
        nonlocal now
        for step in steps:
            match step:
                case ("set", key, value, seconds):
                    await cache.set(key, value, seconds)
                    model.pop(key, None)
                    if len(value) <= 300:
                        model[key] = (value, now + seconds)
                case ("get", key):
                    found = await cache.get(key)
                    value, until = model.get(key, (None, 0.0))
                    assert found is None or (found == value and now < until)
                case ("wait", seconds):
                    now += seconds
            assert 0 <= cache.size <= 1500
        await cache.close()
        assert cache.size == 0

    asyncio.run(run())


async def _filled(*names):
    cache = MemoryCache(3 * (1 + 100 + 200), entry_bytes=1000)
    for name in names:
        await cache.set(name, b"x" * 100, 60)
    return cache


def test_the_least_recently_used_goes_first():
    async def run():
        cache = await _filled("a", "b", "c")
        await cache.get("a")
        await cache.set("d", b"x" * 100, 60)
        assert [name for name in "abcd" if await cache.get(name) is not None] == ["a", "c", "d"]

    asyncio.run(run())


def test_a_value_larger_than_the_whole_cache_takes_nothing_from_the_others():
    async def run():
        cache = await _filled("a", "b", "c")
        await cache.set("e", b"x" * 950, 60)
        assert [name for name in "abce" if await cache.get(name) is not None] == ["a", "b", "c"]

    asyncio.run(run())
