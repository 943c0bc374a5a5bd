from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from kaynak.domain import Message, Role
from kaynak.testing.models.exchange import Answered, Chat, Refused, Script, check_fields

_KNOWN = frozenset(["contents", "systemInstruction", "generationConfig", "safetySettings", "tools"])
_CONFIG = frozenset(
    ["temperature", "maxOutputTokens", "thinkingConfig", "topP", "topK", "stopSequences", "candidateCount"]
)
_REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "filtered": "SAFETY"}
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
_PATH = re.compile(r"/v1beta/models/(?P<model>[^/:]+):(?P<verb>streamGenerateContent|generateContent)$")


class GeminiFormat:
    """Gemini's generateContent and streamGenerateContent."""

    media_type = "text/event-stream"

    def read(self, path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Chat:
        """Returns the chat."""
        found = _PATH.search(path)
        if found is None:
            raise Refused(404, "Requested entity was not found.")
        streamed = found["verb"] == "streamGenerateContent"
        if streamed and query.get("alt") != "sse":
            raise Refused(400, "This server streams with alt=sse only.")
        check_fields(body, _KNOWN, ["contents"])
        config = body.get("generationConfig") or {}
        check_fields(config, _CONFIG, [])
        messages = []
        if body.get("systemInstruction"):
            messages.append(Message(Role.SYSTEM, _text(body["systemInstruction"])))
        for content in body["contents"]:
            if content.get("role") not in {"user", "model"}:
                raise Refused(400, "Please use a valid role: user, model.")
            role = Role.USER if content["role"] == "user" else Role.ASSISTANT
            messages.append(Message(role, _text(content)))
        thinking = config.get("thinkingConfig") or {}
        if "thinkingLevel" in thinking and "thinkingBudget" in thinking:
            raise Refused(400, "You can only set only one of thinking budget and thinking level.")
        settings = {
            "temperature": config.get("temperature"),
            "max_tokens": config.get("maxOutputTokens"),
            "reasoning": thinking.get("thinkingLevel", thinking.get("thinkingBudget")),
        }
        return Chat(
            model=found["model"],
            messages=tuple(messages),
            streamed=streamed,
            settings={name: value for name, value in settings.items() if value is not None},
        )

    def script(self, chat: Chat, answered: Answered) -> Script:
        """Returns the answer as server-sent events. There is no sentinel: the last one has a finishReason."""
        last = self._response(chat, "", reason=_REASONS[answered.reason])
        if answered.usage is not None:
            last["usageMetadata"] = self._usage(answered)
        return Script(
            opening=[],
            words=[_event(self._response(chat, word)) for word in answered.words],
            closing=[],
            end=[_event(last)],
            nothing=_event({"modelVersion": chat.model, "responseId": "r1"}),
            alive=b": alive\n\n",
        )

    def plain(self, chat: Chat, answered: Answered) -> dict[str, Any]:
        """Returns the answer as one document."""
        document = self._response(chat, answered.text, reason=_REASONS[answered.reason])
        if answered.usage is not None:
            document["usageMetadata"] = self._usage(answered)
        return document

    def error(self, refused: Refused) -> dict[str, Any]:
        """Returns the error as a document."""
        status = refused.code or _STATUSES.get(refused.status, "INTERNAL")
        details = []
        if refused.status == 429:
            details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.02s"})
        inner = {"code": refused.status, "message": refused.message, "status": status, "details": details}
        return {"error": inner}

    def error_frame(self, refused: Refused) -> bytes:
        """Returns the error as an event."""
        return _event(self.error(refused))

    def headers(self, refused: Refused) -> dict[str, str]:
        """Gemini says it in the body."""
        return {}

    def _response(self, chat: Chat, text: str, *, reason: str | None = None) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
        if reason:
            candidate["finishReason"] = reason
        return {"candidates": [candidate], "modelVersion": chat.model, "responseId": "r1"}

    def _usage(self, answered: Answered) -> dict[str, int]:
        assert answered.usage is not None
        usage = answered.usage
        return {
            "promptTokenCount": usage.input,
            "candidatesTokenCount": usage.output,
            "totalTokenCount": usage.input + usage.output,
        }


def _text(content: Mapping[str, Any]) -> str:
    return "".join(part.get("text", "") for part in content["parts"])


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"
