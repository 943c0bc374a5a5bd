from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, text

from kaynak.catalog import Catalog, DraftText
from kaynak.domain import OWNER, Answer, CatalogUnavailable, MessageState, Role
from kaynak.generation.conversing.saving import Saver

pytestmark = pytest.mark.anyio

PACE = 0.2


class Written:
    """A draft in the hands of a test."""

    def __init__(self, message_id: UUID, content: str) -> None:
        self.message_id = message_id
        self.content = content
        self.told: list[bool | None] = []

    def unsaved(self) -> tuple[DraftText, int]:
        answer = Answer("How much?", self.content, (), (), False, "", (), (), 1.0, partial=True)
        return DraftText(self.message_id, self.content, "How much?", answer, frozenset({uuid4()})), len(self.told)

    def was_saved(self, number: int, stop: bool | None) -> None:
        self.told.append(stop)


async def begin(catalog: Catalog, number: int) -> list[Written]:
    async with catalog.begin() as unit:
        made = await unit.conversations.create(OWNER, ["handbook"])
        messages = [await unit.messages.add(made.id, None, Role.ASSISTANT, MessageState.WRITING) for _ in range(number)]
    return [Written(message.id, f"Text {at}") for at, message in enumerate(messages)]


async def kept(catalog: Catalog, drafts: Sequence[Written]) -> list[str]:
    async with catalog.read() as unit:
        found = await unit.connection.execute(text("SELECT id, content FROM kaynak.messages"))
        contents = {row.id: row.content for row in found}
    return [contents[draft.message_id] for draft in drafts]


@asynccontextmanager
async def saved(catalog: Catalog, drafts: Sequence[Written], pace: float = PACE) -> AsyncIterator[Saver]:
    saver = Saver(catalog, pace)
    for draft in drafts:
        saver.add(draft)
    yield saver
    for draft in drafts:
        await saver.remove(draft)


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_many_answers_are_saved_with_few_statements(catalog: Catalog) -> None:
    drafts = await begin(catalog, 250)
    updates: list[str] = []

    def note(_connection, _cursor, statement: str, *_: object) -> None:
        if "UPDATE kaynak.messages" in statement:
            updates.append(statement)

    event.listen(catalog._engine.sync_engine, "before_cursor_execute", note)
    async with saved(catalog, drafts):
        await until(lambda: all(draft.told for draft in drafts))
    assert len(updates) < 25
    assert await kept(catalog, drafts) == [draft.content for draft in drafts]
    assert {told for draft in drafts for told in draft.told} == {False}
    count = [len(draft.told) for draft in drafts]
    await asyncio.sleep(2 * PACE)
    assert [len(draft.told) for draft in drafts] == count  # whoever is removed is not saved any more


async def test_each_learns_what_became_of_its_own(catalog: Catalog) -> None:
    drafts = on, stopped, ended, gone = await begin(catalog, 4)
    async with catalog.begin() as unit:
        await unit.messages.request_stop(stopped.message_id)
        await unit.messages.finish(ended.message_id, MessageState.PARTIAL, "As it was")
        await unit.connection.execute(text("DELETE FROM kaynak.messages WHERE id = :id"), {"id": gone.message_id})
    async with saved(catalog, drafts):
        await until(lambda: all(draft.told for draft in drafts))
    assert [draft.told[0] for draft in drafts] == [False, True, None, None]
    assert await kept(catalog, [on, stopped, ended]) == ["Text 0", "Text 1", "As it was"]


async def test_a_message_that_is_held_keeps_nobody_waiting(catalog: Catalog) -> None:
    drafts = await begin(catalog, 3)
    async with saved(catalog, drafts):
        async with catalog.begin() as unit:
            await unit.connection.execute(
                text("SELECT 1 FROM kaynak.messages WHERE id = :id FOR UPDATE"), {"id": drafts[1].message_id}
            )
            await until(lambda: len(drafts[0].told) > 1 and len(drafts[2].told) > 1)
            assert drafts[1].told == []
        await until(lambda: drafts[1].told)
    assert drafts[1].told[0] is False
    assert await kept(catalog, drafts) == ["Text 0", "Text 1", "Text 2"]


async def test_one_that_cannot_be_saved_keeps_none_of_the_others_from_it(catalog: Catalog) -> None:
    drafts = await begin(catalog, 20)
    drafts[7].content = "The database holds no \0"
    async with saved(catalog, drafts):
        await until(lambda: all(draft.told for draft in drafts if draft is not drafts[7]))
        assert drafts[7].told == []
        drafts[7].content = "Text 7"
        await until(lambda: drafts[7].told)
    assert await kept(catalog, drafts) == [f"Text {at}" for at in range(20)]


async def test_when_the_database_is_away_it_is_tried_again(catalog: Catalog, monkeypatch) -> None:
    drafts = await begin(catalog, 3)
    tries = 0
    begin_ = catalog.begin

    def away():
        nonlocal tries
        tries += 1
        if tries < 3:
            raise CatalogUnavailable("The database does not answer.")
        return begin_()

    monkeypatch.setattr(catalog, "begin", away)
    async with saved(catalog, drafts):
        await until(lambda: all(draft.told for draft in drafts))
    assert tries >= 3
    assert await kept(catalog, drafts) == ["Text 0", "Text 1", "Text 2"]


async def test_saving_begins_anew_after_a_pause(catalog: Catalog) -> None:
    first, second = await begin(catalog, 2)
    saver = Saver(catalog, PACE)
    for draft in (first, second):
        saver.add(draft)
        await until(lambda draft=draft: draft.told)
        await saver.remove(draft)
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                while not saver._task.done():
                    await asyncio.sleep(0)
        assert saver._task.done()  # nothing runs while nobody writes
    assert await kept(catalog, [first, second]) == ["Text 0", "Text 1"]
