"""The outermost layer: who may ask, which request this is, what is logged, and the last catch."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kaynak.api.problems import CrossOriginRefused, HostNotAllowed, respond
from kaynak.api.rates import rate_headers
from kaynak.api.wire import problem_of
from kaynak.domain import KaynakError

log = structlog.get_logger("kaynak.api.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = frozenset({"/health", "/metrics", "/ready"})
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


class RequestContext:
    """Gives each request an id, logs it when it is over, and turns what nobody caught into a plain 500.

    Pure ASGI: BaseHTTPMiddleware costs a task and two queues per request, and breaks streaming.
    The log has the path but never the query string, which may hold a question.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope["kaynak.request_id"] = request_id
        status = 0
        began = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    *rate_headers(scope),
                ]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except Exception:
                log.exception("unexpected_error", method=scope["method"], path=scope["path"])
                if status:
                    raise  # the response has begun; only closing the connection can say that it failed
                error = KaynakError(
                    "Something unexpected happened; it is in the log under this request id.",
                    hint="Try again; if it stays, report it with the request id.",
                )
                await respond(problem_of(error), request_id)(scope, receive, send_with_id)
            finally:
                emit = log.debug if scope["path"] in _QUIET else log.info
                emit(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    ms=round((time.perf_counter() - began) * 1000, 2),
                )


class AllowedHosts:
    """Refuses requests under a foreign Host (DNS rebinding) and from web pages of another origin.

    Without accounts, being reachable is being allowed. A web page anywhere can send its visitor's browser to
    127.0.0.1; these two headers, which a page cannot forge, give it away.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], origins: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origin.lower() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        error = self._refusal(Request(scope))
        if error is None:
            await self._app(scope, receive, send)
        else:
            response = respond(problem_of(error), scope.get("kaynak.request_id", ""))
            await response(scope, receive, send)

    def _refusal(self, request: Request) -> KaynakError | None:
        given = request.headers.get("host", "")
        if "*" not in self._hosts and _hostname(given) not in self._hosts:
            return HostNotAllowed(
                "The Host header does not name this server.",
                hint="Use http://127.0.0.1, or add the name to KAYNAK_ALLOWED_HOSTS.",
            )
        origin = request.headers.get("origin")
        if origin is not None and not self._ours(origin.lower(), given.lower()):
            return CrossOriginRefused(
                "Web pages of other origins may not use this server.",
                hint="Add the page's origin to KAYNAK_CORS_ORIGINS if you trust it.",
            )
        return None

    def _ours(self, origin: str, host: str) -> bool:
        """Returns whether a page of ``origin`` may ask ``host``."""
        if origin in self._origins:
            return True
        netloc = urlsplit(origin).netloc if "//" in origin else ""
        return netloc == host if "*" in self._hosts else _hostname(netloc) in self._hosts


def _hostname(netloc: str) -> str:
    """Returns the host of ``host:port``; IPv6 keeps its brackets."""
    bare = netloc.rpartition("@")[2].lower()
    if bare.startswith("["):
        return bare.partition("]")[0] + "]"
    return bare.partition(":")[0].rstrip(".")


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            if _REQUEST_ID.fullmatch(given):
                return str(given)
    return secrets.token_hex(8)
