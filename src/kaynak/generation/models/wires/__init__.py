"""A file per wire format: what is sent, and how the stream that comes back is read."""

from kaynak.generation.models.providers import WireName
from kaynak.generation.models.wires.anthropic import AnthropicWire
from kaynak.generation.models.wires.gemini import GeminiWire
from kaynak.generation.models.wires.ollama import OllamaWire
from kaynak.generation.models.wires.openai import OpenAIWire
from kaynak.generation.models.wires.protocol import Call, Decoder, ListedModel, Wire, WireRequest

WIRES: dict[WireName, Wire] = {
    WireName.OPENAI: OpenAIWire(),
    WireName.ANTHROPIC: AnthropicWire(),
    WireName.GEMINI: GeminiWire(),
    WireName.OLLAMA: OllamaWire(),
}

__all__ = ["WIRES", "Call", "Decoder", "ListedModel", "Wire", "WireRequest"]
