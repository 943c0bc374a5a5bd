from __future__ import annotations

from collections.abc import Mapping, Sequence

from kaynak.engines.milvus.entries import place_of
from kaynak.engines.milvus.reading import Reads
from kaynak.engines.scoring import Plan

_TIES = 4
"""Asked for beyond the limit, as Milvus does not know which of equal rows has the smaller id."""

_MOST = 16_000
"""Milvus gives at most 16,384."""


def best(
    reads: Reads, weights: Mapping[int, float], expression: str, limit: int
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Returns ids and scores of the best, ties by id: asks for more until no tie of the last one is cut off."""
    asked = limit + _TIES
    while True:
        found = reads.nearest(weights, expression, asked, {})
        if len(found) < asked or found[limit - 1][0] > found[-1][0] or asked >= _MOST:
            break
        asked = min(_MOST, asked * 4)
    # All weights are above zero, and so is whatever has one of them.
    ranked = sorted((-score, key) for score, key in found if score > 0)[:limit]
    return tuple([key for _, key in ranked]), tuple([-score for score, _ in ranked])


def coverage_of(reads: Reads, plan: Plan, ids: Sequence[int]) -> tuple[float, ...]:
    """Returns the share of the query that each entry matched, by a second look at their words."""
    rows = reads.rows(f"id in {list(ids)}", ["vector"]) if ids else []
    shares = {int(row["id"]): _earned(plan, row["vector"]) for row in rows}
    return tuple(shares.get(key, 0.0) for key in ids)


def _earned(plan: Plan, places: Mapping[int, float]) -> float:
    earned = 0.0
    for one in plan.shares:
        if any(place_of(term) in places for term in one.stems):
            earned += one.share
        elif any(place_of(term) in places for term in one.prefixes):
            earned += one.share / 2
    return min(1.0, earned)
