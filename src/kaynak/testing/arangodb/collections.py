"""Documents, and what is indexed of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaynak.testing.arangodb.refusals import Refusal, bad_parameter, known_attributes
from kaynak.testing.arangodb.vector_index import TRAINED_LATER, Document, VectorIndex

_PERSISTENT = {"name", "type", "fields", "sparse", "unique", "deduplicate", "estimates", "storedValues"}
_PERSISTENT |= {"cacheEnabled", "inBackground"}


class Collection:
    """Documents by key, in one state: a transaction writes to a copy.

    Args:
        name: Its name.
        properties: As it was made with.
    """

    def __init__(self, name: str, properties: Mapping[str, Any]) -> None:
        self.name = name
        self.properties = dict(properties)
        self.documents: dict[str, Document] = {}
        self.indexes: dict[str, dict[str, Any]] = {}
        self.vector_indexes: dict[str, VectorIndex] = {}
        self.changes = 0
        self._made = 0

    def copy(self) -> Collection:
        """Returns one that may be written without anybody noticing."""
        other = Collection(self.name, self.properties)
        other.documents = dict(self.documents)
        other.indexes, other.vector_indexes = self.indexes, self.vector_indexes
        other.changes = self.changes
        return other

    def become(self, other: Collection) -> None:
        """Takes over what was written to a copy."""
        self.documents, self.changes = other.documents, other.changes + 1
        for index in self.vector_indexes.values():
            index.train_if_enough(self.documents)

    def put(self, document: Document, mode: str) -> None:
        """Stores a document.

        Raises:
            Refusal: It has a bad key, or there is one, or a vector index does not take it.
        """
        key = document.get("_key")
        if not isinstance(key, str) or not key or set(key) - _KEY_LETTERS or len(key) > 254:
            raise Refusal(400, 1221, "illegal document key")
        if key in self.documents and mode == "ignore":
            return
        if key in self.documents and mode != "replace":
            raise Refusal(409, 1210, "unique constraint violated - in index primary")
        for index in self.vector_indexes.values():
            index.check(document)
        if key in self.documents:
            self.remove(key)
        self.documents[key] = {**document, "_id": f"{self.name}/{key}"}
        self.changes += 1

    def remove(self, key: str) -> None:
        """Removes a document.

        Raises:
            Refusal: A vector index does not let it go.
        """
        for index in self.vector_indexes.values():
            index.release(self.documents.get(key, {}))
        self.documents.pop(key, None)
        self.changes += 1

    def vector_index(self, attribute: str, metric: str) -> VectorIndex | None:
        """Returns the vector index for an attribute and a metric.

        Raises:
            Refusal: It has not learned yet.
        """
        for index in self.vector_indexes.values():
            if (index.attribute, index.metric) == (attribute, metric):
                if not index.ready:
                    raise Refusal(500, 1555, "AQL: vector index is not ready")
                return index
        return None

    def add_index(self, definition: Mapping[str, Any], version: tuple[int, int, int], *, enabled: bool) -> Document:
        """Makes an index, and returns its description.

        Raises:
            Refusal: It cannot be made.
        """
        kind = definition.get("type")
        same = {key: value for key, value in definition.items() if key not in {"inBackground", "parallelism"}}
        for made in self.indexes.values():
            if all(made.get(key) == value for key, value in same.items()):
                return {**made, "isNewlyCreated": False}
        if kind == "persistent":
            known_attributes(definition, _PERSISTENT)
        elif kind == "vector":
            index = VectorIndex(definition, version, enabled=enabled)
            index.build(self.documents)
        else:
            raise bad_parameter(f"invalid index type: {kind}")
        self._made += 1
        number = str(1000 + self._made)
        made = {"unique": False, "sparse": False, "name": f"idx_{number}", **definition, "id": f"{self.name}/{number}"}
        if kind == "vector":
            self.vector_indexes[number] = index
        self.indexes[number] = made
        return {**made, "isNewlyCreated": True}

    def described(self, version: tuple[int, int, int]) -> list[Document]:
        """Returns the descriptions of all indexes."""
        found: list[Document] = [{"id": f"{self.name}/0", "type": "primary", "fields": ["_key"], "name": "primary"}]
        for number, made in self.indexes.items():
            index = self.vector_indexes.get(number)
            state = {} if index is None or version < TRAINED_LATER else {"trainingState": index.state}
            found.append({**made, **state})
        return found

    def drop_index(self, number: str) -> None:
        """Removes an index.

        Raises:
            Refusal: There is none.
        """
        if self.indexes.pop(number, None) is None:
            raise Refusal(404, 1212, "index not found")
        self.vector_indexes.pop(number, None)


_KEY_LETTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-:.@()+,=;$!*'%")
