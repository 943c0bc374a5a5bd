"""Filters on metadata: a typed tree, its Mongo-style JSON form, and its reference meaning.

The meaning, which every engine must reproduce exactly:

* A field is a dotted path into the payload. Where a step meets an array of objects, it fans out over them.
* A comparison holds if the value at the path, or any element of an array there, satisfies it.
* Values compare only with their own kind: numbers (``1 == 1.0``; booleans are no numbers; see `exact`) by size,
  strings by code points (so ISO 8601 dates compare as dates), booleans by equality only.
* ``$eq: null`` holds where the field is null or missing; ``$ne`` and ``$nin`` are the negations of ``$eq``
  and ``$in``, so they hold where the field is missing.
* ``$exists`` asks whether the path is present; a null is present.
* ``$all`` holds if every listed value satisfies ``$eq``.

Payload keys that begin with ``_`` are ours: ``_id`` (external id), ``_type`` (media type), ``_language``,
``_title``, ``_created`` and ``_updated`` (UTC, ``YYYY-MM-DDTHH:MM:SSZ``). What is indexed of a document with a list of
readers also has ``_readers``, the ids in that list, which callers cannot name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from kaynak.domain.errors import InvalidFilter
from kaynak.domain.parsed import Json, JsonScalar

READERS = "_readers"
"""What engines are told of who may read a document; no filter of a caller can name it. See `may_read`."""

MAX_DEPTH = 16
MAX_NODES = 1000
MOST_NUMBER = 1e300
"""Numbers in metadata and filters are below this."""


class Op(StrEnum):
    """Comparison operators."""

    EQ = "$eq"
    NE = "$ne"
    GT = "$gt"
    GTE = "$gte"
    LT = "$lt"
    LTE = "$lte"
    IN = "$in"
    NIN = "$nin"
    ALL = "$all"
    EXISTS = "$exists"


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison.

    Attributes:
        field: Dotted path.
        op: The operator.
        value: A scalar; a tuple of scalars for ``$in``, ``$nin`` and ``$all``; a bool for ``$exists``.
    """

    field: str
    op: Op
    value: JsonScalar | tuple[JsonScalar, ...]


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold; an empty conjunction holds."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Some part holds; an empty disjunction does not."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Filter


Filter: TypeAlias = Condition | And | Or | Not


def parse_filter(value: object) -> Filter | None:
    """Builds the typed tree from its JSON form.

    Args:
        value: ``{"year": {"$gte": 2020}, "$or": [{"team": "hr"}, {"team": {"$exists": False}}]}``.

    Returns:
        The tree, or None for None and ``{}``: no condition.

    Raises:
        InvalidFilter: The message names the place and what is allowed there.
    """
    if value is None or value == {}:
        return None
    budget = [MAX_NODES]
    return _group(value, "filter", 0, budget)


def _group(value: object, path: str, depth: int, budget: list[int]) -> Filter:
    if not isinstance(value, Mapping):
        raise InvalidFilter(f"{path} must be an object, not {_kind(value)}.")
    budget[0] -= 1
    if depth > MAX_DEPTH or budget[0] < 0:
        raise InvalidFilter(
            f"{path}: the filter is nested deeper than {MAX_DEPTH} or has over {MAX_NODES} parts.",
            hint="Use $in for long lists of values.",
        )
    parts = tuple(_entry(key, inner, path, depth, budget) for key, inner in value.items())
    return parts[0] if len(parts) == 1 else And(parts)


def _entry(key: object, inner: object, path: str, depth: int, budget: list[int]) -> Filter:
    if not isinstance(key, str) or not key:
        raise InvalidFilter(f"{path} has a key that is not a field name.")
    here = f"{path}.{key}"
    if key in {"$and", "$or"}:
        if not isinstance(inner, Sequence) or isinstance(inner, str) or not inner:
            raise InvalidFilter(f"{here} must be a non-empty list of filters.")
        parts = tuple(_group(part, f"{here}[{i}]", depth + 1, budget) for i, part in enumerate(inner))
        return And(parts) if key == "$and" else Or(parts)
    if key == "$not":
        return Not(_group(inner, here, depth + 1, budget))
    if key.startswith("$"):
        raise InvalidFilter(f"{here}: {key} is not an operator here.", hint="Use $and, $or or $not.")
    if key.partition(".")[0] == READERS:
        raise InvalidFilter(f"{here}: {READERS} is no field of filters.", hint="Choose another field.")
    if "\x00" in key or not all(key.split(".")):
        raise InvalidFilter(f"{here}: the field path has an empty step or a NUL character.")
    if isinstance(inner, Mapping):
        return _operators(key, inner, here, depth, budget)
    return Condition(key, Op.EQ, _scalar(inner, here))


