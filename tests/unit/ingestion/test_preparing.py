from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kaynak.catalog import PendingVersion
from kaynak.chunking import build_chunker
from kaynak.domain import Block, BlockKind, ParsedDocument, PartSpec, VersionState, new_id, text_hash
from kaynak.ingestion.preparing import Group, Unreadable, prepare
from kaynak.testing.fake_embedder import WordCounter

CHUNKER = build_chunker(PartSpec("structure"), WordCounter(), 64)
VERSION = PendingVersion(
    new_id(), new_id(), new_id(), "a", 1, None, VersionState.PENDING, b"", "a.txt", 1, None, None, None, None
)
words = st.text("abc ĞıİşÇ 漢字.", min_size=1, max_size=60).filter(str.strip)


@settings(deadline=None)  # the first text that is looked at loads the language model
@given(st.lists(words, min_size=1, max_size=12))
def test_rows_are_spans_of_the_text_and_their_hashes_are_known(paragraphs: list[str]) -> None:
    text, blocks = "", []
    for paragraph in (part.strip() for part in paragraphs):
        blocks.append(Block(BlockKind.PARAGRAPH, len(text), len(text) + len(paragraph)))
        text += paragraph + "\n\n"
    prepared = prepare(VERSION, ParsedDocument(text, "text/plain", tuple(blocks)), CHUNKER, title=None, language=None)
    assert [row.ordinal for row in prepared.rows] == list(range(len(prepared.rows)))
    for row in prepared.rows:
        assert row.text == row.span.of(text)
        assert row.text_hash == text_hash(prepared.texts[row.text_hash])


def _language(declared: str | None, text: str, override: str | None = None) -> str | None:
    parsed = ParsedDocument(text, "text/html", (Block(BlockKind.PARAGRAPH, 0, len(text)),), language=declared)
    return prepare(VERSION, parsed, CHUNKER, title=None, language=override).language


def test_the_collection_decides_on_the_language_then_the_text_then_the_file() -> None:
    turkish = "Pompa her altı ayda bir yetkili mühendis tarafından denetlenmelidir."
    assert _language("en-US", turkish, "de") == "de"
    assert _language("en-US", turkish) == "tr"
    assert _language("pt_BR", "Olá") == "pt"
    assert _language("klingon", "Olá") is None
    assert _language(None, "Olá") is None


def test_the_callers_title_is_embedded_with_the_text() -> None:
    parsed = ParsedDocument("Some text.", "text/plain", (Block(BlockKind.PARAGRAPH, 0, 10),), title="Its own")
    own = prepare(VERSION, parsed, CHUNKER, title=None, language=None)
    given_title = prepare(VERSION, parsed, CHUNKER, title="Pumps", language=None)
    assert list(own.texts.values()) == ["Its own\nSome text."]
    assert list(given_title.texts.values()) == ["Pumps\nSome text."]


def test_a_group_counts_what_cannot_be_read_too() -> None:
    parsed = ParsedDocument("Same.", "text/plain", (Block(BlockKind.PARAGRAPH, 0, 5),))
    one = prepare(VERSION, parsed, CHUNKER, title=None, language=None)
    group = Group([one, one], [Unreadable(VERSION, "It is damaged.", "corrupt", None)])
    assert (len(group), len(group.rows), len(group.texts)) == (3, 2, 1)
