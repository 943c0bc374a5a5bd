from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaynak.chunking import Chunker
from kaynak.domain import Block, BlockKind, ParsedDocument, Span, clean
from kaynak.domain.tokens import TokenCounter

_WORDS = st.sampled_from(
    ["cat", "the", "Dr.", "e.g.", "3.14", "antidisestablishmentarianism", "İstanbul", "naïve", "東京", "です。",
     "你好！", "กรุงเทพ", "👩‍👩‍👧", "🇹🇷", "e\u0301", "x" * 300, "!", "...", "“why?”", "a,b;c", "\u200b", "| a | b |",
     "- item", "# Title", "    code()", "مرحبا؟", "z" * 40]
)  # fmt: skip
_SPACES = st.sampled_from([" ", " ", " ", "\n", "\n\n", "", "  ", "\t", "\n \n", " " * 90])
_PROSE = st.lists(st.tuples(_WORDS, _SPACES), max_size=120).map(
    lambda parts: "".join(word + space for word, space in parts)
)
_ANY = st.text(max_size=200)
# Subclasses share the test, and the chunker does not change.
_ALLOWED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
_KINDS = st.sampled_from(list(BlockKind))


@st.composite
def parsed_documents(draw: st.DrawFn) -> ParsedDocument:
    """Documents with blocks anywhere that blocks may be, over text of many scripts."""
    text = clean(draw(st.one_of(_PROSE, _ANY, st.tuples(_PROSE, _ANY).map("".join))))
    blocks: list[Block] = []
    at = 0
    while at < len(text) and draw(st.booleans()):
        start = draw(st.integers(at, len(text)))
        end = draw(st.integers(start, len(text)))
        part = text[start:end]
        start += len(part) - len(part.lstrip())
        end = start + len(part.strip())
        if end > start:
            blocks.append(Block(draw(_KINDS), start, end, draw(st.sampled_from([None, 1, 2, 3]))))
        at = max(end, at + 1)
    return ParsedDocument(text, "text/plain", tuple(blocks))


class ChunkerSuite:
    """What every chunker must do. Subclasses give fixtures ``chunker`` and ``counter``, its tokenizer."""

    overlaps = False
    """Whether the strategy as configured lets passages overlap."""

    @settings(max_examples=60, deadline=None, suppress_health_check=_ALLOWED)
    @given(parsed=parsed_documents())
    def test_invariants(self, chunker: Chunker, counter: TokenCounter, parsed: ParsedDocument) -> None:
        """In order, covering, within budget, trimmed, and the same every time."""
        spans = chunker.split(parsed)
        check_invariants(parsed.text, spans, chunker, counter, overlaps=self.overlaps)
        assert chunker.split(parsed) == spans

    @pytest.mark.parametrize("text", ["", " ", "\n\n\t ", "\u3000"])
    def test_blank_text_has_no_passages(self, chunker: Chunker, text: str) -> None:
        """White space alone gives nothing."""
        assert chunker.split(ParsedDocument(text, "text/plain")) == []

    @pytest.mark.parametrize(
        "text",
        ["x" * 60_000, "cat " * 30_000, "東京です。" * 6_000, "a. " * 20_000, "👩‍👩‍👧" * 4_000, "\n" * 50_000 + "cat",
         "\u200b" * 30_000 + "cat"],
        ids=["word", "words", "cjk", "sentences", "emoji", "lines", "invisible"],
    )  # fmt: skip
    def test_long_lines(self, chunker: Chunker, counter: TokenCounter, text: str) -> None:
        """A line without a place to cut is cut all the same."""
        spans = chunker.split(ParsedDocument(text, "text/plain"))
        check_invariants(text, spans, chunker, counter, overlaps=self.overlaps)
        assert max(map(len, spans)) <= 32 * chunker.max_tokens

    def test_words_stay_whole(self, chunker: Chunker) -> None:
        """Words are cut only when one alone is over budget."""
        text = "river stone garden " * 400
        words = {"river", "stone", "garden"}
        for span in chunker.split(ParsedDocument(text, "text/plain")):
            assert set(span.of(text).split()) <= words

    def test_describes_itself(self, chunker: Chunker) -> None:
        """What callers rely on is there."""
        assert chunker.fingerprint
        assert chunker.max_tokens > 0


def check_invariants(text: str, spans: list[Span], chunker: Chunker, counter: TokenCounter, *, overlaps: bool) -> None:
    """Asserts what `Chunker` promises of ``spans``."""
    covered = 0
    for before, span in zip([None, *spans], spans, strict=False):
        part = span.of(text)
        assert part
        assert part == part.strip()
        if before is not None:
            assert span.start > before.start
            assert overlaps or span.start >= before.end
        assert not text[covered : max(covered, span.start)].strip(), "text between passages"
        covered = max(covered, span.end)
        assert counter.count(part) <= chunker.max_tokens or len(part) == 1
    assert not text[covered:].strip(), "text after the last passage"
