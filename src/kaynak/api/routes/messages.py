from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from kaynak.api import cursors
from kaynak.api.answer_events import answer_events
from kaynak.api.deps import AskingScope, CurrentScope, Json, Paging, Renewal, Services, checked_query, page_of
from kaynak.api.guarding import Guard, Renew
from kaynak.api.problems import SEARCHING, WRITING, problems, request_id_of
from kaynak.api.reading import JsonRoute
from kaynak.api.resuming import resumable, resumable_stream
from kaynak.api.routes.conversations import ConversationId
from kaynak.api.schemas.base import PageOf
from kaynak.api.schemas.conversations import AnswerOptions, MessageView, QuestionBody
from kaynak.api.sse import Event
from kaynak.domain import (
    AnswerEvent,
    CollectionNotFound,
    Conflict,
    ConversationMessage,
    ConversationNotFound,
    CorruptIndex,
    InvalidQuery,
    MessageNotFound,
    NotFound,
    Scope,
    TurnBegun,
    Unsupported,
)
from kaynak.generation.conversing import NEWEST, TurnEvent

router = APIRouter(prefix="/v1/conversations/{conversation}/messages", tags=["conversations"], route_class=JsonRoute)

MessageId = Annotated[UUID, Path(description="Id of the message.")]
Turn = Callable[[asyncio.Event], AsyncGenerator[TurnEvent, None]]

_STREAM_EXAMPLE = (
    'id: 3f…:1\nevent: status\ndata: {"stage": "begun", "detail": "", "conversation_id": "…", "question_id": "…", '
    '"message_id": "…"}\n\n'
    'id: 3f…:2\nevent: status\ndata: {"stage": "searching", "detail": "How much paid leave is there in Turkey?"}\n\n'
    'id: 3f…:9\nevent: done\ndata: {"question": "And in Turkey?", "text": "…"}\n\n'
)
_ANSWERED = {
    201: {
        "description": (
            "The answer as it was kept. With `Accept: text/event-stream` and status 200 the events of an answer, as "
            "of `/v1/ask`; the first one, `status` with stage `begun`, names the messages. The stream has an "
            "`X-Stream-Id` and can be resumed."
        ),
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _STREAM_EXAMPLE}},
    },
    **problems(
        ConversationNotFound,
        MessageNotFound,
        CollectionNotFound,
        InvalidQuery,
        Conflict,
        Unsupported,
        CorruptIndex,
        *SEARCHING,
        *WRITING,
    ),
}


@router.get("", response_model=PageOf[MessageView], responses=problems(ConversationNotFound), summary="List messages")
async def list_messages(conversation: ConversationId, kaynak: Services, scope: CurrentScope, page: Paging) -> Response:
    """Lists the messages of all branches, oldest first; `parent_id` makes them a tree."""
    after = cursors.moment_after("messages", page.after)
    found = await kaynak.conversations.messages(scope, conversation, after=after, limit=page.limit + 1)
    return page_of(found, page, "messages", lambda message: cursors.moment(message.created_at, message.id))


@router.post("", status_code=201, response_model=MessageView, responses=_ANSWERED, summary="Ask in a conversation")
async def ask_in_conversation(
    conversation: ConversationId,
    body: QuestionBody,
    request: Request,
    kaynak: Services,
    scope: AskingScope,
    renew: Renewal,
) -> Response:
    """Asks a question that may point back at what was said. Question and answer are kept.

    A question that follows an answer that is still being written is refused with 409; with a `parent` of its own it
    becomes a branch, and both are written at once.
    """
    question = checked_query(kaynak, body.question)
    parent = body.parent if "parent" in body.model_fields_set else NEWEST

    def turn(stop: asyncio.Event) -> AsyncGenerator[TurnEvent, None]:
        return kaynak.turns.ask(scope, conversation, question, parent=parent, options=body.options(), stop=stop)

    return await _respond(turn, request, kaynak, scope, renew)


