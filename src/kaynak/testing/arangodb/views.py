"""ArangoSearch: what a view has of a collection, found by SEARCH and scored by BM25."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from math import log
from typing import Any

import numpy as np

from kaynak.testing.arangodb.collections import Collection
from kaynak.testing.arangodb.evaluating import Row
from kaynak.testing.arangodb.matching import Condition, Indexed, Matched
from kaynak.testing.arangodb.refusals import bad_parameter
from kaynak.testing.arangodb.tree import Attribute, Call, Expression, Step, Value, Variable
from kaynak.testing.arangodb.vector_index import Document

Analyzer = Mapping[str, Any]

_LONGEST = 32_766
_DEFAULT = "identity"


def attributes_of(variable: str, steps: tuple[Step, ...]) -> set[str] | None:
    """Returns which attributes of a variable are read; None for all of it."""
    found: set[str] = set()
    for step in steps:
        for node, within in _nodes(step, None):
            if node == Variable(variable):
                if isinstance(within, Attribute):
                    found.add(within.name)
                elif not (isinstance(within, Call) and within.name == "BM25"):
                    return None
    return found


def _nodes(node: object, within: object) -> Iterator[tuple[object, object]]:
    if isinstance(node, tuple):
        for one in node:
            yield from _nodes(one, within)
    elif is_dataclass(node):
        yield node, within
        for one in fields(node):
            yield from _nodes(getattr(node, one.name), node)


class View:
    """A view over one collection.

    Its state is older than the collection's until it commits, which it does in its own time, or when one waits for it.

    Args:
        name: Its name.
        definition: As it was made.
        collections: Those there are.
        analyzers: Those there are.
    """

    def __init__(
        self,
        name: str,
        definition: Mapping[str, Any],
        collections: Mapping[str, Any],
        analyzers: Mapping[str, Analyzer],
    ) -> None:
        self.name = name
        self.definition = definition
        links = definition.get("links") or {}
        if len(links) != 1:
            raise bad_parameter("this server links one collection to a view")
        ((linked, link),) = links.items()
        self.linked = str(linked)
        self._collections = collections
        self._analyzers = analyzers
        self._fields: dict[str, list[str]] = {
            field: list(properties.get("analyzers", [_DEFAULT])) for field, properties in link["fields"].items()
        }
        for several in self._fields.values():
            if missing := [one for one in several if one not in analyzers]:
                raise bad_parameter(f"analyzer not found: {missing}")
        self._stored = {name for one in definition.get("storedValues", ()) for name in one["fields"]}
        self._interval = definition.get("commitIntervalMsec", 1000) / 1000
        self._state: dict[str, Indexed] = {}
        self._changes = -1
        self._committed = 0.0
        self._frequencies: dict[tuple[str, str], tuple[int, int, float]] = {}
        self.commit()

    def commit(self) -> None:
        """Takes over what the collection has now."""
        collection: Collection = self._collections[self.linked]
        if collection.changes != self._changes:
            self._state = {key: self._index(key, one) for key, one in collection.documents.items()}
            self._changes = collection.changes
            self._frequencies = {}
        self._committed = time.monotonic()

    def found(
        self, search: Expression | None, options: Mapping[str, Any], row: Row, read: set[str] | None
    ) -> list[Document]:
        """Returns the documents that match.

        Args:
            search: The condition.
            options: Of the search.
            row: Variables that the condition may name.
            read: Attributes that the statement reads; None for all.
        """
        if options.get("waitForSync") or time.monotonic() - self._committed > self._interval:
            self.commit()
        condition = Condition(self._counts, row).of(Value(True) if search is None else search, _DEFAULT, 1.0)
        collection: Collection = self._collections[self.linked]
        found = []
        for one in self._state.values():
            matched = condition(one)
            if matched is None:
                continue
            document = one.document
            # What the view has not stored is read from the collection, where it may be another by now, or gone.
            elsewhere = read is None or read - self._stored
            if elsewhere and collection.documents.get(one.key) is not document:
                continue
            found.append({**document, "$score": self._scorer(one, matched)})
        return found

    def _counts(self, field: str, analyzer: str) -> bool:
        # What is not indexed like that is as if it were not there, and that is no error.
        return analyzer in self._fields.get(field, ()) and "frequency" in self._analyzers[analyzer]["features"]

    def _index(self, key: str, document: Document) -> Indexed:
        before = self._state.get(key)
        if before is not None and before.document is document:
            return before
        terms = {}
        for field, analyzers in self._fields.items():
            value = document.get(field)
            values = value if isinstance(value, list) else [value]
            for analyzer in analyzers:
                found = [term for one in values if isinstance(one, str) for term in self._analysed(one, analyzer)]
                if value is not None:
                    terms[f"{field} {analyzer}"] = Counter(one for one in found if len(one.encode()) <= _LONGEST)
        return Indexed(document, terms)

    def _analysed(self, text: str, analyzer: str) -> list[str]:
        made = self._analyzers[analyzer]
        return text.split(made["properties"]["delimiter"]) if made["type"] == "delimiter" else [text]

    def _scorer(self, one: Indexed, matched: Matched) -> Callable[..., float]:
        def score(k: float = 1.2, b: float = 0.75) -> float:
            # In single precision, as it is stored.
            return float(np.float32(sum(boost * self._bm25(one, field, term, k, b) for boost, field, term in matched)))

        return score

    def _bm25(self, one: Indexed, field: str, term: str, k: float, b: float) -> float:
        if (field, term) not in self._frequencies:
            having = [other.terms[field] for other in self._state.values() if field in other.terms]
            mean = sum(counts.total() for counts in having) / len(having)
            self._frequencies[field, term] = len(having), sum(term in counts for counts in having), mean
        total, frequency, mean = self._frequencies[field, term]
        here = one.terms[field]
        weight = log(1 + (total - frequency + 0.5) / (frequency + 0.5))
        return weight * here[term] * (k + 1) / (here[term] + k * (1 - b + b * here.total() / mean))
