"""One page: its characters, ruled lines and pictures, put into lines in reading order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pypdfium2.raw as pdfium

from kaynak.parsing.pdf.columns import regions
from kaynak.parsing.pdf.glyphs import Glyphs, read_glyphs
from kaynak.parsing.pdf.lines import Line, lines_of
from kaynak.parsing.pdf.notes import notes_of
from kaynak.parsing.pdf.rules import Drawing, read_drawing
from kaynak.parsing.pdf.segments import Segment, segments_of
from kaynak.parsing.pdf.tables import Table, cells_of, find_tables, in_tables

_FEW = 24
"""Characters up to which a page under a picture counts as a scan without text."""
_SCAN_COVER = 0.4
_TEXTLESS_COVER = 0.05
"""A page without any text needs a smaller picture to be worth a look."""
_GARBLED = 0.4
"""Share of meaningless characters from which the text of a page is worth nothing."""


@dataclass(slots=True)
class PageLayout:
    """What a page says, line by line.

    Attributes:
        number: From 1.
        width: As displayed, in points.
        height: As displayed, in points.
        lines: In reading order.
        tables: What the lines with a ``table`` stand for.
        scanned: Whether a picture covers it and there is (almost) no text.
        garbled: Whether its text cannot be made out, for want of a mapping to Unicode.
        top: The upper edge of the page in the coordinates of the lines.
        label: What the document calls it.
        notes: Comments and filled form fields.
    """

    number: int
    width: float
    height: float
    lines: list[Line] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    scanned: bool = False
    garbled: bool = False
    top: float = 0.0
    label: str | None = None
    notes: list[str] = field(default_factory=list)


def read_page(document: Any, index: int, form: Any = None) -> PageLayout | None:
    """Returns the layout of a page; None if pdfium cannot load it.

    Args:
        document: An open document.
        index: From 0.
        form: The open form of the document, if it has one.
    """
    page = pdfium.FPDF_LoadPage(document, index)
    if not page:
        return None
    try:
        layout = PageLayout(index + 1, pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page))
        text_page = pdfium.FPDFText_LoadPage(page)
        try:
            glyphs = read_glyphs(text_page) if text_page else None
            lay_out(page, glyphs, layout)
            layout.notes = notes_of(page, form)
        finally:
            if text_page:
                pdfium.FPDFText_ClosePage(text_page)
    finally:
        pdfium.FPDF_ClosePage(page)
    return layout


def lay_out(page: Any, glyphs: Glyphs | None, layout: PageLayout) -> None:
    """Fills in the lines of an open page. Letters that are drawn twice, unseen the second time, leave ``glyphs``."""
    drawing = read_drawing(page, glyphs.quarter if glyphs else 0)
    if glyphs is None:
        layout.scanned = drawing.cover >= _TEXTLESS_COVER * layout.width * layout.height or drawing.busy
        return
    layout.garbled = glyphs.garbage > _GARBLED * (len(glyphs) + glyphs.garbage)
    layout.scanned = len(glyphs) <= _FEW and drawing.cover >= _SCAN_COVER * layout.width * layout.height
    layout.top = drawing.top
    _drop_hidden_twins(glyphs)
    segments = _segments(glyphs, drawing, layout)
    turned = [one for one in segments if one.turned]
    upright = [one for one in segments if not one.turned]
    for number, group in enumerate(regions(upright)):
        layout.lines.extend(lines_of(group, number))
    for number, one in enumerate(turned, len(layout.lines) + 1):
        layout.lines.extend(lines_of([one], number))


def _segments(glyphs: Glyphs, drawing: Drawing, layout: PageLayout) -> list[Segment]:
    tables = find_tables(drawing.rules)
    if not tables:
        return segments_of(glyphs)
    cells = cells_of(tables, glyphs)
    segments, layout.tables = in_tables(segments_of(glyphs, cells), tables)
    return segments


def _drop_hidden_twins(glyphs: Glyphs) -> None:
    """Drops invisible text where the page has visible text enough: it repeats it, or was hidden on purpose."""
    visible = ~glyphs.hidden
    shown = int(visible.sum())
    if shown > 200 and shown > len(glyphs) - shown:
        glyphs.keep(visible)
