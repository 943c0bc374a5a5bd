from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from enum import StrEnum

import structlog

from kaynak.domain import (
    Message,
    ModelEvent,
    ModelFinished,
    ModelRefused,
    ModelSettings,
    ModelUnavailable,
    TextDelta,
)
from kaynak.generation.models.failures import CircuitOpen, RateLimited
from kaynak.generation.models.protocol import LanguageModel

_log = structlog.get_logger(__name__)


class BreakerState(StrEnum):
    """Whether a provider is asked."""

    CLOSED = "closed"
    """It is."""
    OPEN = "open"
    """It failed too often; it is left alone for a while."""
    TRYING = "trying"
    """One request finds out whether it is back."""


class Circuit:
    """What is known of one provider's health.

    Args:
        failures: In a row, after which it opens.
        seconds: For how long it stays open.
        clock: Seconds that never go back.
    """

    def __init__(self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = failures
        self._seconds = seconds
        self._clock = clock
        self._failures = 0
        self._opened: float | None = None
        self._trial: object | None = None

    @property
    def state(self) -> BreakerState:
        """As it is now."""
        if self._opened is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.wait > 0 else BreakerState.TRYING

    @property
    def wait(self) -> float:
        """Seconds until the next try is let through."""
        return 0.0 if self._opened is None else max(0.0, self._opened + self._seconds - self._clock())

    def enter(self, who: object) -> bool:
        """Returns whether ``who`` may ask; while it is open, one may at a time once its time is over."""
        if self._opened is None:
            return True
        if self.wait > 0 or self._trial is not None:
            return False
        self._trial = who
        return True

    def succeeded(self) -> None:
        """The provider answered."""
        self._failures, self._opened, self._trial = 0, None, None

    def failed(self, who: object) -> bool:
        """The provider did not answer ``who``; returns whether this opened the circuit."""
        self._failures += 1
        trial = self._trial is who
        if trial or (self._opened is None and self._failures >= self._most):
            self._opened = self._clock()
            self._trial = None
            return True
        return False

    def left(self, who: object) -> None:
        """``who`` went away without having found out anything."""
        if self._trial is who:
            self._trial = None


class Breaking:
    """Does not ask a provider that failed several times in a row. See `LanguageModel`.

    Args:
        inner: Asks.
        title: Of the provider.
        circuit: Of the provider, shared by all of its models.
    """

    def __init__(self, inner: LanguageModel, title: str, circuit: Circuit) -> None:
        self.name = inner.name
        self.context_tokens = inner.context_tokens
        self._inner = inner
        self._title = title
        self._circuit = circuit

    async def stream(self, messages: Sequence[Message], settings: ModelSettings) -> AsyncGenerator[ModelEvent, None]:
        """See `LanguageModel`."""
        who = object()
        if not self._circuit.enter(who):
            wait = self._circuit.wait
            raise CircuitOpen(
                f"{self._title} failed several times in a row and is left alone for now.",
                hint=f"Try again in {max(1, round(wait))} s, or name fallbacks.",
                retry_after=wait,
            )
        try:
            async with aclosing(self._inner.stream(messages, settings)) as events:
                async for event in events:
                    if isinstance(event, TextDelta | ModelFinished):
                        self._circuit.succeeded()
                    yield event
        except RateLimited:
            self._circuit.succeeded()
            raise
        except ModelUnavailable as exc:
            if self._circuit.failed(who):
                _log.warning("provider_left_alone", provider=self._title, error=exc.type)
            raise
        except ModelRefused:
            self._circuit.succeeded()  # a refusal is an answer
            raise
        finally:
            self._circuit.left(who)
