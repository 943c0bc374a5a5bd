"""From drafts to hits: texts are read, near-duplicates left out."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from kaynak.catalog import Admitted, Details, Excerpt, Look, Unit, excerpts
from kaynak.domain import Generation, Hit, Scope, suspicions
from kaynak.retrieval.duplicates import Duplicates
from kaynak.retrieval.merging import Draft
from kaynak.retrieval.ranking import Ranking


@dataclass(slots=True)
class Found:
    """A draft with what its chunks say.

    Attributes:
        draft: What it was.
        best: The chunk it stands for.
        details: Of that chunk.
        text: What is in its chunks: the very characters of its span if it is one chunk.
    """

    draft: Draft
    best: Admitted
    details: Details
    text: str

    @property
    def whole(self) -> bool:
        """Whether nothing is left to be read: its text is its span's, and it is on no page."""
        return len(self.draft.chunks) == 1 and not self.details.paged


@dataclass(slots=True)
class Reader:
    """Reads drafts in order, and keeps what is no near-duplicate of something before.

    Attributes:
        scope: Who asks.
        generations: Of the collections, in their order.
        repeats: Whether near-duplicates are kept: who asks for documents wants each of them.
        found: What was kept.
        seen: How many drafts were read.
        repeated: For each document that lost a passage as a near-duplicate, the document that stands for it.
    """

    scope: Scope
    generations: Sequence[Generation]
    repeats: bool
    found: list[Found] = field(default_factory=list)
    repeated: dict[UUID, str] = field(default_factory=dict)
    seen: int = 0
    _duplicates: Duplicates[int] = field(default_factory=Duplicates)

    async def read(self, look: Look, drafts: Sequence[Draft]) -> None:
        """Reads what ``drafts`` say; what was changed since the gate admitted it is left out."""
        self.seen += len(drafts)
        late = await self._late(look, drafts)
        for draft in drafts:
            chunks = [late.get(chunk.chunk_id, chunk) for chunk in draft.chunks]
            details = [one for chunk in chunks if (one := chunk.details) is not None]
            if len(details) == len(chunks):
                best = next(at for at, chunk in enumerate(chunks) if chunk.chunk_id == draft.best.chunk.chunk_id)
                self._keep(Found(draft, chunks[best], details[best], "\n".join(one.text for one in details)))

    async def _late(self, look: Look, drafts: Sequence[Draft]) -> dict[int, Admitted]:
        """Returns the chunks that were admitted without what they say, with it, by id."""
        wanted: dict[int, list[int]] = {}
        for draft in drafts:
            ids = [chunk.chunk_id for chunk in draft.chunks if chunk.told is None]
            if ids:
                wanted.setdefault(draft.best.source, []).extend(ids)
        rows: list[Admitted] = []
        for source, ids in wanted.items():
            rows += await look.admit(self.scope, self.generations[source], ids, details=True)
        return {row.chunk_id: row for row in rows}

    def _keep(self, one: Found) -> None:
        first = None if self.repeats else self._duplicates.original(one.text, len(self.found))
        if first is None:
            self.found.append(one)
            return
        standing = self.found[first]
        standing.draft.notes.append(f"stands also for a near-duplicate in “{one.best.external_id}”")
        self.repeated[one.best.document_id] = standing.best.external_id


async def places_of(unit: Unit, scope: Scope, found: Sequence[Found]) -> list[Excerpt | None]:
    """Returns what stands where each was found, and on which pages; None for what was changed meanwhile."""
    late = [one for one in found if not one.whole]
    read = await excerpts(unit.connection, scope, [(one.best.version_id, one.draft.span) for one in late])
    places = dict(zip(map(id, late), read, strict=True))
    return [Excerpt(one.text, None) if one.whole else places[id(one)] for one in found]


def hit_of(
    one: Found, place: Excerpt, score: float, ranking: Ranking, shown: Container[int] | None, *, explain: bool
) -> Hit:
    """Returns the hit as callers see it; see `Ranking.explain` for ``shown``."""
    best, details = one.best, one.details
    return Hit(
        score=round(score, 6),
        collection=ranking.sides.collection.name,
        document_id=best.document_id,
        external_id=best.external_id,
        title=best.title,
        version_id=best.version_id,
        version=details.version,
        chunk_ids=tuple(chunk.chunk_id for chunk in one.draft.chunks),
        span=one.draft.span,
        text=place.text,
        headings=tuple(details.headings),
        pages=place.pages,
        language=details.language,
        media_type=details.media_type,
        metadata=details.metadata,
        explanation=ranking.explain(best.chunk_id, one.draft.notes, shown) if explain else None,
        suspicious=suspicions(place.text),
    )


def ranked_scores(found: Sequence[Found]) -> list[float]:
    """Returns the scores of hits, never rising: what was only found by looking further stands behind."""
    scores: list[float] = []
    for one in found:
        score = min(1.0, max(0.0, one.draft.best.score))
        scores.append(min(score, scores[-1]) if scores else score)
    return scores
