from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kaynak.domain import Filter, Json, matches
from kaynak.engines.checks import MAX_LIMIT
from kaynak.engines.qdrant.filters import Compiled
from kaynak.engines.qdrant.payloads import SOURCE, source_of
from kaynak.engines.qdrant.transport import Look, Row, Transport

TIES = 16
"""Asked for beyond the limit, as Qdrant does not say which of equal points comes first."""

_MOST_TIES = 4 * MAX_LIMIT


@dataclass(frozen=True, slots=True)
class Best:
    """The best rows, each with its score; ``short`` if Qdrant had no more to give."""

    rows: tuple[tuple[float, int, Mapping[str, Json]], ...]
    short: bool

    @property
    def ids(self) -> tuple[int, ...]:
        """Their ids."""
        return tuple([key for _, key, _ in self.rows])

    @property
    def scores(self) -> tuple[float, ...]:
        """Their scores."""
        return tuple([score for score, _, _ in self.rows])


async def best(
    transport: Transport, place: str, look: Look, condition: Filter | None, where: Compiled, *, sign: float = 1.0
) -> Best:
    """Returns the best points that match, ties by id: asks for more until neither ties nor unsure matches are cut off.

    Args:
        transport: Where Qdrant is.
        place: The collection.
        look: The search, with the limit that is wanted; its condition is taken from ``where``.
        condition: The filter that ``where`` was compiled from.
        where: Whatever is not exact about it is looked at here.
        sign: -1 where Qdrant's score is a distance.
    """
    limit, asked = look.limit, look.limit + TIES
    exact = where.exact
    payload = look.payload if exact else (*look.payload, SOURCE)
    while True:
        ef = look.ef and max(look.ef, asked)
        wanted = Look(look.using, look.vector, where.most, asked, look.exact, ef, look.oversampling, payload)
        rows = await transport.search(place, wanted)
        kept = rows if exact else [row for row in rows if matches(condition, source_of(row.payload))]
        ended = len(rows) < asked
        if ended or (len(kept) >= limit and (kept[limit - 1].score != rows[-1].score or asked >= _MOST_TIES)):
            break
        asked *= 4
    return Best(_ordered(kept, sign)[:limit], short=ended and len(kept) < limit)


def _ordered(rows: list[Row], sign: float) -> tuple[tuple[float, int, Mapping[str, Json]], ...]:
    # By score and id, as which they are sorted without a look at the payload: no two have the same id.
    scored = sorted([(-sign * score, int(key), payload) for key, payload, score in rows])  # type: ignore[arg-type]
    return tuple([(-negated, key, payload) for negated, key, payload in scored])
