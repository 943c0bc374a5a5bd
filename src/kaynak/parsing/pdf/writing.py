"""Pages of lines to canonical text with blocks: the part that PDF and recognised pictures share."""

from __future__ import annotations

from collections.abc import Sequence

from kaynak.domain import BlockKind
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.pdf.blocks import Measures, Stretch, stretches
from kaynak.parsing.pdf.headings import OutlineEntry, mark_headings
from kaynak.parsing.pdf.page import PageLayout
from kaynak.parsing.pdf.words import Vocabulary
from kaynak.parsing.tables import add_table


def write(pages: Sequence[PageLayout], outline: Sequence[OutlineEntry], builder: TextBuilder) -> str | None:
    """Writes all pages; returns what looks like the title of the document: a heading of its first page."""
    measures = Measures(page.lines for page in pages)
    structure = [stretches(page.lines, measures) for page in pages]
    mark_headings(structure, measures, outline)
    vocabulary = Vocabulary(line.text for page in pages for line in page.lines)
    for page, found in zip(pages, structure, strict=True):
        builder.page(page.label, page.width or None, page.height or None)
        for stretch in found:
            if stretch.kind is BlockKind.TABLE:
                add_table(builder, page.tables[stretch.lines[0].table].rows)
            else:
                builder.add(stretch.kind, stretch.text(vocabulary), _level(stretch))
        for note in page.notes:
            builder.add(BlockKind.PARAGRAPH, note)
    return _title(structure[0], vocabulary) if structure else None


def _level(stretch: Stretch) -> int | None:
    return stretch.level if stretch.kind in (BlockKind.HEADING, BlockKind.LIST_ITEM) else None


def _title(page: Sequence[Stretch], vocabulary: Vocabulary) -> str | None:
    """Returns the heading in the largest type; the first thing on the page, if that is nearly as large."""
    headings = [stretch for stretch in page if stretch.kind is BlockKind.HEADING]
    if not headings:
        return None
    largest = max(headings, key=lambda stretch: stretch.size)
    chosen = headings[0] if headings[0] is page[0] and headings[0].size > 0.75 * largest.size else largest
    return chosen.text(vocabulary)
