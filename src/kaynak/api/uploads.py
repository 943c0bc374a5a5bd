"""From request bodies to what the intake takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from shutil import rmtree
from typing import TYPE_CHECKING

from kaynak.api.multipart import Form, make_folder
from kaynak.api.reading import parse_json
from kaynak.api.schemas.documents import TextDocument, UrlDocument
from kaynak.domain import InvalidRequest, Json, validate_external_id

if TYPE_CHECKING:
    from kaynak.fetching import Fetcher
    from kaynak.ingestion import Upload

_FIELDS = frozenset({"external_id", "title", "metadata", "password", "readers"})


def from_texts(documents: Sequence[TextDocument]) -> list[Upload]:
    """Returns the uploads of JSON documents."""
    from kaynak.ingestion import Upload

    return [
        Upload(
            external_id=validate_external_id(document.external_id),
            filename=_basename(document.external_id),
            content=document.text.encode(),
            media_type=document.media_type,
            metadata=None if document.metadata is None else checked_metadata(document.metadata),
            title=document.title,
            readers=None if document.readers is None else tuple(document.readers),
        )
        for document in documents
    ]


def from_form(form: Form) -> list[Upload]:
    """Returns the uploads of a multipart form.

    Raises:
        InvalidRequest: A field is unknown, malformed, or does not fit the number of files.
    """
    from kaynak.ingestion import Upload

    unknown = sorted(set(form.fields) - _FIELDS)
    if unknown or any(part.field != "file" for part in form.files):
        strange = ", ".join(unknown) or "a file"
        raise InvalidRequest(
            f"The form has a field that is not known here: {strange[:200]}.",
            hint="Send files as “file”, with external_id, title, metadata, readers and password beside them.",
        )
    if not form.files:
        raise InvalidRequest("The form has no file.", hint="Send at least one part named “file”.")
    ids = form.fields.get("external_id", [])
    if ids and len(ids) != len(form.files):
        raise InvalidRequest(f"There are {len(form.files)} files but {len(ids)} external ids.")
    title = _single(form, "title")
    if title is not None and len(form.files) > 1:
        raise InvalidRequest("A title can be given for a single file only.")
    metadata = _metadata(_single(form, "metadata"))
    password = _single(form, "password")
    readers = tuple(name for name in form.fields["readers"] if name) if "readers" in form.fields else None
    names = ids or [part.filename for part in form.files]
    return [
        Upload(
            external_id=validate_external_id(name),
            filename=_basename(part.filename or name),
            content=part.path,
            media_type=part.media_type,
            metadata=metadata,
            title=title,
            password=password,
            readers=readers,
        )
        for name, part in zip(names, form.files, strict=True)
    ]


@asynccontextmanager
async def received_url(fetcher: Fetcher, document: UrlDocument, *, root: Path) -> AsyncIterator[Upload]:
    """Fetches a document; its file lives until the block ends.

    Args:
        fetcher: Fetches it.
        document: Where it is, and what it is to be called.
        root: Where its temporary directory is made.
    """
    from kaynak.ingestion import Upload

    metadata = None if document.metadata is None else checked_metadata(document.metadata)
    external_id = validate_external_id(document.external_id or document.url.partition("#")[0].strip()[:1024])
    folder = await asyncio.to_thread(make_folder, root)
    try:
        fetched = await fetcher.fetch(document.url, folder / "fetched")
        yield Upload(
            external_id=external_id,
            filename=fetched.name,
            content=folder / "fetched",
            media_type=fetched.media_type,
            metadata=metadata,
            title=document.title,
        )
    finally:
        await asyncio.to_thread(rmtree, folder, ignore_errors=True)


def checked_metadata(metadata: Mapping[str, Json]) -> Mapping[str, Json]:
    """Returns ``metadata`` if its keys are the caller's to use.

    Raises:
        InvalidRequest: A key begins with ``_``.
    """
    ours = sorted(key for key in metadata if key.startswith("_"))
    if ours:
        raise InvalidRequest(
            f"The metadata key “{ours[0][:80]}” begins with “_”.", hint="Such names are ours; choose another."
        )
    return metadata


def _metadata(value: str | None) -> Mapping[str, Json] | None:
    if value is None:
        return None
    try:
        found = parse_json(value.encode())
    except ValueError as exc:
        raise InvalidRequest("The metadata field is not JSON.", hint='Send an object: {"team": "hr"}.') from exc
    if not isinstance(found, dict):
        raise InvalidRequest("The metadata field is not a JSON object.", hint='For example {"team": "hr"}.')
    return checked_metadata(found)


def _single(form: Form, name: str) -> str | None:
    values = form.fields.get(name, [])
    if len(values) > 1:
        raise InvalidRequest(f"The form has the field {name} more than once.")
    return values[0] if values else None


def _basename(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name or "document"
