from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from kaynak.domain import TokenUsage


@dataclass(frozen=True, slots=True)
class Limits:
    """What looking deeply may take, all together.

    Attributes:
        steps: Times that a model may choose what to do next.
        tokens: Of all calls of a model.
        seconds: After which nothing new is begun.
    """

    steps: int = 4
    tokens: int = 24_000
    seconds: float = 45.0


class Budget:
    """What is left of the limits.

    Attributes:
        usage: Tokens of the models so far; None if none was called, or it did not say.
        cost: US dollars so far; None where a price is not known.

    Args:
        limits: What there is.
        clock: Seconds that only rise.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.usage: TokenUsage | None = None
        self.cost: float | None = None
        self._limits = limits
        self._clock = clock
        self._until = clock() + limits.seconds
        self._steps = 0
        self._tokens = 0
        self._unpriced = False

    @property
    def seconds(self) -> float:
        """Seconds left; never less than 0."""
        return max(0.0, self._until - self._clock())

    @property
    def steps(self) -> int:
        """Steps left."""
        return self._limits.steps - self._steps

    def allows(self, tokens: int) -> bool:
        """Returns whether a call of about ``tokens`` is within what is left."""
        return self.seconds > 0 and self._tokens + tokens <= self._limits.tokens

    def step(self) -> None:
        """Takes a step."""
        self._steps += 1

    def spend(self, estimated: int, usage: TokenUsage | None, cost: float | None) -> None:
        """Notes what a call took: as the provider counted it, else as it was estimated."""
        self._tokens += estimated if usage is None else usage.input + usage.output
        if usage is not None:
            self.usage = usage if self.usage is None else self.usage + usage
        self._unpriced = self._unpriced or cost is None
        self.cost = None if self._unpriced else (self.cost or 0.0) + (cost or 0.0)
