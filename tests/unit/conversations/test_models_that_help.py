from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence

import pytest

from kaynak.domain import (
    FinishReason,
    Message,
    ModelEvent,
    ModelFinished,
    ModelSettings,
    ModelUnavailable,
    Role,
    TextDelta,
    TokenUsage,
    new_id,
)
from kaynak.generation.conversing.helping import rewritten, summarised
from kaynak.generation.conversing.remembering import Exchange, MemoryLimits

pytestmark = pytest.mark.anyio

BEFORE = Exchange(
    "How much paid leave is there in Germany?",
    "How much paid leave is there in Germany?",
    "It is 26 days.",
    new_id(),
)


class Says:
    """A model that says one thing."""

    name = "test:one"
    context_tokens = 8000

    def __init__(self, text: str, reason: FinishReason = FinishReason.STOP, fault: Exception | None = None) -> None:
        self.text, self.reason, self.fault = text, reason, fault
        self.heard: Sequence[Message] = ()
        self.closed = False

    async def stream(self, messages: Sequence[Message], settings: ModelSettings) -> AsyncGenerator[ModelEvent, None]:
        self.heard = messages
        try:
            if self.text == "…":
                await asyncio.Event().wait()
            yield TextDelta(self.text[:3] or " ")
            if self.fault:
                raise self.fault
            yield TextDelta(self.text[3:] or " ")
            yield ModelFinished(self.reason, self.name, TokenUsage(20, 5), 0.001)
        finally:
            self.closed = True


async def test_the_model_rewrites() -> None:
    model = Says("“How much paid leave is there in Turkey?”\n")
    found = await rewritten("And in Turkey?", [BEFORE], model, 5)
    assert (found.text, found.note) == ("How much paid leave is there in Turkey?", "")
    assert (found.usage, found.cost) == (TokenUsage(20, 5), 0.001)
    # What was said before is data in a user message, never part of the instruction.
    system, user = model.heard
    assert (system.role, user.role) == (Role.SYSTEM, Role.USER)
    assert "Germany" not in system.content
    assert json.loads(user.content)["newest_question"] == "And in Turkey?"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The answer is:\nin Turkey it is 14 days.",
        "How much paid leave is there in Turkey in 2019?",  # a number nobody named
        "How much paid leave is there in Turkey at Globex?",  # a name nobody named
        "x" * 500,
    ],
)
async def test_rewrites_that_bring_something_in_are_not_used(text: str) -> None:
    found = await rewritten("And in Turkey?", [BEFORE], Says(text), 5)
    assert found.text == "How much paid leave is there in Turkey?"
    assert "rules" in found.note


@pytest.mark.parametrize(
    "model",
    [
        Says("How much paid leave", FinishReason.LENGTH),
        Says("How much paid leave", fault=ModelUnavailable("Away.")),
        Says("…"),
    ],
)
async def test_rules_step_in_for_models_that_fail_or_take_long(model: Says) -> None:
    found = await rewritten("And in Turkey?", [BEFORE], model, 0.05)
    assert found.text == "How much paid leave is there in Turkey?"
    assert "rules" in found.note
    assert model.closed


async def test_summaries_come_from_the_model_or_are_the_questions() -> None:
    limits = MemoryLimits(summary_chars=60)
    said = await summarised("", [BEFORE], Says("Leave in Germany: 26 days."), 5, limits)
    assert said.text == "Leave in Germany: 26 days."
    assert len((await summarised("", [BEFORE], Says("long " * 100), 5, limits)).text) <= 60
    for model in (None, Says("", fault=ModelUnavailable("Away."))):
        assert (await summarised("- Why?", [BEFORE], model, 5, limits)).text == (
            "- Why?\n- How much paid leave is there in Germany?"
        )


async def test_what_cannot_be_kept_is_not_taken_over() -> None:
    found = await rewritten("And in Turkey?", [BEFORE], Says("How much paid\x00 leave is there in Turkey?"), 5)
    assert found.text == "How much paid leave is there in Turkey?"
    summary = await summarised("", [BEFORE], Says("Germany:\x00 26 days."), 5, MemoryLimits())
    assert summary.text == "Germany: 26 days."
