from __future__ import annotations

import hmac

import structlog

from kaynak.caching.protocol import Cache

_DIGEST = "sha256"
_BYTES = 32

_log = structlog.get_logger(__name__)


class SignedCache:
    """Reads back only what an installation with the same secret has written, under the same key. See `Cache`.

    Whoever can write to a shared cache could otherwise plant answers in it. A value that is not signed, or is signed
    for another key, is not there.

    Args:
        inner: Where values are kept.
        secret: Of the installation, for this purpose alone; at least 32 bytes.
    """

    def __init__(self, inner: Cache, secret: bytes) -> None:
        self._inner = inner
        self._secret = secret
        self._told = False

    async def get(self, key: str) -> bytes | None:
        """See `Cache`."""
        stored = await self._inner.get(key)
        if stored is None:
            return None
        signature, value = stored[:_BYTES], stored[_BYTES:]
        if hmac.compare_digest(signature, self._signature(key, value)):
            return value
        if not self._told:  # once: whoever plants values is not to fill the log as well
            self._told = True
            _log.warning(
                "cache_value_not_ours",
                hint="Another installation writes to the same cache, or someone tampers with it. Answers are computed.",
            )
        return None

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        """See `Cache`."""
        await self._inner.set(key, self._signature(key, value) + value, seconds)

    async def close(self) -> None:
        """See `Cache`."""
        await self._inner.close()

    def _signature(self, key: str, value: bytes) -> bytes:
        # A zero byte is in no key: the two parts cannot be cut at another place.
        return hmac.digest(self._secret, key.encode() + b"\0" + value, _DIGEST)
