from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from uuid import UUID

from kaynak.client.both import Both
from kaynak.client.calls import Call, as_, collection_path, nothing
from kaynak.client.decoding import decode
from kaynak.domain import CollectionRole, Document, Grant, Principal


def _share(collection: str, who: str, role: CollectionRole | str = CollectionRole.VIEWER) -> Call[Grant]:
    """Gives a person or a group a role in a collection, in place of the one they had.

    Args:
        collection: Name.
        who: E-mail address or id of a person, name or id of a group.
        role: ``viewer``, ``editor`` or ``owner``.

    Raises:
        CollectionNotFound: There is none of that name.
        InvalidRequest: There is nobody of that name.
        Conflict: They are its last owner.
        Forbidden: You do not own the collection.
    """
    body = {"role": CollectionRole(role).value}
    return Call("PUT", _grant(collection, who), as_(Grant), body=body)


def _unshare(collection: str, who: str) -> Call[None]:
    """Takes the role of a person or a group away; answers that are being written for them end within seconds.

    Raises:
        CollectionNotFound: There is none of that name.
        NotFound: They have no role in it.
        Conflict: It is the last owner's.
    """
    return Call("DELETE", _grant(collection, who), nothing, safe=False)


def _grants(collection: str) -> Call[tuple[Grant, ...]]:
    """Returns with whom a collection is shared.

    Raises:
        CollectionNotFound: There is none of that name.
        Forbidden: You do not own the collection.
    """

    def read(value: Any) -> tuple[Grant, ...]:
        return tuple(decode(Grant, one) for one in value["items"])

    return Call("GET", _grant(collection), read)


def _readers(document: UUID) -> Call[tuple[Principal, ...] | None]:
    """Returns who may read a document beside the owners of its collection; None: all who read the collection.

    Raises:
        DocumentNotFound: There is none of that id.
        Forbidden: You may not change it.
    """

    def read(value: Any) -> tuple[Principal, ...] | None:
        listed = value["readers"]
        return None if listed is None else tuple(decode(Principal, one) for one in listed)

    return Call("GET", f"/v1/documents/{document}/readers", read)


def _set_readers(document: UUID, readers: Sequence[str] | None) -> Call[Document]:
    """Replaces who may read a document, of those who may read its collection.

    Args:
        document: Which.
        readers: People (by e-mail address or id) and groups (by name or id); none of them: only the owners of the
            collection. None: all who read the collection.

    Raises:
        DocumentNotFound: There is none of that id.
        InvalidRequest: One of them is not known, or you are not among them.
    """
    body = {"readers": None if readers is None else list(readers)}
    return Call("PATCH", f"/v1/documents/{document}", as_(Document), body=body)


class SharingCalls:
    """What both clients can do about who may read and change what."""

    share = Both(_share)
    unshare = Both(_unshare)
    grants = Both(_grants)
    readers = Both(_readers)
    set_readers = Both(_set_readers)


def _grant(collection: str, who: str | None = None) -> str:
    path = f"{collection_path(collection)}/grants"
    return path if who is None else f"{path}/{quote(who, safe='')}"
