from __future__ import annotations

from itertools import pairwise

import pytest

from kaynak.chunking import build_chunker
from kaynak.chunking.token_map import TokenMap
from kaynak.domain import Block, BlockKind, ParsedDocument, PartSpec
from kaynak.testing.fake_embedder import WordCounter


def document(*parts: tuple[BlockKind, str] | tuple[BlockKind, str, int]) -> ParsedDocument:
    """Joins blocks by blank lines, list items and table rows by line breaks."""
    text, blocks = "", []
    for kind, content, *level in parts:
        joint = "\n" if kind is BlockKind.LIST_ITEM and text else "\n\n" if text else ""
        text += joint
        blocks.append(Block(kind, len(text), len(text) + len(content), level[0] if level else None))
        text += content
    return ParsedDocument(text, "text/markdown", tuple(blocks))


def split(parsed: ParsedDocument, **params: int) -> list[str]:
    chunker = build_chunker(PartSpec("structure", params), WordCounter(), 120)
    return [span.of(parsed.text) for span in chunker.split(parsed)]


def words(count: int, word: str = "word") -> str:
    return " ".join([word] * count)


def sentences(count: int, size: int = 9) -> str:
    return " ".join(f"{words(size).capitalize()}." for _ in range(count))


H, P, L, T, C = (BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.TABLE, BlockKind.CODE)


def test_a_small_document_is_one_passage() -> None:
    parsed = document((H, "Title", 1), (P, words(10)), (P, words(20)))
    assert split(parsed) == [parsed.text]


def test_sections_are_kept_apart() -> None:
    parsed = document((H, "One", 1), (P, words(60, "a")), (H, "Two", 1), (P, words(60, "b")))
    first, second = split(parsed)
    assert first.startswith("One")
    assert first.endswith("a")
    assert second.startswith("Two")


def test_tiny_sections_share_a_passage() -> None:
    parsed = document(*[part for n in range(4) for part in ((H, f"Section {n}", 2), (P, words(5)))])
    assert len(split(parsed, target_tokens=60, min_tokens=20)) == 1


def test_a_heading_stays_with_what_it_heads() -> None:
    parsed = document((P, words(85)), (H, "Next", 2), (H, "Deeper", 3), (P, words(70)))
    first, second = split(parsed)
    assert first.endswith("word")
    assert second.startswith("Next\n\nDeeper\n\nword")


def test_paragraphs_before_sentences() -> None:
    parsed = document((P, sentences(6)), (P, sentences(6)))
    assert split(parsed, target_tokens=70) == parsed.text.split("\n\n")


def test_long_paragraphs_are_cut_between_sentences() -> None:
    parsed = document((P, sentences(40)))
    parts = split(parsed)
    assert len(parts) >= 4
    assert all(part.endswith(".") for part in parts)
    assert all(len(part.split()) >= 20 for part in parts)


def test_a_sentence_over_budget_is_cut_after_a_clause() -> None:
    clause = words(19) + ","
    parts = split(document((P, " ".join([clause] * 10))))
    assert all(part.endswith(",") for part in parts)


def test_tables_are_cut_between_rows_and_keep_their_head() -> None:
    rows = [f"| {n} | {words(6)} |" for n in range(40)]
    table = "\n".join(["| # | text |", "| --- | --- |", *rows])
    parts = split(document((T, table)))
    assert parts[0].startswith("| # | text |\n| --- | --- |\n| 0 |")
    assert all(part.startswith("|") and part.endswith("|") for part in parts)


def test_lists_are_cut_between_items() -> None:
    items = [(L, f"- {words(18)}") for _ in range(12)]
    parts = split(document((P, "The steps are:"), *items))
    assert parts[0].startswith("The steps are:\n- word")
    assert all(part.startswith("-") for part in parts[1:])


def test_code_is_cut_between_functions() -> None:
    function = "def f(x):\n" + "\n".join(f"    y = x + {n}" for n in range(10)) + "\n    return y"
    parts = split(document((C, "\n\n".join([function] * 4))), target_tokens=70)
    assert all(part.startswith("def f") for part in parts)


def test_lines_of_text_without_blank_lines_are_paragraphs_unless_wrapped() -> None:
    long = [f"{sentences(3, 12)}" for _ in range(8)]
    parts = split(ParsedDocument("\n".join(long), "text/plain"), target_tokens=40)
    assert parts == long
    wrapped = "\n".join("word " * 9 + "word" for _ in range(8))
    assert len(split(ParsedDocument(wrapped, "text/plain"), target_tokens=60)) == 1


def test_text_outside_blocks_is_not_lost() -> None:
    text = "lost before\n\ninside\n\nlost after"
    parsed = ParsedDocument(text, "text/plain", (Block(P, 13, 19),))
    assert " ".join(split(parsed)).split() == text.split()


def test_passages_do_not_overlap() -> None:
    parsed = document((P, sentences(100)))
    chunker = build_chunker(PartSpec("structure"), WordCounter(), 120)
    spans = chunker.split(parsed)
    assert all(before.end <= after.start for before, after in pairwise(spans))


@pytest.mark.parametrize("joined", ["e\u0301", "👩‍👩‍👧", "👍🏽", "❤️"])
def test_what_is_shown_as_one_is_not_cut(joined: str) -> None:
    tokens = TokenMap("x" + joined * 300, WordCounter())
    at = tokens.cut(0, len(tokens.text), 3)
    assert (at - 1) % len(joined) == 0


def test_long_texts_are_tokenised_in_slices() -> None:
    class Watching(WordCounter):
        longest = 0

        def starts(self, text: str) -> list[int]:
            self.longest = max(self.longest, len(text))
            return super().starts(text)

    counter = Watching()
    text = "word " * 50_000
    tokens = TokenMap(text, counter)
    assert counter.longest < 40_000
    assert tokens.count(0, len(text)) == 50_000
