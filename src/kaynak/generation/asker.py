from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from kaynak.domain import (
    Answer,
    AnswerEvent,
    Answering,
    AskRequest,
    BudgetExceeded,
    Hit,
    ModelRefused,
    ModelUnavailable,
    PassagesFound,
    Scope,
    TextWritten,
    Unsupported,
)
from kaynak.generation.choosing import Answerings, Choice, choose
from kaynak.generation.ending import answer_of
from kaynak.generation.models import LanguageModel
from kaynak.generation.protocol import Answerer, Finder, Found, Guard, Models
from kaynak.generation.quoting import quote, say_not_found
from kaynak.generation.turn import Turn
from kaynak.generation.wording import asks_for_fact
from kaynak.generation.writing import ModelWriter

_INSTEAD = "The answer quotes the sources instead of being written by a model."


class Asker:
    """Answers questions: searches, has the answer written, and sees to it that every sentence has its source.

    Args:
        finder: Finds the passages.
        answerer: Writes from them where no language model does.
        models: Gives language models; None where there are none.
        writer: Has answers written by them.
        guard: Says when a model need not be asked for a fact, since no passage has it; None to ask it always.
        answerings: How collections want to be answered from; None where none of them wants anything.
        default: What holds where neither the caller nor a collection says.
    """

    def __init__(
        self,
        finder: Finder,
        answerer: Answerer,
        *,
        models: Models | None = None,
        writer: ModelWriter | None = None,
        guard: Guard | None = None,
        answerings: Answerings | None = None,
        default: Answering | None = None,
    ) -> None:
        self._finder = finder
        self._answerer = answerer
        self._models = models
        self._writer = writer or ModelWriter()
        self._guard = guard
        self._answerings = answerings
        self._default = default or Answering()

    async def ask(self, request: AskRequest, scope: Scope) -> Answer:
        """Returns the whole answer to ``request.search.query``.

        Raises:
            KaynakError: As `stream`.
        """
        return await answer_of(self.stream(request, scope))

    async def stream(
        self, request: AskRequest, scope: Scope, *, stop: asyncio.Event | None = None
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Yields the answer as it comes into being, and `AnswerCompleted` last.

        Before it: `StatusChanged` at any time, `PassagesFound` once, then `TextWritten`, whose texts put together
        are the text of the answer, and a `SentenceWritten` for each sentence; with a model, `UsageReported`.

        Args:
            request: The question.
            scope: Who asks.
            stop: Once it is set, the answer ends where it is, as partial.

        Raises:
            KaynakError: As `Searcher.search` before `PassagesFound`; as a model, or the built-in, after it: then
                what was shown of the answer is not whole.
        """
        begin = time.perf_counter()
        choice = await self._choose(request, scope)
        model, notes = await self._model(choice, request, scope)
        found: Found | None = None
        async with aclosing(self._finder.find(request, scope, depth=choice.depth, model=model)) as looking:
            async for step in looking:
                if isinstance(step, Found):
                    found = step
                else:
                    yield step
        if found is None:
            raise RuntimeError("nothing was found, and nothing said so")
        turn = Turn(request, scope, choice, self._finder, stop, found, begin)
        yield PassagesFound(turn.hits)
        writing = quote(turn, self._answerer, notes) if model is None else self._written(turn, model)
        async with aclosing(writing) as events:
            async for event in events:
                yield event

    async def _written(self, turn: Turn, model: LanguageModel) -> AsyncGenerator[AnswerEvent, None]:
        """Yields what a model writes; or quotes, where that is wanted and the model says nothing at all."""
        if not await self._answerable(turn.question, turn.hits):
            async for event in say_not_found(turn, model.name):
                yield event
            return
        begun = False
        try:
            async with aclosing(self._writer.write(turn, model)) as events:
                async for event in events:
                    begun = begun or isinstance(event, TextWritten)
                    yield event
            return
        except (ModelUnavailable, ModelRefused, BudgetExceeded) as error:
            if begun or not turn.choice.quoting:
                raise
            notes = (error.message, _INSTEAD)
        async for event in quote(turn, self._answerer, notes):
            yield event

    async def _answerable(self, question: str, hits: Sequence[Hit]) -> bool:
        if not hits or self._guard is None or not asks_for_fact(question):
            # A summary, say, shares no sentence with what it is asked for by.
            return bool(hits)
        return await self._guard.answerable(question, hits)

    async def _choose(self, request: AskRequest, scope: Scope) -> Choice:
        names = request.search.collections
        wishes = await self._answerings.of(scope, names) if self._answerings is not None else []
        return choose(request, wishes, self._default)

    async def _model(
        self, choice: Choice, request: AskRequest, scope: Scope
    ) -> tuple[LanguageModel | None, tuple[str, ...]]:
        """Returns the model that writes, or None where the built-in does, and what the reader should know of it."""
        if not choice.models:
            return None, ()
        if self._models is None:
            raise Unsupported("No language models are set up here.", hint="Ask without a model: answers then quote.")
        names = request.search.collections
        collection = names[0] if len(names) == 1 else None
        try:
            return await self._models.get(
                choice.models, owner=scope.subject, collection=collection, purpose="answer"
            ), ()
        except ModelRefused as error:
            if not choice.quoting:
                raise
            return None, (error.message, _INSTEAD)
