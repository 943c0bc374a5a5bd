"""The media types we tell apart, and what to say of those that have no parser."""

from __future__ import annotations

from typing import Final

from kaynak.domain import UnreadableDocument, UnreadableReason

_OOXML = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."

PDF: Final = "application/pdf"
PNG: Final = "image/png"
JPEG: Final = "image/jpeg"
TIFF: Final = "image/tiff"
WEBP: Final = "image/webp"
GIF: Final = "image/gif"
BMP: Final = "image/bmp"
HEIC: Final = "image/heic"
TEXT: Final = "text/plain"
MARKDOWN: Final = "text/markdown"
HTML: Final = "text/html"
XML: Final = "application/xml"
DOCX: Final = _OOXML + "wordprocessingml.document"
PPTX: Final = _OOXML + "presentationml.presentation"
XLSX: Final = _OOXML + "spreadsheetml.sheet"
XLSB: Final = "application/vnd.ms-excel.sheet.binary.macroenabled.12"
XLS: Final = "application/vnd.ms-excel"
DOC: Final = "application/msword"
PPT: Final = "application/vnd.ms-powerpoint"
MSG: Final = "application/vnd.ms-outlook"
OLE: Final = "application/x-ole-storage"
ENCRYPTED_OFFICE: Final = "application/x-encrypted-office"
ODT: Final = _ODF + "text"
ODP: Final = _ODF + "presentation"
ODS: Final = _ODF + "spreadsheet"
ODG: Final = _ODF + "graphics"
RTF: Final = "application/rtf"
CSV: Final = "text/csv"
TSV: Final = "text/tab-separated-values"
JSON: Final = "application/json"
JSONL: Final = "application/x-ndjson"
NOTEBOOK: Final = "application/x-ipynb+json"
EML: Final = "message/rfc822"
EPUB: Final = "application/epub+zip"
ASCIIDOC: Final = "text/asciidoc"
RST: Final = "text/x-rst"
ORG: Final = "text/x-org"
VTT: Final = "text/vtt"
SRT: Final = "application/x-subrip"
ZIP: Final = "application/zip"
TAR: Final = "application/x-tar"
GZIP: Final = "application/gzip"
BZIP2: Final = "application/x-bzip2"
XZ: Final = "application/x-xz"
SEVEN_ZIP: Final = "application/x-7z-compressed"
RAR: Final = "application/vnd.rar"
AUDIO: Final = "audio/*"
VIDEO: Final = "video/*"
EXECUTABLE: Final = "application/x-executable"
SQLITE: Final = "application/vnd.sqlite3"
PARQUET: Final = "application/vnd.apache.parquet"
PAGES: Final = "application/vnd.apple.iwork"
POSTSCRIPT: Final = "application/postscript"
DJVU: Final = "image/vnd.djvu"
BINARY: Final = "application/octet-stream"

ARCHIVES: Final = frozenset({ZIP, TAR, GZIP, BZIP2, XZ})
"""Types that `kaynak.parsing.archives.expand` takes apart."""

_NOT_SUPPORTED: Final[dict[str, tuple[str, str]]] = {
    PPT: (
        "a PowerPoint presentation of the old .ppt format",
        "Open it in PowerPoint or LibreOffice and save it as PPTX.",
    ),
    OLE: ("a file of an old Office program", "Save it in a current format such as DOCX, XLSX or PDF."),
    ODG: ("an OpenDocument drawing", "Export it as PDF."),
    HEIC: ("a HEIC or AVIF picture", "Convert it to JPEG or PNG."),
    DJVU: ("a DjVu document", "Convert it to PDF."),
    POSTSCRIPT: ("a PostScript file", "Convert it to PDF."),
    PAGES: ("an Apple iWork document", "Export it as PDF, DOCX, PPTX or XLSX."),
    SEVEN_ZIP: ("a 7z archive", "Unpack it, or pack its files as ZIP."),
    RAR: ("a RAR archive", "Unpack it, or pack its files as ZIP."),
    AUDIO: ("a sound recording", "Upload its transcript."),
    VIDEO: ("a video", "Upload its subtitles (VTT, SRT) or transcript."),
    EXECUTABLE: ("a program", "Upload documents only."),
    SQLITE: ("a database file", "Export its tables as CSV or JSON."),
    PARQUET: ("a Parquet file", "Export it as CSV or JSONL."),
    BINARY: ("not a document in any format we know", "Convert it to PDF, DOCX, HTML or plain text."),
    **dict.fromkeys(ARCHIVES, ("an archive", "Upload it as an archive, or upload the files in it one by one.")),
}


def unsupported(media_type: str) -> UnreadableDocument:
    """Returns the error to raise for a type that has no parser."""
    what, hint = _NOT_SUPPORTED.get(media_type, (f"of type {media_type}", "Convert it to PDF or plain text."))
    return UnreadableDocument(
        UnreadableReason.UNSUPPORTED_FORMAT, f"The file is {what}, which is not supported.", hint=hint
    )
