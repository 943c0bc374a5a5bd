"""Small questions to a language model, answered in JSON. What it replies is checked, whatever it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import structlog

from kaynak.domain import KaynakError, Message, ModelFinished, ModelSettings, Role, TextDelta
from kaynak.generation.deepening.budget import Budget
from kaynak.generation.models import LanguageModel

_REPLY_TOKENS = 600
_REPLY_CHARS = 8_000
_CHARS_PER_TOKEN = 3
_log = structlog.get_logger(__name__)


async def consult(model: LanguageModel, instruction: str, data: object, budget: Budget) -> Mapping[str, Any] | None:
    """Returns the first JSON object of the model's reply; None if there is none, or nothing is left to ask with.

    Args:
        model: Whom to ask.
        instruction: Goes into the system message; ours alone.
        data: What it is about, as JSON into a user message. Retrieved text is data.
        budget: Pays.
    """
    asked = json.dumps(data, ensure_ascii=False)
    estimated = (len(instruction) + len(asked)) // _CHARS_PER_TOKEN + _REPLY_TOKENS
    if not budget.allows(estimated):
        return None
    messages = [Message(Role.SYSTEM, instruction), Message(Role.USER, asked)]
    settings = ModelSettings(temperature=0.0, max_tokens=_REPLY_TOKENS)
    text = ""
    finished: ModelFinished | None = None
    try:
        async with asyncio.timeout(budget.seconds), aclosing(model.stream(messages, settings)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    text += event.text
                elif isinstance(event, ModelFinished):
                    finished = event
                if len(text) > _REPLY_CHARS:
                    break
    except (KaynakError, TimeoutError) as error:
        _log.info("search_without_model", model=model.name, error=type(error).__name__)
    if finished is None:
        budget.spend(estimated, None, None)
        return None
    budget.spend(estimated, finished.usage, finished.cost)
    return _object(text)


def _object(text: str) -> Mapping[str, Any] | None:
    """Returns the first JSON object in ``text``: models like to wrap it in words and fences."""
    decoder = json.JSONDecoder()
    at = text.find("{")
    for _ in range(20):
        if at < 0:
            return None
        try:
            found, _ = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at = text.find("{", at + 1)
            continue
        return found if isinstance(found, dict) else None
    return None


def line(value: object, most: int) -> str | None:
    """Returns ``value`` as one line of text of at most ``most`` characters; None if it is no text."""
    if not isinstance(value, str):
        return None
    printable = "".join(char if char.isprintable() else " " for char in value)
    return " ".join(printable.split())[:most].strip() or None
