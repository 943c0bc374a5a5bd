from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from kaynak.domain import FinishReason, Role, TokenUsage
from kaynak.generation.models.failures import Said
from kaynak.generation.models.frames import SseReader
from kaynak.generation.models.wires.protocol import (
    MAX_TOKENS,
    REASONING,
    TEMPERATURE,
    Call,
    Decoder,
    ListedModel,
    StreamError,
    Wire,
    WireRequest,
    count,
    named,
)

_REASONS = {"STOP": FinishReason.STOP, "MAX_TOKENS": FinishReason.LENGTH}
_FILTERED = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY"}
_BUDGETS = {"low": 1024, "medium": 8192, "high": 24576}
"""Tokens of thought for models before Gemini 3, which know no levels."""
_WORDS = {
    TEMPERATURE: ("temperature",),
    MAX_TOKENS: ("maxOutputTokens", "max_output_tokens"),
    REASONING: ("thinkingConfig", "thinking_config", "thinkingLevel", "thinkingBudget", "thinking"),
}


class _Decoder(Decoder):
    __slots__ = ()

    def _read(self, document: dict[str, Any], event: str) -> str | None:
        self.model = named(document.get("modelVersion"), self.model)
        self._count(document.get("usageMetadata"))
        if block := (document.get("promptFeedback") or {}).get("blockReason"):
            self.blocked = str(block)
        candidates = document.get("candidates") or ()
        if not candidates:
            return None
        parts = (candidates[0].get("content") or {}).get("parts") or ()
        self._end(candidates[0].get("finishReason"))
        thought = any(part.get("thought") for part in parts)
        text = "".join(str(part.get("text") or "") for part in parts if not part.get("thought"))
        return text or ("" if thought else None)

    def _end(self, reason: str | None) -> None:
        """There is no mark of the end but the reason; frames with counts may still follow."""
        if not reason or reason == "FINISH_REASON_UNSPECIFIED":
            return
        if reason not in _REASONS and reason not in _FILTERED:
            raise StreamError(Said(f"The model stopped with {reason}.", ("INTERNAL",)))
        self.reason = _REASONS.get(reason, FinishReason.FILTERED)
        self.ended = True

    def _count(self, usage: object) -> None:
        if isinstance(usage, dict):
            output = count(usage.get("candidatesTokenCount")) + count(usage.get("thoughtsTokenCount"))
            cached = count(usage.get("cachedContentTokenCount"))
            self.usage = TokenUsage(count(usage.get("promptTokenCount")), output, cached)


class GeminiWire(Wire):
    """Gemini's generateContent, streamed as server-sent events."""

    words = _WORDS
    frames = SseReader
    decoding = _Decoder
    models = "/v1beta/models?pageSize=1000"

    def request(self, call: Call) -> WireRequest:
        """See `Wire`."""
        roles = {Role.USER: "user", Role.ASSISTANT: "model"}
        body: dict[str, Any] = {
            "contents": [{"role": roles[turn.role], "parts": [{"text": turn.content}]} for turn in call.turns()]
        }
        if system := call.system():
            body["systemInstruction"] = {"parts": [{"text": system}]}
        config: dict[str, Any] = {}
        if call.temperature is not None:
            config["temperature"] = call.temperature
        if call.max_tokens is not None:
            config["maxOutputTokens"] = call.max_tokens
        if call.reasoning is not None:
            old = call.model.startswith(("gemini-1", "gemini-2"))
            config["thinkingConfig"] = (
                {"thinkingBudget": _BUDGETS[call.reasoning]} if old else {"thinkingLevel": call.reasoning}
            )
        if config:
            body["generationConfig"] = config
        model = quote(call.model.removeprefix("models/"), safe="")
        return WireRequest(f"/v1beta/models/{model}:streamGenerateContent?alt=sse", body)

    def listed(self, document: Mapping[str, Any]) -> Sequence[ListedModel]:
        """See `Wire`."""
        return [
            ListedModel(str(entry["name"]).removeprefix("models/"), count(entry.get("inputTokenLimit")) or None)
            for entry in document.get("models") or ()
            if "generateContent" in (entry.get("supportedGenerationMethods") or ())
        ]
