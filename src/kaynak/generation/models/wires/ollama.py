from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kaynak.domain import FinishReason, ModelRefused, TokenUsage
from kaynak.generation.models.estimating import estimated_tokens
from kaynak.generation.models.frames import NdjsonReader
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

_LEAST_CONTEXT = 4096
_ANSWER_TOKENS = 2048
"""Room for an answer whose length was not set."""
_WORDS = {TEMPERATURE: ("temperature",), MAX_TOKENS: ("num_predict",), REASONING: ("think", "thinking")}


class _Decoder(Decoder):
    __slots__ = ()

    def _read(self, document: dict[str, Any], event: str) -> str | None:
        self.model = named(document.get("model"), self.model)
        if document.get("done") is True:
            length = document.get("done_reason") == "length"
            self.reason = FinishReason.LENGTH if length else FinishReason.STOP
            self.ended = True
            if "prompt_eval_count" in document or "eval_count" in document:
                self.usage = TokenUsage(count(document.get("prompt_eval_count")), count(document.get("eval_count")))
        message = document.get("message") or {}
        text = message.get("content")
        if isinstance(text, str) and text:
            return text
        return "" if message.get("thinking") else None


class OllamaWire(Wire):
    """Ollama's own chat. Its imitation of OpenAI ignores ``num_ctx``, and so cuts long prompts in silence."""

    words = _WORDS
    frames = NdjsonReader
    decoding = _Decoder
    models = "/api/tags"

    def request(self, call: Call) -> WireRequest:
        """See `Wire`.

        Raises:
            ModelRefused: The prompt does not fit; Ollama would cut it without a word.
        """
        options: dict[str, Any] = {"num_ctx": _context(call)}
        if call.temperature is not None:
            options["temperature"] = call.temperature
        if call.max_tokens is not None:
            options["num_predict"] = call.max_tokens
        body: dict[str, Any] = {
            "model": call.model,
            "messages": [{"role": message.role.value, "content": message.content} for message in call.messages],
            "stream": True,
            "options": options,
        }
        if call.reasoning is not None:
            # A degree that the model does not know is passed over by the server without a word: some only know
            # whether to think at all.
            known = call.thinking is None or call.reasoning in call.thinking
            body["think"] = call.reasoning if known else True
        return WireRequest("/api/chat", body)

    def listed(self, document: Mapping[str, Any]) -> Sequence[ListedModel]:
        """See `Wire`."""
        return [ListedModel(str(entry["name"])) for entry in document.get("models") or () if entry.get("name")]


def _context(call: Call) -> int:
    """Returns the smallest of a few sizes into which prompt and answer fit.

    Few sizes, because Ollama loads a model anew for each.
    """
    prompt = sum(estimated_tokens(message.content) + 8 for message in call.messages)
    needed = prompt + (call.max_tokens or _ANSWER_TOKENS)
    most = call.context_tokens
    if prompt >= most:
        raise ModelRefused(
            f"The prompt has about {prompt} tokens; {call.model} takes {most} with the answer.",
            hint="Ask for fewer passages, a model with a larger context, or raise context_tokens of the provider.",
        )
    size = _LEAST_CONTEXT
    while size < needed:
        size *= 2
    return min(size, most)
