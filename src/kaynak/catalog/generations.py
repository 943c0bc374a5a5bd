# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.domain import CollectionNotFound, Generation, GenerationSpec, Json, PartSpec

_COLUMNS = "id, collection_id, spec, chunker_fingerprint, embedder_fingerprint, dimensions, active"
_PARTS = ("chunker", "embedder", "dense", "lexical")


class Generations:
    """The index generations of collections."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self,
        collection_id: UUID,
        spec: GenerationSpec,
        chunker_fingerprint: str,
        embedder_fingerprint: str,
        dimensions: int,
        active: bool = True,
    ) -> Generation:
        """Makes a generation; an active one takes the place of the one that was active."""
        if active:
            await self._connection.execute(
                text("UPDATE kaynak.generations SET active = FALSE WHERE collection_id = :id AND active"),
                {"id": collection_id},
            )
        made = await self._connection.execute(
            text(
                "INSERT INTO kaynak.generations (collection_id, spec, chunker_fingerprint, "
                "embedder_fingerprint, dimensions, active, chunks) VALUES (:collection_id, "
                "CAST(:spec AS jsonb), :chunker, :embedder, :dimensions, :active, "
                # A generation with a chunker that was used before finds its chunks there.
                "(SELECT count(*) FROM kaynak.chunks k JOIN kaynak.documents d "
                "ON d.current_version_id = k.version_id "
                "WHERE d.collection_id = :collection_id AND k.chunker_fingerprint = :chunker)) RETURNING id"
            ),
            {
                "collection_id": collection_id,
                "spec": json.dumps(_spec_json(spec)),
                "chunker": chunker_fingerprint,
                "embedder": embedder_fingerprint,
                "dimensions": dimensions,
                "active": active,
            },
        )
        return generation_of(
            made.scalar_one(),
            collection_id,
            spec,
            chunker_fingerprint,
            embedder_fingerprint,
            dimensions,
            active=active,
        )

    async def active(self, collection_id: UUID) -> Generation:
        """Returns the generation that searches go through.

        Raises:
            CollectionNotFound: There is no such collection.
        """
        found = await self._connection.execute(
            text(f"SELECT {_COLUMNS} FROM kaynak.generations WHERE collection_id = :id AND active"),
            {"id": collection_id},
        )
        row = found.mappings().one_or_none()
        if row is None:
            raise CollectionNotFound("There is no such collection.")
        return _generation(row)

    async def all(self) -> list[Generation]:
        """Returns every generation of every collection, oldest first: for followers and the doctor."""
        found = await self._connection.execute(text(f"SELECT {_COLUMNS} FROM kaynak.generations ORDER BY id"))
        return [_generation(row) for row in found.mappings()]


def generation_of(
    identity: int,
    collection_id: UUID,
    spec: GenerationSpec,
    chunker_fingerprint: str,
    embedder_fingerprint: str,
    dimensions: int,
    *,
    active: bool,
) -> Generation:
    """Builds the noun."""
    return Generation(
        id=identity,
        collection_id=collection_id,
        spec=spec,
        chunker_fingerprint=chunker_fingerprint,
        embedder_fingerprint=embedder_fingerprint,
        dimensions=dimensions,
        active=active,
    )


def spec_of(stored: Mapping[str, Any]) -> GenerationSpec:
    """Reads a specification from its JSON form."""
    return GenerationSpec(**{part: PartSpec(stored[part]["name"], stored[part]["params"]) for part in _PARTS})


def _spec_json(spec: GenerationSpec) -> dict[str, Json]:
    parts = {part: getattr(spec, part) for part in _PARTS}
    return {name: {"name": part.name, "params": dict(part.params)} for name, part in parts.items()}


def _generation(row: Mapping[Any, Any]) -> Generation:
    return generation_of(
        row["id"],
        row["collection_id"],
        spec_of(row["spec"]),
        row["chunker_fingerprint"],
        row["embedder_fingerprint"],
        row["dimensions"],
        active=row["active"],
    )
