from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from kaynak.domain.asking import Answering
from kaynak.domain.errors import InvalidRequest
from kaynak.domain.parsed import Json

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")

WEIGHTS = "weights"
"""Parameter of a lexical engine: what its index holds of a passage; see `OF_THE_MODEL`."""
OF_THE_MODEL = "model"
"""Weights that the embedding model gives to tokens, in place of words that are counted."""


def validate_collection_name(name: str) -> str:
    """Returns ``name`` if it can name a collection.

    Raises:
        InvalidRequest: It cannot.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"“{name[:80]}” cannot name a collection.",
            hint="Use 1 to 64 of a-z, 0-9, '.', '_' and '-', beginning and ending with a letter or digit.",
        )
    return name


@dataclass(frozen=True, slots=True)
class PartSpec:
    """A pluggable part by its registry name, with its parameters: all that identifies how it behaves."""

    name: str
    params: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GenerationSpec:
    """What a collection is searched through. A change of any field is a new generation.

    Attributes:
        chunker: Strategy: ``structure`` (default), ``fixed``, ``sentence``, ``recursive``.
        embedder: Model: ``minilm`` (default), or a path to a model directory.
        dense: Dense engine: ``pgvector`` (default), ``memory``.
        lexical: Lexical engine: ``tantivy`` (default), ``memory``.
    """

    chunker: PartSpec = PartSpec("structure")
    embedder: PartSpec = PartSpec("minilm")
    dense: PartSpec = PartSpec("pgvector")
    lexical: PartSpec = PartSpec("tantivy")

    @property
    def weighted(self) -> bool:
        """Whether the lexical index holds weights of tokens that the model has learnt, in place of words."""
        return self.lexical.params.get(WEIGHTS) == OF_THE_MODEL


@dataclass(frozen=True, slots=True)
class Collection:
    """A named set of documents that are searched together.

    Attributes:
        id: Stable identity; survives renaming.
        name: What people type.
        description: What is in it, for people and for models.
        language: ISO 639-1 code that overrides detection; None means detect per document.
        revision: Number of its latest committed change; 0 when nothing has happened yet.
        generation: The active index generation.
        documents: How many documents it has (those with a readable version).
        chunks: How many passages the active generation has.
        created_at: UTC.
        updated_at: UTC, of the latest committed change.
        answering: How answers are written from it; what it leaves open is up to the settings.
        restricted: How many documents have a list of readers, readable or not.
    """

    id: UUID
    name: str
    description: str
    language: str | None
    revision: int
    generation: Generation
    documents: int
    chunks: int
    created_at: datetime
    updated_at: datetime
    answering: Answering = field(default_factory=Answering)
    restricted: int = 0


@dataclass(frozen=True, slots=True)
class Generation:
    """One index generation of a collection.

    Attributes:
        id: Number, unique in the installation; names the index in every engine (``g<id>``).
        collection_id: Its collection.
        spec: The parts it is made of.
        chunker_fingerprint: Of the chunker as built, tokenizer and budget included.
        embedder_fingerprint: Of the embedding model as loaded.
        dimensions: Of the embedding.
        active: Whether searches go through it.
        weights_fingerprint: Of what weighs tokens for the lexical index; None where that counts words.
    """

    id: int
    collection_id: UUID
    spec: GenerationSpec
    chunker_fingerprint: str
    embedder_fingerprint: str
    dimensions: int
    active: bool
    weights_fingerprint: str | None = None

    @property
    def key(self) -> str:
        """The name of this generation's index in every engine."""
        return f"g{self.id}"

    def needs(self, side: Literal["dense", "lexical"]) -> str | None:
        """Returns the fingerprint of what has to be computed of a passage before an index takes it; None: nothing."""
        return self.embedder_fingerprint if side == "dense" else self.weights_fingerprint
