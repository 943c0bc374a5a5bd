"""Where a quote is on its page: pdfium, asked what is drawn inside the boxes, must answer with the quote."""

from __future__ import annotations

import ctypes
import struct
import zlib
from pathlib import Path

import numpy as np
import pypdfium2.raw as pdfium
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kaynak.domain import UnreadableDocument, UnreadableReason
from kaynak.domain.sentences import sentence_spans
from kaynak.parsing import PageWanted, ParseLimits, Source
from kaynak.parsing.dispatch import parse_file
from kaynak.parsing.pdf.document import open_pdf
from kaynak.parsing.pdf.lines import Line
from kaynak.parsing.pictures import letters as letters_module
from kaynak.parsing.pictures.asking import look_at, picture_of, picture_reply
from kaynak.parsing.pictures.boxes import letters_at
from kaynak.parsing.pictures.letters import letters_of
from kaynak.parsing.pictures.png import png_of

WORDS = [
    "river",
    "stone",
    "market",
    "window",
    "garden",
    "letter",
    "silver",
    "morning",
    "copper",
    "bridge",
    "winter",
    "summer",
]
REACH = 0.4
"""Points by which a letter may reach over the next one in a line, as k does over e."""
pytestmark = pytest.mark.usefixtures("without_ocr")


def solid(text: str) -> str:
    return "".join(char for char in text if not char.isspace() and char not in "-\u00ad\u2010\u2011|\\•▪○●■□…\x02")


def within(path: Path, number: int, boxes) -> str:
    """What pdfium says stands inside boxes, a little smaller than they are: letters of neighbours reach in."""
    text = ""
    with open_pdf(path, None) as document:
        page = pdfium.FPDF_LoadPage(document, number - 1)
        wide, high = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
        text_page = pdfium.FPDFText_LoadPage(page)
        for box in boxes:
            inset = (box.bottom - box.top) * 0.15, (box.right - box.left) * 0.15
            upright = pdfium.FPDFPage_GetRotation(page) % 2 == 0
            across, along = (REACH, inset[0]) if upright else (inset[1], REACH)
            left, right = box.left + across, box.right - across
            top, bottom = box.top + along, box.bottom - along
            corners = []
            for x, y in ((left, top), (right, bottom)):
                px, py = ctypes.c_double(), ctypes.c_double()
                size = (round(wide * 100), round(high * 100))
                pdfium.FPDF_DeviceToPage(page, 0, 0, *size, 0, round(x * 100), round(y * 100), px, py)
                corners.append((px.value, py.value))
            (x0, y0), (x1, y1) = corners
            frame = (min(x0, x1), max(y0, y1), max(x0, x1), min(y0, y1))
            count = pdfium.FPDFText_GetBoundedText(text_page, *frame, None, 0)
            buffer = (ctypes.c_ushort * (count + 1))()
            pdfium.FPDFText_GetBoundedText(text_page, *frame, buffer, count)
            text += bytes(buffer)[: 2 * count].decode("utf-16-le").rstrip("\0")
        pdfium.FPDFText_ClosePage(text_page)
        pdfium.FPDF_ClosePage(page)
    return text


def read(path: Path):
    return parse_file(Source(path, path.name), ParseLimits())


def found(path: Path, parsed, start: int, end: int, pixels: int = 0):
    page = next(page for page in parsed.pages if page.start <= start < page.end)
    text = parsed.text[page.start : page.end]
    wanted = PageWanted(page.number, text, start - page.start, min(end, page.end) - page.start, pixels)
    return page, look_at(Source(path, path.name), wanted)


