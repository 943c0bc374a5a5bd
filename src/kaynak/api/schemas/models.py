from __future__ import annotations

from pydantic import ConfigDict, Field, SecretStr

from kaynak.api.schemas.base import Body, View
from kaynak.generation.models import BreakerState, KeySource, WireName


class PriceView(View):
    """US dollars for a million tokens."""

    input: float = Field(description="Of the prompt.")
    output: float = Field(description="Of the answer.")
    cached: float | None = Field(description="Of the part of the prompt that the provider has cached.")


class ListedModelView(View):
    """A model of a provider."""

    name: str = Field(description="As `provider:model`, the way models are named everywhere.")
    context_tokens: int | None = Field(description="Most tokens of prompt and answer together, where known.")
    price: PriceView | None = Field(description="Where known.")


class ProviderView(View):
    """A provider of language models, as things are."""

    name: str = Field(description="As in `provider:model`.")
    title: str = Field(description="For people.")
    wire: WireName = Field(description="The wire format it speaks.")
    url: str | None = Field(description="Base of its addresses; null until it is set.")
    key: KeySource = Field(description="Where its key comes from. The key itself is never shown.")
    configured: bool = Field(description="Whether it can be asked.")
    todo: str | None = Field(description="What to do so that it can be asked; null if it can.")
    circuit: BreakerState = Field(description="`open`: it failed several times in a row and is left alone for now.")
    answers: bool | None = Field(description="Whether it answers now; null if that was not tried.")
    milliseconds: float | None = Field(description="How long that took.")
    problem: str | None = Field(description="Why it does not answer.")
    models: list[ListedModelView] = Field(description="Its models, by name; empty if it was not asked.")
    page: str = Field(description="Its page in the documentation.")


class KeyBody(Body):
    """A key to be stored."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"key": "sk-…"}]})

    key: SecretStr = Field(
        min_length=1, max_length=4096, description="Kept encrypted; it goes before the one of the environment."
    )
