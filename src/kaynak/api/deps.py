"""What routes ask for by type: the services, the caller's scope, and the page of a list."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

import structlog
from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from kaynak.api import credentials, cursors
from kaynak.api.guarding import Renew
from kaynak.api.rates import spend
from kaynak.api.wire import dumps
from kaynak.domain import (
    STRANGER,
    InvalidQuery,
    InvalidRequest,
    Permission,
    Scope,
    Unauthenticated,
    Unavailable,
    suspicions,
)
from kaynak.identity import Caller
from kaynak.limiting import Purpose

if TYPE_CHECKING:
    from kaynak.app import Kaynak
else:
    Kaynak = Any  # the composition root is heavy, and FastAPI evaluates annotations

log = structlog.get_logger(__name__)

ItemT = TypeVar("ItemT")

_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


async def _services(request: Request) -> Kaynak:
    return request.app.state.kaynak  # type: ignore[no-any-return]


Services = Annotated[Kaynak, Depends(_services)]


async def _uncounted_caller(
    request: Request, kaynak: Services, _: Annotated[None, Depends(credentials.described)]
) -> Caller:
    shown = credentials.of_request(request)
    caller: Caller = await kaynak.identity.callers.find(shown, local=credentials.is_local(request))
    return caller


_UncountedCaller = Annotated[Caller, Depends(_uncounted_caller)]


async def _current_scope(caller: _UncountedCaller) -> Scope:
    return caller.scope


_UncountedScope = Annotated[Scope, Depends(_current_scope)]


def _spending(purpose: Purpose) -> Callable[..., Coroutine[Any, Any, Scope]]:
    async def spend_one(request: Request, kaynak: Services, scope: _UncountedScope) -> Scope:
        await spend(request, kaynak, scope, purpose)
        return scope

    return spend_one


CurrentScope = Annotated[Scope, Depends(_spending(Purpose.GENERAL))]
"""The caller; the request takes a token out of their bucket."""
AskingScope = Annotated[Scope, Depends(_spending(Purpose.ASK))]
"""The caller; out of their bucket for questions."""
UploadingScope = Annotated[Scope, Depends(_spending(Purpose.UPLOAD))]
"""The caller; out of their bucket for uploads."""


async def _renewal(request: Request, kaynak: Services, caller: _UncountedCaller) -> Renew:
    shown, local = credentials.of_request(request), credentials.is_local(request)

    async def renew() -> Scope:
        now: Caller = await kaynak.identity.callers.again(caller, shown, local=local)
        return now.scope

    return renew


Renewal = Annotated[Renew, Depends(_renewal)]
"""Tells what the caller may do later, while what they asked for lasts."""


async def _current_caller(caller: _UncountedCaller, _: CurrentScope) -> Caller:
    return caller


CurrentCaller = Annotated[Caller, Depends(_current_caller)]
"""The caller with their session, for what people do with their own accounts."""


async def _scope_if_any(request: Request, kaynak: Services) -> Scope:
    try:
        return (await _uncounted_caller(request, kaynak, None)).scope
    except (Unauthenticated, Unavailable):
        return STRANGER


ScopeIfAny = Annotated[Scope, Depends(_scope_if_any)]
"""The caller, or a stranger: of routes that answer everybody, and are not counted, such as those of supervisors."""


async def _scope_of_scraper(
    request: Request, kaynak: Services, _: Annotated[None, Depends(credentials.described)]
) -> Scope | None:
    token, shown = kaynak.settings.metrics_token, credentials.of_request(request)
    if token and shown and secrets.compare_digest(shown.encode(), token.get_secret_value().encode()):
        return None
    return (await _uncounted_caller(request, kaynak, None)).scope


async def _scraper(
    request: Request, kaynak: Services, scope: Annotated[Scope | None, Depends(_scope_of_scraper)]
) -> None:
    if scope is not None:
        await spend(request, kaynak, scope, Purpose.GENERAL)
        scope.require(Permission.AUDIT)


Scraping = Annotated[None, Depends(_scraper)]
"""Lets pass who may read metrics: by the token for that, which opens nothing else, or by their role."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is wanted."""

    limit: int
    after: str | None


async def _page(
    kaynak: Services,
    limit: Annotated[int, Query(ge=1, description="How many items to return at most.")] = 50,
    after: Annotated[
        str | None,
        Query(max_length=cursors.MAX_CURSOR, description="The `next` value of the page before."),
    ] = None,
) -> PageRequest:
    most = kaynak.settings.limits.page_size
    if limit > most:
        raise InvalidRequest(f"limit: at most {most} items fit in a page.", hint="Follow “next” for more.")
    return PageRequest(limit, after)


Paging = Annotated[PageRequest, Depends(_page)]


class Json(Response):
    """A value of ours as JSON, serialised once, without a second validation."""

    media_type = "application/json"

    def __init__(self, value: object, status_code: int = 200, headers: dict[str, str] | None = None) -> None:
        super().__init__(dumps(value), status_code=status_code, headers=headers)


def page_of(
    found: Sequence[ItemT],
    page: PageRequest,
    kind: str,
    position: Callable[[ItemT], str | int | UUID],
) -> Json:
    """Returns a page of ``found``, which was fetched with one item more than asked for.

    Args:
        found: Up to ``page.limit + 1`` items.
        page: The request.
        kind: Of list, so that a cursor cannot wander.
        position: What the next page starts after.
    """
    items = found[: page.limit]
    more = len(found) > page.limit
    return Json({"items": items, "next": cursors.encode(kind, position(items[-1])) if more else None})


def checked_query(kaynak: Kaynak, query: str) -> str:
    """Returns ``query`` if it is text of an acceptable length.

    Raises:
        InvalidQuery: It is blank, too long, or has characters that are not text.
    """
    most = kaynak.settings.limits.query_chars
    if len(query) > most:
        raise InvalidQuery(
            f"The query has {len(query)} characters; at most {most} are allowed.", hint="Ask something shorter."
        )
    if not query.strip():
        raise InvalidQuery("The query is empty.", hint="Say what you are looking for.")
    if _NOT_TEXT.search(query):
        raise InvalidQuery("The query has a character that is not text (NUL or a lone surrogate).")
    if reasons := suspicions(query):
        # For those who look after the installation; nothing rests on it, and what was asked is nobody's business.
        log.info("suspicious_input", reasons=reasons, characters=len(query))
    return query
