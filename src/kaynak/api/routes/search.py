from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from kaynak.api.deps import CurrentScope, Json, Services, checked_query
from kaynak.api.problems import SEARCHING, problems
from kaynak.api.reading import JsonRoute
from kaynak.api.routes.documents import filter_of
from kaynak.api.schemas.search import SearchBody, SearchView
from kaynak.domain import (
    CollectionNotFound,
    CorruptIndex,
    GroupBy,
    InvalidFilter,
    InvalidQuery,
    InvalidRequest,
    KaynakError,
    RevisionTimeout,
    Scope,
    SearchMode,
    SearchRequest,
    TooLarge,
    Unsupported,
    parse_filter,
)

router = APIRouter(prefix="/v1/search", tags=["search"], route_class=JsonRoute)

LOOKING: tuple[type[KaynakError], ...] = (
    CollectionNotFound,
    InvalidFilter,
    InvalidQuery,
    Unsupported,
    RevisionTimeout,
    CorruptIndex,
    TooLarge,
    *SEARCHING,
)
"""What goes wrong with looking for passages."""
ERRORS = problems(*LOOKING)


@router.post("", response_model=SearchView, responses=ERRORS, summary="Search")
async def search(body: SearchBody, kaynak: Services, scope: CurrentScope) -> Response:
    """Searches by meaning and by words, and returns passages with their exact place.

    `Server-Timing` breaks the time down by stage.
    """
    request = SearchRequest(
        query=checked_query(kaynak, body.query),
        collections=tuple(dict.fromkeys(body.collections)),
        mode=body.mode,
        filter=parse_filter(body.filter),
        limit=_checked_limit(kaynak, body.limit),
        offset=body.offset,
        group_by=body.group_by,
        min_revision=body.min_revision,
        dense_weight=body.dense_weight,
        explain=body.explain,
        explain_document=body.explain_document,
    )
    return await _answer(kaynak, request, scope)


@router.get("", response_model=SearchView, responses=ERRORS, summary="Search by address")
async def search_simply(
    kaynak: Services,
    scope: CurrentScope,
    q: Annotated[str, Query(description="Natural language or words.")],
    collection: Annotated[list[str], Query(min_length=1, max_length=100, description="Collections; repeat.")],
    filter: Annotated[  # noqa: A002 - the name callers see
        str | None, Query(max_length=100_000, description="Condition on metadata, as JSON.")
    ] = None,
    mode: Annotated[SearchMode, Query(description="Which sides look.")] = SearchMode.HYBRID,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Hits to return.")] = 10,
    offset: Annotated[int, Query(ge=0, le=10_000, description="Hits to skip.")] = 0,
    group_by: Annotated[GroupBy, Query(description="Passages or documents.")] = GroupBy.PASSAGE,
) -> Response:
    """The same for a browser's address bar and for curl."""
    request = SearchRequest(
        query=checked_query(kaynak, q),
        collections=tuple(dict.fromkeys(collection)),
        mode=mode,
        filter=filter_of(filter),
        limit=_checked_limit(kaynak, limit),
        offset=offset,
        group_by=group_by,
    )
    return await _answer(kaynak, request, scope)


def _checked_limit(kaynak: Services, limit: int) -> int:
    most = kaynak.settings.limits.page_size
    if limit > most:
        raise InvalidRequest(f"limit: at most {most} hits fit in a page.", hint="Use offset for more.")
    return limit


async def _answer(kaynak: Services, request: SearchRequest, scope: Scope) -> Response:
    result = await kaynak.searcher.search(request, scope)
    stages = result.trace.stages if result.trace else {}
    return Json(result, headers={"Server-Timing": _server_timing(stages, result.took_ms)})


def _server_timing(stages: Mapping[str, float], total: float) -> str:
    parts = [f"{name.replace('.', '-')};dur={ms:.2f}" for name, ms in stages.items()]
    return ", ".join([*parts, f"total;dur={total:.2f}"])