def columns(pdf, words: list[str], count: int, rotate: int) -> None:
    """Sets words in columns of lines with one long word cut by a hyphen now and then."""
    page = pdf.page(rotate=rotate)
    page.text(60, 810, "A heading over the columns", 16, "bold")
    rows = [words[at : at + 4] for at in range(0, len(words), 4)]
    height = -(-len(rows) // count)
    for column in range(count):
        y = 760.0
        for number, row in enumerate(rows[column * height : (column + 1) * height]):
            page.text(60 + 260 * column, y, " ".join(row) + (" exam-" if number % 3 == 0 else ""))
            y -= 13


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(words=["river", "river", "market", *["river"] * 5], count=2, rotate=0, ends=(1.0, 0.5))
@given(
    words=st.lists(st.sampled_from(WORDS), min_size=8, max_size=120),
    count=st.sampled_from([1, 2]),
    rotate=st.sampled_from([0, 90, 180, 270]),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_the_text_in_the_boxes_is_the_quote(pdf, tmp_path, words, count, rotate, ends):
    writer = type(pdf)()
    columns(writer, words, count, rotate)
    path = tmp_path / "columns.pdf"
    path.write_bytes(writer.write())
    parsed = read(path)
    start, end = sorted(round(part * (len(parsed.text) - 1)) for part in ends)
    quote = parsed.text[start : end + 1]
    page, picture = found(path, parsed, start, end + 1)
    assert solid(within(path, page.number, picture.boxes)) == solid(quote)
    assert all(0 <= box.left < box.right <= picture.width for box in picture.boxes)
    assert all(0 <= box.top < box.bottom <= picture.height for box in picture.boxes)


def test_a_sentence_over_two_lines_has_a_box_for_each_and_its_neighbours_none(pdf, tmp_path):
    page = pdf.page()
    page.lines(72, 700, ["Leave is asked for in the portal. Every-", "one has 26 days of it. Nobody has more."])
    path = tmp_path / "leave.pdf"
    path.write_bytes(pdf.write())
    parsed = read(path)
    start = parsed.text.index("Everyone")
    _, picture = found(path, parsed, start, parsed.text.index(" Nobody"))
    upper, lower = picture.boxes
    assert upper.left > 200
    assert upper.bottom <= lower.top + 3
    assert lower.left == pytest.approx(72, abs=1)
    assert solid(within(path, 1, picture.boxes)) == "Everyonehas26daysofit."


def test_the_same_words_on_a_page_twice_are_told_apart_by_what_is_around(pdf, tmp_path):
    page = pdf.page()
    page.lines(
        72, 700, ["Office staff: the notice period is six weeks.", "Production: the notice period is six weeks."]
    )
    path = tmp_path / "twice.pdf"
    path.write_bytes(pdf.write())
    parsed = read(path)
    start = parsed.text.rindex("the notice")
    _, picture = found(path, parsed, start, start + len("the notice period is six weeks."))
    (box,) = picture.boxes
    assert 842 - 700 + 2 < (box.top + box.bottom) / 2 < 842 - 700 + 16


def test_cells_of_a_ruled_table_are_found_in_their_cells(pdf, tmp_path):
    page = pdf.page()
    for x in (72, 200, 330):
        page.rule(x, 700, x, 610)
    for y in (700, 670, 640, 610):
        page.rule(72, y, 330, y)
    for row, (name, days) in enumerate([("Country", "Days"), ("Austria", "13"), ("Bavaria", "12")]):
        page.text(80, 680 - 30 * row, name).text(210, 680 - 30 * row, days)
    path = tmp_path / "table.pdf"
    path.write_bytes(pdf.write())
    parsed = read(path)
    start = parsed.text.index("Bavaria")
    _, picture = found(path, parsed, start, start + len("Bavaria | 12"))
    assert len(picture.boxes) == 2
    assert within(path, 1, picture.boxes[:1]).strip() == "Bavaria"
    assert within(path, 1, picture.boxes[1:]).strip() == "12"


def test_the_picture_is_marked_where_the_boxes_are_and_nowhere_else(pdf, tmp_path):
    pdf.page().text(72, 700, "One sentence is here.").text(72, 600, "Another one is there.")
    path = tmp_path / "marked.pdf"
    path.write_bytes(pdf.write())
    parsed = read(path)
    _, picture = found(path, parsed, 0, len("One sentence is here."), pixels=595)
    pixels = decoded(picture.png)
    (box,) = picture.boxes
    coloured = (pixels.max(axis=2).astype(int) - pixels.min(axis=2)) > 60
    rows, cols = np.nonzero(coloured)
    assert (rows.min(), rows.max()) == pytest.approx((box.top, box.bottom), abs=2)
    assert (cols.min(), cols.max()) == pytest.approx((box.left, box.right), abs=3)
    assert (pixels[rows.max() + 5 :] < 100).any(), "the other sentence is drawn"


def decoded(png: bytes) -> np.ndarray:
    """Reads what `png_of` writes: one IDAT, rows as they are or as differences to the row above."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data, head = 8, b"", b""
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        head, data = (body, data) if kind == b"IHDR" else (head, data + body)
        at += 12 + size
    width, height, depth, colour = struct.unpack(">IIBB", head[:10])
    assert depth == 8
    samples = 3 if colour == 2 else 1
    rows = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + width * samples)
    assert (rows[:, 0] == 2).all()
    pixels = np.cumsum(rows[:, 1:].astype(np.uint64), axis=0).astype(np.uint8).reshape(height, width, samples)
    return np.repeat(pixels, 3, axis=2) if samples == 1 else pixels


@given(st.integers(1, 9), st.integers(1, 9), st.booleans(), st.integers(0, 2**32 - 1))
def test_a_png_has_the_pixels_it_was_made_from(width, height, grey, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if grey:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    assert (decoded(png_of(pixels)) == pixels).all()


@pytest.mark.parametrize("number", [0, -1, 2, 2**31, 2**40])
def test_a_page_that_is_not_there_is_refused(pdf, tmp_path, number):
    pdf.page().text(72, 700, "Here.")
    path = tmp_path / "one.pdf"
    path.write_bytes(pdf.write())
    with pytest.raises(UnreadableDocument, match="no page"):
        look_at(Source(path, path.name), PageWanted(number, "Here.", 0, 4, 100))


def test_an_encrypted_file_says_that_it_is(pdf, tmp_path):
    pdf.page().text(72, 700, "Here.")
    pdf.password = ("secret", "")
    path = tmp_path / "locked.pdf"
    path.write_bytes(pdf.write())
    with pytest.raises(UnreadableDocument) as caught:
        look_at(Source(path, path.name), PageWanted(1, "Here.", 0, 4, 100))
    assert caught.value.reason is UnreadableReason.ENCRYPTED


def test_a_page_of_monstrous_size_is_drawn_small(pdf, tmp_path):
    pdf.page(width=14_000, height=100).text(10, 50, "Wide.")
    path = tmp_path / "wide.pdf"
    path.write_bytes(pdf.write())
    picture = look_at(Source(path, path.name), PageWanted(1, "Wide.", 0, 5, 100_000))
    assert decoded(picture.png).shape[1] == 4000


def test_text_that_the_page_does_not_draw_has_no_boxes(pdf, tmp_path):
    pdf.page().text(72, 700, "Here.")
    path = tmp_path / "note.pdf"
    path.write_bytes(pdf.write())
    assert look_at(Source(path, path.name), PageWanted(1, "Zz qq ww", 0, 8)).boxes == ()


def test_a_scanned_page_is_marked_where_recognition_sees_the_words(pdf, tmp_path, monkeypatch):
    pdf.page().scan()
    path = tmp_path / "scan.pdf"
    path.write_bytes(pdf.write())

    def recognise_page(document, layout):
        style = {"base": 0.0, "size": 10.0, "bold": False, "mono": False, "rtl": False}
        layout.lines = [
            Line("Leave is 26 days.", 100, 200, 270, 212, **style),
            Line("Lunch is at noon.", 100, 220, 270, 232, **style),
        ]

    monkeypatch.setattr(letters_module, "ocr_available", lambda: True)
    monkeypatch.setattr(letters_module, "recognise_page", recognise_page)
    wanted = PageWanted(1, "Leave is 26 days. Lunch is at noon.", 18, 35)
    (box,) = look_at(Source(path, path.name), wanted).boxes
    assert (box.left, box.top, box.right, box.bottom) == (100, 220, 270, 232)
    (box,) = look_at(Source(path, path.name), PageWanted(1, wanted.text, 9, 11)).boxes
    assert (box.left, box.top, box.right) == (190, 200, 210)


def test_a_reply_that_is_no_picture_is_not_believed(pdf, tmp_path):
    pdf.page().text(72, 700, "Here.")
    path = tmp_path / "one.pdf"
    path.write_bytes(pdf.write())
    good = picture_reply(look_at(Source(path, path.name), PageWanted(1, "Here.", 0, 5, 50)))
    assert picture_of(good).png.startswith(b"\x89PNG")
    for lie in ({"png": "bm90IGEgcG5n"}, {"boxes": [[0, 0, 1]]}, {"width": float("nan")}, {"boxes": [["x"] * 4]}):
        with pytest.raises((ValueError, TypeError)):
            picture_of({**good, **lie})


@pytest.mark.untraced
@pytest.mark.data
@pytest.mark.slow
def test_sentences_of_real_files_are_found_to_the_letter(shared_data):
    """At least nineteen in twenty; the rest are formulas, comments and letters that fonts misname."""
    exact = total = 0
    for path in sorted((shared_data / "documents" / "files").glob("*.pdf")):
        try:
            parsed = read(path)
        except UnreadableDocument:
            continue
        with open_pdf(path, None) as document:
            for page in parsed.pages[:5]:
                handle = pdfium.FPDF_LoadPage(document, page.number - 1)
                letters = letters_of(document, handle, page.number - 1)
                pdfium.FPDF_ClosePage(handle)
                text = parsed.text[page.start : page.end]
                for span in sentence_spans(text):
                    chosen = letters_at(letters, text, span.start, span.end).tolist()
                    total += 1
                    exact += solid("".join(letters.texts[at] for at in chosen)) == solid(span.of(text))
    assert total > 500
    assert exact >= 0.95 * total