@router.get(
    "/{message}",
    response_model=MessageView,
    responses=problems(ConversationNotFound, MessageNotFound),
    summary="Show a message",
)
async def get_message(
    conversation: ConversationId, message: MessageId, kaynak: Services, scope: CurrentScope
) -> Response:
    """Shows a message; of an answer that is being written, what is kept of it so far."""
    return Json(await kaynak.conversations.message(scope, conversation, message))


@router.post(
    "/{message}/regenerate",
    status_code=201,
    response_model=MessageView,
    responses=_ANSWERED,
    summary="Answer a question again",
)
async def regenerate(
    conversation: ConversationId,
    message: MessageId,
    body: AnswerOptions,
    request: Request,
    kaynak: Services,
    scope: AskingScope,
    renew: Renewal,
) -> Response:
    """Has a question (or the question of an answer) answered once more, beside the answers it has."""

    def turn(stop: asyncio.Event) -> AsyncGenerator[TurnEvent, None]:
        return kaynak.turns.again(scope, conversation, message, options=body.options(), stop=stop)

    return await _respond(turn, request, kaynak, scope, renew)


@router.post(
    "/{message}/stop",
    response_model=MessageView,
    responses=problems(ConversationNotFound, MessageNotFound),
    summary="Stop an answer",
)
async def stop_answer(
    conversation: ConversationId, message: MessageId, kaynak: Services, scope: CurrentScope
) -> Response:
    """Stops the writing of an answer, on whichever server it is written. What is there is kept as `partial`."""
    return Json(await kaynak.conversations.stop(scope, conversation, message))


async def _respond(turn: Turn, request: Request, kaynak: Services, scope: Scope, renew: Renew) -> Response:
    if "text/event-stream" in request.headers.get("accept", ""):
        begun_as: list[TurnBegun] = []

        async def look(scope: Scope) -> None:
            # The message also rests on those before it, which the passages of this answer do not tell.
            if begun_as and (await _kept(kaynak, scope, begun_as[0])).withheld:
                raise NotFound("What the answer was being written from is not there any more, or not for you.")

        guard = Guard(kaynak, scope, renew, look)
        request_id = request_id_of(request)
        source = resumable(lambda stop: _events(guard.note(turn(stop)), begun_as), request_id)
        return await resumable_stream(kaynak, source, scope, guard, request_id)
    begun: TurnBegun | None = None
    async with aclosing(turn(asyncio.Event())) as events:
        async for event in events:
            if isinstance(event, TurnBegun):
                begun = event
    if begun is None:
        raise RuntimeError("a turn ended without its beginning")
    kept = await _kept(kaynak, await renew(), begun)
    location = f"/v1/conversations/{kept.conversation_id}/messages/{kept.id}"
    return Json(kept, 201, {"Location": location})


async def _kept(kaynak: Services, scope: Scope, begun: TurnBegun) -> ConversationMessage:
    found: ConversationMessage = await kaynak.conversations.message(scope, begun.conversation.id, begun.answer.id)
    return found


async def _events(turn: AsyncGenerator[TurnEvent, None], begun_as: list[TurnBegun]) -> AsyncGenerator[Event, None]:
    async with aclosing(turn):
        begun = await anext(turn)
        if not isinstance(begun, TurnBegun):
            raise RuntimeError("a turn does not begin with its beginning")
        begun_as.append(begun)
        yield (
            "status",
            {
                "stage": "begun",
                "detail": "",
                "conversation_id": begun.conversation.id,
                "question_id": begun.question.id,
                "message_id": begun.answer.id,
            },
        )
        async for event in answer_events(_answer_of(turn)):
            yield event


async def _answer_of(turn: AsyncGenerator[TurnEvent, None]) -> AsyncGenerator[AnswerEvent, None]:
    async for event in turn:
        if not isinstance(event, TurnBegun):
            yield event
