from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.domain import (
    OWNER,
    Block,
    BlockKind,
    InvalidRequest,
    JobState,
    Outline,
    Scope,
    Span,
    clean,
    fold_email,
    new_id,
    text_hash,
    validate_collection_name,
    validate_external_id,
    validate_person_name,
)


def test_spans_know_their_text_and_overlap() -> None:
    span = Span(2, 5)
    assert span.of("abcdefg") == "cde"
    assert len(span) == 3
    assert span.overlap(Span(4, 9)) == 1
    assert span.overlap(Span(7, 9)) == 0
    assert span.shift(3) == Span(5, 8)
    for start, end in ((-1, 2), (3, 2)):
        with pytest.raises(ValueError, match="not a span"):
            Span(start, end)


def test_ids_are_version_7_and_ordered_in_time() -> None:
    first = new_id()
    time.sleep(0.002)
    second = new_id()
    assert (first.version, first.variant) == (7, "specified in RFC 4122")
    assert first < second
    assert len({new_id() for _ in range(1000)}) == 1000


def test_a_heading_path_leads_from_the_top() -> None:
    text = "Book\n\nPart\n\none\n\nOther\n\ntwo"
    spots = [("Book", 1), ("Part", 2), ("one", None), ("Other", 2), ("two", None)]
    blocks = []
    for word, level in spots:
        start = text.index(word)
        kind = BlockKind.HEADING if level else BlockKind.PARAGRAPH
        blocks.append(Block(kind, start, start + len(word), level))
    outline = Outline(text, blocks)
    assert outline.path(text.index("one")) == ("Book", "Part")
    assert outline.path(text.index("two")) == ("Book", "Other")
    assert outline.path(0) == ()
    assert outline.path(text.index("Other")) == ("Book",)


@given(st.text(st.characters(codec=None)))
def test_clean_text_is_storable_and_stable(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert "\x00" not in cleaned
    assert "\r" not in cleaned
    assert clean(cleaned) == cleaned


def test_clean_keeps_what_people_write() -> None:
    assert clean("\ufeffİzmir\r\n\tşehir 😀 שלום\r") == "İzmir\n\tşehir 😀 שלום\n"
    assert text_hash("a") != text_hash("b")
    assert len(text_hash("")) == 16


@pytest.mark.parametrize("name", ["handbook", "a", "2026-q1", "x.y_z", "a" * 64])
def test_collection_names(name: str) -> None:
    assert validate_collection_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a" * 65, "a b", "ü", "a/b", "a\n"])
def test_bad_collection_names_say_what_is_allowed(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate_collection_name(name)
    assert "a-z" in str(caught.value.hint)


def test_document_ids() -> None:
    assert validate_external_id("Ordner/Ärzte & Co.pdf") == "Ordner/Ärzte & Co.pdf"
    for bad in ("", "  ", "a\x00", "a\nb", "x" * 1025):
        with pytest.raises(InvalidRequest):
            validate_external_id(bad)


def test_scopes() -> None:
    here, there = new_id(), new_id()
    assert OWNER.allows(here)
    assert Scope("eve", frozenset({here})).allows(here)
    assert not Scope("eve", frozenset({here})).allows(there)
    assert not Scope("nobody").allows(here)


def test_final_states() -> None:
    assert {state for state in JobState if state.final} == {"succeeded", "failed", "cancelled"}


@pytest.mark.parametrize("unseen", ["\u202e", "\u200b", "\ufeff", "\u2067", "\x00", "\ud800"], ids=ascii)
def test_one_name_cannot_look_like_another(unseen: str) -> None:
    with pytest.raises(InvalidRequest):
        validate_person_name(f"Ay{unseen}se")
    with pytest.raises(InvalidRequest):
        fold_email(f"ay{unseen}se@example.org")


def test_names_are_written_as_their_languages_are() -> None:
    for name in ("Ayşe Öztürk", "می\u200cخواهم", "क्\u200dष", "O'Neill-李"):
        assert validate_person_name(name) == unicodedata.normalize("NFC", name)
