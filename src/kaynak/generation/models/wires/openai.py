from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kaynak.domain import FinishReason, TokenUsage
from kaynak.generation.models.failures import Said, said
from kaynak.generation.models.frames import Frame, SseReader
from kaynak.generation.models.providers import Provider, Quirk
from kaynak.generation.models.wires.protocol import (
    MAX_TOKENS,
    REASONING,
    STREAM_OPTIONS,
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

_MOST_DOLLARS = 1e6
"""Beyond it, what a provider says of a cost is not believed."""
_REASONS = {"length": FinishReason.LENGTH, "content_filter": FinishReason.FILTERED}
_WORDS = {
    TEMPERATURE: ("temperature",),
    MAX_TOKENS: ("max_tokens", "max_completion_tokens", "max_new_tokens"),
    REASONING: ("reasoning_effort", "reasoning", "thinking"),
}


@dataclass(slots=True)
class _Decoder(Decoder):
    reason_ends: bool = False
    done: bool = False

    def feed(self, frame: Frame) -> str | None:
        if frame.data.strip() == b"[DONE]":
            # Proxies add it to whatever they were cut off from; without a reason the answer is not whole.
            self.ended = self.reason is not None
            return None
        return Decoder.feed(self, frame)

    def _read(self, document: dict[str, Any], event: str) -> str | None:
        self.model = named(document.get("model"), self.model)
        if isinstance(document.get("usage"), dict):
            self._count(document["usage"])
        choices = document.get("choices") or ()
        if not choices or not isinstance(choices[0], dict):
            return None
        return self._choice(choices[0])

    def _choice(self, choice: dict[str, Any]) -> str | None:
        reason = choice.get("finish_reason")
        if reason == "error":
            raise StreamError(said(choice) or Said("The model stopped with an error."))
        if reason:
            self.reason = _REASONS.get(str(reason), FinishReason.STOP)
            self.ended = self.reason_ends
        delta = choice.get("delta") or {}
        text = delta.get("content")
        if isinstance(text, str) and text:
            return text
        return "" if delta.get("reasoning") or delta.get("reasoning_content") else None

    def _count(self, usage: dict[str, Any]) -> None:
        details = usage.get("prompt_tokens_details") or {}
        cached = count(details.get("cached_tokens"))
        self.usage = TokenUsage(count(usage.get("prompt_tokens")), count(usage.get("completion_tokens")), cached)
        cost = usage.get("cost")
        if isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < _MOST_DOLLARS:
            self.cost = float(cost)


class OpenAIWire(Wire):
    """Chat completions: OpenAI, Azure, OpenRouter, Hugging Face, and everything that is compatible with them."""

    words = _WORDS
    frames = SseReader
    decoding = _Decoder
    models = "/models"

    def request(self, call: Call) -> WireRequest:
        """See `Wire`."""
        quirks = call.provider.quirks
        body: dict[str, Any] = {
            "model": call.model,
            "messages": [{"role": message.role.value, "content": message.content} for message in call.messages],
            "stream": True,
        }
        if STREAM_OPTIONS not in call.without:
            body["stream_options"] = {"include_usage": True}
        if call.temperature is not None:
            body["temperature"] = call.temperature
        if call.max_tokens is not None:
            field = "max_completion_tokens" if Quirk.MAX_COMPLETION_TOKENS in quirks else "max_tokens"
            body[field] = call.max_tokens
        if call.reasoning is not None:
            if Quirk.NESTED_REASONING in quirks:
                body["reasoning"] = {"effort": call.reasoning}
            else:
                body["reasoning_effort"] = call.reasoning
        return WireRequest(_path(call.provider, "/chat/completions", call.model), body)

    def decoder(self, provider: Provider) -> Decoder:
        """See `Wire`."""
        return _Decoder(reason_ends=Quirk.REASON_ENDS in provider.quirks)

    def settings(self, call: Call) -> dict[str, tuple[str, ...]]:
        """See `Wire`."""
        found = super().settings(call)
        return found if STREAM_OPTIONS in call.without else {**found, STREAM_OPTIONS: (STREAM_OPTIONS,)}

    def listing(self, provider: Provider) -> str:
        """See `Wire`."""
        return _path(provider, self.models)

    def listed(self, document: Mapping[str, Any]) -> Sequence[ListedModel]:
        """See `Wire`."""
        return [
            ListedModel(
                str(entry["id"]),
                count(entry.get("context_length")) or count(entry.get("max_model_len")) or None,
                _price(entry),
            )
            for entry in document.get("data") or ()
            if isinstance(entry, dict) and entry.get("id")
        ]


def _path(provider: Provider, path: str, model: str | None = None) -> str:
    if Quirk.DEPLOYMENTS not in provider.quirks:
        return path
    if provider.api_version is None:
        return f"/openai/v1{path}"
    deployment = f"/deployments/{quote(model, safe='')}" if model else ""
    return f"/openai{deployment}{path}?api-version={quote(provider.api_version, safe='')}"


def _price(entry: dict[str, Any]) -> tuple[float, float] | None:
    """Returns what OpenRouter's list says of the price: it is per token there."""
    pricing = entry.get("pricing")
    try:
        prompt, completion = float(pricing["prompt"]), float(pricing["completion"])  # type: ignore[index]
    except (TypeError, KeyError, ValueError):
        return None
    sound = 0 <= prompt < _MOST_DOLLARS and 0 <= completion < _MOST_DOLLARS
    return (prompt * 1e6, completion * 1e6) if sound else None
