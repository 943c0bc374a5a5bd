"""Tools for agents: search, ask, read a passage in context, list collections, over MCP at ``/mcp``. See docs/mcp.md.

The library is imported with the first request: it takes longer than the rest of the server.
"""

from kaynak.api.mcp.routes import router

__all__ = ["router"]
