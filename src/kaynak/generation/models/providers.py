"""Providers are data: where they are, how they want their key, which wire format they speak, and their quirks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from urllib.parse import urlsplit

from kaynak.domain import InvalidRequest, Misconfigured


class WireName(StrEnum):
    """The wire formats."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    OLLAMA = "ollama"


class Auth(StrEnum):
    """The header that carries the key."""

    BEARER = "authorization"
    API_KEY = "api-key"
    X_API_KEY = "x-api-key"
    GOOGLE = "x-goog-api-key"
    NONE = "none"


class Quirk(StrEnum):
    """Where a provider leaves the format it speaks."""

    MAX_COMPLETION_TOKENS = "max-completion-tokens"
    """The most tokens of an answer are ``max_completion_tokens``; ``max_tokens`` is refused by newer models."""
    NESTED_REASONING = "nested-reasoning"
    """The effort is in ``reasoning.effort`` in place of ``reasoning_effort``."""
    DEPLOYMENTS = "deployments"
    """Addresses are Azure's: the model is a deployment of the customer."""
    REASON_ENDS = "reason-ends"
    """The stream ends with the finish reason; ``[DONE]`` may be missing."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens.

    Attributes:
        input: Of the prompt.
        output: Of the answer.
        cached: Of the part of the prompt that the provider has cached; None where that is not told apart.
    """

    input: float
    output: float
    cached: float | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider of language models.

    Attributes:
        name: As in ``provider:model``.
        title: For people.
        wire: The format it speaks.
        url: Base of its addresses; None until it is set.
        auth: How the key is sent.
        needs_key: Whether it answers only with a key.
        key_env: Environment variables that may hold the key; the first that is set counts.
        url_env: Environment variables that may hold the address.
        headers: Sent with every request.
        quirks: See `Quirk`.
        price_list: Its name in the list of prices; None where there is none.
        price: Fixed price of all of its models; goes before the list.
        context_tokens: Of all of its models; None: by model, from the list.
        api_version: Azure's dated version; None is its v1 API.
        models: Names of models for those who list no models themselves.
        page: Its page in the documentation.
    """

    name: str
    title: str
    wire: WireName
    url: str | None = None
    auth: Auth = Auth.BEARER
    needs_key: bool = True
    key_env: tuple[str, ...] = ()
    url_env: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    quirks: frozenset[Quirk] = frozenset()
    price_list: str | None = None
    price: Price | None = None
    context_tokens: int | None = None
    api_version: str | None = None
    models: tuple[str, ...] = ()
    page: str = "docs/providers/compatible.md"


BUILT_IN: tuple[Provider, ...] = (
    Provider(
        "openai",
        "OpenAI",
        WireName.OPENAI,
        "https://api.openai.com/v1",
        key_env=("OPENAI_API_KEY",),
        url_env=("OPENAI_BASE_URL",),
        quirks=frozenset({Quirk.MAX_COMPLETION_TOKENS}),
        price_list="openai",
        page="docs/providers/openai.md",
    ),
    Provider(
        "anthropic",
        "Anthropic",
        WireName.ANTHROPIC,
        "https://api.anthropic.com",
        auth=Auth.X_API_KEY,
        key_env=("ANTHROPIC_API_KEY",),
        url_env=("ANTHROPIC_BASE_URL",),
        headers={"anthropic-version": "2023-06-01"},
        price_list="anthropic",
        page="docs/providers/anthropic.md",
    ),
    Provider(
        "gemini",
        "Google Gemini",
        WireName.GEMINI,
        "https://generativelanguage.googleapis.com",
        auth=Auth.GOOGLE,
        key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        url_env=("GEMINI_BASE_URL", "GOOGLE_GEMINI_BASE_URL"),
        price_list="google",
        page="docs/providers/gemini.md",
    ),
    Provider(
        "azure",
        "Azure OpenAI",
        WireName.OPENAI,
        None,
        auth=Auth.API_KEY,
        key_env=("AZURE_OPENAI_API_KEY",),
        url_env=("AZURE_OPENAI_ENDPOINT",),
        quirks=frozenset({Quirk.MAX_COMPLETION_TOKENS, Quirk.DEPLOYMENTS}),
        price_list="azure",
        page="docs/providers/azure.md",
    ),
    Provider(
        "ollama",
        "Ollama",
        WireName.OLLAMA,
        "http://127.0.0.1:11434",
        needs_key=False,
        key_env=("OLLAMA_API_KEY",),
        url_env=("OLLAMA_HOST",),
        price=Price(0, 0, 0),
        page="docs/providers/ollama.md",
    ),
    Provider(
        "openrouter",
        "OpenRouter",
        WireName.OPENAI,
        "https://openrouter.ai/api/v1",
        key_env=("OPENROUTER_API_KEY",),
        url_env=("OPENROUTER_BASE_URL",),
        quirks=frozenset({Quirk.NESTED_REASONING}),
        price_list="openrouter",
        page="docs/providers/openrouter.md",
    ),
    Provider(
        "huggingface",
        "Hugging Face",
        WireName.OPENAI,
        "https://router.huggingface.co/v1",
        key_env=("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
        url_env=("HF_BASE_URL",),
        price_list="huggingface",
        page="docs/providers/huggingface.md",
    ),
)
"""The providers that need no configuration but a key."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_MODEL = re.compile(r"[^\s\x00-\x1f\x7f]{1,256}")
_API_VERSION_ENV = ("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION")


