"""The models of an installation, as OpenAI's API lists them: collections that answer, and embedding models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kaynak.api.openai.embedding import embedders
from kaynak.api.openai.names import PREFIX, chat_model, no_model
from kaynak.domain import Collection, CollectionNotFound, Scope

if TYPE_CHECKING:
    from kaynak.app import Kaynak

_PAGE: Final = 200


async def models(kaynak: Kaynak, scope: Scope) -> list[dict[str, Any]]:
    """Returns all models: a collection for each that the caller may read, then the embedding models."""
    found: list[Collection] = []
    while not found or len(found) % _PAGE == 0:
        after = found[-1].name if found else None
        page = await kaynak.collections.list(scope, after=after, limit=_PAGE)
        if not page:
            break
        found += page
    chats = [_chat(PREFIX + collection.name, collection) for collection in found]
    taken = {chat["id"] for chat in chats}
    names = await embedders(kaynak, scope)
    return chats + [_embedding(name) for name in names if name not in taken]


async def model(kaynak: Kaynak, scope: Scope, name: str) -> dict[str, Any]:
    """Returns one model.

    Raises:
        ModelNotFound: There is none of that name, or not for this caller.
    """
    try:
        named = chat_model(name)
        found = [await kaynak.collections.get(scope, one) for one in named.collections]
        return _chat(name, found[0])
    except CollectionNotFound as exc:
        if name in await embedders(kaynak, scope):
            return _embedding(name)
        raise no_model(name) from exc


def _chat(name: str, collection: Collection) -> dict[str, Any]:
    about = {"kind": "collection", "description": collection.description, "documents": collection.documents}
    return _model(name, int(collection.created_at.timestamp()), about)


def _embedding(name: str) -> dict[str, Any]:
    return _model(name, 0, {"kind": "embedding"})


def _model(name: str, created: int, about: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "kaynak", "kaynak": about}
