"""Server-sent events that can be taken up again after the connection was lost. See `kaynak.generation.streams`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

import structlog
from starlette.responses import StreamingResponse

from kaynak.api import sse
from kaynak.api.guarding import CHECK_SECONDS, Guard, Renew
from kaynak.api.sse import Event
from kaynak.api.wire import dumps, problem_of
from kaynak.domain import InvalidRequest, KaynakError, NotFound, Scope
from kaynak.generation.streams import Source, Stream

if TYPE_CHECKING:
    from kaynak.app import Kaynak

log = structlog.get_logger(__name__)

_EVENT_ID = re.compile(r"(?:(?P<stream>[\w-]{1,64}):)?(?P<number>\d{1,9})")


class ResumableStream(StreamingResponse):
    """Sends what ``stream`` has and will have after event ``after``; each event with the id to resume from.

    Args:
        stream: The stream.
        after: Number of the last event that was read.
        renew: Tells what its reader may do later; None: the stream itself ends with the rights of who began it.
    """

    media_type = "text/event-stream"

    # FastAPI reads the status that it documents off this signature.
    def __init__(self, stream: Stream, after: int = 0, renew: Renew | None = None, status_code: int = 200) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Stream-Id": stream.id}
        super().__init__(_frames(stream, after, renew), status_code=status_code, headers=headers)


def stream_owner(scope: Scope) -> str:
    """Returns whose a stream is: a person's, or one key's of theirs, which may do less than they."""
    return scope.subject if scope.key is None else f"{scope.subject} by key {scope.key}"


def resumable(events: Callable[[asyncio.Event], AsyncGenerator[Event, None]], request_id: str) -> Source:
    """Returns ``events`` as `Streams.start` wants them: encoded, and with errors as events after the first one."""

    async def source(stop: asyncio.Event) -> AsyncGenerator[tuple[str, bytes], None]:
        begun = False
        async with aclosing(events(stop)) as source:
            try:
                async for name, data in source:
                    yield name, dumps(data)
                    begun = True
            except KaynakError as error:
                if not begun:
                    raise
                yield "error", dumps({**problem_of(error), "request_id": request_id})
            except Exception:
                if not begun:
                    raise
                log.exception("stream_failed", request_id=request_id)
                unexpected = KaynakError("The answer could not be completed.", hint="Try again.")
                yield "error", dumps({**problem_of(unexpected), "request_id": request_id})

    return source


async def resumable_stream(
    kaynak: Kaynak, source: Source, scope: Scope, guard: Guard, request_id: str
) -> ResumableStream:
    """Returns the stream of ``source``, which ends once its reader may not read it any more.

    Raises:
        Unavailable: Too many streams run.
        KaynakError: Whatever the source raises before its first event.
    """

    async def check() -> bytes | None:
        return await guard.ending(request_id)

    stream = await kaynak.streams.start(source, owner=stream_owner(scope), check=check if guard.needed else None)
    return ResumableStream(stream)


def last_event(stream: Stream, header: str | None) -> int:
    """Returns the number of the last event that was read, from the ``Last-Event-ID`` header; 0 without one.

    Raises:
        InvalidRequest: It is not the id of an event of this stream.
    """
    if not header:
        return 0
    found = _EVENT_ID.fullmatch(header)
    if found is None or found["stream"] not in (None, stream.id):
        raise InvalidRequest(
            "Last-Event-ID is not the id of an event of this stream.", hint="Send the `id` of the last event you read."
        )
    return int(found["number"])


async def _frames(stream: Stream, after: int, renew: Renew | None) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    due = loop.time() + CHECK_SECONDS
    with stream.reading():
        while (events := await stream.after(after, sse.HEARTBEAT_SECONDS)) != []:
            if events is None:
                yield b": still here\n\n"
                continue
            if renew is not None and loop.time() >= due:
                ending = await _ended_for(stream, renew)
                if ending is not None:
                    yield ending
                    return
                due = loop.time() + CHECK_SECONDS
            after = events[-1].number
            yield b"".join(
                b"id: %s:%d\nevent: %s\ndata: %s\n\n" % (stream.id.encode(), one.number, one.name.encode(), one.data)
                for one in events
            )


async def _ended_for(stream: Stream, renew: Renew) -> bytes | None:
    """Returns the event that ends a stream for a reader who is not its owner any more; None if they are."""
    try:
        if stream_owner(await renew()) == stream.owner:
            return None
        error: KaynakError = NotFound("There is no such stream, or not any more.", hint="Ask again.")
    except KaynakError as exc:
        if exc.transient:  # who cannot be asked has revoked nothing
            return None
        error = exc
    return b"event: error\ndata: %s\n\n" % dumps(problem_of(error))
