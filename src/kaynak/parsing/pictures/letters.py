"""The letters of a page in reading order, each with its place: what a quote is found again in.

The canonical text of a page was made from the same letters in the same order; only white space, hyphens and marks of
form were added or taken away, and headers and footers left out.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from kaynak.parsing.ocr import ocr_available
from kaynak.parsing.pdf.glyphs import Glyphs, read_glyphs
from kaynak.parsing.pdf.lines import Line
from kaynak.parsing.pdf.page import PageLayout, lay_out
from kaynak.parsing.pdf.scans import recognise_page
from kaynak.parsing.pdf.segments import readable
from kaynak.parsing.pdf.tables import cells_of

Floats = NDArray[np.float64]

_AROUND: Final = 0.5
"""Points by which a letter may stand out of the box of its line."""
_MAC_LIGATURE: Final = {ord("↵"): "ff"}
"""As `kaynak.parsing.pdf.segments` reads it within words; an arrow that is one has nothing to be mistaken for."""
_LEVEL: Final = 0.35
"""Distance of base lines, in ems, beyond which two letters of a table cell are on different lines."""


@dataclass(slots=True)
class Letters:
    """What a page draws, letter by letter, in reading order.

    Attributes:
        texts: What each letter reads as; a ligature is several characters.
        boxes: Left, top, right and bottom of each, in points from the upper left corner of the page as displayed;
            shape ``(n, 4)``.
        rows: Number of the line each is on.
    """

    texts: list[str]
    boxes: Floats
    rows: NDArray[np.int64]


def letters_of(document: Any, page: Any, index: int) -> Letters:
    """Returns the letters of an open page; those of a scanned page are recognised anew, where that is installed."""
    layout = PageLayout(index + 1, pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page))
    text_page = pdfium.FPDFText_LoadPage(page)
    try:
        glyphs = read_glyphs(text_page) if text_page else None
        lay_out(page, glyphs, layout)
    finally:
        if text_page:
            pdfium.FPDFText_ClosePage(text_page)
    if (layout.scanned or layout.garbled) and ocr_available():
        recognise_page(document, layout)
        return _interpolated(layout.lines)
    if glyphs is None:
        return _interpolated([])
    order, rows = _in_order(glyphs, layout)
    boxes = _displayed(page, layout, _unturned(glyphs)[order])
    return Letters(
        [_MAC_LIGATURE.get(code) or readable(chr(code)) for code in glyphs.codes[order].tolist()], boxes, rows
    )


def _in_order(glyphs: Glyphs, layout: PageLayout) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the letters that lie in lines, in the order of these, and the number of the line of each."""
    line_of = _lines_of(glyphs, layout)
    cells = cells_of(layout.tables, glyphs) if layout.tables else None
    found: list[NDArray[np.int64]] = []
    rows: list[NDArray[np.int64]] = []
    count = 0
    for number, line in enumerate(layout.lines):
        members = np.flatnonzero(line_of == number)
        if not len(members):
            continue
        if line.table >= 0 and cells is not None:
            members, row = _in_table(glyphs, cells, members)
        else:
            if not line.rtl and not line.turned:
                members = members[np.argsort(glyphs.left[members], kind="stable")]
            row = np.zeros(len(members), np.int64)
        found.append(members)
        rows.append(row + count)
        count = int(rows[-1].max()) + 1
    nothing = np.zeros(0, np.int64)
    return np.concatenate([nothing, *found]), np.concatenate([nothing, *rows])


def _lines_of(glyphs: Glyphs, layout: PageLayout) -> NDArray[np.int64]:
    """Returns the line of each letter: of those whose box it lies in, the one whose base line is nearest."""
    x, y = (glyphs.left + glyphs.right) / 2, (glyphs.top + glyphs.bottom) / 2
    best = np.full(len(glyphs), -1, np.int64)
    nearest = np.full(len(glyphs), np.inf, np.float64)
    for number, line in enumerate(layout.lines):
        inside = (x >= line.left - _AROUND) & (x <= line.right + _AROUND)
        inside &= (y >= line.top - _AROUND) & (y <= line.bottom + _AROUND)
        inside &= (glyphs.turned == line.turned) | (line.table >= 0)
        distance = np.zeros(len(glyphs)) if line.table >= 0 else np.abs(glyphs.base - line.base).astype(np.float64)
        closer = inside & (distance < nearest)
        best[closer], nearest[closer] = number, distance[closer]
    return best


def _in_table(
    glyphs: Glyphs, cells: NDArray[np.int64], members: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the letters of a table cell by cell, and the number of the line each is on within the table."""
    order = np.lexsort((glyphs.left[members], np.round(glyphs.base[members]), cells[members]))
    members = members[order]
    base, cell = glyphs.base[members], cells[members]
    fresh = (cell[1:] != cell[:-1]) | (np.abs(base[1:] - base[:-1]) > _LEVEL * glyphs.size[members][1:])
    return members, np.r_[0, np.cumsum(fresh)].astype(np.int64)


def _unturned(glyphs: Glyphs) -> Floats:
    """Returns the boxes in the coordinates of the file, as left, bottom, right and top."""
    left, top, right, bottom = (
        column.astype(np.float64) for column in (glyphs.left, glyphs.top, glyphs.right, glyphs.bottom)
    )
    turned = {
        0: (left, -bottom, right, -top),
        1: (top, left, bottom, right),
        2: (-right, top, -left, bottom),
        3: (-bottom, -right, -top, -left),
    }
    return np.stack(turned[glyphs.quarter], axis=1)


def _displayed(page: Any, layout: PageLayout, boxes: Floats) -> Floats:
    """Returns boxes in points from the upper left corner of the page as displayed."""
    wide, high = max(1, round(layout.width * 100)), max(1, round(layout.height * 100))
    across, down = ctypes.c_int(), ctypes.c_int()

    def place(x: float, y: float) -> Floats:
        pdfium.FPDF_PageToDevice(page, 0, 0, wide, high, 0, x, y, across, down)
        return np.array([across.value, down.value], np.float64) / 100

    origin = place(0, 0)
    along_x, along_y = (place(1000, 0) - origin) / 1000, (place(0, 1000) - origin) / 1000
    one = origin + boxes[:, :1] * along_x + boxes[:, 1:2] * along_y
    other = origin + boxes[:, 2:3] * along_x + boxes[:, 3:4] * along_y
    return np.hstack([np.minimum(one, other), np.maximum(one, other)])


def _interpolated(lines: list[Line]) -> Letters:
    """Returns the letters of recognised lines, whose places within the line are guessed from their number."""
    texts: list[str] = []
    boxes: list[tuple[float, float, float, float]] = []
    rows: list[int] = []
    for number, line in enumerate(lines):
        step = (line.right - line.left) / max(1, len(line.text))
        for at, char in enumerate(line.text):
            texts.append(char)
            boxes.append((line.left + at * step, line.top, line.left + (at + 1) * step, line.bottom))
            rows.append(number)
    return Letters(texts, np.array(boxes, np.float64).reshape(-1, 4), np.array(rows, np.int64))
