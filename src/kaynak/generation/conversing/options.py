from __future__ import annotations

from dataclasses import dataclass, field

from kaynak.domain import AskRequest, CitationPolicy, Conversation, Depth, SearchRequest, parse_filter
from kaynak.generation.conversing.remembering import MemoryLimits


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """What one question wants otherwise than its conversation; None leaves it as it is there.

    Attributes:
        model: ``provider:model``, or ``extractive``.
        policy: For sentences without support.
        depth: How hard to look.
        limit: Passages to answer from.
    """

    model: str | None = None
    policy: CitationPolicy | None = None
    depth: Depth | None = None
    limit: int = 10


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """How turns are done.

    Attributes:
        rewrite_seconds: Longest wait for a model that rewrites a question; then rules do it.
        summary_seconds: Longest wait for a model that sums up.
        pace: Seconds between saves of what is written, which are its writer's signs of life.
        lease: Seconds without a sign of life after which a writer is taken for dead.
        memory: How much of the conversation goes along.
    """

    rewrite_seconds: float = 8.0
    summary_seconds: float = 20.0
    pace: float = 1.0
    lease: float = 10.0
    memory: MemoryLimits = field(default_factory=MemoryLimits)


def request_of(conversation: Conversation, question: str, options: TurnOptions) -> AskRequest:
    """Returns ``question`` as it is asked in ``conversation``, with what ``options`` want otherwise."""
    wish = conversation.answering
    search = SearchRequest(
        query=question,
        collections=conversation.collections,
        filter=None if conversation.filter is None else parse_filter(conversation.filter),
        limit=options.limit,
    )
    other_model = options.model is not None and options.model != wish.model
    return AskRequest(
        search,
        model=options.model or wish.model,
        fallbacks=None if other_model else wish.fallbacks or None,
        settings=wish.settings,
        policy=options.policy or wish.policy,
        depth=options.depth or wish.depth,
    )
