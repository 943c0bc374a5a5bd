from __future__ import annotations

from collections.abc import Mapping

from kaynak.embedding import HostedOptions, HostedProvider, Kind, Wire
from kaynak.remote import Service
from kaynak.testing.services.server import KEY, ServiceServer

_PROVIDERS: Mapping[str, tuple[Wire, str, str | None]] = {
    "openai": (Wire.OPENAI, "authorization", "openai"),
    "azure": (Wire.OPENAI, "api-key", "azure"),
    "openrouter": (Wire.OPENAI, "authorization", "openrouter"),
    "gemini": (Wire.GEMINI, "x-goog-api-key", "google"),
    "ollama": (Wire.OLLAMA, "none", None),
    "huggingface": (Wire.HUGGINGFACE, "authorization", "huggingface"),
}


def hosted_options(
    server: ServiceServer,
    *,
    key: str | None = KEY,
    api_version: str | None = None,
    prompts: Mapping[str, Mapping[Kind, str]] | None = None,
    seconds: float = 10.0,
) -> HostedOptions:
    """Returns options that point every provider at ``server``."""

    async def keys(_: str) -> str | None:
        return key

    providers = {
        name: HostedProvider(
            Service(name, name.title(), server.url(name), auth=auth, needs_key=auth != "none", key_env=("A_KEY",)),
            wire,
            deployments=name == "azure",
            api_version=api_version if name == "azure" else None,
            price_list=prices,
            price=0.0 if name == "ollama" else None,
        )
        for name, (wire, auth, prices) in _PROVIDERS.items()
    }
    return HostedOptions(
        providers=providers,
        tei=(Service("tei", "TEI", server.url("tei")),),
        keys=keys,
        prompts=prompts or {},
        seconds=seconds,
        query_seconds=seconds,
    )
