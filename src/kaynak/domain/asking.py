"""What a person asks, and how the answer is to be written."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kaynak.domain.models import Message, ModelSettings
from kaynak.domain.search import SearchRequest

EXTRACTIVE = "extractive"
"""Name of the built-in that quotes and needs no language model."""


class CitationPolicy(StrEnum):
    """What becomes of sentences that the sources do not bear out."""

    MARK = "mark"
    """They are shown with their verdict."""
    DROP = "drop"
    """They are left out; a sentence is shown once it is verified."""
    REFUSE = "refuse"
    """One of them, and the whole answer is withheld."""


class Depth(StrEnum):
    """How hard to look for passages."""

    QUICK = "quick"
    NORMAL = "normal"
    DEEP = "deep"


@dataclass(frozen=True, slots=True)
class AskRequest:
    """A question that wants an answer. What is None is taken from the collection, then from the settings.

    Attributes:
        search: Where to look; its ``query`` is the question.
        model: ``provider:model``, or ``extractive``.
        fallbacks: Models to ask in order when one is away.
        settings: For the model.
        policy: For sentences without support.
        depth: How hard to look.
        history: The conversation so far, oldest first, without this question.
        fresh: Whether to answer anew, even if the answer is remembered.
    """

    search: SearchRequest
    model: str | None = None
    fallbacks: tuple[str, ...] | None = None
    settings: ModelSettings = field(default_factory=ModelSettings)
    policy: CitationPolicy | None = None
    depth: Depth | None = None
    history: tuple[Message, ...] = ()
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Answering:
    """How a collection wants to be answered from; None leaves it to the settings.

    Attributes:
        model: ``provider:model``, or ``extractive``.
        fallbacks: Models to ask in order when one is away.
        settings: For the model.
        policy: For sentences without support.
        depth: How hard to look.
    """

    model: str | None = None
    fallbacks: tuple[str, ...] = ()
    settings: ModelSettings = field(default_factory=ModelSettings)
    policy: CitationPolicy | None = None
    depth: Depth | None = None
