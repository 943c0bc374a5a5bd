from __future__ import annotations

import asyncio
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from kaynak.domain.tokens import TokenCounter
from kaynak.embedding.protocol import Embedder, Kind

Vectors = NDArray[np.float32]
_Waiting = list[tuple[Sequence[str], "asyncio.Future[Vectors]"]]


class MicroBatching:
    """Joins queries that are asked while another is being embedded. See `Embedder`.

    The first query of a quiet moment goes at once; those that come while it runs share the next call. So one
    caller pays nothing, and many callers pay for one batch. Documents pass through.

    Args:
        inner: Embeds.
        most: Texts in one joined call.
    """

    def __init__(self, inner: Embedder, *, most: int = 64) -> None:
        self.fingerprint = inner.fingerprint
        self.dimensions = inner.dimensions
        self.max_tokens = inner.max_tokens
        self.tokenizer: TokenCounter = inner.tokenizer
        self._inner = inner
        self._most = most
        # Futures belong to a loop, so callers of different loops are never joined.
        self._waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, _Waiting] = WeakKeyDictionary()
        self._flushing: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()

    async def embed(self, texts: Sequence[str], kind: Kind) -> Vectors:
        """See `Embedder`."""
        if kind != "query" or not texts or len(texts) >= self._most:
            return await self._inner.embed(texts, kind)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Vectors] = loop.create_future()
        waiting = self._waiting.setdefault(loop, [])
        waiting.append((texts, future))
        task = self._flushing.get(loop)
        if task is None or task.done():
            self._flushing[loop] = loop.create_task(self._flush(waiting))
        return await future

    async def close(self) -> None:
        """See `Embedder`."""
        await self._inner.close()

    async def _flush(self, waiting: _Waiting) -> None:
        while waiting:
            taken = self._take(waiting)
            if not taken:
                continue
            try:
                joined = await self._inner.embed([text for texts, _ in taken for text in texts], "query")
            except BaseException as exc:
                for _, future in taken:
                    if not future.done():
                        future.set_exception(exc) if isinstance(exc, Exception) else future.cancel()
                if not isinstance(exc, Exception):
                    raise
                continue
            start = 0
            for texts, future in taken:
                if not future.done():
                    future.set_result(joined[start : start + len(texts)])
                start += len(texts)

    def _take(self, waiting: _Waiting) -> _Waiting:
        taken: _Waiting = []
        size = 0
        while waiting and (not taken or size + len(waiting[0][0]) <= self._most):
            texts, future = waiting.pop(0)
            if not future.done():  # its caller has left
                taken.append((texts, future))
                size += len(texts)
        return taken
