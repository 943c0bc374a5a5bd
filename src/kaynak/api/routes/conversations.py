from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from kaynak.api import cursors
from kaynak.api.deps import CurrentScope, Json, Paging, Services, checked_query, page_of
from kaynak.api.problems import problems
from kaynak.api.reading import JsonRoute
from kaynak.api.schemas.base import PageOf
from kaynak.api.schemas.conversations import (
    ConversationCreate,
    ConversationUpdate,
    ConversationView,
    ExportView,
    MatchView,
)
from kaynak.domain import (
    CollectionNotFound,
    Conversation,
    ConversationNotFound,
    ExportFormat,
    InvalidFilter,
    InvalidQuery,
    MessageNotFound,
)
from kaynak.generation.conversing import exported

router = APIRouter(prefix="/v1/conversations", tags=["conversations"], route_class=JsonRoute)

ConversationId = Annotated[UUID, Path(description="Id of the conversation.")]


@router.post(
    "",
    status_code=201,
    response_model=ConversationView,
    responses=problems(CollectionNotFound, InvalidFilter),
    summary="Begin a conversation",
)
async def create_conversation(body: ConversationCreate, kaynak: Services, scope: CurrentScope) -> Response:
    """Begins a conversation with one or more collections. It belongs to the caller; others do not see it."""
    made = await kaynak.conversations.create(
        scope,
        list(dict.fromkeys(body.collections)),
        title=body.title,
        answering=body.answering.answering() if body.answering else None,
        condition=body.filter,
    )
    return Json(made, 201, {"Location": f"/v1/conversations/{made.id}"})


@router.get("", response_model=PageOf[ConversationView], responses=problems(), summary="List conversations")
async def list_conversations(kaynak: Services, scope: CurrentScope, page: Paging) -> Response:
    """Lists the caller's conversations, those with the newest questions first."""
    after = cursors.moment_after("conversations", page.after)
    found = await kaynak.conversations.list(scope, after=after, limit=page.limit + 1)
    return page_of(found, page, "conversations", _position)


@router.get(
    "/search",
    response_model=PageOf[MatchView],
    responses=problems(InvalidQuery),
    summary="Search conversations",
)
async def search_conversations(
    kaynak: Services,
    scope: CurrentScope,
    page: Paging,
    q: Annotated[str, Query(description="Beginnings of words, in any case.")],
) -> Response:
    """Finds conversations whose title, or one of whose messages, has all the words. Newest first."""
    after = cursors.moment_after("matches", page.after)
    found = await kaynak.conversations.search(scope, checked_query(kaynak, q), after=after, limit=page.limit + 1)
    return page_of(found, page, "matches", lambda match: _position(match.conversation))


@router.get(
    "/{conversation}",
    response_model=ConversationView,
    responses=problems(ConversationNotFound),
    summary="Show a conversation",
)
async def get_conversation(conversation: ConversationId, kaynak: Services, scope: CurrentScope) -> Response:
    """Shows a conversation; its messages are a list of their own."""
    return Json(await kaynak.conversations.get(scope, conversation))


@router.patch(
    "/{conversation}",
    response_model=ConversationView,
    responses=problems(ConversationNotFound, CollectionNotFound, InvalidFilter),
    summary="Change a conversation",
)
async def update_conversation(
    conversation: ConversationId, body: ConversationUpdate, kaynak: Services, scope: CurrentScope
) -> Response:
    """Renames a conversation, or changes what its next questions are asked of and how they are answered."""
    return Json(
        await kaynak.conversations.update(
            scope,
            conversation,
            title=body.title,
            collections=None if body.collections is None else list(dict.fromkeys(body.collections)),
            answering=body.answering.answering() if body.answering else None,
            condition=body.filter,
            clear_filter="filter" in body.model_fields_set and body.filter is None,
        )
    )


@router.delete(
    "/{conversation}",
    status_code=204,
    responses=problems(ConversationNotFound),
    summary="Delete a conversation",
)
async def delete_conversation(conversation: ConversationId, kaynak: Services, scope: CurrentScope) -> Response:
    """Deletes a conversation with all its messages. There is no way back."""
    await kaynak.conversations.delete(scope, conversation)
    return Response(status_code=204)


@router.get(
    "/{conversation}/export",
    response_model=ExportView,
    responses={
        200: {
            "description": "As JSON: all branches. As Markdown: one branch, with the quotes its answers rest on.",
            "content": {"text/markdown": {"schema": {"type": "string"}}},
        },
        **problems(ConversationNotFound, MessageNotFound),
    },
    summary="Export a conversation",
)
async def export_conversation(
    conversation: ConversationId,
    kaynak: Services,
    scope: CurrentScope,
    format: Annotated[ExportFormat, Query(description="`json` or `markdown`.")] = ExportFormat.JSON,  # noqa: A002
    leaf: Annotated[
        UUID | None, Query(description="For Markdown: the last message of the branch; default: the newest.")
    ] = None,
) -> Response:
    """Writes a conversation down to be kept elsewhere, with citations. The file is plain text: nothing in it links."""
    found = await exported(kaynak.conversations, scope, conversation, format, leaf)
    headers = {"Content-Disposition": f'attachment; filename="conversation-{conversation}.{format.ending}"'}
    if isinstance(found, str):
        return Response(found, media_type="text/markdown; charset=utf-8", headers=headers)
    return Json(found, headers=headers)


def _position(conversation: Conversation) -> str:
    return cursors.moment(conversation.updated_at, conversation.id)
