from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaynak.domain import KaynakError
from kaynak.generation.models.prices import Prices
from kaynak.generation.models.providers import Provider, WireName

if TYPE_CHECKING:
    from kaynak.generation.models.transport import Transport

_UNKNOWN = 32_768
"""Tokens that a model is taken to have where nothing says: few models of today have less."""
_OLLAMA = 32_768
"""Most tokens asked of Ollama, unless the settings say more: its memory grows with them."""
_OLLAMA_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a model before it is asked.

    Attributes:
        tokens: Most of prompt and answer together.
        thinking: Degrees of thinking it knows; None where nothing says.
    """

    tokens: int
    thinking: tuple[str | bool, ...] | None = None


class Contexts:
    """How long prompts may be, by model.

    Args:
        prices: The list, which knows those of most providers.
    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._shown: dict[tuple[str, str], Known] = {}

    async def of(self, provider: Provider, model: str, key: str | None, transport: Transport) -> Known:
        """Returns what is known of ``model``; Ollama is asked by ``transport``, for it knows its models."""
        if provider.wire is WireName.OLLAMA:
            return await self._of_ollama(provider, model, key, transport)
        listed = self._prices.context_tokens(provider, model)
        return Known(provider.context_tokens or listed or _UNKNOWN)

    async def _of_ollama(self, provider: Provider, model: str, key: str | None, transport: Transport) -> Known:
        known = self._shown.get((provider.name, model))
        if known is None:
            most = provider.context_tokens or _OLLAMA
            try:
                shown = await transport.document(
                    provider, key, "/api/show", body={"model": model}, seconds=_OLLAMA_SECONDS
                )
            except KaynakError:
                return Known(most)  # whatever is wrong, the request itself says it better
            known = _read(shown, most)
            self._shown[(provider.name, model)] = known
        return known


def _read(shown: dict[str, Any], most: int) -> Known:
    info = shown.get("model_info")
    info = info if isinstance(info, dict) else {}
    own = info.get(f"{info.get('general.architecture')}.context_length")
    tokens = min(own, most) if isinstance(own, int) and own > 0 else most
    thinking = shown.get("thinking")
    if isinstance(thinking, dict) and isinstance(thinking.get("values"), list):
        return Known(tokens, tuple(value for value in thinking["values"] if isinstance(value, str | bool)))
    if isinstance(shown.get("capabilities"), list) and "thinking" not in shown["capabilities"]:
        return Known(tokens, (False,))
    return Known(tokens)
