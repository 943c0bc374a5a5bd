from __future__ import annotations

import structlog

from kaynak.domain import InvalidRequest, KaynakError, Misconfigured
from kaynak.generation.models import LanguageModel
from kaynak.generation.protocol import Models
from kaynak.generation.turn import Turn
from kaynak.generation.verifying import Verifier, Verifiers
from kaynak.generation.verifying.registry import is_model

_log = structlog.get_logger(__name__)


class Checking:
    """Chooses what checks the sentences of an answer, by its name in the settings.

    Args:
        verifiers: By name.
        models: Language models, of which one may be the judge; what it spends is written to whoever asks.
        name: ``built-in``, ``nli:DIRECTORY``, ``provider:model`` or ``off``.
    """

    def __init__(self, verifiers: Verifiers, models: Models, name: str) -> None:
        self._verifiers = verifiers
        self._models = models
        self._name = name

    async def ready(self) -> None:
        """Loads a model from a directory, if that is what checks.

        Raises:
            Misconfigured: There is no such verifier, or the directory has no such model.
        """
        if is_model(self._name):
            return
        try:
            await self._verifiers.get(self._name)
        except InvalidRequest as exc:
            raise Misconfigured(exc.message, hint=exc.hint) from exc

    async def verifier(self, turn: Turn) -> Verifier | None:
        """Returns what checks this answer; the built-in where a judge cannot be asked; None for nothing."""

        async def judge(name: str) -> LanguageModel:
            names = turn.request.search.collections
            collection = names[0] if len(names) == 1 else None
            return await self._models.get([name], owner=turn.scope.subject, collection=collection, purpose="judge")

        try:
            return await self._verifiers.get(self._name, judge)
        except KaynakError as error:
            _log.warning("verifier_away", verifier=self._name, error=error.type)
            return self._verifiers.built_in
