from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from kaynak.api.deps import CurrentScope, Renewal, Services
from kaynak.api.links import absolute
from kaynak.api.mcp.serving import McpResponse, McpServer
from kaynak.api.mcp.tools import Call

router = APIRouter(include_in_schema=False)


@router.post("/mcp")
async def serve_mcp(request: Request, kaynak: Services, scope: CurrentScope, renew: Renewal) -> Response:
    """Takes messages of the Model Context Protocol, under the caller's scope like every other route."""
    server = _server_of(request)
    return McpResponse(server, Call(kaynak, scope, renew, lambda path: absolute(request, path), _untold))


def _server_of(request: Request) -> McpServer:
    state = request.app.state
    if not hasattr(state, "mcp"):
        state.mcp = McpServer()
    server: McpServer = state.mcp
    return server


async def _untold(_: str) -> None:
    """Progress that nobody asked for."""
