"""The parts of a statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Value:
    """A constant, or what was bound."""

    value: Any


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable; ``CURRENT`` within an array expression."""

    name: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of something."""

    of: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Selected:
    """The elements of an array for which a condition holds."""

    of: Expression
    condition: Expression


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator and what it works on."""

    sign: str
    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """An array."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Mapped:
    """An object."""

    items: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Subquery:
    """A statement whose rows are an array."""

    steps: tuple[Step, ...]


Expression: TypeAlias = Value | Variable | Attribute | Selected | Operation | Call | Listing | Mapped | Subquery


@dataclass(frozen=True, slots=True)
class For:
    """Goes over something.

    Attributes:
        variable: For each of it.
        source: Name of a collection or view, or an expression.
        search: Condition on a view.
        options: Of the search.
    """

    variable: str
    source: str | Expression
    search: Expression | None
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Keep:
    """FILTER."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class Let:
    """LET."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Sort:
    """SORT: expressions, each with whether it falls."""

    by: tuple[tuple[Expression, bool], ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """LIMIT."""

    count: Expression


@dataclass(frozen=True, slots=True)
class Counted:
    """COLLECT WITH COUNT INTO."""

    name: str


@dataclass(frozen=True, slots=True)
class Remove:
    """REMOVE."""

    what: Expression
    collection: str


@dataclass(frozen=True, slots=True)
class Return:
    """RETURN."""

    value: Expression


Step: TypeAlias = For | Keep | Let | Sort | Limit | Counted | Remove | Return
