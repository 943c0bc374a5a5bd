"""Passages, and a model that writes what it is told."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from kaynak.domain import FinishReason, Hit, ModelFinished, SearchResult, Span, TextDelta, TokenUsage, Verdict
from kaynak.generation.verifying import Judgement


def passage(text: str, number: int = 1, **changes) -> Hit:
    fields = {
        "score": 0.9,
        "collection": "handbook",
        "document_id": UUID(int=number),
        "external_id": f"{number}.txt",
        "title": f"Document {number}",
        "version_id": UUID(int=100 + number),
        "version": 3,
        "chunk_ids": (number,),
        "span": Span(50, 50 + len(text)),
        "text": text,
        "headings": (),
        "pages": (2, 2),
        "language": "en",
        "media_type": None,
        "metadata": {},
    }
    return Hit(**{**fields, **changes})


class Searcher:
    """Finds what it is told."""

    def __init__(self, *hits, degraded=()):
        self.result = SearchResult(hits, False, {"handbook": 1}, degraded, 1.0)
        self.asked = []

    async def search(self, request, scope):
        self.asked.append((request, scope))
        return self.result

    async def pages(self, scope, places):
        return [7 for _ in places]


class Scripted:
    """A language model that writes a text, or what a function of the messages returns, in small pieces."""

    name = "test:scripted"

    def __init__(self, text="", *, size=7, reason=FinishReason.STOP, error=None, events=(), context_tokens=8000):
        self.text = text
        self.size = size
        self.reason = reason
        self.error = error
        self.events = events
        self.context_tokens = context_tokens
        self.prompts = []
        self.closed = 0

    async def stream(self, messages, settings):
        self.prompts.append((tuple(messages), settings))
        text = self.text(messages) if callable(self.text) else self.text
        try:
            for event in self.events:
                yield event
            for at in range(0, len(text), self.size):
                await asyncio.sleep(0)  # as on a network: others get their turn
                yield TextDelta(text[at : at + self.size])
            if self.error is not None:
                raise self.error
            yield ModelFinished(self.reason, self.name, TokenUsage(11, 7), 0.5)
        finally:
            self.closed += 1


class Models:
    """Gives one model under all names."""

    def __init__(self, model, error=None):
        self.model = model
        self.error = error
        self.asked = []

    async def get(self, names, *, owner, collection, purpose):
        self.asked.append((tuple(names), owner, collection, purpose))
        if self.error is not None:
            raise self.error
        return self.model


class WordsVerifier:
    """Supported is what has no number that the evidence has not."""

    name = "words"

    def __init__(self, error=None):
        self.error = error
        self.asked = []

    async def verify(self, sentence, evidence, *, question=""):
        self.asked.append((sentence, tuple(evidence), question))
        if self.error is not None:
            raise self.error
        missing = [word for word in sentence.split() if word.isdigit() and not any(word in one for one in evidence)]
        if missing:
            return Judgement(Verdict.UNSUPPORTED, 0.0, (f"“{missing[0]}” is not in the source",))
        return Judgement(Verdict.SUPPORTED, 1.0)


@pytest.fixture(scope="session")
def make():
    """The fakes of this folder."""
    from types import SimpleNamespace

    return SimpleNamespace(
        passage=passage, Searcher=Searcher, Scripted=Scripted, Models=Models, WordsVerifier=WordsVerifier
    )
