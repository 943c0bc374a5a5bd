from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from kaynak.caching import Cache

ENTRY = 64 * 1024
"""Largest value of the caches under test."""

_Body = Callable[[Cache], Coroutine[Any, Any, None]]


class CacheSuite:
    """What every cache must do. Subclasses give a fixture ``cache``: a function that makes one.

    All caches that the function makes are of the same name space or not at all: each test uses keys of its own.
    """

    def _with(self, make: Callable[[], Cache], body: _Body) -> None:
        async def run() -> None:
            cache = make()
            try:
                await body(cache)
            finally:
                await cache.close()

        asyncio.run(run())

    @pytest.mark.parametrize("value", [b"", b"\x00\xff\r\n\x00", "çğü 😀".encode(), b"x" * ENTRY])
    def test_what_is_set_is_got(self, cache: Callable[[], Cache], value: bytes) -> None:
        """To the byte, whatever the bytes are."""

        async def body(it: Cache) -> None:
            assert await it.get("bytes") != value
            await it.set("bytes", value, 60)
            assert await it.get("bytes") == value
            await it.set("bytes", b"other", 60)
            assert await it.get("bytes") == b"other"

        self._with(cache, body)

    def test_unknown_keys(self, cache: Callable[[], Cache]) -> None:
        """Are not there."""

        async def body(it: Cache) -> None:
            assert await it.get("never-set") is None

        self._with(cache, body)

    def test_keys_do_not_mix(self, cache: Callable[[], Cache]) -> None:
        """Also those that only differ in what some stores take for the same."""

        async def body(it: Cache) -> None:
            keys = ["a:1", "A:1", "a:1:", "a:*", "a:?", "a:[1]"]
            for key in keys:
                await it.set(key, key.encode(), 60)
            assert [await it.get(key) for key in keys] == [key.encode() for key in keys]

        self._with(cache, body)

    def test_values_that_are_too_large(self, cache: Callable[[], Cache]) -> None:
        """Are not kept, and nothing breaks."""

        async def body(it: Cache) -> None:
            await it.set("large", b"x" * (ENTRY + 1), 60)
            assert await it.get("large") is None

        self._with(cache, body)

    def test_values_end(self, cache: Callable[[], Cache]) -> None:
        """After their time; the others stay."""

        async def body(it: Cache) -> None:
            await it.set("long", b"long", 600)
            await it.set("short", b"short", 0.02)
            await it.set("none", b"none", 0)
            assert await it.get("none") is None
            async with asyncio.timeout(30):
                while await it.get("short") is not None:  # noqa: ASYNC110 - there is nothing to be told by
                    await asyncio.sleep(0.01)
            assert await it.get("long") == b"long"

        self._with(cache, body)

    def test_many_at_once(self, cache: Callable[[], Cache]) -> None:
        """Tasks do not get each other's values."""

        async def one(it: Cache, number: int) -> None:
            key = f"task-{number}"
            for turn in range(5):
                await it.set(key, f"{number}:{turn}".encode(), 60)
                assert await it.get(key) == f"{number}:{turn}".encode()

        async def body(it: Cache) -> None:
            await asyncio.gather(*(one(it, number) for number in range(50)))

        self._with(cache, body)
