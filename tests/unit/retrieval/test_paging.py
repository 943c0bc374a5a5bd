"""However far one reads, and however deep the engines are asked, what was found before stays where it was."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch
from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kaynak.catalog import Admitted
from kaynak.retrieval.fusion import Ranked
from kaynak.retrieval.merging import drafts_of
from kaynak.retrieval.ranking import Ranking
from kaynak.retrieval.state import merged
from kaynak.retrieval.weighing import Weight

DEPTHS = (8, 20, 60)
HEAD = 5
LENGTH = 12
"""Chunks in a document."""


def row(key):
    document = UUID(int=key // LENGTH + 1)
    ordinal = key % LENGTH
    # Every third chunk says the same as the one three before it.
    return Admitted(key, document, document, "x", ordinal, ordinal * 10, ordinal * 10 + 9, b"%d" % (key % 3))


@st.composite
def sides(draw):
    """One side: ids, best first. Few distinct scores, so that there are ties."""
    ids = draw(st.lists(st.integers(0, 5 * LENGTH - 1), unique=True, max_size=60))
    scores = sorted(draw(st.lists(st.integers(0, 8), min_size=len(ids), max_size=len(ids))), reverse=True)
    pairs = sorted(zip(ids, scores, strict=True), key=lambda pair: (-pair[1], pair[0]))
    values = np.array([score / 8 for _, score in pairs])
    return Ranked(np.array([key for key, _ in pairs], dtype=np.int64), values, values)


def ranking(source, dense, lexical):
    """Collections share no chunks."""
    dense, lexical = (replace(one, ids=one.ids + source * 5 * LENGTH) for one in (dense, lexical))
    return Ranking(None, dense, lexical, Weight(0.4, {}), 0.1)


RANKINGS = st.lists(st.tuples(sides(), sides()), min_size=1, max_size=3).map(
    lambda several: [ranking(source, *both) for source, both in enumerate(several)]
)
GONE = st.sets(st.integers(0, 15 * LENGTH - 1))


def read(rankings, gone, depths, *, whole, by_document):
    """Returns what is drafted when so much is looked at: ids and scores."""
    seen = [Ranking(None, one.dense.first(depths[-1]), one.lexical.first(depths[-1]), one.weight, one.background)
            for one in rankings]  # fmt: skip
    ids = [one.ids if whole else one.head(depths[0]) for one in seen]
    admitted = [{key: row(key) for key in some if key not in gone} for some in ids]
    tiers = merged(seen, admitted, depths, whole=whole, passages=not by_document)
    drafts = list(drafts_of(tiers, by_document=by_document))
    return [(one.best.source, [chunk.chunk_id for chunk in one.chunks], one.best.score) for one in drafts]


@given(RANKINGS, GONE, st.booleans())
def test_looking_further_only_adds(rankings, gone, by_document):
    with patch("kaynak.retrieval.ranking.HEAD", HEAD):
        looks = [read(rankings, gone, DEPTHS[:1], whole=False, by_document=by_document)]
        looks += [
            read(rankings, gone, DEPTHS[: count + 1], whole=True, by_document=by_document)
            for count in range(len(DEPTHS))
        ]
    for some in looks[:-1]:
        assert looks[-1][: len(some)] == some
    chunks = [(source, key) for source, keys, _ in looks[-1] for key in keys]
    assert len(chunks) == len(set(chunks))
    wanted = {
        (source, key)
        for source, one in enumerate(rankings)
        for key in {*one.dense.ids.tolist(), *one.lexical.ids.tolist()} - gone
    }
    if by_document:
        assert {row(key).document_id for _, key in chunks} == {row(key).document_id for _, key in wanted}
    else:
        assert set(chunks) == wanted


@given(RANKINGS, GONE)
def test_of_copies_in_a_document_the_first_place_stands_first(rankings, gone):
    with patch("kaynak.retrieval.ranking.HEAD", HEAD):
        for source, one in enumerate(rankings):
            admitted = {key: row(key) for key in one.ids if key not in gone}
            for tier in one.candidates(source, admitted, DEPTHS, whole=True, passages=True):
                places = {}
                for found in tier:
                    copy = found.chunk.document_id, found.chunk.text_hash
                    assert places.get(copy, -1) < found.chunk.start
                    places[copy] = found.chunk.start
                scores = [found.score for found in tier]
                assert scores == sorted(scores, reverse=True)
