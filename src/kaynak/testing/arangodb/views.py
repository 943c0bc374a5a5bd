"""ArangoSearch: what a view has of a collection, found by SEARCH and scored by BM25."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from math import log
from typing import Any

import numpy as np

from kaynak.testing.arangodb.collections import Collection, Document
from kaynak.testing.arangodb.evaluating import Row, constant
from kaynak.testing.arangodb.refusals import Refusal, bad_parameter
from kaynak.testing.arangodb.tree import Attribute, Call, Expression, Operation, Step, Value, Variable
from kaynak.testing.arangodb.values import truth

Analyzer = Mapping[str, Any]
Matched = list[tuple[float, str, str]]
"""What counts for the score: boost, key of the field, term."""

_NOTHING: Counter[str] = Counter()
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


@dataclass(frozen=True, slots=True)
class _Indexed:
    """One document, as the view has it."""

    document: Document
    terms: dict[str, Counter[str]]
    """By field and analyzer."""

    @property
    def key(self) -> str:
        return str(self.document["_key"])


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
        self._state: dict[str, _Indexed] = {}
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
        condition = _Condition(self, row).of(Value(True) if search is None else search, _DEFAULT, 1.0)
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

    def indexed(self, field: str, analyzer: str) -> bool:
        """Returns whether a field is indexed with an analyzer."""
        return analyzer in self._fields.get(field, ())

    def counts(self, analyzer: str) -> bool:
        """Returns whether an analyzer counts how often a term occurs."""
        return "frequency" in self._analyzers[analyzer]["features"]

    def _index(self, key: str, document: Document) -> _Indexed:
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
        return _Indexed(document, terms)

    def _analysed(self, text: str, analyzer: str) -> list[str]:
        made = self._analyzers[analyzer]
        return text.split(made["properties"]["delimiter"]) if made["type"] == "delimiter" else [text]

    def _scorer(self, one: _Indexed, matched: Matched) -> Callable[..., float]:
        def score(k: float = 1.2, b: float = 0.75) -> float:
            # In single precision, as it is stored.
            return float(np.float32(sum(boost * self._bm25(one, field, term, k, b) for boost, field, term in matched)))

        return score

    def _bm25(self, one: _Indexed, field: str, term: str, k: float, b: float) -> float:
        if (field, term) not in self._frequencies:
            having = [other.terms[field] for other in self._state.values() if field in other.terms]
            mean = sum(counts.total() for counts in having) / len(having)
            self._frequencies[field, term] = len(having), sum(term in counts for counts in having), mean
        total, frequency, mean = self._frequencies[field, term]
        here = one.terms[field]
        weight = log(1 + (total - frequency + 0.5) / (frequency + 0.5))
        return weight * here[term] * (k + 1) / (here[term] + k * (1 - b + b * here.total() / mean))


class _Condition:
    """Turns the condition of a search into a function from what is indexed to what counts for the score."""

    def __init__(self, view: View, row: Row) -> None:
        self._view = view
        self._row = row

    def of(self, expression: Expression, analyzer: str, boost: float) -> Callable[[_Indexed], Matched | None]:
        match expression:
            case Value(value):
                return lambda one: [] if truth(value) else None
            case Call("ANALYZER", (inner, name)):
                return self.of(inner, str(constant(name, self._row)), boost)
            case Call("BOOST", (inner, factor)):
                return self.of(inner, analyzer, boost * float(constant(factor, self._row)))
            case Call("IN_RANGE", (Attribute(Variable(), field), *bounds)):
                low, high, with_low, with_high = (constant(one, self._row) for one in bounds)
                # By code points: a view knows no language.
                return self._terms(
                    field,
                    analyzer,
                    boost,
                    lambda term: (
                        (low < term or (with_low and low == term)) and (term < high or (with_high and term == high))
                    ),
                )
            case Operation("AND", parts):
                return _all([self.of(one, analyzer, boost) for one in parts])
            case Operation("OR", parts):
                return _any([self.of(one, analyzer, boost) for one in parts])
            case Operation("NOT", (part,)):
                inner_holds = self.of(part, analyzer, boost)
                return lambda one: [] if inner_holds(one) is None else None
            case Operation("==", (Attribute(Variable(), field), value)):
                return self._has(field, analyzer, boost, [constant(value, self._row)])
            case Operation("IN", (Attribute(Variable(), field), value)):
                return self._has(field, analyzer, boost, constant(value, self._row))
        raise Refusal(501, 9, "SEARCH condition is not supported")

    def _has(self, field: str, analyzer: str, boost: float, several: list[str]) -> Callable[[_Indexed], Matched | None]:
        place, counts = f"{field} {analyzer}", self._counts(field, analyzer)

        def work(one: _Indexed) -> Matched | None:
            here = one.terms.get(place, _NOTHING)
            found = [term for term in several if term in here]
            return ([(boost, place, term) for term in found] if counts else []) if found else None

        return work

    def _terms(
        self, field: str, analyzer: str, boost: float, holds: Callable[[str], bool]
    ) -> Callable[[_Indexed], Matched | None]:
        place, counts = f"{field} {analyzer}", self._counts(field, analyzer)

        def work(one: _Indexed) -> Matched | None:
            found = [term for term in one.terms.get(place, _NOTHING) if holds(term)]
            return ([(boost, place, term) for term in found] if counts else []) if found else None

        return work

    def _counts(self, field: str, analyzer: str) -> bool:
        # What is not indexed like that is as if it were not there, and that is no error.
        return self._view.indexed(field, analyzer) and self._view.counts(analyzer)


def _all(parts: list[Callable[[_Indexed], Matched | None]]) -> Callable[[_Indexed], Matched | None]:
    def work(one: _Indexed) -> Matched | None:
        matched: Matched = []
        for part in parts:
            found = part(one)
            if found is None:
                return None
            matched += found
        return matched

    return work


def _any(parts: list[Callable[[_Indexed], Matched | None]]) -> Callable[[_Indexed], Matched | None]:
    def work(one: _Indexed) -> Matched | None:
        found = [matched for part in parts if (matched := part(one)) is not None]
        return [single for matched in found for single in matched] if found else None

    return work
