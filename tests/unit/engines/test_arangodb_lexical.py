from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaynak.engines import ArangoOptions, Entry, LexicalCandidates, LexicalEngine
from kaynak.engines.arangodb import ArangoLexical
from kaynak.engines.memory import MemoryLexical
from kaynak.testing.arangodb import ArangoServer
from kaynak.testing.engines import NAME, document
from kaynak.testing.lexical import SPEC

_WORDS = ("fox", "foxes", "running", "run", "kitap", "kitapların", "ışık", "abc-123", "the", "bir", "東京都", "ไทย")
_texts = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=8).map(" ".join)
_languages = st.sampled_from(["en", "tr", None])


async def answers(engine: LexicalEngine, entries: list[Entry], queries: list[str]) -> list[LexicalCandidates]:
    try:
        await engine.create(SPEC)
        await engine.apply(NAME, entries, [], 1)
        # In the same languages: one engine knows which are frequent, the other takes them all.
        return [await engine.search(NAME, query, 100, coverage=True, languages=("en", "tr")) for query in queries]
    finally:
        await engine.close()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    st.lists(st.tuples(_texts, _texts, _languages), min_size=1, max_size=12),
    st.lists(_texts, min_size=1, max_size=5),
)
def test_it_scores_as_the_textbook_does(records: list[tuple[str, str, str | None]], queries: list[str]) -> None:
    entries = [
        Entry(key, document(key), text, context, language, {}) for key, (text, context, language) in enumerate(records)
    ]
    with ArangoServer() as server:
        options = ArangoOptions(server.url, server.user, server.password)
        found = asyncio.run(answers(ArangoLexical(options), entries, queries))
    expected = asyncio.run(answers(MemoryLexical(), entries, queries))
    for ours, textbook in zip(found, expected, strict=True):
        scores = dict(zip(textbook.ids, textbook.scores, strict=True))
        assert dict(zip(ours.ids, ours.scores, strict=True)) == pytest.approx(scores, rel=1e-5)
        assert ours.ceiling == pytest.approx(textbook.ceiling, rel=1e-5)
        assert ours.known == textbook.known
        covered = dict(zip(textbook.ids, textbook.coverage, strict=True))
        assert dict(zip(ours.ids, ours.coverage, strict=True)) == pytest.approx(covered)
