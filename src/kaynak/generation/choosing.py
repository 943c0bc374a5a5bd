"""How an answer is to be written: what the caller says, then its collections, then the settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from kaynak.catalog import Catalog
from kaynak.domain import (
    EXTRACTIVE,
    Answering,
    AskRequest,
    CitationPolicy,
    Depth,
    InvalidRequest,
    ModelSettings,
    Scope,
)

ValueT = TypeVar("ValueT")
_STRICTER = (CitationPolicy.MARK, CitationPolicy.DROP, CitationPolicy.REFUSE)


@dataclass(frozen=True, slots=True)
class Choice:
    """How one answer is written; nothing is left open.

    Attributes:
        models: Names in the order in which they are asked; empty where the built-in quotes without one.
        quoting: Whether the built-in quotes when no model answers; always so without a model.
        settings: For the model.
        policy: For sentences without support.
        depth: How hard to look.
    """

    models: tuple[str, ...] = ()
    quoting: bool = True
    settings: ModelSettings = field(default_factory=ModelSettings)
    policy: CitationPolicy = CitationPolicy.MARK
    depth: Depth = Depth.NORMAL


class Answerings(Protocol):
    """Knows how collections want to be answered from."""

    async def of(self, scope: Scope, collections: Sequence[str]) -> list[Answering]:
        """Returns the wish of each collection, in order.

        Raises:
            CollectionNotFound: One of them does not exist, or not for this caller.
        """
        ...


class CatalogAnswerings:
    """As the catalog has them. See `Answerings`.

    Args:
        catalog: Has the collections.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def of(self, scope: Scope, collections: Sequence[str]) -> list[Answering]:
        """See `Answerings`."""
        async with self._catalog.read() as unit:
            return [(await unit.collections.get(scope, name)).answering for name in collections]


def choose(request: AskRequest, collections: Sequence[Answering], default: Answering) -> Choice:
    """Returns how ``request`` is answered.

    Of several collections the first that says something is heard, field by field; but the strictest policy of them
    holds, and a caller cannot ask for a looser one than a collection has.

    Raises:
        InvalidRequest: Models are named after the built-in that quotes, which always answers.
    """
    levels = (*collections, default)
    asked = [request.policy, *(one.policy for one in collections)]
    policies = [policy for policy in asked if policy is not None]
    policy = max(policies, key=_STRICTER.index) if policies else default.policy or CitationPolicy.MARK
    models = _models(request, levels)
    return Choice(
        models=models[:-1] if models[-1] == EXTRACTIVE else models,
        quoting=models[-1] == EXTRACTIVE,
        settings=_settings([request.settings, *(level.settings for level in levels)]),
        policy=policy,
        depth=_first([request.depth, *(level.depth for level in levels)]) or Depth.NORMAL,
    )


def _models(request: AskRequest, levels: Sequence[Answering]) -> tuple[str, ...]:
    model: str
    if request.model is not None:
        model, fallbacks = request.model, request.fallbacks or ()
    else:
        level = next((one for one in levels if one.model is not None), Answering())
        model = level.model or EXTRACTIVE
        fallbacks = level.fallbacks if request.fallbacks is None else request.fallbacks
        if model == EXTRACTIVE:
            fallbacks = ()  # it always answers; fallbacks are for the day a model is chosen
    names = tuple(dict.fromkeys((model, *fallbacks)))
    if EXTRACTIVE in names[:-1]:
        raise InvalidRequest(
            "No model can stand behind “extractive”, which always answers.",
            hint="Name “extractive” last, or alone.",
        )
    return names


def _settings(levels: Sequence[ModelSettings]) -> ModelSettings:
    return ModelSettings(
        temperature=_first(one.temperature for one in levels),
        max_tokens=_first(one.max_tokens for one in levels),
        reasoning=_first(one.reasoning for one in levels),
    )


def _first(values: Iterable[ValueT | None]) -> ValueT | None:
    return next((value for value in values if value is not None), None)
