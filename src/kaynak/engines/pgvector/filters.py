"""Filters in SQL, with a way of its own for who may read: a condition of nearly every search of a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kaynak.domain import And, Condition, Filter, Op
from kaynak.domain.filter_sql import to_sql
from kaynak.domain.filters import READERS

# Names of lists of readers; of what has none, an empty name. An index on it answers both kinds of row at once: as two
# conditions with OR between them, one of which is that something is missing, they make the planner read the table.
# It costs so much for the planner to look the names up, and not to call it for each row of the table.
# Schemas are named for the time when a dump is restored, where none is looked through.
FUNCTION = f"""
CREATE OR REPLACE FUNCTION kaynak_index.readers(payload jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS $$
    SELECT CASE pg_catalog.jsonb_typeof(payload OPERATOR(pg_catalog.->) '{READERS}')
        WHEN 'array' THEN
            ARRAY(SELECT pg_catalog.jsonb_array_elements_text(payload OPERATOR(pg_catalog.->) '{READERS}'))
        ELSE CASE WHEN payload OPERATOR(pg_catalog.?) '{READERS}' THEN '{{}}' ELSE '{{""}}' END::text[]
    END
$$;
"""
"""Makes the function that `Where.indexed` and the index of readers call."""

_NOBODY = ""


@dataclass(frozen=True, slots=True)
class Where:
    """A filter as conditions that mean the same.

    Attributes:
        indexed: For looking matches up: the index of readers answers its part of it.
        plain: For looking at one row after the other: cheap for each.
        params: Of both.
        steady: Whether one plan is good for it, whatever the values.
    """

    indexed: str
    plain: str
    params: dict[str, Any]
    steady: bool


def where(condition: Filter | None) -> Where:
    """Returns the conditions on the column ``payload`` for a filter, with parameters as psycopg names them.

    Args:
        condition: The filter; None holds for every row.

    Raises:
        InvalidFilter: It orders by a string that PostgreSQL cannot hold.
    """
    parts = condition.parts if isinstance(condition, And) else () if condition is None else (condition,)
    others: list[Filter] = []
    indexed: list[str] = []
    plain: list[str] = []
    params: dict[str, Any] = {}
    for part in parts:
        names = _readers(part)
        if names is None:
            others.append(part)
            continue
        key = f"readers_{len(params)}"
        params[key] = names
        named = f"payload->'{READERS}' ?| %({key})s::text[]"
        plain.append(f"(NOT payload ? '{READERS}' OR {named})" if _NOBODY in names else named)
        indexed.append(f"kaynak_index.readers(payload) && %({key})s::text[]")
    rest, more = to_sql(And(tuple(others)) if others else None, "payload", style="pyformat")
    return Where(" AND ".join([*indexed, rest]), " AND ".join([*plain, rest]), {**params, **more}, steady=not others)


def _readers(part: Filter) -> list[str] | None:
    """Returns the names that a list of readers must have one of; None if ``part`` is something else."""
    if not isinstance(part, Condition) or part.field != READERS or part.op is not Op.IN:
        return None
    values = part.value if isinstance(part.value, tuple) else ()
    names = [_NOBODY if value is None else value for value in values if value is None or isinstance(value, str)]
    return names if len(names) == len(values) and _NOBODY not in values else None
