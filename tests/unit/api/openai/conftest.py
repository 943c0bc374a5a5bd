"""The dialect over services in memory: an asker that writes what a test tells it to, and a tiny embedder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from kaynak.api import create_app
from kaynak.domain import (
    Answer,
    AnswerCompleted,
    AnswerEvent,
    AnswerSentence,
    AskRequest,
    Citation,
    Collection,
    CollectionNotFound,
    FinishReason,
    Generation,
    GenerationSpec,
    PassagesFound,
    SentenceWritten,
    Span,
    StatusChanged,
    TextWritten,
    TokenUsage,
    Verdict,
    new_id,
)
from kaynak.limiting import MemoryLimiter, Rates
from kaynak.observability import Metrics
from kaynak.settings import Settings
from kaynak.testing.callers import OnlyTheOwner
from kaynak.testing.fake_embedder import FakeEmbedder

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def citation(marker: int) -> Citation:
    quote = f"Quote {marker}."
    return Citation(
        marker, "handbook", new_id(), f"{marker}.pdf", f"Title {marker}", new_id(), 2, 3, Span(7, 15), quote
    )


@dataclass
class ScriptedAsker:
    """Writes two sentences with three citations; fails where it is told to."""

    model: str = "extractive"
    usage: TokenUsage | None = None
    partial: bool = False
    wait_before: float = 0.0
    cut: FinishReason | None = None
    fail_before: Exception | None = None
    fail_after: Exception | None = None
    asked: list[AskRequest] = field(default_factory=list)
    closed: int = 0
    hang: asyncio.Event | None = None

    async def stream(self, request: AskRequest, scope: Any, **_: Any) -> AsyncGenerator[AnswerEvent, None]:
        self.asked.append(request)
        try:
            async for event in self._events(request):
                yield event
        finally:
            self.closed += 1

    async def _events(self, request: AskRequest) -> AsyncGenerator[AnswerEvent, None]:
        if self.wait_before:
            yield StatusChanged("waiting", "3 questions are before this one")
            await asyncio.sleep(self.wait_before)
        yield StatusChanged("searching", request.search.query)
        yield PassagesFound(())
        if self.fail_before is not None:
            raise self.fail_before
        cited = [citation(1), citation(2), citation(3)]
        parts = ["Leave is 26 days. [1]", " It lapses in June. [1][2][3]"]
        sentences = [
            AnswerSentence("Leave is 26 days.", (1,), Verdict.SUPPORTED, span=Span(0, 21)),
            AnswerSentence("It lapses in June.", (1, 2, 3), Verdict.PARTLY, ("“June” is not there",), Span(22, 50)),
        ]
        yield TextWritten(parts[0])
        yield SentenceWritten(sentences[0], (cited[0],))
        if self.fail_after is not None:
            raise self.fail_after
        if self.hang is not None:
            await self.hang.wait()
        yield TextWritten(parts[1])
        yield SentenceWritten(sentences[1], tuple(cited[1:]))
        text = "".join(parts)
        yield AnswerCompleted(
            Answer(request.search.query, text, tuple(sentences), tuple(cited), True, self.model, (), (), 1.0,
                   usage=self.usage, partial=self.partial, cut=self.cut)
        )  # fmt: skip

    async def ask(self, request: AskRequest, scope: Any) -> Answer:
        async for event in self.stream(request, scope):
            if isinstance(event, AnswerCompleted):
                return event.answer
        raise AssertionError


class TwoCollections:
    def __init__(self) -> None:
        self.names = ["handbook", "policies"]

    async def list(self, scope: Any, *, after: str | None, limit: int) -> list[Collection]:
        return [self._one(name) for name in self.names if after is None or name > after][:limit]

    async def get(self, scope: Any, name: str) -> Collection:
        if name not in self.names:
            raise CollectionNotFound(f"There is no collection “{name}”.", hint="List them.")
        return self._one(name)

    def _one(self, name: str) -> Collection:
        generation = Generation(1, new_id(), GenerationSpec(), "c", "e", 16, True)
        return Collection(new_id(), name, f"About {name}.", None, 3, generation, 5, 9, NOW, NOW)


class Dialect:
    def __init__(self, services: SimpleNamespace) -> None:
        self.services = services
        self.app = create_app(services)

    async def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.request(method, path, json=body)

    def __call__(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return asyncio.run(self.send(method, path, body))

    def chat(self, *messages: Any, **rest: Any) -> httpx.Response:
        said = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
        return self("POST", "/v1/chat/completions", {"model": "kaynak/handbook", "messages": said, **rest})

    def chunks(self, *messages: Any, **rest: Any) -> list[Any]:
        answer = self.chat(*messages, stream=True, **rest)
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
        lines = [line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: ")]
        return [line if line == "[DONE]" else json.loads(line) for line in lines]


@pytest.fixture
def asker() -> ScriptedAsker:
    return ScriptedAsker()


@pytest.fixture
def dialect(asker, tmp_path) -> Dialect:
    embedder = FakeEmbedder(16)

    class Embedders:
        async def get(self, name: str) -> FakeEmbedder:
            assert name == "minilm"
            return embedder

    settings = Settings(data_dir=tmp_path, _env_file=None)
    return Dialect(
        SimpleNamespace(
            settings=settings,
            asker=asker,
            collections=TwoCollections(),
            embedders=Embedders(),
            rates=Rates(MemoryLimiter(), {}),
            identity=SimpleNamespace(callers=OnlyTheOwner()),
            metrics=Metrics(),
        )
    )


@pytest.fixture
def error_of():
    def error(answer: httpx.Response, status: int) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        assert set(answer.json()) == {"error"}
        found = answer.json()["error"]
        assert set(found) == {"message", "type", "param", "code"}
        assert found["message"]
        return found

    return error
