"""Retries, the circuit breaker and fallbacks, over models that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from kaynak.domain import (
    BudgetExceeded,
    FinishReason,
    KaynakError,
    Message,
    ModelEvent,
    ModelFinished,
    ModelRefused,
    ModelSettings,
    ModelUnavailable,
    ModelWaiting,
    ModelWarning,
    StreamTruncated,
    TextDelta,
)
from kaynak.generation.models.breaker import BreakerState, Breaking, Circuit
from kaynak.generation.models.failures import CircuitOpen, RateLimited, TooSlow
from kaynak.generation.models.fallbacks import Fallbacks
from kaynak.generation.models.retrying import Retrying

AWAY = ModelUnavailable("away", hint="wait")
WHOLE = ["all", " of it"]


class Told:
    """Each call plays the next part: pieces of text, and an error at their end or none."""

    context_tokens = 1000

    def __init__(self, *parts: Sequence[str | KaynakError | ModelWarning], name: str = "told:model") -> None:
        self.name = name
        self.parts = list(parts)
        self.calls = 0
        self.closed = 0

    async def stream(self, messages: Sequence[Message], settings: ModelSettings) -> AsyncGenerator[ModelEvent, None]:
        part = self.parts[min(self.calls, len(self.parts) - 1)]
        self.calls += 1
        try:
            for piece in part:
                if isinstance(piece, KaynakError):
                    raise piece
                yield piece if isinstance(piece, ModelWarning) else TextDelta(piece)
            yield ModelFinished(FinishReason.STOP, self.name)
        finally:
            self.closed += 1


def heard(model: Any) -> tuple[str, list[ModelEvent], KaynakError | None]:
    async def run() -> tuple[str, list[ModelEvent], KaynakError | None]:
        events: list[ModelEvent] = []
        error = None
        try:
            async for event in model.stream([], ModelSettings()):
                events.append(event)
        except KaynakError as exc:
            error = exc
        return "".join(e.text for e in events if isinstance(e, TextDelta)), events, error

    return asyncio.run(run())


def retrying(inner: Told, *, retries: int = 2, seconds: float = 30) -> Retrying:
    return Retrying(inner, retries=retries, first_wait=0.001, seconds=seconds)


def test_what_is_away_is_asked_again():
    inner = Told([AWAY], [AWAY], WHOLE)
    text, events, error = heard(retrying(inner))
    assert (text, error, inner.calls) == ("all of it", None, 3)
    assert [type(event) for event in events[:2]] == [ModelWaiting, ModelWaiting]
    assert inner.closed == 3


def test_tries_are_counted():
    inner = Told([AWAY])
    assert heard(retrying(inner, retries=3))[2] is AWAY
    assert inner.calls == 4


@pytest.mark.parametrize(
    "error",
    [ModelRefused("no"), TooSlow("slow"), CircuitOpen("open"), BudgetExceeded("spent")],
)
def test_some_failures_are_not_worth_another_try(error):
    inner = Told([error], WHOLE)
    assert heard(retrying(inner))[2] is error
    assert inner.calls == 1


def test_nothing_is_tried_again_after_the_first_word():
    cut = StreamTruncated("cut")
    inner = Told(["half", cut], WHOLE)
    assert heard(retrying(inner))[::2] == ("half", cut)
    assert inner.calls == 1


def test_a_provider_that_wants_a_long_pause_is_not_waited_for():
    busy = RateLimited("busy", retry_after=60)
    inner = Told([busy], WHOLE)
    assert heard(retrying(inner, seconds=5))[2] is busy
    assert inner.calls == 1


def test_the_pause_is_what_the_provider_asks_for():
    inner = Told([RateLimited("busy", retry_after=0.01)], WHOLE)
    waiting = heard(retrying(inner))[1][0]
    assert isinstance(waiting, ModelWaiting)
    assert 0.01 <= waiting.seconds <= 0.011


def test_a_warning_is_given_once_however_many_tries():
    warning = ModelWarning("takes no temperature")
    inner = Told([warning, AWAY], [warning, *WHOLE])
    text, events, _ = heard(retrying(inner))
    assert text == "all of it"
    assert events.count(warning) == 1


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit(3, 30, clock)


def test_a_provider_that_fails_in_a_row_is_left_alone_for_a_while(circuit, clock):
    inner = Told([AWAY], [AWAY], [AWAY], WHOLE)
    model = Breaking(inner, "Told", circuit)
    for _ in range(3):
        assert heard(model)[2] is AWAY
    assert circuit.state is BreakerState.OPEN
    error = heard(model)[2]
    assert isinstance(error, CircuitOpen)
    assert error.retry_after == 30
    assert inner.calls == 3
    clock.now += 30
    assert circuit.state is BreakerState.TRYING
    assert heard(model)[0] == "all of it"
    assert circuit.state is BreakerState.CLOSED


def test_a_trial_that_fails_opens_it_again(circuit, clock):
    inner = Told([AWAY])
    model = Breaking(inner, "Told", circuit)
    for _ in range(3):
        heard(model)
    clock.now += 31
    heard(model)
    assert inner.calls == 4
    assert circuit.state is BreakerState.OPEN
    assert isinstance(heard(model)[2], CircuitOpen)
    assert inner.calls == 4


def test_successes_refusals_and_limits_are_answers(circuit):
    good, refused, busy = Told(WHOLE), Told([ModelRefused("no")]), Told([RateLimited("busy")])
    away = Told([AWAY])
    for answer in (good, refused, busy):
        for model in (away, away, answer):
            heard(Breaking(model, "Told", circuit))
        assert circuit.state is BreakerState.CLOSED


def test_a_budget_says_nothing_about_the_provider(circuit, clock):
    for _ in range(3):
        heard(Breaking(Told([AWAY]), "Told", circuit))
    clock.now += 31
    heard(Breaking(Told([BudgetExceeded("spent")]), "Told", circuit))
    assert circuit.state is BreakerState.TRYING
    assert heard(Breaking(Told(WHOLE), "Told", circuit))[0] == "all of it"


def test_only_one_finds_out_whether_it_is_back(circuit, clock):
    async def run() -> None:
        model = Breaking(Told(WHOLE), "Told", circuit)
        for _ in range(3):
            circuit.failed(object())
        clock.now += 31
        async with aclosing(model.stream([], ModelSettings())) as first:
            assert circuit.enter("trial") is True
            with pytest.raises(CircuitOpen):
                await anext(first)
        circuit.left("trial")
        async with aclosing(model.stream([], ModelSettings())) as second:
            assert isinstance(await anext(second), TextDelta)

    asyncio.run(run())


def test_a_trial_that_is_left_lets_another_in(circuit, clock):
    for _ in range(3):
        circuit.failed(object())
    clock.now += 31
    assert circuit.enter("one")
    assert not circuit.enter("two")
    circuit.left("two")
    assert not circuit.enter("two")
    circuit.left("one")
    assert circuit.enter("two")


def test_the_next_model_stands_in_and_it_is_said():
    first, second = Told([AWAY], name="a:one"), Told(WHOLE, name="b:two")
    text, events, error = heard(Fallbacks([first, second]))
    assert (text, error) == ("all of it", None)
    warning = events[0]
    assert isinstance(warning, ModelWarning)
    assert "b:two" in warning.message
    assert "a:one" in warning.message
    assert "away" in warning.message
    assert isinstance(events[-1], ModelFinished)
    assert events[-1].model == "b:two"


def test_a_model_without_credit_is_stood_in_for_too():
    assert heard(Fallbacks([Told([ModelRefused("no credit")]), Told(WHOLE)]))[0] == "all of it"


def test_two_halves_of_two_answers_are_not_one():
    cut = StreamTruncated("cut")
    second = Told(WHOLE)
    assert heard(Fallbacks([Told(["half", cut]), second]))[::2] == ("half", cut)
    assert second.calls == 0


def test_a_spent_budget_is_not_got_round():
    spent = BudgetExceeded("spent")
    second = Told(WHOLE)
    assert heard(Fallbacks([Told([spent]), second]))[2] is spent
    assert second.calls == 0


def test_the_last_failure_is_the_one_that_is_seen():
    last = ModelUnavailable("the last")
    assert heard(Fallbacks([Told([AWAY]), Told([last])]))[2] is last


def test_prompts_must_fit_into_all_of_them():
    small = Told(WHOLE)
    small.context_tokens = 10
    assert Fallbacks([Told(WHOLE), small]).context_tokens == 10


@pytest.mark.parametrize(
    "wrap", [retrying, lambda inner: Breaking(inner, "T", Circuit(3, 30)), lambda i: Fallbacks([i])]
)
def test_closing_the_outer_closes_the_inner(wrap):
    async def run() -> None:
        inner = Told(["one", "two", "three"])
        async with aclosing(wrap(inner).stream([], ModelSettings())) as events:
            await anext(events)
        assert inner.closed == 1

    asyncio.run(run())
