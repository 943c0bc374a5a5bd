from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import httpx

from kaynak.domain import (
    KaynakError,
    Message,
    ModelFinished,
    ModelRefused,
    ModelSettings,
    ModelUnavailable,
    StreamTruncated,
    TextDelta,
)
from kaynak.generation.models.events import CallEvent, Reported
from kaynak.generation.models.failures import TooSlow, failure
from kaynak.generation.models.frames import Frame, FrameReader, FrameTooLong
from kaynak.generation.models.providers import ModelName, Provider, WireName
from kaynak.generation.models.transport import (
    MOST_ERROR_BYTES,
    Transport,
    broken_off,
    decoded_error,
    not_an_api,
    translating_body,
)
from kaynak.generation.models.wires import WIRES, Call, Decoder
from kaynak.generation.models.wires.protocol import NotAFrame, StreamError
from kaynak.remote import shown

ResultT = TypeVar("ResultT")

MOST_CHARS = 1024 * 1024
"""Longest answer: more than any model can write on purpose."""
_DRAIN_SECONDS = 0.25
"""Time for the body to end after the provider's mark of the end: a connection that ended well is used again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that are waited.

    Attributes:
        first: Until the first sign of an answer.
        idle: Between two pieces of it.
    """

    first: float
    idle: float


class ModelCall:
    """One request to one model, in the wire format of its provider.

    Args:
        provider: Of whom.
        name: Of the model.
        key: None where none is needed.
        transport: To send it by.
        patience: How long to wait.
        context_tokens: Of the model.
        thinking: Degrees of thinking that it knows, where that is known.
    """

    def __init__(
        self,
        provider: Provider,
        name: ModelName,
        key: str | None,
        transport: Transport,
        patience: Patience,
        *,
        context_tokens: int,
        thinking: tuple[str | bool, ...] | None = None,
    ) -> None:
        self._provider = provider
        self._name = name
        self._key = key
        self._transport = transport
        self._patience = patience
        self._context_tokens = context_tokens
        self._thinking = thinking
        self._wire = WIRES[provider.wire]

    async def stream(
        self, messages: Sequence[Message], settings: ModelSettings, without: frozenset[str] = frozenset()
    ) -> AsyncGenerator[CallEvent, None]:
        """Asks, and yields the answer as it comes.

        Args:
            messages: The prompt.
            settings: As wished.
            without: Settings to leave out.

        Raises:
            SettingRefused: The model does not take a setting.
            ModelRefused: It will not take the request.
            ModelUnavailable: It does not answer now, or stopped in the middle.
        """
        call = Call(
            self._provider, self._name.model, tuple(messages), settings, without, self._context_tokens, self._thinking
        )
        request = self._wire.request(call)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience.first
        async with contextlib.AsyncExitStack() as stack:
            posting = self._transport.post(self._provider, self._key, request.path, request.body)
            response = await self._in_time(stack.enter_async_context(posting), deadline)
            if response.status_code != 200 or self._is_document(response):
                raise await self._in_time(self._error(response, call), deadline)
            yield Reported()
            decoder = self._wire.decoder(self._provider)
            async for event in self._decoded(response, decoder, deadline):
                yield event
        assert decoder.reason is not None  # noqa: S101 - it has ended
        yield Reported(decoder.usage, decoder.cost, decoder.model)
        yield ModelFinished(decoder.reason, str(self._name), decoder.usage)

    async def _decoded(
        self, response: httpx.Response, decoder: Decoder, deadline: float
    ) -> AsyncGenerator[CallEvent, None]:
        loop = asyncio.get_running_loop()
        reader = self._wire.reader()
        started, length = False, 0
        usage = None
        chunks = response.aiter_bytes()
        more = True
        while more and not decoder.ended:
            chunk = await self._chunk(chunks, deadline, started=started)
            more = chunk is not None
            for frame in self._frames(reader, chunk, started=started):
                text = self._fed(decoder, frame, started=started)
                if text is not None:
                    deadline = loop.time() + self._patience.idle
                if text:
                    started = True
                    length += len(text)
                    yield TextDelta(text)
                if length > MOST_CHARS:
                    raise self._endless()
            if decoder.usage is not usage:
                usage = decoder.usage
                yield Reported(usage, decoder.cost, decoder.model)
        if not decoder.ended:
            raise self._cut(decoder, started=started)
        await self._drain(chunks, reader, decoder)

    async def _chunk(self, chunks: AsyncIterator[bytes], deadline: float, *, started: bool) -> bytes | None:
        """Returns the next piece of the body, and None at its end."""
        try:
            async with asyncio.timeout_at(deadline):
                with translating_body(self._provider, started=started):
                    return await anext(chunks, None)
        except TimeoutError as exc:
            raise self._too_slow(started=started) from exc

    def _frames(self, reader: FrameReader, chunk: bytes | None, *, started: bool) -> list[Frame]:
        try:
            return reader.finish() if chunk is None else reader.feed(chunk)
        except FrameTooLong as exc:
            raise (broken_off(self._provider, started=True) if started else not_an_api(self._provider)) from exc

    def _fed(self, decoder: Decoder, frame: Frame, *, started: bool) -> str | None:
        try:
            return decoder.feed(frame)
        except StreamError as exc:
            error = failure(self._provider, 200, {}, exc.said, key=self._key)
            if started and isinstance(error, ModelUnavailable):
                raise StreamTruncated(f"In the middle of the answer: {error.message}", hint="Ask again.") from exc
            raise error from exc
        except NotAFrame as exc:
            raise broken_off(self._provider, started=started) from exc

    def _cut(self, decoder: Decoder, *, started: bool) -> KaynakError:
        if decoder.blocked and not started:
            why = shown(decoder.blocked, self._key)
            return ModelRefused(f"{self._provider.title} does not answer this: {why}.", hint="Ask another model.")
        return broken_off(self._provider, started=started)

    async def _drain(self, chunks: AsyncIterator[bytes], reader: FrameReader, decoder: Decoder) -> None:
        """Reads what may follow the mark of the end. The answer is whole: nothing here can fail it any more."""
        with contextlib.suppress(
            TimeoutError, httpx.HTTPError, httpx.StreamError, FrameTooLong, StreamError, NotAFrame
        ):
            async with asyncio.timeout(_DRAIN_SECONDS):
                async for chunk in chunks:
                    for frame in reader.feed(chunk):
                        decoder.feed(frame)

    async def _error(self, response: httpx.Response, call: Call) -> KaynakError:
        content = await self._transport.read(self._provider, response, MOST_ERROR_BYTES)
        error = decoded_error(content)
        if response.status_code == 200 and not error.message and not error.codes:
            return not_an_api(self._provider)
        return failure(
            self._provider,
            response.status_code,
            response.headers,
            error,
            key=self._key,
            settings=self._wire.settings(call),
        )

    async def _in_time(self, waited: Awaitable[ResultT], deadline: float) -> ResultT:
        try:
            async with asyncio.timeout_at(deadline):
                return await waited
        except TimeoutError as exc:
            raise self._too_slow(started=False) from exc

    def _is_document(self, response: httpx.Response) -> bool:
        """Returns whether the body is no stream: one JSON document, or a page for people."""
        kind = response.headers.get("content-type", "")
        lines = self._provider.wire is WireName.OLLAMA
        return kind.startswith("text/html") or (kind.startswith("application/json") and not lines)

    def _endless(self) -> StreamTruncated:
        return StreamTruncated(
            f"{self._provider.title} goes on without end; its answer is left off.",
            hint="Ask again, ask another model, or set max_tokens.",
        )

    def _too_slow(self, *, started: bool) -> ModelUnavailable:
        if started:
            return StreamTruncated(
                f"{self._provider.title} fell silent in the middle of its answer.",
                hint=f"Ask again; after {self._patience.idle:g} s it is given up (models.idle_seconds).",
            )
        return TooSlow(
            f"{self._provider.title} did not begin to answer in time.",
            hint=f"Try again; it is waited for {self._patience.first:g} s (models.first_token_seconds).",
        )
