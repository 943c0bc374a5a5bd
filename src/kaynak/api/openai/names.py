"""Names of models: ``kaynak/handbook``, ``kaynak/handbook+policies@openai:gpt-5``, ``kaynak/minilm``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from kaynak.api.openai.errors import ModelNotFound
from kaynak.domain import InvalidRequest, validate_collection_name

PREFIX: Final = "kaynak/"
_COLLECTIONS_MOST: Final = 100
_HINT: Final = "Models are named kaynak/<collection>, kaynak/<a>+<b>, or with @provider:model; GET /v1/models has them."


@dataclass(frozen=True, slots=True)
class ChatModel:
    """What a name of a model stands for.

    Attributes:
        collections: To answer from; at least one.
        model: ``provider:model`` that writes; None for what the collections say.
    """

    collections: tuple[str, ...]
    model: str | None


def chat_model(name: str) -> ChatModel:
    """Returns what ``name`` stands for.

    Raises:
        ModelNotFound: Nothing can be called that.
    """
    body, at, model = name.removeprefix(PREFIX).partition("@")
    collections = tuple(dict.fromkeys(body.split("+")))
    try:
        if not name.startswith(PREFIX) or len(collections) > _COLLECTIONS_MOST or (at and not model):
            raise InvalidRequest("not a name of ours")
        return ChatModel(tuple(validate_collection_name(one) for one in collections), model or None)
    except InvalidRequest as exc:
        raise no_model(name) from exc


def no_model(name: str) -> ModelNotFound:
    """Returns the error for a name that stands for nothing here."""
    return ModelNotFound(f"There is no model “{name[:120]}”.", hint=_HINT)


def embedding_id(embedder: str) -> str:
    """Returns the name that an embedding model goes by: that of its directory, if it lies in one."""
    return PREFIX + (PurePath(embedder).name or embedder)
