from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TypeAlias
from uuid import UUID

from kaynak.catalog import Catalog
from kaynak.domain import (
    AnswerCompleted,
    AnswerEvent,
    Answering,
    AskRequest,
    Conversation,
    InvalidQuery,
    KaynakError,
    Scope,
    StatusChanged,
    TurnBegun,
    clean,
)
from kaynak.generation.choosing import Answerings, choose
from kaynak.generation.conversing.accounting import both, completed
from kaynak.generation.conversing.beginning import NEWEST, Newest, begin_again, begin_question
from kaynak.generation.conversing.drafts import Draft
from kaynak.generation.conversing.helping import Help, rewritten, summarised
from kaynak.generation.conversing.options import TurnOptions, TurnSettings, request_of
from kaynak.generation.conversing.remembering import (
    Exchange,
    covered,
    exchanges_of,
    history_of,
    split,
)
from kaynak.generation.conversing.saving import Saver
from kaynak.generation.models import LanguageModel
from kaynak.generation.protocol import Answers, Models

TurnEvent: TypeAlias = TurnBegun | AnswerEvent


class Turns:
    """Asks questions in conversations and keeps the answers while they are written.

    Args:
        catalog: Where they are kept.
        asker: Answers questions that stand alone.
        answerings: How collections want to be answered from.
        default: What holds where nobody says.
        models: For rewriting and summing up; None where there are none.
        settings: How turns are done.
    """

    def __init__(
        self,
        catalog: Catalog,
        asker: Answers,
        *,
        answerings: Answerings,
        default: Answering | None = None,
        models: Models | None = None,
        settings: TurnSettings | None = None,
    ) -> None:
        self._catalog = catalog
        self._asker = asker
        self._answerings = answerings
        self._default = default or Answering()
        self._models = models
        self._settings = settings or TurnSettings()
        self._saver = Saver(catalog, self._settings.pace)
        self._stops: dict[UUID, asyncio.Event] = {}

    async def ask(
        self,
        scope: Scope,
        conversation_id: UUID,
        question: str,
        *,
        parent: UUID | Newest | None = NEWEST,
        options: TurnOptions | None = None,
        stop: asyncio.Event | None = None,
    ) -> AsyncGenerator[TurnEvent, None]:
        """Asks ``question``, and yields `TurnBegun` and then the answer as `Asker.stream` does.

        What is written is kept all the while. When ``stop`` is set or the generator is closed, it is kept as partial.

        Args:
            scope: Who asks.
            conversation_id: Where.
            question: As the person asks it.
            parent: The answer that the question follows; None to begin a new branch; `NEWEST` for the newest one.
            options: What this question wants otherwise.
            stop: Set to end the answer where it is.

        Raises:
            ConversationNotFound: There is none, or it is someone else's.
            MessageNotFound: It has no such parent.
            Conflict: The answer that the question follows is still being written.
            InvalidRequest: The question is blank, or the parent is no answer.
            CollectionNotFound: A collection of the conversation is gone.
            KaynakError: As `Asker.stream`, after `TurnBegun`; the answer is then kept as partial or failed.
        """
        options = options or TurnOptions()
        question = clean(question).strip()
        if not question:
            raise InvalidQuery("The question is empty.", hint="Say what you want to know.")
        await self._check(scope, conversation_id, options)
        async with self._catalog.begin() as unit:
            begun = await begin_question(unit, scope, conversation_id, question, parent, self._settings.lease)
        async with aclosing(self._answer(scope, begun, options, stop or asyncio.Event())) as events:
            async for event in events:
                yield event

    async def again(
        self,
        scope: Scope,
        conversation_id: UUID,
        message_id: UUID,
        *,
        options: TurnOptions | None = None,
        stop: asyncio.Event | None = None,
    ) -> AsyncGenerator[TurnEvent, None]:
        """Has a question answered once more, as a branch beside its other answers. As `ask`.

        Args:
            scope: Who asks.
            conversation_id: Where.
            message_id: The question, or one of its answers.
            options: What the new answer is to have otherwise.
            stop: Set to end the answer where it is.
        """
        options = options or TurnOptions()
        await self._check(scope, conversation_id, options)
        async with self._catalog.begin() as unit:
            begun = await begin_again(unit, scope, conversation_id, message_id)
        async with aclosing(self._answer(scope, begun, options, stop or asyncio.Event())) as events:
            async for event in events:
                yield event

    def stop(self, message_id: UUID) -> None:
        """Stops an answer at once if this process writes it; others learn of it from the catalog."""
        if message_id in self._stops:
            self._stops[message_id].set()

    async def _check(self, scope: Scope, conversation_id: UUID, options: TurnOptions) -> None:
        """Raises what is wrong with the request before anything is kept of it."""
        async with self._catalog.read() as unit:
            conversation = await unit.conversations.get(scope, conversation_id)
        await self._model(scope, conversation, request_of(conversation, "?", options), "rewrite")

    async def _answer(
        self, scope: Scope, begun: TurnBegun, options: TurnOptions, stop: asyncio.Event
    ) -> AsyncGenerator[TurnEvent, None]:
        message_id = begun.answer.id
        self._stops[message_id] = stop
        try:
            async with Draft(self._catalog, self._saver, message_id, begun.question.content, stop) as draft:
                try:
                    yield begun
                    async with aclosing(self._written(scope, begun, options, stop, draft)) as events:
                        async for event in events:
                            draft.note(event)
                            if isinstance(event, AnswerCompleted):
                                # What is called done is kept.
                                await draft.complete(event.answer)
                            yield event
                            if isinstance(event, AnswerCompleted):
                                return
                    raise RuntimeError("the stream of an answer ended without the answer")
                except KaynakError as error:
                    await draft.broken_off(error.message)
                    raise
                except (GeneratorExit, asyncio.CancelledError):
                    await draft.broken_off("It was stopped.")
                    raise
                except Exception:
                    await draft.broken_off("Something unexpected happened.")
                    raise
        finally:
            del self._stops[message_id]

    async def _written(
        self, scope: Scope, begun: TurnBegun, options: TurnOptions, stop: asyncio.Event, draft: Draft
    ) -> AsyncGenerator[AnswerEvent, None]:
        conversation, question = begun.conversation, begun.question.content
        async with self._catalog.read() as unit:
            path = await unit.messages.path(scope, conversation.id, begun.question.id)
            told = [message.id for message in path if not message.withheld]
            draft.rests_on(await unit.messages.sources(told))
            # A summary tells what the messages said that are withheld now.
            kept_summary = await unit.conversations.summary(conversation.id) if len(told) == len(path) else None
        exchanges = exchanges_of(path)
        request = request_of(conversation, question, options)
        help_ = Help(question)
        if exchanges:
            model = await self._model(scope, conversation, request, "rewrite")
            if model is not None:
                yield StatusChanged("rewriting", model.name)
            help_ = await rewritten(question, exchanges, model, self._settings.rewrite_seconds)
            summary, kept, summing = await self._memory(scope, conversation, request, exchanges, kept_summary)
            history = history_of(summary, kept)
            request = replace(request, search=replace(request.search, query=help_.text), history=history)
            help_ = both(help_, summing)
        draft.asked = request.search.query
        yield StatusChanged("searching", request.search.query)
        async with aclosing(self._asker.stream(request, scope, stop=stop)) as events:
            async for event in events:
                if isinstance(event, AnswerCompleted):
                    event = AnswerCompleted(completed(event.answer, question, help_))
                yield event

    async def _memory(
        self,
        scope: Scope,
        conversation: Conversation,
        request: AskRequest,
        exchanges: Sequence[Exchange],
        kept_summary: tuple[str, UUID] | None,
    ) -> tuple[str, Sequence[Exchange], Help | None]:
        """Returns the summary of the older part, what is kept word for word, and how a new summary came about."""
        summary, summary_of = kept_summary or ("", None)
        if not covered(exchanges, summary_of):
            summary = ""  # it is of another branch
        older, kept = split(exchanges, summary_of, self._settings.memory)
        if not older:
            return summary, kept, None
        model = await self._model(scope, conversation, request, "summary")
        help_ = await summarised(summary, older, model, self._settings.summary_seconds, self._settings.memory)
        async with self._catalog.begin() as unit:
            await unit.conversations.summarise(conversation.id, help_.text, older[-1].last)
        return help_.text, kept, help_

    async def _model(
        self, scope: Scope, conversation: Conversation, request: AskRequest, purpose: str
    ) -> LanguageModel | None:
        """Returns the model that answers, to help with the question too; None where answers are quotes."""
        names = conversation.collections
        choice = choose(request, await self._answerings.of(scope, names), self._default)
        if not choice.models or self._models is None:
            return None
        collection = names[0] if len(names) == 1 else None
        return await self._models.get(choice.models, owner=scope.subject, collection=collection, purpose=purpose)
