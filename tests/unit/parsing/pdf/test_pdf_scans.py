from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kaynak.domain import BlockKind, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import ocr

Read = Callable[..., ParsedDocument]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Replaces recognition by one that always sees the same letter; returns the shapes it was shown."""
    shapes: list[tuple[int, ...]] = []

    def engine(pixels: Any, **_options: Any) -> SimpleNamespace:
        shapes.append(pixels.shape)
        lines = [
            (100, 60, "A large heading"),
            (300, 30, "The first line of the letter goes on"),
            (340, 30, "in the second line."),
        ]
        boxes = [[[100, y], [900, y], [900, y + height], [100, y + height]] for y, height, _ in lines]
        return SimpleNamespace(
            boxes=np.array(boxes, float), txts=tuple(text for *_, text in lines), scores=(0.99, 0.98, 0.97)
        )

    monkeypatch.setattr(ocr, "_engine", lambda: engine)
    monkeypatch.setattr(ocr, "_installed", lambda: True)
    return shapes


def test_a_scan_is_read_like_any_page(pdf: Any, read: Read, seen: list[tuple[int, ...]]) -> None:
    pdf.page().scan()
    parsed = read("a.pdf", pdf.write())
    assert seen == [(2339, 1653, 3)]
    assert parsed.text == "A large heading\n\nThe first line of the letter goes on in the second line."
    assert parsed.blocks[0].kind is BlockKind.HEADING
    assert parsed.warnings == ("Read by text recognition: page 1.",)


def test_only_the_scans_are_recognised(pdf: Any, read: Read, seen: list[tuple[int, ...]]) -> None:
    pdf.page().text(60, 700, "Typed words that need no recognition")
    pdf.page().scan().text(60, 20, "2")
    parsed = read("a.pdf", pdf.write())
    assert len(seen) == 1
    assert parsed.text.index("Typed words") < parsed.text.index("A large heading")
    assert parsed.text[parsed.pages[1].start :].startswith("A large heading")


def test_a_huge_page_is_rendered_within_limits(pdf: Any, read: Read, seen: list[tuple[int, ...]]) -> None:
    pdf.page(width=14000, height=7000).scan()
    read("a.pdf", pdf.write())
    assert max(seen[0]) <= 4000


@pytest.mark.usefixtures("without_ocr")
def test_text_that_means_nothing_asks_for_recognition(pdf: Any, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    from kaynak.parsing.pdf import glyphs

    pdf.page().lines(60, 700, ["some words of text"] * 4)
    monkeypatch.setattr(glyphs, "_garbage", lambda codes: np.arange(len(codes)) % 2 == 0)
    with pytest.raises(UnreadableDocument) as caught:
        read("a.pdf", pdf.write())
    assert caught.value.reason is UnreadableReason.NEEDS_OCR
    assert "fonts" in caught.value.message


def test_text_that_means_nothing_is_recognised(
    pdf: Any, read: Read, seen: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kaynak.parsing.pdf import glyphs

    pdf.page().lines(60, 700, ["some words of text"] * 4)
    monkeypatch.setattr(glyphs, "_garbage", lambda codes: np.arange(len(codes)) % 2 == 0)
    assert "large heading" in read("a.pdf", pdf.write()).text
