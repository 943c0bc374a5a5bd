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
        "system",
        "max_tokens",
        "stream",
        "temperature",
        "thinking",
        "output_config",
        "top_p",
        "top_k",
        "stop_sequences",
        "metadata",
    ]
)
_REASONS = {"stop": "end_turn", "length": "max_tokens", "filtered": "refusal"}
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "api_error",
    529: "overloaded_error",
}


class AnthropicFormat:
    """Anthropic's messages."""

    media_type = "text/event-stream; charset=utf-8"

    def read(self, path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Chat:
        """Returns the chat."""
        check_fields(body, _KNOWN, ["model", "max_tokens", "messages"])
        messages = []
        system = body.get("system")
        if system:
            text = system if isinstance(system, str) else "".join(block["text"] for block in system)
            messages.append(Message(Role.SYSTEM, text))
        for message in body["messages"]:
            if message.get("role") not in {"user", "assistant"}:
                raise Refused(400, f"messages: Unexpected role {message.get('role')!r}.")
            content = message.get("content")
            if isinstance(content, list):
                content = "".join(block.get("text", "") for block in content)
            if not content:
                raise Refused(400, "messages: text content blocks must be non-empty")
            messages.append(Message(Role(message["role"]), content))
        if not body["messages"]:
            raise Refused(400, "messages: at least one message is required")
        settings = {
            "temperature": body.get("temperature"),
            "max_tokens": body["max_tokens"],
            "reasoning": (body.get("output_config") or {}).get("effort"),
        }
        return Chat(
            model=str(body["model"]),
            messages=tuple(messages),
            streamed=bool(body.get("stream", False)),
            settings={name: value for name, value in settings.items() if value is not None},
        )

    def script(self, chat: Chat, answered: Answered) -> Script:
        """Returns the answer as named server-sent events."""
        usage = answered.usage
        counted = {"input_tokens": usage.input - usage.cached, "cache_read_input_tokens": usage.cached} if usage else {}
        message = {**self.plain(chat, answered), "content": [], "stop_reason": None}
        message["usage"] = {**counted, "output_tokens": 1} if usage else {}
        final = {"output_tokens": usage.output} if usage else {}
        delta = {"stop_reason": _REASONS[answered.reason], "stop_sequence": None}
        ping = _event("ping", {})
        block = {"index": 0, "content_block": {"type": "text", "text": ""}}
        return Script(
            opening=[_event("message_start", {"message": message}), _event("content_block_start", block), ping],
            words=[self._word(word) for word in answered.words],
            closing=[
                _event("content_block_stop", {"index": 0}),
                _event("message_delta", {"delta": delta, "usage": final}),
            ],
            end=[_event("message_stop", {})],
            nothing=_event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": ""}}),
            alive=ping,
        )

    def plain(self, chat: Chat, answered: Answered) -> dict[str, Any]:
        """Returns the answer as one document."""
        document: dict[str, Any] = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": chat.model,
            "content": [{"type": "text", "text": answered.text}],
            "stop_reason": _REASONS[answered.reason],
            "stop_sequence": None,
        }
        if answered.usage is not None:
            document["usage"] = {"input_tokens": answered.usage.input, "output_tokens": answered.usage.output}
        return document

    def error(self, refused: Refused) -> dict[str, Any]:
        """Returns the error as a document."""
        kind = refused.code or _KINDS.get(refused.status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": refused.message}, "request_id": "req_1"}

    def error_frame(self, refused: Refused) -> bytes:
        """Returns the error as an event."""
        document = self.error(refused)
        return _event(document.pop("type"), document)

    def headers(self, refused: Refused) -> dict[str, str]:
        """Returns when to come back."""
        return {"retry-after": "0", "request-id": "req_1"} if refused.status == 429 else {"request-id": "req_1"}

    def _word(self, word: str) -> bytes:
        return _event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": word}})


def _event(name: str, document: Mapping[str, Any]) -> bytes:
    data = json.dumps({"type": name, **document}, ensure_ascii=False)
    return f"event: {name}\ndata: {data}\n\n".encode()
