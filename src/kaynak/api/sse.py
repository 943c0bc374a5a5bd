"""Server-sent events: framing, heartbeats, and errors that happen after the stream has begun."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import structlog
from starlette.responses import StreamingResponse

from kaynak.api.wire import dumps, problem_of
from kaynak.domain import KaynakError

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 15.0

Event = tuple[str, object]
"""Name and data of an event; the data becomes JSON."""


def frame(event: str, data: object) -> bytes:
    """Returns one event. JSON has no raw line ends, so one ``data:`` line is enough."""
    return b"event: " + event.encode() + b"\ndata: " + dumps(data) + b"\n\n"


class EventStream(StreamingResponse):
    """A response that sends ``events``, a comment whenever it has been silent for a while, and ends.

    A failure after the first byte cannot change the status any more: it is sent as ``event: error`` with the
    problem document, and the stream ends.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[Event], *, request_id: str, heartbeat: float | None = None):
        super().__init__(
            _framed(events, request_id, heartbeat or HEARTBEAT_SECONDS),
            # Proxies buffer and compress streams unless told otherwise.
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


async def started(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """Waits for the first event, so that an error before it still has its own status.

    Raises:
        KaynakError: Whatever ``events`` raises before its first event.
    """
    try:
        first = await anext(events)
    except StopAsyncIteration:
        return events
    return _prepend(first, events)


async def _prepend(first: Event, rest: AsyncIterator[Event]) -> AsyncIterator[Event]:
    try:
        yield first
        async for event in rest:
            yield event
    finally:
        await _close(rest)


async def _framed(events: AsyncIterator[Event], request_id: str, heartbeat: float) -> AsyncIterator[bytes]:
    pending: asyncio.Task[Event] | None = None
    try:
        while True:
            pending = asyncio.ensure_future(_next(events))
            while not (await asyncio.wait({pending}, timeout=heartbeat))[0]:
                yield b": still here\n\n"
            try:
                name, data = pending.result()
            except StopAsyncIteration:
                return
            yield frame(name, data)
    except KaynakError as error:
        yield frame("error", {**problem_of(error), "request_id": request_id})
    except Exception:
        log.exception("stream_failed", request_id=request_id)
        unexpected = KaynakError("The answer could not be completed.", hint="Try again.")
        yield frame("error", {**problem_of(unexpected), "request_id": request_id})
    finally:
        if pending is not None and not pending.done():
            pending.cancel()
            with suppress(BaseException):
                await pending
        await _close(events)


async def _next(events: AsyncIterator[Event]) -> Event:
    return await anext(events)


async def _close(events: AsyncIterator[Any]) -> None:
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()
