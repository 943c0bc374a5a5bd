"""Open connections are counted, over real sockets: who is too many is told so, and is forgotten when they leave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from kaynak.api import crowding
from kaynak.api.connection import Patience, guarded
from kaynak.api.crowding import Crowd
from kaynak.cli import up

ASK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextmanager
def serving(crowd: Crowd) -> Iterator[int]:
    http = guarded(Patience(refused_seconds=0.3), crowd)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, http=http, ws="none", log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def connected(port: int, stack: ExitStack, source: str = "127.0.0.1") -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0))
    return stack.enter_context(made)


def told(connection: socket.socket) -> bytes:
    """Asks, and returns the answer; all of it if the server closes after it."""
    connection.sendall(ASK)
    parts = [connection.recv(65536)]
    while parts[-1] and not parts[0].startswith(b"HTTP/1.1 200"):
        parts.append(connection.recv(65536))
    return b"".join(parts)


def closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def becomes(condition: Any) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture
def strangers(monkeypatch):
    """Loopback's second half is somebody else."""
    import ipaddress

    monkeypatch.setattr(crowding, "_LOCAL", (ipaddress.ip_network("127.0.0.0/9"),))
    return "127.200.0.1", "127.200.0.2"


def test_more_than_there_is_room_for_are_told_so(strangers):
    one, other = strangers
    crowd = Crowd(most=2)
    with serving(crowd) as port, ExitStack() as stack:
        first, second = connected(port, stack, one), connected(port, stack, other)
        assert told(first).startswith(b"HTTP/1.1 200")
        assert told(second).startswith(b"HTTP/1.1 200")
        refused = told(connected(port, stack, one))
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in refused
        assert b"urn:kaynak:error:unavailable" in refused
        assert b"as many connections as it takes" in refused
        assert told(first).startswith(b"HTTP/1.1 200"), "who was there stays"
        second.close()
        becomes(lambda: crowd._open == 1)
        assert told(connected(port, stack, one)).startswith(b"HTTP/1.1 200")
    assert (crowd._open, crowd._refused, crowd._addresses) == (0, 0, {})


def test_one_address_takes_no_more_than_its_share(strangers):
    one, other = strangers
    crowd = Crowd(most=100, of_address=2)
    with serving(crowd) as port, ExitStack() as stack:
        for _ in range(2):
            assert told(connected(port, stack, one)).startswith(b"HTTP/1.1 200")
        refused = told(connected(port, stack, one))
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"from your address" in refused
        assert told(connected(port, stack, other)).startswith(b"HTTP/1.1 200")
    assert (crowd._open, crowd._refused, crowd._addresses) == (0, 0, {})


def test_strangers_do_not_keep_the_owner_of_the_machine_out(strangers):
    with serving(Crowd(most=3, of_address=1)) as port, ExitStack() as stack:
        for last in range(1, 4):
            assert told(connected(port, stack, f"127.200.0.{last}")).startswith(b"HTTP/1.1 200")
        assert told(connected(port, stack, "127.200.0.9")).startswith(b"HTTP/1.1 503")
        for _ in range(5):
            assert told(connected(port, stack)).startswith(b"HTTP/1.1 200")


def test_even_this_machine_is_bounded(monkeypatch):
    monkeypatch.setattr(crowding, "_RESERVED", 1)
    with serving(Crowd(most=1, of_address=1)) as port, ExitStack() as stack:
        for _ in range(2):
            assert told(connected(port, stack)).startswith(b"HTTP/1.1 200")
        assert told(connected(port, stack)).startswith(b"HTTP/1.1 503")


def test_who_is_refused_and_says_nothing_is_let_go(strangers, monkeypatch):
    monkeypatch.setattr(crowding, "_WAITING_MOST", 1)
    crowd = Crowd(most=1)
    with serving(crowd) as port, ExitStack() as stack:
        assert told(connected(port, stack, strangers[0])).startswith(b"HTTP/1.1 200")
        silent = connected(port, stack, strangers[0])
        becomes(lambda: crowd._refused == 1)
        assert closed(connected(port, stack, strangers[0])), "one waits already"
        assert crowd._refused == 1
        assert closed(silent)
        becomes(lambda: crowd._refused == 0)
        assert told(connected(port, stack, strangers[0])).startswith(b"HTTP/1.1 503")


def test_addresses_of_proxies_and_of_one_household():
    crowd = Crowd(of_address=1, proxies=["10.0.0.0/8"])
    assert [crowd.enter(one) for one in ("10.1.2.3", "::ffff:10.1.2.3", "127.0.0.1", "::1", None)] == [None] * 5
    assert crowd.enter("2001:db8::1") is None
    assert crowd.enter("2001:db8::ffff") is not None
    assert crowd.enter("2001:db8:0:1::1") is None
    assert crowd.enter("192.0.2.1") is None
    assert crowd.enter("::ffff:192.0.2.1") is not None
    crowd.leave("192.0.2.1")
    assert crowd.enter("::ffff:192.0.2.1") is None


def test_without_limits_all_come():
    crowd = Crowd()
    assert {crowd.enter("192.0.2.1") for _ in range(10_000)} == {None}


@pytest.mark.parametrize(("files", "most"), [(None, 8192), (65_536, 8192), (1024, 512), (1, 1)])
def test_connections_leave_files_for_the_database(files, most):
    limits = SimpleNamespace(connections=8192, address_connections=0)
    crowd = up._crowd(SimpleNamespace(limits=limits, trusted_proxies=()), files)
    assert crowd._most == most
