from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from kaynak.domain.models import FinishReason, TokenUsage
from kaynak.domain.search import Hit
from kaynak.domain.spans import Span


@dataclass(frozen=True, slots=True)
class Citation:
    """The exact place a sentence of an answer comes from.

    Attributes:
        marker: The number shown in brackets, from 1.
        collection: Name of the collection.
        document_id: The document.
        external_id: The caller's name for it.
        title: Of the document.
        version_id: The exact version; it keeps resolving after the document changes.
        version: Its number.
        page: First page of the quote; None where the format has none.
        span: Where the quote is in the version's canonical text.
        quote: ``version.text[span.start:span.end]``, to the letter.
    """

    marker: int
    collection: str
    document_id: UUID
    external_id: str
    title: str
    version_id: UUID
    version: int
    page: int | None
    span: Span
    quote: str


class Verdict(StrEnum):
    """Whether the cited passages bear a sentence out."""

    SUPPORTED = "supported"
    PARTLY = "partly"
    UNSUPPORTED = "unsupported"
    UNCITED = "uncited"
    """It claims something and names no source."""


@dataclass(frozen=True, slots=True)
class AnswerSentence:
    """One sentence and the markers of the citations that bear it out.

    Attributes:
        text: Without markers.
        markers: Of its citations.
        verdict: What the check of the sentence against its citations said; None for sentences that claim
            nothing, such as “The sources do not say.”
        reasons: Why the verdict is not better, for people.
        span: Where it is in the text of the answer, its markers included.
    """

    text: str
    markers: tuple[int, ...]
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in which every sentence points at its source.

    Attributes:
        question: As asked.
        text: The sentences with their markers, as one text in Markdown.
        sentences: In order.
        citations: By marker.
        found: False when the sources do not say; then ``text`` says so and there are no citations.
        model: What wrote it: ``extractive`` is the built-in that only quotes, else ``provider:model``.
        hits: The passages it was written from.
        degraded: As in `SearchResult`, and what else the person should know: dropped settings, fallbacks.
        took_ms: Whole time.
        steps: What was asked of the index, in order.
        usage: Tokens of all model calls; None if no model was called, or it did not say.
        cost: US dollars; None where the price is not known.
        partial: Whether the answer was stopped before its end.
        cached: ``exact`` or ``semantic`` if it came out of a cache.
        cut: What ended a partial answer on the model's side, its length or a filter; None where someone stopped it.
    """

    question: str
    text: str
    sentences: tuple[AnswerSentence, ...]
    citations: tuple[Citation, ...]
    found: bool
    model: str
    hits: tuple[Hit, ...]
    degraded: tuple[str, ...]
    took_ms: float
    steps: tuple[str, ...] = ()
    usage: TokenUsage | None = None
    cost: float | None = None
    partial: bool = False
    cached: str | None = None
    cut: FinishReason | None = None


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """What is being done now.

    Attributes:
        stage: ``searching``, ``reading``, ``writing``, ``verifying``, or ``waiting`` for a busy model.
        detail: For people: the query that was asked of the index, the model that writes.
    """

    stage: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PassagesFound:
    """What the answer will be written from; once, before any of its text."""

    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class TextWritten:
    """The next characters of the answer, markers included; never half a marker."""

    text: str


@dataclass(frozen=True, slots=True)
class SentenceWritten:
    """A sentence is complete and verified, with the citations that are new with it."""

    sentence: AnswerSentence
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class UsageReported:
    """What the answer has used so far."""

    model: str
    usage: TokenUsage | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class AnswerCompleted:
    """Last event: the whole answer."""

    answer: Answer


AnswerEvent: TypeAlias = StatusChanged | PassagesFound | TextWritten | SentenceWritten | UsageReported | AnswerCompleted