@dataclass(frozen=True, slots=True)
class ModelName:
    """``provider:model``."""

    provider: str
    model: str

    def __str__(self) -> str:
        """Returns it as people type it."""
        return f"{self.provider}:{self.model}"


def parse_model(text: str) -> ModelName:
    """Returns the parts of ``provider:model``; a model may have colons of its own.

    Raises:
        InvalidRequest: It is not such a name.
    """
    provider, colon, model = text.partition(":")
    if not colon or not _NAME.fullmatch(provider) or not _MODEL.fullmatch(model) or "/../" in f"/{model}/":
        shown = text[:80]
        raise InvalidRequest(
            f"“{shown}” does not name a model.", hint="Models are named provider:model, such as openai:gpt-5.2."
        )
    return ModelName(provider, model)


def provider_table(
    overrides: Mapping[str, Mapping[str, object]], environment: Mapping[str, str]
) -> dict[str, Provider]:
    """Returns all providers by name: the built-in ones, those of the settings, and what the environment says.

    Args:
        overrides: Fields of `Provider` by name of the provider; new names make new providers.
        environment: Environment variables. They give way to ``overrides``.

    Raises:
        Misconfigured: A name or an address cannot work.
    """
    table = {provider.name: _from_environment(provider, environment) for provider in BUILT_IN}
    for name, fields in overrides.items():
        if not _NAME.fullmatch(name) or name == "extractive":
            raise Misconfigured(
                f"“{name[:80]}” cannot name a provider of models.",
                hint="Use 1 to 63 of a-z 0-9 _ - in models.providers.",
            )
        base = table.get(name) or Provider(name, name, WireName.OPENAI, needs_key=bool(fields.get("key_env")))
        table[name] = replace(base, **fields)  # type: ignore[arg-type]  # the settings have checked them
    for provider in table.values():
        if provider.url is not None:
            _check_url(provider)
    return table


def _from_environment(provider: Provider, environment: Mapping[str, str]) -> Provider:
    url = next((environment[name].strip() for name in provider.url_env if environment.get(name, "").strip()), None)
    if url is not None:
        provider = replace(provider, url=_ollama_url(url) if provider.wire is WireName.OLLAMA else url)
    if Quirk.DEPLOYMENTS in provider.quirks:
        version = next((environment[name] for name in _API_VERSION_ENV if environment.get(name)), None)
        provider = replace(provider, api_version=version)
    return provider


def _ollama_url(host: str) -> str:
    """Returns the address that ``OLLAMA_HOST`` means: it may lack scheme and port, and name all addresses."""
    bare = "://" not in host
    parts = urlsplit(f"http://{host}" if bare else host)
    name = parts.hostname or "127.0.0.1"
    name = "127.0.0.1" if name == "0.0.0.0" else "[::1]" if name == "::" else f"[{name}]" if ":" in name else name  # noqa: S104
    try:
        port = parts.port or (11434 if bare else None)
    except ValueError:
        return host  # refused with a clear message by the check that follows
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def _check_url(provider: Provider) -> None:
    try:
        parts = urlsplit(provider.url or "")
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise Misconfigured(
            f"The address of {provider.title} is not one of HTTP.",
            hint=f"Set models.providers.{provider.name}.url to something like https://models.example.org/v1.",
        )
