from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaynak.engines import Entry, LexicalCandidates, LexicalEngine
from kaynak.engines.memory import MemoryLexical
from kaynak.engines.tantivy import TantivyEngine
from kaynak.testing.engines import NAME, document
from kaynak.testing.lexical import SPEC

_WORDS = ("fox", "foxes", "running", "run", "kitap", "kitapların", "ışık", "abc-123", "the", "bir", "東京都", "ไทย")
_texts = st.lists(st.sampled_from(_WORDS), min_size=0, max_size=8).map(" ".join)
_languages = st.sampled_from(["en", "tr", None])


async def answers(engine: LexicalEngine, entries: list[Entry], queries: list[str]) -> list[LexicalCandidates]:
    try:
        await engine.create(SPEC)
        await engine.apply(NAME, entries, [], 1)
        return [await engine.search(NAME, query, 100, coverage=True) for query in queries]
    finally:
        await engine.close()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    st.lists(st.tuples(_texts, _texts, _languages), min_size=1, max_size=12),
    st.lists(_texts, min_size=1, max_size=5),
)
def test_tantivy_and_the_textbook_agree(records: list[tuple[str, str, str | None]], queries: list[str]) -> None:
    """Scores differ by tantivy's one extra record; what matches, and how much of the query, must not."""
    entries = [
        Entry(key, document(key), text, context, language, {}) for key, (text, context, language) in enumerate(records)
    ]
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(answers(TantivyEngine(Path(folder)), entries, queries))
    expected = asyncio.run(answers(MemoryLexical(), entries, queries))
    for ours, textbook in zip(found, expected, strict=True):
        assert set(ours.ids) == set(textbook.ids)
        assert ours.known == textbook.known
        whole = {key for key, share in zip(ours.ids, ours.coverage, strict=True) if share > 0.999}
        assert whole == {key for key, share in zip(textbook.ids, textbook.coverage, strict=True) if share > 0.999}
        assert all(0 < share <= 1 for share in ours.coverage)
