from __future__ import annotations

import re
from collections.abc import Iterator

from kaynak.chunking.budget import within_budget
from kaynak.chunking.cuts import trimmed
from kaynak.chunking.token_map import TokenMap
from kaynak.domain import ParsedDocument, Span
from kaynak.domain.tokens import TokenCounter

_SEPARATORS = tuple(
    re.compile(pattern) for pattern in (r"\n[ \t]*\n\s*", r"\n\s*", r"(?<=[.!?…。！？])\s+", r"(?<=[,;:])\s+", r"\s+")
)


class RecursiveChunker:
    """Splits by the strongest separator first and goes to weaker ones only where a part is too long.

    The separators are blank lines, line breaks, ends of sentences, of clauses, and of words; neighbouring parts
    are joined again while they fit. See `Chunker`.

    Args:
        tokenizer: Counts.
        target: Tokens that a chunk should not exceed.
        most: Tokens that no chunk may exceed; at least ``target``.
        fingerprint: Of all of these.
    """

    def __init__(self, tokenizer: TokenCounter, *, target: int, most: int, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.max_tokens = most
        self._tokenizer = tokenizer
        self._target = target

    def split(self, parsed: ParsedDocument) -> list[Span]:
        """See `Chunker`."""
        tokens = TokenMap(parsed.text, self._tokenizer)
        parts = self._split(tokens, Span(0, len(parsed.text)), 0)
        return within_budget(tokens, parts, self.max_tokens)

    def _split(self, tokens: TokenMap, span: Span, level: int) -> Iterator[Span]:
        whole = trimmed(tokens.text, span.start, span.end)
        if whole is None:
            return
        if tokens.count(whole.start, whole.end) <= self._target:
            yield whole
        elif level == len(_SEPARATORS):
            end = tokens.cut(whole.start, whole.end, self._target)
            yield Span(whole.start, end)
            while end < whole.end:
                start, end = end, tokens.cut(end, whole.end, self._target)
                yield Span(start, end)
        else:
            yield from self._join(tokens, whole, level)

    def _join(self, tokens: TokenMap, span: Span, level: int) -> Iterator[Span]:
        """Yields runs of the parts at this level that fit together; longer parts are split further."""
        start = span.start
        reach = start  # [start, reach) fits and waits for more
        ends = [match.start() for match in _SEPARATORS[level].finditer(tokens.text, span.start, span.end)]
        for end in [*ends, span.end]:
            if tokens.count(start, end) <= self._target:
                reach = end
                continue
            if reach > start:
                yield from self._split(tokens, Span(start, reach), level + 1)
                start = reach
            if tokens.count(start, end) > self._target:
                yield from self._split(tokens, Span(start, end), level + 1)
                start = end
            reach = end
        yield from self._split(tokens, Span(start, reach), level + 1)
