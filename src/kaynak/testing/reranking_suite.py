from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from kaynak.domain import RerankerUnavailable
from kaynak.reranking import Reranker

_Body = Callable[[Reranker], Coroutine[Any, Any, None]]
_PASSAGES = ["the cat sat on the mat", "a river", "", "the cat sat on the mat", "café 東京 😀", "red " * 5000]


class RerankerSuite:
    """What every re-ranker must do. Subclasses give a fixture ``reranker``: a function that makes one."""

    def _with(self, make: Callable[[], Coroutine[Any, Any, Reranker]], body: _Body) -> None:
        async def run() -> None:
            it = await make()
            try:
                await body(it)
            finally:
                await it.close()

        asyncio.run(run())

    def test_a_score_for_each_passage(self, reranker: Callable[[], Coroutine[Any, Any, Reranker]]) -> None:
        """Scores are in order and between zero and one; equal passages have equal scores."""

        async def body(it: Reranker) -> None:
            assert it.name
            scores = await it.rerank("where sat the cat", _PASSAGES)
            assert len(scores) == len(_PASSAGES)
            assert all(isinstance(score, float) and 0 <= score <= 1 for score in scores)
            assert scores[0] == pytest.approx(scores[3], abs=1e-3)
            assert len({round(score, 4) for score in scores}) > 1

        self._with(reranker, body)

    def test_company_does_not_matter(self, reranker: Callable[[], Coroutine[Any, Any, Reranker]]) -> None:
        """However many there are, each has the score it has alone."""

        async def body(it: Reranker) -> None:
            passages = [f"the {'big ' * (size % 9)}cat {size}" for size in range(130)]
            together = await it.rerank("big cat 7", passages)
            for at in (0, 7, 99, 129):
                (alone,) = await it.rerank("big cat 7", [passages[at]])
                assert together[at] == pytest.approx(alone, abs=5e-3)

        self._with(reranker, body)

    def test_no_passages(self, reranker: Callable[[], Coroutine[Any, Any, Reranker]]) -> None:
        """No passages have no scores."""

        async def body(it: Reranker) -> None:
            assert await it.rerank("cat", []) == []

        self._with(reranker, body)

    def test_concurrent_callers_get_their_own(self, reranker: Callable[[], Coroutine[Any, Any, Reranker]]) -> None:
        """Nothing is mixed up."""

        async def body(it: Reranker) -> None:
            wanted = [await it.rerank(query, _PASSAGES[:3]) for query in ("cat", "river")]
            found = await asyncio.gather(*(it.rerank(query, _PASSAGES[:3]) for query in ("cat", "river") * 5))
            for at, scores in enumerate(found):
                assert scores == pytest.approx(wanted[at % 2], abs=1e-3)

        self._with(reranker, body)

    def test_closed_means_unavailable(self, reranker: Callable[[], Coroutine[Any, Any, Reranker]]) -> None:
        """A closed one says so, and closing twice is fine."""

        async def run() -> None:
            it = await reranker()
            await it.close()
            await it.close()
            with pytest.raises(RerankerUnavailable):
                await it.rerank("cat", ["the cat"])

        asyncio.run(run())
