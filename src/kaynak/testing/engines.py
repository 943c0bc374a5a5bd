# ruff: noqa: D102 - the names of tests are sentences
"""What dense and lexical engines have in common."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaynak.domain import And, CorruptIndex, Filter, Json, matches, may_read, parse_filter
from kaynak.domain.filters import READERS
from kaynak.engines import DenseEngine, LexicalEngine
from kaynak.testing.filters import filters, payloads

NAME = "g1"
E = TypeVar("E", bound=DenseEngine | LexicalEngine)


class Found(Protocol):
    """What any search returns."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Chunks, best first."""
        ...


def document(number: int) -> UUID:
    """Returns the id of a document."""
    return UUID(int=number)


class EngineSuite(ABC, Generic[E]):
    """What every engine must do. Subclasses give a fixture ``engine_factory``: a function that makes an engine.

    Every engine it makes within one test sees the same storage, as other processes of ours would; engines that live in
    memory say so by ``durable = False``.

    Attributes:
        spec: Of the index that the tests make.
    """

    durable = True
    spec: Any

    @abstractmethod
    def item(self, key: int, of: int, payload: Mapping[str, Json]) -> Any:
        """Returns what the engine stores: a point or an entry of document ``of``; `find` finds all of them."""

    @abstractmethod
    async def find(self, engine: E, limit: int, condition: Filter | None = None) -> Found:
        """Searches for what every item matches."""

    def run(self, factory: Callable[[], E], work: Callable[[E], Awaitable[None]]) -> None:
        """Runs ``work`` on a fresh engine, and closes it."""

        async def main() -> None:
            engine = factory()
            try:
                await work(engine)
            finally:
                await engine.close()

        asyncio.run(main())

    async def write(self, engine: E, keys: Sequence[int], deletes: Sequence[int], revision: int, of: int = 1) -> None:
        """Writes items of document ``of``, and deletes documents."""
        items = [self.item(key, of, {}) for key in keys]
        await engine.apply(NAME, items, [document(one) for one in deletes], revision)

    def test_an_index_is_made_once_and_dropped(self, engine_factory: Callable[[], E]) -> None:
        async def work(engine: E) -> None:
            await engine.health()
            assert not await engine.exists(NAME)
            await engine.create(self.spec)
            await engine.create(self.spec)
            assert await engine.exists(NAME)
            assert (await engine.revision(NAME), await engine.count(NAME)) == (0, 0)
            await engine.drop(NAME)
            await engine.drop(NAME)
            assert not await engine.exists(NAME)

        self.run(engine_factory, work)

    def test_creating_again_keeps_the_data(self, engine_factory: Callable[[], E]) -> None:
        async def work(engine: E) -> None:
            await engine.create(self.spec)
            await self.write(engine, [1], [], 3)
            await engine.create(self.spec)
            assert (await engine.count(NAME), await engine.revision(NAME)) == (1, 3)

        self.run(engine_factory, work)

    def test_a_dropped_index_comes_back_empty(self, engine_factory: Callable[[], E]) -> None:
        async def work(engine: E) -> None:
            await engine.create(self.spec)
            await self.write(engine, [1], [], 3)
            assert (await self.find(engine, 1)).ids == (1,)
            await engine.drop(NAME)
            await engine.create(self.spec)
            assert (await engine.count(NAME), await engine.revision(NAME)) == (0, 0)
            assert (await self.find(engine, 1)).ids == ()

        self.run(engine_factory, work)

    def test_an_unknown_index_is_corrupt(self, engine_factory: Callable[[], E]) -> None:
        async def work(engine: E) -> None:
            for call in (
                lambda: engine.revision(NAME),
                lambda: engine.count(NAME),
                lambda: self.find(engine, 1),
                lambda: self.write(engine, [1], [], 1),
            ):
                with pytest.raises(CorruptIndex):
                    await call()
            with pytest.raises(CorruptIndex):
                [one async for one in engine.scan(NAME)]

        self.run(engine_factory, work)

    def test_data_outlives_the_engine(self, engine_factory: Callable[[], E]) -> None:
        if not self.durable:
            pytest.skip("lives in memory")

        async def write(engine: E) -> None:
            await engine.create(self.spec)
            await self.write(engine, [1, 2], [], 9)

        async def read(engine: E) -> None:
            assert await engine.revision(NAME) == 9
            assert set((await self.find(engine, 5)).ids) == {1, 2}

        self.run(engine_factory, write)
        self.run(engine_factory, read)

    def test_writes_replace_and_delete_by_document(self, engine_factory: Callable[[], E]) -> None:
        async def work(engine: E) -> None:
            await engine.create(self.spec)
            await self.write(engine, [1, 2], [], 1)
            await self.write(engine, [3], [], 2, of=2)
            # Document 1 is replaced: one chunk stays under its id, one goes, one comes.
            await self.write(engine, [2, 4], [1], 3)
            assert sorted([one async for one in engine.scan(NAME)]) == [
                (2, document(1)),
                (3, document(2)),
                (4, document(1)),
            ]
            assert set((await self.find(engine, 10)).ids) == {2, 3, 4}
            await self.write(engine, [], [1, 99], 4)
            assert [one async for one in engine.scan(NAME)] == [(3, document(2))]
            assert (await engine.revision(NAME), await engine.count(NAME)) == (4, 1)

        self.run(engine_factory, work)

    def test_the_same_write_twice_is_one(self, engine_factory: Callable[[], E]) -> None:
        async def work(engine: E) -> None:
            await engine.create(self.spec)
            for _ in range(2):
                await self.write(engine, [1, 2, 2], [1], 2)
            assert await engine.count(NAME) == 2
            # Without naming its document, an id is replaced all the same.
            await engine.apply(NAME, [self.item(2, 1, {"new": True})], [], 3)
            assert await engine.count(NAME) == 2
            assert await engine.count(NAME, parse_filter({"new": True})) == 1

        self.run(engine_factory, work)

    def test_a_write_may_carry_nothing_but_a_revision(self, engine_factory: Callable[[], E]) -> None:
        async def work(engine: E) -> None:
            await engine.create(self.spec)
            await self.write(engine, [1], [], 1)
            await self.write(engine, [], [], 8)
            assert (await engine.revision(NAME), await engine.count(NAME)) == (8, 1)

        self.run(engine_factory, work)

    def test_writers_and_creators_at_once(self, engine_factory: Callable[[], E]) -> None:
        async def main() -> None:
            first = engine_factory()
            others: list[E] = [engine_factory() if self.durable else first for _ in range(3)]
            engines: list[E] = [first, *others]
            try:
                await asyncio.gather(*(engine.create(self.spec) for engine in [*engines, first]))
                assert [await engine.exists(NAME) for engine in others] == [True] * 3
                writers = [first, others[0]]
                await asyncio.gather(*(self.write(writers[one % 2], [one], [one], one, of=one) for one in range(1, 13)))
                assert sorted([key async for key, _ in others[1].scan(NAME)]) == list(range(1, 13))
                assert len((await self.find(others[2], 20)).ids) == 12
            finally:
                for engine in engines if self.durable else [first]:
                    await engine.close()

        asyncio.run(main())

    def test_searches_during_writes_see_whole_documents(self, engine_factory: Callable[[], E]) -> None:
        async def work(engine: E) -> None:
            await engine.create(self.spec)
            await self.write(engine, range(4), [], 1)
            done = asyncio.Event()

            async def replace() -> None:
                for turn in range(1, 9):
                    await self.write(engine, range(turn * 10, turn * 10 + 4), [1], turn + 1)
                done.set()

            async def look() -> None:
                while not done.is_set():
                    whole = Counter(key // 10 for key in (await self.find(engine, 20)).ids)
                    assert 4 in whole.values()
                    if engine.capabilities.atomic:
                        assert len(whole) == 1

            await asyncio.gather(replace(), look(), look())

        self.run(engine_factory, work)

    def test_filters_mean_what_the_reference_says(self, engine_factory: Callable[[], E]) -> None:
        """The same random filters on the same random records give the same entries."""

        async def agree(engine: E, records: Sequence[Mapping[str, Json]], conditions: Sequence[Filter]) -> None:
            old = {of async for _, of in engine.scan(NAME)}
            items = [self.item(key, key, one) for key, one in enumerate(records)]
            await engine.apply(NAME, items, list(old), 1)
            for condition in conditions:
                expected = {key for key, one in enumerate(records) if matches(condition, one)}
                assert set((await self.find(engine, 100, condition)).ids) == expected, condition
                assert await engine.count(NAME, condition) == len(expected), condition

        loop = asyncio.new_event_loop()
        engine = engine_factory()
        loop.run_until_complete(engine.create(self.spec))

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(st.lists(payloads(), min_size=1, max_size=12), st.lists(filters(), min_size=1, max_size=6))
        def check(records: list[Mapping[str, Json]], conditions: list[Filter]) -> None:
            loop.run_until_complete(agree(engine, records, conditions))

        try:
            check()
        finally:
            loop.run_until_complete(engine.close())
            loop.close()

    def test_who_may_read_means_what_the_reference_says(self, engine_factory: Callable[[], E]) -> None:
        """Records with lists of readers of all sizes and without, asked for by people with few names and with many."""
        names = [UUID(int=number) for number in range(40)]
        lists: list[list[str] | None] = [None, [], *([str(one)] for one in names[:20])]
        lists += [[str(one) for one in names[:size]] for size in (2, 3, 17, 40)]
        records: list[dict[str, Json]] = [
            {"a": at % 2} | ({} if one is None else {READERS: [*one]}) for at, one in enumerate(lists)
        ]

        async def check(engine: E, there: Mapping[int, dict[str, Json]]) -> None:
            for who in (names[:1], names[3:5], names[19:], names[30:], [UUID(int=99)], []):
                allowed = may_read(who)
                for condition in (allowed, And((allowed, parse_filter({"a": 1}) or allowed))):
                    expected = {key for key, one in there.items() if matches(condition, one)}
                    assert set((await self.find(engine, 100, condition)).ids) == expected, condition
                    assert await engine.count(NAME, condition) == len(expected), condition

        async def work(engine: E) -> None:
            await engine.create(self.spec)
            items = [self.item(key, key, one) for key, one in enumerate(records)]
            await engine.apply(NAME, items, [], 1)
            await check(engine, dict(enumerate(records)))
            # Now all have a list, and then one has none again.
            await engine.apply(NAME, [], [document(0)], 2)
            await check(engine, {key: one for key, one in enumerate(records) if key})
            await engine.apply(NAME, [self.item(0, 0, {})], [], 3)
            await check(engine, {**dict(enumerate(records)), 0: {}})

        self.run(engine_factory, work)
