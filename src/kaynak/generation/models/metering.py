from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal

from kaynak.catalog import ModelCallRow
from kaynak.domain import (
    CallOutcome,
    KaynakError,
    Message,
    ModelEvent,
    ModelFinished,
    ModelSettings,
    ModelWarning,
    TextDelta,
    TokenUsage,
)
from kaynak.generation.models.estimating import estimated_tokens
from kaynak.generation.models.events import Caller, Reported
from kaynak.generation.models.ledger import Ledger, Purchase
from kaynak.generation.models.prices import Prices
from kaynak.generation.models.providers import Provider

_ANSWER_TOKENS = 1024
"""Tokens of an answer whose length was not set, for what a call may cost."""


@dataclass(slots=True)
class _Meter:
    """What is known of one call so far.

    Attributes:
        prompt: Estimate of its tokens.
        began: When.
        accepted: Whether the provider took the request, and so may charge for it.
        reported: The last the provider said.
        written: Bytes of answer that came.
    """

    prompt: int
    began: float
    accepted: bool = False
    reported: Reported = field(default_factory=Reported)
    written: int = 0

    def usage(self, *, whole: bool) -> tuple[TokenUsage | None, bool]:
        """Returns the tokens, and whether they are an estimate."""
        said = self.reported.usage
        if said is not None and whole:
            return said, False
        if not self.accepted:
            return None, False
        output = -(-self.written // 3)
        if said is None:
            return TokenUsage(self.prompt, output), True
        return TokenUsage(said.input or self.prompt, max(said.output, output), said.cached), True


class Metering:
    """Asks for money before a call, and writes down what it cost. See `LanguageModel`.

    Args:
        inner: Asks.
        purchase: Who buys what.
        provider: Of whom.
        context_tokens: Of the model.
        ledger: Where it is written.
        prices: Read already.
    """

    def __init__(
        self,
        inner: Caller,
        purchase: Purchase,
        provider: Provider,
        context_tokens: int,
        ledger: Ledger,
        prices: Prices,
    ) -> None:
        self.name = str(purchase.name)
        self.context_tokens = context_tokens
        self._inner = inner
        self._purchase = purchase
        self._provider = provider
        self._ledger = ledger
        self._prices = prices

    async def stream(self, messages: Sequence[Message], settings: ModelSettings) -> AsyncGenerator[ModelEvent, None]:
        """See `LanguageModel`."""
        prompt = sum(estimated_tokens(message.content) + 8 for message in messages)
        reserve = self._cost(TokenUsage(prompt, settings.max_tokens or _ANSWER_TOKENS), Reported())
        call, budgeted = await self._ledger.open(self._purchase, reserve)
        meter = _Meter(prompt, time.perf_counter())
        outcome, error = CallOutcome.STOPPED, None
        try:
            if budgeted and reserve is None:
                yield ModelWarning(f"The price of {self.name} is not known: the budget cannot count it.")
            async with aclosing(self._inner.stream(messages, settings)) as events:
                async for event in events:
                    if isinstance(event, Reported):
                        meter.accepted, meter.reported = True, event
                        continue
                    if isinstance(event, TextDelta):
                        meter.written += len(event.text.encode("utf-8", "surrogatepass"))
                    if isinstance(event, ModelFinished):
                        outcome = CallOutcome.COMPLETE
                        cost = self._cost(event.usage, meter.reported)
                        event = replace(event, cost=None if cost is None else float(cost))
                    yield event
        except KaynakError as exc:
            outcome, error = CallOutcome.FAILED, exc.type
            raise
        except Exception:
            outcome, error = CallOutcome.FAILED, KaynakError.type
            raise
        finally:
            self._ledger.settle(self._settled(call, meter, outcome, error))

    def _settled(self, call: ModelCallRow, meter: _Meter, outcome: CallOutcome, error: str | None) -> ModelCallRow:
        usage, estimated = meter.usage(whole=outcome is CallOutcome.COMPLETE)
        cost: Decimal | None = Decimal(0)  # what was not accepted is not charged
        if usage is not None:
            whole = outcome is CallOutcome.COMPLETE
            cost = self._cost(usage, meter.reported if whole else replace(meter.reported, cost=None))
        return replace(
            call,
            outcome=outcome,
            error=error,
            input_tokens=usage.input if usage else None,
            output_tokens=usage.output if usage else None,
            cached_tokens=usage.cached if usage else None,
            estimated=estimated,
            cost=cost,
            milliseconds=round((time.perf_counter() - meter.began) * 1000),
        )

    def _cost(self, usage: TokenUsage | None, reported: Reported) -> Decimal | None:
        """Returns US dollars: as the provider says, else by the list, of the model that answered if it is listed."""
        if reported.cost is not None:
            return Decimal(str(reported.cost))
        if usage is None:
            return None
        names = dict.fromkeys([reported.model or self._purchase.name.model, self._purchase.name.model])
        costs = (self._prices.cost(self._provider, name, usage) for name in names)
        return next((cost for cost in costs if cost is not None), None)
