from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from kaynak.chunking import Chunker, build_chunker, embedding_text
from kaynak.domain import InvalidRequest, ParsedDocument, PartSpec
from kaynak.testing.fake_embedder import WordCounter


def build(name: str, most: int = 200, **params: Any) -> Chunker:
    return build_chunker(PartSpec(name, params), WordCounter(), most)


def texts(chunker: Chunker, text: str) -> list[str]:
    return [span.of(text) for span in chunker.split(ParsedDocument(text, "text/plain"))]


NUMBERS = " ".join(str(number) for number in range(1000))


def test_fixed_windows_of_tokens() -> None:
    parts = texts(build("fixed", size=100), NUMBERS)
    assert [len(part.split()) for part in parts] == [100] * 10


def test_fixed_windows_overlap() -> None:
    parts = texts(build("fixed", size=100, overlap=20), NUMBERS)
    for before, after in pairwise(parts):
        assert before.split()[-20:] == after.split()[:20]


def test_fixed_windows_of_characters() -> None:
    parts = texts(build("fixed", unit="characters", size=50), NUMBERS)
    assert all(len(part) <= 50 for part in parts)
    assert " ".join(parts) == NUMBERS
    overlapping = texts(build("fixed", unit="characters", size=50, overlap=20), NUMBERS)
    assert all(after.split()[0] in before.split() for before, after in pairwise(overlapping))


def test_sentences_whole_and_repeated() -> None:
    text = " ".join(f"This is sentence number {number}." for number in range(30))
    parts = texts(build("sentence", target_tokens=24), text)
    assert all(part.endswith(".") and part.startswith("This") for part in parts)
    repeated = texts(build("sentence", target_tokens=24, overlap_sentences=1), text)
    assert all(before.rsplit("This", 1)[1] == after.split("This")[1].rstrip() for before, after in pairwise(repeated))


def test_a_sentence_over_budget_alone_is_cut() -> None:
    parts = texts(build("sentence", most=40), "word " * 200)
    assert max(len(part.split()) for part in parts) <= 30


def test_recursive_takes_the_strongest_separator_that_works() -> None:
    small = "One line.\nAnother line."
    large = " ".join(f"Sentence {number} is here." for number in range(20))
    parts = texts(build("recursive", target_tokens=30), f"{small}\n\n{large}\n\n{small}")
    assert parts[0] == small
    assert parts[-1] == small
    assert all(part.endswith(".") for part in parts)
    assert max(len(part.split()) for part in parts) <= 30


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("semantic", {}),
        ("structure", {"target_tokens": 0}),
        ("structure", {"target_tokens": 161}),
        ("structure", {"target_tokens": "100"}),
        ("structure", {"target_tokens": True}),
        ("structure", {"max_tokens": 10_000}),
        ("structure", {"size": 100}),
        ("fixed", {"unit": "words"}),
        ("fixed", {"size": 100, "overlap": 60}),
        ("sentence", {"overlap_sentences": -1}),
        ("recursive", {"target_tokens": 1.5}),
    ],
)
def test_refuses_what_it_does_not_know(name: str, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        build(name, **params)
    assert caught.value.hint


def test_a_model_without_room() -> None:
    with pytest.raises(InvalidRequest):
        build("structure", most=9)


def test_fingerprints() -> None:
    class Other(WordCounter):
        fingerprint = "other"

    chunkers = [
        build("structure"),
        build("structure", target_tokens=90),
        build("structure", most=100),
        build("recursive"),
        build("fixed"),
        build("fixed", overlap=10),
        build_chunker(PartSpec("structure"), Other(), 200),
    ]
    prints = [chunker.fingerprint for chunker in chunkers]
    assert len(set(prints)) == len(prints)
    # A default written out is the same chunker.
    assert build("structure", target_tokens=100).fingerprint == prints[0]


def test_embedding_text_says_where_a_passage_stands() -> None:
    assert embedding_text("Handbook", ("Leave", "Annual"), "Two days.") == "Handbook – Leave – Annual\nTwo days."
    assert embedding_text(None, (), "Two days.") == "Two days."
    assert embedding_text("Leave ", ("leave",), "Two days.") == "Leave\nTwo days."
    assert embedding_text("Leave", ("Annual",), "# Annual\nTwo days.") == "Leave\nTwo days.".replace(
        "Two", "# Annual\nTwo"
    )


def test_embedding_text_is_bounded() -> None:
    headings = tuple(f"Heading of level {level}" for level in range(6))
    text = embedding_text("A title " * 3, headings, "text")
    prefix = text.splitlines()[0]
    assert prefix.startswith("A title A title A title")
    assert prefix.endswith("level 5")  # the innermost stays
    assert "level 0" not in prefix
    huge = embedding_text("x" * 10_000 + " y", ("東京" * 1000,), "text")
    assert len(huge) < 300
    assert huge.endswith("text")
