"""Filters as conditions on a JSONB column of PostgreSQL, exactly as `kaynak.domain.filters.matches` means them.

Everything becomes ``column @? jsonpath``, because jsonpath in its lax mode walks as our filters do: a key is
looked up in each object of an array on the way. It also compares strings by code points and numbers exactly,
and a GIN index on the column (``jsonb_path_ops`` or ``jsonb_ops``) answers ``$eq``, ``$in`` and ``$all``.
Values travel in bind parameters only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Literal

from kaynak.domain.errors import InvalidFilter
from kaynak.domain.filters import And, Condition, Filter, Not, Op, Or
from kaynak.domain.parsed import JsonScalar

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SIGNS = {Op.GT: ">", Op.GTE: ">=", Op.LT: "<", Op.LTE: "<="}
_TRUE, _FALSE = "TRUE", "FALSE"


def to_sql(
    condition: Filter | None,
    column: str,
    *,
    prefix: str = "filter_",
    style: Literal["named", "pyformat"] = "named",
    system_column: str | None = None,
) -> tuple[str, dict[str, object]]:
    """Builds the SQL condition for a filter.

    Args:
        condition: The filter; None holds for every row.
        column: SQL expression of type JSONB that is the payload and never null; not quoted here.
        prefix: Begins the names of the parameters, so that several conditions fit in one statement.
        style: How parameters are written: ``:name`` (SQLAlchemy) or ``%(name)s`` (psycopg).
        system_column: Another expression for fields whose name begins with ``_``, where those are not in
            ``column``.

    Returns:
        The condition, which is never null, and its parameters, all of them strings.

    Raises:
        InvalidFilter: It orders by a string that PostgreSQL cannot hold.
    """
    builder = _Builder(column, system_column or column, prefix, style)
    return (_TRUE if condition is None else builder.build(condition)), dict(builder.params)


class _Builder:
    def __init__(self, column: str, system_column: str, prefix: str, style: str) -> None:
        self.params: dict[str, object] = {}
        self._column = column
        self._system_column = system_column
        self._prefix = prefix
        self._placeholder = ":{}" if style == "named" else "%({})s"

    def build(self, condition: Filter) -> str:
        match condition:
            case And(parts):
                return self._joined(parts, "AND", _TRUE)
            case Or(parts):
                return self._joined(parts, "OR", _FALSE)
            case Not(part):
                return f"NOT {self.build(part)}"
            case Condition():
                return self._condition(condition)

    def _joined(self, parts: Sequence[Filter], word: str, empty: str) -> str:
        if not parts:
            return empty
        return "(" + f" {word} ".join(self.build(part) for part in parts) + ")"

    def _condition(self, condition: Condition) -> str:
        value = condition.value
        many = value if isinstance(value, tuple) else (value,)
        match condition.op:
            case Op.EXISTS:
                return self._exists(condition.field) if value else f"NOT {self._exists(condition.field)}"
            case Op.EQ | Op.IN:
                return self._equals_any(condition.field, many)
            case Op.NE | Op.NIN:
                return f"NOT {self._equals_any(condition.field, many)}"
            case Op.ALL:
                each = [self._equals_any(condition.field, (item,)) for item in many]
                return "(" + " AND ".join(each) + ")" if each else _FALSE
            case op:
                return self._ordered(condition.field, op, many[0])

    def _exists(self, field: str) -> str:
        return self._at(field, "")

    def _equals_any(self, field: str, wanted: Sequence[JsonScalar]) -> str:
        tests = [test for item in wanted if (test := _equality(item))]
        found = self._at(field, f" ? ({_balanced(tests)})") if tests else _FALSE
        if None in wanted:
            return f"({found} OR NOT {self._exists(field)})"
        return found

    def _ordered(self, field: str, op: Op, bound: JsonScalar) -> str:
        kind = _kind(bound)
        if kind not in {"string", "number"}:
            return _FALSE
        literal = _literal(bound)
        if literal is None:
            raise InvalidFilter(
                f"{field}.{op}: the value has a character that cannot be stored (NUL or a lone surrogate)."
            )
        return self._at(field, f' ? (@ {_SIGNS[op]} {literal} && @.type() == "{kind}")')

    def _at(self, field: str, rest: str) -> str:
        if _UNSTORABLE.search(field):
            return _FALSE  # no stored payload has such a key
        path = "$" + "".join("." + json.dumps(step) for step in field.split("."))
        name = f"{self._prefix}{len(self.params)}"
        self.params[name] = path + rest
        column = self._system_column if field.startswith("_") else self._column
        return f"({column} @? CAST({self._placeholder.format(name)} AS jsonpath))"


def _equality(value: JsonScalar) -> str | None:
    """Returns the jsonpath test for one value; None if no stored value equals it.

    The test of the type keeps jsonpath from looking into an array within an array. It takes as long as the other one,
    and comes last, so that what is not equal is spared it.
    """
    literal = _literal(value)
    return literal and f'(@ == {literal} && @.type() == "{_kind(value)}")'


def _kind(value: JsonScalar) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


def _literal(value: JsonScalar) -> str | None:
    if isinstance(value, str):
        return None if _UNSTORABLE.search(value) else json.dumps(value)
    if isinstance(value, float) and value.is_integer():
        # As exact as Python compares it: 1e23 is not 10 ** 23.
        return str(int(value))
    return json.dumps(value)


def _balanced(tests: Sequence[str]) -> str:
    """Joins by ``||`` as a balanced tree: PostgreSQL's parser descends into it recursively."""
    if len(tests) == 1:
        return tests[0]
    middle = len(tests) // 2
    return f"({_balanced(tests[:middle])} || {_balanced(tests[middle:])})"
