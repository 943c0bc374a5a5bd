from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from kaynak.domain import AnswerEvent, AskRequest, Depth, Hit, Scope, SearchResult, Span, StatusChanged, TokenUsage
from kaynak.generation.models import LanguageModel


@dataclass(frozen=True, slots=True)
class Quote:
    """A stretch of a passage.

    Attributes:
        hit: Index into the passages the answerer was given.
        span: Where it is in the version's canonical text, inside the span of the passage.
    """

    hit: int
    span: Span


@dataclass(frozen=True, slots=True)
class Written:
    """One sentence of an answer, without markers, and what bears it out; at least one quote."""

    text: str
    quotes: tuple[Quote, ...]


class Answerer(Protocol):
    """Writes answers from passages by quoting them.

    What it yields is checked: a sentence whose quotes do not lie inside the passages is not shown.
    """

    name: str
    """What is shown as the author of an answer."""

    def stream(self, question: str, hits: Sequence[Hit]) -> AsyncIterator[Written]:
        """Yields the sentences of the answer in order, each as soon as it is complete.

        Nothing is yielded where the passages do not answer the question.

        Raises:
            EmbedderUnavailable: A model it needs does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What an answer will be written from.

    Attributes:
        result: The passages, best first.
        steps: What was asked of the index, in order, for people.
        usage: Tokens of the models that helped to look; None if none did, or they did not say.
        cost: US dollars; None where the price is not known.
    """

    result: SearchResult
    steps: tuple[str, ...]
    usage: TokenUsage | None = None
    cost: float | None = None


class Finder(Protocol):
    """Looks for the passages that answer a question."""

    def find(
        self, request: AskRequest, scope: Scope, *, depth: Depth, model: LanguageModel | None
    ) -> AsyncGenerator[StatusChanged | Found, None]:
        """Yields what is being looked for, and `Found` last.

        Args:
            request: The question; its ``depth`` is resolved already, see below.
            scope: Who asks.
            depth: How hard to look.
            model: To help with looking; None where answers are written without a model.

        Raises:
            KaynakError: As `Searcher.search`, or as the model.
        """
        ...

    async def pages(self, scope: Scope, places: Sequence[tuple[UUID, Span]]) -> list[int | None]:
        """Returns the first page of each place (version id, span); None where there is none."""
        ...


class Models(Protocol):
    """Gives language models by name."""

    async def get(self, names: Sequence[str], *, owner: str, collection: str | None, purpose: str) -> LanguageModel:
        """Returns one model that asks those of ``names`` in order until one answers.

        Args:
            names: ``provider:model`` each; at least one.
            owner: Who asks, for the accounts and the budget.
            collection: What is asked, for the accounts and the budget; None for several.
            purpose: ``answer``, ``rewrite``, ``judge``, …, for the accounts.

        Raises:
            InvalidRequest: A provider is not known.
            ModelRefused: A provider has no key.
        """
        ...


class Guard(Protocol):
    """Says from the passages alone whether a question can be answered, before a model is asked."""

    async def answerable(self, question: str, hits: Sequence[Hit]) -> bool:
        """Returns False where the passages clearly do not answer the question."""
        ...


class Answers(Protocol):
    """Answers questions: an `Asker`, or something around one."""

    def stream(
        self, request: AskRequest, scope: Scope, *, stop: asyncio.Event | None = None
    ) -> AsyncGenerator[AnswerEvent, None]:
        """See `Asker.stream`."""
        ...
