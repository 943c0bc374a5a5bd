from __future__ import annotations

from importlib import import_module
from typing import Final, cast

import structlog

from kaynak.domain import ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.detect import detect
from kaynak.parsing.protocol import ParseLimits, Parser, Source

_log = structlog.get_logger(__name__)

_HERE = "kaynak.parsing"

PARSERS: Final[dict[str, str]] = {
    media.PDF: f"{_HERE}.pdf:PdfParser",
    media.PNG: f"{_HERE}.ocr:ImageParser",
    media.JPEG: f"{_HERE}.ocr:ImageParser",
    media.TIFF: f"{_HERE}.ocr:ImageParser",
    media.WEBP: f"{_HERE}.ocr:ImageParser",
    media.GIF: f"{_HERE}.ocr:ImageParser",
    media.BMP: f"{_HERE}.ocr:ImageParser",
    media.TEXT: f"{_HERE}.text:TextParser",
    media.MARKDOWN: f"{_HERE}.markdown:MarkdownParser",
    media.HTML: f"{_HERE}.html:HtmlParser",
    media.XML: f"{_HERE}.xml:XmlParser",
    media.DOCX: f"{_HERE}.docx:DocxParser",
    media.DOC: f"{_HERE}.word97:Word97Parser",
    media.PPTX: f"{_HERE}.pptx:PptxParser",
    media.XLSX: f"{_HERE}.sheets:SheetsParser",
    media.XLSB: f"{_HERE}.sheets:SheetsParser",
    media.XLS: f"{_HERE}.sheets:SheetsParser",
    media.ODS: f"{_HERE}.sheets:SheetsParser",
    media.ODT: f"{_HERE}.opendocument:OpenDocumentParser",
    media.ODP: f"{_HERE}.opendocument:OpenDocumentParser",
    media.RTF: f"{_HERE}.rtf:RtfParser",
    media.CSV: f"{_HERE}.delimited:DelimitedParser",
    media.TSV: f"{_HERE}.delimited:DelimitedParser",
    media.JSON: f"{_HERE}.json:JsonParser",
    media.JSONL: f"{_HERE}.json:JsonParser",
    media.NOTEBOOK: f"{_HERE}.notebook:NotebookParser",
    media.EML: f"{_HERE}.email:EmailParser",
    media.MSG: f"{_HERE}.outlook:OutlookParser",
    media.EPUB: f"{_HERE}.epub:EpubParser",
    media.ASCIIDOC: f"{_HERE}.markup:MarkupParser",
    media.RST: f"{_HERE}.markup:MarkupParser",
    media.ORG: f"{_HERE}.markup:MarkupParser",
    media.VTT: f"{_HERE}.subtitles:SubtitleParser",
    media.SRT: f"{_HERE}.subtitles:SubtitleParser",
    media.ENCRYPTED_OFFICE: f"{_HERE}.encrypted:EncryptedOfficeParser",
}
"""Media type to ``module:class``; a parser is imported when the first file of its type comes."""


def parse_file(source: Source, limits: ParseLimits) -> ParsedDocument:
    """Returns the text of a file of any supported format, with exact positions.

    The type is found from the content; name and claimed type only decide between formats that look alike.

    Args:
        source: The file.
        limits: What it may use.

    Raises:
        UnreadableDocument: With a reason a person understands; nothing else is ever raised but
            `MemoryError`, which the guarded process turns into ``too-complex``.
    """
    try:
        media_type = detect(source.path, source.name, source.media_type)
        parsed = parser_for(media_type).parse(source, limits)
    except (UnreadableDocument, MemoryError):
        raise
    except RecursionError as exc:
        raise UnreadableDocument(UnreadableReason.TOO_COMPLEX, "The file is nested too deeply to be read.") from exc
    except Exception as exc:
        _log.warning("parser_failed", error=type(exc).__name__, place=_place(exc))
        raise UnreadableDocument(
            UnreadableReason.CORRUPT,
            "The file is damaged, or not what it seems to be.",
            hint="Open it in the program that made it, save it again, and upload the new file.",
        ) from exc
    if not parsed.text.strip():
        raise UnreadableDocument(UnreadableReason.NO_TEXT, "The file has no text.")
    return parsed


def _place(exc: BaseException) -> str:
    """Returns where an error arose; its message and variables may hold document text, and are not logged."""
    last = exc.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return f"{last.tb_frame.f_globals.get('__name__', '?')}:{last.tb_lineno}" if last is not None else "?"


def parser_for(media_type: str) -> Parser:
    """Returns the parser of a media type.

    Raises:
        UnreadableDocument: There is none; the message says what to do instead.
    """
    target = PARSERS.get(media_type)
    if target is None:
        raise media.unsupported(media_type)
    module, _, name = target.partition(":")
    return cast("Parser", getattr(import_module(module), name)())
