from __future__ import annotations

import pypdfium2.raw as pdfium

from kaynak.domain import Box, PagePicture, UnreadableDocument, UnreadableReason
from kaynak.parsing.pdf.document import open_pdf
from kaynak.parsing.pdf.notes import form_of
from kaynak.parsing.pictures.asking import PageWanted
from kaynak.parsing.pictures.boxes import boxes_of, letters_at
from kaynak.parsing.pictures.drawing import draw, mark, size_of
from kaynak.parsing.pictures.letters import letters_of
from kaynak.parsing.pictures.png import png_of
from kaynak.parsing.protocol import Source


def picture(source: Source, wanted: PageWanted) -> PagePicture:
    """Returns where a span is on a page of a PDF, and the page as a picture if one is wanted.

    Raises:
        UnreadableDocument: It is damaged or encrypted, or has no such page.
    """
    with open_pdf(source.path, source.password) as document, form_of(document) as form:
        if not 1 <= wanted.number <= pdfium.FPDF_GetPageCount(document):
            raise UnreadableDocument(UnreadableReason.CORRUPT, f"The file has no page {wanted.number}.")
        page = pdfium.FPDF_LoadPage(document, wanted.number - 1)
        if not page:
            raise UnreadableDocument(UnreadableReason.CORRUPT, f"Page {wanted.number} is damaged.")
        try:
            width, height = float(pdfium.FPDF_GetPageWidthF(page)), float(pdfium.FPDF_GetPageHeightF(page))
            boxes: tuple[Box, ...] = ()
            if wanted.start < wanted.end:
                letters = letters_of(document, page, wanted.number - 1)
                boxes = boxes_of(letters, letters_at(letters, wanted.text, wanted.start, wanted.end))
            if not wanted.pixels:
                return PagePicture(width, height, boxes)
            across, down = size_of(width, height, wanted.pixels)
            pixels = draw(page, form, across, down)
            mark(pixels, boxes, across / max(width, 1.0))
            return PagePicture(width, height, boxes, png_of(pixels))
        finally:
            pdfium.FPDF_ClosePage(page)
