"""Passages in a better order: models that read the question and a passage together."""

from kaynak.reranking.opening import RerankerOptions, open_reranker
from kaynak.reranking.protocol import Reranker

__all__ = ["Reranker", "RerankerOptions", "open_reranker"]
