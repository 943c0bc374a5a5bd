from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.domain.sentences import sentence_spans


def sentences(text: str) -> list[str]:
    return [span.of(text) for span in sentence_spans(text)]


@pytest.mark.parametrize(
    "parts",
    [
        ["Dr. Smith paid 3.5 dollars.", "He left at 5 p.m.", "The end!"],
        ["“Why?” he asked.", "Nobody knew…", "(It was late.)", "They left."],
        ["No. 5 is here.", "See Fig. 3 for J. K. Rowling.", "Acme Inc. sold it."],
        ["See https://a.b/c.d?x=1 and file.txt.", "Write to me@example.com."],
        ["U.S. policy changed.", "In 1999.", "The war ended."],
        ["It took 12. The rest waited."[:11], "The rest waited."],
        ["hello there.", "how are you"],
        ["Wait... what?", "Really?!", "Yes."],
        ["Prof. Dr. Ali Veli geldi.", "1. Dünya Savaşı 1914'te başladı.", "Bkz. madde 5."],
        ["19. yüzyılda oldu.", "İzmir'e gitti.", "2. Mehmet kazandı.", "Örn. bu böyle vb. şeyler."],
        ["これはペンです。", "あれは本です！", "你好吗？", "版本3.5很好。"],
        ["مرحبا؟", "نعم۔"],
        ["क्या हाल है।", "ठीक है॥"],
    ],
)
def test_ends_where_people_end(parts: list[str]) -> None:
    assert sentences(" ".join(parts)) == parts


def test_lines() -> None:
    text = "A wrapped\nline goes on.\n\nA heading\n\n- first item. More\n- second\n1. third\n| a | b |\nend"
    assert sentences(text) == [
        "A wrapped\nline goes on.",
        "A heading",
        "- first item.",
        "More",
        "- second",
        "1. third",
        "| a | b |\nend",
    ]


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_nothing(text: str) -> None:
    assert sentences(text) == []


_PIECES = st.sampled_from(
    ["Dr.", "a", "A", "12.", "e.g.", "!", "?", "…", ".", "”", "\n", "\n\n", " ", "  ", "。", "- ", "I", "İ."]
)


@given(st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=60).map("".join)))
def test_covers_all_in_order(text: str) -> None:
    spans = sentence_spans(text)
    at = 0
    for span in spans:
        assert span.start >= at
        assert not text[at : span.start].strip()
        assert span.of(text) == span.of(text).strip() != ""
        at = span.end
    assert not text[at:].strip()


@pytest.mark.parametrize("unit", ["a", ".", "a. ", "! ", '."', "\n ", "1. ", "A.B.", "((", " "])
def test_long_inputs_end(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    spans = sentence_spans(text)
    assert sum(map(len, spans)) <= len(text)
