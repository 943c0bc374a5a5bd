from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from kaynak.domain import ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import ocr
from kaynak.parsing.ocr import Recognised, ocr_available, recognise, segments_from, switch_ocr

Read = Callable[..., ParsedDocument]


@pytest.fixture(autouse=True)
def switched_on() -> Iterator[None]:
    yield
    switch_ocr(True)
    ocr._Switch.before = None


def encoded(image: Image.Image, kind: str, **more: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def picture(*lines: str) -> Image.Image:
    image = Image.new("RGB", (900, 90 + 60 * len(lines)), "white")
    draw = ImageDraw.Draw(image)
    for index, line in enumerate(lines):
        draw.text((40, 40 + 60 * index), line, fill="black", font=ImageFont.load_default(32))
    return image


class FakeEngine:
    """Sees what a picture's upper left pixel tells it to: its blue value is the direction it lies in."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, pixels: Any, **_options: Any) -> SimpleNamespace:
        self.calls += 1
        upright = bool(pixels[0, 0, 0] == 7)
        lying = bool(pixels[0, -1, 0] == 7 or pixels[-1, 0, 0] == 7)
        box = [[10, 10], [30, 10], [30, 200], [10, 200]] if lying else [[10, 10], [200, 10], [200, 30], [10, 30]]
        return SimpleNamespace(
            boxes=np.array([box], float),
            txts=("upright words" if upright else "spdow",),
            scores=(0.99 if upright else 0.3,),
        )


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr(ocr, "_engine", lambda: fake)
    monkeypatch.setattr(ocr, "_installed", lambda: True)
    return fake


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_pictures_are_turned_until_they_can_be_read(engine: FakeEngine, turns: int) -> None:
    upright = np.zeros((60, 60, 3), np.uint8)
    upright[0, 0, 0] = 7
    (found,) = recognise(np.ascontiguousarray(np.rot90(upright, turns)))
    assert found.text == "upright words"
    assert engine.calls == (1, 3, 2, 3)[turns]


def test_a_hook_is_told_before_each_page(engine: FakeEngine) -> None:
    calls: list[int] = []
    ocr.before_recognition(lambda: calls.append(1))
    recognise(np.zeros((9, 9, 3), np.uint8))
    assert calls == [1]


def test_running_out_of_memory_is_told_from_a_bad_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("Failed to allocate")

    monkeypatch.setattr(ocr, "_engine", lambda: fail)
    with pytest.raises(MemoryError):
        recognise(np.zeros((9, 9, 3), np.uint8))


def test_nothing_found_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = SimpleNamespace(boxes=None, txts=None, scores=None)
    monkeypatch.setattr(ocr, "_engine", lambda: lambda *_, **__: empty)
    assert recognise(np.zeros((9, 9, 3), np.uint8)) == []
    assert segments_from([], 1.0) == []


def test_lines_of_nearly_equal_height_are_of_one_size() -> None:
    found = [
        Recognised("some words of text", 0, 30 * n, 200, 30 * n + height, 0.9) for n, height in enumerate((18, 20, 22))
    ]
    found.append(Recognised("HEADLINE", 0, 200, 200, 250, 0.9))
    sizes = [segment.size for segment in segments_from(found, 0.5)]
    assert len(set(sizes[:3])) == 1
    assert sizes[3] > 2 * sizes[0]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_pictures_are_documents(engine: FakeEngine, read: Read, kind: str) -> None:
    image = Image.new("RGB", (64, 64), (7, 7, 7))
    parsed = read(f"a.{kind.lower()}", encoded(image, kind))
    assert parsed.text == "upright words"
    assert parsed.media_type == f"image/{kind.lower()}"
    assert parsed.warnings == ("Read by text recognition.",)


def test_a_tiff_has_pages(engine: FakeEngine, read: Read) -> None:
    frames = [Image.new("L", (64, 64 + n), 7) for n in range(3)]
    parsed = read("a.tiff", encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:], dpi=(72, 72)))
    assert [(page.width, page.height) for page in parsed.pages] == [(64, 64), (64, 65), (64, 66)]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "I;16", "CMYK"])
def test_every_kind_of_pixel_is_read(engine: FakeEngine, read: Read, mode: str) -> None:
    read("a.tiff", encoded(Image.new(mode, (64, 64)), "TIFF"))
    assert engine.calls >= 1


def test_where_recognition_is_turned_off_nobody_is_told_to_install_it(read: Read) -> None:
    switch_ocr(False)
    with pytest.raises(UnreadableDocument) as caught:
        read("a.png", encoded(picture("Words"), "PNG"))
    assert caught.value.reason is UnreadableReason.NEEDS_OCR
    assert "KAYNAK_PARSING__OCR" in (caught.value.hint or "")
    assert "nstall" not in (caught.value.hint or "")


def test_without_recognition_a_picture_says_what_to_install(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "_installed", lambda: False)
    assert not ocr_available()
    with pytest.raises(UnreadableDocument) as caught:
        read("a.png", encoded(picture("Words"), "PNG"))
    assert caught.value.reason is UnreadableReason.NEEDS_OCR
    assert "kaynak[ocr]" in (caught.value.hint or "")


def test_a_damaged_picture_says_so(engine: FakeEngine, read: Read) -> None:
    whole = encoded(picture("Words"), "PNG")
    with pytest.raises(UnreadableDocument) as caught:
        read("a.png", whole[:60] + b"\0" * 200)
    assert caught.value.reason is UnreadableReason.CORRUPT


def test_an_enormous_picture_is_refused(engine: FakeEngine, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "_PIXELS_MOST", 100)
    with pytest.raises(UnreadableDocument) as caught:
        read("a.png", encoded(picture("Words"), "PNG"))
    assert caught.value.reason is UnreadableReason.TOO_COMPLEX


def test_a_large_picture_is_made_smaller(engine: FakeEngine, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "_SIDE_MOST", 32)
    parsed = read("a.png", encoded(Image.new("RGB", (64, 128), (7, 7, 7)), "PNG", dpi=(72, 72)))
    assert (parsed.pages[0].width, parsed.pages[0].height) == pytest.approx((64, 128), rel=0.02)


@pytest.mark.slow
def test_real_recognition_reads_a_picture(read: Read) -> None:
    pytest.importorskip("rapidocr")
    pytest.importorskip("onnxruntime")
    parsed = read("a.png", encoded(picture("The quick brown fox", "jumps over the lazy dog"), "PNG"))
    words = parsed.text.lower().split()
    assert "quick" in words
    assert "lazy" in words
