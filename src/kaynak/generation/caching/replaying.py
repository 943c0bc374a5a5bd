"""A remembered answer, told again as if it were being written."""

from __future__ import annotations

from collections.abc import Iterator

from kaynak.domain import (
    Answer,
    AnswerCompleted,
    AnswerEvent,
    PassagesFound,
    SentenceWritten,
    TextWritten,
)
from kaynak.retrieval import plausible


def replay(answer: Answer) -> Iterator[AnswerEvent]:
    """Yields the events of ``answer``, in the order in which it was written."""
    yield PassagesFound(answer.hits)
    shown = 0
    told: set[int] = set()
    for sentence in answer.sentences:
        end = sentence.span.end if sentence.span is not None else shown
        if end > shown:
            yield TextWritten(answer.text[shown:end])
            shown = end
        new = tuple(one for one in answer.citations if one.marker in sentence.markers and one.marker not in told)
        told.update(one.marker for one in new)
        yield SentenceWritten(sentence, new)
    if shown < len(answer.text):
        yield TextWritten(answer.text[shown:])
    yield AnswerCompleted(answer)


def whole(answer: Answer) -> bool:
    """Returns whether an answer may be remembered: nothing is missing, and nothing was wrong."""
    return not answer.partial and not answer.degraded and answer.cached is None


def consistent(answer: Answer) -> bool:
    """Returns whether a remembered answer can be one: it came from outside this process.

    Every quote must lie in a passage of the answer, to the letter, and every marker must have its citation.
    """
    if not whole(answer) or not all(plausible(hit) for hit in answer.hits):
        return False
    markers = {citation.marker for citation in answer.citations}
    if any(not set(sentence.markers) <= markers for sentence in answer.sentences):
        return False
    return all(
        any(
            hit.version_id == citation.version_id
            and hit.document_id == citation.document_id
            and hit.collection == citation.collection
            and hit.span.start <= citation.span.start
            and citation.span.end <= hit.span.end
            and citation.span.shift(-hit.span.start).of(hit.text) == citation.quote
            for hit in answer.hits
        )
        for citation in answer.citations
    )
