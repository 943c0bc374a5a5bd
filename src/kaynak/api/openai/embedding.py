"""Embeddings of the models that the installation has."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from kaynak.api.openai.bodies import EmbeddingBody
from kaynak.api.openai.errors import InvalidParameter, ParameterRefused
from kaynak.api.openai.names import embedding_id, no_model
from kaynak.domain import Scope
from kaynak.embedding import Embedder

if TYPE_CHECKING:
    from kaynak.app import Kaynak

_TEXTS_MOST: Final = 2048
_COLLECTIONS: Final = 200


async def embedders(kaynak: Kaynak, scope: Scope) -> dict[str, str]:
    """Returns the names of embedding models by the ids they go by: the default, and those of the collections.

    Only these are served: a name that a caller makes up is never taken for a directory.
    """
    names = {embedding_id(kaynak.settings.embedding.model): kaynak.settings.embedding.model}
    after = None
    while True:
        found = await kaynak.collections.list(scope, after=after, limit=_COLLECTIONS)
        for collection in found:
            name = collection.generation.spec.embedder.name
            names.setdefault(embedding_id(name), name)
        if len(found) < _COLLECTIONS:
            return names
        after = found[-1].name


async def embeddings(body: EmbeddingBody, kaynak: Kaynak, scope: Scope) -> dict[str, Any]:
    """Returns the embeddings of the texts of a request.

    Raises:
        ModelNotFound: There is no such embedding model.
        InvalidParameter: The input is no text, or is too long.
        ParameterRefused: It is of tokens, or other dimensions are wanted than the model has.
        EmbedderUnavailable: The model does not answer.
    """
    name = (await embedders(kaynak, scope)).get(body.model)
    if name is None:
        raise no_model(body.model)
    embedder = await kaynak.embedders.get(name)
    texts = _texts(body.input)
    if body.dimensions not in (None, embedder.dimensions):
        raise ParameterRefused(
            "dimensions",
            f"{body.model} has {embedder.dimensions} dimensions, which cannot be shortened.",
            hint="Leave “dimensions” out.",
        )
    counts = await asyncio.to_thread(_counts, embedder, texts)
    if not body.truncate:
        _check_lengths(counts, embedder, body.model)
    vectors = await embedder.embed(texts, body.input_type)
    used = sum(min(count, embedder.max_tokens) for count in counts)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": at, "embedding": _encoded(vector, body.encoding_format)}
            for at, vector in enumerate(vectors)
        ],
        "model": body.model,
        "usage": {"prompt_tokens": used, "total_tokens": used},
        "kaynak": {"fingerprint": embedder.fingerprint, "ignored": sorted(body.model_extra or ())},
    }


def _texts(given: object) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise InvalidParameter("input", "The input is neither a text nor a list of texts.", hint="Send at least one.")
    if len(texts) > _TEXTS_MOST:
        raise InvalidParameter(
            "input", f"The input has {len(texts):,} texts; at most {_TEXTS_MOST:,} are taken.", hint="Send fewer."
        )
    if any(isinstance(text, int | list) for text in texts):
        raise ParameterRefused(
            "input",
            "The input is a list of token numbers, which are those of another model's vocabulary.",
            hint="Send text; in LangChain set check_embedding_ctx_length=False.",
        )
    for at, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise InvalidParameter(f"input[{at}]", f"Text {at} of the input is empty, or no text.")
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise InvalidParameter(f"input[{at}]", f"Text {at} of the input has a lone surrogate.")
    return texts


def _counts(embedder: Embedder, texts: Sequence[str]) -> list[int]:
    return [embedder.tokenizer.count(text) for text in texts]


def _check_lengths(counts: Sequence[int], embedder: Embedder, model: str) -> None:
    for at, count in enumerate(counts):
        if count > embedder.max_tokens:
            raise InvalidParameter(
                f"input[{at}]",
                f"Text {at} of the input has {count:,} tokens; {model} reads {embedder.max_tokens:,}.",
                hint="Split it, or send “truncate”: true to have the rest left out.",
            )


def _encoded(vector: NDArray[np.float32], encoding: str | None) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    numbers: list[float] = vector.tolist()
    return numbers
