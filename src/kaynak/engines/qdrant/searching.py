from __future__ import annotations

from typing import NamedTuple

from kaynak.domain import Filter, matches
from kaynak.engines.checks import MAX_LIMIT
from kaynak.engines.qdrant.filters import Compiled
from kaynak.engines.qdrant.payloads import SOURCE, source_of
from kaynak.engines.qdrant.transport import Look, Transport

_TIES = 4
"""Asked for beyond the limit, as Qdrant does not say which of equal points comes first."""

_MARGIN = 16
"""The same by quantized vectors, where it also means that more are compared by the original ones."""

_MOST_TIES = 4 * MAX_LIMIT


class Best(NamedTuple):
    """The best points, best first; ``short`` if Qdrant had no more to give."""

    ids: tuple[int, ...]
    scores: tuple[float, ...]
    short: bool


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
    limit, asked = look.limit, look.limit + (_TIES if look.oversampling is None else _MARGIN)
    exact = where.exact
    payload = look.payload if exact else (*look.payload, SOURCE)
    while True:
        ef = look.ef and max(look.ef, asked)
        wanted = Look(look.using, look.vector, where.most, asked, look.exact, ef, look.oversampling, payload)
        rows = await transport.search(place, wanted)
        kept = rows if exact else [one for one in rows if matches(condition, source_of(one[2]))]
        ended = len(rows) < asked
        if ended or (len(kept) >= limit and (kept[limit - 1][0] != rows[-1][0] or asked >= _MOST_TIES)):
            break
        asked *= 4
    scored = sorted([(-sign * score, int(key)) for score, key, _ in kept])[:limit]
    return Best(tuple([key for _, key in scored]), tuple([-score for score, _ in scored]), ended and len(kept) < limit)
