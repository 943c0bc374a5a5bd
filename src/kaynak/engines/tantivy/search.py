from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kaynak.domain import Filter, clean
from kaynak.engines.analysis import query_words
from kaynak.engines.checks import MAX_LIMIT
from kaynak.engines.protocol import LexicalCandidates
from kaynak.engines.scoring import Plan, plan_query
from kaynak.engines.tantivy.reader import Snapshot
from kaynak.engines.tantivy.schema import BODY, ID

if TYPE_CHECKING:
    from tantivy import DocAddress, Query

_TIES = 16
_MOST = 4 * MAX_LIMIT


def search(
    snapshot: Snapshot,
    query: str,
    limit: int,
    languages: Sequence[str],
    condition: Filter | None,
    coverage: bool = False,
) -> LexicalCandidates:
    """Returns the best entries of one commit, see `LexicalEngine.search`."""
    words = query_words(clean(query), languages or snapshot.languages)
    total = snapshot.weighed

    def frequency(term: str) -> int:
        return min(total, snapshot.searcher.doc_freq(BODY, term))

    plan = plan_query(words, frequency, total)
    if not plan.terms:
        return LexicalCandidates((), (), "exact", known=plan.known)
    best = _best(snapshot, _ranked(snapshot, plan, condition), limit)
    ids = tuple(key for _, key in best)
    return LexicalCandidates(
        ids=ids,
        scores=tuple(score for score, _ in best),
        mode="exact",
        ceiling=plan.ceiling,
        coverage=_coverage(snapshot, plan, ids) if coverage else (),
        known=plan.known,
    )


def _ranked(snapshot: Snapshot, plan: Plan, condition: Filter | None) -> Query:
    from tantivy import Occur, Query

    schema = snapshot.index.schema
    parts = [
        (Occur.Should, Query.boost_query(Query.term_query(schema, BODY, term, "freq"), factor))
        for term, factor in plan.terms.items()
    ]
    ranked = Query.boolean_query(parts)
    if condition is None:
        return ranked
    kept = Query.const_score_query(snapshot.filters.compile(condition), 0.0)
    return Query.boolean_query([(Occur.Must, kept), (Occur.Must, ranked)])


def _best(snapshot: Snapshot, query: Query, limit: int) -> list[tuple[float, int]]:
    """Returns (score, id) of the best entries, ties by id.

    Tantivy breaks ties by place, so it is asked for more until the last one is no tie of the first cut off.
    """
    asked = limit + _TIES
    while True:
        hits: list[tuple[float, DocAddress]] = snapshot.searcher.search(query, asked, count=False).hits
        if len(hits) < asked or hits[limit - 1][0] > hits[-1][0] or asked >= _MOST:
            break
        asked = min(_MOST, asked * 4)
    ids = snapshot.column(ID, [address for _, address in hits])
    order = sorted((-score, int(key)) for (score, _), key in zip(hits, ids, strict=True))
    return [(-score, key) for score, key in order[:limit]]


def _coverage(snapshot: Snapshot, plan: Plan, ids: Sequence[int]) -> tuple[float, ...]:
    """Returns the share of the query that each entry matched, by a query whose score is that share."""
    from tantivy import Occur, Query

    if not ids:
        return ()
    schema = snapshot.index.schema

    def earns(terms: Sequence[str], share: float) -> Query:
        several = [(Occur.Should, Query.term_query(schema, BODY, term, "basic")) for term in terms]
        return Query.const_score_query(Query.boolean_query(several), share)

    parts: list[tuple[Occur, Query]] = []
    for one in plan.shares:
        levels = [earns(one.stems, one.share)] if one.stems else []
        if one.prefixes:
            levels.append(earns(one.prefixes, one.share / 2))
        parts.append((Occur.Should, levels[0] if len(levels) == 1 else Query.disjunction_max_query(levels)))
    # A query per id beats term_set_query, which builds an automaton for every segment.
    among = Query.boolean_query([(Occur.Should, Query.term_query(schema, ID, key, "basic")) for key in ids])
    query = Query.boolean_query([(Occur.Must, Query.const_score_query(among, 0.0)), *parts])
    hits = snapshot.searcher.search(query, len(ids), count=False).hits
    found = snapshot.column(ID, [address for _, address in hits])
    shares = {key: min(1.0, score) for (score, _), key in zip(hits, found, strict=True)}
    return tuple(shares.get(key, 0.0) for key in ids)
