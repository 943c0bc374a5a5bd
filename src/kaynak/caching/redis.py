from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from kaynak.caching.protocol import ENTRY_BYTES, CacheUnavailable
from kaynak.domain import Misconfigured

if TYPE_CHECKING:
    from redis.asyncio import Redis

PREFIX = "kaynak:cache:"
"""Of all our keys: a Redis may have other tenants."""

_SECONDS = 1.0
"""Longest wait for an answer; computing is the alternative."""

_CONNECTIONS = 16


class RedisCache:
    """In a Redis, shared by all processes that use it. See `Cache`.

    Entries expire by themselves; what they may take together is up to the Redis (``maxmemory``).

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        entry_bytes: Largest value.
        seconds: Longest wait for an answer.

    Raises:
        Misconfigured: The URL is not one of a Redis, or the client is not installed.
    """

    def __init__(self, url: str, *, entry_bytes: int = ENTRY_BYTES, seconds: float = _SECONDS) -> None:
        self._entry_bytes = entry_bytes
        self._redis = connected(url, seconds)
        self._faults = faults()

    async def get(self, key: str) -> bytes | None:
        """See `Cache`."""
        try:
            value = await self._redis.get(PREFIX + key)
        except self._faults as exc:
            raise CacheUnavailable(reason(exc)) from exc
        # What another program wrote under our name may be far too much.
        return value if isinstance(value, bytes) and len(value) <= self._entry_bytes else None

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        """See `Cache`."""
        if len(value) > self._entry_bytes or seconds <= 0:
            return
        try:
            await self._redis.set(PREFIX + key, value, px=max(1, round(seconds * 1000)))
        except self._faults as exc:
            raise CacheUnavailable(reason(exc)) from exc

    async def close(self) -> None:
        """See `Cache`."""
        await self._redis.aclose()


def connected(url: str, seconds: float = _SECONDS) -> Redis:
    """Returns a client that connects when it is first used."""
    try:
        client = importlib.import_module("redis.asyncio")
    except ImportError as exc:
        raise Misconfigured(
            "KAYNAK_REDIS_URL is set, but the Redis client is not installed.",
            hint="Install it with: pip install 'kaynak[redis]'",
        ) from exc
    retrying = importlib.import_module("redis.asyncio.retry")
    backoff = importlib.import_module("redis.backoff")
    try:
        pool = client.BlockingConnectionPool.from_url(
            url,
            timeout=seconds,
            # Any server back to Redis 5, and those that only speak like one.
            protocol=2,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            max_connections=_CONNECTIONS,
            # Once: a connection that lay idle may have been closed by the server.
            retry=retrying.Retry(backoff.NoBackoff(), 1),
            client_name="kaynak",
        )
    except (ValueError, TypeError) as exc:
        raise Misconfigured(
            "KAYNAK_REDIS_URL is not the URL of a Redis.",
            hint="It looks like redis://:password@host:6379/0, rediss://… for TLS, or unix:///path/to/socket.",
        ) from exc
    connected: Redis = client.Redis.from_pool(pool)
    return connected


def faults() -> tuple[type[Exception], ...]:
    """Returns what the client raises where the server does not answer, or not as asked."""
    errors = importlib.import_module("redis.exceptions")
    return (errors.RedisError, OSError, TimeoutError)


def reason(error: Exception) -> str:
    """Returns what is wrong, without what the server said: it may quote what was sent."""
    return type(error).__name__
