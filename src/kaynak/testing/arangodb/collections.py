"""Documents, and what is indexed of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaynak.testing.arangodb.refusals import Refusal, bad_parameter

Document = dict[str, Any]
Matrix = NDArray[np.float64]

_TRAINED_ONCE = (3, 12, 9)
"""From here on a vector index may be made first, and is trained when there are enough documents."""

_VECTOR = {"name", "type", "fields", "sparse", "parallelism", "inBackground", "params"}
_PARAMS = {"metric", "dimension", "nLists", "defaultNProbe", "trainingIterations", "factory"}
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
            index.train_if_enough(self)

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
            _known(definition, _PERSISTENT)
        elif kind == "vector":
            index = VectorIndex(definition, version, enabled=enabled)
            index.build(self)
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
            state = {} if index is None or version < _TRAINED_ONCE else {"trainingState": index.state}
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


def _known(definition: Mapping[str, Any], known: set[str]) -> None:
    if unknown := set(definition) - known:
        raise bad_parameter(f"unknown attributes: {sorted(unknown)}")


class VectorIndex:
    """Lists of vectors around centres, learned once.

    Args:
        definition: What it is to be like.
        version: Of the server.
        enabled: Whether the server was started with vector indexes.

    Raises:
        Refusal: There is none like that.
    """

    def __init__(self, definition: Mapping[str, Any], version: tuple[int, int, int], *, enabled: bool) -> None:
        flag = "--vector-index" if version >= (3, 12, 6) else "--experimental-vector-index"
        if not enabled:
            raise bad_parameter(f"vector index feature is not enabled. Run ArangoDB with `{flag}` flag turned on.")
        _known(definition, _VECTOR | ({"storedValues"} if version >= (3, 12, 7) else set()))
        params = definition.get("params") or {}
        _known(params, _PARAMS)
        metrics = {"cosine", "l2"} | ({"innerProduct"} if version >= (3, 12, 6) else set())
        if len(definition.get("fields") or ()) != 1:
            raise bad_parameter("a vector index has exactly one field")
        if params.get("metric") not in metrics:
            raise bad_parameter(f"unknown metric: {params.get('metric')}")
        for name in ("dimension", "nLists"):
            if not isinstance(params.get(name), int) or params[name] < 1:
                raise bad_parameter(f"{name} must be at least 1")
        self.attribute = str(definition["fields"][0])
        self.metric = str(params["metric"])
        self.dimension = int(params["dimension"])
        self._lists = int(params["nLists"])
        self._probes = int(params.get("defaultNProbe", 1))
        self._sparse = bool(definition.get("sparse", False))
        self._later = version >= _TRAINED_ONCE
        self._centres: Matrix | None = None
        self._sorted: tuple[int, list[Document], Matrix, NDArray[np.intp]] | None = None

    @property
    def ready(self) -> bool:
        """Whether it has learned its centres."""
        return self._centres is not None

    @property
    def state(self) -> str:
        """As a server says it, from 3.12.9 on."""
        return "ready" if self.ready else "unusable"

    def build(self, collection: Collection) -> None:
        """Takes in what is there.

        Raises:
            Refusal: That is not enough, or not what it can take.
        """
        for document in collection.documents.values():
            self.check(document)
        self.train_if_enough(collection)
        if self.ready or self._later:
            return
        if not self._documents(collection):
            raise Refusal(501, 9, "For the vector index to be created documents must be present in the collection")
        raise Refusal(500, 4, "number of training points should be at least as large as number of clusters")

    def check(self, document: Document) -> None:
        """Looks whether a document can be indexed.

        Raises:
            Refusal: It cannot.
        """
        vector = document.get(self.attribute)
        if vector is None:
            if self._sparse:
                return
            raise bad_parameter(f"vector field not present in document {document.get('_key')}")
        if not isinstance(vector, list) or len(vector) != self.dimension:
            raise Refusal(400, 17, f"provided vector is not of matching dimension, index dimension: {self.dimension}")

    def release(self, document: Document) -> None:
        """Looks whether a document can be removed.

        Raises:
            Refusal: It cannot: before 3.12.9, an index lets go only of what it has, however sparse it is.
        """
        if not self._later and document.get(self.attribute) is None:
            raise bad_parameter(f"vector field not present in document {document.get('_key')}")

    def train_if_enough(self, collection: Collection) -> None:
        """Learns the centres, if that was not done."""
        if self.ready:
            return
        vectors = self._vectors(self._documents(collection))
        if len(vectors) < self._lists:
            return
        picked = np.random.default_rng(7).choice(len(vectors), self._lists, replace=False)
        centres = vectors[picked]
        nearest = _nearest(vectors, centres, self.metric)
        for place in range(self._lists):
            mine = vectors[nearest == place]
            if len(mine):
                centres[place] = mine.mean(axis=0)
        self._centres = centres

    def search(
        self,
        collection: Collection,
        query: list[float],
        most: int,
        probes: int | None,
        matching: Callable[[Document], bool],
    ) -> list[tuple[Document, float]]:
        """Returns the nearest documents in the nearest lists that match, with how near they are."""
        assert self._centres is not None
        if self._sorted is None or self._sorted[0] != collection.changes:
            documents = self._documents(collection)
            vectors = self._vectors(documents)
            self._sorted = (collection.changes, documents, vectors, _nearest(vectors, self._centres, self.metric))
        _, documents, vectors, lists = self._sorted
        target = self._unit(np.asarray(query, dtype=np.float64)[None])
        chosen = np.argsort(-_nearness(self._centres, target[0], self.metric))[: probes or self._probes]
        rows = [row for row in np.flatnonzero(np.isin(lists, chosen)).tolist() if matching(documents[row])]
        near = _nearness(vectors[rows], target[0], self.metric)
        best = np.argsort(-near, kind="stable")[:most]
        sign = -1.0 if self.metric == "l2" else 1.0
        # As Faiss computes it, in single precision.
        return [(documents[rows[place]], float(np.float32(sign * near[place]))) for place in best.tolist()]

    def _documents(self, collection: Collection) -> list[Document]:
        return [one for one in collection.documents.values() if one.get(self.attribute) is not None]

    def _vectors(self, documents: list[Document]) -> Matrix:
        rows = np.asarray([one[self.attribute] for one in documents], dtype=np.float64)
        return self._unit(rows.reshape(len(documents), self.dimension))

    def _unit(self, rows: Matrix) -> Matrix:
        if self.metric != "cosine":
            return rows
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(lengths > 0, lengths, 1.0)


def _nearness(rows: Matrix, query: Matrix, metric: str) -> Matrix:
    """Returns a number for each row that is greater for what is nearer."""
    if metric == "l2":
        return -np.asarray(np.linalg.norm(rows - query, axis=1))
    return np.asarray(rows @ query)


def _nearest(rows: Matrix, centres: Matrix, metric: str) -> NDArray[np.intp]:
    if metric == "l2":
        distances = ((rows[:, None] - centres[None]) ** 2).sum(axis=2) if len(rows) else np.zeros((0, len(centres)))
        return np.argmin(distances, axis=1) if len(rows) else np.zeros(0, dtype=np.intp)
    return np.argmax(rows @ centres.T, axis=1) if len(rows) else np.zeros(0, dtype=np.intp)
