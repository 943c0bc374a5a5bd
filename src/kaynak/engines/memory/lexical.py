from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from kaynak.domain import WEIGHTS, Filter, matches
from kaynak.engines.analysis import entry_terms, query_words
from kaynak.engines.checks import (
    check_kind,
    check_limit,
    check_params,
    check_weighted,
    check_weighted_entries,
    check_weights,
)
from kaynak.engines.memory.store import MemoryStore, Table
from kaynak.engines.protocol import Candidates, Capabilities, Entry, LexicalCandidates, LexicalSpec
from kaynak.engines.scoring import K1, B, Plan, idf, plan_query


@dataclass(frozen=True, slots=True)
class _Postings:
    """Term counts by entry, entries by term, and lengths."""

    version: int
    counts: dict[int, Counter[str]]
    entries: dict[str, list[int]]
    lengths: dict[int, int]
    mean: float
    languages: tuple[str | None, ...]


def _invert(version: int, records: Mapping[int, Entry]) -> _Postings:
    terms = {key: entry_terms(one.text, one.context, one.language) for key, one in records.items()}
    counts = {key: Counter(value) for key, value in terms.items()}
    entries: dict[str, list[int]] = {}
    for key, counter in counts.items():
        for term in counter:
            entries.setdefault(term, []).append(key)
    lengths = {key: len(value) for key, value in terms.items()}
    mean = sum(lengths.values()) / max(1, len(lengths))
    languages = tuple(sorted({one.language for one in records.values()}, key=str))
    return _Postings(version, counts, entries, lengths, mean, languages)


class MemoryLexical(MemoryStore[LexicalSpec, Entry]):
    """BM25 as in the textbook, over the analysis that all lexical engines share; or learnt weights, one by one."""

    capabilities = Capabilities(metrics=frozenset(), named_vectors=False, filters=True, shared=False, weights=True)

    def __init__(self) -> None:
        super().__init__()
        self._built: dict[str, _Postings] = {}

    async def create(self, spec: LexicalSpec) -> None:
        """Makes an empty index."""
        check_params(spec, (WEIGHTS,))
        check_weighted(spec)
        self._make(spec)

    async def apply(self, name: str, upserts: Sequence[Entry], deletes: Sequence[UUID], revision: int) -> None:
        """See `LexicalEngine.apply`."""
        if self._table(name).spec.weighted:
            check_weighted_entries(upserts)
        self._write(name, upserts, deletes, revision)

    async def search(
        self,
        name: str,
        query: str,
        limit: int,
        *,
        languages: Sequence[str] = (),
        condition: Filter | None = None,
        coverage: bool = False,
    ) -> LexicalCandidates:
        """See `LexicalEngine.search`; always exact."""
        check_limit(limit)
        table = self._table(name)
        check_kind(name, weighted=table.spec.weighted, wanted=False)
        return await asyncio.to_thread(self._search, table, query, limit, tuple(languages), condition, coverage)

    async def search_weights(
        self, name: str, weights: Mapping[int, float], limit: int, *, condition: Filter | None = None
    ) -> Candidates:
        """See `WeightedEngine.search_weights`; always exact."""
        check_limit(limit)
        check_weights(weights)
        table = self._table(name)
        check_kind(name, weighted=table.spec.weighted, wanted=True)
        return await asyncio.to_thread(_by_weights, list(table.records.values()), weights, limit, condition)

    def _search(
        self,
        table: Table[LexicalSpec, Entry],
        query: str,
        limit: int,
        languages: tuple[str, ...],
        condition: Filter | None,
        coverage: bool,
    ) -> LexicalCandidates:
        records = table.records
        built = self._postings(table, records)
        words = query_words(query, languages or built.languages)
        plan = plan_query(words, lambda term: len(built.entries.get(term, ())), len(built.counts))
        found = [
            (-score, key)
            for key, score in _scores(plan, built).items()
            if key in records and matches(condition, records[key].payload)
        ]
        found.sort()
        best = found[:limit]
        return LexicalCandidates(
            ids=tuple(key for _, key in best),
            scores=tuple(-score for score, _ in best),
            mode="exact",
            ceiling=plan.ceiling,
            coverage=tuple(_coverage(plan, built.counts[key]) for _, key in best) if coverage else (),
            known=plan.known,
        )

    def _postings(self, table: Table[LexicalSpec, Entry], records: Mapping[int, Entry]) -> _Postings:
        """Returns the inverted index; built once per write."""
        with self._lock:
            known = self._built.get(table.spec.name)
            if known is None or known.version != table.version:
                known = _invert(table.version, records)
                self._built[table.spec.name] = known
            return known


def _by_weights(
    records: Sequence[Entry], weights: Mapping[int, float], limit: int, condition: Filter | None
) -> Candidates:
    found: list[tuple[float, int]] = []
    for one in records:
        here = one.weights or {}
        shared = [token for token in weights if token in here]
        if shared and matches(condition, one.payload):
            found.append((-sum(weights[token] * here[token] for token in shared), one.id))
    found.sort()
    best = found[:limit]
    return Candidates(tuple(key for _, key in best), tuple(-score for score, _ in best), "exact")


def _scores(plan: Plan, built: _Postings) -> dict[int, float]:
    scores: dict[int, float] = {}
    total = len(built.counts)
    for term, factor in plan.terms.items():
        keys = built.entries[term]
        weight = factor * idf(len(keys), total)
        for key in keys:
            count = built.counts[key][term]
            norm = K1 * (1 - B + B * built.lengths[key] / built.mean)
            scores[key] = scores.get(key, 0.0) + weight * count * (K1 + 1) / (count + norm)
    return scores


def _coverage(plan: Plan, here: Counter[str]) -> float:
    earned = 0.0
    for share in plan.shares:
        if any(term in here for term in share.stems):
            earned += share.share
        elif any(term in here for term in share.prefixes):
            earned += share.share / 2
    return min(1.0, earned)
