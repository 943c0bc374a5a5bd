"""Reading request bodies: bounded before they are read, and strict about what JSON is."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

import orjson
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from kaynak.domain import InvalidRequest, TooLarge

MAX_DEPTH = 64
"""Nesting of a JSON body; the serialiser refuses more than 254 on the way out."""


class JsonRoute(APIRoute):
    """A route whose body is read within ``body_limit`` bytes and parsed strictly.

    FastAPI would read any number of bytes, and accept ``NaN``, lone surrogates and NUL characters that fail
    later, in PostgreSQL or on the way out.
    """

    body_limit: ClassVar[int] = 1024 * 1024

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns FastAPI's handler behind the bounded, strict reading."""
        handler = super().get_route_handler()
        if self.body_field is None:
            return handler
        limit = self.body_limit

        async def read_then_handle(request: Request) -> Response:
            body = await read_body(request, limit)
            prepared = _ReadRequest(request.scope, request.receive)
            prepared.content = body
            return await handler(prepared)

        return read_then_handle


class BulkJsonRoute(JsonRoute):
    """A route that takes the text of documents as JSON."""

    body_limit = 64 * 1024 * 1024


class _ReadRequest(Request):
    content: bytes

    async def body(self) -> bytes:
        return self.content

    async def json(self) -> Any:
        # FastAPI turns a JSONDecodeError into a validation error and all else into a bare 400.
        return parse_json(self.content)


class NotJson(json.JSONDecodeError):
    """JSON that we refuse although it is well-formed."""


def parse_json(content: bytes) -> Any:
    """Returns the value of ``content``.

    Raises:
        orjson.JSONDecodeError: It is not JSON, is nested too deep, or has a NUL character in a string.
    """
    value = orjson.loads(content)
    # Both walks are rare: only a body that could break a rule is looked through.
    if content.count(b"[") + content.count(b"{") > MAX_DEPTH and _deeper(value, MAX_DEPTH):
        raise NotJson(f"nested deeper than {MAX_DEPTH} levels", "", 0)
    if b"\\u0000" in content and _has_nul(value):
        raise NotJson("a string has a NUL character", "", 0)
    return value


def _deeper(value: object, limit: int) -> bool:
    layer = [value]
    for _ in range(limit + 1):
        layer = [
            inner
            for item in layer
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not layer:
            return False
    return True


def _has_nul(value: object) -> bool:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if "\x00" in item:
                return True
        elif isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return False


def declared_length(request: Request) -> int | None:
    """Returns the Content-Length, if the request has one.

    Raises:
        InvalidRequest: It is not a number.
    """
    declared = request.headers.get("content-length")
    if declared is None:
        return None
    if not declared.isascii() or not declared.isdigit():
        raise InvalidRequest("Content-Length is not a number.")
    return int(declared)


def too_large(limit: int) -> TooLarge:
    """Returns the error for a body beyond ``limit`` bytes."""
    size = f"{limit / (1024 * 1024):g} MB" if limit >= 1024 * 1024 else f"{limit} bytes"
    return TooLarge(
        f"The request is larger than {size}.",
        hint="Split it into several requests; an administrator can raise KAYNAK_LIMITS__UPLOAD_MB for files.",
    )


async def read_body(request: Request, limit: int) -> bytes:
    """Returns the body.

    Raises:
        TooLarge: It has, or declares, more than ``limit`` bytes.
        InvalidRequest: The caller went away while sending it.
    """
    if (declared_length(request) or 0) > limit:
        raise too_large(limit)
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise too_large(limit)
            parts.append(part)
    except ClientDisconnect as exc:
        raise InvalidRequest("The request ended before its body was complete.") from exc
    return b"".join(parts)


def validation_problems(error: RequestValidationError) -> list[dict[str, str]]:
    """Returns one ``{"field", "message"}`` per fault; never the value itself, which may be a document."""
    faults = []
    for fault in error.errors():
        field = ".".join(str(part) for part in fault.get("loc", ()))
        context = fault.get("ctx") or {}
        message = str(fault.get("msg", "is not valid"))
        if fault.get("type") == "json_invalid":
            field, message = "body", f"is not acceptable JSON: {context.get('error', 'malformed')}"
        faults.append({"field": field[:200], "message": message[:300]})
    return faults
