"""Opening a PDF, and what the file says of itself: title, author, dates, outline, page labels, attachments."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import pypdfium2.raw as pdfium

from kaynak.domain import Json, UnreadableDocument, UnreadableReason
from kaynak.parsing.pdf.headings import OutlineEntry
from kaynak.parsing.pdf.strings import utf16

_OUTLINE_MOST = 5_000
_OUTLINE_DEPTH = 6
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?\s*(Z|[+-]\d\d'?(?:\d\d)?'?)?")
_INFO: Final = {
    "author": "Author",
    "subject": "Subject",
    "keywords": "Keywords",
    "creator": "Creator",
    "producer": "Producer",
}
_DATES: Final = {"created": "CreationDate", "modified": "ModDate"}
_PLACEHOLDERS = frozenset({"", "anonymous", "unspecified", "unknown"})
_NO_TITLE = re.compile(
    r"(?:untitled.*|microsoft\s(?:word|powerpoint|excel)\s-.*|.*\.(?:docx?|pdf|tex|dvi|indd|odt|rtf|pptx?|xlsx?|qxd|qxp"
    r"|pages|html?|txt|png|jpe?g|tiff?|gif|bmp)|document\d*|\d+|slide\s*\d+|title|powerpoint presentation|\(?anonymous\)?|\(?unspecified\)?|.*\\.*|.*://.*)",
    re.IGNORECASE,
)


@contextmanager
def open_pdf(path: Path, password: str | None) -> Iterator[Any]:
    """Opens a PDF for reading.

    Raises:
        UnreadableDocument: It is damaged, not a PDF, or wants a (different) password.
    """
    pdfium.FPDF_InitLibrary()
    document = pdfium.FPDF_LoadDocument(str(path).encode(), password.encode() if password else None)
    if not document:
        raise _cannot_open(int(pdfium.FPDF_GetLastError()), password)
    try:
        yield document
    finally:
        pdfium.FPDF_CloseDocument(document)


def _cannot_open(code: int, password: str | None) -> UnreadableDocument:
    if code == pdfium.FPDF_ERR_PASSWORD:
        if password:
            return UnreadableDocument(
                UnreadableReason.WRONG_PASSWORD,
                "The password does not open this PDF.",
                hint="Check the password and upload the file again.",
            )
        return UnreadableDocument(
            UnreadableReason.ENCRYPTED,
            "The PDF is protected by a password.",
            hint="Give its password with the upload.",
        )
    if code == pdfium.FPDF_ERR_SECURITY:
        return UnreadableDocument(
            UnreadableReason.ENCRYPTED,
            "The PDF is protected in a way that we cannot open, such as with a certificate.",
            hint="Save it without protection and upload the new file.",
        )
    return UnreadableDocument(
        UnreadableReason.CORRUPT,
        "The PDF is damaged beyond repair.",
        hint="Open it in a PDF viewer, print it to a new PDF, and upload that.",
    )


def properties(document: Any) -> dict[str, Json]:
    """Returns what the file declares of itself; dates in ISO 8601."""
    found: dict[str, Json] = {name: _info(document, key) for name, key in _INFO.items()}
    found = {name: value for name, value in found.items() if str(value).strip("()").lower() not in _PLACEHOLDERS}
    for name, key in _DATES.items():
        found[name] = iso_date(_info(document, key))
    return {name: value for name, value in found.items() if value}


def declared_title(document: Any) -> str | None:
    """Returns the declared title, unless it is what programs put there by themselves."""
    title = " ".join(_info(document, "Title").split())
    return None if len(title) < 3 or _NO_TITLE.fullmatch(title) else title


def declared_language(document: Any) -> str | None:
    """Returns the declared language, as it stands there."""
    return utf16(lambda buffer, length: pdfium.FPDFCatalog_GetLanguage(document, buffer, length)) or None


def page_label(document: Any, index: int) -> str | None:
    """Returns what the document calls a page, if it is not simply its number."""
    label = utf16(lambda buffer, length: pdfium.FPDF_GetPageLabel(document, index, buffer, length))
    return label if label and label != str(index + 1) else None


def attachments(document: Any) -> int:
    """Returns how many files are embedded."""
    return max(0, int(pdfium.FPDFDoc_GetAttachmentCount(document)))


def outline(document: Any) -> list[OutlineEntry]:
    """Returns the outline, in order; loops and absurd lengths are cut."""
    entries: list[OutlineEntry] = []
    seen: set[int] = set()
    stack = [(pdfium.FPDFBookmark_GetFirstChild(document, None), 1)]
    while stack and len(entries) < _OUTLINE_MOST:
        mark, level = stack.pop()
        address = ctypes.cast(mark, ctypes.c_void_p).value if mark else None
        if address is None or address in seen:
            continue
        seen.add(address)
        title = utf16(lambda buffer, length, mark=mark: pdfium.FPDFBookmark_GetTitle(mark, buffer, length))  # type: ignore[misc]
        page = _destination(document, mark)
        if title.strip() and page is not None:
            entries.append(OutlineEntry(title, page, level))
        stack.append((pdfium.FPDFBookmark_GetNextSibling(document, mark), level))
        if level < _OUTLINE_DEPTH:
            stack.append((pdfium.FPDFBookmark_GetFirstChild(document, mark), level + 1))
    return entries


def _destination(document: Any, mark: Any) -> int | None:
    target = pdfium.FPDFBookmark_GetDest(document, mark)
    if not target:
        action = pdfium.FPDFBookmark_GetAction(mark)
        target = pdfium.FPDFAction_GetDest(document, action) if action else None
    if not target:
        return None
    index = int(pdfium.FPDFDest_GetDestPageIndex(document, target))
    return index + 1 if index >= 0 else None


def iso_date(declared: str) -> str | None:
    """Returns a PDF date (``D:20240131120000+01'00'``) in ISO 8601; None if it is none."""
    match = _DATE.match(declared.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, zone = match.groups()
    try:
        moment = datetime(
            *(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), min(59, int(second or 0))),
            tzinfo=_zone(zone),
        )
    except ValueError:
        return None
    return moment.isoformat() if hour else moment.date().isoformat()


def _zone(declared: str | None) -> timezone | None:
    if declared is None:
        return None
    if declared == "Z":
        return UTC
    digits = declared[1:].replace("'", "")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4] or 0))
    return timezone(-ahead if declared[0] == "-" else ahead)


def _info(document: Any, key: str) -> str:
    return utf16(lambda buffer, length: pdfium.FPDF_GetMetaText(document, key.encode(), buffer, length)).strip()
