"""Text to vectors: local and hosted models, and wrappers that cache, join and retry."""

from kaynak.embedding.caching import QueryCache
from kaynak.embedding.classifier import PairClassifier
from kaynak.embedding.guarding import check_fingerprint
from kaynak.embedding.hosted import HostedOptions, HostedProvider, Wire
from kaynak.embedding.local import LocalEmbedder
from kaynak.embedding.m3 import M3Model, late_interaction
from kaynak.embedding.micro_batching import MicroBatching
from kaynak.embedding.pool import EmbedderPool
from kaynak.embedding.protocol import Embedder, Kind, SparseEmbedder
from kaynak.embedding.retrying import Retrying

__all__ = [
    "Embedder",
    "EmbedderPool",
    "HostedOptions",
    "HostedProvider",
    "Kind",
    "LocalEmbedder",
    "M3Model",
    "MicroBatching",
    "PairClassifier",
    "QueryCache",
    "Retrying",
    "SparseEmbedder",
    "Wire",
    "check_fingerprint",
    "late_interaction",
]
