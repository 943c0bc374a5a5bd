from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Form(Protocol):
    """How an index of either side lies in Milvus; built from what is stored with it alone."""

    @property
    def name(self) -> str:
        """Of the index."""
        ...

    @property
    def main(self) -> str:
        """Name of the collection in which specification and revision are kept too."""
        ...

    @property
    def collections(self) -> tuple[str, ...]:
        """Names of all of its collections."""
        ...

    @property
    def strong(self) -> bool:
        """Whether every read waits until the server has caught up with the moment it was asked."""
        ...

    @property
    def blank(self) -> Mapping[str, Any]:
        """What a row that is no point has in the fields of its side: something that no search finds."""
        ...

    def stored(self) -> str:
        """The JSON that is kept with the index."""
        ...


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection that an index needs.

    Attributes:
        name: Of the collection.
        schema: Of its rows.
        index_type: Of its vectors, as Milvus names it.
        metric: Likewise.
        params: Of the index type.
    """

    name: str
    schema: Any
    index_type: str
    metric: str
    params: Mapping[str, int]


def main_collection(prefix: str, name: str, side: str) -> str:
    """Returns the name of an index's first collection. Names of indexes have no capitals, so none begins another's.

    Args:
        prefix: Of all names in this Milvus.
        name: Of the index; that of a generation is the same on both sides.
        side: Begins with a capital.
    """
    return f"{prefix}_{name}_{side}"
