"""From a name to a model that can be asked: who has it, how much it reads, how many dimensions it has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from kaynak.domain import EmbedderUnavailable, KaynakError, Misconfigured
from kaynak.embedding.hosted.embedder import HostedEmbedder, HostedModel
from kaynak.embedding.hosted.families import FAMILIES, UNKNOWN_TOKENS, canonical
from kaynak.embedding.hosted.options import HostedName, HostedOptions, HostedProvider, Wire
from kaynak.embedding.hosted.wires import LIMITS, Limits, Wanted
from kaynak.embedding.soundness import sound
from kaynak.remote import Ask
from kaynak.remote.exchange import Exchange

_PROBE = "What is the number of dimensions?"
_MOST_CONTEXT = 8192
"""Tokens that Ollama loads a model for: memory grows with them, and chunks are far shorter."""
_FRAME = 8
"""Tokens that a server may frame a text with."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a server told about a model before it was asked for a vector."""

    provider: HostedProvider
    limits: Limits
    max_tokens: int | None = None
    version: tuple[str, ...] = ()
    context: int | None = None


async def open_hosted(
    name: HostedName, options: HostedOptions, exchange: Exchange, key: str | None
) -> tuple[HostedEmbedder, str]:
    """Returns the model, and its maker's name for it. To be run on the loop of ``exchange``.

    Args:
        name: Of the model.
        options: Who can be asked.
        exchange: Asks.
        key: Of the provider.

    Raises:
        EmbedderUnavailable: The provider does not answer now.
        Misconfigured: It refuses the key, or does not have the model.
    """
    opening = _Opening(name, options, exchange, key)
    return await opening.open()


class _Opening:
    def __init__(self, name: HostedName, options: HostedOptions, exchange: Exchange, key: str | None) -> None:
        self._name = name
        self._options = options
        self._exchange = exchange
        self._key = key

    async def open(self) -> tuple[HostedEmbedder, str]:
        name = self._name
        found = await self._found()
        family = FAMILIES.get(canonical(name.model))
        prompts = self._options.prompts.get(name.full) or (family.prompts if family else {})
        wanted = Wanted(found.provider, name.model, name.dimensions, found.context)
        document = await self._ask(found.provider, wanted.ask([prompts.get("document", "") + _PROBE], "document"))
        vectors = sound(wanted.rows(document), 1, name.dimensions, f"The embedding model {name.full}")
        maker = _maker(wanted, document)
        family = FAMILIES.get(maker) or family
        model = HostedModel(
            name=name.full,
            wanted=wanted,
            limits=found.limits,
            identity=(*_identity(name, found.provider, maker), *found.version),
            dimensions=vectors.shape[1],
            max_tokens=found.max_tokens
            or (family.max_tokens if family else None)
            or found.provider.max_tokens
            or UNKNOWN_TOKENS,
            prompts=prompts,
        )
        return HostedEmbedder(model, self._exchange, self._options), maker

    async def _found(self) -> _Found:
        if self._name.provider == Wire.TEI.value:
            return await self._on_tei()
        provider = self._options.providers[self._name.provider]
        if not provider.service.url:
            raise Misconfigured(
                f"{provider.service.title} has no address.", hint=f"Set it; see {provider.service.page}."
            )
        if self._key is None and provider.service.needs_key:
            raise Misconfigured(f"{provider.service.title} has no key.", hint=provider.service.key_hint)
        if provider.wire is Wire.OLLAMA:
            return await self._on_ollama(provider)
        if provider.wire is Wire.HUGGINGFACE and self._name.dimensions is not None:
            raise Misconfigured(
                f"{provider.service.title} gives all dimensions of a model.", hint="Leave “@dimensions” out."
            )
        return _Found(provider, LIMITS[provider.wire])

    async def _on_ollama(self, provider: HostedProvider) -> _Found:
        model = self._name.model
        shown = await self._ask(provider, Ask("/api/show", {"model": model}))
        lengths = [
            value
            for field, value in (shown.get("model_info") or {}).items()
            if field.endswith(".context_length") and isinstance(value, int) and value > 0
        ]
        listed = await self._ask(provider, Ask("/api/tags"))
        full = model if ":" in model else f"{model}:latest"
        digests = [
            str(entry["digest"])
            for entry in listed.get("models") or ()
            if entry.get("name") in (model, full) and entry.get("digest")
        ]
        context = min(lengths[0], _MOST_CONTEXT) if lengths else None
        most = max(1, context - _FRAME) if context else None
        return _Found(provider, LIMITS[Wire.OLLAMA], most, tuple(digests[:1]), context)

    async def _on_tei(self) -> _Found:
        """Looks for the server that has the model. One that is away may be the one."""
        faults: list[KaynakError] = []
        others: list[str] = []
        for service in self._options.tei:
            provider = HostedProvider(service, Wire.TEI, price=0.0)
            try:
                info = await self._ask(provider, Ask("/info"))
            except KaynakError as exc:
                faults.append(exc)
                continue
            if info.get("model_id") != self._name.model:
                others.append(str(info.get("model_id")))
                continue
            limits = LIMITS[Wire.TEI]
            texts = info.get("max_client_batch_size")
            if isinstance(texts, int) and texts > 0:
                limits = replace(limits, texts=texts)
            most = info.get("max_input_length")
            version = tuple(str(info[field]) for field in ("model_sha",) if info.get(field))
            return _Found(provider, limits, max(1, most - _FRAME) if isinstance(most, int) else None, version)
        if faults:
            raise faults[0]
        known = f"They have: {', '.join(others)}." if others else "Set embedding.tei_urls."
        raise Misconfigured(f"No server of Text Embeddings Inference has {self._name.model}.", hint=known)

    async def _ask(self, provider: HostedProvider, ask: Ask) -> Any:
        document = await self._exchange.document(
            provider.service, self._key, ask, seconds=self._options.query_seconds, away=EmbedderUnavailable
        )
        if ask.path in ("/info", "/api/show", "/api/tags") and not isinstance(document, dict):
            raise Misconfigured(
                f"What answers at the address of {provider.service.title} is not what it documents.",
                hint=f"Check the address; see {provider.service.page}.",
            )
        return document


def _maker(wanted: Wanted, document: Any) -> str:
    """Returns the maker's name of the model, as the answer says it: an Azure deployment may have any name."""
    said = document.get("model") if isinstance(document, dict) else None
    return canonical(said) if isinstance(said, str) and canonical(said) in FAMILIES else canonical(wanted.model)


def _identity(name: HostedName, provider: HostedProvider, maker: str) -> tuple[str, ...]:
    """Returns what a model is.

    A model that is known, asked in the format of its maker, is the same with every provider: OpenAI's own, on Azure,
    through a router or a gateway. The rest is only the same with the provider of the same name, whatever its address
    is: two servers may well call different models “default”.
    """
    family = FAMILIES.get(maker)
    if family is not None and family.wire is provider.wire:
        return (family.wire.value, maker)
    if provider.wire in (Wire.TEI, Wire.HUGGINGFACE):
        return (provider.wire.value, name.model)
    return (provider.wire.value, provider.service.name, name.model)
