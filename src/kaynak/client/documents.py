from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from kaynak.client.both import Both, Listed
from kaynak.client.calls import Call, Page, as_, collection_path, given, nothing, pages
from kaynak.client.results import DocumentText, Submission, TextInput
from kaynak.domain import Chunk, Document, DocumentNotFound, Json


def add_files(collection: str) -> Call[Submission]:
    """Adds files; the form travels beside the call, see `form_of`."""
    return Call("POST", f"{collection_path(collection)}/documents", as_(Submission), safe=False)


def form_of(
    opened: ExitStack,
    files: Sequence[Path | str | tuple[str, bytes]],
    external_ids: Sequence[str] | None,
    metadata: Mapping[str, Json] | None,
    readers: Sequence[str] | None,
    **fields: str | None,
) -> dict[str, Any]:
    """Returns the form of an upload, as httpx takes it; its files are open until ``opened`` is closed."""
    named = _named(files, external_ids)
    data: dict[str, str | list[str]] = {"external_id": [name for name, _ in named], **given(**fields)}
    if metadata is not None:
        data["metadata"] = json.dumps(metadata)
    if readers is not None:
        data["readers"] = list(readers) or [""]  # a form cannot say that a list is empty
    parts = [
        (
            "file",
            (
                name,
                opened.enter_context(content.open("rb")) if isinstance(content, Path) else content,
                "application/octet-stream",
            ),
        )
        for name, content in named
    ]
    return {"data": data, "files": parts}


def _named(
    files: Sequence[Path | str | tuple[str, bytes]], external_ids: Sequence[str] | None
) -> list[tuple[str, Path | bytes]]:
    """Returns each file under its external id: the one given, or its file name."""
    found: list[tuple[str, Path | bytes]] = [
        file if isinstance(file, tuple) else (Path(file).name, Path(file)) for file in files
    ]
    if external_ids is None:
        return found
    return [(name, content) for name, (_, content) in zip(external_ids, found, strict=True)]


def _add_text(
    collection: str,
    external_id: str,
    text: str,
    *,
    title: str | None = None,
    metadata: Mapping[str, Json] | None = None,
    media_type: str | None = None,
) -> Call[Submission]:
    """Adds one text."""
    return _add_texts(collection, [TextInput(external_id, text, title, metadata, media_type)])


def _add_texts(collection: str, texts: Sequence[TextInput]) -> Call[Submission]:
    """Adds many texts as one job."""
    # The same texts again change nothing, so it may be repeated.
    documents = [given(**asdict(text)) for text in texts]
    path = f"{collection_path(collection)}/documents/batch"
    return Call("POST", path, as_(Submission), body={"documents": documents})


def _documents(
    after: str | None,
    collection: str,
    *,
    filter: Mapping[str, Json] | None = None,  # noqa: A002 - the name callers see
) -> Call[Page[Document]]:
    """Yields the documents of a collection, page after page."""
    params = given(filter=None if filter is None else json.dumps(filter))
    return pages(f"{collection_path(collection)}/documents", Document, after, params)


def _document(document: UUID) -> Call[Document]:
    """Returns the document.

    Raises:
        DocumentNotFound: There is none of that id.
    """
    return Call("GET", f"/v1/documents/{document}", as_(Document))


def _find_document(collection: str, external_id: str) -> Call[Document]:
    """Returns the document of that external id.

    Raises:
        DocumentNotFound: There is none.
    """
    page = pages(f"{collection_path(collection)}/documents", Document, None, {"external_id": external_id})

    def read(value: Any) -> Document:
        found = page.result(value).items
        if not found:
            raise DocumentNotFound("The collection has no document of that id.")
        return found[0]

    return Call("GET", page.path, read, params=page.params)


def _update_document(
    document: UUID, *, metadata: Mapping[str, Json] | None = None, title: str | None = None
) -> Call[Document]:
    """Replaces the metadata, the title, or both."""
    body = given(metadata=metadata, title=title)
    return Call("PATCH", f"/v1/documents/{document}", as_(Document), body=body)


def _delete_document(document: UUID) -> Call[None]:
    """Deletes the document and everything derived from it."""
    return Call("DELETE", f"/v1/documents/{document}", nothing, safe=False)


def _text(document: UUID, *, version: int | None = None) -> Call[DocumentText]:
    """Returns the canonical text of a version; default: the readable one."""
    return Call("GET", f"/v1/documents/{document}/text", as_(DocumentText), params=given(version=version))


def _chunks(after: str | None, document: UUID) -> Call[Page[Chunk]]:
    """Yields the passages in order."""
    return pages(f"/v1/documents/{document}/chunks", Chunk, after, {})


def _content(document: UUID, *, version: int | None = None) -> Call[bytes]:
    """Returns the original bytes."""
    return Call("GET", f"/v1/documents/{document}/content", bytes, params=given(version=version), binary=True)


class DocumentCalls:
    """What both clients can do with documents, beside uploading files."""

    add_text = Both(_add_text)
    add_texts = Both(_add_texts)
    documents = Listed(_documents)
    document = Both(_document)
    find_document = Both(_find_document)
    update_document = Both(_update_document)
    delete_document = Both(_delete_document)
    text = Both(_text)
    chunks = Listed(_chunks)
    content = Both(_content)
