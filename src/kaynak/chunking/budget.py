"""The last check: no chunk is more than the model reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kaynak.chunking.cuts import trimmed
from kaynak.chunking.token_map import TokenMap
from kaynak.domain import Span


def within_budget(tokens: TokenMap, spans: Iterable[Span], most: int) -> list[Span]:
    """Cuts spans that have more than ``most`` tokens when they are read by themselves.

    A tokenizer may spell a part of a word, or the beginning of a text, otherwise than the same characters
    within the whole; so what was counted there is counted again where it can matter.
    """
    parts = [
        part
        for span in spans
        for part in ([span] if tokens.safe(span.start, span.end, most) else _fitting(tokens, span, most))
    ]
    # Parts of windows that overlap may come out of order, or lie within one another.
    parts.sort(key=lambda part: (part.start, -part.end))
    kept: list[Span] = []
    for part in parts:
        if not kept or part.end > kept[-1].end:
            kept.append(part)
    return kept


def _fitting(tokens: TokenMap, span: Span, most: int) -> Iterator[Span]:
    text, counter = tokens.text, tokens.counter
    limit = most
    while counter.count(span.of(text)) > most:
        part = TokenMap(span.of(text), counter)
        at = part.cut(0, len(span), limit)
        first = trimmed(text, span.start, span.start + at)
        if first is not None and counter.count(first.of(text)) > most:
            if at <= 1:
                break  # a single character that is more tokens than a chunk may have
            limit = max(1, limit // 2)
            continue
        if first is not None:
            yield first
        rest = trimmed(text, span.start + at, span.end)
        if rest is None:
            return
        span, limit = rest, most
    yield span
