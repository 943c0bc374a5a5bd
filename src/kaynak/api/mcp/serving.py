"""Starts the MCP server with the first request, and keeps it for the life of the event loop."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kaynak.api.mcp.tools import Call

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

_BODY_BYTES: Final = 1024 * 1024


class McpServer:
    """One MCP server without sessions: every request stands alone, so that any process may answer it.

    Host and Origin are checked for all of our addresses by `kaynak.api.middleware.AllowedHosts`.
    """

    def __init__(self) -> None:
        self._starting: asyncio.Task[StreamableHTTPSessionManager] | None = None
        self._running: asyncio.Task[None] | None = None

    async def handle(self, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        if self._starting is None or self._starting.get_loop() is not asyncio.get_running_loop():
            self._starting = asyncio.create_task(self._start())
        try:
            manager = await asyncio.shield(self._starting)
        except Exception:
            self._starting = None  # the next request tries again
            raise
        server = import_module("kaynak.api.mcp.server")
        await manager.handle_request({**scope, server.CALL: call}, receive, send)

    async def _start(self) -> StreamableHTTPSessionManager:
        # Importing takes most of a second, in which others are still to be served.
        server = await asyncio.to_thread(import_module, "kaynak.api.mcp.server")
        transport = await asyncio.to_thread(import_module, "mcp.server.streamable_http_manager")
        manager: StreamableHTTPSessionManager = transport.StreamableHTTPSessionManager(
            server.build(), stateless=True, max_request_body_size=_BODY_BYTES
        )
        ready = asyncio.Event()
        # It ends with the loop, which cancels what is left of its tasks.
        self._running = asyncio.create_task(_run(manager, ready))
        await ready.wait()
        return manager


async def _run(manager: StreamableHTTPSessionManager, ready: asyncio.Event) -> None:
    async with manager.run():
        ready.set()
        await asyncio.Event().wait()


class McpResponse(Response):
    """What the MCP server answers to the request at hand."""

    def __init__(self, server: McpServer, call: Call) -> None:
        super().__init__()
        self._server = server
        self._call = call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Has the MCP server answer."""
        await self._server.handle(self._call, scope, receive, send)
