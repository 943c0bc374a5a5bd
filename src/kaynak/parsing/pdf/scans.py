"""Pages without text: pictures of paper, read by optical character recognition where it is installed."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from kaynak.domain import UnreadableDocument, UnreadableReason
from kaynak.parsing.ocr import ocr_available, ocr_hint, recognise, segments_from
from kaynak.parsing.pdf.columns import regions
from kaynak.parsing.pdf.lines import lines_of
from kaynak.parsing.pdf.page import PageLayout

_DPI = 200
_SIDE_MOST = 4_000
"""Pixels of the longer side of a rendered page; more gives recognition nothing and costs memory."""


def read_scans(document: Any, pages: Sequence[PageLayout], warnings: list[str]) -> None:
    """Fills in the pages that are pictures, or whose text cannot be made out.

    Raises:
        UnreadableDocument: No page has text, and recognition is not installed or turned off.
    """
    unread = [page for page in pages if page.scanned or page.garbled]
    if not unread:
        return
    if ocr_available():
        for page in unread:
            recognise_page(document, page)
        warnings.append(f"Read by text recognition: {page_list([page.number for page in unread])}.")
        return
    garbled = sum(page.garbled for page in unread) * 2 > len(unread)
    why = "have text in fonts that do not say what it means" if garbled else "are pictures of text"
    if not any(page.lines for page in pages if not page.scanned and not page.garbled):
        raise UnreadableDocument(UnreadableReason.NEEDS_OCR, f"The pages of this PDF {why}.", hint=ocr_hint())
    for page in unread:
        if page.garbled:
            page.lines, page.tables = [], []
    warnings.append(f"Not read, because they {why}: {page_list([page.number for page in unread])}. {ocr_hint()}")


def page_list(numbers: Sequence[int]) -> str:
    """Returns page numbers for people: ``pages 1, 3–5``."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    shown = [str(first) if first == last else f"{first}–{last}" for first, last in ranges[:20]]
    more = " and more" if len(ranges) > len(shown) else ""
    return f"{'page' if len(numbers) == 1 else 'pages'} {', '.join(shown)}{more}"


def recognise_page(document: Any, page: PageLayout) -> None:
    """Replaces the lines of a page by those that recognition sees on it, in points from its upper left corner."""
    picture, scale = _render(document, page)
    found = recognise(picture)
    segments = segments_from(found, scale)
    page.lines, page.tables, page.top = [], [], 0.0
    for number, group in enumerate(regions(segments)):
        page.lines.extend(lines_of(group, number))


def _render(document: Any, page: PageLayout) -> tuple[NDArray[np.uint8], float]:
    """Returns the page as blue-green-red pixels, and the points per pixel."""
    zoom = min(_DPI / 72, _SIDE_MOST / max(page.width, page.height, 1.0))
    width, height = max(1, round(page.width * zoom)), max(1, round(page.height * zoom))
    pixels = np.full((height, width, 3), 255, np.uint8)
    handle = pdfium.FPDF_LoadPage(document, page.number - 1)
    bitmap = pdfium.FPDFBitmap_CreateEx(
        width, height, pdfium.FPDFBitmap_BGR, pixels.ctypes.data_as(ctypes.c_void_p), 3 * width
    )
    try:
        pdfium.FPDF_RenderPageBitmap(bitmap, handle, 0, 0, width, height, 0, pdfium.FPDF_ANNOT)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
        pdfium.FPDF_ClosePage(handle)
    return pixels, 1 / zoom
