from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from kaynak.domain import Conflict, Json
from kaynak.engines.analysis import entry_terms
from kaynak.engines.file_lock import file_lock
from kaynak.engines.payload_terms import payload_terms
from kaynak.engines.protocol import Entry, LexicalSpec
from kaynak.engines.tantivy.schema import (
    BODY,
    DOCUMENT,
    ENTRY,
    FILTER,
    HEADER,
    HIGH,
    ID,
    LANGUAGE,
    LOW,
    REVISION,
    SPEC_FILE,
    build_schema,
    spec_text,
)

if TYPE_CHECKING:
    from tantivy import Document

_HEAP = 40_000_000
"""Bytes a writer fills before it writes a segment; freed when the write is done."""

_LOCK_WAIT = 60.0
_MASK = (1 << 64) - 1


@contextmanager
def write_lock(root: Path, name: str) -> Iterator[None]:
    """Lets one writer of an index in, among all threads and processes of this host.

    The lock lies beside the directory, so that it also covers making and removing it.

    Raises:
        EngineUnavailable: Another writer kept it for a minute.
    """
    root.mkdir(parents=True, exist_ok=True)
    with file_lock(root / f"{name}.lock", name, _LOCK_WAIT):
        yield


def make(root: Path, spec: LexicalSpec) -> None:
    """Makes an empty index, complete or not at all; an equal one is left alone.

    Raises:
        Conflict: One with other parameters exists.
    """
    import tantivy

    target = root / spec.name
    if target.exists():
        if (target / SPEC_FILE).read_text("utf-8") != spec_text(spec):
            raise Conflict(f"Index “{spec.name}” exists and is built differently.")
        return
    fresh = root / f".new-{uuid4().hex}"
    fresh.mkdir(parents=True)
    try:
        (fresh / SPEC_FILE).write_text(spec_text(spec), "utf-8")
        writer = tantivy.Index(build_schema(), str(fresh)).writer(_HEAP, 1)
        writer.add_document(_header(0))
        writer.commit()
        writer.wait_merging_threads()
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def remove(root: Path, name: str) -> None:
    """Removes an index at once for every process; those that have it open keep reading until they look."""
    gone = root / f".gone-{uuid4().hex}"
    try:
        (root / name).rename(gone)
    except FileNotFoundError:
        return
    shutil.rmtree(gone, ignore_errors=True)


def write(directory: Path, upserts: Sequence[Entry], deletes: Sequence[UUID], revision: int) -> None:
    """Writes one commit: deletes, entries and revision together, or nothing of it."""
    import tantivy

    writer = tantivy.Index.open(str(directory)).writer(_HEAP, 1)
    try:
        for gone in deletes:
            writer.delete_documents_by_term(DOCUMENT, gone.hex)
        for entry in upserts:
            writer.delete_documents_by_term(ID, entry.id)
        writer.delete_documents_by_term(FILTER, HEADER)
        for document in _documents(upserts):
            writer.add_document(document)
        writer.add_document(_header(revision))
        writer.commit()
    finally:
        # Waits for merges, which bound the number of segments, and frees the heap and tantivy's own lock.
        writer.wait_merging_threads()


def _header(revision: int) -> Document:
    import tantivy

    header = tantivy.Document()
    header.add_text(FILTER, HEADER)
    header.add_integer(REVISION, revision)
    return header


def _documents(entries: Sequence[Entry]) -> Iterator[Document]:
    import tantivy

    # Chunks of a document come together and share a payload.
    payload: Mapping[str, Json] | None = None
    terms: list[str] = []
    # An id that stands twice would be in the index twice: the last one counts.
    for entry in {one.id: one for one in entries}.values():
        if entry.payload is not payload:
            payload, terms = entry.payload, payload_terms(entry.payload)
        document = tantivy.Document()
        document.add_integer(ID, entry.id)
        document.add_text(DOCUMENT, entry.document_id.hex)
        document.add_unsigned(HIGH, entry.document_id.int >> 64)
        document.add_unsigned(LOW, entry.document_id.int & _MASK)
        document.add_text(BODY, " ".join(entry_terms(entry.text, entry.context, entry.language)))
        document.add_text(FILTER, ENTRY)
        document.add_text(FILTER, LANGUAGE + (entry.language or ""))
        for term in terms:
            document.add_text(FILTER, term)
        yield document
