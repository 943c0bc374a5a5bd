from __future__ import annotations

from typing import Protocol

from kaynak.domain import ParsedDocument, Span


class Chunker(Protocol):
    """Canonical text to passages.

    Spans are in order, cover all non-blank text, do not begin or end with white space, are not empty, and
    hold at most ``max_tokens`` tokens. They may overlap only where the strategy says so.
    """

    fingerprint: str
    """Strategy, parameters and tokenizer: equal fingerprints split equally."""
    max_tokens: int

    def split(self, parsed: ParsedDocument) -> list[Span]:
        """Returns the passages of the document; an empty list for a text of white space alone."""
        ...
