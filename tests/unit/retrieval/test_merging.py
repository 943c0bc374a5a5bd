from __future__ import annotations

import itertools
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from kaynak.catalog import Admitted
from kaynak.domain import Span
from kaynak.retrieval.merging import GAP, PASSAGE_CHARS, Candidate, drafts_of

SIZE = 100


def candidate(ordinal, score=0.5, version=1, size=SIZE):
    identity = UUID(int=version)
    start = ordinal * (size + 1)
    chunk = Admitted(version * 1000 + ordinal, identity, identity, "x", ordinal, start, start + size, b"%d" % ordinal)
    return Candidate(score, 0, chunk)


def passages_of(*tiers):
    return list(drafts_of(tiers, by_document=False))


def documents_of(*tiers):
    return list(drafts_of(tiers, by_document=True))


def shape(drafts):
    return [[chunk.ordinal for chunk in draft.chunks] for draft in drafts]


def test_neighbours_are_one_passage_where_the_best_of_them_stands():
    ranked = [candidate(7, 0.9), candidate(3, 0.8), candidate(5, 0.7), candidate(4, 0.6), candidate(9, 0.5)]
    drafts = passages_of(ranked)
    assert shape(drafts) == [[7], [3, 4, 5], [9]]
    assert drafts[1].best.score == 0.8
    assert drafts[1].span == Span(303, 605)
    assert drafts[1].notes == ["3 neighbouring chunks are read as one passage"]


def test_a_neighbour_from_far_behind_does_not_come_before_better_chunks():
    between = [candidate(20 + 2 * at, 0.8 - at / 100) for at in range(GAP)]
    drafts = passages_of([candidate(1, 0.9), *between, candidate(2, 0.3)])
    assert shape(drafts) == [[1], *([20 + 2 * at] for at in range(GAP)), [2]]


def test_chunks_of_other_documents_are_no_neighbours():
    drafts = passages_of([candidate(1, version=1), candidate(2, version=2)])
    assert shape(drafts) == [[1], [2]]


def test_passages_stay_readable():
    size = PASSAGE_CHARS // 2 - 10
    drafts = passages_of([candidate(at, 0.9 - at / 100, size=size) for at in range(5)])
    assert shape(drafts) == [[0, 1], [2, 3], [4]]
    assert all(len(draft.span) <= PASSAGE_CHARS for draft in drafts)


def test_a_document_comes_once_however_many_tiers_there_are():
    first = [candidate(1, 0.9), candidate(2, 0.8), candidate(5, 0.7), candidate(1, 0.6, 2)]
    assert shape(documents_of(first)) == [[1, 2], [1]]
    assert shape(documents_of(first, [candidate(9, 0.5), candidate(8, 0.4, 2), candidate(3, 0.3, 3)])) == [
        [1, 2],
        [1],
        [3],
    ]


CANDIDATES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 15)), unique=True, max_size=24).map(
    lambda keys: [candidate(ordinal, 1 - at / 30, version) for at, (version, ordinal) in enumerate(keys)]
)


@given(CANDIDATES)
def test_every_candidate_is_in_one_passage_and_passages_have_no_holes(candidates):
    drafts = passages_of(candidates)
    ids = [chunk.chunk_id for draft in drafts for chunk in draft.chunks]
    assert sorted(ids) == sorted(one.chunk.chunk_id for one in candidates)
    for draft in drafts:
        ordinals = [chunk.ordinal for chunk in draft.chunks]
        assert ordinals == list(range(ordinals[0], ordinals[0] + len(ordinals)))
        assert draft.best.chunk in draft.chunks
    scores = [draft.best.score for draft in drafts]
    assert scores == sorted(scores, reverse=True)


@given(CANDIDATES)
def test_a_document_is_never_repeated(candidates):
    drafts = documents_of(candidates)
    documents = [draft.best.chunk.document_id for draft in drafts]
    assert len(documents) == len(set(documents))
    assert set(documents) == {one.chunk.document_id for one in candidates}


@given(CANDIDATES, st.lists(st.integers(0, 24), max_size=3), st.booleans())
def test_what_comes_of_a_tier_does_not_depend_on_those_behind_it(candidates, ends, by_document):
    bounds = [0, *sorted(ends), len(candidates)]
    tiers = [candidates[start:end] for start, end in itertools.pairwise(bounds)]
    everything = shape(drafts_of(tiers, by_document=by_document))
    for count in range(len(tiers)):
        some = shape(drafts_of(tiers[:count], by_document=by_document))
        assert everything[: len(some)] == some


@given(CANDIDATES)
def test_no_chunk_is_shown_more_than_a_few_ranks_too_early(candidates):
    ranks = {one.chunk.chunk_id: rank for rank, one in enumerate(candidates)}
    for draft in passages_of(candidates):
        first = ranks[draft.best.chunk.chunk_id]
        assert all(first <= ranks[chunk.chunk_id] <= first + GAP for chunk in draft.chunks)
