"""From chosen sentences to what is shown."""

from __future__ import annotations

from collections.abc import Sequence

from kaynak.domain import Hit, Span
from kaynak.generation.citing import quoted
from kaynak.generation.extractive.units import Unit
from kaynak.generation.protocol import Quote, Written


def compose(chosen: Sequence[Unit], units: Sequence[Unit], hits: Sequence[Hit]) -> list[Written]:
    """Returns the chosen sentences, best first; those that follow each other in a passage are read as one quote.

    Args:
        chosen: Some of ``units``, best first.
        units: All sentences, in the order of passages and text.
        hits: The passages.
    """
    places = {unit: at for at, unit in enumerate(units)}
    waiting = {places[unit]: unit for unit in chosen}
    written: list[Written] = []
    for unit in chosen:
        first = last = places[unit]
        if waiting.pop(first, None) is None:
            continue
        while _follows(waiting, first - 1, unit):
            first -= 1
            del waiting[first]
        while _follows(waiting, last + 1, unit):
            last += 1
            del waiting[last]
        span = Span(units[first].span.start, units[last].span.end)
        text = unit.reading if first == last else _one_line(quoted(hits[unit.hit], span))
        written.append(Written(text, (Quote(unit.hit, span),)))
    return written


def _follows(waiting: dict[int, Unit], at: int, unit: Unit) -> bool:
    """Whether the sentence at ``at`` is chosen too, and prose of the same passage."""
    other = waiting.get(at)
    return (
        other is not None and other.hit == unit.hit and not (other.row or unit.row or other.found_by or unit.found_by)
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
