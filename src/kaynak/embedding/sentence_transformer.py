from __future__ import annotations

import asyncio
import hashlib
import importlib
import importlib.util
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import EmbedderUnavailable, Misconfigured
from kaynak.domain.tokens import TokenCounter
from kaynak.embedding.hosted.counting import EstimatingCounter
from kaynak.embedding.protocol import Kind
from kaynak.embedding.tokenizer import ModelTokenizer
from kaynak.embedding.worker import DOCUMENT_LANE, QUERY_LANE, ModelThreads

PREFIX = "st:"
"""Before the name of a model that sentence-transformers loads: from its hub, or a directory."""

_SLICE = 64
"""Documents in one call: how long a query waits behind them."""
_PROMPTS: dict[Kind, tuple[str, ...]] = {"query": ("query",), "document": ("document", "passage", "corpus")}
_DEFAULT_TOKENS = 512
_SHAPING = ("max_seq_length", "do_lower_case", "include_prompt", "word_embedding_dimension", "out_features")

Vectors = NDArray[np.float32]


class SentenceTransformersEmbedder:
    """A model that the library sentence-transformers runs, on whatever device it finds. See `Embedder`.

    For architectures that Kaynak does not run itself, and for GPUs.

    Args:
        name: As the library knows it: of its hub, or a directory.
        model: Loaded by the library.
    """

    def __init__(self, name: str, model: Any) -> None:
        self._model: Any = model
        self._name = name
        prompts = dict(getattr(model, "prompts", None) or {})
        self._prompt_names: dict[Kind, str | None] = {
            kind: next((one for one in names if one in prompts), None) for kind, names in _PROMPTS.items()
        }
        tokenizer = _tokenizer_of(model)
        self.tokenizer: TokenCounter = tokenizer
        longest = max((tokenizer.count(prompts[one]) for one in self._prompt_names.values() if one), default=0)
        special = tokenizer.special_tokens if isinstance(tokenizer, ModelTokenizer) else 2
        self.max_tokens = max(1, int(model.max_seq_length or _DEFAULT_TOKENS) - special - longest)
        self.fingerprint = _fingerprint(model, {name: prompts[name] for name in sorted(prompts)}, tokenizer.fingerprint)
        self._threads = ModelThreads("sentence-transformers", 1)
        self.dimensions = int(self._encode(["dimensions"], "document").shape[1])

    @classmethod
    def load(cls, name: str) -> SentenceTransformersEmbedder:
        """Loads the model; blocks, for as long as a download takes.

        Raises:
            Misconfigured: The library is not installed, or cannot load it.
        """
        try:
            library: Any = importlib.import_module("sentence_transformers")
        except ImportError as exc:
            raise Misconfigured(
                f"“{PREFIX}{name[:200]}” needs the library sentence-transformers.",
                hint="Install kaynak[sentence-transformers].",
            ) from exc
        try:
            return cls(name, library.SentenceTransformer(name))
        except (OSError, ValueError, RuntimeError, ImportError) as exc:
            raise Misconfigured(
                f"sentence-transformers cannot load {name[:200]}: {str(exc).strip()[:300]}",
                hint="Check the name, or the directory.",
            ) from exc

    async def embed(self, texts: Sequence[str], kind: Kind) -> Vectors:
        """See `Embedder`. Queries overtake documents that are waiting."""
        lane = QUERY_LANE if kind == "query" else DOCUMENT_LANE
        parts = [list(texts[at : at + _SLICE]) for at in range(0, len(texts), _SLICE)]
        futures = [asyncio.wrap_future(self._threads.submit(lane, partial(self._encode, part, kind))) for part in parts]
        try:
            return np.concatenate([np.zeros((0, self.dimensions), np.float32), *[await future for future in futures]])
        finally:
            for future in futures:
                future.cancel()

    async def close(self) -> None:
        """See `Embedder`."""
        await asyncio.to_thread(self._threads.close)
        self._model = None

    def _encode(self, texts: list[str], kind: Kind) -> Vectors:
        try:
            vectors = self._model.encode(
                texts,
                prompt_name=self._prompt_names[kind],
                batch_size=32,
                show_progress_bar=False,
                convert_to_numpy=True,
                normalize_embeddings=True,
            )
        except RuntimeError as exc:  # torch's, such as a GPU without memory
            raise EmbedderUnavailable(f"sentence-transformers failed on a batch: {str(exc)[:200]}") from exc
        return np.asarray(vectors, dtype=np.float32)


def _tokenizer_of(model: Any) -> ModelTokenizer | EstimatingCounter:
    """Returns the model's own tokenizer; an estimate for those that are written in Python."""
    backend = getattr(getattr(model, "tokenizer", None), "backend_tokenizer", None)
    if backend is None:
        return EstimatingCounter()
    from tokenizers import Tokenizer

    # A copy: ours neither cuts nor pads, and the library's must go on doing so.
    content = backend.to_str()
    digest = hashlib.blake2b(content.encode(), digest_size=8).hexdigest()
    return ModelTokenizer(Tokenizer.from_str(content), digest, padding_id=0)


def _fingerprint(model: Any, prompts: dict[str, str], tokenizer: str) -> str:
    """Returns a digest of the weights and of what is done around them, whatever device and precision they are in."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().float().numpy()).data)
    steps = []
    for module in model:
        read = getattr(module, "get_config_dict", None)
        config = read() if callable(read) else {}
        shaping = {key: config[key] for key in sorted(config) if key.startswith("pooling_mode") or key in _SHAPING}
        steps.append([type(module).__name__, shaping])
    described = ["sentence-transformers", steps, prompts, tokenizer, getattr(model, "default_prompt_name", None)]
    digest.update(json.dumps(described, sort_keys=True).encode())
    return digest.hexdigest()
