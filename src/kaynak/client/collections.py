from __future__ import annotations

from typing import Unpack

from kaynak.client.both import Both, Listed
from kaynak.client.calls import Call, Page, Parts, answering_of, as_, collection_path, given, nothing, pages, parts_of
from kaynak.domain import Answering, Collection


def _collections(after: str | None) -> Call[Page[Collection]]:
    """Yields all collections by name, page after page."""
    return pages("/v1/collections", Collection, after, {})


def _create_collection(
    name: str, *, description: str = "", language: str | None = None, **parts: Unpack[Parts]
) -> Call[Collection]:
    """Creates an empty collection.

    Args:
        name: What people type.
        description: What is in it.
        language: ISO 639-1 code; None: detected per document.
        parts: ``chunker``, ``embedder``, ``dense``, ``lexical``; those left out are the server's defaults.

    Raises:
        CollectionExists: There is one of that name.
    """
    body = {**given(name=name, description=description, language=language), **parts_of(**parts)}
    return Call("POST", "/v1/collections", as_(Collection), body=body, safe=False)


def _collection(name: str) -> Call[Collection]:
    """Returns the collection of that name.

    Raises:
        CollectionNotFound: There is none.
    """
    return Call("GET", collection_path(name), as_(Collection))


def _update_collection(
    collection: str, *, name: str | None = None, description: str | None = None, answering: Answering | None = None
) -> Call[Collection]:
    """Renames the collection, or changes its description or, as a whole, how answers are written from it."""
    body = given(name=name, description=description, answering=answering_of(answering))
    return Call("PATCH", collection_path(collection), as_(Collection), body=body, safe=name is None)


def _delete_collection(name: str) -> Call[None]:
    """Deletes the collection with everything in it."""
    return Call("DELETE", collection_path(name), nothing, safe=False)


class CollectionCalls:
    """What both clients can do with collections."""

    collections = Listed(_collections)
    create_collection = Both(_create_collection)
    collection = Both(_collection)
    update_collection = Both(_update_collection)
    delete_collection = Both(_delete_collection)
