"""An answer while it is written: kept as it grows, so that no end of the process loses it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import UUID

from kaynak.catalog import Catalog, DraftText
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
from kaynak.generation.conversing.saving import Saver


class Draft:
    """What is written of one answer so far. While the block runs it is saved again and again.

    The saves are the sign of life of the writer, and at each of them it learns whether someone asked it to stop.

    Args:
        catalog: Where it is kept.
        saver: Saves it.
        message_id: Of the answer.
        question: As it was asked.
        stop: Set when the writer is to come to its end.
    """

    def __init__(self, catalog: Catalog, saver: Saver, message_id: UUID, question: str, stop: asyncio.Event) -> None:
        self._catalog = catalog
        self._saver = saver
        self._id = message_id
        self._question = question
        self._stop = stop
        self._begin = time.perf_counter()
        self._text = ""
        self._sentences: list[AnswerSentence] = []
        self._citations: list[Citation] = []
        self._usage: UsageReported | None = None
        self._found = False
        self._sources: set[UUID] = set()
        self._changes = 1
        self._saved = 0
        self.asked: str | None = None

    async def __aenter__(self) -> Self:
        self._saver.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._saver.remove(self)

    @property
    def message_id(self) -> UUID:
        """Of the answer."""
        return self._id

    def unsaved(self) -> tuple[DraftText, int]:
        """Returns what is to be saved, and how many changes it has. See `Saver`."""
        if self._saved == self._changes:
            return DraftText(self._id), self._changes
        text = DraftText(self._id, self._text, self.asked, self._so_far(), frozenset(self._sources))
        return text, self._changes

    def was_saved(self, number: int, stop: bool | None) -> None:
        """Notes that it was saved with ``number`` changes, and stops where that is asked for or nobody's any more."""
        self._saved = number
        if stop is not False:
            self._stop.set()

    def rests_on(self, documents: Iterable[UUID]) -> None:
        """Notes documents that the answer may draw on."""
        self._changes += 1
        self._sources.update(documents)

    def note(self, event: AnswerEvent) -> None:
        """Takes in what was written."""
        self._changes += 1
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
        await self._saver.remove(self)
        async with self._catalog.begin() as unit:
            kept = await unit.messages.finish(
                self._id, state, text, asked=self.asked, answer=answer, error=error, sources=self._sources
            )
        if not kept:
            raise Conflict(
                "The answer was not kept: the conversation was deleted meanwhile, or the database was away for long.",
                hint="Ask again.",
            )

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
