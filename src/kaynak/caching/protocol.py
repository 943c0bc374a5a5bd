from __future__ import annotations

from typing import Protocol

ENTRY_BYTES = 1024 * 1024
"""Largest value that is kept, unless a cache is told otherwise."""


class CacheUnavailable(Exception):
    """The cache does not answer now. Nobody sees this: what is not in a cache is computed."""


class Cache(Protocol):
    """Bytes by key, for a while.

    A cache may forget anything at any time, and what it returns may have been written by anyone: who reads must
    check. Keys are short, printable ASCII. There is no deletion: keys say what they depend on, so that a value is
    never wrong, only no longer asked for.
    """

    async def get(self, key: str) -> bytes | None:
        """Returns what was last set, or None.

        Raises:
            CacheUnavailable: It does not answer.
        """
        ...

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        """Keeps ``value`` for ``seconds``, more than 0; values above its bounds are not kept.

        Raises:
            CacheUnavailable: It does not answer.
        """
        ...

    async def close(self) -> None:
        """Lets go of connections and memory."""
        ...
