"""What is known of models beforehand. All else is learnt by asking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kaynak.embedding.hosted.options import Wire
from kaynak.embedding.protocol import Kind

UNKNOWN_TOKENS = 512
"""Most tokens of one text of a model that nothing is known of: nearly all read that much."""


@dataclass(frozen=True, slots=True)
class Family:
    """A model whose maker documents it.

    Attributes:
        wire: The format of its maker.
        max_tokens: Of one text.
        prompts: What its maker wants before texts, by kind.
        tasks: Whether the kind is a field of the request.
    """

    wire: Wire
    max_tokens: int
    prompts: Mapping[Kind, str] = field(default_factory=dict)
    tasks: bool = False


FAMILIES: Mapping[str, Family] = {
    "text-embedding-3-small": Family(Wire.OPENAI, 8191),
    "text-embedding-3-large": Family(Wire.OPENAI, 8191),
    "text-embedding-ada-002": Family(Wire.OPENAI, 8191),
    "gemini-embedding-001": Family(Wire.GEMINI, 2048, tasks=True),
    # The second one knows no tasks: they are words before the text.
    "gemini-embedding-2": Family(
        Wire.GEMINI, 8192, {"query": "task: search result | query: ", "document": "title: none | text: "}
    ),
}


def canonical(model: str) -> str:
    """Returns the maker's name for a model: routers put the maker before it, Gemini puts ``models/``."""
    bare = model.rpartition("/")[2]
    return bare if bare in FAMILIES else model
