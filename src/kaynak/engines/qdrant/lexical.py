from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from kaynak.domain import Filter, clean
from kaynak.engines.analysis import QueryWord, query_words
from kaynak.engines.checks import check_kind, check_limit, check_weighted_entries, check_weights
from kaynak.engines.protocol import Candidates, Capabilities, Entry, LexicalCandidates, LexicalSpec
from kaynak.engines.qdrant.base import HEADER, QdrantIndexes, check_ids, replaced
from kaynak.engines.qdrant.filters import compile_filter
from kaynak.engines.qdrant.payloads import stored_payload
from kaynak.engines.qdrant.searching import best
from kaynak.engines.qdrant.spec import LANGUAGE, WORDS, Layout, lexical_layout, with_average
from kaynak.engines.qdrant.transport import Clause, Ids, Look, OneOf, Sparse, Stored, Transport
from kaynak.engines.scoring import Plan, plan_query
from kaynak.engines.sparse import USUAL, entry_weights, query_weights, term_number, usual_length

_PART = 500
_MAX_LANGUAGES = 8


class QdrantLexical(QdrantIndexes):
    """BM25 by sparse vectors: an entry holds what its terms are worth by their count, a query what they weigh.

    What a term is worth depends on the length of the usual entry, which would change with every write; so it is taken
    from the first write and kept with the index. Passages are cut to one size, so it is about right for all of them,
    and a length that is wrong by half changes all scores alike rather than their order.

    What a term weighs is computed here, from counts that Qdrant is asked for. It could do that itself (its modifier
    "idf"), but counts for each shard and segment apart, and counts what was deleted until it is cleaned up: 10 of 100
    where 5 of 95 were left. Ceiling, coverage and ``known`` could not be told from such numbers.

    A term is a number of 32 bits, the hash of its letters. Of a million words one in 4,000 shares its number with
    another, and is then found by it.

    An index of learnt weights (`WeightedEngine`) holds them as they are: a term is a token of the model, and nothing is
    counted.
    """

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, "words")
        self.capabilities = Capabilities(
            metrics=frozenset(), named_vectors=False, filters=True, shared=transport.shared, atomic=False, weights=True
        )

    async def create(self, spec: LexicalSpec) -> None:
        """See `LexicalEngine.create`."""
        await self._make(spec.name, lexical_layout(spec, self._transport.unsupported))

    async def apply(self, name: str, upserts: Sequence[Entry], deletes: Sequence[UUID], revision: int) -> None:
        """See `LexicalEngine.apply`."""
        layout = await self._present_layout(name)
        entries = {one.id: one for one in upserts}
        check_ids(list(entries))
        if layout.weighted:
            check_weighted_entries(list(entries.values()))
        elif layout.average is None and entries:
            layout = self._layouts[name] = with_average(layout, usual_length(list(entries.values())))
        gone = replaced(deletes, {key: one.document_id for key, one in entries.items()})
        await self._write(name, layout, _parts(layout, list(entries.values())), gone, revision)

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
        """See `LexicalEngine.search`."""
        check_limit(limit)
        with self._noticing(name):
            return await self._search(name, query, limit, languages, condition, coverage=coverage)

    async def search_weights(
        self, name: str, weights: Mapping[int, float], limit: int, *, condition: Filter | None = None
    ) -> Candidates:
        """See `WeightedEngine.search_weights`."""
        check_limit(limit)
        check_weights(weights)
        with self._noticing(name):
            layout = await self._layout(name)
            check_kind(name, weighted=layout.weighted, wanted=True)
            if not weights:
                return Candidates((), (), "exact")
            look = Look(WORDS, _sparse(weights), Clause(), limit)
            where = compile_filter(condition, layout.tenant)
            found = await best(self._transport, self._place(name), look, condition, where)
        return Candidates(found.ids, found.scores, "exact")

    async def _search(
        self, name: str, query: str, limit: int, languages: Sequence[str], condition: Filter | None, *, coverage: bool
    ) -> LexicalCandidates:
        layout = await self._layout(name)
        check_kind(name, weighted=layout.weighted, wanted=False)
        words = query_words(clean(query), languages or await self._languages(name))
        total, counts = await self._frequencies(name, words)
        plan = plan_query(words, lambda term: min(total, counts[term_number(term)]), total)
        if not plan.terms:
            return LexicalCandidates((), (), "exact", known=plan.known)
        weights = query_weights(plan, counts.__getitem__, total)
        look = Look(WORDS, _sparse(weights), Clause(), limit)
        where = compile_filter(condition, layout.tenant)
        found = await best(self._transport, self._place(name), look, condition, where)
        return LexicalCandidates(
            ids=found.ids,
            scores=found.scores,
            mode="exact",
            ceiling=plan.ceiling,
            coverage=await self._coverage(name, plan, found.ids) if coverage else (),
            known=plan.known,
        )

    async def _languages(self, name: str) -> tuple[str | None, ...]:
        known: tuple[str | None, ...] | None = self._memo.get(name, LANGUAGE)
        if known is None:
            found = await self._transport.facet(self._place(name), LANGUAGE, _MAX_LANGUAGES)
            known = tuple(one or None for one, _ in sorted(found.items(), key=lambda item: (-item[1], item[0])))
            self._memo.note(name, LANGUAGE, known)
        return known

    async def _frequencies(self, name: str, words: Sequence[QueryWord]) -> tuple[int, dict[int, int]]:
        """Returns how many entries there are, and how many have each term of the query; remembered for a while."""
        place = self._place(name)
        total: int | None = self._memo.get(name, None)
        if total is None:
            total = await self._transport.count(place, Clause(must_not=(Ids((HEADER,)),)))
            self._memo.note(name, None, total)
        numbers = {term_number(term) for word in words for form in word.forms for term, _ in form}
        known: dict[int, int | None] = {number: self._memo.get(name, number) for number in numbers}
        unknown = [number for number, value in known.items() if value is None]
        # For one value of an indexed field the estimate is the length of its list.
        asked = await self._transport.estimates(place, [OneOf(WORDS, (number,)) for number in unknown])
        for number, found in zip(unknown, asked, strict=True):
            known[number] = found
            self._memo.note(name, number, found)
        return total, {number: value or 0 for number, value in known.items()}

    async def _coverage(self, name: str, plan: Plan, ids: Sequence[int]) -> tuple[float, ...]:
        """Returns the share of the query that each entry matched, by asking word for word which of them have it."""
        if not ids:
            return ()
        groups = dict.fromkeys(terms for one in plan.shares for terms in (one.stems, one.prefixes) if terms)
        asked = [OneOf(WORDS, tuple(map(term_number, terms))) for terms in groups]
        found = dict(zip(groups, await self._transport.among(self._place(name), ids, asked), strict=True))
        earned = dict.fromkeys(ids, 0.0)
        for one in plan.shares:
            whole = found.get(one.stems, frozenset())
            half = found.get(one.prefixes, frozenset()) - whole
            for keys, part in ((whole, one.share), (half, one.share / 2)):
                for key in keys:
                    earned[key] += part
        return tuple(min(1.0, earned[key]) for key in ids)


def _sparse(weights: Mapping[int, float]) -> Sparse:
    return Sparse(list(map(int, weights)), list(map(float, weights.values())))


def _parts(layout: Layout, entries: Sequence[Entry]) -> Iterator[list[Stored]]:
    for start in range(0, len(entries), _PART):
        yield [_stored(layout, one) for one in entries[start : start + _PART]]


def _stored(layout: Layout, entry: Entry) -> Stored:
    payload = stored_payload(entry.document_id, entry.payload, layout.tenant)
    if layout.weighted:
        return Stored(entry.id, {WORDS: _sparse(entry.weights)} if entry.weights else {}, payload)
    weights = entry_weights(entry, layout.average or USUAL)
    payload |= {WORDS: list(weights), LANGUAGE: entry.language or ""}
    return Stored(entry.id, {WORDS: _sparse(weights)} if weights else {}, payload)
