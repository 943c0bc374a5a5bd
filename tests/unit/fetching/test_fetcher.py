"""Fetching from local servers that mean well, and from those that do not. Names lead where the test says."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kaynak.domain import KaynakError, TooLarge, UrlFailed, UrlRefused
from kaynak.fetching import Fetcher, FetchLimits, Reach

pytestmark = pytest.mark.anyio

LIMITS = FetchLimits(bytes=100_000, seconds=30, idle_seconds=30, redirects=5)
Reply = bytes | Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


class Web:
    """A server on a loopback address, and a resolver by which it has any name.

    Attributes:
        replies: By path: bytes, or something that writes them.
        names: Addresses of names; each asking takes the next list, and stays at the last.
        asked: Paths with their Host, in order.
    """

    def __init__(self) -> None:
        self.port = 0
        self.replies: dict[str, Reply] = {}
        self.names: dict[str, list[list[str]]] = {}
        self.asked: list[tuple[str, str]] = []
        self.heads: list[str] = []

    def url(self, path: str = "/", host: str = "site.example") -> str:
        return f"http://{host}:{self.port}{path}"

    async def resolve(self, host: str, port: int) -> list[str]:
        answers = self.names.get(host)
        if answers is None:
            raise OSError("no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split(" ")[1]
            host = next(line for line in head.splitlines() if line.lower().startswith("host:"))[5:].strip()
            self.asked.append((path, host.partition(":")[0]))
            self.heads.append(head)
            reply = self.replies[path]
            if isinstance(reply, bytes):
                writer.write(reply)
            else:
                await reply(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def ok(body: bytes, *headers: str) -> bytes:
    lines = [f"Content-Length: {len(body)}", *headers]
    return b"HTTP/1.1 200 OK\r\n" + "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


def to(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


@asynccontextmanager
async def web() -> AsyncIterator[Web]:
    it = Web()
    server = await asyncio.start_server(it.serve, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    it.names["site.example"] = [["127.0.0.1"]]
    async with server:
        yield it


async def fetch(it: Web, url: str, folder: Path, *, private=("127.0.0.1/32",), limits: FetchLimits = LIMITS) -> bytes:
    target = folder / "fetched"
    await Fetcher(Reach(private), limits, it.resolve).fetch(url, target)
    return target.read_bytes()


async def test_a_document_is_fetched_as_it_is(tmp_path):
    async with web() as it:
        it.replies["/a/leave.txt?v=2"] = ok(b"26 days", "Content-Type: text/plain; charset=utf-8")
        found = await Fetcher(Reach(["127.0.0.1"]), LIMITS, it.resolve).fetch(
            it.url("/a/leave.txt?v=2#x"), tmp_path / "f"
        )
        assert (tmp_path / "f").read_bytes() == b"26 days"
        assert (found.name, found.media_type, found.size) == ("leave.txt", "text/plain", 7)
        assert found.url == it.url("/a/leave.txt?v=2")
        assert "cookie" not in it.heads[0].lower()
        assert "authorization" not in it.heads[0].lower()


async def test_redirects_are_followed_to_their_end(tmp_path):
    async with web() as it:
        it.names["other.example"] = [["127.0.0.1"]]
        it.replies = {"/1": to("/2"), "/2": to(it.url("/3", "other.example"), 308), "/3": ok(b"here")}
        assert await fetch(it, it.url("/1"), tmp_path) == b"here"
        assert [host for _, host in it.asked] == ["site.example", "site.example", "other.example"]


async def test_more_redirects_than_allowed_are_not_followed(tmp_path):
    async with web() as it:
        it.replies = {f"/{number}": to(f"/{number + 1}") for number in range(20)}
        with pytest.raises(UrlFailed, match="more than 5"):
            await fetch(it, it.url("/0"), tmp_path)
        assert len(it.asked) == 6


INSIDE = ["127.0.0.2", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.2", "64:ff9b::7f00:2", "fd00:ec2::254"]


@pytest.mark.parametrize("address", INSIDE)
async def test_names_that_lead_inside_are_refused(tmp_path, address):
    async with web() as it:
        it.names["evil.example"] = [[address]]
        with pytest.raises(UrlRefused) as refused:
            await fetch(it, it.url("/", "evil.example"), tmp_path)
        assert address not in refused.value.message  # what is inside is nobody's business
        assert it.asked == []


async def test_without_the_setting_loopback_is_refused_under_every_name(tmp_path):
    hosts = ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "[::1]", "[::ffff:7f00:1]"]
    async with web() as it:
        for host in hosts:
            # By the resolver of this machine, which reads all of these notations.
            with pytest.raises((UrlRefused, UrlFailed)):
                await Fetcher(Reach(), LIMITS).fetch(it.url("/", host), tmp_path / "f")
        assert it.asked == []


@pytest.mark.parametrize("address", INSIDE)
async def test_a_redirect_inside_is_refused(tmp_path, address):
    async with web() as it:
        it.names["evil.example"] = [[address]]
        host = f"[{address}]" if ":" in address else address
        it.names[address] = [[address]]
        for location in (f"http://{host}:{it.port}/latest/meta-data/", it.url("/x", "evil.example")):
            it.replies["/go"] = to(location)
            with pytest.raises(UrlRefused):
                await fetch(it, it.url("/go"), tmp_path)
        assert {path for path, _ in it.asked} == {"/go"}


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "gopher://127.0.0.1:1/x", "http://a:b@site.example/", "ftp://x/"]
)
async def test_a_redirect_out_of_the_web_is_refused(tmp_path, location):
    async with web() as it:
        it.replies["/go"] = to(location)
        with pytest.raises(UrlRefused):
            await fetch(it, it.url("/go"), tmp_path)


async def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(tmp_path):
    async with web() as it:
        # The second answer would lead elsewhere: it is never asked for.
        it.names["rebinding.example"] = [["127.0.0.1"], ["127.0.0.2"]]
        it.replies["/"] = ok(b"first")
        assert await fetch(it, it.url("/", "rebinding.example"), tmp_path) == b"first"
        assert it.names["rebinding.example"] == [["127.0.0.2"]]
        with pytest.raises(UrlRefused):
            await fetch(it, it.url("/", "rebinding.example"), tmp_path)


async def test_a_name_with_one_address_inside_is_refused_whole(tmp_path):
    async with web() as it:
        it.names["mixed.example"] = [["127.0.0.1", "127.0.0.2"]]
        with pytest.raises(UrlRefused):
            await fetch(it, it.url("/", "mixed.example"), tmp_path)
        assert it.asked == []


async def test_proxies_of_the_environment_are_not_used(tmp_path, monkeypatch):
    async with web() as it:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        it.replies["/"] = ok(b"direct")
        assert await fetch(it, it.url(), tmp_path) == b"direct"


async def forever(piece: bytes, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01 if len(piece) < 100 else 0)


def endless(head: bytes, piece: bytes) -> Reply:
    async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await forever(piece, writer)

    return reply


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@pytest.mark.parametrize(
    "reply",
    [
        endless(HEAD + b"\r\n", b"x" * 10_000),
        endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"2710\r\n" + b"x" * 10_000 + b"\r\n"),
        ok(b"x" * 100_001),
        HEAD + b"Content-Length: 999999999999\r\n\r\n",
        ok(gzip.compress(b"\0" * 50_000_000), "Content-Encoding: gzip"),
        ok(zlib.compress(b"\0" * 50_000_000), "Content-Encoding: deflate"),
    ],
    ids=["endless", "endless chunks", "one byte too many", "declared", "gzip bomb", "deflate bomb"],
)
async def test_too_much_is_refused_while_it_comes(tmp_path, reply):
    async with web() as it:
        it.replies["/"] = reply
        with pytest.raises(TooLarge):
            await fetch(it, it.url(), tmp_path)
        assert (tmp_path / "fetched").stat().st_size <= LIMITS.bytes if (tmp_path / "fetched").exists() else True


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize(
    "reply",
    [
        silent,
        endless(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        endless(HEAD + b"\r\n", b"x"),
        endless(HEAD + b"Content-Length: 9\r\n\r\n", b""),
    ],
    ids=["silence", "a head drop by drop", "a body drop by drop", "no body"],
)
async def test_too_slow_is_given_up(tmp_path, reply):
    async with web() as it:
        it.replies["/"] = reply
        with pytest.raises(UrlFailed, match="in time"):
            await fetch(it, it.url(), tmp_path, limits=replace(LIMITS, seconds=0.3))


@pytest.mark.parametrize(
    "reply",
    [
        b"nonsense\r\n\r\n",
        b"",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"Content-Length: 9\r\n\r\nshort",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        HEAD + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n",
        ok(b"moving", "Content-Type: video/mp4"),
        ok(b"x", "Content-Encoding: br"),
        ok(b"no gzip", "Content-Encoding: gzip"),
        ok(gzip.compress(b"cut" * 1000)[:-20], "Content-Encoding: gzip"),
    ],
    ids="nonsense nothing 404 part nowhere short two-lengths long-head film brotli false cut".split(),  # noqa: SIM905
)
async def test_what_is_no_document_is_said_to_be_none(tmp_path, reply):
    async with web() as it:
        it.replies["/"] = reply
        with pytest.raises(UrlFailed) as failed:
            await fetch(it, it.url(), tmp_path)
        assert failed.value.hint


async def test_what_was_compressed_unasked_is_read(tmp_path):
    async with web() as it:
        it.replies["/"] = ok(gzip.compress(b"plain" * 1000), "Content-Encoding: gzip")
        assert await fetch(it, it.url(), tmp_path) == b"plain" * 1000


async def test_names_without_addresses_and_addresses_without_servers(tmp_path):
    async with web() as it:
        with pytest.raises(UrlFailed):
            await fetch(it, it.url("/", "nowhere.example"), tmp_path)
    with pytest.raises(KaynakError):
        await fetch(it, it.url(), tmp_path)  # the server is gone
