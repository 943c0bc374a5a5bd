from __future__ import annotations

from typing import Any, Literal

from kaynak.domain import And, Condition, Filter, JsonScalar, Not, Op, Or
from kaynak.engines.arangodb.aql import ALWAYS, NEVER, Dialect, joined, negated
from kaynak.engines.arangodb.terms import ENTRY, above, digits
from kaynak.engines.payload_terms import NULL, NUMBER, PRESENT, STRING, path_key, value_key

_AFTER = {NUMBER: "o", STRING: "t"}


class Conditions:
    """Turns filters into conditions on the terms of a record, and gathers the values that are bound in them.

    Args:
        dialect: Of the place where the conditions go.

    Attributes:
        binds: All values so far.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.binds: dict[str, Any] = {}

    def of(self, condition: Filter | None, *terms: str) -> str:
        """Returns a condition for the records that have all ``terms`` and match the filter.

        Args:
            condition: The filter; None matches all.
            terms: As they are stored. Without any, what is not a record of ours alone is meant.
        """
        having = [self._has(term) for term in terms or (ENTRY,)]
        return joined("AND", having if condition is None else [*having, self.matching(condition)])

    def matching(self, condition: Filter) -> str:
        """Returns a condition for the records that match the filter."""
        match condition:
            case And(parts):
                return self._all([self.matching(part) for part in parts])
            case Or(parts):
                return self._any([self.matching(part) for part in parts])
            case Not(part):
                return negated(self.matching(part))
            case Condition():
                return self._compare(condition)

    def _compare(self, condition: Condition) -> str:
        key, value = path_key(condition.field), condition.value
        many = value if isinstance(value, tuple) else (value,)
        match condition.op:
            case Op.EXISTS:
                present = self._has(digits(key + PRESENT))
                return present if value else negated(present)
            case Op.EQ | Op.IN:
                return self._equal(key, many)
            case Op.NE | Op.NIN:
                return negated(self._equal(key, many))
            case Op.ALL:
                return self._all([self._equal(key, (one,)) for one in many]) if many else NEVER
            case _:
                return self._ordered(key, condition.op, many[0])

    def _equal(self, key: str, values: tuple[JsonScalar, ...]) -> str:
        terms = [digits(key + value_key(value)) for value in values if value is not None]
        parts = [self._has_some(terms)] if terms else []
        if any(value is None for value in values):
            parts += [self._has(digits(key + NULL)), negated(self._has(digits(key + PRESENT)))]
        return self._any(parts)

    def _ordered(self, key: str, op: Op, bound: JsonScalar) -> str:
        if bound is None or isinstance(bound, bool):
            return NEVER
        kind = STRING if isinstance(bound, str) else NUMBER
        term, first, after = digits(key + value_key(bound)), digits(key + kind), digits(key + _AFTER[kind])
        low, high = {
            Op.GT: (above(term), after),
            Op.GTE: (term, after),
            Op.LT: (first, term),
            Op.LTE: (first, above(term)),
        }[op]
        return self._dialect.between.format(self._bind(low), self._bind(high))

    def _has(self, term: str) -> str:
        return self._dialect.one.format(self._bind(term))

    def _has_some(self, terms: list[str]) -> str:
        # Of these two only the first can be answered by the index of terms.
        return self._has(terms[0]) if len(terms) == 1 else self._dialect.some.format(self._bind(terms))

    def _bind(self, value: str | list[str]) -> str:
        name = f"t{len(self.binds)}"
        self.binds[name] = value
        return name

    def _all(self, parts: list[str]) -> str:
        return self._several("AND", parts) if parts else ALWAYS

    def _any(self, parts: list[str]) -> str:
        return self._several("OR", parts) if parts else NEVER

    def _several(self, word: Literal["AND", "OR"], parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else joined(word, parts)
