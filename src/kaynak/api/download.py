"""Original bytes on their way out: saved by the browser, never run in it."""

from __future__ import annotations

import os
from typing import Any

from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from kaynak.api.problems import RequestRefused, respond
from kaynak.api.wire import problem_of
from kaynak.domain import KaynakError

_SAFE = {
    # Originals are other people's files: the browser saves them, and runs nothing in them.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}


class RangeNotSatisfiable(KaynakError):
    """The range lies outside of the file."""

    type, title, status = "range-not-satisfiable", "No such range", 416


class Download(FileResponse):
    """A file as an attachment; errors in the Range header are problem documents as everywhere."""

    def __init__(self, path: str | os.PathLike[str], **options: Any) -> None:
        super().__init__(path, headers=_SAFE, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the file."""
        refused: list[tuple[int, str]] = []

        async def intercept(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                found = dict(message["headers"]).get(b"content-range", b"")
                refused.append((message["status"], found.decode("latin-1")))
            elif not refused:
                await send(message)

        await super().__call__(scope, receive, intercept)
        if refused:
            status, content_range = refused[0]
            kind = RangeNotSatisfiable if status == 416 else RequestRefused
            error = kind("The Range header cannot be satisfied.", hint="Ask for bytes that the file has.")
            headers = {"Content-Range": content_range} if content_range else None
            await respond(problem_of(error), scope.get("kaynak.request_id", ""), headers)(scope, receive, send)
