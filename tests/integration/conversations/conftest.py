from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from kaynak.catalog import Catalog
from kaynak.domain import (
    OWNER,
    Answer,
    AnswerCompleted,
    AnswerEvent,
    AnswerSentence,
    AskRequest,
    Citation,
    Conversation,
    ConversationMessage,
    PassagesFound,
    Scope,
    SentenceWritten,
    Span,
    TextWritten,
    TurnBegun,
)
from kaynak.generation import CatalogAnswerings
from kaynak.generation.conversing import Conversations, MemoryLimits, TurnEvent, Turns, TurnSettings
from kaynak.testing.world import World

PACE, LEASE = 0.05, 4.0


@dataclass
class ScriptedAsker:
    """Answers with the sentences it is given, each with a citation, and waits between them where it is told to.

    Attributes:
        sentences: Of every answer.
        pause: Awaited before each sentence but the first.
        fault: Raised in the place of the end.
        heard: The requests, in order.
    """

    sentences: Sequence[str] = ("It is 26 days.", "All have it.")
    pause: Callable[[], object] | None = None
    fault: BaseException | None = None
    heard: list[AskRequest] = field(default_factory=list)

    async def stream(
        self, request: AskRequest, scope: Scope, *, stop: asyncio.Event | None = None
    ) -> AsyncGenerator[AnswerEvent, None]:
        self.heard.append(request)
        yield PassagesFound(())
        text, written, citations = "", [], []
        for number, sentence in enumerate(self.sentences, 1):
            if number > 1 and self.pause is not None:
                waiting = asyncio.ensure_future(self.pause())
                stopping = asyncio.ensure_future(stop.wait())
                await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                stopping.cancel()
            if stop is not None and stop.is_set():
                break
            shown = f"{' ' if text else ''}{sentence} [{number}]"
            text += shown
            citation = Citation(number, "handbook", uuid4(), "a.md", "A", uuid4(), 1, None, Span(0, 3), "26 ")
            span = Span(len(text) - len(shown.lstrip()), len(text))
            written.append(AnswerSentence(sentence, (number,), span=span))
            citations.append(citation)
            yield TextWritten(shown)
            yield SentenceWritten(written[-1], (citation,))
        if self.fault is not None:
            raise self.fault
        yield AnswerCompleted(
            Answer(
                *(request.search.query, text, tuple(written), tuple(citations), bool(citations), "test:one", (), ()),
                1.0,
                steps=(request.search.query,),
                partial=stop is not None and stop.is_set(),
            )
        )


class Room:
    """Conversations over a real catalog and a scripted asker."""

    def __init__(self, catalog: Catalog, world: World) -> None:
        self.catalog = catalog
        self.world = world
        self.asker = ScriptedAsker()
        memory = MemoryLimits(most_chars=400, kept_chars=150)
        self.turns = Turns(
            catalog,
            self.asker,
            answerings=CatalogAnswerings(catalog),
            settings=TurnSettings(pace=PACE, lease=LEASE, memory=memory),
        )
        self.conversations = Conversations(catalog, self.turns, lease=LEASE)

    def elsewhere(self) -> Conversations:
        """Another process, which shares the catalog only."""
        turns = Turns(self.catalog, self.asker, answerings=CatalogAnswerings(self.catalog))
        return Conversations(self.catalog, turns, lease=LEASE)

    async def begin(self, **options: object) -> Conversation:
        return await self.conversations.create(OWNER, ["handbook"], **options)

    async def ask(self, conversation: Conversation, question: str, **options: object) -> list[TurnEvent]:
        return [event async for event in self.turns.ask(OWNER, conversation.id, question, **options)]

    async def answered(self, conversation: Conversation, question: str, **options: object) -> ConversationMessage:
        return await self.message(conversation, await self.ask(conversation, question, **options))

    async def message(self, conversation: Conversation, events: Sequence[TurnEvent]) -> ConversationMessage:
        begun = events[0]
        assert isinstance(begun, TurnBegun)
        return await self.conversations.message(OWNER, conversation.id, begun.answer.id)

    async def contents(self, conversation: Conversation, leaf: UUID | None = None) -> list[str]:
        return [m.content for m in await self.conversations.branch(OWNER, conversation.id, leaf)]


@pytest.fixture
async def room(catalog: Catalog, tmp_path: Path) -> AsyncIterator[Room]:
    world = World(catalog, tmp_path / "locks")
    await world.collection("handbook")
    yield Room(catalog, world)
    await world.close()
