from __future__ import annotations

from kaynak.chunking.budget import within_budget
from kaynak.chunking.cuts import trimmed
from kaynak.chunking.token_map import TokenMap
from kaynak.domain import ParsedDocument, Span
from kaynak.domain.sentences import sentence_spans
from kaynak.domain.tokens import TokenCounter


class SentenceChunker:
    """Whole sentences up to the target, without regard to headings or paragraphs. See `Chunker`.

    Args:
        tokenizer: Counts.
        target: Tokens after which a chunk is full.
        overlap: Sentences that the next chunk repeats.
        most: Tokens that no chunk may exceed.
        fingerprint: Of all of these.
    """

    def __init__(self, tokenizer: TokenCounter, *, target: int, overlap: int, most: int, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.max_tokens = most
        self._tokenizer = tokenizer
        self._target = target
        self._overlap = overlap

    def split(self, parsed: ParsedDocument) -> list[Span]:
        """See `Chunker`."""
        tokens = TokenMap(parsed.text, self._tokenizer)
        sentences = [part for span in sentence_spans(parsed.text) for part in self._short(tokens, span)]
        sizes = [tokens.count(span.start, span.end) for span in sentences]
        spans: list[Span] = []
        first = 0
        while first < len(sentences):
            last, size = first + 1, sizes[first]
            while last < len(sentences) and size + sizes[last] <= self._target:
                size += sizes[last]
                last += 1
            spans.append(Span(sentences[first].start, sentences[last - 1].end))
            if last == len(sentences):
                break
            first = max(first + 1, last - self._overlap)
        return within_budget(tokens, spans, self.max_tokens)

    def _short(self, tokens: TokenMap, sentence: Span) -> list[Span]:
        """Returns the sentence, or parts of it if it is longer than a chunk may be."""
        parts = []
        start = sentence.start
        while start < sentence.end:
            end = tokens.cut(start, sentence.end, self.max_tokens)
            part = trimmed(tokens.text, start, end)
            if part is not None:
                parts.append(part)
            start = end
        return parts
