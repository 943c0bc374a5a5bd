from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.domain import BlockKind, UnreadableDocument, UnreadableReason, clean
from kaynak.parsing.builder import TextBuilder, language_code, one_line, tidy

PIECES = st.lists(
    st.tuples(
        st.sampled_from([*BlockKind, None]),
        st.text(max_size=40) | st.text(alphabet=" \t\n\r\f\u2028ab\x00\ud800é😀", max_size=20),
        st.integers(0, 4),
    ),
    max_size=20,
)


@given(PIECES)
def test_blocks_cover_all_text_in_order_and_pages_do_not_overlap(pieces) -> None:
    builder = TextBuilder()
    added = []
    for kind, text, level in pieces:
        if kind is None:
            builder.page(label=text)
        else:
            block = builder.add(kind, text, level)
            if block is not None:
                added.append((block, text))
    parsed = builder.build("text/plain")
    assert parsed.blocks == tuple(block for block, _ in added)
    end = 0
    for block in parsed.blocks:
        assert end <= block.start < block.end
        assert not parsed.text[end : block.start].strip()
        assert not parsed.text[block.end - 1].isspace()
        end = block.end
    assert not parsed.text[end:].strip()
    assert clean(parsed.text) == parsed.text
    end = 0
    for page in parsed.pages:
        assert end <= page.start <= page.end <= len(parsed.text)
        end = page.end


@given(PIECES)
def test_no_word_is_lost(pieces) -> None:
    builder = TextBuilder()
    for kind, text, level in pieces:
        builder.add(kind or BlockKind.PARAGRAPH, text, level)
    expected = [word for _, text, _ in pieces for word in tidy(text).split()]
    assert builder.build("text/plain").text.split() == expected


def test_separators() -> None:
    builder = TextBuilder()
    builder.add(BlockKind.HEADING, "A\nheading", 1)
    builder.add(BlockKind.LIST_ITEM, "- one", 0)
    builder.add(BlockKind.LIST_ITEM, "- two", 1)
    builder.add(BlockKind.CODE, "\n\n    if x:\n        y\n\n")
    builder.add(BlockKind.PARAGRAPH, " \n\t ")
    assert builder.build("text/plain").text == "A heading\n\n- one\n  - two\n\n    if x:\n        y"


def test_pages_know_their_text() -> None:
    builder = TextBuilder()
    builder.page(label="first", width=10, height=20)
    builder.add(BlockKind.PARAGRAPH, "one")
    builder.page()
    builder.page(label=" third\n")
    builder.add(BlockKind.PARAGRAPH, "three")
    parsed = builder.build("text/plain")
    assert [parsed.text[page.start : page.end] for page in parsed.pages] == ["one", "", "three"]
    assert [page.label for page in parsed.pages] == ["first", None, "third"]
    assert (parsed.pages[0].width, parsed.pages[0].height) == (10, 20)


def test_limits_are_kept() -> None:
    builder = TextBuilder(max_chars=10, max_pages=1)
    builder.page()
    with pytest.raises(UnreadableDocument) as pages:
        builder.page()
    with pytest.raises(UnreadableDocument) as chars:
        builder.add(BlockKind.PARAGRAPH, "x" * 11)
    assert pages.value.reason is chars.value.reason is UnreadableReason.TOO_COMPLEX


def test_extend_moves_headings_down() -> None:
    inner = TextBuilder()
    inner.add(BlockKind.HEADING, "Inner", 1)
    inner.add(BlockKind.PARAGRAPH, "Text.")
    outer = TextBuilder()
    outer.add(BlockKind.HEADING, "Outer", 1)
    start = outer.length
    outer.extend(inner.build("text/plain"), 1)
    assert outer.first_heading == "Outer"
    assert outer.text_since(start) == "\n\nInner\n\nText."
    assert outer.build("text/plain").blocks[1].level == 2


def test_build_cleans_what_the_file_says_of_itself() -> None:
    builder = TextBuilder()
    parsed = builder.build(
        "text/plain",
        title=" A\n title\x00 ",
        language="en_GB.UTF-8",
        metadata={"a": " x\x00 ", "b": "", "c": ["y ", 1], "d": {"e": None}},
        warnings=["once", "once"],
    )
    assert (parsed.title, parsed.language, parsed.warnings) == ("A title", "en", ("once",))
    assert parsed.metadata == {"a": "x", "c": ["y", 1]}
    assert builder.first_heading is None


@pytest.mark.parametrize(
    ("declared", "code"), [("tr-TR", "tr"), ("EN", "en"), ("und", None), ("", None), (None, None), ("english", None)]
)
def test_language_code(declared, code) -> None:
    assert language_code(declared) == code


def test_one_line_is_bounded() -> None:
    assert len(one_line("word " * 1000) or "") == 500
