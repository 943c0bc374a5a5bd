from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import numpy as np
import structlog
from numpy.typing import NDArray

from kaynak.domain import KaynakError
from kaynak.domain.tokens import TokenCounter
from kaynak.embedding.protocol import Embedder, Kind

_log = structlog.get_logger(__name__)


class Retrying:
    """Tries again after transient errors, waiting longer each time. See `Embedder`.

    Args:
        inner: Embeds.
        attempts: In all.
        first_wait: Seconds before the second attempt; doubled each time, and up to half as much again
            at random, so that many callers do not return at once.
    """

    def __init__(self, inner: Embedder, *, attempts: int = 3, first_wait: float = 0.1) -> None:
        self.fingerprint = inner.fingerprint
        self.dimensions = inner.dimensions
        self.max_tokens = inner.max_tokens
        self.tokenizer: TokenCounter = inner.tokenizer
        self._inner = inner
        self._attempts = attempts
        self._first_wait = first_wait

    async def embed(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        """See `Embedder`."""
        for attempt in range(1, self._attempts):
            try:
                return await self._inner.embed(texts, kind)
            except KaynakError as exc:
                if not exc.transient:
                    raise
                wait = self._first_wait * 2 ** (attempt - 1) * random.uniform(1, 1.5)  # noqa: S311 - not a secret
                _log.warning("embedding_retried", attempt=attempt, error=exc.type, wait=round(wait, 3))
                await asyncio.sleep(wait)
        return await self._inner.embed(texts, kind)

    async def close(self) -> None:
        """See `Embedder`."""
        await self._inner.close()
