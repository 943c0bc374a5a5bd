"""From quotes to numbered citations."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from kaynak.domain import AnswerSentence, Citation, Hit, Span
from kaynak.generation.protocol import Quote, Written

_log = structlog.get_logger(__name__)


class Citations:
    """Numbers quotes in the order in which they are first used; equal quotes share a number.

    Args:
        hits: The passages that may be quoted.
    """

    def __init__(self, hits: Sequence[Hit]) -> None:
        self._hits = hits
        self._known: dict[tuple[object, Span], Citation] = {}

    @property
    def all(self) -> tuple[Citation, ...]:
        """All citations, by marker."""
        return tuple(self._known.values())

    def verified(self, written: Written) -> tuple[Quote, ...]:
        """Returns those quotes of a sentence that lie inside the passage they name."""
        good = tuple(quote for quote in written.quotes if self._inside(quote))
        if len(good) < len(written.quotes):
            _log.warning("quotes_refused", refused=len(written.quotes) - len(good))
        return good

    def cite(
        self, text: str, quotes: Sequence[Quote], pages: Sequence[int | None]
    ) -> tuple[AnswerSentence, tuple[Citation, ...]]:
        """Returns the sentence with its markers, and the citations that are new with it."""
        markers: dict[int, None] = {}
        new: list[Citation] = []
        for quote, page in zip(quotes, pages, strict=True):
            before = len(self._known)
            citation = self.number(quote, page)
            if len(self._known) > before:
                new.append(citation)
            markers[citation.marker] = None
        return AnswerSentence(text, tuple(markers)), tuple(new)

    def number(self, quote: Quote, page: int | None) -> Citation:
        """Returns the citation of a quote, with the number it has or now gets."""
        hit = self._hits[quote.hit]
        key = (hit.version_id, quote.span)
        if key not in self._known:
            self._known[key] = _citation(len(self._known) + 1, hit, quote.span, page)
        return self._known[key]

    def _inside(self, quote: Quote) -> bool:
        if not 0 <= quote.hit < len(self._hits):
            return False
        around = self._hits[quote.hit].span
        return around.start <= quote.span.start < quote.span.end <= around.end


def quoted(hit: Hit, span: Span) -> str:
    """Returns the text of ``span``, which lies inside the passage."""
    return span.shift(-hit.span.start).of(hit.text)


def marked(sentence: AnswerSentence) -> str:
    """Returns the sentence with its markers in brackets."""
    markers = "".join(f"[{marker}]" for marker in sentence.markers)
    return f"{sentence.text} {markers}" if markers else sentence.text


def _citation(marker: int, hit: Hit, span: Span, page: int | None) -> Citation:
    return Citation(
        marker=marker,
        collection=hit.collection,
        document_id=hit.document_id,
        external_id=hit.external_id,
        title=hit.title,
        version_id=hit.version_id,
        version=hit.version,
        page=page,
        span=span,
        quote=quoted(hit, span),
    )
