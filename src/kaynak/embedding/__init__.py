"""Text to vectors: local models, and wrappers that cache, join and retry."""

from kaynak.embedding.caching import QueryCache
from kaynak.embedding.classifier import PairClassifier
from kaynak.embedding.language_fit import tokens_per_word
from kaynak.embedding.local import LocalEmbedder
from kaynak.embedding.micro_batching import MicroBatching
from kaynak.embedding.pool import EmbedderPool
from kaynak.embedding.protocol import Embedder, Kind
from kaynak.embedding.retrying import Retrying

__all__ = [
    "Embedder",
    "EmbedderPool",
    "Kind",
    "LocalEmbedder",
    "MicroBatching",
    "PairClassifier",
    "QueryCache",
    "Retrying",
    "tokens_per_word",
]
