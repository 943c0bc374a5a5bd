from __future__ import annotations

import asyncio
import contextlib
import json
import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from kaynak.testing.models.exchange import Refused
from kaynak.testing.models.http import Gone, Request, Responder, read_request
from kaynak.testing.models.listing import vector_of
from kaynak.testing.services.faults import ServiceFault
from kaynak.testing.services.formats import ENDINGS, READERS, Asked, Rows

KEY = "test-key-0123456789"
"""The key that every service takes, but Ollama's and TEI's, which have none."""

_KEY_HEADERS = {"gemini": "x-goog-api-key", "azure": "api-key"}
_REFUSALS = {
    ServiceFault.RATE_LIMITED: (429, "Rate limit reached for requests.", {"retry-after-ms": "20"}),
    ServiceFault.RATE_LIMITED_LONG: (429, "Rate limit reached for today.", {"retry-after": "3600"}),
    ServiceFault.OVERLOADED: (503, "The service is overloaded.", {}),
    ServiceFault.NO_CREDIT: (402, "Your credit balance is too low.", {}),
    ServiceFault.UNAUTHORIZED: (401, f"Incorrect API key provided: {KEY}.", {}),
    ServiceFault.NO_SUCH_MODEL: (404, "The model does not exist.", {}),
    ServiceFault.REFUSED: (400, "This model does not support specifying dimensions.", {}),
}


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came."""

    service: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    asked: Asked | None


class ServiceServer:
    """Serves on a free port of the loopback address, on a loop in a thread of its own, while its block lasts.

    Vectors depend on the text alone. Shortened ones are not of unit length, as with Gemini. A passage scores by the
    words that it shares with the query.

    Attributes:
        dimensions: Of the vectors, where none are asked for.
        words: Most words of one text; a longer one is refused as too long.
        faults: What goes wrong with the next requests for vectors or scores, one each.
        fault: What goes wrong with all others.
        requests: What came, oldest first.
        models: Names of the models that Ollama has; the first is TEI's.
        digest: What Ollama and TEI call the version of the model.
    """

    def __init__(self, *, dimensions: int = 64, words: int = 1_000_000) -> None:
        self.dimensions = dimensions
        self.words = words
        self.faults: deque[ServiceFault | None] = deque()
        self.fault: ServiceFault | None = None
        self.requests: list[Received] = []
        self.models = ("test-model",)
        self.digest = "sha256:1"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def __enter__(self) -> ServiceServer:
        """Starts."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops, and drops the connections that are open."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def url(self, service: str) -> str:
        """Returns the address to configure for ``service``."""
        assert self._server is not None, "the server runs inside its block"
        port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/{service}" + ("/v1" if service in {"openai", "openrouter"} else "")

    @property
    def asked(self) -> list[Asked]:
        """The requests for vectors or scores, oldest first."""
        return [one.asked for one in self.requests if one.asked is not None]

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while (request := await read_request(reader)) is not None:
                responder = Responder(writer)
                await self._answer(request, responder)
                if not responder.complete:
                    break
        except (asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError, Gone):
            pass  # the end of a connection of a test, whichever way it ends
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, request: Request, responder: Responder) -> None:
        service = request.path.split("/")[1]
        body = request.json()
        try:
            self._authorize(service, request)
            if service not in READERS or not request.path.endswith(ENDINGS):
                self.requests.append(Received(service, request.target, request.headers, body, None))
                await _send(responder, 200, self._described(service, request, body))
                return
            asked = READERS[service](request.path, request.query, body)
            self.requests.append(Received(service, request.target, request.headers, body, asked))
            await self._given(responder, asked)
        except Refused as refused:
            await _send(responder, refused.status, {"error": {"message": refused.message, "code": refused.status}})

    async def _given(self, responder: Responder, asked: Asked) -> None:
        fault = self.faults.popleft() if self.faults else self.fault
        if fault is ServiceFault.HANG:
            await asyncio.Event().wait()
        elif fault in (ServiceFault.PAGE, ServiceFault.BAD_GATEWAY):
            status = 200 if fault is ServiceFault.PAGE else 502
            await responder.whole(status, b"<html><body>Welcome</body></html>", "text/html", {})
        elif fault in _REFUSALS:
            status, message, headers = _REFUSALS[fault]
            await _send(responder, status, {"error": {"message": message}}, headers)
        elif any(len(text.split()) > self.words for text in asked.texts):
            message = f"This model's maximum context length is {self.words} tokens."
            await _send(responder, 400, {"error": {"message": message, "code": "context_length_exceeded"}})
        elif fault is ServiceFault.CUT:
            await responder.start("application/json")
            await responder.send(json.dumps(asked.answer(self._rows(asked))).encode()[:40])
        else:
            rows = spoilt(self._rows(asked), fault)
            await _send(responder, 200, {} if fault is ServiceFault.NOTHING else asked.answer(rows))

    def _rows(self, asked: Asked) -> Rows:
        if asked.query is None:
            size = asked.dimensions or self.dimensions
            scale = 1.0 if asked.dimensions is None else 0.6
            return [(vector_of(text, size) * np.float32(scale)).tolist() for text in asked.texts]
        wanted = set(asked.query.casefold().split())
        return [len(wanted & set(text.casefold().split())) / (len(wanted) or 1) for text in asked.texts]

    def _described(self, service: str, request: Request, body: Mapping[str, Any]) -> Any:
        if service == "tei" and request.path.endswith("/info"):
            return {
                "model_id": self.models[0],
                "model_sha": self.digest,
                "model_dtype": "float16",
                "model_type": {"embedding": {"pooling": "cls"}},
                "max_input_length": 512,
                "max_client_batch_size": 32,
            }
        if service == "ollama" and request.path.endswith("/api/tags"):
            return {"models": [{"name": f"{name}:latest", "digest": self.digest} for name in self.models]}
        if service == "ollama" and request.path.endswith("/api/show"):
            if body.get("model") not in self.models:
                raise Refused(404, f"model '{body.get('model')}' not found")
            return {"model_info": {"general.architecture": "bert", "bert.context_length": 2048}}
        raise Refused(404, "There is nothing at this address.")

    def _authorize(self, service: str, request: Request) -> None:
        if service in {"ollama", "tei"}:
            return
        header = _KEY_HEADERS.get(service, "authorization")
        if request.headers.get(header, "").removeprefix("Bearer ") != KEY:
            raise Refused(401, "Incorrect API key provided.")


async def _send(responder: Responder, status: int, document: Any, headers: Mapping[str, str] | None = None) -> None:
    await responder.whole(status, json.dumps(document).encode(), "application/json", headers or {})


def spoilt(rows: Rows, fault: ServiceFault | None) -> Rows:
    """Returns vectors or scores with a fault in them."""
    number: Callable[[Any], Any] = {
        ServiceFault.NAN: lambda _: math.nan,
        ServiceFault.NULL: lambda _: None,
    }.get(fault, lambda value: value)  # type: ignore[arg-type]
    last = rows[-1]
    if fault in (ServiceFault.NAN, ServiceFault.NULL):
        return [*rows[:-1], [*last[:-1], number(last[-1])] if isinstance(last, list) else number(last)]
    with contextlib.suppress(TypeError):
        if fault is ServiceFault.ZERO:
            return [*rows[:-1], [0.0] * len(last)]
        if fault is ServiceFault.WRONG_SIZE:
            return [[*row, 0.5] for row in rows]
        if fault is ServiceFault.RAGGED:
            return [*rows[:-1], [*last, 0.5]]
    if fault is ServiceFault.FEW:
        return rows[:-1]
    return [*rows, last] if fault is ServiceFault.MANY else rows
