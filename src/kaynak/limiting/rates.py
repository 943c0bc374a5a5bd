"""Who spends from which bucket."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from enum import StrEnum

from kaynak.domain import OWNER, RateLimited, Scope
from kaynak.limiting.protocol import Budget, Demand, Limiter, Standing


class Purpose(StrEnum):
    """What a token is spent on; each has buckets of its own."""

    GENERAL = "general"
    ASK = "ask"
    UPLOAD = "upload"
    KEY = "key"
    """Whatever is done with one API key, beside what its person may do altogether."""
    ADDRESS = "address"
    """Requests from an address that do not say who asks, or say it wrongly."""
    SIGN_IN = "sign-in"


class Rates:
    """The limits on how often somebody may ask.

    Args:
        limiter: Keeps the buckets.
        a_minute: Tokens of each purpose's buckets; 0, or absent, for as many as one likes.
    """

    def __init__(self, limiter: Limiter, a_minute: Mapping[Purpose, int]) -> None:
        self._limiter = limiter
        self._budgets = {purpose: Budget(purpose.value, count) for purpose, count in a_minute.items() if count > 0}

    async def spend(self, scope: Scope, purpose: Purpose = Purpose.GENERAL) -> list[Standing]:
        """Takes a token of the person, and of the key if one is used.

        Where nobody has to sign in, nothing is counted: that is the owner at their own machine.

        Returns:
            How the buckets stand; see `refusal`.
        """
        if scope.subject == OWNER.subject:
            return []
        whose = [(purpose, scope.subject)]
        if scope.key is not None:
            whose.append((Purpose.KEY, str(scope.key)))
        return await self._take(whose)

    async def strange(self, address: str) -> list[Standing]:
        """Takes a token of an address whose request does not say, or not rightly, who asks."""
        return await self._take([(Purpose.ADDRESS, network_of(address))])

    async def sign_in(self, address: str, account: str) -> list[Standing]:
        """Takes a token of the address and of the account, before a password is looked at.

        Args:
            address: Of the client.
            account: As it was typed; it need not exist.
        """
        return await self._take(
            [(Purpose.SIGN_IN, network_of(address)), (Purpose.SIGN_IN, "account " + account.strip().casefold())]
        )

    async def close(self) -> None:
        """Lets go of the limiter."""
        await self._limiter.close()

    async def _take(self, whose: Sequence[tuple[Purpose, str]]) -> list[Standing]:
        demands = [Demand(_digest(name), budget) for purpose, name in whose if (budget := self._budgets.get(purpose))]
        return await self._limiter.take(demands) if demands else []


def refusal(standings: Sequence[Standing]) -> RateLimited | None:
    """Returns the error for what was refused; None if nothing was."""
    refused = [standing for standing in standings if standing.refused]
    if not refused:
        return None
    worst = max(refused, key=lambda standing: standing.retry_after)
    budget = worst.budget
    return RateLimited(
        f"More than {budget.count} requests in {budget.seconds:g} seconds (budget “{budget.name}”).",
        retry_after=worst.retry_after,
    )


def network_of(address: str) -> str:
    """Returns what counts as one address: of IPv6 the /64, which a single household has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "address unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return f"address {ipaddress.ip_network((found, 64), strict=False).network_address}"
        found = found.ipv4_mapped
    return f"address {found}"


def _digest(name: str) -> str:
    """Returns a name of fixed length that gives nobody's away."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
