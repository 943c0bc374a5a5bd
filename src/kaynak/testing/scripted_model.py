"""A language model that says what it is told to, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import TypeAlias

from kaynak.domain import FinishReason, Message, ModelEvent, ModelFinished, ModelSettings, TextDelta, TokenUsage

Reply: TypeAlias = str | Exception | None
_PIECE = 7


class ScriptedModel:
    """Says its replies one after the other. See `LanguageModel`.

    Attributes:
        messages: What it was sent, oldest first.
        replies: What it will say next: text, an error to raise, or None to say nothing for ever.

    Args:
        replies: In order.
        usage: Of each call; None where it is not said.
        cost: Of each call.
    """

    name = "test:scripted"
    context_tokens = 8192

    def __init__(self, *replies: Reply, usage: TokenUsage | None = None, cost: float | None = None) -> None:
        self.replies = list(replies)
        self.messages: list[Sequence[Message]] = []
        self._usage = usage
        self._cost = cost

    async def stream(self, messages: Sequence[Message], settings: ModelSettings) -> AsyncGenerator[ModelEvent, None]:
        """See `LanguageModel`."""
        self.messages.append(messages)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        if reply is None:
            await asyncio.Event().wait()
            return
        for start in range(0, len(reply), _PIECE):
            yield TextDelta(reply[start : start + _PIECE])
        yield ModelFinished(FinishReason.STOP, self.name, self._usage, self._cost)
