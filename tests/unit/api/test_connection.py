"""Bytes on a socket: what is smuggled is refused, what takes too long is closed, and nobody else notices."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn

from kaynak.api.connection import Patience, guarded

HOST = b"Host: a\r\n"


@dataclass
class Server:
    port: int = 0
    seen: list[tuple[str, bytes, dict[bytes, bytes]]] = field(default_factory=list)
    """Method and path, body, headers of each request that reached the application."""
    left: threading.Event = field(default_factory=threading.Event)
    """Set when a client went away before its request or its answer was whole."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/early":
            await _send(send, b"no", 413)
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return
            body += message["body"]
            if not message["more_body"]:
                break
        self.seen.append((f"{scope['method']} {scope['path']}", body, dict(scope["headers"])))
        if scope["path"] == "/endless":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while (await _maybe(receive)) is None:
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            self.left.set()
            return
        await _send(send, b"x" * 1_000_000 if scope["path"] == "/large" else b"ok")

    def ask(self, *pieces: bytes) -> bytes:
        """Sends the bytes, and returns all that comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            for piece in pieces:
                connection.sendall(piece)
            return _rest(connection)


async def _maybe(receive: Any) -> Any:
    try:
        return await asyncio.wait_for(receive(), 0.001)
    except TimeoutError:
        return None


async def _send(send: Any, body: bytes, status: int = 200) -> None:
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


def _rest(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass  # a server that refuses does not wait for what is still being sent
    return b"".join(parts)


@contextmanager
def serving(patience: Patience) -> Iterator[Server]:
    app = Server()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http=guarded(patience), ws="none", log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    app.port = server.servers[0].sockets[0].getsockname()[1]
    yield app
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serving(Patience(headers=20)) as server:
        yield server


@pytest.fixture(scope="module")
def hasty() -> Iterator[Server]:
    with serving(Patience(head_seconds=0.2)) as server:
        yield server


@pytest.fixture(scope="module")
def busy() -> Iterator[Server]:
    with serving(Patience(head_seconds=60, idle_seconds=0.2)) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.seen.clear()
    return running


@pytest.fixture
def impatient_of_heads(hasty: Server) -> Server:
    hasty.seen.clear()
    return hasty


@pytest.fixture
def impatient(busy: Server) -> Server:
    busy.seen.clear()
    busy.left.clear()
    return busy


def post(headers: bytes, body: bytes = b"0\r\n\r\n") -> bytes:
    return b"POST / HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


def get(headers: bytes = b"", *, target: bytes = b"/", host: bytes = HOST) -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + host + headers + b"\r\n"


CHUNKED = b"Transfer-Encoding: chunked\r\n"
SMUGGLED = {
    "both lengths": post(b"Content-Length: 5\r\n" + CHUNKED),
    "both lengths, the other way": post(CHUNKED + b"Content-Length: 5\r\n"),
    "two lengths": post(b"Content-Length: 2\r\nContent-Length: 3\r\n", b"abc"),
    "the same length twice": post(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"ab"),
    "a list of lengths": post(b"Content-Length: 2, 2\r\n", b"ab"),
    "a signed length": post(b"Content-Length: +2\r\n", b"ab"),
    "a hexadecimal length": post(b"Content-Length: 0x2\r\n", b"ab"),
    "an empty length": post(b"Content-Length: \r\n", b"ab"),
    "a length beyond numbers": post(b"Content-Length: 99999999999999999999\r\n", b"ab"),
    "a space before the colon": post(b"Content-Length : 2\r\n", b"ab"),
    "two codings": post(CHUNKED + b"Transfer-Encoding: identity\r\n"),
    "identity": post(b"Transfer-Encoding: identity\r\n", b"ab"),
    "a coding nobody knows": post(b"Transfer-Encoding: xchunked\r\n"),
    "compressed chunks": post(b"Transfer-Encoding: gzip, chunked\r\n"),
    "chunks that are not last": post(b"Transfer-Encoding: chunked, gzip\r\n"),
    "a vertical tab": post(b"Transfer-Encoding: \x0bchunked\r\n"),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked\r\n"),
    "chunks in HTTP/1.0": post(CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a folded line": get(b"X: b\r\n c\r\n"),
    "bare line feeds": get().replace(b"\r\n", b"\n"),
    "one bare line feed": get(b"X: y\nZ: w\r\n"),
    "a bare carriage return": get(b"X: a\rY: b\r\n"),
    "a NUL": get(b"X: a\x00b\r\n"),
    "no name": get(b": a\r\n"),
    "two hosts": get(host=b"Host: a\r\nHost: b\r\n"),
    "another host in the address": get(target=b"http://evil/"),
    "a tunnel": b"CONNECT evil:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "no address": get(target=b"x"),
    "bytes beyond ASCII": get(target=b"/\xff"),
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a strange version": get().replace(b"1.1", b"1.2"),
    "an upgrade that hides a body": post(b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n", b"ab"),
}


@pytest.mark.parametrize("sent", SMUGGLED.values(), ids=SMUGGLED)
def test_what_could_be_understood_in_two_ways_is_refused(server, sent):
    answer = server.ask(sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
    assert answer.count(b"urn:kaynak:error:bad-request") == 1
    assert server.seen == []


MALFORMED = {
    "an extension with a line feed": b"2;x=\n\r\nab\r\n0\r\n\r\n",
    "bare line feeds": b"2\nab\n0\n\n",
    "a negative size": b"-2\r\nab\r\n0\r\n\r\n",
    "a size beyond numbers": b"fffffffffffffffff\r\nab\r\n0\r\n\r\n",
    "more than its size": b"2\r\nabX0\r\n\r\n",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_malformed_chunks_end_the_request(server, body):
    assert server.ask(post(CHUNKED, body)).startswith(b"HTTP/1.1 400 ")
    assert server.seen == []


HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        get(b"Content-Length: %d\r\nConnection: close\r\n" % len(HIDDEN)) + HIDDEN,
        get(b"Connection: close\r\n") + HIDDEN,
        get(b"Connection: upgrade\r\nUpgrade: websocket\r\n") + HIDDEN,
    ],
    ids=["in the body", "after the last request", "after an upgrade"],
)
def test_a_request_in_what_belongs_to_no_request_is_none(server, sent):
    assert server.ask(sent).count(b"HTTP/1.1 200") == 1
    assert [name for name, _, _ in server.seen] == ["GET /"]


def test_fields_after_the_body_reach_nobody(server):
    body = b"2\r\nab\r\n0\r\nAuthorization: evil\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n"
    answer = server.ask(post(CHUNKED + b"Connection: close\r\n", body))
    assert answer.startswith(b"HTTP/1.1 200")
    ((_, received, headers),) = server.seen
    assert received == b"ab"
    assert set(headers) == {b"host", b"transfer-encoding", b"connection"}


def test_what_is_sound_is_served(server):
    whole = get() + post(CHUNKED, b"2\r\nab\r\n0\r\n\r\n") + get(target=b"http://a/x") + get(b"Connection: close\r\n")
    assert server.ask(*[whole[at : at + 7] for at in range(0, len(whole), 7)]).count(b"HTTP/1.1 200") == 4
    assert [(name, body) for name, body, _ in server.seen] == [
        ("GET /", b""),
        ("POST /", b"ab"),
        ("GET /x", b""),
        ("GET /", b""),
    ]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ([get(target=b"/" + b"a" * 70_000)], 414),
        ([b"GET /", *[b"a" * 10_000] * 20], 414),
        ([get(b"".join(b"X-%d: a\r\n" % number for number in range(30)))], 431),
        ([get(b"X: " + b"a" * 40_000 + b"\r\n")], 431),
        ([b"GET / HTTP/1.1\r\nX: ", *[b"a" * 10_000] * 20], 431),
        ([b"\r\n" * 5000] * 20, 431),
    ],
    ids=["target", "endless target", "many fields", "long field", "endless field", "empty lines"],
)
def test_heads_are_bounded(server, sent, status):
    answer = server.ask(*sent[:1]) if len(sent) == 1 else _unread(server, sent)
    # A client that is still sending may find the connection reset before it reads why.
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()) or (len(sent) > 1 and answer[:9] in (b"", b"HTTP/1.1 "))
    assert server.seen == []


def _unread(server: Server, pieces: list[bytes]) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except ConnectionError:
            return b""
        return _rest(connection)


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"\r\n"],
    ids=["nothing", "half a line", "half a head", "an empty line"],
)
def test_a_head_that_does_not_come_is_not_waited_for(impatient_of_heads, sent):
    answer = impatient_of_heads.ask(sent)
    assert answer == b"" if not sent else answer.startswith(b"HTTP/1.1 408 ")
    assert impatient_of_heads.seen == []


def test_a_head_that_comes_drop_by_drop_is_not_waited_for(impatient_of_heads):
    with socket.create_connection(("127.0.0.1", impatient_of_heads.port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        connection.settimeout(0.02)
        answer = b""
        while not answer:
            try:
                connection.sendall(b"a")
                answer = connection.recv(1000)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            else:
                break
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")
    assert impatient_of_heads.seen == []


def test_a_body_that_does_not_come_is_not_waited_for(impatient):
    answer = impatient.ask(post(b"Content-Length: 10\r\n", b"half"))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert impatient.left.wait(60)
    assert impatient.seen == []


def test_the_rest_of_a_request_that_was_answered_is_not_waited_for(impatient):
    answer = impatient.ask(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", b"half")
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", [b"/large", b"/endless"])
def test_an_answer_that_nobody_takes_is_given_up(impatient, path):
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", impatient.port))
        connection.sendall(get(b"Connection: close\r\n", target=path))
        # Nothing is read: the application is told that the client is gone, and is not held.
        assert _becomes(lambda: impatient.seen)
        assert path != b"/endless" or impatient.left.wait(60)
        assert _becomes(lambda: _reset(connection))


def _becomes(condition: Any) -> bool:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
    return True


def _reset(connection: socket.socket) -> bool:
    """Returns whether the server has reset the connection: a byte more meets nobody."""
    try:
        connection.send(b"a")
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False
