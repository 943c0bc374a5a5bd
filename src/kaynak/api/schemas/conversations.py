from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

from kaynak.api.schemas.answering import AnsweringBody, AnsweringView, HowDeep, ModelName, Policy
from kaynak.api.schemas.answers import AnswerView
from kaynak.api.schemas.base import Body, FilterBody, View
from kaynak.api.schemas.search import Names
from kaynak.domain import CitationPolicy, Depth, MessageState, Role
from kaynak.domain.conversations import TITLE_CHARS
from kaynak.generation.conversing import TurnOptions


class ConversationCreate(Body):
    """A new conversation."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"collections": ["handbook"]}]})

    collections: list[str] = Names
    title: str = Field("", max_length=TITLE_CHARS, description="Empty: made from the first question.")
    answering: AnsweringBody | None = Field(None, description="How its answers are written; null: as collections say.")
    filter: FilterBody = None


class ConversationUpdate(Body):
    """What is to change; fields left out stay as they are."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"title": "Leave in Turkey"}]})

    title: str | None = Field(None, max_length=TITLE_CHARS, description="The new title.")
    collections: list[str] | None = Field(
        None, min_length=1, max_length=100, description="What is asked from now on.", examples=[["handbook"]]
    )
    answering: AnsweringBody | None = Field(None, description="How answers are written from now on, as a whole.")
    filter: dict[str, Any] | None = Field(
        None, description="Condition on metadata from now on; null, given as such, takes it away."
    )


class AnswerOptions(Body):
    """What an answer is to have otherwise than its conversation."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"depth": "deep"}]})

    model: str | None = ModelName
    policy: CitationPolicy | None = Policy
    depth: Depth | None = HowDeep
    limit: int = Field(10, ge=1, le=100, description="Passages to answer from.")

    def options(self) -> TurnOptions:
        """Returns them as the turn knows them."""
        return TurnOptions(self.model, self.policy, self.depth, self.limit)


class QuestionBody(AnswerOptions):
    """The next question of a conversation."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"question": "And in Turkey?"}]})

    question: str = Field(description="In natural language; it may point back at what was said.")
    parent: UUID | None = Field(
        None,
        description=(
            "The answer it follows: an older one begins a branch. Left out: the newest. Null, given as such: none; "
            "the question is a first one."
        ),
    )


class ConversationView(View):
    """Questions and answers that follow from each other."""

    id: UUID = Field(description="Identity.")
    title: str = Field(description="For people; empty before the first question.")
    collections: list[str] = Field(description="Names of what is asked.")
    answering: AnsweringView = Field(description="How its answers are written.")
    filter: dict[str, Any] | None = Field(description="Condition on the metadata of what may be cited.")
    created_at: datetime = Field(description="UTC.")
    updated_at: datetime = Field(description="UTC, of the latest question.")


class MessageView(View):
    """A question, or an answer to the question that is its parent."""

    id: UUID = Field(description="Identity.")
    conversation_id: UUID = Field(description="Its conversation.")
    parent_id: UUID | None = Field(description="What it follows; messages with the same parent are branches.")
    role: Role = Field(description="`user` for questions, `assistant` for answers.")
    state: MessageState = Field(description="`writing`, then `complete`, `partial` or `failed`.")
    content: str = Field(description="The question, or the text of the answer with its markers.")
    asked: str | None = Field(description="Of an answer: the question as it stands alone, as the index was asked it.")
    answer: AnswerView | None = Field(description="The answer with its citations; its `hits` are not kept.")
    error: str | None = Field(description="Why it is not complete.")
    created_at: datetime = Field(description="UTC.")
    updated_at: datetime = Field(description="UTC; while it is being written, of the last sign of life.")
    withheld: bool = Field(description="Shown without what it says: it rests on what you may not read any more.")


class MatchView(View):
    """A conversation that has all the words looked for."""

    conversation: ConversationView = Field(description="The conversation.")
    message_id: UUID | None = Field(description="Its newest message that has them; null if only the title does.")
    snippet: str = Field(description="A stretch of the message around the words, or the title.")


class ExportView(View):
    """A whole conversation, all branches."""

    conversation: ConversationView = Field(description="The conversation.")
    messages: list[MessageView] = Field(description="Of all branches, oldest first.")
