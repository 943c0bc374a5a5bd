"""How calls are made without holding up an event loop. As `kaynak.client.transport`, line by line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from kaynak.client import calls
from kaynak.client.answering import CONNECT_SECONDS, failure_of, patience_of, result_of
from kaynak.client.calls import Call, Page
from kaynak.client.events import AnswerEvents, EventParser, cut_off
from kaynak.client.failures import Unreachable, unreachable
from kaynak.client.retrying import ATTEMPTS, resume_after, wait_before_retry
from kaynak.client.signing_in import Credentials
from kaynak.domain import AnswerCompleted, AnswerEvent, NotFound, Unavailable

ResultT = TypeVar("ResultT")


class AsyncTransport:
    """Sends the calls of `AsyncClient`."""

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        token: str | None = None,
        refresh_token: str | None = None,
        api_key: str | None = None,
        timeout: float = 60.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._credentials = Credentials(self._base_url, api_key or token, None if api_key else refresh_token)
        self._http = httpx.AsyncClient(
            base_url=self._base_url,
            timeout=httpx.Timeout(timeout, connect=CONNECT_SECONDS),
            transport=transport,
            auth=self._credentials,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    @property
    def tokens(self) -> tuple[str | None, str | None]:
        """The access token and the refresh token as they are now: to go on with later."""
        return self._credentials.token, self._credentials.refresh_token

    async def sign_in(self, email: str, password: str) -> None:
        """Signs in; the client stays so by itself from then on.

        Raises:
            SignInFailed: The two do not belong together.
        """
        self._credentials.forget()
        self._credentials.take(await self._run(calls.sign_in(email, password)))

    async def sign_out(self) -> None:
        """Ends the session."""
        await self._run(calls.sign_out(self._credentials.refresh_token))
        self._credentials.forget()

    async def _all(self, page: Callable[[str | None], Call[Page[ResultT]]]) -> AsyncIterator[ResultT]:
        after: str | None = None
        while True:
            found = await self._run(page(after))
            for item in found.items:
                yield item
            after = found.next
            if after is None:
                return

    async def _run(self, call: Call[ResultT], form: Mapping[str, Any] | None = None) -> ResultT:
        return result_of(call, await self._send(call, form))

    async def _send(self, call: Call[Any], form: Mapping[str, Any] | None = None) -> httpx.Response:
        sent = dict(form) if form else ({} if call.body is None else {"json": call.body})
        attempt = 0
        while True:
            attempt += 1
            try:
                response = await self._http.request(
                    call.method, call.path, params=call.params, **sent, **patience_of(call)
                )
            except httpx.TransportError as error:
                wait = wait_before_retry(call, attempt, error)
                if wait is None:
                    raise unreachable(self._base_url, error) from error
            else:
                if response.is_success:
                    return response
                wait = wait_before_retry(call, attempt, response)
                if wait is None:
                    raise failure_of(response, response.content)
            await asyncio.sleep(wait)

    async def _answer(self, call: Call[Any]) -> AsyncIterator[AnswerEvent]:
        """Yields the events of an answer; where the connection is lost, the stream is taken up where it was."""
        parser, events, attempt = EventParser(), AnswerEvents(), 0
        while True:
            try:
                async for name, value in self._events(call, parser):
                    attempt = 0
                    event = events.read(name, value)
                    if event is not None:
                        yield event
                    if isinstance(event, AnswerCompleted):
                        return
                lost: Unavailable = cut_off()
            except Unreachable as error:
                lost = error
            except NotFound as error:
                raise (cut_off() if attempt else error) from error
            attempt += 1
            if not parser.last_id or attempt > ATTEMPTS:
                raise lost
            await asyncio.sleep(resume_after(attempt))
            call = calls.resumed(parser.last_id)

    async def _events(self, call: Call[Any], parser: EventParser | None = None) -> AsyncIterator[tuple[str, Any]]:
        parser = parser or EventParser()
        parser.restart()
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": parser.last_id} if parser.last_id else {})}
        try:
            async with self._http.stream(call.method, call.path, json=call.body, headers=headers) as response:
                if not response.is_success:
                    raise failure_of(response, await response.aread())
                async for data in response.aiter_bytes():
                    for event in parser.feed(data):
                        yield event
        except httpx.TransportError as error:
            raise unreachable(self._base_url, error) from error
