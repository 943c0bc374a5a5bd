from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from kaynak.domain.tokens import TokenCounter

Kind = Literal["query", "document"]


class Embedder(Protocol):
    """Text to vectors.

    ``embed`` returns a float32 array of shape ``(len(texts), dimensions)`` whose rows have unit length; equal
    texts give equal rows. Text beyond ``max_tokens`` is cut. It never blocks the event loop, and may be
    called concurrently. A query and a document may be prompted differently; ``kind`` says which it is.
    """

    fingerprint: str
    """Weights, pooling, prompts and cut: equal fingerprints give interchangeable vectors."""
    dimensions: int
    max_tokens: int
    """Tokens of one text that the model reads, special tokens not counted."""
    tokenizer: TokenCounter

    async def embed(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        """Returns one unit vector per text, in order; shape ``(0, dimensions)`` for no texts.

        Raises:
            EmbedderUnavailable: The model does not answer; retry later.
        """
        ...

    async def close(self) -> None:
        """Frees the model. Later calls of ``embed`` raise."""
        ...


class SparseEmbedder(Protocol):
    """Text to weights of tokens: a learnt counterpart of counting words, for lexical engines that take weights.

    Two texts are as near as the sum, over the tokens they share, of the product of their weights.
    """

    fingerprint: str
    """Equal fingerprints give weights of the same tokens that are interchangeable."""

    async def embed_sparse(self, texts: Sequence[str], kind: Kind) -> list[Mapping[int, float]]:
        """Returns for each text, in order, the weight of each of its tokens by token id, all above zero.

        Raises:
            EmbedderUnavailable: The model does not answer; retry later.
        """
        ...

    async def close(self) -> None:
        """Frees the model."""
        ...
