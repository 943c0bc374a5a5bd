"""Every call of the API as data, so that the two clients differ in nothing but ``await``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import UUID

from kaynak.client.decoding import decode
from kaynak.client.results import DocumentText, Submission, TextInput
from kaynak.domain import Answer, Answering, Chunk, Collection, Document, Job, JobItem, Json, PartSpec, SearchResult

ResultT = TypeVar("ResultT")

LONG_SECONDS = 3600.0
"""For answers that take as long as there is much to look at."""


@dataclass(frozen=True, slots=True)
class Call(Generic[ResultT]):
    """One request and how to read its answer.

    Attributes:
        method: HTTP method.
        path: From the root of the server.
        result: From the decoded JSON (None for 204), or from the bytes, to the result.
        params: Query parameters.
        body: JSON body.
        safe: Whether asking twice does no harm, so that it may be repeated after a fault.
        seconds: For the answer, where it takes longer than others; None: as the client was told.
        binary: Whether the answer is read as bytes, not as JSON.
    """

    method: str
    path: str
    result: Callable[[Any], ResultT]
    params: Mapping[str, str | int] | None = None
    body: object = None
    safe: bool = True
    seconds: float | None = None
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[ResultT]):
    """One page of a list."""

    items: tuple[ResultT, ...]
    next: str | None


def _as(kind: type[ResultT]) -> Callable[[Any], ResultT]:
    return lambda value: decode(kind, value)


def _nothing(_: Any) -> None:
    return None


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def pages(path: str, kind: type[ResultT], after: str | None, params: Mapping[str, str | int]) -> Call[Page[ResultT]]:
    """The page of a list that begins after ``after``."""

    def read(value: Any) -> Page[ResultT]:
        return Page(tuple(decode(kind, item) for item in value["items"]), value["next"])

    return Call("GET", path, read, params={**params, **_given(after=after)})


def sign_in(email: str, password: str) -> Call[dict[str, object]]:
    """Signs in."""

    def read(value: Any) -> dict[str, object]:
        return {name: value[name] for name in ("access_token", "refresh_token")}

    return Call("POST", "/v1/auth/sign-in", read, body={"email": email, "password": password}, safe=False)


def sign_out(refresh_token: str | None) -> Call[None]:
    """Ends the session of a refresh token, or else of the access token."""
    return Call("POST", "/v1/auth/sign-out", _nothing, body=_given(refresh_token=refresh_token))


def _collection(name: str) -> str:
    return f"/v1/collections/{quote(name, safe='')}"


def collection_list(after: str | None) -> Call[Page[Collection]]:
    """Lists collections."""
    return pages("/v1/collections", Collection, after, {})


def create_collection(
    name: str,
    *,
    description: str,
    language: str | None,
    chunker: PartSpec | None,
    embedder: PartSpec | None,
    dense: PartSpec | None,
    lexical: PartSpec | None,
) -> Call[Collection]:
    """Creates a collection."""
    parts = _given(chunker=chunker, embedder=embedder, dense=dense, lexical=lexical)
    body = {
        **_given(name=name, description=description, language=language),
        **{role: {"name": part.name, "params": dict(part.params)} for role, part in parts.items()},
    }
    return Call("POST", "/v1/collections", _as(Collection), body=body, safe=False)


def get_collection(name: str) -> Call[Collection]:
    """Shows a collection."""
    return Call("GET", _collection(name), _as(Collection))


def update_collection(
    collection: str, name: str | None, description: str | None, answering: Answering | None
) -> Call[Collection]:
    """Changes a collection."""
    body = _given(name=name, description=description)
    if answering is not None:
        chosen = asdict(answering)
        body["answering"] = _given(**chosen.pop("settings"), **chosen)
    return Call("PATCH", _collection(collection), _as(Collection), body=body, safe=name is None)


def delete_collection(name: str) -> Call[None]:
    """Deletes a collection."""
    return Call("DELETE", _collection(name), _nothing, safe=False)


def add_texts(collection: str, texts: Sequence[TextInput]) -> Call[Submission]:
    """Adds texts; the same texts again change nothing, so it may be repeated."""
    documents = [_given(**asdict(text)) for text in texts]
    path = f"{_collection(collection)}/documents/batch"
    return Call("POST", path, _as(Submission), body={"documents": documents})


def add_files(
    collection: str,
) -> Call[Submission]:
    """Adds files; the form travels beside the call."""
    return Call("POST", f"{_collection(collection)}/documents", _as(Submission), safe=False)


def form_fields(
    names: Sequence[str],
    title: str | None,
    metadata: Mapping[str, Json] | None,
    password: str | None,
    readers: Sequence[str] | None,
) -> dict[str, str | list[str]]:
    """Returns the fields that travel beside files."""
    fields: dict[str, str | list[str]] = {"external_id": list(names)}
    fields.update(_given(title=title, password=password))
    if metadata is not None:
        fields["metadata"] = json.dumps(metadata)
    if readers is not None:
        fields["readers"] = list(readers) or [""]  # a form cannot say that a list is empty
    return fields


def named(
    files: Sequence[Path | str | tuple[str, bytes]], external_ids: Sequence[str] | None
) -> list[tuple[str, Path | bytes]]:
    """Returns each file under its external id: the one given, or its file name."""
    found: list[tuple[str, Path | bytes]] = []
    for file in files:
        if isinstance(file, tuple):
            found.append(file)
        else:
            found.append((Path(file).name, Path(file)))
    if external_ids is None:
        return found
    return [(name, content) for name, (_, content) in zip(external_ids, found, strict=True)]


def document_list(
    collection: str, after: str | None, condition: Mapping[str, Json] | None, external_id: str | None = None
) -> Call[Page[Document]]:
    """Lists documents."""
    params = _given(filter=None if condition is None else json.dumps(condition), external_id=external_id)
    return pages(f"{_collection(collection)}/documents", Document, after, params)


def get_document(document: UUID) -> Call[Document]:
    """Shows a document."""
    return Call("GET", f"/v1/documents/{document}", _as(Document))


def update_document(document: UUID, metadata: Mapping[str, Json] | None, title: str | None) -> Call[Document]:
    """Changes a document."""
    body = _given(metadata=metadata, title=title)
    return Call("PATCH", f"/v1/documents/{document}", _as(Document), body=body)


def delete_document(document: UUID) -> Call[None]:
    """Deletes a document."""
    return Call("DELETE", f"/v1/documents/{document}", _nothing, safe=False)


def document_text(document: UUID, version: int | None) -> Call[DocumentText]:
    """Reads the text."""
    params = _given(version=version)
    return Call("GET", f"/v1/documents/{document}/text", _as(DocumentText), params=params)


def document_content(document: UUID, version: int | None) -> Call[bytes]:
    """Downloads the original."""
    params = _given(version=version)
    return Call("GET", f"/v1/documents/{document}/content", bytes, params=params, binary=True)


def chunk_list(document: UUID, after: str | None) -> Call[Page[Chunk]]:
    """Lists passages."""
    return pages(f"/v1/documents/{document}/chunks", Chunk, after, {})


def search(body: Mapping[str, Any]) -> Call[SearchResult]:
    """Searches."""
    return Call("POST", "/v1/search", _as(SearchResult), body=body)


def ask(body: Mapping[str, Any]) -> Call[Answer]:
    """Asks."""
    return Call("POST", "/v1/ask", _as(Answer), body=body)


def resumed(event: str) -> Call[None]:
    """Takes up the stream of which ``event`` was the last one that was read."""
    return Call("GET", f"/v1/streams/{quote(event.partition(':')[0], safe='')}", _nothing)


def question(first: str, value: str, collections: str | Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the body of a search or question; options that are None are left to the server."""
    names = [collections] if isinstance(collections, str) else list(collections)
    return {first: value, "collections": names, **_given(**options)}


def job_list(after: str | None, collection: str | None, state: str | None) -> Call[Page[Job]]:
    """Lists jobs."""
    return pages("/v1/jobs", Job, after, _given(collection=collection, state=state))


def get_job(job: UUID) -> Call[Job]:
    """Shows a job."""
    return Call("GET", f"/v1/jobs/{job}", _as(Job))


def job_items(job: UUID, after: str | None) -> Call[Page[JobItem]]:
    """Lists what became of each document."""
    return pages(f"/v1/jobs/{job}/items", JobItem, after, {})


def job_action(job: UUID, action: str) -> Call[Job]:
    """Cancels or requeues a job."""
    return Call("POST", f"/v1/jobs/{job}/{action}", _as(Job), safe=action == "cancel")
