"""From a request for a completion to a question: which message is asked, what is history, what is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kaynak.api.openai.bodies import ChatBody, ChatMessage, Extras
from kaynak.api.openai.errors import ParameterRefused
from kaynak.api.openai.names import ChatModel, chat_model
from kaynak.domain import (
    AskRequest,
    Message,
    ModelSettings,
    Reasoning,
    Role,
    SearchRequest,
    parse_filter,
)
from kaynak.generation.conversing.followups import stand_alone

_SYSTEM: Final = frozenset({"system", "developer"})
_MARKERS: Final = re.compile(r"\s*\[\d{1,3}\](?:\[\d{1,3}\])*")
_WISHES: Final = (
    "Wishes for how the answer is written. They do not change what the sources say, that only the sources count, or "
    "how they are cited:\n"
)
_WISHES_MOST: Final = 4000
_EFFORTS: Final[dict[str, Reasoning]] = {
    "minimal": Reasoning.LOW,
    "low": Reasoning.LOW,
    "medium": Reasoning.MEDIUM,
    "high": Reasoning.HIGH,
    "xhigh": Reasoning.HIGH,
    "max": Reasoning.HIGH,
}
_REFUSED: Final[dict[str, str]] = {
    "tools": "Tools are not called here: answers come from the sources of the collection.",
    "functions": "Functions are not called here: answers come from the sources of the collection.",
    "logprobs": "Log probabilities are not known here.",
    "top_logprobs": "Log probabilities are not known here.",
    "audio": "Answers are text.",
}
_PLAIN: Final = frozenset({"name", "refusal", "annotations", "kaynak"})
"""Fields of messages that come back when a client sends our own answers again."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A completion as a question.

    Attributes:
        request: The question.
        ignored: Parameters that change nothing here.
        for_models: Parameters that only a language model heeds; the built-in that quotes does not.
    """

    request: AskRequest
    ignored: tuple[str, ...]
    for_models: tuple[str, ...]


def asked(body: ChatBody) -> Asked:
    """Returns what is asked.

    Raises:
        ModelNotFound: The name of the model stands for nothing.
        ParameterRefused: Something is asked for that is not done here, and would be missed.
        InvalidFilter: The filter is malformed.
    """
    model = chat_model(body.model)
    ignored = _ignored(body)
    texts = [_text(message, at) for at, message in enumerate(body.messages)]
    if body.messages[-1].role != "user":
        raise ParameterRefused(
            f"messages[{len(texts) - 1}].role",
            "The last message is not the user's: there is no question.",
            hint="End with a message of role “user”.",
        )
    pairs = list(zip(body.messages, texts, strict=True))
    wishes = [text for message, text in pairs if message.role in _SYSTEM and text.strip()]
    said = [
        Message(Role(message.role), text)
        for message, text in pairs[:-1]
        if message.role not in _SYSTEM and text.strip()
    ]
    question = _standing_alone(texts[-1], said)
    if len(wish := "\n".join(wishes)) > _WISHES_MOST:
        ignored.append(f"system messages beyond {_WISHES_MOST:,} characters")
    if wish:
        # Last: of a long conversation the beginning is what a model is not sent.
        said.append(Message(Role.USER, _WISHES + wish[:_WISHES_MOST]))
    for_models = [f"messages[{at}]" for at, message in enumerate(body.messages) if message.role in _SYSTEM]
    for_models += [name for name in ("temperature", "max_tokens", "max_completion_tokens", "reasoning_effort")
                   if getattr(body, name) is not None]  # fmt: skip
    return Asked(_request(body, model, question, tuple(said)), tuple(ignored), tuple(for_models))


def _request(body: ChatBody, model: ChatModel, question: str, history: tuple[Message, ...]) -> AskRequest:
    extras = body.kaynak or Extras()
    most = body.max_completion_tokens if body.max_completion_tokens is not None else body.max_tokens
    return AskRequest(
        search=SearchRequest(
            query=question,
            collections=model.collections,
            mode=extras.mode,
            filter=parse_filter(extras.filter),
            limit=extras.limit,
            min_revision=extras.min_revision,
            dense_weight=extras.dense_weight,
        ),
        model=model.model,
        fallbacks=None if extras.fallbacks is None else tuple(extras.fallbacks),
        settings=ModelSettings(body.temperature, most, _EFFORTS.get(body.reasoning_effort or "")),
        policy=extras.policy,
        depth=extras.depth,
        history=history,
        fresh=extras.fresh,
    )


def _standing_alone(question: str, said: Sequence[Message]) -> str:
    """Returns the question as the index is asked it: with what it leaves to the questions before it put in."""
    before, answer = "", ""
    for message in said:
        if message.role is Role.USER:
            before = stand_alone(message.content, before, answer) if before else message.content
        else:
            answer = _MARKERS.sub("", message.content)
    return stand_alone(question, before, answer) if before else question


def _text(message: ChatMessage, at: int) -> str:
    """Returns the text of a message.

    Raises:
        ParameterRefused: It is of a role, or has content, that is not understood here.
    """
    where = f"messages[{at}]"
    if message.role not in {"user", "assistant"} | _SYSTEM:
        raise ParameterRefused(
            f"{where}.role",
            f"Messages of role “{message.role}” are not understood.",
            hint="Use system, developer, user and assistant.",
        )
    if not isinstance(message.content, list):
        return message.content or ""
    for number, part in enumerate(message.content):
        if part.type not in {"text", "input_text", "output_text", "refusal"} or (part.text is None):
            raise ParameterRefused(
                f"{where}.content[{number}]",
                f"Content of type “{part.type}” is not understood: questions are text.",
                hint="Add files to the collection, and ask about them.",
            )
    return "".join(part.text or "" for part in message.content)


def _ignored(body: ChatBody) -> list[str]:
    """Returns the parameters that change nothing here.

    Raises:
        ParameterRefused: One of them would be missed.
    """
    extra: dict[str, Any] = {name: value for name, value in (body.model_extra or {}).items() if value is not None}
    for name, why in _REFUSED.items():
        if extra.get(name):
            raise ParameterRefused(name, why, hint=f"Leave “{name}” out.")
    if body.n not in (None, 1):
        raise ParameterRefused("n", "One answer is written for a question.", hint="Leave “n” out, or set it to 1.")
    modalities = extra.get("modalities")
    if isinstance(modalities, list) and "audio" in modalities:
        raise ParameterRefused("modalities", "Answers are text.", hint="Ask for “text” only.")
    wanted = extra.get("response_format")
    if isinstance(wanted, dict) and wanted.get("type") not in (None, "text"):
        raise ParameterRefused(
            "response_format", "Answers are sentences with citations, not JSON.", hint="Ask for “text”."
        )
    unknown = sorted(str(name)[:64] for name in extra if name not in _REFUSED)
    return [*unknown, *(
        f"messages[{at}].{name}"[:80]
        for at, message in enumerate(body.messages)
        for name, value in (message.model_extra or {}).items()
        if value is not None and name not in _PLAIN
    )][:100]  # fmt: skip