def _operators(field: str, inner: Mapping[object, object], here: str, depth: int, budget: list[int]) -> Filter:
    if not inner:
        raise InvalidFilter(f"{here} has no operator.", hint='Write {"field": {"$eq": value}}.')
    parts: list[Filter] = []
    for name, value in inner.items():
        budget[0] -= 1
        if name == "$not":
            parts.append(Not(_entry(field, value, here, depth + 1, budget)))
            continue
        try:
            op = Op(str(name))
        except ValueError as exc:
            known = " ".join(Op)
            raise InvalidFilter(f"{here}: {str(name)[:40]} is not an operator.", hint=f"Use {known} $not.") from exc
        parts.append(Condition(field, op, _operand(op, value, f"{here}.{name}")))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _operand(op: Op, value: object, here: str) -> JsonScalar | tuple[JsonScalar, ...]:
    if op is Op.EXISTS:
        if not isinstance(value, bool):
            raise InvalidFilter(f"{here} must be true or false, not {_kind(value)}.")
        return value
    if op in {Op.IN, Op.NIN, Op.ALL}:
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > 10_000:
            raise InvalidFilter(f"{here} must be a list of at most 10,000 values.")
        return tuple(_scalar(item, f"{here}[{i}]") for i, item in enumerate(value))
    scalar = _scalar(value, here)
    if op not in {Op.EQ, Op.NE} and (scalar is None or isinstance(scalar, bool)):
        raise InvalidFilter(f"{here} orders numbers and strings, not {_kind(value)}.")
    return scalar


def _scalar(value: object, here: str) -> JsonScalar:
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        return moment.strftime("%Y-%m-%dT%H:%M:%S") + ("Z" if value.tzinfo else "")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        if any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in value):
            raise InvalidFilter(f"{here} has a character that cannot be stored (NUL or a lone surrogate).")
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < MOST_NUMBER:
        return exact(value)
    raise InvalidFilter(f"{here} must be a string, a finite number, true, false or null, not {_kind(value)}.")


def exact(value: int | float) -> int | float:
    """Returns a number as metadata and filters keep it, whoever read it: 10 ** 23 and 1e23 are one number.

    PostgreSQL keeps numbers as they are written; readers of JSON make floats of integers that have more than 64 bits,
    or keep them as they are. So these are what a float makes of them, and floats without a fraction are integers.
    """
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else int(float(value))
    return int(value) if abs(value) >= 2**53 else value


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def may_read(principals: Iterable[UUID]) -> Filter:
    """Returns the filter of what has no list of readers, or one with somebody of ``principals``."""
    # None among the values means a field that is missing: one condition, which engines answer from one index.
    return Condition(READERS, Op.IN, (None, *sorted(map(str, principals))))


def matches(condition: Filter | None, payload: Mapping[str, Json]) -> bool:
    """Returns whether ``payload`` satisfies the filter: the reference that every engine must agree with."""
    match condition:
        case None:
            return True
        case And(parts):
            return all(matches(part, payload) for part in parts)
        case Or(parts):
            return any(matches(part, payload) for part in parts)
        case Not(part):
            return not matches(part, payload)
        case Condition():
            return _holds(condition, payload)


def _holds(condition: Condition, payload: Mapping[str, Json]) -> bool:
    found = list(_values(payload, condition.field.split(".")))
    present = bool(found)
    leaves = [leaf for value in found for leaf in leaves_of(value)]
    value = condition.value
    many = value if isinstance(value, tuple) else (value,)
    match condition.op:
        case Op.EXISTS:
            return present is value
        case Op.EQ | Op.IN:
            return any(_equal_any(leaves, item, present=present) for item in many)
        case Op.NE | Op.NIN:
            return not any(_equal_any(leaves, item, present=present) for item in many)
        case Op.ALL:
            return bool(many) and all(_equal_any(leaves, item, present=present) for item in many)
        case _:
            return any(_ordered(condition.op, leaf, many[0]) for leaf in leaves)


def _values(node: Json, steps: list[str]) -> Iterator[Json]:
    """Yields what lies at the path; fans out over arrays of objects on the way."""
    if not steps:
        yield node
    elif isinstance(node, Mapping):
        if steps[0] in node:
            yield from _values(node[steps[0]], steps[1:])
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for item in node:
            if isinstance(item, Mapping):
                yield from _values(item, steps)


def leaves_of(value: Json) -> Iterator[JsonScalar]:
    """Yields the scalar itself, or the scalars of an array (one level); objects have none."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            if item is None or isinstance(item, str | int | float):
                yield item
    elif not isinstance(value, Mapping):
        yield value


def _equal_any(leaves: Sequence[JsonScalar], wanted: JsonScalar, *, present: bool) -> bool:
    if wanted is None:
        return not present or None in leaves
    return any(_same_kind(leaf, wanted) and leaf == wanted for leaf in leaves)


def _ordered(op: Op, leaf: JsonScalar, bound: JsonScalar) -> bool:
    if isinstance(leaf, bool) or not _same_kind(leaf, bound):
        return False
    below, equal = leaf < bound, leaf == bound  # type: ignore[operator]  # same kind, str or number
    return {Op.LT: below, Op.LTE: below or equal, Op.GT: not below and not equal, Op.GTE: not below}[op]


def _same_kind(left: JsonScalar, right: JsonScalar) -> bool:
    return _rank(left) == _rank(right)


def _rank(value: JsonScalar) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__
