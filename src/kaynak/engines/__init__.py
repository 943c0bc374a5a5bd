"""Dense and lexical index engines. They follow the catalog and can be rebuilt from it at any time."""

from kaynak.engines.opening import Engines
from kaynak.engines.options import ArangoOptions, EngineOptions, MilvusOptions, PgVectorOptions, QdrantOptions
from kaynak.engines.protocol import (
    Candidates,
    Capabilities,
    DenseEngine,
    DenseSpec,
    Engine,
    Entry,
    FinishingEngine,
    LexicalCandidates,
    LexicalEngine,
    LexicalSpec,
    Point,
    Vector,
    VectorField,
    WeightedEngine,
)
from kaynak.engines.registry import DENSE_ENGINES, LEXICAL_ENGINES, dense_engine, lexical_engine

__all__ = [
    "DENSE_ENGINES",
    "LEXICAL_ENGINES",
    "ArangoOptions",
    "Candidates",
    "Capabilities",
    "DenseEngine",
    "DenseSpec",
    "Engine",
    "EngineOptions",
    "Engines",
    "Entry",
    "FinishingEngine",
    "LexicalCandidates",
    "LexicalEngine",
    "LexicalSpec",
    "MilvusOptions",
    "PgVectorOptions",
    "Point",
    "QdrantOptions",
    "Vector",
    "VectorField",
    "WeightedEngine",
    "dense_engine",
    "lexical_engine",
]
