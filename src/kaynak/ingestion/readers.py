"""Who may read a document, from what people call them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

from kaynak.catalog import Unit
from kaynak.domain import InvalidRequest, Scope

READERS_MOST = 1000
"""People and groups of one list."""

Lists: TypeAlias = dict[tuple[str, ...], frozenset[UUID]]
"""Lists of readers by what people called them."""


async def readers_of(unit: Unit, scope: Scope, collection_id: UUID, names: Sequence[str]) -> frozenset[UUID]:
    """Returns the readers of those names, and the collection itself, which stands for its owners.

    Raises:
        InvalidRequest: One of them is not known, they are too many, or the caller is not among them.
    """
    if len(names) > READERS_MOST:
        raise InvalidRequest(f"At most {READERS_MOST:,} readers can be named.", hint="Name a group.")
    found = await unit.grants.named(names)
    readers = frozenset(one.id for one in found.values()) | {collection_id}
    if scope.principals is not None and not readers & scope.principals:
        raise InvalidRequest(
            "You would not be able to read the document any more.", hint="Name yourself, or a group that you are in."
        )
    return readers


def listed(readers: frozenset[UUID] | None) -> list[str] | None:
    """Returns a list of readers as it is written down; None: all who read the collection."""
    return None if readers is None else sorted(map(str, readers))
