"""What the models took that helped with a question counts with the answer to it."""

from __future__ import annotations

from dataclasses import replace

from kaynak.domain import Answer
from kaynak.generation.conversing.helping import Help
from kaynak.generation.turn import summed


def completed(answer: Answer, question: str, help_: Help) -> Answer:
    """Returns ``answer`` as the one to ``question``, with what helping with the question took."""
    notes = (help_.note,) if help_.note else ()
    return replace(
        answer,
        question=question,
        degraded=(*notes, *answer.degraded),
        usage=summed(answer.usage, help_.usage),
        cost=summed(answer.cost, help_.cost),
    )


def both(one: Help, other: Help | None) -> Help:
    """Returns ``one`` with what ``other`` took too."""
    if other is None:
        return one
    return replace(one, usage=summed(one.usage, other.usage), cost=summed(one.cost, other.cost))
