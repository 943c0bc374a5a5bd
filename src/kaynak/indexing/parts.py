from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from kaynak.domain import Generation, GenerationSpec, IndexSide, InvalidRequest, Unsupported
from kaynak.embedding import Embedder, SparseEmbedder
from kaynak.engines import DenseEngine, Engine, LexicalEngine, WeightedEngine


class Embedders(Protocol):
    """Models by name, see `kaynak.embedding.EmbedderPool`."""

    async def get(self, name: str, /) -> Embedder:
        """Returns a model, loaded when first asked for."""
        ...

    async def sparse(self, name: str, /) -> SparseEmbedder:
        """Returns what weighs tokens with the model of that name."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that generations are made of, by name.

    Attributes:
        embedders: Models.
        dense: Dense engines.
        lexical: Lexical engines.
        locks: Directory of lock files, for engines whose indexes are files of this host.
    """

    embedders: Embedders
    dense: Mapping[str, DenseEngine]
    lexical: Mapping[str, LexicalEngine]
    locks: Path

    def require(self, spec: GenerationSpec) -> None:
        """Returns if there are engines of these names, that can do what is asked of them.

        Raises:
            InvalidRequest: There is none of a name.
            Unsupported: It is an engine of the other kind, or the lexical one does not take weights.
            Misconfigured: Its library is not installed, or it cannot work as it is set up.
        """
        for what, name, own, other in (
            ("vectors", spec.dense.name, self.dense, self.lexical),
            ("words", spec.lexical.name, self.lexical, self.dense),
        ):
            if name in other and name not in own:
                raise Unsupported(f"“{name}” has no index of {what} here.", hint=f"Use one of {', '.join(own)}.")
        self.dense[_known(spec.dense.name, self.dense, "dense engine")]
        lexical = self.lexical[_known(spec.lexical.name, self.lexical, "lexical engine")]
        if spec.weighted:
            _weighted(lexical, spec.lexical.name)

    async def weights_fingerprint(self, spec: GenerationSpec) -> str | None:
        """Returns the fingerprint of what weighs tokens for a lexical index; None if it is one of words.

        Raises:
            Unsupported: The model weighs none.
            Misconfigured: The same, or it cannot be loaded.
            EmbedderUnavailable: It cannot be loaded now.
        """
        return (await self.embedders.sparse(spec.embedder.name)).fingerprint if spec.weighted else None

    def dense_of(self, generation: Generation) -> DenseEngine:
        """Returns the dense engine of a generation."""
        return self.dense[_known(generation.spec.dense.name, self.dense, "dense engine")]

    def lexical_of(self, generation: Generation) -> LexicalEngine:
        """Returns the lexical engine of a generation."""
        return self.lexical[_known(generation.spec.lexical.name, self.lexical, "lexical engine")]

    def of(self, generation: Generation, side: IndexSide) -> Engine:
        """Returns the engine of one index of a generation."""
        return self.dense_of(generation) if side == "dense" else self.lexical_of(generation)

    def weighted_of(self, generation: Generation) -> WeightedEngine:
        """Returns the lexical engine of a generation whose lexical index holds weights."""
        return _weighted(self.lexical_of(generation), generation.spec.lexical.name)


def _weighted(engine: LexicalEngine, name: str) -> WeightedEngine:
    if not engine.capabilities.weights:
        raise Unsupported(
            f"The lexical engine “{name}” holds words, and no weights of tokens.",
            hint="Qdrant and Milvus do: --lexical qdrant -p lexical.weights=model",
        )
    return cast("WeightedEngine", engine)


def _known(name: str, known: Mapping[str, object], what: str) -> str:
    if name not in known:
        raise InvalidRequest(f"There is no {what} “{name[:80]}”.", hint=f"Use one of {', '.join(known)}.")
    return name
