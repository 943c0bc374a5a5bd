from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kaynak.domain import FinishReason, TokenUsage
from kaynak.generation.models.frames import SseReader
from kaynak.generation.models.wires.protocol import (
    MAX_TOKENS,
    REASONING,
    TEMPERATURE,
    Call,
    Decoder,
    ListedModel,
    Wire,
    WireRequest,
    count,
    named,
)

_DEFAULT_MAX_TOKENS = 8192
"""The format requires a number; all models of today take this one."""
_REASONS = {
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "refusal": FinishReason.FILTERED,
}
_WORDS = {
    TEMPERATURE: ("temperature",),
    MAX_TOKENS: ("max_tokens",),
    REASONING: ("output_config", "effort", "thinking"),
}


class _Decoder(Decoder):
    __slots__ = ()

    def _read(self, document: dict[str, Any], event: str) -> str | None:
        match document.get("type") or event:
            case "content_block_delta":
                delta = document.get("delta") or {}
                return str(delta["text"]) if delta.get("text") else "" if delta.get("thinking") else None
            case "message_start":
                message = document.get("message") or {}
                self.model = named(message.get("model"))
                self._count(message.get("usage") or {})
            case "message_delta":
                reason = (document.get("delta") or {}).get("stop_reason")
                if reason:
                    self.reason = _REASONS.get(reason, FinishReason.STOP)
                self._count(document.get("usage") or {})
            case "message_stop":
                self.ended = self.reason is not None
        return None

    def _count(self, usage: dict[str, Any]) -> None:
        """Counts are cumulative, and what is left out stays as it was."""
        self._seen.update({name: value for name, value in usage.items() if isinstance(value, int)})
        if "input_tokens" in self._seen or "output_tokens" in self._seen:
            cached = count(self._seen.get("cache_read_input_tokens"))
            fresh = count(self._seen.get("input_tokens")) + count(self._seen.get("cache_creation_input_tokens"))
            self.usage = TokenUsage(fresh + cached, count(self._seen.get("output_tokens")), cached)


class AnthropicWire(Wire):
    """Anthropic's messages."""

    words = _WORDS
    frames = SseReader
    decoding = _Decoder
    models = "/v1/models?limit=1000"

    def request(self, call: Call) -> WireRequest:
        """See `Wire`."""
        body: dict[str, Any] = {
            "model": call.model,
            "max_tokens": call.max_tokens or _DEFAULT_MAX_TOKENS,
            "messages": [{"role": turn.role.value, "content": turn.content} for turn in call.turns()],
            "stream": True,
        }
        if system := call.system():
            body["system"] = system
        if call.temperature is not None:
            body["temperature"] = call.temperature
        if call.reasoning is not None:
            body["thinking"] = {"type": "adaptive"}
            body["output_config"] = {"effort": call.reasoning}
        return WireRequest("/v1/messages", body)

    def listed(self, document: Mapping[str, Any]) -> Sequence[ListedModel]:
        """See `Wire`."""
        return [ListedModel(str(entry["id"])) for entry in document.get("data") or () if entry.get("id")]
