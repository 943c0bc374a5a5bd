from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kaynak.domain import Message, Role
from kaynak.testing.models.exchange import Answered, Chat, Refused, Script, check_fields

_KNOWN = frozenset(["model", "messages", "stream", "think", "options", "format", "keep_alive"])
_REASONS = {"stop": "stop", "length": "length", "filtered": "stop"}
DEFAULT_CONTEXT = 4096
"""Tokens that Ollama reads where the request does not say; the rest of a longer prompt is cut in silence."""


class OllamaFormat:
    """Ollama's own chat: lines of JSON."""

    media_type = "application/x-ndjson"

    def read(self, path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Chat:
        """Returns the chat, with what does not fit into ``num_ctx`` cut off from its messages, as Ollama does."""
        check_fields(body, _KNOWN, ["model", "messages"])
        options = body.get("options") or {}
        settings = {
            "temperature": options.get("temperature"),
            "max_tokens": options.get("num_predict"),
            "reasoning": body.get("think"),
        }
        messages = tuple(Message(Role(message["role"]), message["content"]) for message in body["messages"])
        return Chat(
            model=str(body["model"]),
            messages=_fitting(messages, int(options.get("num_ctx", DEFAULT_CONTEXT))),
            streamed=bool(body.get("stream", True)),
            settings={name: value for name, value in settings.items() if value is not None},
        )

    def script(self, chat: Chat, answered: Answered) -> Script:
        """Returns the answer as lines."""
        return Script(
            opening=[],
            words=[self._word(chat, word) for word in answered.words],
            closing=[],
            end=[_line({**self._last(chat, answered), "message": {"role": "assistant", "content": ""}})],
            nothing=self._word(chat, ""),
            alive=b"\n",
        )

    def plain(self, chat: Chat, answered: Answered) -> dict[str, Any]:
        """Returns the answer as one document."""
        return {**self._last(chat, answered), "message": {"role": "assistant", "content": answered.text}}

    def error(self, refused: Refused) -> dict[str, Any]:
        """Returns the error as a document."""
        return {"error": refused.message}

    def error_frame(self, refused: Refused) -> bytes:
        """Returns the error as a line."""
        return _line(self.error(refused))

    def headers(self, refused: Refused) -> dict[str, str]:
        """Ollama does not say when to come back."""
        return {}

    def _last(self, chat: Chat, answered: Answered) -> dict[str, Any]:
        document: dict[str, Any] = {
            "model": chat.model,
            "created_at": "2026-01-01T00:00:00Z",
            "done": True,
            "done_reason": _REASONS[answered.reason],
        }
        if answered.usage is not None:
            document["prompt_eval_count"] = answered.usage.input
            document["eval_count"] = answered.usage.output
        return document

    def _word(self, chat: Chat, word: str) -> bytes:
        message = {"role": "assistant", "content": word}
        return _line({"model": chat.model, "created_at": "2026-01-01T00:00:00Z", "message": message, "done": False})


def _fitting(messages: tuple[Message, ...], context: int) -> tuple[Message, ...]:
    """Drops the oldest words beyond ``context``, one token a word; system messages stay."""
    kept: list[Message] = []
    room = context - sum(len(m.content.split()) for m in messages if m.role is Role.SYSTEM)
    for message in reversed(messages):
        words = message.content.split()
        if message.role is Role.SYSTEM or len(words) <= room:
            kept.append(message)
        elif room > 0:
            kept.append(Message(message.role, " ".join(words[-room:])))
        room -= 0 if message.role is Role.SYSTEM else len(words)
    return tuple(reversed(kept))


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"
