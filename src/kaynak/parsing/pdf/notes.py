"""Text that a page carries beside its content: values of form fields, notes and comments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pypdfium2.raw as pdfium

from kaynak.parsing.pdf.strings import utf16

_NOTES_MOST = 500
_CHARS_MOST = 20_000
_COMMENTS = frozenset(
    {
        pdfium.FPDF_ANNOT_TEXT,
        pdfium.FPDF_ANNOT_FREETEXT,
        pdfium.FPDF_ANNOT_HIGHLIGHT,
        pdfium.FPDF_ANNOT_UNDERLINE,
        pdfium.FPDF_ANNOT_STRIKEOUT,
        pdfium.FPDF_ANNOT_SQUIGGLY,
        pdfium.FPDF_ANNOT_STAMP,
        pdfium.FPDF_ANNOT_CARET,
    }
)
_OFF = frozenset({"", "off", "no"})


@contextmanager
def form_of(document: Any) -> Iterator[Any]:
    """Opens the form of a document, through which values of fields can be asked for; None if it has none."""
    if pdfium.FPDF_GetFormType(document) == pdfium.FORMTYPE_NONE:
        yield None
        return
    settings = pdfium.FPDF_FORMFILLINFO(version=2)
    form = pdfium.FPDFDOC_InitFormFillEnvironment(document, settings)
    try:
        yield form or None
    finally:
        if form:
            pdfium.FPDFDOC_ExitFormFillEnvironment(form)


def notes_of(page: Any, form: Any) -> list[str]:
    """Returns the comments of an open page, and its filled form fields as ``name: value``."""
    notes: list[str] = []
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), _NOTES_MOST)):
        note = pdfium.FPDFPage_GetAnnot(page, index)
        if not note:
            continue
        try:
            kind = pdfium.FPDFAnnot_GetSubtype(note)
            text = ""
            if kind == pdfium.FPDF_ANNOT_WIDGET and form is not None:
                text = _field(form, note)
            elif kind in _COMMENTS:
                text = _value(note, b"Contents")
            if text.strip():
                notes.append(text[:_CHARS_MOST])
        finally:
            pdfium.FPDFPage_CloseAnnot(note)
    return notes


def _field(form: Any, note: Any) -> str:
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, note)
    if kind == pdfium.FPDF_FORMFIELD_PUSHBUTTON:
        return ""
    name = utf16(lambda buffer, size: pdfium.FPDFAnnot_GetFormFieldAlternateName(form, note, buffer, size))
    name = name or utf16(lambda buffer, size: pdfium.FPDFAnnot_GetFormFieldName(form, note, buffer, size))
    value = utf16(lambda buffer, size: pdfium.FPDFAnnot_GetFormFieldValue(form, note, buffer, size)).strip()
    if kind in (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON):
        if not pdfium.FPDFAnnot_IsChecked(form, note):
            return ""
    elif value.lower() in _OFF - {"no"}:
        return ""
    return f"{name.strip()}: {value}" if name.strip() else value


def _value(note: Any, key: bytes) -> str:
    return utf16(lambda buffer, size: pdfium.FPDFAnnot_GetStringValue(note, key, buffer, size))
