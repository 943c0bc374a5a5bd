"""One connection of a client: what uvicorn leaves open is closed here, before the application hears of it.

The parser refuses what requests are smuggled with (Content-Length beside Transfer-Encoding, folded lines, bare line
feeds, and so on). Here are bounds on the head of a request, on how long a client may take over everything, and on how
many connections there are.
"""

from __future__ import annotations

import time
from asyncio import Transport
from asyncio.events import TimerHandle
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import urlsplit

import httptools
import structlog
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kaynak.api.crowding import Crowd
from kaynak.api.wire import URN, dumps

log = structlog.get_logger(__name__)

_LEAST_BYTES = 1024
"""Of a body in one turn of ``idle_seconds``: who sends less holds a connection for nothing."""
_SLACK = 4096
"""Bytes of line ends and empty lines that do not count as headers."""


@dataclass(frozen=True, slots=True)
class Patience:
    """What a client may take.

    Attributes:
        target_bytes: Longest request target.
        headers: Most header fields.
        header_bytes: Of their names and values together.
        head_seconds: From the first byte of a request to the end of its head.
        idle_seconds: Without a kilobyte of the body, or without taking any of the answer.
        refused_seconds: For a request that is to be told that there is no room for it.
    """

    target_bytes: int = 64 * 1024
    headers: int = 100
    header_bytes: int = 32 * 1024
    head_seconds: float = 20.0
    idle_seconds: float = 60.0
    refused_seconds: float = 1.0


