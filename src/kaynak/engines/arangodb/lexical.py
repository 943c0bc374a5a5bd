from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from kaynak.domain import CorruptIndex, Filter, clean
from kaynak.engines.analysis import ANALYSIS_VERSION, entry_terms, query_words
from kaynak.engines.arangodb import aql
from kaynak.engines.arangodb.aql import Query
from kaynak.engines.arangodb.faults import existing, translated
from kaynak.engines.arangodb.filters import Conditions
from kaynak.engines.arangodb.store import ArangoStore
from kaynak.engines.arangodb.terms import ENTRY, terms_of
from kaynak.engines.arangodb.writing import Record, Write
from kaynak.engines.checks import check_limit, check_params
from kaynak.engines.options import ArangoOptions
from kaynak.engines.protocol import Capabilities, Entry, LexicalCandidates, LexicalSpec
from kaynak.engines.scoring import K1, B, Plan, plan_query

_MAX_LANGUAGES = 8
"""A query is analysed in the most frequent languages of the index, at most this many."""

_ANALYZERS: tuple[tuple[str, str, dict[str, str], list[str]], ...] = (
    (aql.WORDS_ANALYZER, "delimiter", {"delimiter": " "}, ["frequency", "norm"]),
    (aql.TERMS_ANALYZER, "identity", {}, []),
)


class ArangoLexical(ArangoStore):
    """BM25 of ArangoSearch over our own terms, in a view for each index.

    Args:
        options: Where the server is.
    """

    side = "lexical"

    def __init__(self, options: ArangoOptions) -> None:
        super().__init__(options)
        self.capabilities = Capabilities(
            metrics=frozenset(), named_vectors=False, filters=True, shared=True, atomic=options.shards == 1
        )

    def _view(self, name: str) -> str:
        return f"{self._collection(name)}_view"

    async def create(self, spec: LexicalSpec) -> None:
        """See `LexicalEngine.create`."""
        check_params(spec, ())
        await self._make(spec.name, {"analysis": ANALYSIS_VERSION}, {"languages": {}})

    async def drop(self, name: str) -> None:
        """Removes the index and all its data."""
        view = self._view(name)
        with translated(name):
            await (await self._client.database()).delete_view(view, ignore_missing=True)
        await super().drop(name)

    async def revision(self, name: str) -> int:
        """Returns the revision of the last write."""
        with translated(name):
            await (await self._client.database()).view_info(self._view(name))
        return await super().revision(name)

    async def apply(self, name: str, upserts: Sequence[Entry], deletes: Sequence[UUID], revision: int) -> None:
        """See `LexicalEngine.apply`."""
        records = [_record(one) for one in upserts]
        came = Counter(one.language or "" for one in upserts)

        def also(meta: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"languages": dict(Counter(meta["languages"]) + came)}

        write = Write(self._client, name, self._collection(name), records, deletes, revision, also)
        await write.run(atomic=self.capabilities.atomic)
        # Waiting within the transaction would leave in the view what is rolled back.
        await self._client.rows(name, Query(aql.SYNC, {"@view": self._view(name), "term": ENTRY}))

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
        plan = await self._plan(name, query, languages or await self._languages(name))
        if not plan.terms:
            return LexicalCandidates((), (), "exact", known=plan.known)
        conditions = Conditions(aql.SEARCH)
        text = aql.RANKED.format(
            words=" OR ".join(aql.WORD.format(place) for place in range(len(plan.terms))),
            condition=conditions.of(condition),
        )
        binds: dict[str, Any] = {"@view": self._view(name), "k": K1, "b": B, "limit": limit, **conditions.binds}
        for place, (term, factor) in enumerate(plan.terms.items()):
            binds |= {f"w{place}": term, f"b{place}": factor}
        rows = await self._client.rows(name, Query(text, binds))
        ids = tuple(int(key) for key, _ in rows)
        return LexicalCandidates(
            ids=ids,
            scores=tuple(float(score) for _, score in rows),
            mode="exact",
            ceiling=plan.ceiling,
            coverage=await self._coverage(name, plan, ids) if coverage and ids else (),
            known=plan.known,
        )

    async def _plan(self, name: str, query: str, languages: Sequence[str | None]) -> Plan:
        words = query_words(clean(query), languages)
        terms = list(dict.fromkeys(term for word in words for form in word.forms for term, _ in form))
        binds = {"@view": self._view(name), "term": ENTRY, "words": terms}
        total, counts = (await self._client.rows(name, Query(aql.FREQUENCIES, binds)))[0]
        known = dict(zip(terms, counts, strict=True))
        return plan_query(words, lambda term: min(total, known[term]), total)

    async def _languages(self, name: str) -> tuple[str | None, ...]:
        counts: Mapping[str, int] = (await self._meta(name))["languages"]
        ranked = sorted(counts, key=lambda key: (-counts[key], key))
        return tuple(key or None for key in ranked[:_MAX_LANGUAGES])

    async def _coverage(self, name: str, plan: Plan, ids: Sequence[int]) -> tuple[float, ...]:
        """Returns the share of the query that each entry matched."""
        asked = {term for share in plan.shares for term in (*share.stems, *share.prefixes)}
        binds = {
            "@collection": self._collection(name),
            "keys": [str(key) for key in ids],
            "words": sorted(asked),
            "space": " ",
        }
        rows = await self._client.rows(name, Query(aql.MATCHED, binds))
        shares = {int(key): _earned(plan, set(found)) for key, found in rows}
        return tuple(shares.get(key, 0.0) for key in ids)

    async def _complete(self, name: str, database: Any) -> None:
        for analyzer, kind, properties, features in _ANALYZERS:
            await database.create_analyzer(analyzer, kind, properties, features)
        fields = {"body": {"analyzers": [aql.WORDS_ANALYZER]}, "terms": {"analyzers": [aql.TERMS_ANALYZER]}}
        links = {self._collection(name): {"fields": fields, "includeAllFields": False}}
        with existing():
            await database.create_view(
                self._view(name), "arangosearch", {"links": links, "storedValues": [{"fields": ["id"]}]}
            )

    async def _meta(self, name: str) -> dict[str, Any]:
        found = await super()._meta(name)
        if found["analysis"] != ANALYSIS_VERSION:
            raise CorruptIndex(f"The words of index “{name}” were analysed by another version.")
        return found


def _record(entry: Entry) -> Record:
    return {
        "_key": str(entry.id),
        "id": entry.id,
        "document": str(entry.document_id),
        "body": " ".join(entry_terms(entry.text, entry.context, entry.language)),
        "terms": [ENTRY, *terms_of(entry.payload)],
    }


def _earned(plan: Plan, found: set[str]) -> float:
    earned = 0.0
    for share in plan.shares:
        if found.intersection(share.stems):
            earned += share.share
        elif found.intersection(share.prefixes):
            earned += share.share / 2
    return min(1.0, earned)
