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


class CompletionStream(StreamingResponse):
    """Sends chunks. One that fails after the first ends with an ``error`` and without ``[DONE]``.

    Args:
        first: The first chunk, which has been waited for so that an error before it has its own status.
        rest: The others; closed at the end, whoever ends it.
    """

    media_type = "text/event-stream"

    def __init__(self, first: dict[str, Any], rest: Chunks) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(_framed(first, rest), headers=headers)


async def _framed(first: dict[str, Any], rest: Chunks) -> AsyncIterator[bytes]:
    pending: asyncio.Task[dict[str, Any]] | None = None
    try:
        yield _data(first)
        while True:
            pending = asyncio.ensure_future(_next(rest))
            while not (await asyncio.wait({pending}, timeout=sse.HEARTBEAT_SECONDS))[0]:
                yield b": still here\n\n"
            try:
                yield _data(pending.result())
            except StopAsyncIteration:
                yield b"data: [DONE]\n\n"
                return
    except KaynakError as error:
        yield _data(error_of(error))
    except Exception:
        log.exception("stream_failed")
        yield _data(error_of(unexpected()))
    finally:
        if pending is not None and not pending.done():
            pending.cancel()
            with suppress(BaseException):
                await pending
        await rest.aclose()


async def _next(chunks: Chunks) -> dict[str, Any]:
    return await anext(chunks)


def _data(value: object) -> bytes:
    return b"data: " + dumps(value) + b"\n\n"
