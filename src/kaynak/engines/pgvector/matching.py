# ruff: noqa: S608 - names in statements are checked when an index is made; values are bound
from __future__ import annotations

from dataclasses import dataclass

from kaynak.domain import Filter
from kaynak.engines.pgvector.columns import column
from kaynak.engines.pgvector.filters import Where, where
from kaynak.engines.pgvector.spec import Layout
from kaynak.engines.protocol import VectorField


@dataclass(frozen=True, slots=True)
class Matching:
    """What matches a filter, in SQL.

    Attributes:
        where: The filter.
        rows: The rows, as what follows FROM; by way of their groups where these answer the filter.
        counted: A statement's ``SELECT n FROM …`` whose numbers add up to how many there are, each at least 1.
        present: What is to be added to conditions of `where` on the table.
    """

    where: Where
    rows: str
    counted: str
    present: str


def matching(layout: Layout, condition: Filter | None, field: VectorField | None = None) -> Matching:
    """Returns what matches ``condition``, and has a vector of ``field`` if there are several fields.

    Raises:
        InvalidFilter: It orders by a string that PostgreSQL cannot hold.
    """
    asked = where(condition)
    present = f" AND {column(field)} IS NOT NULL" if field is not None and len(layout.fields) > 1 else ""
    rows = f"{layout.table} WHERE {asked.plain}{present}"
    if condition is not None and layout.grouped:
        groups = f"{layout.groups} WHERE {asked.indexed}"
        rows = f"{layout.table} WHERE chunk_id = ANY(ARRAY(SELECT unnest(chunk_ids) FROM {groups})){present}"
        if not present:
            return Matching(asked, rows, f"SELECT cardinality(chunk_ids) AS n FROM {groups}", present)
    return Matching(asked, rows, f"SELECT 1 AS n FROM {rows}", present)
