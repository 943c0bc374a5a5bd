"""An answer while it is written: kept as it grows, so that no end of the process loses it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import UUID

import structlog

from kaynak.catalog import Catalog
from kaynak.domain import (
    Answer,
    AnswerEvent,
    AnswerSentence,
    CatalogUnavailable,
    Citation,
    Conflict,
    MessageState,
    PassagesFound,
    SentenceWritten,
    TextWritten,
    UsageReported,
)

_log = structlog.get_logger(__name__)


class Draft:
    """What is written of one answer so far. While the block runs it is saved again and again.

    The saves are the sign of life of the writer, and at each of them it learns whether someone asked it to stop.

    Args:
        catalog: Where it is kept.
        message_id: Of the answer.
        question: As it was asked.
        stop: Set when the writer is to come to its end.
        pace: Seconds between saves.
    """

    def __init__(self, catalog: Catalog, message_id: UUID, question: str, stop: asyncio.Event, pace: float) -> None:
        self._catalog = catalog
        self._id = message_id
        self._question = question
        self._stop = stop
        self._pace = pace
        self._begin = time.perf_counter()
        self._saving: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()
        self._text = ""
        self._sentences: list[AnswerSentence] = []
        self._citations: list[Citation] = []
        self._usage: UsageReported | None = None
        self._found = False
        self._sources: set[UUID] = set()
        self.asked: str | None = None

    async def __aenter__(self) -> Self:
        self._saving = asyncio.create_task(self._save_again_and_again())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._no_more_saves()

    def rests_on(self, documents: Iterable[UUID]) -> None:
        """Notes documents that the answer may draw on."""
        self._sources.update(documents)

    def note(self, event: AnswerEvent) -> None:
        """Takes in what was written."""
        match event:
            case PassagesFound(hits):
                self._found = True
                self.rests_on(hit.document_id for hit in hits)
            case TextWritten(text):
                self._text += text
            case SentenceWritten(sentence, citations):
                self._sentences.append(sentence)
                self._citations.extend(citations)
            case UsageReported():
                self._usage = event

    async def complete(self, answer: Answer) -> None:
        """Keeps the whole answer, or what it is when it was stopped.

        Raises:
            Conflict: The message is not the writer's any more.
            CatalogUnavailable: The database does not answer.
        """
        state = MessageState.PARTIAL if answer.partial else MessageState.COMPLETE
        self.rests_on(hit.document_id for hit in answer.hits)
        reason = "It was stopped." if self._stop.is_set() else "The model ended it before its end."
        await self._finish(state, answer.text, answer, reason if answer.partial else None)

    async def broken_off(self, reason: str) -> None:
        """Keeps what there is as partial; as failed if there is nothing.

        Args:
            reason: For people.
        """
        state = MessageState.PARTIAL if self._text else MessageState.FAILED
        # The database may be what broke off; then the message is found without a writer later.
        with suppress(CatalogUnavailable, Conflict):
            await self._finish(state, self._text, self._so_far(), reason)

    async def _finish(self, state: MessageState, text: str, answer: Answer | None, error: str | None) -> None:
        await self._no_more_saves()
        async with self._catalog.begin() as unit:
            kept = await unit.messages.finish(
                self._id, state, text, asked=self.asked, answer=answer, error=error, sources=self._sources
            )
        if not kept:
            raise Conflict(
                "The answer was not kept: the conversation was deleted meanwhile, or the database was away for long.",
                hint="Ask again.",
            )

    async def _no_more_saves(self) -> None:
        # A save that is under way comes to its end: to cancel it would cost its connection.
        self._ending.set()
        if self._saving is not None:
            await asyncio.shield(self._saving)

    async def _save_again_and_again(self) -> None:
        while not self._ending.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), self._pace)
                return
            try:
                async with self._catalog.begin() as unit:
                    stop = await unit.messages.save(
                        self._id, self._text, self.asked, self._so_far(), sources=self._sources
                    )
            except CatalogUnavailable:
                _log.warning("answer_not_saved", message=str(self._id))
                continue
            if stop is not False:
                self._stop.set()

    def _so_far(self) -> Answer | None:
        """Returns the answer as far as it is; None before there is anything."""
        if not self._found:
            return None
        return Answer(
            question=self._question,
            text=self._text,
            sentences=tuple(self._sentences),
            citations=tuple(self._citations),
            found=bool(self._citations),
            model=self._usage.model if self._usage else "",
            hits=(),
            degraded=(),
            took_ms=round((time.perf_counter() - self._begin) * 1000, 3),
            steps=() if self.asked is None else (self.asked,),
            usage=self._usage.usage if self._usage else None,
            cost=self._usage.cost if self._usage else None,
            partial=True,
        )
