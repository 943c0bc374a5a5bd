"""Options that say how answers are written; of questions, conversations and collections."""

from __future__ import annotations

from typing import Annotated

import typer

from kaynak.domain import CitationPolicy, Depth, Reasoning

ModelOption = Annotated[
    str | None, typer.Option("--model", help="provider:model, or extractive for quotes without a model.")
]
FallbackOption = Annotated[
    list[str] | None, typer.Option("--fallback", help="Model to ask when the one before is away; repeat for several.")
]
PolicyOption = Annotated[
    CitationPolicy | None, typer.Option("--policy", help="What becomes of sentences without support.")
]
DepthOption = Annotated[Depth | None, typer.Option("--depth", help="How hard to look for passages.")]
TemperatureOption = Annotated[float | None, typer.Option("--temperature", min=0, max=2, help="For the model.")]
MaxTokensOption = Annotated[int | None, typer.Option("--max-tokens", min=1, help="Most tokens of the answer.")]
ReasoningOption = Annotated[
    Reasoning | None, typer.Option("--reasoning", help="How much the model is to think before it answers.")
]
