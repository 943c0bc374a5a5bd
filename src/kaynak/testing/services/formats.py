"""Requests for vectors and scores as each service documents them: strict about what is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kaynak.testing.models.exchange import Refused, check_fields

Rows = list[Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, whatever its format.

    Attributes:
        texts: To embed, or passages to score.
        dimensions: Asked for; None: as the model has.
        answer: Makes the answer of vectors, or of scores.
        query: To score by; None: vectors are asked for.
        kind: ``query`` or ``document``, where the format says it.
    """

    texts: Sequence[str]
    dimensions: int | None
    answer: Callable[[Rows], Any]
    query: str | None = None
    kind: str | None = None


def _texts(given: Any, most: int) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise Refused(400, "The texts must be strings, none of them empty.")
    if len(texts) > most:
        raise Refused(413, f"batch size {len(texts)} > maximum allowed batch size {most}")
    return texts


def openai(path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Asked:
    """Reads what OpenAI, Azure and OpenRouter document."""
    deployment = path.partition("/deployments/")[2].partition("/")[0]
    if deployment and not query.get("api-version"):
        raise Refused(404, "Resource not found")
    known = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
    check_fields(body, known, ["input"] if deployment else ["model", "input"])
    model = deployment or str(body["model"])

    def answer(rows: Rows) -> dict[str, Any]:
        data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
        # The order is in the index, and not in the list.
        said = "text-embedding-3-small" if "azure" in path else model
        return {"object": "list", "data": data[::-1], "model": said, "usage": {"prompt_tokens": 1, "total_tokens": 1}}

    return Asked(_texts(body["input"], 2048), body.get("dimensions"), answer)


def gemini(path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Asked:
    """Reads a batchEmbedContents."""
    found = re.search(r"/v1beta/(?P<model>models/[^/:]+):batchEmbedContents$", path)
    if found is None:
        raise Refused(404, "Requested entity was not found.")
    check_fields(body, frozenset({"requests"}), ["requests"])
    texts, sizes, tasks = [], set(), set()
    for request in body["requests"]:
        check_fields(
            request, frozenset({"model", "content", "taskType", "outputDimensionality", "title"}), ["model", "content"]
        )
        if request["model"] != found["model"]:
            raise Refused(400, "All requests must be for the model of the address.")
        texts.append("".join(part["text"] for part in request["content"]["parts"]))
        sizes.add(request.get("outputDimensionality"))
        tasks.add(request.get("taskType"))
    (task,), (size,) = tasks, sizes
    if task is not None and "gemini-embedding-2" in path:
        raise Refused(400, "taskType is not supported by this model.")
    kind = {"RETRIEVAL_QUERY": "query", "RETRIEVAL_DOCUMENT": "document", None: None}[task]
    return Asked(_texts(texts, 100), size, lambda rows: {"embeddings": [{"values": row} for row in rows]}, kind=kind)


def ollama(path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Asked:
    """Reads an /api/embed."""
    known = frozenset({"model", "input", "truncate", "dimensions", "options", "keep_alive"})
    check_fields(body, known, ["model", "input"])
    model = body["model"]
    return Asked(_texts(body["input"], 4096), body.get("dimensions"), lambda rows: {"model": model, "embeddings": rows})


def tei(path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Asked:
    """Reads /embed and /rerank of Text Embeddings Inference, and the feature extraction of Hugging Face."""
    if path.endswith("/rerank"):
        check_fields(body, frozenset({"query", "texts", "raw_scores", "return_text", "truncate"}), ["query", "texts"])
        return Asked(_texts(body["texts"], 32), None, _tei_scores, query=str(body["query"]))
    known = frozenset({"inputs", "normalize", "truncate", "truncation_direction", "prompt_name", "dimensions"})
    check_fields(body, known, ["inputs"])
    return Asked(_texts(body["inputs"], 32), body.get("dimensions"), lambda rows: rows)


def rerank(path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Asked:
    """Reads the rerank of Cohere (v2) and of Jina (v1)."""
    known = {"model", "query", "documents", "top_n", "max_tokens_per_doc" if "/v2/" in path else "return_documents"}
    check_fields(body, frozenset(known), ["model", "query", "documents"])

    def answer(scores: Rows) -> dict[str, Any]:
        results = [{"index": at, "relevance_score": score} for at, score in enumerate(scores)]
        return {"results": sorted(results, key=lambda result: -_number(result["relevance_score"]))}

    return Asked(_texts(body["documents"], 1000), None, answer, query=str(body["query"]))


def _tei_scores(scores: Rows) -> Any:
    return sorted(
        ({"index": at, "score": score} for at, score in enumerate(scores)), key=lambda r: -_number(r["score"])
    )


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


READERS: Mapping[str, Callable[[str, Mapping[str, str], Mapping[str, Any]], Asked]] = {
    "openai": openai,
    "azure": openai,
    "openrouter": openai,
    "gemini": gemini,
    "ollama": ollama,
    "tei": tei,
    "huggingface": tei,
    "cohere": rerank,
    "jina": rerank,
}
ENDINGS = ("/embeddings", ":batchEmbedContents", "/api/embed", "/embed", "/feature-extraction", "/rerank")
