"""What the providers answer besides chats: lists of models, descriptions, embeddings."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaynak.testing.models.exchange import Refused, check_fields

_KNOWN = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
_DIMENSIONS = 256


def models(provider: str, names: Sequence[str]) -> dict[str, Any]:
    """Returns the provider's list of models."""
    if provider == "gemini":
        methods = ["generateContent", "countTokens"]
        return {
            "models": [
                {"name": f"models/{name}", "inputTokenLimit": 65536, "supportedGenerationMethods": methods}
                for name in names
            ]
        }
    if provider == "ollama":
        return {"models": [{"name": name, "model": name, "size": 1} for name in names]}
    if provider == "anthropic":
        data = [{"type": "model", "id": name, "display_name": name} for name in names]
        return {"data": data, "has_more": False, "first_id": None, "last_id": None}
    if provider == "openrouter":
        pricing = {"prompt": "0.000001", "completion": "0.000002"}
        return {"data": [{"id": name, "context_length": 65536, "pricing": pricing} for name in names]}
    return {"object": "list", "data": [{"id": name, "object": "model", "owned_by": provider} for name in names]}


def shown(body: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Returns Ollama's description of a model.

    Raises:
        Refused: It has no such model.
    """
    name = body.get("model")
    if name not in names:
        raise Refused(404, f"model '{name}' not found")
    return {
        "model_info": {"general.architecture": "llama", "llama.context_length": 16384},
        "capabilities": ["completion", "thinking"],
        "thinking": {"values": ["low", "medium", "high"], "default": "medium"},
    }


def embeddings(body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns OpenAI's answer to a request for embeddings: unit vectors that depend on the text alone.

    Raises:
        Refused: The request is not valid.
    """
    check_fields(body, _KNOWN, ["model", "input"])
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise Refused(400, "'input' must be a string or a list of strings, none of them empty.")
    if len(texts) > 2048:
        raise Refused(400, "'input' has more than 2048 items.")
    size = int(body.get("dimensions", _DIMENSIONS))
    data = []
    for index, text in enumerate(texts):
        vector = vector_of(text, size)
        shape = base64.b64encode(vector.tobytes()).decode() if body.get("encoding_format") == "base64" else None
        data.append({"object": "embedding", "index": index, "embedding": shape or vector.tolist()})
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def vector_of(text: str, dimensions: int = _DIMENSIONS) -> NDArray[np.float32]:
    """Returns the embedding of ``text`` that the server gives: float32 of unit length."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    vector = np.random.default_rng(seed).standard_normal(dimensions).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)
