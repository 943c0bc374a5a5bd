from __future__ import annotations

from typing import TYPE_CHECKING

from kaynak.domain import And, Condition, Filter, JsonScalar, Not, Op, Or
from kaynak.engines.payload_terms import NULL, NUMBER, PRESENT, STRING, path_key, value_key
from kaynak.engines.tantivy.schema import ENTRY, FILTER

if TYPE_CHECKING:
    from tantivy import Index, Query, Schema, Searcher

_FEW = 16
"""Terms up to which a query for each is cheaper than an automaton of them all, built for every segment."""

_AFTER = {NUMBER: "o", STRING: "t"}


class FilterCompiler:
    """Turns filters into queries on the filter terms of one index; a match means nothing for the score.

    Args:
        index: The index.
        searcher: Sees the commit that is asked.
    """

    def __init__(self, index: Index, searcher: Searcher) -> None:
        import tantivy

        self._index = index
        self._searcher = searcher
        self._schema: Schema = index.schema
        self._query = tantivy.Query
        self._occur = tantivy.Occur

    def compile(self, condition: Filter | None) -> Query:
        """Returns a query that matches the entries for which `matches` holds, and nothing else."""
        match condition:
            case None:
                return self._term(ENTRY)
            case And(parts):
                return self._all([self.compile(part) for part in parts])
            case Or(parts):
                return self._any([self.compile(part) for part in parts])
            case Not(part):
                return self._not(self.compile(part))
            case Condition():
                return self._compare(condition)

    def _compare(self, condition: Condition) -> Query:
        key, value = path_key(condition.field), condition.value
        many = value if isinstance(value, tuple) else (value,)
        match condition.op:
            case Op.EXISTS:
                return self._term(key + PRESENT) if value else self._absent(key)
            case Op.EQ | Op.IN:
                return self._equal(key, many)
            case Op.NE | Op.NIN:
                return self._not(self._equal(key, many))
            case Op.ALL:
                return self._all([self._equal(key, (one,)) for one in many]) if many else self._query.empty_query()
            case _:
                return self._ordered(key, condition.op, many[0])

    def _equal(self, key: str, values: tuple[JsonScalar, ...]) -> Query:
        terms = [key + value_key(value) for value in values if value is not None]
        parts = [self._terms(terms)] if terms else []
        if any(value is None for value in values):
            parts += [self._term(key + NULL), self._absent(key)]
        return self._any(parts)

    def _ordered(self, key: str, op: Op, bound: JsonScalar) -> Query:
        if bound is None or isinstance(bound, bool):
            return self._query.empty_query()
        term = key + value_key(bound)
        kind = STRING if isinstance(bound, str) else NUMBER
        first, after = key + kind, key + _AFTER[kind]
        text = {
            Op.GT: f"{{{term} TO {after}}}",
            Op.GTE: f"[{term} TO {after}}}",
            Op.LT: f"[{first} TO {term}}}",
            Op.LTE: f"[{first} TO {term}]",
        }[op]
        return self._index.parse_query(f"{FILTER}:{text}", [FILTER])

    def _term(self, term: str) -> Query:
        return self._query.term_query(self._schema, FILTER, term, "basic")

    def _absent(self, key: str) -> Query:
        # Where all entries have it, which is usual for lists of readers, nothing is gone through to find none.
        entries, present = (self._searcher.doc_freq(FILTER, term) for term in (ENTRY, key + PRESENT))
        return self._query.empty_query() if present == entries else self._not(self._term(key + PRESENT))

    def _terms(self, terms: list[str]) -> Query:
        if len(terms) == 1:
            return self._term(terms[0])
        if len(terms) <= _FEW:
            return self._any([self._term(term) for term in terms])
        return self._query.term_set_query(self._schema, FILTER, terms)

    def _all(self, queries: list[Query]) -> Query:
        must = self._occur.Must
        return self._query.boolean_query([(must, self._term(ENTRY)), *((must, query) for query in queries)])

    def _any(self, queries: list[Query]) -> Query:
        if not queries:
            return self._query.empty_query()
        return self._query.boolean_query([(self._occur.Should, query) for query in queries])

    def _not(self, query: Query) -> Query:
        return self._query.boolean_query([(self._occur.Must, self._term(ENTRY)), (self._occur.MustNot, query)])
