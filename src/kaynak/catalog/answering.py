"""How a collection is answered from, as it is stored: a JSON object with what is chosen, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kaynak.domain import Answering, CitationPolicy, Depth, ModelSettings, Reasoning


def stored_answering(answering: Answering) -> str:
    """Returns ``answering`` as the JSON that is stored."""
    settings = answering.settings
    chosen = {
        "model": answering.model,
        "fallbacks": list(answering.fallbacks) or None,
        "temperature": settings.temperature,
        "max_tokens": settings.max_tokens,
        "reasoning": settings.reasoning,
        "policy": answering.policy,
        "depth": answering.depth,
    }
    return json.dumps({name: value for name, value in chosen.items() if value is not None})


def answering_of(stored: Mapping[str, Any]) -> Answering:
    """Returns what was stored."""
    reasoning, policy, depth = stored.get("reasoning"), stored.get("policy"), stored.get("depth")
    return Answering(
        model=stored.get("model"),
        fallbacks=tuple(stored.get("fallbacks", ())),
        settings=ModelSettings(
            temperature=stored.get("temperature"),
            max_tokens=stored.get("max_tokens"),
            reasoning=None if reasoning is None else Reasoning(reasoning),
        ),
        policy=None if policy is None else CitationPolicy(policy),
        depth=None if depth is None else Depth(depth),
    )