class _Refused(Exception):
    """The request is not served."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class _Flow(FlowControl):
    """Remembers when reading went on: until then the client could not send."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.resumed_at = 0.0

    def resume_reading(self) -> None:
        if self.read_paused:
            self.resumed_at = time.monotonic()
        super().resume_reading()


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds; make one with `guarded`."""

    patience: ClassVar[Patience] = Patience()
    crowd: ClassVar[Crowd] = Crowd()

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        super().connection_made(transport)
        self.flow = _Flow(transport)
        self._refusal: _Refused | None = None
        self._deaf = False
        self._spoke = False
        self._in_body = False
        self._head_since: float | None = time.monotonic()
        self._head_bytes = 0
        self._header_bytes = 0
        self._window_since = 0.0
        self._window_bytes = 0
        self._answered_at: float | None = None
        self._stalled_since: float | None = None
        self._unsent = (0, 0.0)
        self._tick: TimerHandle | None = None
        self._crowded_out = False
        self._no_room = self.crowd.enter(self._address())
        if self._no_room is None:
            self._watch()
        elif self.crowd.wait():
            self._tick = self.loop.call_later(self.patience.refused_seconds, self.transport.close)
        else:
            self._crowded_out = True
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the watch."""
        if self._tick is not None:
            self._tick.cancel()
        if self._no_room is None:
            self.crowd.leave(self._address())
        elif not self._crowded_out:
            self.crowd.go()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses, and refuses what cannot be served."""
        if self._deaf:
            return
        if self._no_room is not None:
            self._refuse(_Refused(503, self._no_room))
            return
        self._unset_keepalive_if_required()
        self._spoke = True
        if self._in_body:
            self._window_bytes += len(data)
        elif self._head_since is None:
            self._head_since = time.monotonic()
        try:
            self.parser.feed_data(data)
            self._bound_head(len(data))
        except httptools.HttpParserUpgrade:
            self._deaf = True  # nothing is upgraded; what follows belongs to no request
        except httptools.HttpParserError:
            self._refuse(self._refusal or _Refused(400, "The bytes are not a well-formed HTTP/1.1 request."))
        except _Refused as refused:
            self._refuse(refused)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._header_bytes = 0
        if self._head_since is None:
            self._head_since = time.monotonic()

    def on_url(self, url: bytes) -> None:
        """Bounds the request target."""
        super().on_url(url)
        if len(self.url) > self.patience.target_bytes:
            self._fail(414, "The address is too long. Send a long filter or query in the body of a POST.")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Bounds the header fields; those that come after the body are dropped, they would reach past every check."""
        if self._in_body:
            return
        super().on_header(name, value)
        self._header_bytes += len(name) + len(value)
        if len(self.headers) > self.patience.headers or self._header_bytes > self.patience.header_bytes:
            self._fail(431, "The request has too many, or too long, header fields.")

    def on_headers_complete(self) -> None:
        """Refuses requests that two programs could understand in two ways."""
        fault = self._ambiguous()
        if fault is not None:
            self._fail(400, fault)
        self._head_since, self._head_bytes = None, 0
        self._in_body = True
        self._window_since, self._window_bytes = time.monotonic(), 0
        super().on_headers_complete()
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_body = False
        self._answered_at = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer before the end of the request: the rest of it is let in for a while, and thrown away."""
        if self._in_body:
            self._answered_at = time.monotonic()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not take its answer."""
        self._stalled_since = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._stalled_since = None
        super().resume_writing()

    def _address(self) -> str | None:
        return None if self.client is None else self.client[0]

    def _ambiguous(self) -> str | None:
        """Returns what is wrong with the head, where the parser takes it."""
        names = [name for name, _ in self.headers]
        coded = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
        if coded and (coded != [b"chunked"] or self.parser.get_http_version() == "1.0"):
            return "Of Transfer-Encoding only “chunked” is understood, in HTTP/1.1."
        if names.count(b"host") > 1:
            return "The request has more than one Host."
        if not self.url.startswith((b"/", b"*")):
            host = dict(self.headers).get(b"host", b"")
            if urlsplit(self.url).netloc.lower() != host.lower():
                return "The address of the request and its Host differ."
        if self.parser.should_upgrade() and (coded or b"content-length" in names):
            return "This server speaks HTTP/1.1 only. Send the request without Upgrade."
        return None

    def _bound_head(self, received: int) -> None:
        """Counts what belongs to no header field yet, because its end has not come."""
        if self._in_body or self._head_since is None:
            self._head_bytes = 0
            return
        self._head_bytes += received
        if self._head_bytes > self.patience.target_bytes + self.patience.header_bytes + _SLACK:
            raise _Refused(431, "The head of the request is too long.")

    def _fail(self, status: int, detail: str) -> None:
        """Ends parsing, out of one of the parser's callbacks: it turns every exception into one of its own."""
        self._refusal = _Refused(status, detail)
        raise self._refusal

    def _refuse(self, refused: _Refused) -> None:
        """Says what is wrong, where nothing else has been said yet, and closes."""
        self._deaf = True
        log.info("request_refused", status=refused.status, reason=refused.detail)
        cycle = getattr(self, "cycle", None)  # None before the first request, whatever its annotation says
        begun = cycle is not None and cycle.response_started and not cycle.response_complete
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.pipeline.clear()
        if begun:
            self.transport.abort()  # anything written now would look like a part of the answer
            return
        self.transport.write(_answer(refused))
        self.transport.close()

    def _watch(self) -> None:
        """Looks every now and then whether the client takes too long."""
        patience = self.patience
        self._tick = self.loop.call_later(max(0.02, min(patience.head_seconds, patience.idle_seconds) / 4), self._watch)
        now = time.monotonic()
        if self._stuck(now):
            log.info("client_too_slow", doing="taking the answer")
            self.transport.abort()
        elif self.transport.is_closing():
            return
        elif self._head_since is not None and now - self._head_since > patience.head_seconds:
            if not self._spoke:
                self.transport.close()  # connected and said nothing
            else:
                self._refuse(_Refused(408, "The head of the request did not come in time."))
        elif self._in_body and self._dawdles(now):
            self._refuse(_Refused(408, "The body of the request did not come in time."))

    def _dawdles(self, now: float) -> bool:
        """Returns whether too little of the body came, though the client could send."""
        if self._answered_at is not None:
            return now - self._answered_at > self.patience.idle_seconds
        since = max(self._window_since, getattr(self.flow, "resumed_at", 0.0))
        if self.flow.read_paused or now - since <= self.patience.idle_seconds:
            return False
        if self._window_bytes < _LEAST_BYTES:
            return True
        self._window_since, self._window_bytes = now, 0
        return False

    def _stuck(self, now: float) -> bool:
        """Returns whether the client has taken nothing of what waits for it."""
        if self._stalled_since is not None:
            return now - self._stalled_since > self.patience.idle_seconds
        if not self.transport.is_closing():
            return False
        waiting = self.transport.get_write_buffer_size()
        if waiting != self._unsent[0]:
            self._unsent = (waiting, now)
        return waiting > 0 and now - self._unsent[1] > self.patience.idle_seconds


def guarded(patience: Patience, crowd: Crowd | None = None) -> type[GuardedProtocol]:
    """Returns the protocol with these bounds, as uvicorn takes it."""
    return type("GuardedProtocol", (GuardedProtocol,), {"patience": patience, "crowd": crowd or Crowd()})


def _answer(refused: _Refused) -> bytes:
    title = HTTPStatus(refused.status).phrase
    crowded = refused.status == HTTPStatus.SERVICE_UNAVAILABLE
    kind = "unavailable" if crowded else "bad-request"
    again = "retry-after: 1\r\n" if crowded else ""
    body = dumps({"type": URN + kind, "title": title, "status": refused.status, "detail": refused.detail})
    head = (
        f"HTTP/1.1 {refused.status} {title}\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\n"
        f"{again}connection: close\r\n\r\n"
    )
    return head.encode() + body
