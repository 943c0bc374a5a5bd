"""Filters as Milvus says them, on terms (which see) and on the least and the greatest value of each path.

A comparison by order holds if any value of a path satisfies it, which is so if the greatest or the least one does.
Both are kept as text that sorts as the values do, so that Milvus compares exactly what `kaynak.domain.matches` does.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from kaynak.domain import And, Condition, Filter, InvalidFilter, JsonScalar, Not, Op, Or
from kaynak.engines.payload_terms import NULL, NUMBER, PRESENT, STRING, path_key, value_key

TERMS = "terms"
WORDS = "words"

LABELS = -(2**62)
"""Up to this id, rows are no points: they say what the index is, and which revision it reflects."""

SHEETS = LABELS - 2**61
"""From this id up to `LABELS`, rows say how many entries have a word; see `kaynak.engines.milvus.counting`."""

EVERYTHING = f"id > {LABELS}"
_NOTHING = "id in []"

_PATH = 32
_LONGEST = 2000
"""Characters of a value that are kept for comparison. A bound that is shorter is told apart from what is longer."""

_OF_A_KIND = "?"
"""Ends the term of what has any number, or any string, at a path. No value has it."""

_FEW = 32
"""Terms up to which milvus-lite is faster at looking for each in text than at reading lists in Python."""


def token(term: str) -> str:
    """Returns a term in 16 characters, none of which means anything to Milvus: 96 bits of a hash."""
    return base64.b64encode(hashlib.blake2b(term.encode(), digest_size=12).digest(), b"-.").decode()


def tokens(terms: Sequence[str]) -> list[str]:
    """Returns what filters look for in a payload, of which ``terms`` are the terms."""
    kinds = dict.fromkeys(term[: _PATH + 1] + _OF_A_KIND for term in terms if term[_PATH] in NUMBER + STRING)
    return [token(term) for term in [*terms, *kinds]]


def extremes(terms: Sequence[str]) -> dict[str, str]:
    """Returns the least and the greatest number and string of each path."""
    found: dict[str, str] = {}
    for term in terms:
        if term[_PATH] not in NUMBER + STRING:
            continue
        place, value = term[: _PATH + 1], term[_PATH:][:_LONGEST]
        found[place + "l"] = min(value, found.get(place + "l", value))
        found[place + "h"] = max(value, found.get(place + "h", value))
    return found


class FilterCompiler:
    """Turns filters into expressions.

    Args:
        words: Whether there are terms as text too: milvus-lite looks through that in C, and through lists in Python.
        lite: Whether milvus-lite answers, in this process or behind a port.
    """

    def __init__(self, *, words: bool, lite: bool) -> None:
        self._words = words
        self._lite = lite

    def compile(self, condition: Filter | None, *, negated: bool = False) -> str:
        """Returns an expression that holds where `kaynak.domain.matches` does.

        Args:
            condition: The filter.
            negated: Whether it is to be said of it that it does not hold.

        Raises:
            InvalidFilter: It orders by a text that is longer than what is kept of texts.
        """
        match condition:
            case None:
                return EVERYTHING
            case And(parts):
                return self._joined(" and ", [self.compile(part, negated=negated) for part in parts], EVERYTHING)
            case Or(parts):
                return self._joined(" or ", [self.compile(part, negated=negated) for part in parts], _NOTHING)
            case Not(part):
                return f"not ({self.compile(part, negated=True)})"
            case Condition():
                return self._compare(condition, negated=negated)

    def _compare(self, condition: Condition, *, negated: bool) -> str:
        key, value = path_key(condition.field), condition.value
        many = value if isinstance(value, tuple) else (value,)
        match condition.op:
            case Op.EXISTS:
                present = self._any([key + PRESENT])
                return present if value else f"not ({present})"
            case Op.EQ | Op.IN:
                return self._equal(key, many)
            case Op.NE | Op.NIN:
                return f"not ({self._equal(key, many)})"
            case Op.ALL:
                return self._joined(" and ", [self._equal(key, (one,)) for one in many], _NOTHING)
            case _:
                return self._ordered(key, condition.op, many[0], negated=negated)

    def _equal(self, key: str, values: Sequence[JsonScalar]) -> str:
        terms = [key + value_key(value) for value in values if value is not None]
        parts = [self._any(terms)] if terms else []
        if any(value is None for value in values):
            parts += [self._any([key + NULL]), f"not ({self._any([key + PRESENT])})"]
        return self._joined(" or ", parts, _NOTHING)

    def _ordered(self, key: str, op: Op, bound: JsonScalar, *, negated: bool) -> str:
        if bound is None or isinstance(bound, bool):
            return _NOTHING
        text = value_key(bound)
        if len(text) >= _LONGEST:
            raise InvalidFilter(
                "Milvus cannot order by so long a text.", hint=f"Compare with at most {_LONGEST // 2 - 1} bytes."
            )
        place = key + text[0]
        sign, end = {Op.GT: (">", "h"), Op.GTE: (">=", "h"), Op.LT: ("<", "l"), Op.LTE: ("<=", "l")}[op]
        compared = f'$meta["{place}{end}"] {sign} "{text}"'
        # Where there is no such value, a server says no, or does not know, which is yes as soon as it is negated;
        # milvus-lite may say anything.
        ruled_out = self._lite or negated
        return f"({self._any([place + _OF_A_KIND])} and {compared})" if ruled_out else compared

    def _any(self, terms: Sequence[str]) -> str:
        looked_for = [token(term) for term in terms]
        if self._words and len(looked_for) <= _FEW:
            return self._joined(" or ", [f'{WORDS} like "%|{one}|%"' for one in looked_for], _NOTHING)
        listed = ", ".join(f'"{one}"' for one in looked_for)
        return f"array_contains_any({TERMS}, [{listed}])"

    @staticmethod
    def _joined(word: str, parts: Sequence[str], none: str) -> str:
        if not parts:
            return none
        return parts[0] if len(parts) == 1 else "(" + word.join(parts) + ")"
