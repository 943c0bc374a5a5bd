from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kaynak.domain import TooLarge, UrlFailed, UrlRefused
from kaynak.fetching.addresses import Reach
from kaynak.fetching.parts import Target, target_of

if TYPE_CHECKING:
    import httpcore

    from kaynak.fetching.backend import Resolve

_MEBIBYTE: Final = 1024 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KINDS: Final = ("text/", "application/", "message/", "image/")
"""Beginnings of the media types that may hold a document; what it really is, its bytes tell."""
_WRITTEN_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What fetching one address may take.

    Attributes:
        bytes: Of the document, also after decompression.
        seconds: Altogether, redirects included.
        idle_seconds: To connect, and between two pieces.
        redirects: That are followed.
    """

    bytes: int = 64 * _MEBIBYTE
    seconds: float = 60.0
    idle_seconds: float = 10.0
    redirects: int = 5


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document that was fetched.

    Attributes:
        url: Where it was found in the end.
        name: For its file.
        media_type: What the server said it is; None if it did not say.
        size: Bytes.
    """

    url: str
    name: str
    media_type: str | None
    size: int


class Fetcher:
    """Fetches documents from addresses of the web.

    Nothing is connected to but public addresses and those that ``reach`` allows, at every redirect anew. No proxy of
    the environment is used, no cookie kept, no credential sent.

    Args:
        reach: What may be connected to.
        limits: What one address may take.
        resolve: Finds addresses of names; None: the operating system.
    """

    def __init__(self, reach: Reach, limits: FetchLimits | None = None, resolve: Resolve | None = None) -> None:
        self._reach = reach
        self._limits = limits or FetchLimits()
        self._resolve = resolve

    async def fetch(self, url: str, target: Path) -> Fetched:
        """Writes what is at ``url`` to ``target``.

        Raises:
            UrlRefused: The address, or one it leads to, is not asked for.
            UrlFailed: It does not answer, or not with a document.
            TooLarge: There is more than the limit.
        """
        import httpcore

        from kaynak.fetching.backend import AddressRefused, GuardedBackend, system_resolver

        backend = GuardedBackend(self._reach, self._resolve or system_resolver)
        try:
            async with (
                asyncio.timeout(self._limits.seconds),
                httpcore.AsyncConnectionPool(network_backend=backend, max_keepalive_connections=0) as pool,
            ):
                return await self._followed(pool, target_of(url), target)
        except AddressRefused as exc:
            raise UrlRefused(
                "The address leads to one that is not public.",
                hint="An administrator can allow networks of their own with KAYNAK_URLS__PRIVATE.",
            ) from exc
        except (TimeoutError, httpcore.TimeoutException) as exc:
            raise UrlFailed("The address does not answer in time.", hint="Try again later.") from exc
        except (httpcore.NetworkError, httpcore.ProtocolError, zlib.error, OSError) as exc:
            raise UrlFailed(
                "The address cannot be read: no connection, or no sound answer.", hint="Open it in a browser."
            ) from exc

    async def _followed(self, pool: httpcore.AsyncConnectionPool, wanted: Target, target: Path) -> Fetched:
        for _ in range(self._limits.redirects + 1):
            headers = [("Accept", "*/*"), ("Accept-Encoding", "identity"), ("User-Agent", "kaynak")]
            async with pool.stream("GET", wanted.url, headers=headers, extensions={"timeout": self._timeouts()}) as got:
                if got.status not in _REDIRECTS:
                    return await self._saved(got, wanted, target)
                location = _header(got, b"location")
            if location is None:
                raise UrlFailed("The address leads on without saying where.", hint="Open it in a browser.")
            wanted = target_of(location, base=wanted.url)
        raise UrlFailed(
            f"The address leads on more than {self._limits.redirects} times.", hint="Give the one at the end."
        )

    async def _saved(self, got: httpcore.Response, wanted: Target, target: Path) -> Fetched:
        if got.status != 200:
            raise UrlFailed(f"The address answers with status {got.status}.", hint="Open it in a browser.")
        media_type = _media_type(got)
        if media_type is not None and not media_type.startswith(_KINDS):
            raise UrlFailed("There is no document at the address.", hint=f"It says that it is {media_type[:80]}.")
        declared = _header(got, b"content-length") or ""
        if declared.isdigit() and int(declared) > self._limits.bytes:
            raise self._too_large()
        size = 0
        with target.open("wb") as file:
            async with aclosing(self._pieces(got)) as pieces:
                async for piece in pieces:
                    size += len(piece)
                    if size > self._limits.bytes:
                        raise self._too_large()
                    await asyncio.to_thread(file.write, piece)
        return Fetched(wanted.url, wanted.name, media_type, size)

    async def _pieces(self, got: httpcore.Response) -> AsyncGenerator[bytes, None]:
        """Yields the document in pieces of bounded size, whatever a few bytes swell to."""
        coding = (_header(got, b"content-encoding") or "identity").strip().lower()
        if coding not in ("identity", "gzip", "x-gzip", "deflate"):
            raise UrlFailed("The answer is compressed in a way that was not asked for.", hint="Download it yourself.")
        stream = got.aiter_stream()
        if coding == "identity":
            async for piece in stream:
                yield piece
            return
        inflate = zlib.decompressobj(zlib.MAX_WBITS | 32 if coding != "deflate" else zlib.MAX_WBITS)
        async for piece in stream:
            waiting = piece
            while waiting and not inflate.eof:
                yield inflate.decompress(waiting, _WRITTEN_BYTES)
                waiting = inflate.unconsumed_tail
        if not inflate.eof:
            raise zlib.error("the end is missing")

    def _timeouts(self) -> dict[str, float]:
        return dict.fromkeys(("connect", "read", "write", "pool"), self._limits.idle_seconds)

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"There is more than {self._limits.bytes / _MEBIBYTE:g} MB at the address.",
            hint="An administrator can raise KAYNAK_URLS__MB.",
        )


def _header(got: httpcore.Response, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in got.headers if key.lower() == name), None)


def _media_type(got: httpcore.Response) -> str | None:
    given = (_header(got, b"content-type") or "").partition(";")[0].strip().lower()
    return given if given.isascii() and given.isprintable() and "/" in given else None
