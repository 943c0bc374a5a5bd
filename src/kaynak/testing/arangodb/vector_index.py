"""A vector index: lists of vectors around centres."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kaynak.testing.arangodb.refusals import Refusal, bad_parameter, known_attributes

Document = dict[str, Any]
Documents: TypeAlias = Mapping[str, Document]
Matrix = NDArray[np.float64]

TRAINED_LATER = (3, 12, 9)
"""From here on a vector index may be made first, and is trained when there are enough documents."""

_VECTOR = {"name", "type", "fields", "sparse", "parallelism", "inBackground", "params"}
_PARAMS = {"metric", "dimension", "nLists", "defaultNProbe", "trainingIterations", "factory"}


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
        known_attributes(definition, _VECTOR | ({"storedValues"} if version >= (3, 12, 7) else set()))
        params = definition.get("params") or {}
        known_attributes(params, _PARAMS)
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
        self._later = version >= TRAINED_LATER
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

    def build(self, documents: Documents) -> None:
        """Takes in what is there.

        Raises:
            Refusal: That is not enough, or not what it can take.
        """
        for document in documents.values():
            self.check(document)
        self.train_if_enough(documents)
        if self.ready or self._later:
            return
        if not self._having(documents):
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

    def train_if_enough(self, documents: Documents) -> None:
        """Learns the centres, if that was not done."""
        if self.ready:
            return
        vectors = self._vectors(self._having(documents))
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
        all_documents: Documents,
        changes: int,
        query: list[float],
        most: int,
        probes: int | None,
        matching: Callable[[Document], bool],
    ) -> list[tuple[Document, float]]:
        """Returns the nearest documents in the nearest lists that match, with how near they are.

        Args:
            all_documents: Of the collection.
            changes: How often it was changed.
            query: The vector.
            most: How many are wanted.
            probes: How many lists are looked into; None for what the index was made with.
            matching: Which documents are wanted.
        """
        assert self._centres is not None
        if self._sorted is None or self._sorted[0] != changes:
            documents = self._having(all_documents)
            vectors = self._vectors(documents)
            self._sorted = (changes, documents, vectors, _nearest(vectors, self._centres, self.metric))
        _, documents, vectors, lists = self._sorted
        target = self._unit(np.asarray(query, dtype=np.float64)[None])
        chosen = np.argsort(-_nearness(self._centres, target[0], self.metric))[: probes or self._probes]
        rows = [row for row in np.flatnonzero(np.isin(lists, chosen)).tolist() if matching(documents[row])]
        near = _nearness(vectors[rows], target[0], self.metric)
        best = np.argsort(-near, kind="stable")[:most]
        sign = -1.0 if self.metric == "l2" else 1.0
        # As Faiss computes it, in single precision.
        return [(documents[rows[place]], float(np.float32(sign * near[place]))) for place in best.tolist()]

    def _having(self, documents: Documents) -> list[Document]:
        return [one for one in documents.values() if one.get(self.attribute) is not None]

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
