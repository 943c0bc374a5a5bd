from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Hashable

import numpy as np

from kaynak.domain import And, Condition, Filter, JsonScalar, Not, Op, Or
from kaynak.engines.faiss.store import Connection
from kaynak.engines.faiss.vectors import Mask
from kaynak.engines.payload_terms import NULL, NUMBER, PRESENT, STRING, path_key, value_key

_AFTER = {NUMBER: "o", STRING: "t"}

_REMEMBERED = 64
_LONGEST = 20_000
"""Characters of filters that are remembered."""

_TERM = "term = ?"
_TERMS = "term IN (SELECT value FROM json_each(?))"
_RANGES = {
    Op.GT: "term > ? AND term < ?",
    Op.GTE: "term >= ? AND term < ?",
    Op.LT: "term < ? AND term >= ?",
    Op.LTE: "term <= ? AND term >= ?",
}


class Filters:
    """Which payloads match, remembered for the filters that were used last. Thread-safe.

    A payload never changes under its number, so what is known of a filter stays true: only payloads that came since
    are looked at.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Mask] = OrderedDict()
        self._lock = threading.Lock()

    def matching(self, connection: Connection, last: int, condition: Filter) -> tuple[Hashable, Mask]:
        """Returns a name for the filter, and whether it holds, by number of payload up to the last one."""
        key = _key(condition)
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
        start = 0 if known is None else len(known)
        if known is None or start <= last:
            new = _Span(connection, start, last + 1).matching(condition)
            known = new if known is None else np.concatenate([known, new])
            self._note(condition, key, known)
        return key, known

    def _note(self, condition: Filter, key: Hashable, known: Mask) -> None:
        if len(repr(condition)) > _LONGEST:
            return
        with self._lock:
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


def _key(condition: Filter) -> Hashable:
    """Returns what tells filters apart: not they themselves, in which 1 and true are equal."""
    match condition:
        case And(parts) | Or(parts):
            return type(condition), tuple([_key(part) for part in parts])
        case Not(part):
            return Not, _key(part)
        case Condition():
            value = condition.value
            kinds = tuple(map(type, value)) if isinstance(value, tuple) else type(value)
            return condition.field, condition.op, value, kinds


class _Span:
    """Answers filters for the payloads with numbers from ``start`` to below ``end``."""

    def __init__(self, connection: Connection, start: int, end: int) -> None:
        self._connection = connection
        self._start = start
        self._end = max(start, end)

    def matching(self, condition: Filter) -> Mask:
        match condition:
            case And(parts):
                return self._every([self.matching(part) for part in parts])
            case Or(parts):
                return ~self._every([~self.matching(part) for part in parts])
            case Not(part):
                return ~self.matching(part)
            case Condition():
                return self._compare(condition)

    def _compare(self, condition: Condition) -> Mask:
        key, value = path_key(condition.field), condition.value
        many = value if isinstance(value, tuple) else (value,)
        match condition.op:
            case Op.EXISTS:
                present = self._having(_TERM, key + PRESENT)
                return present if value else ~present
            case Op.EQ | Op.IN:
                return self._equal(key, many)
            case Op.NE | Op.NIN:
                return ~self._equal(key, many)
            case Op.ALL:
                return self._every([self._equal(key, (one,)) for one in many]) if many else self._all(False)
            case _:
                return self._ordered(key, condition.op, many[0])

    def _equal(self, key: str, values: tuple[JsonScalar, ...]) -> Mask:
        terms = [key + value_key(value) for value in values if value is not None]
        if not any(value is None for value in values):
            return self._having(_TERMS, json.dumps(terms))
        return self._having(_TERMS, json.dumps([*terms, key + NULL])) | ~self._having(_TERM, key + PRESENT)

    def _ordered(self, key: str, op: Op, bound: JsonScalar) -> Mask:
        if bound is None or isinstance(bound, bool):
            return self._all(False)
        kind = STRING if isinstance(bound, str) else NUMBER
        other = key + (_AFTER[kind] if op in {Op.GT, Op.GTE} else kind)
        return self._having(_RANGES[op], key + value_key(bound), other)

    def _having(self, terms: str, *params: str) -> Mask:
        found = self._connection.execute(
            f"SELECT payload FROM postings WHERE {terms} AND payload >= ? AND payload < ?",  # noqa: S608 - ours
            [*params, self._start, self._end],
        ).fetchall()
        mask = self._all(False)
        mask[np.fromiter((one for (one,) in found), dtype=np.int64, count=len(found)) - self._start] = True
        return mask

    def _every(self, masks: list[Mask]) -> Mask:
        found = self._all(True)
        for mask in masks:
            found &= mask
        return found

    def _all(self, value: bool) -> Mask:
        return np.full(self._end - self._start, value)
