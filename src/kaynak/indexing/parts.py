from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kaynak.domain import Generation, GenerationSpec, InvalidRequest
from kaynak.embedding import Embedder
from kaynak.engines import DenseEngine, LexicalEngine


class Embedders(Protocol):
    """Models by name, see `kaynak.embedding.EmbedderPool`."""

    async def get(self, name: str, /) -> Embedder:
        """Returns a model, loaded when first asked for."""
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
        """Returns if there are engines of these names.

        Raises:
            InvalidRequest: There is none of a name.
            Misconfigured: Its library is not installed, or it cannot work as it is set up.
        """
        self.dense[_known(spec.dense.name, self.dense, "dense engine")]
        self.lexical[_known(spec.lexical.name, self.lexical, "lexical engine")]

    def dense_of(self, generation: Generation) -> DenseEngine:
        """Returns the dense engine of a generation."""
        return self.dense[_known(generation.spec.dense.name, self.dense, "dense engine")]

    def lexical_of(self, generation: Generation) -> LexicalEngine:
        """Returns the lexical engine of a generation."""
        return self.lexical[_known(generation.spec.lexical.name, self.lexical, "lexical engine")]


def _known(name: str, known: Mapping[str, object], what: str) -> str:
    if name not in known:
        raise InvalidRequest(f"There is no {what} “{name[:80]}”.", hint=f"Use one of {', '.join(known)}.")
    return name
