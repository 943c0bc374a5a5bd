"""Chat completions as OpenAI, Azure, OpenRouter and Hugging Face speak them, each with its own turns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kaynak.domain import Message, Role
from kaynak.testing.models.exchange import Answered, Chat, Refused, Script, check_fields

_KNOWN = frozenset(
    [
        "model",
        "messages",
        "stream",
        "stream_options",
        "temperature",
        "max_tokens",
        "max_completion_tokens",
        "reasoning_effort",
        "top_p",
        "stop",
        "seed",
        "user",
        "n",
        "presence_penalty",
        "frequency_penalty",
        "store",
    ]
)
_REASONS = {"stop": "stop", "length": "length", "filtered": "content_filter"}
_TYPES = {400: "invalid_request_error", 401: "invalid_request_error", 404: "invalid_request_error"}
_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


class OpenAIFormat:
    """One of the dialects of chat completions.

    Args:
        dialect: ``openai``, ``azure``, ``openrouter`` or ``huggingface``.
    """

    media_type = "text/event-stream; charset=utf-8"

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect

    def read(self, path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Chat:
        """Returns the chat."""
        known = _KNOWN | ({"reasoning", "usage", "provider"} if self.dialect == "openrouter" else frozenset())
        deployment = path.partition("/deployments/")[2].partition("/")[0]
        if "/deployments/" in path and not query.get("api-version"):
            raise Refused(404, "Resource not found", code="404")
        check_fields(body, known, ["messages"] if deployment else ["model", "messages"])
        effort = body.get("reasoning_effort", (body.get("reasoning") or {}).get("effort"))
        settings = {
            "temperature": body.get("temperature"),
            "max_tokens": body.get("max_completion_tokens", body.get("max_tokens")),
            "reasoning": effort,
        }
        asked = bool((body.get("stream_options") or {}).get("include_usage"))
        return Chat(
            model=deployment or str(body["model"]),
            messages=_messages(body["messages"]),
            streamed=bool(body.get("stream", False)),
            wants_usage=asked or self.dialect == "openrouter",
            settings={name: value for name, value in settings.items() if value is not None},
        )

    def script(self, chat: Chat, answered: Answered) -> Script:
        """Returns the answer as server-sent events."""
        opening = [self._chunk(chat, [{"index": 0, "delta": {"role": "assistant", "content": ""}}])]
        if self.dialect == "azure":
            first = {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]}
            opening.insert(0, self._chunk(chat, [], **first))
        comment = b": OPENROUTER PROCESSING\n\n" if self.dialect == "openrouter" else b": keep-alive\n\n"
        if self.dialect == "openrouter":
            opening.insert(0, comment)
        reason = _REASONS[answered.reason]
        closing = [self._chunk(chat, [{"index": 0, "delta": {}, "finish_reason": reason}])]
        if answered.usage is not None and chat.wants_usage:
            closing.append(self._chunk(chat, [], usage=self._usage(answered)))
        return Script(
            opening=opening,
            words=[self._chunk(chat, [{"index": 0, "delta": {"content": word}}]) for word in answered.words],
            closing=closing,
            end=[b"data: [DONE]\n\n"],
            nothing=self._chunk(chat, []),
            alive=comment,
        )

    def plain(self, chat: Chat, answered: Answered) -> dict[str, Any]:
        """Returns the answer as one document."""
        message = {"role": "assistant", "content": answered.text}
        document: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_767_225_600,
            "model": chat.model,
            "choices": [{"index": 0, "message": message, "finish_reason": _REASONS[answered.reason]}],
        }
        if answered.usage is not None:
            document["usage"] = self._usage(answered)
        return document

    def error(self, refused: Refused) -> dict[str, Any]:
        """Returns the error as a document."""
        if self.dialect == "openrouter":
            return {"error": {"code": refused.status, "message": refused.message, "metadata": {}}}
        if self.dialect == "huggingface" and refused.status != 429:
            return {"error": refused.message}
        code = refused.code or _CODES.get(refused.status)
        kind = _TYPES.get(refused.status, "insufficient_quota" if code == "insufficient_quota" else "server_error")
        inner = {"message": refused.message, "type": kind, "param": self.parameter(refused.setting), "code": code}
        return {"error": inner}

    def error_frame(self, refused: Refused) -> bytes:
        """Returns the error as an event."""
        return _event(self.error(refused))

    def headers(self, refused: Refused) -> dict[str, str]:
        """Returns when to come back, in the words of the provider."""
        if refused.status != 429:
            return {}
        if self.dialect == "azure":
            return {"retry-after-ms": "20", "retry-after": "1"}
        if self.dialect == "openai":
            return {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "30ms"}
        return {"retry-after": "0"}

    def parameter(self, setting: str | None) -> str | None:
        """Returns the provider's name for a setting of ours."""
        if setting == "reasoning":
            return "reasoning" if self.dialect == "openrouter" else "reasoning_effort"
        if setting == "max_tokens" and self.dialect in {"openai", "azure"}:
            return "max_completion_tokens"
        return setting

    def _chunk(self, chat: Chat, choices: list[dict[str, Any]], **more: Any) -> bytes:
        chunk = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_767_225_600,
            "model": chat.model,
            "choices": [{"finish_reason": None, **choice} for choice in choices],
            **more,
        }
        return _event(chunk)

    def _usage(self, answered: Answered) -> dict[str, Any]:
        assert answered.usage is not None
        usage = answered.usage
        counted: dict[str, Any] = {
            "prompt_tokens": usage.input,
            "completion_tokens": usage.output,
            "total_tokens": usage.input + usage.output,
            "prompt_tokens_details": {"cached_tokens": usage.cached},
        }
        if self.dialect == "openrouter":
            counted["cost"] = 0.00125
        return counted


def _messages(given: Any) -> tuple[Message, ...]:
    if not isinstance(given, list) or not given:
        raise Refused(400, "'messages' must be a list with at least one message.")
    found = []
    for message in given:
        role = message.get("role")
        if role not in {"system", "developer", "user", "assistant"}:
            raise Refused(400, f"Invalid role: {role!r}.")
        content = message.get("content")
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content)
        if not isinstance(content, str):
            raise Refused(400, "Invalid type for 'content'.")
        found.append(Message(Role("system" if role == "developer" else role), content))
    return tuple(found)


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"
