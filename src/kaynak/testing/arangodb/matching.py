"""Conditions of a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from kaynak.testing.arangodb.evaluating import Row, constant
from kaynak.testing.arangodb.refusals import Refusal
from kaynak.testing.arangodb.tree import Attribute, Call, Expression, Operation, Value, Variable
from kaynak.testing.arangodb.values import truth
from kaynak.testing.arangodb.vector_index import Document

Matched = list[tuple[float, str, str]]
"""What counts for the score: boost, key of the field, term."""

_NOTHING: Counter[str] = Counter()


@dataclass(frozen=True, slots=True)
class Indexed:
    """One document, as a view has it.

    Attributes:
        terms: By field and analyzer.
    """

    document: Document
    terms: dict[str, Counter[str]]

    @property
    def key(self) -> str:
        """Of the document."""
        return str(self.document["_key"])


Matches: TypeAlias = Callable[[Indexed], Matched | None]


class Condition:
    """Turns the condition of a search into a function from what is indexed to what counts for the score.

    Args:
        counts: Whether a field is indexed with an analyzer that counts how often a term occurs.
        row: Variables that the condition may name.
    """

    def __init__(self, counts: Callable[[str, str], bool], row: Row) -> None:
        self._counts = counts
        self._row = row

    def of(self, expression: Expression, analyzer: str, boost: float) -> Matches:
        """Returns the function for an expression, within the analyzer and the boost that it stands in.

        Raises:
            Refusal: A search cannot have it.
        """
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

    def _has(self, field: str, analyzer: str, boost: float, several: list[str]) -> Matches:
        place, counts = f"{field} {analyzer}", self._counts(field, analyzer)

        def work(one: Indexed) -> Matched | None:
            here = one.terms.get(place, _NOTHING)
            found = [term for term in several if term in here]
            return ([(boost, place, term) for term in found] if counts else []) if found else None

        return work

    def _terms(self, field: str, analyzer: str, boost: float, holds: Callable[[str], bool]) -> Matches:
        place, counts = f"{field} {analyzer}", self._counts(field, analyzer)

        def work(one: Indexed) -> Matched | None:
            found = [term for term in one.terms.get(place, _NOTHING) if holds(term)]
            return ([(boost, place, term) for term in found] if counts else []) if found else None

        return work


def _all(parts: list[Matches]) -> Matches:
    def work(one: Indexed) -> Matched | None:
        matched: Matched = []
        for part in parts:
            found = part(one)
            if found is None:
                return None
            matched += found
        return matched

    return work


def _any(parts: list[Matches]) -> Matches:
    def work(one: Indexed) -> Matched | None:
        found = [matched for part in parts if (matched := part(one)) is not None]
        return [single for matched in found for single in matched] if found else None

    return work
