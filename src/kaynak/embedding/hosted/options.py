from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kaynak.domain import Misconfigured
from kaynak.embedding.protocol import Kind
from kaynak.remote import KeyOf, Service

_NAME = re.compile(r"(?P<provider>[a-z0-9][a-z0-9_-]{0,62}):(?P<model>[^\s\x00-\x1f\x7f]{1,256})")
_DIMENSIONS = re.compile(r"(?P<model>.+)@(?P<dimensions>[1-9]\d{0,4})")


class Wire(StrEnum):
    """The formats that embeddings are asked for in."""

    OPENAI = "openai"
    GEMINI = "gemini"
    OLLAMA = "ollama"
    TEI = "tei"
    HUGGINGFACE = "huggingface"


@dataclass(frozen=True, slots=True)
class HostedProvider:
    """A provider of embedding models.

    Attributes:
        service: Where it is, and how it wants its key.
        wire: The format it speaks.
        deployments: Whether its addresses are Azure's: the model is a deployment of the customer.
        api_version: Azure's dated version; None is its v1 API.
        price_list: Its name in the list of prices; None where there is none.
        price: US dollars for a million tokens, of all of its models; goes before the list.
        max_tokens: Of one text, for models that are not known; None: `families.UNKNOWN_TOKENS`.
    """

    service: Service
    wire: Wire
    deployments: bool = False
    api_version: str | None = None
    price_list: str | None = None
    price: float | None = None
    max_tokens: int | None = None


async def _no_key(_: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class HostedOptions:
    """What the composition root knows of hosted models.

    Attributes:
        providers: By name.
        tei: Servers of Text Embeddings Inference; each has one model.
        keys: Gives the key of a provider by its name. It is asked on the loop of whoever embeds.
        prompts: What is put before texts, by the full name of the model and by kind.
        seconds: Most time for one request.
        query_seconds: The same while somebody waits for a search.
    """

    providers: Mapping[str, HostedProvider] = field(default_factory=dict)
    tei: tuple[Service, ...] = ()
    keys: KeyOf = _no_key
    prompts: Mapping[str, Mapping[Kind, str]] = field(default_factory=dict)
    seconds: float = 60.0
    query_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class HostedName:
    """``provider:model`` or ``provider:model@dimensions``."""

    full: str
    provider: str
    model: str
    dimensions: int | None


def parse_name(name: str, options: HostedOptions) -> HostedName | None:
    """Returns the parts of the name of a hosted model; None if it is none, such as a directory.

    Raises:
        Misconfigured: It has a known provider, and cannot be a name.
    """
    provider = name.partition(":")[0]
    if ":" not in name or (provider not in options.providers and provider != Wire.TEI.value):
        return None
    found = _NAME.fullmatch(name)
    if found is None or "/../" in f"/{found['model']}/":
        raise Misconfigured(
            f"“{name[:80]}” does not name an embedding model.",
            hint="Hosted models are named provider:model or provider:model@dimensions.",
        )
    sized = _DIMENSIONS.fullmatch(found["model"])
    if sized is None:
        return HostedName(name, provider, found["model"], None)
    return HostedName(name, provider, sized["model"], int(sized["dimensions"]))
