"""HTTP to providers: connections that are kept, and every failure of theirs as one of ours."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from kaynak.domain import KaynakError, ModelRefused, ModelUnavailable, StreamTruncated
from kaynak.generation.models.failures import Said, failure, key_hint, said
from kaynak.generation.models.providers import Auth, Provider
from kaynak.remote.connecting import is_loopback, translating

MOST_ERROR_BYTES = 64 * 1024
_LANE = 64
"""Most requests at a time through one client."""
_MOST_DOCUMENT_BYTES = 16 * 1024 * 1024
_LONGEST_DOCUMENT_SECONDS = 30.0


class Transport:
    """Clients by address, made when they are first needed.

    Args:
        connect_seconds: Most time to reach a provider.
    """

    def __init__(self, connect_seconds: float) -> None:
        self._timeout = httpx.Timeout(None, connect=connect_seconds, write=connect_seconds * 3)
        self._lanes: dict[str, list[_Lane]] = {}
        self._making = asyncio.Lock()

    async def close(self) -> None:
        """Closes all connections."""
        lanes, self._lanes = self._lanes, {}
        for lane in itertools.chain.from_iterable(lanes.values()):
            await lane.client.aclose()

    @asynccontextmanager
    async def post(
        self, provider: Provider, key: str | None, path: str, body: Mapping[str, Any]
    ) -> AsyncIterator[httpx.Response]:
        """Posts, and gives the answer with its body still to come. Leaving the block closes what has not come.

        Raises:
            ModelUnavailable: The provider cannot be reached, or the connection broke before an answer began.
        """
        headers = {**_headers(provider, key), "content-type": "application/json"}
        async with self._client(provider) as client:
            request = client.build_request("POST", _url(provider, path), headers=headers, content=orjson.dumps(body))
            with _translated(provider):
                response = await client.send(request, stream=True)
            try:
                yield response
            finally:
                with contextlib.suppress(httpx.HTTPError):
                    await response.aclose()

    async def document(
        self,
        provider: Provider,
        key: str | None,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        seconds: float = _LONGEST_DOCUMENT_SECONDS,
    ) -> dict[str, Any]:
        """Returns what is at ``path`` as JSON; posts ``body`` if there is one.

        Raises:
            ModelUnavailable: It does not answer.
            ModelRefused: It answers with an error.
        """
        content = None if body is None else orjson.dumps(body)
        headers = _headers(provider, key) | ({"content-type": "application/json"} if content else {})
        method = "GET" if content is None else "POST"
        try:
            async with asyncio.timeout(seconds), self._client(provider) as client:
                request = client.build_request(method, _url(provider, path), headers=headers, content=content)
                with _translated(provider):
                    response = await client.send(request, stream=True)
                try:
                    content = await self.read(provider, response, _MOST_DOCUMENT_BYTES)
                finally:
                    await response.aclose()
        except TimeoutError as exc:
            raise ModelUnavailable(f"{provider.title} did not answer within {seconds:g} s.", hint="Try again.") from exc
        found = _decoded(content)
        error = said(found)
        if response.status_code != 200 or error is not None:
            raise failure(provider, response.status_code, response.headers, error or Said(), key=key)
        if not isinstance(found, dict):
            raise not_an_api(provider)
        return found

    async def read(self, provider: Provider, response: httpx.Response, most: int) -> bytes:
        """Returns the body of ``response``, of which at most about ``most`` bytes."""
        content = bytearray()
        with _translated(provider):
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > most:
                    break
        return bytes(content)

    @asynccontextmanager
    async def _client(self, provider: Provider) -> AsyncIterator[httpx.AsyncClient]:
        if provider.url is None:
            variable = provider.url_env[0] if provider.url_env else f"models.providers.{provider.name}.url"
            raise ModelRefused(f"{provider.title} has no address.", hint=f"Set {variable}; see {provider.page}.")
        lanes = self._lanes.setdefault(provider.url, [])
        lane = _free(lanes)
        if lane is None:
            async with self._making:
                lane = _free(lanes)
                if lane is None:
                    lane = await self._made(provider.url, lanes)
                    lanes.append(lane)
        lane.active += 1
        try:
            yield lane.client
        finally:
            lane.active -= 1

    async def _made(self, base: str, others: list[_Lane]) -> _Lane:
        """Returns a lane to one address. Reading the certificates takes long: it is done once, beside the loop."""
        local = is_loopback(urlsplit(base).hostname or "")
        context: ssl.SSLContext | bool = False  # no certificates are met on a plain connection to this machine
        if not (local and base.startswith("http://")):
            context = others[0].context if others else await asyncio.to_thread(httpx.create_ssl_context)
        client = httpx.AsyncClient(
            verify=context,
            timeout=self._timeout,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=_LANE),
            trust_env=not local,  # a proxy does not lead back to this machine
            follow_redirects=False,  # the key must not follow
        )
        return _Lane(client, context)


@dataclass(slots=True)
class _Lane:
    """A client with few connections: its pool looks through all of them for every request.

    Attributes:
        client: Of one address.
        context: What it verifies certificates with.
        active: Requests that are under way.
    """

    client: httpx.AsyncClient
    context: ssl.SSLContext | bool
    active: int = 0


def _free(lanes: list[_Lane]) -> _Lane | None:
    """Returns the first lane with room: the last ones empty themselves when there is less to do."""
    return next((lane for lane in lanes if lane.active < _LANE), None)


def not_an_api(provider: Provider) -> KaynakError:
    """Returns the error for an answer that no provider of models gives."""
    return ModelRefused(
        f"What answers at the address of {provider.title} is not what {provider.wire.value} documents.",
        hint=f"Check the address; see {provider.page}.",
    )


def decoded_error(content: bytes) -> Said:
    """Returns what an error body says; HTML and other text say nothing for people."""
    return said(_decoded(content)) or Said()


def _decoded(content: bytes) -> object:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


@contextlib.contextmanager
def translating_body(provider: Provider, *, started: bool) -> Any:
    """Makes failures of a body that is being read errors of ours.

    Args:
        provider: Whose it is.
        started: Whether some of the answer has come already.
    """
    try:
        yield
    except (httpx.HTTPError, httpx.StreamError) as exc:
        raise broken_off(provider, started=started) from exc


def broken_off(provider: Provider, *, started: bool) -> ModelUnavailable:
    """Returns the error for a stream that ended before its end."""
    if started:
        return StreamTruncated(
            f"The answer of {provider.title} broke off before its end.", hint="Ask again; what came is not whole."
        )
    return StreamTruncated(f"{provider.title} closed the connection without an answer.", hint="Try again.")


def _translated(provider: Provider) -> contextlib.AbstractContextManager[None]:
    return translating(
        provider.title, provider.url or "", away=ModelUnavailable, refused=ModelRefused, hint=key_hint(provider)
    )


def _headers(provider: Provider, key: str | None) -> dict[str, str]:
    # Compression would hold words back until a block is full.
    headers = {"accept-encoding": "identity", "user-agent": "kaynak", **provider.headers}
    if key and provider.auth is not Auth.NONE:
        headers[provider.auth.value] = f"Bearer {key}" if provider.auth is Auth.BEARER else key
    return headers


def _url(provider: Provider, path: str) -> str:
    return (provider.url or "").rstrip("/") + path
