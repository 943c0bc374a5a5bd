from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from kaynak.api.answer_events import answer_events
from kaynak.api.deps import AskingScope, Json, Renewal, Services, checked_query
from kaynak.api.guarding import Guard
from kaynak.api.problems import WRITING, problems, request_id_of
from kaynak.api.reading import JsonRoute
from kaynak.api.resuming import resumable, resumable_stream
from kaynak.api.routes.search import LOOKING
from kaynak.api.schemas.answers import AnswerView, AskBody

router = APIRouter(prefix="/v1/ask", tags=["ask"], route_class=JsonRoute)

_STREAM_EXAMPLE = (
    'event: status\ndata: {"stage": "searching", "detail": "…"}\n\n'
    'event: sources\ndata: {"hits": []}\n\n'
    'event: delta\ndata: {"text": "Leave is 26 days. [1]"}\n\n'
    'event: citation\ndata: {"marker": 1, "quote": "…"}\n\n'
    'event: verdict\ndata: {"index": 0, "sentence": {"text": "Leave is 26 days.", "markers": [1]}}\n\n'
    'event: done\ndata: {"question": "…", "text": "…"}\n\n'
)


@router.post(
    "",
    response_model=AnswerView,
    responses={
        200: {
            "description": (
                "The answer; with `Accept: text/event-stream` a stream of `status`, `sources`, `delta`, "
                "`citation`, `verdict`, `usage`, and `done` (the whole answer) or `error` (a problem document). "
                "It has an `X-Stream-Id`: see `GET /v1/streams/{stream}`."
            ),
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _STREAM_EXAMPLE}},
        },
        **problems(*LOOKING, *WRITING),
    },
    summary="Ask",
)
async def ask(body: AskBody, request: Request, kaynak: Services, scope: AskingScope, renew: Renewal) -> Response:
    """Answers from the sources, every sentence with its citation; says so when they do not tell."""
    asked = body.request(checked_query(kaynak, body.question))
    guard = Guard(kaynak, scope, renew)
    if "text/event-stream" in request.headers.get("accept", ""):
        request_id = request_id_of(request)
        source = resumable(
            lambda stop: answer_events(guard.note(kaynak.asker.stream(asked, scope, stop=stop))), request_id
        )
        return await resumable_stream(kaynak, source, scope, guard, request_id)
    answer = await kaynak.asker.ask(asked, scope)
    guard.rests_on(answer.hits)
    await guard.settle(answer.took_ms)
    return Json(answer)
