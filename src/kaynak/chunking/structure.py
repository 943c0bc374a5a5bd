from __future__ import annotations

from kaynak.chunking.budget import within_budget
from kaynak.chunking.cuts import structural_cuts
from kaynak.chunking.packing import Sizes, pack
from kaynak.chunking.token_map import TokenMap
from kaynak.domain import ParsedDocument, Span
from kaynak.domain.tokens import TokenCounter

_PIECES = 1.6
"""Tokens a word, up to which a tokenizer is at home in a text: English prose takes 1.3 to 1.5."""
_SAMPLE = 20_000


class StructureChunker:
    """Cuts where the document does: at headings first, then between paragraphs, list items, rows, sentences.

    Small neighbours share a chunk; a heading stays with what it heads. See `Chunker`.

    The target holds for texts in a language that the tokenizer knows. Where it takes more tokens for a word, the
    target grows with them: a hundred tokens of Turkish are thirty words to an English vocabulary, too few to say
    anything.
    """

    def __init__(self, tokenizer: TokenCounter, sizes: Sizes, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.max_tokens = sizes.most
        self._tokenizer = tokenizer
        self._sizes = sizes

    def split(self, parsed: ParsedDocument) -> list[Span]:
        """See `Chunker`."""
        tokens = TokenMap(parsed.text, self._tokenizer)
        sizes = self._sizes.times(_pieces(tokens) / _PIECES)
        spans = pack(tokens, list(structural_cuts(parsed)), sizes)
        return within_budget(tokens, spans, self.max_tokens)


def _pieces(tokens: TokenMap) -> float:
    """Returns how many tokens a word of the text takes."""
    end = min(len(tokens.text), _SAMPLE)
    return tokens.count(0, end) / max(1, len(tokens.text[:end].split()))
