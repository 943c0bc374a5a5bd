from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, Unpack

from kaynak.client.async_transport import AsyncTransport
from kaynak.client.both import Both
from kaynak.client.calls import LONG_SECONDS, Call, Parts, as_, collection_path, nothing, parts_of
from kaynak.client.decoding import decode
from kaynak.client.transport import Transport
from kaynak.domain import (
    Collection,
    Examination,
    GenerationState,
    IndexEstimate,
    IndexGeneration,
    IndexVerdict,
)

LOOK_SECONDS = 0.5


def _indexes(collection: str) -> Call[tuple[IndexGeneration, ...]]:
    """Returns the index generations of a collection, newest first.

    Raises:
        CollectionNotFound: There is none of that name.
        Forbidden: You do not own the collection.
    """
    return Call("GET", _path(collection), lambda value: tuple(_index_of(one) for one in value["items"]))


def _index(collection: str, generation: int) -> Call[IndexGeneration]:
    """Returns one index generation.

    Raises:
        GenerationNotFound: The collection has none of that number.
    """
    return Call("GET", _path(collection, generation), _index_of)


def _estimate_index(collection: str, **parts: Unpack[Parts]) -> Call[IndexEstimate]:
    """Returns what a generation of these parts would take: tokens, price, time, disk. Nothing is begun.

    Args:
        collection: Name.
        parts: ``chunker``, ``embedder``, ``dense``, ``lexical``; the others are as in the one that is searched.
    """
    return Call("POST", _path(collection, "estimate"), as_(IndexEstimate), body=parts_of(**parts))


def _build_index(collection: str, **parts: Unpack[Parts]) -> Call[IndexGeneration]:
    """Begins a generation beside the one that is searched; see `wait_index`.

    Args:
        collection: Name.
        parts: ``chunker``, ``embedder``, ``dense``, ``lexical``; the others are as in the one that is searched.

    Raises:
        CollectionNotFound: There is none of that name.
        Forbidden: You do not own the collection.
        Conflict: One of the same parts is there already.
        InvalidRequest: A part is not valid.
        Unsupported: An engine or a model cannot do it.
    """
    return Call("POST", _path(collection), _index_of, body=parts_of(**parts), safe=False)


def _verify_index(
    collection: str, generation: int, *, questions: Mapping[str, Sequence[str]] | None = None, sample: int = 100
) -> Call[IndexVerdict]:
    """Compares a generation with the catalog, with exact search, and with the one that is searched.

    Args:
        collection: Name.
        generation: Number.
        questions: Test questions, each with the external ids of the documents that answer it.
        sample: Passages that are looked for.
    """
    known = [{"text": one, "documents": list(documents)} for one, documents in (questions or {}).items()]
    return Call(
        "POST",
        _path(collection, generation, "verify"),
        as_(IndexVerdict),
        body={"questions": known, "sample": sample},
        safe=False,
        seconds=LONG_SECONDS,
    )


def _switch_index(collection: str, generation: int, *, force: bool = False) -> Call[Collection]:
    """Lets searches go through a generation, from the next one on.

    Args:
        collection: Name.
        generation: Number.
        force: Whether to do so though it was not verified, or did not pass.

    Raises:
        GenerationNotFound: The collection has none of that number.
        Conflict: It is not built, not verified, or did not pass.
    """
    return Call("POST", _path(collection, generation, "switch"), as_(Collection), body={"force": force})


def _rollback_index(collection: str) -> Call[Collection]:
    """Lets searches go through the generation again that they went through before.

    Raises:
        Conflict: There is none any more.
    """
    return Call("POST", _path(collection, "rollback"), as_(Collection), safe=False)


def _delete_index(collection: str, generation: int) -> Call[None]:
    """Removes a generation that is not searched, with the passages and embeddings that no other has.

    Raises:
        GenerationNotFound: The collection has none of that number.
        Conflict: It is searched.
    """
    return Call("DELETE", _path(collection, generation), nothing, safe=False)


def _doctor() -> Call[Examination]:
    """Compares every store with the catalog.

    Raises:
        Forbidden: You are not an administrator.
    """
    return Call("GET", "/v1/doctor", as_(Examination), safe=False, seconds=LONG_SECONDS)


def _repair() -> Call[Examination]:
    """Compares every store with the catalog, and mends what can be mended.

    Raises:
        Forbidden: You are not an administrator.
    """
    return Call("POST", "/v1/doctor/repair", as_(Examination), safe=False, seconds=LONG_SECONDS)


class _IndexCalls:
    indexes = Both(_indexes)
    index = Both(_index)
    estimate_index = Both(_estimate_index)
    build_index = Both(_build_index)
    verify_index = Both(_verify_index)
    switch_index = Both(_switch_index)
    rollback_index = Both(_rollback_index)
    delete_index = Both(_delete_index)
    doctor = Both(_doctor)
    repair = Both(_repair)


class IndexCalls(_IndexCalls, Transport):
    """What `Client` can do with indexes."""

    def watch_index(self, collection: str, generation: int) -> Iterator[IndexGeneration]:
        """Yields a generation whenever it was looked at, until it is built.

        Raises:
            GenerationNotFound: It was removed.
        """
        while True:
            now = self.index(collection, generation)
            yield now
            if now.state is not GenerationState.BUILDING:
                return
            time.sleep(LOOK_SECONDS)

    def wait_index(
        self, collection: str, generation: int, *, progress: Callable[[IndexGeneration], None] | None = None
    ) -> IndexGeneration:
        """Waits until a generation is built, and returns it as it is then.

        Args:
            collection: Name.
            generation: Number.
            progress: Called with the generation whenever it was looked at; what it waits for stands in it.
        """
        for now in self.watch_index(collection, generation):
            if progress is not None:
                progress(now)
        return now


class AsyncIndexCalls(_IndexCalls, AsyncTransport):
    """What `AsyncClient` can do with indexes."""

    async def watch_index(self, collection: str, generation: int) -> AsyncIterator[IndexGeneration]:
        """Yields a generation whenever it was looked at, until it is built.

        Raises:
            GenerationNotFound: It was removed.
        """
        while True:
            now = await self.index(collection, generation)
            yield now
            if now.state is not GenerationState.BUILDING:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def wait_index(
        self, collection: str, generation: int, *, progress: Callable[[IndexGeneration], None] | None = None
    ) -> IndexGeneration:
        """Waits until a generation is built, and returns it as it is then.

        Args:
            collection: Name.
            generation: Number.
            progress: Called with the generation whenever it was looked at; what it waits for stands in it.
        """
        async for now in self.watch_index(collection, generation):
            if progress is not None:
                progress(now)
        return now


def _path(collection: str, *more: int | str) -> str:
    return "/".join([f"{collection_path(collection)}/indexes", *map(str, more)])


def _index_of(value: Any) -> IndexGeneration:
    # Over HTTP the parts stand beside what is known of them, and where a filling goes on is not told.
    sides = [{**side, "cursor": None, "base": 0} for side in value["sides"]]
    return decode(IndexGeneration, {**value, "generation": value, "sides": sides})
