"""As much of HTTP/1.1 as a client of models uses: requests with a length, answers whole or in chunks."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_PHRASES = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 404: "Not Found"}
_PHRASES |= {405: "Method Not Allowed", 429: "Too Many Requests", 502: "Bad Gateway", 503: "Service Unavailable"}
_MOST_BODY = 64 * 1024 * 1024


class Gone(Exception):
    """The caller closed the connection."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    target: str
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> dict[str, Any]:
        """Returns the body.

        Raises:
            ValueError: It is not a JSON object.
        """
        document = json.loads(self.content) if self.content else {}
        if not isinstance(document, dict):
            raise ValueError("not an object")
        return document


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Returns the next request of a connection; None at its end.

    Raises:
        ValueError: It is not HTTP as this server understands it.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    if "transfer-encoding" in headers or not 0 <= length <= _MOST_BODY:
        raise ValueError("the body needs a Content-Length")
    content = await reader.readexactly(length)
    parts = urlsplit(target)
    return Request(method, parts.path, dict(parse_qsl(parts.query)), target, headers, content)


class Responder:
    """Writes one answer. Every method raises `Gone` once the caller has closed the connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.complete = False

    async def whole(self, status: int, content: bytes, media_type: str, headers: Mapping[str, str]) -> None:
        """Sends a complete answer."""
        all_headers = {"content-type": media_type, "content-length": str(len(content)), **headers}
        await self._write(_head(status, all_headers) + content)
        self.complete = True

    async def start(self, media_type: str) -> None:
        """Sends the head of an answer that comes in chunks."""
        headers = {"content-type": media_type, "transfer-encoding": "chunked", "cache-control": "no-cache"}
        await self._write(_head(200, headers))

    async def send(self, content: bytes, *, bytewise: bool = False) -> None:
        """Sends a chunk; with ``bytewise`` one of each byte."""
        if bytewise:
            for byte in content:
                await self._write(b"1\r\n" + bytes([byte]) + b"\r\n")
        elif content:
            await self._write(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    async def finish(self) -> None:
        """Ends the body as it should end."""
        await self._write(b"0\r\n\r\n")
        self.complete = True

    def reset(self) -> None:
        """Resets the connection: what the caller has not read yet may be lost to him."""
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _write(self, content: bytes) -> None:
        if self._writer.is_closing():
            raise Gone
        self._writer.write(content)
        try:
            await self._writer.drain()
        except ConnectionError as exc:
            raise Gone from exc


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Error')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
