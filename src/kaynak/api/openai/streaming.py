"""A completion as server-sent events: ``data:`` lines, and ``[DONE]`` at the end of a whole answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any

import structlog
from starlette.responses import StreamingResponse

from kaynak.api import sse
from kaynak.api.openai.errors import error_of, unexpected
from kaynak.api.wire import dumps
from kaynak.domain import KaynakError

log = structlog.get_logger(__name__)

Chunks = AsyncGenerator[dict[str, Any], None]

_STILL_HERE = b": still here\n\n"


class CompletionStream(StreamingResponse):
    """Sends chunks. One that fails after the beginning ends with an ``error`` and without ``[DONE]``. See `begin`.

    Args:
        first: Waits for the first chunk.
        chunks: Closed at the end, whoever ends it.
    """

    media_type = "text/event-stream"

    def __init__(self, first: asyncio.Task[dict[str, Any]], chunks: Chunks) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(_framed(first, chunks), headers=headers)

    @classmethod
    async def begin(cls, chunks: Chunks) -> CompletionStream:
        """Returns the stream once its first chunk is there, so that an error before it has its own status.

        A question that waits long for its turn, or for a model, begins without: a proxy would take it for dead.

        Raises:
            KaynakError: Whatever ``chunks`` raises before its first one, if that is soon.
        """
        first = asyncio.create_task(_next(chunks))
        try:
            await asyncio.wait({first}, timeout=sse.HEARTBEAT_SECONDS)
            if first.done():
                first.result()
        except BaseException:
            await _close(first, chunks)
            raise
        return cls(first, chunks)


async def _framed(pending: asyncio.Task[dict[str, Any]], chunks: Chunks) -> AsyncIterator[bytes]:
    try:
        if not pending.done():
            yield _STILL_HERE
        while True:
            while not (await asyncio.wait({pending}, timeout=sse.HEARTBEAT_SECONDS))[0]:
                yield _STILL_HERE
            try:
                yield _data(pending.result())
            except StopAsyncIteration:
                yield b"data: [DONE]\n\n"
                return
            pending = asyncio.create_task(_next(chunks))
    except KaynakError as error:
        yield _data(error_of(error))
    except Exception:
        log.exception("stream_failed")
        yield _data(error_of(unexpected()))
    finally:
        await _close(pending, chunks)


async def _close(pending: asyncio.Task[dict[str, Any]], chunks: Chunks) -> None:
    if not pending.done():
        pending.cancel()
        with suppress(BaseException):
            await pending
    await chunks.aclose()


async def _next(chunks: Chunks) -> dict[str, Any]:
    return await anext(chunks)


def _data(value: object) -> bytes:
    return b"data: " + dumps(value) + b"\n\n"
