from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from typing import Any

from kaynak.domain import BlockKind, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.detect import detect
from kaynak.parsing.office_chart import add_chart
from kaynak.parsing.office_properties import Properties, odf_properties, ooxml_properties
from kaynak.parsing.opendocument import refuse_encrypted
from kaynak.parsing.package import Package
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.sheet_extent import cells_spanned
from kaynak.parsing.sheet_extras import SheetExtras, extras_of
from kaynak.parsing.tables import add_table

_MAX_CELLS = 20_000_000


class SheetsParser:
    """Workbooks (XLSX, XLSM, XLSB, XLS, ODS): a page for each sheet, a table for each island of cells."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        import python_calamine

        media_type = detect(source.path, source.name)
        package = Package(source.path) if media_type != media.XLS else None
        if package is not None and media_type == media.ODS:
            refuse_encrypted(package)
        if package is not None and cells_spanned(package) > _MAX_CELLS:
            raise UnreadableDocument(
                UnreadableReason.TOO_COMPLEX,
                "A sheet of the workbook spans more cells than can be read.",
                hint="Delete stray cells far from the data, or save the sheet as CSV.",
            )
        try:
            workbook = python_calamine.CalamineWorkbook.from_path(str(source.path))
        except python_calamine.PasswordError as exc:
            raise UnreadableDocument(
                UnreadableReason.ENCRYPTED,
                "The workbook is encrypted.",
                hint="Save it without a password, or as XLSX with one.",
            ) from exc
        except BaseException as exc:
            if not isinstance(exc, python_calamine.CalamineError | OSError) and not _is_panic(exc):
                raise
            raise UnreadableDocument(UnreadableReason.CORRUPT, "The workbook is damaged.") from exc
        builder = TextBuilder(limits.text_chars, limits.pages)
        warnings = self._sheets(workbook, builder, extras_of(package))
        properties = _properties(package, media_type)
        return builder.build(
            media_type,
            title=properties.title,
            language=properties.language,
            metadata=properties.metadata,
            warnings=warnings,
        )

    def _sheets(self, workbook: Any, builder: TextBuilder, extras: dict[str, SheetExtras]) -> list[str]:
        warnings: list[str] = []
        for meta in workbook.sheets_metadata:
            grid: list[list[str]] = []
            try:
                sheet = workbook.get_sheet_by_name(meta.name)
                grid = [[cell_text(cell) for cell in row] for row in sheet.to_python(skip_empty_area=True)]
            except BaseException as exc:  # chart sheets, dialog sheets, one damaged sheet among others
                if not isinstance(exc, Exception) and not _is_panic(exc):
                    raise
                if "WorkSheet" in str(meta.typ):
                    warnings.append(f"The sheet “{meta.name}” could not be read.")
            extra = extras.get(meta.name, SheetExtras())
            islands = list(_islands(grid))
            if not islands and not extra.comments and not extra.charts:
                continue
            builder.page(label=meta.name)
            builder.add(BlockKind.HEADING, meta.name, 1)
            for rows in islands:
                add_table(builder, rows)
            for chart in extra.charts:
                add_chart(builder, chart)
            for comment in extra.comments:
                builder.add(BlockKind.QUOTE, comment)
        return warnings


def cell_text(value: object) -> str:
    """Returns a cell as it reads: dates in ISO form, whole numbers without a fraction."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "seconds")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return "" if value is None else str(value)


def _islands(grid: list[list[str]]) -> Iterable[list[list[str]]]:
    """Yields the parts of a sheet that empty rows or columns set apart."""
    for rows in _bands(grid):
        parts = _side_by_side(rows)
        if len(parts) == 1:
            yield rows
        else:
            for part in parts:
                yield from _islands(part)


def _is_panic(exc: BaseException) -> bool:
    """Returns whether the reader, which is written in Rust, gave up; such an error is no `Exception`."""
    return type(exc).__name__ == "PanicException"


def _bands(grid: list[list[str]]) -> Iterable[list[list[str]]]:
    band: list[list[str]] = []
    for row in grid:
        if any(cell.strip() for cell in row):
            band.append(row)
        elif band:
            yield band
            band = []
    if band:
        yield band


def _side_by_side(rows: list[list[str]]) -> list[list[list[str]]]:
    """Splits at the first empty column that has tables of at least two columns on both sides."""
    width = max(map(len, rows))
    used = [any(column < len(row) and row[column].strip() for row in rows) for column in range(width)]
    for gap in range(width):
        if not used[gap] and sum(used[:gap]) >= 2 and sum(used[gap:]) >= 2 and len(rows) >= 2:
            return [[row[:gap] for row in rows], [row[gap:] for row in rows]]
    return [rows]


def _properties(package: Package | None, media_type: str) -> Properties:
    if package is None:
        return Properties()
    return odf_properties(package) if media_type == media.ODS else ooxml_properties(package)
