"""Only what the installation itself wrote under a key is read from it."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from kaynak.caching import MemoryCache, SignedCache

pytestmark = pytest.mark.anyio

SECRET = b"s" * 32


@pytest.fixture
def shared() -> MemoryCache:
    return MemoryCache(1024 * 1024)


@pytest.mark.parametrize("planted", [b"", b"an answer", b"\0" * 32, b"\0" * 32 + b"an answer"])
async def test_what_someone_planted_is_not_there(shared, planted):
    cache = SignedCache(shared, SECRET)
    await shared.set("key", planted, 60)
    with capture_logs() as logs:
        assert await cache.get("key") is None
        assert await cache.get("key") is None
    assert [entry["event"] for entry in logs] == ["cache_value_not_ours"]


async def test_what_was_changed_moved_or_written_by_another_installation_is_not_there(shared):
    cache = SignedCache(shared, SECRET)
    await cache.set("key", b"an answer", 60)
    written = await shared.get("key")
    assert await cache.get("key") == b"an answer"
    await shared.set("other", written, 60)
    assert await cache.get("other") is None
    for at in (0, 31, 32, len(written) - 1):
        await shared.set("key", written[:at] + bytes([written[at] ^ 1]) + written[at + 1 :], 60)
        assert await cache.get("key") is None
    await shared.set("key", written[:-1], 60)
    assert await cache.get("key") is None
    await shared.set("key", written, 60)
    assert await SignedCache(shared, b"t" * 32).get("key") is None
    assert await cache.get("key") == b"an answer"
