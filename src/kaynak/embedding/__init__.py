"""Text to vectors: local and hosted models, and wrappers that cache, join and retry."""

from kaynak.embedding.caching import QueryCache
from kaynak.embedding.classifier import PairClassifier
from kaynak.embedding.guarding import check_fingerprint
from kaynak.embedding.hosted import HostedOptions, HostedProvider, Wire
from kaynak.embedding.language_fit import tokens_per_word
from kaynak.embedding.local import LocalEmbedder
from kaynak.embedding.micro_batching import MicroBatching
from kaynak.embedding.pool import EmbedderPool
from kaynak.embedding.protocol import Embedder, Kind
from kaynak.embedding.retrying import Retrying

__all__ = [
    "Embedder",
    "EmbedderPool",
    "HostedOptions",
    "HostedProvider",
    "Kind",
    "LocalEmbedder",
    "MicroBatching",
    "PairClassifier",
    "QueryCache",
    "Retrying",
    "Wire",
    "check_fingerprint",
    "tokens_per_word",
]
