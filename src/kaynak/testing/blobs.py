"""What every blob store must do. Subclass it, and give it a fixture ``store``."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kaynak.catalog.blobs import BlobStore
from kaynak.domain import NotFound, TooLarge


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


class BlobStoreSuite:
    """The behaviour of `BlobStore`; the subclass provides a fixture ``store`` with an empty one."""

    def test_gives_back_what_was_put(self, store: BlobStore, tmp_path: Path) -> None:
        """Bytes, files and streams come out as they went in, under their SHA-256."""
        local = tmp_path / "given"
        local.write_bytes(b"from a file")

        async def run() -> None:
            for content, expected in (
                (b"bytes \x00\xff", b"bytes \x00\xff"),
                (local, b"from a file"),
                (_pieces(b"a ", b"", b"stream"), b"a stream"),
                (b"", b""),
                (_pieces(), b""),
            ):
                key, size = await store.put(content)
                assert key == hashlib.sha256(expected).digest()
                assert size == len(expected)
                assert await store.exists(key)
                assert (await store.open_path(key)).read_bytes() == expected

        asyncio.run(run())

    def test_keeps_the_same_content_once(self, store: BlobStore) -> None:
        """Twice the same content, also at the same time, is one blob."""

        async def run() -> None:
            keys = await asyncio.gather(*(store.put(b"same" * 1000) for _ in range(20)))
            assert len(set(keys)) == 1
            assert [key async for key in store.scan()] == [keys[0][0]]

        asyncio.run(run())

    def test_takes_many_together(self, store: BlobStore) -> None:
        """They come out as they went in, whatever was there before, and whoever else puts the same."""
        contents = [b"", b"one", b"two", b"one", *(f"number {number}".encode() for number in range(60))]

        async def run() -> None:
            await store.put(b"two")
            several = await asyncio.gather(
                store.put_many(contents), store.put_many(contents[::-1]), *(store.put(one) for one in contents[::7])
            )
            expected = [(hashlib.sha256(content).digest(), len(content)) for content in contents]
            assert several[0] == expected
            assert several[1] == expected[::-1]
            assert sorted([key async for key in store.scan()]) == sorted({key for key, _ in expected})
            for content, (key, _) in zip(contents, expected, strict=True):
                assert (await store.open_path(key)).read_bytes() == content
            assert await store.put_many([]) == []

        asyncio.run(run())

    def test_refuses_one_of_many_over_the_limit(self, store: BlobStore) -> None:
        """What is over the limit is not stored."""

        async def run() -> None:
            with pytest.raises(TooLarge):
                await store.put_many([b"fits", b"does not fit"], limit=10)
            assert not await store.exists(hashlib.sha256(b"does not fit").digest())

        asyncio.run(run())

    def test_refuses_what_is_over_the_limit(self, store: BlobStore) -> None:
        """The limit itself is allowed; a byte more is not, and leaves nothing."""

        async def run() -> None:
            with pytest.raises(TooLarge):
                await store.put(b"x" * 11, limit=10)
            with pytest.raises(TooLarge):
                await store.put(_pieces(b"x" * 9, b"x" * 2), limit=10)
            assert [key async for key in store.scan()] == []
            assert (await store.put(b"x" * 10, limit=10))[1] == 10

        asyncio.run(run())

    def test_a_broken_stream_leaves_nothing(self, store: BlobStore) -> None:
        """If the sender goes away, there is no blob."""

        async def broken() -> AsyncIterator[bytes]:
            yield b"first half"
            raise ConnectionResetError

        async def run() -> None:
            with pytest.raises(ConnectionResetError):
                await store.put(broken())
            assert [key async for key in store.scan()] == []

        asyncio.run(run())

    def test_deletes(self, store: BlobStore) -> None:
        """A deleted blob is gone, can be put again, and deleting nothing is fine."""

        async def run() -> None:
            key, _ = await store.put(b"short-lived")
            await store.delete(key)
            await store.delete(key)
            assert not await store.exists(key)
            with pytest.raises(NotFound):
                await store.open_path(key)
            assert await store.put(b"short-lived") == (key, 11)

        asyncio.run(run())

    def test_scans_all(self, store: BlobStore) -> None:
        """Every blob is found."""

        async def run() -> None:
            put = {(await store.put(str(number).encode()))[0] for number in range(50)}
            assert {key async for key in store.scan()} == put

        asyncio.run(run())
