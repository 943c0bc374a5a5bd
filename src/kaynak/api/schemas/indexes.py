from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field

from kaynak.api.schemas.base import Body, View
from kaynak.api.schemas.collections import Part, SpecView
from kaynak.domain import Ailment, Examination, GenerationState, IndexGeneration, IndexSide
from kaynak.indexing import Wanted
from kaynak.retrieval import TestQuestion


class IndexBuild(Body):
    """What a new generation is to be made of; what is left out is as in the one that is searched."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"dense": {"name": "pgvector"}}]})

    chunker: Part | None = Field(None, description="How text is cut.")
    embedder: Part | None = Field(None, description="Embedding model.")
    dense: Part | None = Field(None, description="Vector engine.")
    lexical: Part | None = Field(None, description="Word engine.")

    def wanted(self) -> Wanted:
        """Returns it as the domain knows it."""
        parts = {name: getattr(self, name) for name in ("chunker", "embedder", "dense", "lexical")}
        return Wanted(**{name: part.spec() for name, part in parts.items() if part is not None})


class IndexSwitch(Body):
    """How to switch."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"force": False}]})

    force: bool = Field(False, description="Though it was not verified, or did not pass.")


class Question(Body):
    """A question whose answer is known."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=2000, description="The question.")
    documents: list[str] = Field(
        min_length=1, max_length=1000, description="External ids of the documents that answer it."
    )


class IndexVerify(Body):
    """How to verify."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"questions": [{"text": "How much leave is there?", "documents": ["leave.md"]}]}]
        },
    )

    sample: int = Field(100, ge=1, le=1000, description="Passages that are looked for.")
    questions: list[Question] = Field([], max_length=1000, description="Questions whose answers are known.")

    def known(self) -> list[TestQuestion]:
        """Returns the questions as the verifier knows them."""
        return [TestQuestion(one.text, dict.fromkeys(one.documents, 1.0)) for one in self.questions]


class CheckView(View):
    """One thing that was looked at."""

    name: str = Field(description="Of what was looked at.")
    passed: bool = Field(description="Whether it is as it should be.")
    value: float = Field(description="What was found.")
    wanted: float | None = Field(description="What is good; null where the number only informs.")
    detail: str = Field(description="In words.")


class VerdictView(View):
    """What verifying a generation came to."""

    passed: bool = Field(description="Whether every check did.")
    revision: int = Field(description="Of the collection at that time.")
    checks: list[CheckView] = Field(description="What was looked at.")
    created_at: datetime = Field(description="UTC.")


class MakingView(View):
    """What is still being made of an index that has all its passages."""

    what: str = Field(description="In words.")
    share: float | None = Field(description="How much of it is done, from 0 to 1; null where nobody can tell.")


class SideView(View):
    """How far one index of a generation is."""

    side: IndexSide = Field(description="`dense` or `lexical`.")
    host: str = Field(description="Whose files they are; empty where all hosts share the index.")
    revision: int = Field(description="Of the collection, that it reflects.")
    entries: int = Field(description="Passages that were written into it while it was being filled.")
    error: str | None = Field(description="What it is waiting for.")
    making: MakingView | None = Field(description="What is still being made of it so that it is searched fast.")
    updated_at: datetime = Field(description="UTC, when that was said.")


class IndexView(View):
    """An index generation with all that is known of it."""

    id: int = Field(description="Unique in the installation.")
    collection_id: UUID = Field(description="Its collection.")
    spec: SpecView = Field(description="The parts it is made of.")
    chunker_fingerprint: str = Field(description="Of the chunker as built.")
    embedder_fingerprint: str = Field(description="Of the model as loaded.")
    dimensions: int = Field(description="Of the embedding.")
    active: bool = Field(description="Whether searches go through it.")
    state: GenerationState = Field(description="`building` or `ready`.")
    chunks: int = Field(description="Passages it has to have.")
    embedded: int = Field(description="While it is being built: those of them that are embedded.")
    revision: int = Field(description="Of its collection now.")
    lag: int = Field(description="Changes that are not in all of its indexes yet.")
    sides: list[SideView] = Field(description="How far its indexes are.")
    faults: int = Field(description="Documents that an index cannot take.")
    verdict: VerdictView | None = Field(description="What the last verification came to.")
    created_at: datetime = Field(description="UTC.")
    activated_at: datetime | None = Field(description="UTC, when searches last began to go through it.")

    @staticmethod
    def shown(found: IndexGeneration) -> dict[str, object]:
        """Returns the fields of a generation."""
        made = found.generation
        own = {entry.name: getattr(made, entry.name) for entry in fields(made)}
        known = {name: getattr(found, name) for name in IndexView.model_fields if name not in own}
        sides = [{name: getattr(one, name) for name in SideView.model_fields} for one in found.sides]
        return {**own, **known, "sides": sides}


class EstimateView(View):
    """What a generation would take."""

    passages: int = Field(description="It would have.")
    texts: int = Field(description="That would have to be embedded.")
    tokens: int = Field(description="Of those texts.")
    price: float | None = Field(description="US dollars; null where the price is not known.")
    seconds: float | None = Field(description="Until it is built; null where that is up to somebody else.")
    bytes: int = Field(description="On disk.")


class FindingView(View):
    """One thing that is wrong."""

    where: str = Field(description="The store, and what of it.")
    ailment: Ailment = Field(description="What kind of thing.")
    count: int = Field(description="How many are concerned.")
    detail: str = Field(description="In words.")
    repaired: bool = Field(description="Whether it is right now.")
    hint: str | None = Field(description="What to do where it is not.")


class ExaminationView(View):
    """What was looked at, and what was found."""

    healthy: bool = Field(description="Whether nothing is wrong any more.")
    checked: list[str] = Field(description="Stores that were looked at.")
    unchecked: list[str] = Field(description="Stores that were not, each with the reason.")
    findings: list[FindingView] = Field(description="What was wrong.")

    @staticmethod
    def shown(found: Examination) -> dict[str, object]:
        """Returns the fields of an examination."""
        return {name: getattr(found, name) for name in ExaminationView.model_fields}
