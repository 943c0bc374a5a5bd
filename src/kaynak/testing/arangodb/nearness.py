"""Which statements a vector index answers.

A collection is gone over, perhaps filtered (from 3.12.6 on), sorted by one nearness to an indexed attribute, in the
direction of its metric, and limited right after that. Everything else with such a function is an error, never a scan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from kaynak.testing.arangodb.collections import Collection
from kaynak.testing.arangodb.evaluating import NEAR, Row, compiled, constant
from kaynak.testing.arangodb.refusals import Refusal, not_applied
from kaynak.testing.arangodb.tree import (
    Attribute,
    Call,
    Expression,
    For,
    Keep,
    Let,
    Limit,
    Mapped,
    Operation,
    Sort,
    Step,
    Subquery,
    Variable,
)
from kaynak.testing.arangodb.values import truth
from kaynak.testing.arangodb.vector_index import VectorIndex

PREFILTERS = (3, 12, 6)


def near_search(
    steps: tuple[Step, ...], place: int, collection: Collection, version: tuple[int, int, int]
) -> NearSearch | None:
    """Returns the search that the steps from ``place`` on are; None if they have nothing to do with vectors.

    Raises:
        Refusal: They do, and no vector index can answer them.
    """
    rest = steps[place:]
    if not any(call.name in NEAR for step in rest for call in _calls(step)):
        return None
    loop = rest[0]
    assert isinstance(loop, For)
    lets: dict[str, Expression] = {}
    condition: Expression | None = None
    for at, step in enumerate(rest[1:], start=1):
        match step:
            case Let(name, value):
                lets[name] = value
            case Keep(more):
                if version < PREFILTERS:
                    raise not_applied("FILTER is not supported between FOR and LIMIT")
                if any(True for _ in _subqueries(more)):
                    raise not_applied("the filter is no plain expression")
                condition = more if condition is None else Operation("AND", (condition, more))
            case Sort():
                limit = rest[at + 1] if at + 1 < len(rest) else None
                if not isinstance(limit, Limit):
                    raise not_applied("SORT must be followed by LIMIT")
                return _search(loop.variable, lets, condition, step, limit, place + at + 2, collection, version)
            case _:
                break
    raise not_applied("there is no SORT by nearness")


def _search(
    variable: str,
    lets: dict[str, Expression],
    condition: Expression | None,
    sort: Sort,
    limit: Limit,
    end: int,
    collection: Collection,
    version: tuple[int, int, int],
) -> NearSearch:
    if len(sort.by) != 1:
        raise not_applied("SORT must be by nearness alone")
    by, falls = sort.by[0]
    name = by.name if isinstance(by, Variable) else None
    call = lets.pop(name, None) if name else by
    if not isinstance(call, Call) or call.name not in NEAR or len(call.arguments) not in {2, 3}:
        raise not_applied("SORT must be by nearness")
    if call.name == "APPROX_NEAR_INNER_PRODUCT" and version < PREFILTERS:
        raise Refusal(400, 1540, f"AQL: usage of unknown function '{call.name}()'")
    metric = NEAR[call.name]
    if falls is (metric == "l2"):
        raise not_applied("SORT goes the wrong way for the metric")
    first, second = call.arguments[:2]
    attribute, query = (first, second) if _of(first, variable) else (second, first)
    index = collection.vector_index(attribute.name, metric) if isinstance(attribute, Attribute) else None
    if index is None or not _of(attribute, variable):
        raise not_applied("there is no vector index for the attribute and the metric")
    options = call.arguments[2] if len(call.arguments) == 3 else Mapped(())
    return NearSearch(variable, name, lets, condition, query, options, limit, end, collection, index)


@dataclass(frozen=True, slots=True)
class NearSearch:
    """A look-up in a vector index.

    Attributes:
        end: The first step after it.
    """

    variable: str
    name: str | None
    lets: dict[str, Expression]
    condition: Expression | None
    query: Expression
    options: Expression
    limit: Limit
    end: int
    collection: Collection
    index: VectorIndex

    def run(self, row: Row) -> list[Row]:
        """Returns the rows, nearest first."""
        query = constant(self.query, row)
        if not isinstance(query, list) or len(query) != self.index.dimension:
            raise Refusal(
                400, 1542, "AQL: invalid argument type in call to function: a vector of the index's dimension"
            )
        options = constant(self.options, row)
        if not isinstance(options, dict) or set(options) - {"nProbe"}:
            raise Refusal(400, 1501, "AQL: error parsing searchParameters")
        most = constant(self.limit.count, row)
        holds = None if self.condition is None else compiled(self.condition, _nothing)

        def matching(document: dict[str, Any]) -> bool:
            return holds is None or truth(holds({**row, self.variable: document}))

        found = self.index.search(
            self.collection.documents, self.collection.changes, query, most, options.get("nProbe"), matching
        )
        rows = []
        for document, nearness in found:
            one = {self.variable: document, **({self.name: nearness} if self.name else {})}
            one |= {name: constant(value, {**row, **one}) for name, value in self.lets.items()}
            rows.append(one)
        return rows


def _nothing(steps: tuple[Step, ...], row: Row) -> list[Any]:
    raise not_applied("the filter is no plain expression")


def _of(expression: Expression, variable: str) -> bool:
    return isinstance(expression, Attribute) and expression.of == Variable(variable)


def _calls(node: object) -> Iterator[Call]:
    return (one for one in _nodes(node, into=False) if isinstance(one, Call))


def _subqueries(node: object) -> Iterator[Subquery]:
    return (one for one in _nodes(node, into=True) if isinstance(one, Subquery))


def _nodes(node: object, *, into: bool) -> Iterator[object]:
    """Yields all that a step is made of; what is within subqueries only if asked for."""
    if isinstance(node, tuple):
        for one in node:
            yield from _nodes(one, into=into)
    elif is_dataclass(node):
        yield node
        if isinstance(node, Subquery) and not into:
            return
        for one in fields(node):
            yield from _nodes(getattr(node, one.name), into=into)
