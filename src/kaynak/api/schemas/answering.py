"""How answers are written: fields of questions and of collections."""

from __future__ import annotations

from pydantic import Field

from kaynak.api.schemas.base import Body, View
from kaynak.domain import Answering, CitationPolicy, Depth, ModelSettings, Reasoning

ModelName = Field(
    None,
    min_length=1,
    max_length=256,
    description="`provider:model`, or `extractive` for the built-in that quotes.",
    examples=["extractive"],
)
Temperature = Field(None, ge=0, le=2, description="For the model.")
MaxTokens = Field(None, ge=1, le=1_000_000, description="Most tokens of the answer.")
Effort = Field(None, description="How much the model is to think before it answers.")
Policy = Field(
    None, description="What becomes of sentences without support: marked, dropped, or the whole answer refused."
)
HowDeep = Field(None, description="How hard to look for passages.")


class AnsweringBody(Body):
    """How a collection is to be answered from, as a whole; what is left out is up to the settings."""

    model: str | None = ModelName
    fallbacks: list[str] = Field(default_factory=list, max_length=8, description="Models to ask when one is away.")
    temperature: float | None = Temperature
    max_tokens: int | None = MaxTokens
    reasoning: Reasoning | None = Effort
    policy: CitationPolicy | None = Policy
    depth: Depth | None = HowDeep

    def answering(self) -> Answering:
        """Returns it as the domain knows it."""
        settings = ModelSettings(self.temperature, self.max_tokens, self.reasoning)
        return Answering(self.model, tuple(self.fallbacks), settings, self.policy, self.depth)


class ModelSettingsView(View):
    """What is set for the model; null leaves it to the provider."""

    temperature: float | None = Field(description="From 0.")
    max_tokens: int | None = Field(description="Most tokens of the answer.")
    reasoning: Reasoning | None = Field(description="Effort before the answer.")


class AnsweringView(View):
    """How a collection is answered from; null leaves it to the settings."""

    model: str | None = Field(description="`provider:model`, or `extractive`.")
    fallbacks: list[str] = Field(description="Models to ask when one is away.")
    settings: ModelSettingsView = Field(description="For the model.")
    policy: CitationPolicy | None = Field(description="For sentences without support.")
    depth: Depth | None = Field(description="How hard to look.")
