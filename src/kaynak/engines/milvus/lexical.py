from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from uuid import UUID

from kaynak.domain import Filter, Unsupported, clean
from kaynak.engines.analysis import query_words
from kaynak.engines.checks import (
    check_kind,
    check_limit,
    check_name,
    check_weighted_entries,
    check_weights,
)
from kaynak.engines.milvus import labels, writing
from kaynak.engines.milvus.counting import Counting
from kaynak.engines.milvus.entries import (
    SIDE,
    WordsForm,
    collections_of,
    form_from,
    form_of,
    place_of,
    places_of,
    rows_of,
)
from kaynak.engines.milvus.form import Collection
from kaynak.engines.milvus.indexes import MilvusIndexes
from kaynak.engines.milvus.library import MilvusClient
from kaynak.engines.milvus.ranking import best, coverage_of
from kaynak.engines.milvus.reading import Reads
from kaynak.engines.milvus.sheets import Counts, Tally, tally
from kaynak.engines.options import MilvusOptions
from kaynak.engines.protocol import Candidates, Capabilities, Entry, LexicalCandidates, LexicalSpec
from kaynak.engines.scoring import plan_query
from kaynak.engines.sparse import query_weights, usual_length

_FIRST_WITH = (2, 4)
"""The first version with sparse vectors. The last one before takes a collection of them, and nothing into it."""

_MAX_LANGUAGES = 8
_SECONDS = 5.0
"""A server's counts may be of so long ago, where this process has seen no newer revision."""


class MilvusLexical(MilvusIndexes[WordsForm]):
    """BM25 by sparse vectors, as in `kaynak.engines.qdrant.lexical`; or weights that a model has learnt of tokens.

    What a word weighs is computed here, from counts that are kept in the index itself, see
    `kaynak.engines.milvus.sheets`.

    Args:
        options: Where Milvus is.
        root: Directory of milvus-lite, where no server is named.
        threads: Reads at the same time.
    """

    side = SIDE

    def __init__(self, options: MilvusOptions, root: Path, *, threads: int = 8) -> None:
        super().__init__(options, root, threads)
        self.capabilities = Capabilities(
            metrics=frozenset(),
            named_vectors=False,
            filters=True,
            shared=options.uri is not None,
            atomic=False,
            weights=True,
        )
        self._tallies: dict[str, Tally] = {}

    async def create(self, spec: LexicalSpec) -> None:
        """See `LexicalEngine.create`."""
        check_name(spec.name)
        replicas = 1 if self._store.embedded else self._store.options.replicas
        form = form_of(spec, replicas=replicas, prefix=self._store.options.prefix)

        def wanted(client: MilvusClient) -> list[Collection]:
            if not self._store.embedded:
                _check_version(client.get_server_version(timeout=self._store.options.seconds))
            return collections_of(form, words=self._store.embedded)

        await self._make(form, wanted, lambda there: there.fits(spec, form))

    async def drop(self, name: str) -> None:
        """Removes the index and all its data."""
        await super().drop(name)
        self._tallies.pop(name, None)

    async def apply(self, name: str, upserts: Sequence[Entry], deletes: Sequence[UUID], revision: int) -> None:
        """See `LexicalEngine.apply`."""
        entries = list({one.id: one for one in upserts}.values())

        def work(client: MilvusClient, form: WordsForm) -> None:
            if form.weighted:
                check_weighted_entries(upserts)
            with self._store.lock(form.main):
                self._write(client, form, entries, deletes, revision)

        await self._with_form(name, work, writes=True)

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

        def work(client: MilvusClient, form: WordsForm) -> LexicalCandidates:
            check_kind(name, weighted=form.weighted, wanted=False)
            known = self._tally(client, form)
            words = query_words(clean(query), languages or _languages(known.counts))
            total = known.counts.total
            plan = plan_query(words, lambda term: known.frequency(place_of(term)), total)
            if not plan.terms:
                return LexicalCandidates((), (), "exact", known=plan.known)
            reads = Reads(self._store, client, form, form.main)
            weights = query_weights(plan, known.frequency, total, place_of)
            ids, scores = best(reads, weights, self._store.expression(client, condition), limit)
            return LexicalCandidates(
                ids=ids,
                scores=scores,
                mode="exact",
                ceiling=plan.ceiling,
                coverage=coverage_of(reads, plan, ids) if coverage else (),
                known=plan.known,
            )

        return await self._with_form(name, work)

    async def search_weights(
        self, name: str, weights: Mapping[int, float], limit: int, *, condition: Filter | None = None
    ) -> Candidates:
        """See `WeightedEngine.search_weights`."""
        check_limit(limit)
        places = places_of(check_weights(weights))

        def work(client: MilvusClient, form: WordsForm) -> Candidates:
            check_kind(name, weighted=form.weighted, wanted=True)
            if not places:
                return Candidates((), (), "exact")
            reads = Reads(self._store, client, form, form.main)
            ids, scores = best(reads, places, self._store.expression(client, condition), limit)
            return Candidates(ids, scores, "exact")

        return await self._with_form(name, work)

    def _form_from(self, name: str, stored: str) -> WordsForm:
        return form_from(name, stored, self._store.options.prefix)

    def _write(
        self, client: MilvusClient, form: WordsForm, entries: list[Entry], deletes: Sequence[UUID], revision: int
    ) -> None:
        label = labels.read(self._store, client, form.main)
        # The usual length may have been found meanwhile by whoever wrote first.
        form = self._form_from(form.name, label[labels.SPEC])
        if entries and not form.weighted and form.average is None:
            form = form.with_average(usual_length(entries))
        rows = rows_of(form, entries, words=self._store.embedded)
        row_bytes = 8 * max((len(row["vector"]) for row in rows), default=1)
        changes = writing.Changes({form.main: rows}, [one.id for one in entries], deletes, row_bytes)
        if form.weighted:
            writing.write(self._store, client, form, changes, revision)
        else:
            counting = Counting(self._store, client, form, Counts.of(label))
            counts = counting.prepare(changes)
            writing.write(self._store, client, form, changes, revision, counts.stored())
            counting.clear(counts)
        self._forms[form.name] = form

    def _tally(self, client: MilvusClient, form: WordsForm) -> Tally:
        # The files of milvus-lite are this process's alone, which knows what it has written.
        seconds = inf if self._store.embedded else _SECONDS
        found = tally(self._store, client, form, self._tallies.get(form.name), seconds)
        self._tallies[form.name] = found
        return found


def _check_version(version: str) -> None:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if found is not None and (int(found[1]), int(found[2])) < _FIRST_WITH:
        raise Unsupported(
            f"Milvus {version} has no sparse vectors, and so cannot hold words.",
            hint="Use Milvus 2.4 or newer, or another engine for words: tantivy needs no server.",
        )


def _languages(counts: Counts) -> tuple[str | None, ...]:
    ranked = sorted(counts.languages, key=lambda one: (-counts.languages[one], one))
    return tuple(one or None for one in ranked[:_MAX_LANGUAGES])
