"""Two lists of candidates to one, on a scale that means the same for every query, collection and model.

Each side is brought to [0, 1] against fixed points that do not depend on what else was found: a cosine against
what unrelated passages of the collection have with this query (0) and identity (1); a BM25 score against the most
that the query can reach (1), less what the index does not know of it; a sum of products of learnt weights against what
the query has with itself (1/2). So scores can be weighed, compared between collections, and stay the same however many
candidates are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Scores = NDArray[np.float64]

_FAR = 0.02
"""Share of the scale for cosines below those of unrelated passages: they stay in order, and count for nothing."""

_KNOWN_LEAST = 0.2
"""Something was found, be it by the beginnings of words alone."""

NEIGHBOUR = 0.1
"""What a candidate gains from each neighbour in the text: of that one's own score."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """What one side found, best first.

    Attributes:
        ids: Chunk ids, each once.
        scores: As the engine gave them, finite.
        normalised: The same in [0, 1].
    """

    ids: Ids
    scores: Scores
    normalised: Scores

    def first(self, depth: int) -> Ranked:
        """Returns the first ``depth`` of them."""
        return Ranked(self.ids[:depth], self.scores[:depth], self.normalised[:depth])


NOTHING = Ranked(np.empty(0, np.int64), np.empty(0), np.empty(0))


def tidy(ids: object, scores: object) -> tuple[Ids, Scores]:
    """Returns candidates of an engine as arrays, best first: without what is not finite, and each id once.

    An engine is not trusted to keep its promises; what cannot be read at all is no candidate.
    """
    try:
        keys = np.asarray(ids, dtype=np.int64).ravel()
        values = np.asarray(scores, dtype=np.float64).ravel()
    except (TypeError, ValueError, OverflowError):
        return NOTHING.ids, NOTHING.scores
    size = min(len(keys), len(values))
    keys, values = keys[:size], values[:size]
    good = np.isfinite(values)
    keys, values = keys[good], values[good]
    order = np.lexsort((keys, -values))
    keys, values = keys[order], values[order]
    _, first = np.unique(keys, return_index=True)
    first.sort()
    return keys[first], values[first]


def normalise_cosines(cosines: Scores, background: float) -> Scores:
    """Returns cosines in [0, 1]: near 0 up to ``background``, the mean cosine of what is unrelated; 1 at 1."""
    background = min(0.98, max(-0.98, background))
    above = _FAR + (1 - _FAR) * (cosines - background) / (1 - background)
    below = _FAR * (1 + cosines) / (1 + background)
    scaled: Scores = np.clip(np.where(cosines >= background, above, below), 0.0, 1.0)
    return scaled


def normalise_bm25(scores: Scores, ceiling: float, known: float) -> Scores:
    """Returns BM25 scores in [0, 1].

    Args:
        scores: Of the entries.
        ceiling: The most the query can reach in this index.
        known: Share of its words that the index has; the others were asked for, and nobody has them.
    """
    if not ceiling > 0 or not np.isfinite(ceiling):
        return np.zeros_like(scores)
    share = min(1.0, max(_KNOWN_LEAST, known)) if np.isfinite(known) else 1.0
    scaled: Scores = np.clip(scores, 0.0, ceiling) / ceiling * share
    return scaled


def normalise_weights(scores: Scores, own: float) -> Scores:
    """Returns sums of products of learnt weights in [0, 1): 1/2 for an entry that weighs each token as the query does.

    Nothing bounds such a sum that does not depend on what else was found, so it nears 1 and never reaches it, and
    keeps its order. BM25 has about 1/2, too, where an entry of usual length says each word of the query once.
    What nobody has of the query is in ``own``, and lowers all.

    Args:
        scores: Of the entries.
        own: What the query would have with itself: the sum of the squares of its weights.
    """
    if not own > 0 or not np.isfinite(own):
        return np.zeros_like(scores)
    shares = np.maximum(scores, 0.0) / own
    scaled: Scores = shares / (1 + shares)
    return scaled


def fuse(dense: Ranked, lexical: Ranked, dense_weight: float) -> tuple[Ids, Scores]:
    """Returns all candidates of both sides, by id, with the weighed sum of their normalised scores in [0, 1].

    What a side did not return has 0 there.
    """
    ids = np.union1d(dense.ids, lexical.ids)
    scores = np.zeros(len(ids))
    scores[np.searchsorted(ids, dense.ids)] += dense_weight * dense.normalised
    scores[np.searchsorted(ids, lexical.ids)] += (1 - dense_weight) * lexical.normalised
    return ids, scores


def support(scores: Scores, before: Ids, after: Ids) -> Scores:
    """Adds to each score a share of its neighbours': a passage among good passages is a better one.

    Args:
        scores: In [0, 1].
        before: For each, the place in ``scores`` of the candidate before it in its document, or -1.
        after: The same of the one after it.

    Returns:
        Scores in [0, 1], higher than before by up to `NEIGHBOUR` for each neighbour, on the same scale.
    """
    padded = np.append(scores, 0.0)
    gained = scores + NEIGHBOUR * (padded[before] + padded[after])
    scaled: Scores = np.minimum(1.0, gained / (1 + 2 * NEIGHBOUR))
    return scaled
