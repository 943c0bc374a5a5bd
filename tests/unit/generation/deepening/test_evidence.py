from __future__ import annotations

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from kaynak.domain import Hit, SearchResult, Span
from kaynak.generation.deepening.evidence import Evidence


def hit(version, start, end, score):
    return Hit(
        score, "a", UUID(int=version), "x", "X", UUID(int=version), 1, (start,), Span(start, end), "x" * (end - start),
        (), None, None, None, {},
    )  # fmt: skip


def result(*hits, **more):
    return SearchResult(tuple(sorted(hits, key=lambda one: -one.score)), False, {"a": 1}, more.get("degraded", ()), 1.0)


def overlap(one, other):
    return one.version_id == other.version_id and one.span.overlap(other.span) > 0


def found(data):
    """A search result whose passages do not overlap, as those of searches never do."""
    places = data.draw(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5)), unique=True, max_size=8))
    shift = data.draw(st.sampled_from([0, 7]))
    scores = [data.draw(st.floats(0, 1)) for _ in places]
    return result(*(hit(v, n * 20 + shift, n * 20 + shift + 18, s) for (v, n), s in zip(places, scores, strict=True)))


@settings(deadline=None)
@given(st.data(), st.integers(1, 8))
def test_the_list_is_in_order_without_overlaps_and_hears_every_query(data, limit):
    main, beside = found(data), [found(data) for _ in range(data.draw(st.integers(0, 3)))]
    hits = Evidence(main, beside).hits(limit)
    assert len(hits) <= limit
    scores = [one.score for one in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert not any(overlap(one, other) for at, one in enumerate(hits) for other in hits[:at])
    everything = [*main.hits, *(one for each in beside for one in each.hits)]
    assert all(any(overlap(one, other) for other in everything) for one in hits)
    if limit > len(beside) + 1:
        for each in beside:
            assert not each.hits or any(overlap(each.hits[0], one) for one in hits)


def test_one_query_alone_stays_as_it_is():
    main = result(hit(1, 0, 10, 0.9), hit(2, 0, 10, 0.5))
    assert Evidence(main).hits(5) == main.hits


def test_what_several_queries_found_rises():
    main = result(hit(1, 0, 10, 0.5), hit(2, 0, 10, 0.48))
    beside = [result(hit(2, 5, 15, 0.9)), result(hit(2, 0, 10, 0.8))]
    assert [one.version_id.int for one in Evidence(main, beside).hits(2)] == [2, 1]


def test_what_was_opened_stands_in_place_of_what_it_grew_out_of():
    main = result(hit(1, 10, 20, 0.9), hit(1, 30, 40, 0.5), hit(2, 0, 10, 0.4))
    evidence = Evidence(main, opened=[hit(1, 0, 40, 0.0)])
    assert [(one.version_id.int, one.span, one.score) for one in evidence.hits(5)] == [
        (1, Span(0, 40), 0.9),
        (2, Span(0, 10), 0.4),
    ]


def test_the_whole_says_what_was_wrong_and_the_least_revision():
    evidence = Evidence(result(degraded=("x",)), [result(degraded=("x", "y"))])
    evidence.beside.append(SearchResult((), True, {"a": 0, "b": 2}, (), 1.0))
    whole = evidence.result(5)
    assert whole.degraded == ("x", "y")
    assert whole.revisions == {"a": 0, "b": 2}
    assert whole.more
