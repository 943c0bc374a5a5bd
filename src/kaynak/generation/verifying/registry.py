"""Verifiers by the name that is written in settings: ``built-in``, a directory, or a language model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from kaynak.domain import InvalidRequest
from kaynak.generation.models.protocol import LanguageModel
from kaynak.generation.verifying.built_in import BuiltInVerifier
from kaynak.generation.verifying.inferring import InferenceVerifier
from kaynak.generation.verifying.judging import JudgeVerifier
from kaynak.generation.verifying.meaning import GetEmbedder
from kaynak.generation.verifying.protocol import Verifier

BUILT_IN = "built-in"
OFF = "off"
_DIRECTORY = "nli:"

GetModel = Callable[[str], Awaitable[LanguageModel]]
"""Returns the language model of that name; raises `KaynakError` if it cannot be asked."""


def is_model(name: str) -> bool:
    """Returns whether a name is that of a language model, as ``provider:model``."""
    return ":" in name and not name.startswith(_DIRECTORY)


class Verifiers:
    """Verifiers by name, each built once: ``built-in``; ``nli:`` and a directory; ``provider:model``; ``off``.

    Args:
        embedder: Gives the embedding model of the built-in.
    """

    def __init__(self, embedder: GetEmbedder) -> None:
        self.built_in = BuiltInVerifier(embedder)
        self._inferring: dict[str, InferenceVerifier] = {}
        self._loading = asyncio.Lock()

    async def get(self, name: str, model: GetModel | None = None) -> Verifier | None:
        """Returns the verifier of that name; None for ``off``.

        Args:
            name: See the class.
            model: Gives a language model that is accounted to whoever asks; it differs from question to question.

        Raises:
            Misconfigured: The directory has no such model.
            InvalidRequest: The name is none.
            KaynakError: As ``model``.
        """
        if name == OFF:
            return None
        if name == BUILT_IN:
            return self.built_in
        if name.startswith(_DIRECTORY):
            async with self._loading:
                if name not in self._inferring:
                    self._inferring[name] = await InferenceVerifier.load(Path(name.removeprefix(_DIRECTORY)))
            return self._inferring[name]
        if is_model(name) and model is not None:
            return JudgeVerifier(await model(name), self.built_in)
        raise InvalidRequest(
            f"There is no verifier “{name[:80]}”.",
            hint="There are: built-in, nli:DIRECTORY, a language model as provider:model, and off.",
        )

    async def close(self) -> None:
        """Frees the models that were loaded."""
        while self._inferring:
            _, one = self._inferring.popitem()
            await one.close()
