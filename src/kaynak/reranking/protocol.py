from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from kaynak.domain import RerankerUnavailable


class Reranker(Protocol):
    """Says how well passages answer a query.

    Scores are in [0, 1], and comparable among the passages of one call. Equal passages get equal scores, up to the
    precision of the model. It never blocks the event loop.
    """

    name: str
    """As people type it."""

    async def rerank(self, query: str, passages: Sequence[str]) -> list[float]:
        """Returns the score of each passage, in the order of the passages; higher is better.

        Raises:
            RerankerUnavailable: It does not answer; the order stays as it was.
            Misconfigured: It refuses the key, the model or the request.
        """
        ...

    async def close(self) -> None:
        """Frees what it holds. Later calls raise."""
        ...


def scores_of(pairs: Iterable[tuple[Any, Any]], count: int, title: str) -> list[float]:
    """Returns the scores of a service by the index of the passage.

    Raises:
        RerankerUnavailable: One is missing, comes twice, or is no number.
    """
    found: dict[int, float] = {}
    for index, score in pairs:
        fits = isinstance(index, int) and 0 <= index < count and index not in found
        if not fits or not isinstance(score, int | float) or not math.isfinite(score):
            raise RerankerUnavailable(f"{title} gave scores that belong to no passage.", hint="Try again.")
        found[index] = min(1.0, max(0.0, float(score)))
    if len(found) != count:
        raise RerankerUnavailable(f"{title} gave {len(found)} scores for {count} passages.", hint="Try again.")
    return [found[at] for at in range(count)]
