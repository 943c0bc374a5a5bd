"""Limits of how often somebody may ask, in HTTP: what is spent, and the headers that say so.

``RateLimit`` and ``RateLimit-Policy`` are those of draft-ietf-httpapi-ratelimit-headers (-08 and later).
"""

from __future__ import annotations

import math
from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from kaynak.domain import Scope
from kaynak.limiting import Purpose, Standing, refusal

if TYPE_CHECKING:
    from kaynak.app import Kaynak

_STANDINGS = "kaynak.rates"


async def spend(request: Request, kaynak: Kaynak, scope: Scope, purpose: Purpose) -> None:
    """Takes a token for the request.

    Raises:
        RateLimited: There is none.
    """
    settle(request, await kaynak.rates.spend(scope, purpose))


def settle(request: Request, standings: Sequence[Standing]) -> None:
    """Keeps how buckets stand for the headers of the answer.

    Raises:
        RateLimited: One of them refused.
    """
    request.scope.setdefault(_STANDINGS, []).extend(standings)
    error = refusal(standings)
    if error is not None:
        raise error


def client_address(request: Request) -> str:
    """Returns the address of the client, behind trusted proxies the one they tell; empty if there is none."""
    return request.client.host if request.client else ""


def rate_headers(scope: MutableMapping[str, Any]) -> list[tuple[bytes, bytes]]:
    """Returns the headers that tell how the buckets of a request stand; none where nothing is limited."""
    standings: list[Standing] = scope.get(_STANDINGS, [])
    if not standings:
        return []
    latest = {standing.budget.name: standing for standing in standings}.values()
    policies = ", ".join(f'"{one.budget.name}";q={one.budget.count};w={one.budget.seconds:.0f}' for one in latest)
    limits = ", ".join(f'"{one.budget.name}";r={one.remaining};t={one.reset}' for one in latest)
    return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", limits.encode())]


def retry_after(seconds: float | None) -> dict[str, str]:
    """Returns the header that says when to come again."""
    return {"Retry-After": str(max(1, math.ceil(seconds or 1)))}
