from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kaynak.observability import Metrics


class Measured:
    """Counts each request by the template of its route, never by its address, which may name a document.

    Pure ASGI, like `RequestContext`.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0
        began = time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", None)
            self._metrics.requested(scope["method"], route, status, time.perf_counter() - began)
