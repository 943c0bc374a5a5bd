"""The candidates of one collection, in order."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kaynak.catalog import Admitted
from kaynak.domain import HitExplanation, Json, SideScore
from kaynak.engines import LexicalCandidates
from kaynak.retrieval.fusion import (
    NOTHING,
    Ids,
    Ranked,
    Scores,
    fuse,
    normalise_bm25,
    normalise_cosines,
    normalise_weights,
    support,
    tidy,
)
from kaynak.retrieval.merging import Candidate
from kaynak.retrieval.sides import Sides
from kaynak.retrieval.weighing import Weight, weigh

HEAD = 96
"""Candidates of a collection that are sent through the gate first. They decide nearly every page, so that nearly
always only they have to pass it."""


@dataclass(slots=True)
class Ranking:
    """What both sides of a collection found, on one scale.

    Attributes:
        sides: Where it comes from.
        dense: Tidy.
        lexical: Tidy.
        weight: Of the dense side.
        background: Cosine of unrelated passages with the query.
    """

    sides: Sides
    dense: Ranked
    lexical: Ranked
    weight: Weight
    background: float
    _known: dict[int, tuple[Ids, Scores]] = field(default_factory=dict)
    _heads: dict[int, list[int]] = field(default_factory=dict)

    @property
    def ids(self) -> list[int]:
        """Ids of all candidates."""
        found: list[int] = np.union1d(self.dense.ids, self.lexical.ids).tolist()
        return found

    def head(self, depth: int) -> list[int]:
        """Returns the ids of the best `HEAD` candidates among the first ``depth`` of each side."""
        known = self._heads.get(depth)
        if known is None:
            ids, scores = self._fused(depth)
            known = self._heads[depth] = ids[np.lexsort((ids, -scores))[:HEAD]].tolist()
        return known

    def candidates(
        self, source: int, admitted: Mapping[int, Admitted], depths: Sequence[int], *, whole: bool, passages: bool
    ) -> list[list[Candidate]]:
        """Returns the admitted candidates of the head and of each depth, best first, each once.

        The head comes first, then what else is found among the first depth, and so on: so the first pages are the
        same however many are read.

        Args:
            source: Index of the collection in the search.
            admitted: What passed the gate, by chunk id.
            depths: Candidates of each side to look at, rising.
            whole: Whether more than the head went through the gate.
            passages: Whether passages are asked for. Then neighbours in the text support each other, and of copies
                in one document the first stands first. For documents neither helps: long ones gain from being long.
        """
        taken: set[int] = set()
        found: list[list[Candidate]] = []
        head = set(self.head(depths[0]))
        inner = {key: row for key, row in admitted.items() if key in head}
        outer = [(admitted, depth) for depth in depths] if whole else []
        for rows, depth in [(inner, depths[0]), *outer]:
            scores = self._scores(rows, depth, supported=passages)
            new = [Candidate(score, source, admitted[key]) for key, score in scores if key not in taken]
            taken.update(one.chunk.chunk_id for one in new)
            found.append(in_order_of_text(new) if passages else new)
        return found

    def _fused(self, depth: int) -> tuple[Ids, Scores]:
        known = self._known.get(depth)
        if known is None:
            known = fuse(self.dense.first(depth), self.lexical.first(depth), self.weight.dense)
            self._known[depth] = known
        return known

    def _scores(self, admitted: Mapping[int, Admitted], depth: int, *, supported: bool) -> list[tuple[int, float]]:
        ids, scores = self._fused(depth)
        allowed = np.isin(ids, np.fromiter(admitted, dtype=np.int64, count=len(admitted)), assume_unique=True)
        ids, scores = ids[allowed], scores[allowed]
        if supported:
            scores = support(scores, *_neighbours([admitted[key] for key in ids.tolist()]))
        order = np.lexsort((ids, -scores))
        return list(zip(ids[order].tolist(), scores[order].tolist(), strict=True))

    def explain(self, chunk_id: int, notes: Sequence[str], shown: Container[int] | None = None) -> HitExplanation:
        """Returns why a chunk has the score it has, with its ranks among ``shown``, or among all."""
        dense, lexical = _side(self.dense, chunk_id, shown), _side(self.lexical, chunk_id, shown)
        weight = self.weight.dense
        if self.sides.weights is not None:
            notes = (*notes, "words count as the model has learnt")
        fused = weight * (dense.normalised if dense else 0.0) + (1 - weight) * (lexical.normalised if lexical else 0.0)
        return HitExplanation(
            lexical, dense, {"dense": round(weight, 4), "lexical": round(1 - weight, 4)}, round(fused, 6), tuple(notes)
        )

    def describe(self, admitted: Collection[int], *, narrow: bool) -> dict[str, Json]:
        """Returns what is shown of this collection in a trace.

        Args:
            admitted: What passed the gate.
            narrow: Whether there may be documents that the caller may not read: then nothing is told that counts
                them, or that is taken from them.
        """
        sides = self.sides
        shown: dict[str, Json] = {
            "dense": _count(self.dense, admitted if narrow else None),
            "dense_mode": sides.dense.mode if sides.dense else None,
            "lexical": _count(self.lexical, admitted if narrow else None),
            "lexical_mode": sides.lexical.mode if sides.lexical else None,
            "lexical_holds": "words" if sides.collection.generation.weights_fingerprint is None else "learnt weights",
            "admitted": len(admitted),
        }
        if not narrow:
            shown["dense_weight"] = round(self.weight.dense, 4)
            shown["background_cosine"] = round(self.background, 4)
            shown["signals"] = self.weight.signals
        return shown


def in_order_of_text(tier: Sequence[Candidate]) -> list[Candidate]:
    """Returns candidates where they are, but copies of a text in one document in the order of the document.

    Their scores differ by chance. A reader expects to be shown the first place, and the same one each time.
    """
    if len({one.chunk.text_hash for one in tier}) == len(tier):
        return list(tier)
    copies: dict[tuple[int, bytes], list[Candidate]] = {}
    for one in tier:
        copies.setdefault((one.chunk.document_id.int, one.chunk.text_hash), []).append(one)
    if len(copies) == len(tier):
        return list(tier)
    waiting = {key: iter(sorted(several, key=lambda one: one.chunk.start)) for key, several in copies.items()}
    return [next(waiting[one.chunk.document_id.int, one.chunk.text_hash])._replace(score=one.score) for one in tier]


def rank(asked: Sequence[Sides], fixed: float | None) -> list[Ranking]:
    """Brings the sides of all collections to one scale.

    Collections with the same model share the background that is farthest from the query: between them, cosines
    compare as they are.
    """
    nearest: dict[str, float] = {}
    for sides in asked:
        if sides.vector is not None:
            model = sides.collection.generation.embedder_fingerprint
            nearest[model] = min(nearest.get(model, 1.0), sides.profile.background(sides.vector))
    return [_rank_one(sides, nearest, fixed) for sides in asked]


def _rank_one(sides: Sides, nearest: Mapping[str, float], fixed: float | None) -> Ranking:
    background = nearest.get(sides.collection.generation.embedder_fingerprint, 0.0)
    dense = lexical = NOTHING
    known: float | None = None
    if sides.dense is not None:
        ids, cosines = tidy(sides.dense.ids, sides.dense.scores)
        dense = Ranked(ids, cosines, normalise_cosines(cosines, background))
    if sides.lexical is not None:
        ids, scores = tidy(sides.lexical.ids, sides.lexical.scores)
        if isinstance(sides.lexical, LexicalCandidates):
            known = sides.lexical.known
            lexical = Ranked(ids, scores, normalise_bm25(scores, sides.lexical.ceiling, known))
        else:
            own = sum(weight * weight for weight in (sides.weights or {}).values())
            lexical = Ranked(ids, scores, normalise_weights(scores, own))
    weight = weigh(sides.query_pieces, sides.profile, known=known, fixed=fixed)
    if sides.dense is None or sides.lexical is None:
        # A side that was not asked, or is away, has no weight.
        weight = Weight(0.0 if sides.dense is None else 1.0, weight.signals)
    return Ranking(sides, dense, lexical, weight, background)


def _neighbours(rows: Sequence[Admitted]) -> tuple[Ids, Ids]:
    """Returns the places of the chunk before and of the chunk after each, -1 where it is not among them."""
    keys = [(row.version_id.int, row.ordinal) for row in rows]
    places = {key: at for at, key in enumerate(keys)}
    before = [places.get((version, ordinal - 1), -1) for version, ordinal in keys]
    after = [places.get((version, ordinal + 1), -1) for version, ordinal in keys]
    return np.array(before, dtype=np.int64), np.array(after, dtype=np.int64)


def _count(found: Ranked, shown: Container[int] | None) -> int:
    return len(found.ids) if shown is None else sum(key in shown for key in found.ids.tolist())


def _side(found: Ranked, chunk_id: int, shown: Container[int] | None) -> SideScore | None:
    (places,) = np.nonzero(found.ids == chunk_id)
    if not len(places):
        return None
    at = int(places[0])
    rank = at if shown is None else sum(key in shown for key in found.ids[:at].tolist())
    return SideScore(rank + 1, round(float(found.scores[at]), 6), round(float(found.normalised[at]), 6))
