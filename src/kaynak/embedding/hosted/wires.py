"""Requests for embeddings, and their answers, in each format."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np

from kaynak.domain import EmbedderUnavailable
from kaynak.embedding.hosted.families import FAMILIES
from kaynak.embedding.hosted.options import HostedProvider, Wire
from kaynak.embedding.protocol import Kind
from kaynak.remote import Ask

_TASKS: Mapping[Kind, str] = {"query": "RETRIEVAL_QUERY", "document": "RETRIEVAL_DOCUMENT"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What every request for a model says.

    Attributes:
        provider: Who is asked.
        model: For what.
        dimensions: How many are asked for; None: as the model has.
        context: Tokens that the model is to be loaded for, where that is said (Ollama).
    """

    provider: HostedProvider
    model: str
    dimensions: int | None = None
    context: int | None = None

    def ask(self, texts: Sequence[str], kind: Kind) -> Ask:
        """Returns the request."""
        return _REQUESTS[self.provider.wire](self, list(texts), kind)

    def rows(self, document: Any) -> list[Any]:
        """Returns the vectors of an answer in the order of the texts.

        Raises:
            EmbedderUnavailable: It is not of the form that the provider documents.
        """
        try:
            return _ANSWERS[self.provider.wire](document)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as exc:
            raise EmbedderUnavailable(
                f"The answer of {self.provider.service.title} has no embeddings in it.",
                hint=f"Check the address; see {self.provider.service.page}.",
            ) from exc


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold, and how many are under way at a time.

    Attributes:
        texts: Most of them.
        tokens: Most of all texts together, as we count.
        parallel: Requests at a time.
    """

    texts: int
    tokens: int
    parallel: int


LIMITS: Mapping[Wire, Limits] = {
    # 2,048 texts and 300,000 tokens are allowed; smaller requests fail less often, and are as fast side by side.
    Wire.OPENAI: Limits(256, 100_000, 4),
    Wire.GEMINI: Limits(100, 100_000, 4),
    Wire.OLLAMA: Limits(32, 32_768, 1),
    Wire.TEI: Limits(32, 16_384, 4),
    Wire.HUGGINGFACE: Limits(32, 16_384, 2),
}


def _openai(wanted: Wanted, texts: list[str], kind: Kind) -> Ask:
    body: dict[str, Any] = {"model": wanted.model, "input": texts, "encoding_format": "float"}
    if wanted.dimensions is not None:
        body["dimensions"] = wanted.dimensions
    if not wanted.provider.deployments:
        return Ask("/embeddings", body)
    if wanted.provider.api_version is None:
        return Ask("/openai/v1/embeddings", body)
    del body["model"]
    deployment, version = quote(wanted.model, safe=""), quote(wanted.provider.api_version, safe="")
    return Ask(f"/openai/deployments/{deployment}/embeddings?api-version={version}", body)


def _openai_rows(document: Any) -> list[Any]:
    entries = document["data"]
    rows: list[Any] = [None] * len(entries)
    for entry in entries:
        vector = entry["embedding"]
        # Some answer so whatever is asked.
        rows[entry["index"]] = np.frombuffer(base64.b64decode(vector), "<f4") if isinstance(vector, str) else vector
    return rows


def _gemini(wanted: Wanted, texts: list[str], kind: Kind) -> Ask:
    model = "models/" + wanted.model.removeprefix("models/")
    common: dict[str, Any] = {"model": model}
    family = FAMILIES.get(model.removeprefix("models/"))
    if family is None or family.tasks:
        common["taskType"] = _TASKS[kind]
    if wanted.dimensions is not None:
        common["outputDimensionality"] = wanted.dimensions
    requests = [{**common, "content": {"parts": [{"text": text}]}} for text in texts]
    return Ask(f"/v1beta/{quote(model, safe='/')}:batchEmbedContents", {"requests": requests})


def _ollama(wanted: Wanted, texts: list[str], kind: Kind) -> Ask:
    body: dict[str, Any] = {"model": wanted.model, "input": texts, "truncate": True}
    if wanted.dimensions is not None:
        body["dimensions"] = wanted.dimensions
    if wanted.context is not None:
        body["options"] = {"num_ctx": wanted.context}
    return Ask("/api/embed", body)


def _tei(wanted: Wanted, texts: list[str], kind: Kind) -> Ask:
    body: dict[str, Any] = {"inputs": texts, "normalize": True, "truncate": True}
    if wanted.dimensions is not None:
        body["dimensions"] = wanted.dimensions
    return Ask("/embed", body)


def _huggingface(wanted: Wanted, texts: list[str], kind: Kind) -> Ask:
    body = {"inputs": texts, "normalize": True, "truncate": True}
    return Ask(f"/hf-inference/models/{quote(wanted.model, safe='/')}/pipeline/feature-extraction", body)


_REQUESTS: Mapping[Wire, Callable[[Wanted, list[str], Kind], Ask]] = {
    Wire.OPENAI: _openai,
    Wire.GEMINI: _gemini,
    Wire.OLLAMA: _ollama,
    Wire.TEI: _tei,
    Wire.HUGGINGFACE: _huggingface,
}
_ANSWERS: Mapping[Wire, Callable[[Any], list[Any]]] = {
    Wire.OPENAI: _openai_rows,
    Wire.GEMINI: lambda document: [entry["values"] for entry in document["embeddings"]],
    Wire.OLLAMA: lambda document: list(document["embeddings"]),
    Wire.TEI: list,
    Wire.HUGGINGFACE: list,
}
