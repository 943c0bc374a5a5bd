from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import orjson

from kaynak.domain import Misconfigured
from kaynak.remote.connecting import is_loopback, translating
from kaynak.remote.failing import Away, failure
from kaynak.remote.loops import Ended, LoopThread
from kaynak.remote.saying import Said, said
from kaynak.remote.service import Ask, Service

T = TypeVar("T")

_MOST_BYTES = 256 * 1024 * 1024


class Exchange:
    """Asks services for JSON, over connections that are kept. Opens nothing until it is first used.

    Args:
        connect_seconds: Most time to reach a service.
    """

    def __init__(self, connect_seconds: float = 10.0) -> None:
        self._timeout = httpx.Timeout(None, connect=connect_seconds)
        self._thread = LoopThread("kaynak-services")
        self._clients: dict[bool, httpx.AsyncClient] = {}
        self._making: asyncio.Lock | None = None

    async def run(self, work: Coroutine[Any, Any, T], away: type[Away]) -> T:
        """Returns what ``work`` returns. It runs on the loop of the connections: only there `document` may be called.

        Raises:
            Away: The exchange is closed.
        """
        try:
            return await self._thread.run(work)
        except Ended as exc:
            raise away("The connection to the model is closed.") from exc

    async def close(self) -> None:
        """Closes all connections. What is under way fails."""
        try:
            await self._thread.run(self._close())
        except Ended:
            return
        await self._thread.close()

    async def document(self, service: Service, key: str | None, ask: Ask, *, seconds: float, away: type[Away]) -> Any:
        """Returns the answer.

        Args:
            service: Who is asked.
            key: None where none is needed.
            ask: What for.
            seconds: Most time until all of the answer is there.
            away: Raised for what may pass.

        Raises:
            Away: It does not answer, or not now.
            TextTooLong: A text is longer than the model reads.
            Misconfigured: It refuses: the key, the model, the address, or the request.
        """
        try:
            async with asyncio.timeout(seconds):
                status, headers, content = await self._answer(service, key, ask, away)
        except TimeoutError as exc:
            raise away(f"{service.title} did not answer within {seconds:g} s.", hint="Try again.") from exc
        found = _decoded(content)
        error = said(found)
        if status != 200 or error is not None:
            raise failure(service, status, headers, error or Said(), key=key, away=away)
        if found is None:
            raise Misconfigured(
                f"What answers at the address of {service.title} is not what it documents.",
                hint=f"Check the address; see {service.page}.",
            )
        return found

    async def _answer(
        self, service: Service, key: str | None, ask: Ask, away: type[Away]
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = service.headers_with(key)
        content = None
        if ask.body is not None:
            headers["content-type"] = "application/json"
            content = orjson.dumps(ask.body)
        client = await self._client(service.url)
        url = service.url.rstrip("/") + ask.path
        with translating(service.title, url, away=away, refused=Misconfigured, hint=service.key_hint):
            request = client.build_request("GET" if content is None else "POST", url, headers=headers, content=content)
            response = await client.send(request, stream=True)
            try:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise away(f"{service.title} answers without end.")
            finally:
                await response.aclose()
        return response.status_code, response.headers, bytes(body)

    async def _client(self, url: str) -> httpx.AsyncClient:
        """Returns the client for this machine, or for others. Reading certificates takes long: it is done once."""
        parts = urlsplit(url)
        local = is_loopback(parts.hostname or "") and parts.scheme == "http"
        self._making = self._making or asyncio.Lock()
        async with self._making:
            if local not in self._clients:
                self._clients[local] = httpx.AsyncClient(
                    verify=False if local else await asyncio.to_thread(httpx.create_ssl_context),
                    timeout=self._timeout,
                    limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
                    trust_env=not local,  # a proxy does not lead back to this machine
                    follow_redirects=False,  # the key must not follow
                )
            return self._clients[local]

    async def _close(self) -> None:
        while self._clients:
            _, client = self._clients.popitem()
            await client.aclose()


def _decoded(content: bytes) -> Any:
    """Returns the document; None if it is none."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        # Servers in Python write NaN, which is no JSON: it is told of where the numbers are looked at.
        with contextlib.suppress(ValueError):
            return json.loads(content) if b"NaN" in content or b"Infinity" in content else None
        return None
