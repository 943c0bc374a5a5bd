"""From ranked chunks to what a reader sees: neighbours read as one passage, documents once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from kaynak.catalog import Admitted
from kaynak.domain import Span

GAP = 2
"""Ranks between a chunk and the neighbour it is read with, at most. A neighbour from farther behind would be shown
before better chunks; measured in ``docs/benchmarks.md``."""

PASSAGE_CHARS = 3000
"""Length up to which neighbours are merged."""


class Candidate(NamedTuple):
    """A chunk that passed the gate. There are a hundred per search, hence a tuple.

    Attributes:
        score: In [0, 1], comparable between collections.
        source: Index of its collection in the search.
        chunk: The chunk.
    """

    score: float
    source: int
    chunk: Admitted


@dataclass(slots=True)
class Draft:
    """A hit before its text is read: one chunk, or several that follow each other.

    Attributes:
        best: The chunk it stands for.
        chunks: All its chunks, in the order of the text.
        notes: What happened to it, for people.
    """

    best: Candidate
    chunks: list[Admitted]
    notes: list[str] = field(default_factory=list)

    @property
    def span(self) -> Span:
        """From its first to its last character."""
        return Span(self.chunks[0].start, max(chunk.end for chunk in self.chunks))


_Waiting = dict[tuple[int, int], tuple[int, Candidate]]
"""By version and ordinal: rank and candidate. Identities are numbers here, which are hashed faster."""


def drafts_of(tiers: Iterable[Sequence[Candidate]], *, by_document: bool) -> Iterator[Draft]:
    """Yields drafts, each where its best chunk stands.

    Neighbours are merged within a tier only, so that what is yielded of a tier is the same whether or not others
    follow it: pages continue each other.

    Args:
        tiers: Candidates, best first in each.
        by_document: Whether a document comes once, with its best passage.
    """
    documents: set[UUID] = set()
    for tier in tiers:
        waiting: _Waiting = {(one.chunk.version_id.int, one.chunk.ordinal): (at, one) for at, one in enumerate(tier)}
        for at, one in enumerate(tier):
            chunk = one.chunk
            if waiting.pop((chunk.version_id.int, chunk.ordinal), None) is None:
                continue
            if by_document:
                if chunk.document_id in documents:
                    continue
                documents.add(chunk.document_id)
            draft = Draft(one, [chunk])
            _extend(draft, waiting, at + GAP)
            if len(draft.chunks) > 1:
                draft.notes.append(f"{len(draft.chunks)} neighbouring chunks are read as one passage")
            yield draft


def _extend(draft: Draft, waiting: _Waiting, last: int) -> None:
    """Takes neighbours up to rank ``last`` out of ``waiting`` while there are some and the passage stays readable."""
    version = draft.best.chunk.version_id.int
    while True:
        sides = (
            (0, waiting.get((version, draft.chunks[0].ordinal - 1))),
            (len(draft.chunks), waiting.get((version, draft.chunks[-1].ordinal + 1))),
        )
        fitting = [
            (found[0], place, found[1].chunk)
            for place, found in sides
            if found is not None and found[0] <= last and _fits(draft.span, found[1].chunk)
        ]
        if not fitting:
            return
        _, place, chunk = min(fitting, key=lambda one: one[0])
        del waiting[version, chunk.ordinal]
        draft.chunks.insert(place, chunk)


def _fits(span: Span, chunk: Admitted) -> bool:
    return max(span.end, chunk.end) - min(span.start, chunk.start) <= PASSAGE_CHARS
