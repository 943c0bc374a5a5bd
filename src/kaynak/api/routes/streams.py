from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path
from starlette.responses import Response

from kaynak.api.deps import CurrentScope, Renewal, Services
from kaynak.api.problems import problems
from kaynak.api.resuming import ResumableStream, last_event, stream_owner
from kaynak.domain import NotFound

router = APIRouter(prefix="/v1/streams", tags=["streams"])

StreamId = Annotated[str, Path(max_length=64, description="Of the stream: the `X-Stream-Id` it came with.")]


@router.get(
    "/{stream}",
    responses={
        200: {
            "description": "The events after `Last-Event-ID`: those that were missed, then those to come.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **problems(NotFound),
    },
    response_class=ResumableStream,
    summary="Resume a stream",
)
async def resume(
    stream: StreamId,
    kaynak: Services,
    scope: CurrentScope,
    renew: Renewal,
    last_event_id: Annotated[str | None, Header(max_length=80, description="`id` of the last event read.")] = None,
) -> Response:
    """Takes up a stream after its connection was lost; without `Last-Event-ID` from its beginning.

    A stream runs on for 30 seconds when nobody reads it, and can be read for two minutes after its end.
    Those of an API key are that key's; those of a person are read in any session of theirs, and by none of their keys.
    """
    found = kaynak.streams.get(stream, stream_owner(scope))
    if found.check is not None and await found.check() is not None:
        raise NotFound("There is no such stream, or not any more.", hint="Ask again.")
    after = last_event(found, last_event_id)
    await found.after(after, 0)  # what is forgotten is said before the stream begins
    return ResumableStream(found, after, renew)


@router.delete("/{stream}", status_code=204, responses=problems(NotFound), summary="Stop a stream")
async def stop(stream: StreamId, kaynak: Services, scope: CurrentScope) -> Response:
    """Stops the writing of an answer. It ends as partial; whoever reads it still gets its last events."""
    kaynak.streams.get(stream, stream_owner(scope)).stop()
    return Response(status_code=204)
