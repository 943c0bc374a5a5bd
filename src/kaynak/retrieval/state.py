"""What a search knows while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kaynak.catalog import Admitted
from kaynak.domain import Collection, Scope, SearchRequest
from kaynak.retrieval.hits import Found, Reader
from kaynak.retrieval.merging import Candidate
from kaynak.retrieval.ranking import Ranking
from kaynak.retrieval.sides import Vector


@dataclass(slots=True)
class State:
    """What is known of a search while it runs.

    Attributes:
        request: What is asked.
        scope: Who asks.
        vectors: To look for meaning with in place of the query's own, by model.
        collections: Where.
        revisions: What the answer reflects, by collection.
        rankings: Of each collection, from the deepest look so far.
        asked: Of each collection, the candidates that were sent through the gate.
        admitted: Of each collection, those that passed it.
        tiers: The same of all collections, in order.
        reader: Has read the texts so far.
        stages: Milliseconds by stage.
    """

    request: SearchRequest
    scope: Scope
    vectors: Mapping[str, Vector] = field(default_factory=dict)
    collections: list[Collection] = field(default_factory=list)
    revisions: dict[str, int] = field(default_factory=dict)
    rankings: list[Ranking] = field(default_factory=list)
    asked: list[set[int]] = field(default_factory=list)
    admitted: list[dict[int, Admitted]] = field(default_factory=list)
    tiers: list[list[Candidate]] = field(default_factory=list)
    reader: Reader | None = None
    stages: dict[str, float] = field(default_factory=dict)

    def narrow(self, collection: Collection) -> bool:
        """Returns whether there may be documents that the caller may not read, in a collection that they may read."""
        return collection.restricted > 0 and self.scope.principals is not None

    def shown(self, source: int) -> dict[int, Admitted] | None:
        """Returns the candidates of a collection that its ranks are told among; None for all."""
        return self.admitted[source] if self.narrow(self.rankings[source].sides.collection) else None

    @property
    def found(self) -> list[Found]:
        """What was read so far."""
        return self.reader.found if self.reader is not None else []


def merged(
    rankings: Sequence[Ranking],
    admitted: Sequence[dict[int, Admitted]],
    depths: Sequence[int],
    *,
    whole: bool,
    passages: bool,
) -> list[list[Candidate]]:
    """Returns the candidates of all collections, best first in each tier; see `Ranking.candidates`."""
    tiers: list[list[Candidate]] = [[] for _ in range(len(depths) + 1 if whole else 1)]
    for source, (ranking, rows) in enumerate(zip(rankings, admitted, strict=True)):
        own = ranking.candidates(source, rows, depths, whole=whole, passages=passages)
        for tier, found in zip(tiers, own, strict=True):
            tier += found
    if len(rankings) > 1:
        for tier in tiers:
            tier.sort(key=lambda one: -one.score)
    return tiers
