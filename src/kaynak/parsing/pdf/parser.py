from __future__ import annotations

from typing import Any

import pypdfium2.raw as pdfium

from kaynak.domain import ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.pdf import document as files
from kaynak.parsing.pdf.furniture import without_furniture
from kaynak.parsing.pdf.notes import form_of
from kaynak.parsing.pdf.page import PageLayout, read_page
from kaynak.parsing.pdf.scans import page_list, read_scans
from kaynak.parsing.pdf.writing import write
from kaynak.parsing.protocol import ParseLimits, Source


class PdfParser:
    """PDF to text, page by page in reading order.

    Reading is deterministic: `kaynak.parsing.pdf.page.read_page` gives the same lines for the same bytes, and the
    same steps below give the same text from them. So the boxes of a span of the canonical text can be found again
    at any time without storing a box per character: parse the file, remember for each block the lines it was made
    of and where `Stretch.text` put each of them, and walk `glyphs` of the page, whose characters are the lines'
    characters in order but for the spaces and hyphens that joining adds or takes away.
    """

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """Returns the text of a PDF.

        Raises:
            UnreadableDocument: It is damaged, encrypted, has no pages, too many, or no text.
        """
        with files.open_pdf(source.path, source.password) as document:
            count = int(pdfium.FPDF_GetPageCount(document))
            _check_pages(count, limits)
            warnings: list[str] = []
            pages = _read_pages(document, count, warnings)
            read_scans(document, pages, warnings)
            without_furniture(pages)
            builder = TextBuilder(limits.text_chars, limits.pages)
            title = write(pages, files.outline(document), builder)
            if embedded := files.attachments(document):
                warnings.append(f"{embedded} embedded {'file was' if embedded == 1 else 'files were'} not read.")
            return builder.build(
                media.PDF,
                title=files.declared_title(document) or title,
                language=files.declared_language(document),
                metadata=files.properties(document),
                warnings=warnings,
            )


def _check_pages(count: int, limits: ParseLimits) -> None:
    if count <= 0:
        raise UnreadableDocument(UnreadableReason.CORRUPT, "The PDF has no pages that can be read.")
    if count > limits.pages:
        raise UnreadableDocument(
            UnreadableReason.TOO_COMPLEX,
            f"The document has {count:,} pages; at most {limits.pages:,} are read.",
            hint="Split it into smaller files.",
        )


def _read_pages(document: Any, count: int, warnings: list[str]) -> list[PageLayout]:
    pages: list[PageLayout] = []
    broken: list[int] = []
    with form_of(document) as form:
        for index in range(count):
            page = read_page(document, index, form)
            if page is None:
                broken.append(index + 1)
                page = PageLayout(index + 1, 0.0, 0.0)
            page.label = files.page_label(document, index)
            pages.append(page)
    if len(broken) == count:
        raise UnreadableDocument(
            UnreadableReason.CORRUPT,
            "None of the PDF's pages can be read; the file is damaged.",
            hint="Open it in a PDF viewer, print it to a new PDF, and upload that.",
        )
    if broken:
        warnings.append(f"Damaged and left out: {page_list(broken)}.")
    return pages
