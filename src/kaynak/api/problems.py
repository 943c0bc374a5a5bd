"""Errors on the wire: RFC 9457 problem documents, and their declaration in OpenAPI."""

from __future__ import annotations

from typing import Any, ClassVar

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from kaynak.api.rates import client_address, retry_after, settle
from kaynak.api.reading import validation_problems
from kaynak.api.schemas.problem import Problem
from kaynak.api.wire import dumps, problem_of, problem_type
from kaynak.domain import (
    BudgetExceeded,
    Busy,
    CatalogUnavailable,
    EmbedderUnavailable,
    EngineUnavailable,
    Forbidden,
    InvalidRequest,
    KaynakError,
    ModelRefused,
    ModelUnavailable,
    NotFound,
    RateLimited,
    StorageFull,
    StreamTruncated,
    Unauthenticated,
    Unavailable,
)

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


class MethodNotAllowed(KaynakError):
    """The resource exists, but does not do that."""

    type, title, status = "method-not-allowed", "Method not allowed", 405


class HostNotAllowed(KaynakError):
    """The Host header names a host that this server is not: a sign of DNS rebinding."""

    type, title, status = "host-not-allowed", "Not a host of this server", 400


class CrossOriginRefused(KaynakError):
    """A web page of another origin tried to use this server through its visitor's browser."""

    type, title, status = "cross-origin-refused", "Cross-origin request refused", 403


class RequestRefused(KaynakError):
    """The HTTP request itself is malformed."""

    type, title = "bad-request", "Bad request"
    status: ClassVar[int] = 400


ALWAYS: tuple[type[KaynakError], ...] = (
    RequestRefused,
    HostNotAllowed,
    Unauthenticated,
    Forbidden,
    CrossOriginRefused,
    RateLimited,
    InvalidRequest,
    KaynakError,
    Unavailable,
    CatalogUnavailable,
)
"""What any route may answer."""

SEARCHING: tuple[type[KaynakError], ...] = (Busy, EngineUnavailable, EmbedderUnavailable)
WRITING: tuple[type[KaynakError], ...] = (ModelRefused, ModelUnavailable, StreamTruncated, BudgetExceeded)
"""What goes wrong where a model writes."""
STORING: tuple[type[KaynakError], ...] = (StorageFull,)


def problems(*errors: type[KaynakError]) -> dict[int | str, dict[str, Any]]:
    """Returns the ``responses`` argument that declares ``errors`` and those that any route may answer."""
    by_status: dict[int, list[type[KaynakError]]] = {}
    for error in (*ALWAYS, *errors):
        of_status = by_status.setdefault(error.status, [])
        if error not in of_status:
            of_status.append(error)
    return {status: _declaration(found) for status, found in sorted(by_status.items())}


def _declaration(errors: list[type[KaynakError]]) -> dict[str, Any]:
    examples = {
        error.type: {
            "summary": error.title,
            "value": {
                "type": problem_type(error),
                "title": error.title,
                "status": error.status,
                "detail": (error.__doc__ or error.title).strip().splitlines()[0],
                "request_id": "5f0c9a1e7b3d4c2f",
            },
        }
        for error in errors
    }
    return {
        "description": "; ".join(dict.fromkeys(error.title for error in errors)),
        "content": {MEDIA_TYPE: {"schema": Problem.reference(), "examples": examples}},
    }


def respond(document: dict[str, Any], request_id: str, headers: dict[str, str] | None = None) -> Response:
    """Returns the problem document as a response."""
    content = dumps({**document, "request_id": request_id})
    return Response(content, status_code=document["status"], media_type=MEDIA_TYPE, headers=headers)


def install(app: FastAPI) -> None:
    """Makes every error of ``app`` a problem document."""
    app.add_exception_handler(KaynakError, _kaynak_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


def request_id_of(request: Request) -> str:
    """Returns the id that the middleware gave the request."""
    return str(request.scope.get("kaynak.request_id", ""))


async def _kaynak_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KaynakError)  # noqa: S101 - registered for this type only
    error = await counted(request, error)
    if error.status >= 500:
        log.warning("request_failed", error=error.type, detail=error.message)
    return respond(problem_of(error), request_id_of(request), headers_of(error))


async def counted(request: Request, error: KaynakError) -> KaynakError:
    """Returns ``error``, or what is said instead to an address that keeps failing to say who asks."""
    if isinstance(error, Unauthenticated):
        try:
            settle(request, await request.app.state.kaynak.rates.strange(client_address(request)))
        except RateLimited as refused:
            return refused
    return error


def headers_of(error: KaynakError) -> dict[str, str]:
    """Returns the headers that belong to ``error``."""
    if error.status == 401:
        return {"WWW-Authenticate": 'Bearer realm="kaynak"'}
    if error.status not in (429, 503):
        return {}
    return retry_after(error.retry_after if isinstance(error, Busy | ModelUnavailable | RateLimited) else None)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    faults = validation_problems(error)
    first = faults[0] if faults else {"field": "request", "message": "is not valid"}
    more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
    document = problem_of(
        InvalidRequest(f"{first['field']}: {first['message']}{more}", hint="See /docs for what is accepted.")
    )
    return respond({**document, "errors": faults}, request_id_of(request))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    known: KaynakError
    if error.status_code == 404:
        known = NotFound("There is nothing at this address.", hint="See /docs for the addresses.")
    elif error.status_code == 405:
        known = MethodNotAllowed(f"This address does not accept {request.method}.", hint="See /docs.")
    else:
        known = RequestRefused("The request cannot be understood.", hint="See /docs for what is accepted.")
    document = {**problem_of(known), "status": error.status_code}
    return respond(document, request_id_of(request), dict(error.headers or {}))
