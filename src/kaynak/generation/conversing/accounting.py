"""What the models took that helped with a question counts with the answer to it."""

from __future__ import annotations

from dataclasses import replace

from kaynak.domain import Answer, TokenUsage
from kaynak.generation.conversing.helping import Help


def completed(answer: Answer, question: str, help_: Help) -> Answer:
    """Returns ``answer`` as the one to ``question``, with what helping with the question took."""
    notes = (help_.note,) if help_.note else ()
    costs = [cost for cost in (answer.cost, help_.cost) if cost is not None]
    return replace(
        answer,
        question=question,
        degraded=(*notes, *answer.degraded),
        usage=_sum(answer.usage, help_.usage),
        cost=sum(costs) if costs else None,
    )


def both(one: Help, other: Help | None) -> Help:
    """Returns ``one`` with what ``other`` took too."""
    if other is None:
        return one
    costs = [cost for cost in (one.cost, other.cost) if cost is not None]
    return replace(one, usage=_sum(one.usage, other.usage), cost=sum(costs) if costs else None)


def _sum(one: TokenUsage | None, other: TokenUsage | None) -> TokenUsage | None:
    return one + other if one is not None and other is not None else one or other
