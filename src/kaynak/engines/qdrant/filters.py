from __future__ import annotations

from dataclasses import dataclass

from kaynak.domain import And, Condition, Filter, JsonScalar, Not, Op, Or
from kaynak.engines.payload_terms import NULL, PRESENT, order_key, path_key, value_key
from kaynak.engines.qdrant.payloads import TENANT, TERMS, ordered_field, term_id
from kaynak.engines.qdrant.transport import EVERYTHING, NOTHING, Between, Clause, Ids, OneOf, PointId, Where

_TOLD_APART = 2.0**53


@dataclass(frozen=True, slots=True)
class Compiled:
    """A filter from both sides, as order keys cannot tell all values apart.

    Attributes:
        most: Holds for every point that matches, and maybe for others.
        least: Holds for no point that does not match.
    """

    most: Where
    least: Where

    @property
    def exact(self) -> bool:
        """Whether both say the same, so that nothing found needs to be looked at."""
        return self.most is self.least or self.most == self.least

    @property
    def unsure(self) -> Where:
        """Holds for the points that must be looked at."""
        return Clause(must=(self.most,), must_not=(self.least,))

    def without(self, *ids: PointId) -> Compiled:
        """Returns the same without some points."""
        return Compiled(
            Clause(must=(self.most,), must_not=(Ids(ids),)), Clause(must=(self.least,), must_not=(Ids(ids),))
        )


_ALL = Compiled(EVERYTHING, EVERYTHING)


def compile_filter(condition: Filter | None, tenant: str | None = None) -> Compiled:
    """Returns a filter as conditions on stored payloads.

    Args:
        condition: The filter; None holds for every point.
        tenant: The path whose values stand in a field of their own.
    """
    match condition:
        case None:
            return _ALL
        case And(parts):
            both = [compile_filter(part, tenant) for part in parts]
            return Compiled(_all([one.most for one in both]), _all([one.least for one in both]))
        case Or(parts):
            both = [compile_filter(part, tenant) for part in parts]
            return Compiled(_any([one.most for one in both]), _any([one.least for one in both]))
        case Not(part):
            inner = compile_filter(part, tenant)
            return Compiled(_not(inner.least), _not(inner.most))
        case Condition():
            return _compare(condition, tenant)


def _compare(condition: Condition, tenant: str | None) -> Compiled:
    path, value = condition.field, condition.value
    many = value if isinstance(value, tuple) else (value,)
    match condition.op:
        case Op.EXISTS:
            present = _term(path, PRESENT)
            where = present if value else _not(present)
        case Op.EQ | Op.IN:
            where = _equal(path, many, tenant)
        case Op.NE | Op.NIN:
            where = _not(_equal(path, many, tenant))
        case Op.ALL:
            where = _all([_equal(path, (one,), tenant) for one in many]) if many else NOTHING
        case _:
            return _ordered(condition.op, path, many[0])
    return Compiled(where, where)


def _equal(path: str, values: tuple[JsonScalar, ...], tenant: str | None) -> Where:
    terms = tuple(term_id(path_key(path) + value_key(value)) for value in values if value is not None)
    parts: list[Where] = [OneOf(TENANT if path == tenant else TERMS, terms)] if terms else []
    if any(value is None for value in values):
        parts += [_term(path, NULL), _not(_term(path, PRESENT))]
    return _any(parts)


def _ordered(op: Op, path: str, bound: JsonScalar) -> Compiled:
    """Values whose key is beyond that of the bound are surely beyond it; those with the same key may be.

    Numbers in the range in which floats tell all integers apart have a key to themselves.
    """
    key = order_key(bound)
    if key is None:
        return Compiled(NOTHING, NOTHING)
    field = ordered_field(path, bound)
    with_same: Where
    beyond: Where
    if op in {Op.GT, Op.GTE}:
        with_same, beyond = Between(field, gte=key), Between(field, gt=key)
    else:
        with_same, beyond = Between(field, lte=key), Between(field, lt=key)
    if not isinstance(bound, str) and abs(key) < _TOLD_APART:
        where = with_same if op in {Op.GTE, Op.LTE} else beyond
        return Compiled(where, where)
    return Compiled(with_same, beyond)


def _term(path: str, what: str) -> Where:
    return OneOf(TERMS, (term_id(path_key(path) + what),))


def _all(parts: list[Where]) -> Where:
    return parts[0] if len(parts) == 1 else Clause(must=tuple(parts))


def _any(parts: list[Where]) -> Where:
    # Without any part, Qdrant's "should" holds for every point.
    return (parts[0] if len(parts) == 1 else Clause(should=tuple(parts))) if parts else NOTHING


def _not(part: Where) -> Where:
    return Clause(must_not=(part,))
