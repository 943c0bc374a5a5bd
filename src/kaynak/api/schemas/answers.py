from __future__ import annotations

from uuid import UUID

from pydantic import ConfigDict, Field

from kaynak.api.schemas.answering import Effort, HowDeep, MaxTokens, ModelName, Policy, Temperature
from kaynak.api.schemas.base import Body, FilterBody, SpanView, View
from kaynak.api.schemas.search import HitView, Names
from kaynak.domain import (
    AskRequest,
    CitationPolicy,
    Depth,
    FinishReason,
    ModelSettings,
    Reasoning,
    SearchMode,
    SearchRequest,
    Verdict,
    parse_filter,
)


class AskBody(Body):
    """A question that wants an answer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"question": "How many days of leave do I have?", "collections": ["handbook"]}]
        },
    )

    question: str = Field(description="In natural language.")
    collections: list[str] = Names
    mode: SearchMode = Field(SearchMode.HYBRID, description="Which sides look for passages.")
    filter: FilterBody = None
    limit: int = Field(10, ge=1, le=100, description="Passages to answer from.")
    min_revision: dict[str, int] = Field(
        default_factory=dict,
        description="Collection name to the revision its indexes must have reached.",
        examples=[{"handbook": 42}],
    )
    dense_weight: float | None = Field(
        None, ge=0, le=1, description="Fixed weight of the meaning side; null: weighed per question."
    )
    model: str | None = ModelName
    fallbacks: list[str] | None = Field(
        None, max_length=8, description="Models to ask in order when one is away; `extractive` may stand last."
    )
    temperature: float | None = Temperature
    max_tokens: int | None = MaxTokens
    reasoning: Reasoning | None = Effort
    policy: CitationPolicy | None = Policy
    depth: Depth | None = HowDeep
    fresh: bool = Field(False, description="Whether to answer anew, even if the answer is remembered.")

    def request(self, query: str) -> AskRequest:
        """Returns the question as the domain knows it, with ``query`` as the checked text of it.

        Raises:
            InvalidFilter: The filter is malformed.
        """
        search = SearchRequest(
            query=query,
            collections=tuple(dict.fromkeys(self.collections)),
            mode=self.mode,
            filter=parse_filter(self.filter),
            limit=self.limit,
            min_revision=self.min_revision,
            dense_weight=self.dense_weight,
        )
        return AskRequest(
            search=search,
            model=self.model,
            fallbacks=None if self.fallbacks is None else tuple(self.fallbacks),
            settings=ModelSettings(self.temperature, self.max_tokens, self.reasoning),
            policy=self.policy,
            depth=self.depth,
            fresh=self.fresh,
        )


class CitationView(View):
    """The exact place a sentence comes from."""

    marker: int = Field(description="The number in brackets, from 1.")
    collection: str = Field(description="Name of the collection.")
    document_id: UUID = Field(description="The document.")
    external_id: str = Field(description="Your name for it.")
    title: str = Field(description="Of the document.")
    version_id: UUID = Field(description="The exact version.")
    version: int = Field(description="Its number.")
    page: int | None = Field(description="First page of the quote.")
    span: SpanView = Field(description="Where the quote is in the version's text.")
    quote: str = Field(description="To the letter.")


class SentenceView(View):
    """One sentence and what bears it out."""

    text: str = Field(description="The sentence.")
    markers: list[int] = Field(description="Markers of its citations.")
    verdict: Verdict | None = Field(
        description="What the check against its citations said; null for sentences that claim nothing."
    )
    reasons: list[str] = Field(description="Why the verdict is not better.")
    span: SpanView | None = Field(description="Where it is in the text of the answer, its markers included.")


class UsageView(View):
    """Tokens, as the provider counted them."""

    input: int = Field(description="Of the prompt.")
    output: int = Field(description="Of the answer.")
    cached: int = Field(description="Part of the prompt that the provider had cached.")


class AnswerView(View):
    """An answer in which every sentence points at its source."""

    question: str = Field(description="As asked.")
    text: str = Field(description="The sentences with their markers, as Markdown.")
    sentences: list[SentenceView] = Field(description="In order.")
    citations: list[CitationView] = Field(description="By marker.")
    found: bool = Field(description="False when the sources do not say.")
    model: str = Field(description="What wrote it; `extractive` only quotes.")
    hits: list[HitView] = Field(description="The passages it was written from.")
    degraded: list[str] = Field(
        description="What the reader should know: sides that could not answer, settings that a model refused."
    )
    took_ms: float = Field(description="Whole time.")
    steps: list[str] = Field(description="What was asked of the index, in order.")
    usage: UsageView | None = Field(description="Tokens of all model calls; null if none was made or it was not said.")
    cost: float | None = Field(description="US dollars; null where the price is not known.")
    partial: bool = Field(description="Whether the answer was stopped before its end.")
    cached: str | None = Field(description="`exact` or `semantic` if it came out of a cache.")
    cut: FinishReason | None = Field(
        description="What ended a partial answer on the model's side: `length` or `filtered`; else null."
    )
