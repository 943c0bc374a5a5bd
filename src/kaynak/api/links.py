"""Addresses of places in documents: what a citation links to."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request

from kaynak.domain import Span


def citation_path(version_id: UUID, span: Span) -> str:
    """Returns the address under which a citation resolves; a browser is led on to the text."""
    return f"/v1/citations/{version_id}?{_query(span)}"


def view_path(document_id: UUID, version: int, span: Span | None = None) -> str:
    """Returns the address of a version's text for people, with the place marked and scrolled to."""
    marked = "" if span is None else f"&{_query(span)}#cited"
    return f"/v1/documents/{document_id}/view?version={version}{marked}"


def picture_path(document_id: UUID, version: int, page: int, span: Span) -> str:
    """Returns the address of the picture of a page with the place marked."""
    return f"/v1/documents/{document_id}/pages/{page}.png?version={version}&{_query(span)}"


def absolute(request: Request, path: str) -> str:
    """Returns a path as an address on this server, under the name the caller knows it by."""
    return str(request.base_url).rstrip("/") + path


def _query(span: Span) -> str:
    return urlencode({"start": span.start, "end": span.end})
