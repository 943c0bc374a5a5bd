"""What expressions are worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kaynak.testing.arangodb.refusals import Refusal, not_applied, syntax
from kaynak.testing.arangodb.tree import (
    Attribute,
    Call,
    Expression,
    Listing,
    Mapped,
    Operation,
    Selected,
    Step,
    Subquery,
    Value,
    Variable,
)
from kaynak.testing.arangodb.values import order, truth

Row = dict[str, Any]
Worth = Callable[[Row], Any]
Runs = Callable[[tuple[Step, ...], Row], list[Any]]
"""Runs the steps of a subquery."""

NEAR = {"APPROX_NEAR_COSINE": "cosine", "APPROX_NEAR_INNER_PRODUCT": "innerProduct", "APPROX_NEAR_L2": "l2"}


def compiled(expression: Expression, run: Runs) -> Worth:
    """Returns a function from the variables of a row to what the expression is worth.

    Raises:
        Refusal: It has something that this server does not know, or that cannot stand there.
    """
    match expression:
        case Value(value):
            return lambda row: value
        case Variable(name):
            return lambda row: _variable(row, name)
        case Attribute(of, name):
            inner = compiled(of, run)
            return lambda row: _attribute(inner(row), name)
        case Selected(of, condition):
            return _selected(compiled(of, run), compiled(condition, run))
        case Operation(sign, parts):
            return _operation(sign, [compiled(one, run) for one in parts])
        case Call(name, arguments):
            return _call(name, [compiled(one, run) for one in arguments])
        case Listing(items):
            several = [compiled(one, run) for one in items]
            return lambda row: [one(row) for one in several]
        case Mapped(items):
            pairs = [(key, compiled(one, run)) for key, one in items]
            return lambda row: {key: one(row) for key, one in pairs}
        case Subquery(steps):
            return lambda row: run(steps, row)


def _variable(row: Row, name: str) -> Any:
    if name not in row:
        raise Refusal(400, 1512, f"AQL: unknown variable '{name}'")
    return row[name]


def _attribute(of: Any, name: str) -> Any:
    return of.get(name) if isinstance(of, dict) else None


def _selected(of: Worth, condition: Worth) -> Worth:
    def work(row: Row) -> list[Any]:
        found = of(row)
        return [one for one in found if truth(condition({**row, "CURRENT": one}))] if isinstance(found, list) else []

    return work


def _operation(sign: str, parts: list[Worth]) -> Worth:
    if sign == "AND":
        return lambda row: all(truth(one(row)) for one in parts)
    if sign == "OR":
        return lambda row: any(truth(one(row)) for one in parts)
    if sign == "NOT":
        return lambda row: not truth(parts[0](row))
    left, right = parts
    return lambda row: _OPERATIONS[sign](left(row), right(row))


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) else 0


def _among(value: Any, several: Any) -> bool:
    return isinstance(several, list) and value in several


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda left, right: order(left) == order(right),
    "!=": lambda left, right: order(left) != order(right),
    "<": lambda left, right: order(left) < order(right),
    "<=": lambda left, right: order(left) <= order(right),
    ">": lambda left, right: order(left) > order(right),
    ">=": lambda left, right: order(left) >= order(right),
    "IN": _among,
    "NOT IN": lambda left, right: not _among(left, right),
    "ANY IN": lambda left, right: isinstance(left, list) and any(_among(one, right) for one in left),
    "+": lambda left, right: _number(left) + _number(right),
    "-": lambda left, right: _number(left) - _number(right),
    "*": lambda left, right: _number(left) * _number(right),
    "/": lambda left, right: _number(left) / _number(right) if _number(right) else None,
}


def _call(name: str, arguments: list[Worth]) -> Worth:
    if name in NEAR:
        # Where no vector index is used, there is nothing behind the function.
        raise not_applied(f"{name} is not used as a vector index can answer it")
    if name == "BM25":
        if len(arguments) not in {1, 3}:
            raise Refusal(400, 1541, "AQL: invalid number of arguments for function 'BM25()'")
        return lambda row: arguments[0](row)["$score"](*(one(row) for one in arguments[1:]))
    if name not in _FUNCTIONS:
        raise Refusal(400, 1540, f"AQL: usage of unknown function '{name}()'")
    least, most, function = _FUNCTIONS[name]
    if not least <= len(arguments) <= most:
        raise Refusal(400, 1541, f"AQL: invalid number of arguments for function '{name}()'")
    return lambda row: function(*(one(row) for one in arguments))


def _vectors(left: Any, right: Any) -> tuple[Any, Any] | None:
    if not isinstance(left, list) or not isinstance(right, list) or len(left) != len(right):
        return None  # and a warning, which nobody reads
    return np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)


def _cosine(left: Any, right: Any) -> float | None:
    pair = _vectors(left, right)
    if pair is None:
        return None
    lengths = float(np.linalg.norm(pair[0]) * np.linalg.norm(pair[1]))
    return float(np.clip(pair[0] @ pair[1] / lengths, -1, 1)) if lengths else None


def _distance(left: Any, right: Any) -> float | None:
    pair = _vectors(left, right)
    return None if pair is None else float(np.linalg.norm(pair[0] - pair[1]))


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list | dict | str) else 0


def _intersection(*several: Any) -> list[Any] | None:
    if not all(isinstance(one, list) for one in several):
        return None
    first, *others = several
    return [one for one in dict.fromkeys(first) if all(one in other for other in others)]


_FUNCTIONS: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "COSINE_SIMILARITY": (2, 2, _cosine),
    "L2_DISTANCE": (2, 2, _distance),
    "LENGTH": (1, 1, _length),
    "FIRST": (1, 1, lambda value: value[0] if isinstance(value, list) and value else None),
    "NOT_NULL": (1, 99, lambda *several: next((one for one in several if one is not None), None)),
    "INTERSECTION": (2, 99, _intersection),
    "SPLIT": (2, 2, lambda text, at: text.split(at) if isinstance(text, str) else [text]),
}


def constant(expression: Expression, row: Row) -> Any:
    """Returns what an expression is worth that may read variables, and no subquery."""

    def never(steps: tuple[Step, ...], row: Row) -> list[Any]:
        raise syntax("a subquery cannot stand here")

    return compiled(expression, never)(row)
