from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol


class LimiterUnavailable(Exception):
    """The limiter does not answer now. Nobody sees this: another one stands in."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A token bucket: it holds ``count`` tokens at most, and ``count`` of them come back evenly in ``seconds``.

    Attributes:
        name: For people and headers: lower-case letters and hyphens.
        count: At least 1.
        seconds: More than 0.
    """

    name: str
    count: int
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Demand:
    """A token out of the bucket of ``key``.

    Attributes:
        key: Whose bucket: short, printable ASCII. Buckets of different budgets do not mix.
        budget: Its size.
    """

    key: str
    budget: Budget

    @property
    def name(self) -> str:
        """The name of the bucket; a budget that is changed by the settings begins anew."""
        return f"{self.budget.name}:{self.budget.count}/{self.budget.seconds:g}:{self.key}"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a bucket is after a demand.

    Attributes:
        budget: Its size.
        missing: Seconds until it is full again.
        refused: Whether it lacked the token.
    """

    budget: Budget
    missing: float
    refused: bool

    @property
    def remaining(self) -> int:
        """Tokens that are left."""
        # A microsecond of rounding must not cost a token.
        left = (self.budget.seconds - self.missing) * self.budget.count / self.budget.seconds
        return max(0, min(self.budget.count, int(left + 1e-3)))

    @property
    def retry_after(self) -> float:
        """Seconds until the next token; 0 where one is there."""
        return max(0.0, self.missing + self.budget.seconds / self.budget.count - self.budget.seconds)

    @property
    def reset(self) -> int:
        """Whole seconds until the bucket is full again."""
        return ceil(self.missing)


class Limiter(Protocol):
    """Token buckets by name."""

    async def take(self, demands: Sequence[Demand]) -> list[Standing]:
        """Takes a token out of each bucket; if one has none, out of none.

        Two that take at once never get the same token.

        Returns:
            How each bucket stands, in the order of ``demands``.

        Raises:
            LimiterUnavailable: It does not answer.
        """
        ...

    async def close(self) -> None:
        """Lets go of connections and memory."""
        ...
