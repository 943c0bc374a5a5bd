from __future__ import annotations

from collections.abc import Iterator

from kaynak.chunking.budget import within_budget
from kaynak.chunking.cuts import trimmed
from kaynak.chunking.token_map import TokenMap
from kaynak.domain import ParsedDocument, Span
from kaynak.domain.tokens import TokenCounter


class FixedChunker:
    """Windows of one size, cut between words, whatever the text says. See `Chunker`.

    Args:
        tokenizer: Counts.
        size: Of a window, in tokens or characters.
        overlap: How much of a window the next one repeats, in the same unit.
        in_tokens: The unit: tokens, or else characters.
        most: Tokens that no window may exceed.
        fingerprint: Of all of these.
    """

    def __init__(
        self, tokenizer: TokenCounter, *, size: int, overlap: int, in_tokens: bool, most: int, fingerprint: str
    ) -> None:
        self.fingerprint = fingerprint
        self.max_tokens = most
        self._tokenizer = tokenizer
        self._size = size
        self._overlap = overlap
        self._in_tokens = in_tokens

    def split(self, parsed: ParsedDocument) -> list[Span]:
        """See `Chunker`."""
        tokens = TokenMap(parsed.text, self._tokenizer)
        windows = self._by_tokens(tokens) if self._in_tokens else self._by_characters(tokens)
        return within_budget(tokens, windows, self.max_tokens)

    def _by_tokens(self, tokens: TokenMap) -> Iterator[Span]:
        start, length = 0, len(tokens.text)
        while start < length:
            end = tokens.cut(start, length, self._size, clauses=False)
            span = trimmed(tokens.text, start, end)
            if span is None:
                start = end
                continue
            yield span
            repeated = tokens.index(end) - self._overlap
            back = int(tokens.starts[repeated]) if self._overlap and repeated > 0 else end
            start = _next_start(tokens.text, span, end, back)

    def _by_characters(self, tokens: TokenMap) -> Iterator[Span]:
        text = tokens.text
        start = 0
        while start < len(text):
            end = min(len(text), start + self._size)
            if end < len(text) and not text[end].isspace():
                words = text[start:end].rstrip().rsplit(None, 1)
                # Half a window is too much to give up for a whole word.
                back = start + len(words[0]) if len(words) == 2 else start
                end = back if back - start > self._size // 2 else tokens.between_characters(start, end)
            end = tokens.cut(start, end, self.max_tokens, clauses=False)
            span = trimmed(text, start, end)
            if span is None:
                start = end
                continue
            yield span
            start = _next_start(text, span, end, end - self._overlap)


def _next_start(text: str, span: Span, end: int, back: int) -> int:
    """Returns where the window after ``span`` begins: at a word from ``back`` on, or else at ``end``."""
    if end >= len(text) or back >= end:
        return end
    for at in range(max(back, span.start + 1), end):
        if text[at - 1].isspace() and not text[at].isspace():
            return at
    return end
