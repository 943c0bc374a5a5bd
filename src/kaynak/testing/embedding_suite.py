from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from kaynak.domain import EmbedderUnavailable
from kaynak.embedding import Embedder

_TEXTS = ["a cat sat on the mat", "the river is far", "", "  ", "café 東京 😀", "a cat sat on the mat"]
_Body = Callable[[Embedder], Coroutine[Any, Any, None]]


class EmbedderSuite:
    """What every embedder must do. Subclasses give a fixture ``embedder``: a function that makes one."""

    def _with(self, make: Callable[[], Embedder], body: _Body) -> None:
        async def run() -> None:
            embedder = make()
            try:
                await body(embedder)
            finally:
                await embedder.close()

        asyncio.run(run())

    def test_rows_are_unit_float32_in_order(self, embedder: Callable[[], Embedder]) -> None:
        """Shape, type and length are as promised, and equal texts have equal rows."""

        async def body(it: Embedder) -> None:
            vectors = await it.embed(_TEXTS, "document")
            assert vectors.shape == (len(_TEXTS), it.dimensions)
            assert vectors.dtype == np.float32
            assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
            assert np.allclose(vectors[0], vectors[-1], atol=1e-3)
            assert vectors[0] @ vectors[1] < 0.999

        self._with(embedder, body)

    def test_no_texts(self, embedder: Callable[[], Embedder]) -> None:
        """No texts give no rows."""

        async def body(it: Embedder) -> None:
            for kind in ("query", "document"):
                vectors = await it.embed([], kind)
                assert vectors.shape == (0, it.dimensions)

        self._with(embedder, body)

    def test_company_does_not_matter(self, embedder: Callable[[], Embedder]) -> None:
        """Padding and batches do not change a vector."""

        async def body(it: Embedder) -> None:
            texts = [f"the {'big ' * size}cat" for size in range(40)]
            together = await it.embed(texts, "document")
            for at in (0, 7, 39):
                alone = await it.embed([texts[at]], "document")
                assert together[at] @ alone[0] > 0.999

        self._with(embedder, body)

    def test_long_texts_are_cut(self, embedder: Callable[[], Embedder]) -> None:
        """A text of any length is read as far as the model goes."""

        async def body(it: Embedder) -> None:
            words = ("cat " * 200_000).strip()
            whole, cut = await it.embed([words, words[: 4 * (it.max_tokens + 50)]], "document")
            assert whole @ cut > 0.999
            assert it.tokenizer.count("cat " * 10) <= it.max_tokens

        self._with(embedder, body)

    def test_concurrent_callers_get_their_own(self, embedder: Callable[[], Embedder]) -> None:
        """Joined calls are taken apart again."""

        async def body(it: Embedder) -> None:
            texts = [f"cat {number} on mat {number * number}" for number in range(60)]
            expected = await it.embed(texts, "query")
            found = await asyncio.gather(*(it.embed([text], "query") for text in texts))
            for one, want in zip(found, expected, strict=True):
                assert one.shape == (1, it.dimensions)
                assert one[0] @ want > 0.999

        self._with(embedder, body)

    def test_a_caller_that_leaves_does_not_disturb(self, embedder: Callable[[], Embedder]) -> None:
        """Cancelling one call leaves the others alone."""

        async def body(it: Embedder) -> None:
            leaving = asyncio.create_task(it.embed(["red dog"] * 50, "document"))
            asking = [asyncio.create_task(it.embed([f"dog {n}"], "query")) for n in range(5)]
            await asyncio.sleep(0)
            leaving.cancel()
            asking[1].cancel()
            done = await asyncio.gather(*asking, leaving, return_exceptions=True)
            assert all(isinstance(done[at], np.ndarray) for at in (0, 2, 3, 4))

        self._with(embedder, body)

    def test_works_from_one_event_loop_after_another(self, embedder: Callable[[], Embedder]) -> None:
        """Nothing is bound to the first event loop."""
        it = embedder()
        first = asyncio.run(it.embed(["blue stone"], "query"))
        second = asyncio.run(it.embed(["blue stone"], "query"))
        assert first[0] @ second[0] > 0.999
        asyncio.run(it.close())

    def test_closed_means_unavailable(self, embedder: Callable[[], Embedder]) -> None:
        """A closed embedder says so, and closing twice is fine."""

        async def run() -> None:
            it = embedder()
            await it.close()
            await it.close()
            with pytest.raises(EmbedderUnavailable):
                await it.embed(["cat"], "document")
            with pytest.raises(EmbedderUnavailable):
                await it.embed(["cat"], "query")

        asyncio.run(run())

    def test_describes_itself(self, embedder: Callable[[], Embedder]) -> None:
        """What callers rely on is there."""

        async def body(it: Embedder) -> None:
            assert it.fingerprint
            assert it.max_tokens > 0
            text = "the cat, on 2 mats"
            offsets = it.tokenizer.offsets(text)
            assert len(offsets) == it.tokenizer.count(text)
            assert [start for start, _ in offsets] == list(it.tokenizer.starts(text))
            assert all(0 <= start <= end <= len(text) for start, end in offsets)
            assert it.tokenizer.fingerprint

        self._with(embedder, body)
