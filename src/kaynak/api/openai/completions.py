"""Answers in the shape of OpenAI's completions, whole and in chunks."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, fields
from typing import Any

from kaynak import __version__
from kaynak.api.links import citation_path
from kaynak.api.openai.asking import Asked
from kaynak.domain import (
    EXTRACTIVE,
    Answer,
    AnswerCompleted,
    AnswerEvent,
    AnswerSentence,
    Citation,
    FinishReason,
    SentenceWritten,
    Span,
    TextWritten,
)

Link = Callable[[str], str]
"""From a path to an address on this server."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One completion.

    Attributes:
        model: As the caller named it.
        asked: What was asked.
        link: Makes addresses of citations.
        id: Of the completion.
        created: Seconds since 1970.
    """

    model: str
    asked: Asked
    link: Link
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> dict[str, Any]:
        """Returns the completion of an answer that is not streamed."""
        citations = {citation.marker: citation for citation in answer.citations}
        annotations = [
            annotation
            for sentence in answer.sentences
            for annotation in self._annotations(sentence, citations, len(answer.text))
        ]
        message = {
            "role": "assistant",
            "content": answer.text,
            "refusal": None,
            "annotations": annotations,
            "kaynak": self._details(answer),
        }
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(answer)}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage_of(answer)}

    async def chunks(
        self, answer: AsyncGenerator[AnswerEvent, None], *, include_usage: bool
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yields the completion as it is written, and closes ``answer``."""
        unused: dict[str, Any] = {"usage": None} if include_usage else {}
        citations: dict[int, Citation] = {}
        length = 0
        begun = False
        async with aclosing(answer) as events:
            async for event in events:
                if not begun and isinstance(event, TextWritten | SentenceWritten | AnswerCompleted):
                    # Only now: what fails before there is anything to send still has its own status.
                    yield self._chunk({"role": "assistant", "content": ""}) | unused
                    begun = True
                match event:
                    case TextWritten(text):
                        length += len(text)
                        yield self._chunk({"content": text}) | unused
                    case SentenceWritten(sentence, new):
                        citations |= {citation.marker: citation for citation in new}
                        if found := list(self._annotations(sentence, citations, length)):
                            yield self._chunk({"annotations": found}) | unused
                    case AnswerCompleted(whole):
                        yield self._chunk({"kaynak": self._details(whole)}, _finish(whole)) | unused
                        if include_usage:
                            head = self._head("chat.completion.chunk")
                            yield {**head, "choices": [], "usage": usage_of(whole)}
                    case _:
                        pass

    def _chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": f"kaynak-{__version__}",
        }

    def _annotations(
        self, sentence: AnswerSentence, citations: Mapping[int, Citation], length: int
    ) -> Iterable[dict[str, Any]]:
        """Yields an annotation for each citation of a sentence; its indexes are those of the sentence."""
        place = sentence.span or Span(0, length)
        for marker in sentence.markers:
            citation = citations[marker]
            page = "" if citation.page is None else f", p. {citation.page}"
            yield {
                "type": "url_citation",
                "url_citation": {
                    "start_index": place.start,
                    "end_index": place.end,
                    "title": citation.title + page,
                    "url": self._url(citation),
                },
            }

    def _details(self, answer: Answer) -> dict[str, Any]:
        """Returns what OpenAI's shape has no room for."""
        ignored = self.asked.ignored + (self.asked.for_models if answer.model == EXTRACTIVE else ())
        return {
            "model": answer.model,
            "found": answer.found,
            "question": answer.question,
            "sentences": answer.sentences,
            "citations": [
                {**{one.name: getattr(citation, one.name) for one in fields(citation)}, "url": self._url(citation)}
                for citation in answer.citations
            ],
            "degraded": answer.degraded,
            "steps": answer.steps,
            "cost": answer.cost,
            "cached": answer.cached,
            "partial": answer.partial,
            "ignored": ignored,
        }

    def _url(self, citation: Citation) -> str:
        return self.link(citation_path(citation.version_id, citation.span))


def usage_of(answer: Answer) -> dict[str, Any] | None:
    """Returns the tokens of an answer; nothing if the provider did not say, and none where no model was asked."""
    usage = answer.usage
    if usage is None:
        return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0} if answer.model == EXTRACTIVE else None
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }


def _finish(answer: Answer) -> str:
    if not answer.partial:
        return "stop"
    return "content_filter" if answer.cut is FinishReason.FILTERED else "length"
