"""What is known of index generations: how far they are, and whether they are good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from kaynak.domain.collections import Generation

IndexSide = Literal["dense", "lexical"]
_SILENT = timedelta(hours=1)


class GenerationState(StrEnum):
    """Where a generation is in its life."""

    BUILDING = "building"
    """It is being filled; nothing is searched through it."""
    READY = "ready"
    """It has all its collection had, and follows it; one of them is the one that is searched."""


@dataclass(frozen=True, slots=True)
class Making:
    """What is still being made of an index that has all its entries, so that it is searched fast.

    Attributes:
        what: In words, such as “building the graph”.
        share: How much of it is done, in [0, 1]; None where nobody can tell.
    """

    what: str
    share: float | None = None

    def __str__(self) -> str:
        return self.what if self.share is None else f"{self.what}, {int(self.share * 100)}%"


@dataclass(frozen=True, slots=True)
class SideState:
    """How far one index of a generation is, as its follower last said.

    Attributes:
        side: Which of the two.
        host: Whose files they are; empty where all hosts share the index.
        revision: Of the collection, that the index reflects.
        cursor: While it is being filled: the last document that is in it.
        base: While it is being filled: the revision of the collection when that began.
        entries: Passages that were written into it while it was being filled.
        error: What the follower is waiting for; None while all is well.
        updated_at: When it said so.
        making: What its engine is still making of it, as asked just now; None if nothing, or if it does not answer.
    """

    side: IndexSide
    host: str
    revision: int
    cursor: UUID | None
    base: int
    entries: int
    error: str | None
    updated_at: datetime
    making: Making | None = None


@dataclass(frozen=True, slots=True)
class IndexFault:
    """A document that an index cannot take. It does not hold up the others.

    Attributes:
        generation_id: The generation.
        side: Which index of it.
        document_id: The document.
        error: Why not.
        created_at: When that was found.
    """

    generation_id: int
    side: IndexSide
    document_id: UUID
    error: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """One thing that was looked at.

    Attributes:
        name: Of what was looked at.
        passed: Whether it is as it should be.
        value: What was found.
        wanted: The least, or the exact number, that is good; None where the number only informs.
        detail: In words.
    """

    name: str
    passed: bool
    value: float
    wanted: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class IndexVerdict:
    """What verifying a generation came to.

    Attributes:
        passed: Whether every check did.
        revision: Of the collection at that time.
        checks: What was looked at.
        created_at: When.
    """

    passed: bool
    revision: int
    checks: tuple[IndexCheck, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class IndexGeneration:
    """A generation with all that is known of it.

    Attributes:
        generation: The parts it is made of.
        state: Where it is in its life.
        chunks: Passages it has to have.
        embedded: Those of them that have an embedding.
        revision: Of its collection now.
        sides: How far its indexes are.
        faults: Documents that an index cannot take.
        verdict: What the last verification came to.
        created_at: When it was begun.
        activated_at: When searches last began to go through it.
    """

    generation: Generation
    state: GenerationState
    chunks: int
    embedded: int
    revision: int
    sides: tuple[SideState, ...]
    faults: int
    verdict: IndexVerdict | None
    created_at: datetime
    activated_at: datetime | None

    @property
    def id(self) -> int:
        """Its number."""
        return self.generation.id

    @property
    def reached(self) -> int:
        """The revision that all of its indexes that are heard of reflect; those of hosts that are gone do not count."""
        return min((one.revision for one in self.sides if not self._gone(one)), default=0)

    @property
    def lag(self) -> int:
        """How many changes of the collection are not in all of its indexes yet."""
        return max(0, self.revision - self.reached)

    def _gone(self, state: SideState) -> bool:
        """Returns whether a host fell silent, and behind, while another went on with an index of its own."""
        others = [one for one in self.sides if one.side == state.side and one.revision > state.revision]
        return any(one.updated_at - state.updated_at > _SILENT for one in others)


def verdict_json(verdict: IndexVerdict) -> dict[str, Any]:
    """Returns the form in which a verdict is kept."""
    checks = [[one.name, one.passed, one.value, one.wanted, one.detail] for one in verdict.checks]
    return {
        "passed": verdict.passed,
        "revision": verdict.revision,
        "checks": checks,
        "at": verdict.created_at.isoformat(),
    }


def verdict_of(stored: Mapping[str, Any] | None) -> IndexVerdict | None:
    """Reads what `verdict_json` wrote."""
    if stored is None:
        return None
    checks = tuple(IndexCheck(*one) for one in stored["checks"])
    return IndexVerdict(stored["passed"], stored["revision"], checks, datetime.fromisoformat(stored["at"]))


@dataclass(frozen=True, slots=True)
class IndexEstimate:
    """What a generation would take.

    Attributes:
        passages: It would have; counted, or estimated from a sample where texts would have to be cut anew.
        texts: That would have to be embedded; twice, where the model also has to weigh their tokens.
        tokens: Of those texts, by the model's tokenizer.
        price: US dollars; 0 for a model that runs here, None where the price is not known.
        seconds: Until it is built; None where that is up to somebody else.
        bytes: On disk, embeddings and indexes together.
    """

    passages: int
    texts: int
    tokens: int
    price: float | None
    seconds: float | None
    bytes: int
