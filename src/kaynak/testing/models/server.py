from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from types import TracebackType

from kaynak.testing.models import listing
from kaynak.testing.models.answering import Pace, refusal, respond
from kaynak.testing.models.exchange import (
    KEY,
    Answered,
    Chat,
    Format,
    ReceivedRequest,
    Refused,
    Reply,
    usage_of,
    words_of,
)
from kaynak.testing.models.faults import Fault
from kaynak.testing.models.formats.anthropic import AnthropicFormat
from kaynak.testing.models.formats.gemini import GeminiFormat
from kaynak.testing.models.formats.ollama import OllamaFormat
from kaynak.testing.models.formats.openai import OpenAIFormat
from kaynak.testing.models.http import Gone, Request, Responder, read_request

FORMATS: dict[str, Format] = {
    "openai": OpenAIFormat("openai"),
    "anthropic": AnthropicFormat(),
    "gemini": GeminiFormat(),
    "azure": OpenAIFormat("azure"),
    "ollama": OllamaFormat(),
    "openrouter": OpenAIFormat("openrouter"),
    "huggingface": OpenAIFormat("huggingface"),
}
PROVIDERS = tuple(FORMATS)
"""The providers whose formats are spoken."""

_BASES = {"openai": "/openai/v1", "openrouter": "/openrouter/api/v1", "huggingface": "/huggingface/v1"}
_CHATS = ("/chat/completions", "/v1/messages", ":generateContent", ":streamGenerateContent", "/api/chat")
_LISTS = ("/models", "/api/tags", "/v1/key")
_MOST_TOKENS = 8192
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class ModelServer:
    """Serves on a free port of the loopback address while its block lasts.

    Each request takes the next of ``faults``; when there are none left, ``fault``. The key of every provider is
    `KEY`, except Ollama's, which has none.

    Attributes:
        reply: What is answered.
        requests: What came, oldest first.
        fault: What goes wrong with every request for an answer.
        faults: What goes wrong with the next ones; may be filled while the server runs.
        delay: Seconds before each word.
        models: Names of the models that providers list.
        refuses: Settings that are refused with 400: ``temperature``, ``reasoning``, and of ``max_tokens`` those
            above 8192.
        streaming: Answers that are being sent now.
    """

    def __init__(
        self,
        *,
        reply: Reply = "Everyone has 26 days of paid leave a year [1].",
        fault: Fault | None = None,
        faults: Iterable[Fault | None] = (),
        delay: float = 0.0,
        models: Sequence[str] = ("test-model",),
        refuses: Iterable[str] = (),
    ) -> None:
        self.reply = reply
        self.fault = fault
        self.faults: deque[Fault | None] = deque(faults)
        self.delay = delay
        self.models = tuple(models)
        self.refuses = frozenset(refuses)
        self.requests: list[ReceivedRequest] = []
        self.streaming = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ModelServer:
        """Starts."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=2048)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops, and drops the connections that are open."""
        assert self._server is not None
        self._server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def address(self) -> str:
        """Where it serves, without a path."""
        assert self._server is not None, "the server runs inside its block"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def url(self, provider: str) -> str:
        """Returns the address to configure for ``provider``, of the kind that its own clients take as a base."""
        if provider not in FORMATS:
            raise ValueError(f"there is no provider {provider!r}: {', '.join(FORMATS)}")
        return self.address + _BASES.get(provider, f"/{provider}")

    def environment(self) -> dict[str, str]:
        """Returns environment variables that point every provider at this server."""
        return {
            "OPENAI_BASE_URL": self.url("openai"),
            "OPENAI_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": self.url("anthropic"),
            "ANTHROPIC_API_KEY": KEY,
            "GEMINI_BASE_URL": self.url("gemini"),
            "GEMINI_API_KEY": KEY,
            "AZURE_OPENAI_ENDPOINT": self.url("azure"),
            "AZURE_OPENAI_API_KEY": KEY,
            "OLLAMA_HOST": self.url("ollama"),
            "OPENROUTER_BASE_URL": self.url("openrouter"),
            "OPENROUTER_API_KEY": KEY,
            "HF_BASE_URL": self.url("huggingface"),
            "HF_TOKEN": KEY,
        }

    @property
    def chats(self) -> list[Chat]:
        """The requests for an answer, oldest first."""
        return [request.chat for request in self.requests if request.chat is not None]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._serve_one(reader, writer):
                pass
        except (asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass  # the end of a connection of a test, whichever way it ends
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; returns whether the connection can carry another."""
        request = await read_request(reader)
        if request is None:
            return False
        responder = Responder(writer)
        received = self._receive(request)
        answering = asyncio.ensure_future(self._answer(request, received, responder))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            received.abandoned = not answering.done()
        finally:
            for task in (answering, leaving):
                task.cancel()
            done = await asyncio.gather(answering, leaving, return_exceptions=True)
            received.abandoned = received.abandoned or isinstance(done[0], Gone)
            received.ended.set()
        return responder.complete and not received.abandoned

    def _receive(self, request: Request) -> ReceivedRequest:
        provider = request.path.split("/")[1]
        try:
            body = request.json()
        except ValueError:
            body = {}
        received = ReceivedRequest(provider, request.target, request.headers, body)
        self.requests.append(received)
        return received

    async def _answer(self, request: Request, received: ReceivedRequest, responder: Responder) -> None:
        format_ = FORMATS.get(received.provider)
        if format_ is None:
            await responder.whole(404, b"not a provider of this server", "text/plain", {})
            return
        try:
            _authorize(received)
            if request.path.endswith(_CHATS):
                await self._chat(request, received, responder, format_)
                return
            document = self._other(request, received)
        except Refused as refused:
            content = json.dumps(format_.error(refused)).encode()
            await responder.whole(refused.status, content, "application/json", format_.headers(refused))
            return
        await responder.whole(200, json.dumps(document).encode(), "application/json", {})

    async def _chat(self, request: Request, received: ReceivedRequest, responder: Responder, format_: Format) -> None:
        chat = format_.read(request.path, request.query, received.body)
        received.chat = chat
        fault = self.faults.popleft() if self.faults else self.fault
        if fault is Fault.BAD_GATEWAY:
            await responder.whole(502, _HTML, "text/html", {})
            return
        refused = refusal(fault, received.provider, chat, format_)
        for setting in sorted(self.refuses & chat.settings.keys()):
            if setting == "max_tokens" and chat.settings[setting] <= _MOST_TOKENS:
                continue
            refused = Refused(400, f"{_named(format_, setting)}: not supported with this model.", setting=setting)
        if refused is not None:
            raise refused
        reply = self.reply(chat.messages) if callable(self.reply) else self.reply
        words = words_of(await reply if inspect.isawaitable(reply) else reply)
        self.streaming += 1
        try:
            answered = Answered(words, usage_of(chat.messages, words))
            await respond(responder, format_, chat, answered, Pace(fault, self.delay))
        finally:
            self.streaming -= 1

    def _other(self, request: Request, received: ReceivedRequest) -> dict[str, object]:
        if request.method == "POST" and request.path == "/ollama/api/show":
            return listing.shown(received.body, self.models)
        if request.method == "POST" and request.path.endswith("/embeddings"):
            return listing.embeddings(received.body)
        if request.method == "GET" and request.path.endswith(_LISTS):
            return listing.models(received.provider, self.models)
        raise Refused(404, "There is nothing at this address.")


class ThreadedModelServer:
    """The same, on an event loop of its own in a thread: for tests that are not asynchronous."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> ModelServer:
        """Starts."""
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._server.__aenter__(), self._loop).result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops."""
        stopping = self._server.__aexit__(kind, error, trace)
        with contextlib.suppress(RuntimeError):
            asyncio.run_coroutine_threadsafe(stopping, self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _authorize(received: ReceivedRequest) -> None:
    if received.provider == "ollama":
        return
    headers = received.headers
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    own = {"anthropic": "x-api-key", "gemini": "x-goog-api-key", "azure": "api-key"}.get(received.provider)
    given = headers.get(own, "") if own else bearer
    if received.provider == "azure" and "/openai/v1/" in received.path:
        given = given or bearer
    if given != KEY:
        raise Refused(401, "Incorrect API key provided.")
    if received.provider == "anthropic" and "anthropic-version" not in headers:
        raise Refused(400, "anthropic-version: header is required")


def _named(format_: Format, setting: str) -> str:
    """Returns the provider's own name for a setting, as its error messages use it."""
    if isinstance(format_, OpenAIFormat):
        return format_.parameter(setting) or setting
    if isinstance(format_, GeminiFormat):
        return {"max_tokens": "maxOutputTokens", "reasoning": "thinking"}.get(setting, setting)
    if isinstance(format_, OllamaFormat):
        own = {"reasoning": '"test-model" does not support thinking', "max_tokens": "num_predict"}
        return own.get(setting, setting)
    return {"reasoning": "output_config.effort"}.get(setting, setting)
