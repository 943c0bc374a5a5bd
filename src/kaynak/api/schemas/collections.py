from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

from kaynak.api.schemas.answering import AnsweringBody, AnsweringView
from kaynak.api.schemas.base import Body, View
from kaynak.domain import GenerationSpec, PartSpec


class Part(Body):
    """A pluggable part, by name."""

    name: str = Field(min_length=1, max_length=1024, description="Registry name, or a model directory.")
    params: dict[str, Any] = Field(default_factory=dict, description="Its parameters.")

    def spec(self) -> PartSpec:
        """Returns the part as the domain knows it."""
        return PartSpec(self.name, self.params)


Language = Field(
    None,
    pattern=r"^[a-z]{2}$",
    description="ISO 639-1 code that overrides detection; null: detect per document.",
)


class CollectionCreate(Body):
    """A new collection."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "handbook", "description": "How we work, for staff."}]},
    )

    name: str = Field(max_length=64, description="1 to 64 of `a-z 0-9 . _ -`.")
    description: str = Field("", max_length=10_000, description="What is in it.")
    language: str | None = Language
    chunker: Part | None = Field(None, description="How text is cut; default `structure`.")
    embedder: Part | None = Field(None, description="Embedding model; default from the settings.")
    dense: Part | None = Field(None, description="Vector engine; default `pgvector`.")
    lexical: Part | None = Field(None, description="Word engine; default `tantivy`.")
    answering: AnsweringBody | None = Field(None, description="How answers are written from it.")

    def generation(self, default: GenerationSpec) -> GenerationSpec:
        """Returns ``default`` with what the caller chose instead."""
        return GenerationSpec(
            chunker=self.chunker.spec() if self.chunker else default.chunker,
            embedder=self.embedder.spec() if self.embedder else default.embedder,
            dense=self.dense.spec() if self.dense else default.dense,
            lexical=self.lexical.spec() if self.lexical else default.lexical,
        )


class CollectionUpdate(Body):
    """What is to change; fields left out stay as they are."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "handbook-2026"}]})

    name: str | None = Field(None, max_length=64, description="The new name; links by id survive.")
    description: str | None = Field(None, max_length=10_000, description="What is in it.")
    answering: AnsweringBody | None = Field(
        None, description="How answers are written from it, as a whole: fields left out in it go back to the settings."
    )


class PartView(View):
    """A pluggable part with its parameters."""

    name: str = Field(description="Registry name, or a model directory.")
    params: dict[str, Any] = Field(description="Its parameters.")


class SpecView(View):
    """What a collection is searched through."""

    chunker: PartView = Field(description="How text is cut.")
    embedder: PartView = Field(description="Embedding model.")
    dense: PartView = Field(description="Vector engine.")
    lexical: PartView = Field(description="Word engine.")


class GenerationView(View):
    """One index generation: the parts a collection is searched through, as built."""

    id: int = Field(description="Unique in the installation.")
    collection_id: UUID = Field(description="Its collection.")
    spec: SpecView = Field(description="The parts it is made of.")
    chunker_fingerprint: str = Field(description="Of the chunker as built.")
    embedder_fingerprint: str = Field(description="Of the model as loaded.")
    dimensions: int = Field(description="Of the embedding.")
    active: bool = Field(description="Whether searches go through it.")
    weights_fingerprint: str | None = Field(
        description="Of what weighs tokens for the word engine; null where that counts words."
    )


class CollectionView(View):
    """A named set of documents that are searched together."""

    id: UUID = Field(description="Stable identity; survives renaming.")
    name: str = Field(description="What people type.")
    description: str = Field(description="What is in it.")
    language: str | None = Field(description="Overrides detection; null: detected per document.")
    revision: int = Field(description="Number of its latest committed change.")
    generation: GenerationView = Field(description="The active index generation.")
    documents: int = Field(description="Documents with a readable version, of those that you may read.")
    chunks: int = Field(description="Passages of them in the active generation.")
    created_at: datetime = Field(description="UTC.")
    updated_at: datetime = Field(description="UTC, of the latest committed change.")
    answering: AnsweringView = Field(description="How answers are written from it.")
    restricted: int = Field(description="Documents with a list of readers.")
