from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import uuid4

import pytest
from sqlalchemy import text

from kaynak.domain import (
    OWNER,
    AnswerCompleted,
    Answering,
    CollectionNotFound,
    Conflict,
    ConversationNotFound,
    InvalidFilter,
    InvalidQuery,
    InvalidRequest,
    MessageNotFound,
    MessageState,
    Role,
    Scope,
    SentenceWritten,
    StreamTruncated,
    TurnBegun,
)
from kaynak.generation.conversing import TurnOptions

pytestmark = pytest.mark.anyio

OTHER = Scope("someone-else", collections=None)


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_a_turn_is_kept_with_its_answer(room) -> None:
    conversation = await room.begin()
    events = await room.ask(conversation, "  How many days of paid leave do we have?\n")
    begun, done = events[0], events[-1]
    assert isinstance(begun, TurnBegun)
    assert isinstance(done, AnswerCompleted)
    assert begun.question.content == "How many days of paid leave do we have?"
    assert begun.conversation.title == "How many days of paid leave do we have?"
    kept = await room.message(conversation, events)
    assert (kept.state, kept.role, kept.parent_id) == (MessageState.COMPLETE, Role.ASSISTANT, begun.question.id)
    assert kept.content == done.answer.text == "It is 26 days. [1] All have it. [2]"
    assert kept.answer == done.answer
    assert kept.asked == "How many days of paid leave do we have?"


async def test_follow_ups_are_asked_as_they_stand_alone(room) -> None:
    conversation = await room.begin()
    await room.ask(conversation, "How much paid leave is there in Germany?")
    answer = await room.answered(conversation, "And in Turkey?")
    assert answer.asked == "How much paid leave is there in Turkey?"
    assert answer.answer.question == "And in Turkey?"
    request = room.asker.heard[-1]
    assert request.search.query == "How much paid leave is there in Turkey?"
    assert [m.content for m in request.history] == [
        "How much paid leave is there in Germany?",
        "It is 26 days. All have it.",
    ]
    # The third follows from what the second meant.
    assert (await room.answered(conversation, "And in Denmark?")).asked == "How much paid leave is there in Denmark?"


async def test_long_conversations_leave_their_questions_behind(room) -> None:
    conversation = await room.begin()
    for number in range(12):
        await room.ask(conversation, f"What does rule number {number} of the handbook say about leave?")
    history = room.asker.heard[-1].history
    assert "rule number 0" in history[0].content
    assert history[0].role is Role.USER
    assert "26 days" not in history[0].content
    words = "\n".join(message.content for message in history)
    assert all(f"rule number {number} " in words for number in range(11))
    assert sum(len(message.content) for message in history[1:]) <= 500


async def test_branches_and_other_answers(room) -> None:
    conversation = await room.begin()
    first = await room.answered(conversation, "How much leave is there?")
    second = await room.answered(conversation, "Which holidays are public?")
    branch = await room.answered(conversation, "Who approves paid leave?", parent=first.id)
    assert await room.contents(conversation) == [
        *("How much leave is there?", first.content, "Who approves paid leave?", branch.content)
    ]
    assert "Which holidays are public?" in await room.contents(conversation, second.id)
    assert room.asker.heard[-1].history[0].content == "How much leave is there?"

    again = [event async for event in room.turns.again(OWNER, conversation.id, second.id)]
    other = await room.message(conversation, again)
    assert other.parent_id == second.parent_id
    assert room.asker.heard[-1].search.query == "Which holidays are public?"

    fresh = await room.answered(conversation, "And in Turkey?", parent=None)
    assert (fresh.asked, room.asker.heard[-1].history) == ("And in Turkey?", ())
    with pytest.raises(InvalidRequest, match="parent is a question"):
        await room.ask(conversation, "What?", parent=first.parent_id)
    with pytest.raises(MessageNotFound):
        await room.ask(conversation, "What?", parent=uuid4())
    elsewhere = await room.begin()
    with pytest.raises(MessageNotFound):
        await room.ask(elsewhere, "What?", parent=first.id)


async def test_settings_of_the_conversation_reach_the_answer(room) -> None:
    conversation = await room.begin(answering=Answering("extractive"), condition={"team": "hr"})
    await room.ask(conversation, "How much leave?", options=TurnOptions(limit=3))
    request = room.asker.heard[-1]
    assert (request.model, request.search.limit) == ("extractive", 3)
    assert request.search.filter is not None
    with pytest.raises(InvalidFilter):
        await room.begin(condition={"$nonsense": 1})
    with pytest.raises(CollectionNotFound):
        await room.conversations.create(OWNER, ["nowhere"])
    with pytest.raises(InvalidRequest):
        await room.begin(title="x" * 500)


async def test_nothing_is_kept_of_what_cannot_be_asked(room) -> None:
    conversation = await room.begin()
    with pytest.raises(InvalidQuery):
        await room.ask(conversation, " \n ")
    with pytest.raises(ConversationNotFound):
        await anext(room.turns.ask(OTHER, conversation.id, "What?"))
    gone = await room.begin()
    async with room.catalog.begin() as unit:
        await unit.conversations.update(gone.id, collections=["gone"])
    with pytest.raises(CollectionNotFound):
        await room.ask(gone, "What?")
    for one in (conversation, gone):
        assert await room.conversations.messages(OWNER, one.id) == []


async def test_of_others_nothing_can_be_seen_or_done(room) -> None:
    conversation = await room.begin()
    message = await room.answered(conversation, "How much leave?")
    doors = room.conversations
    for attempt in (
        doors.get(OTHER, conversation.id),
        doors.update(OTHER, conversation.id, title="Mine"),
        doors.messages(OTHER, conversation.id),
        doors.message(OTHER, conversation.id, message.id),
        doors.branch(OTHER, conversation.id),
        doors.stop(OTHER, conversation.id, message.id),
        doors.delete(OTHER, conversation.id),
        anext(room.turns.again(OTHER, conversation.id, message.id)),
    ):
        with pytest.raises(ConversationNotFound):
            await attempt
    assert await doors.search(OTHER, "leave") == []
    assert (await doors.get(OWNER, conversation.id)).title == "How much leave?"


async def test_what_breaks_off_is_partial_with_the_reason(room) -> None:
    conversation = await room.begin()
    room.asker.fault = StreamTruncated("The model's answer broke off.")
    with pytest.raises(StreamTruncated):
        await room.ask(conversation, "How much leave?")
    _, broken = await room.conversations.branch(OWNER, conversation.id)
    assert (broken.state, broken.error) == (MessageState.PARTIAL, "The model's answer broke off.")
    assert broken.content == "It is 26 days. [1] All have it. [2]"
    assert broken.answer.partial
    assert [c.marker for c in broken.answer.citations] == [1, 2]

    room.asker.sentences = ()
    with pytest.raises(StreamTruncated):
        await room.ask(conversation, "And in Turkey?")
    failed = (await room.conversations.branch(OWNER, conversation.id))[-1]
    assert (failed.state, failed.content) == (MessageState.FAILED, "")

    # A conversation goes on after both.
    room.asker.fault, room.asker.sentences = None, ("Yes.",)
    assert (await room.answered(conversation, "Is there leave at all in Peru?")).state is MessageState.COMPLETE
    assert [m.content for m in room.asker.heard[-1].history] == ["How much leave?", "It is 26 days. All have it."]


async def test_defects_do_not_leave_a_message_behind_that_is_written_for_ever(room) -> None:
    conversation = await room.begin()
    room.asker.fault = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await room.ask(conversation, "How much leave?")
    _, broken = await room.conversations.branch(OWNER, conversation.id)
    assert (broken.state, broken.error) == (MessageState.PARTIAL, "Something unexpected happened.")


@pytest.mark.parametrize("how", ["event", "closed", "cancelled", "elsewhere"])
async def test_a_stopped_answer_is_kept_as_partial(room, how: str) -> None:
    conversation = await room.begin()
    room.asker.pause = asyncio.Event().wait
    stop = asyncio.Event()
    events = room.turns.ask(OWNER, conversation.id, "How much leave?", stop=stop)
    begun = await anext(events)
    assert isinstance(begun, TurnBegun)
    if how == "closed":
        while not isinstance(await anext(events), SentenceWritten):
            pass
        await events.aclose()
    written = asyncio.Event()

    async def read() -> None:
        async for event in events:
            if isinstance(event, SentenceWritten):
                written.set()

    reading = asyncio.create_task(read())
    if how != "closed":
        await written.wait()
    if how == "event":
        stop.set()
    elif how == "cancelled":
        reading.cancel()
    elif how == "elsewhere":
        stopped = await room.elsewhere().stop(OWNER, conversation.id, begun.answer.id)
        assert stopped.state is MessageState.PARTIAL
    with suppress(asyncio.CancelledError):
        await reading
    await events.aclose()
    kept = await room.conversations.message(OWNER, conversation.id, begun.answer.id)
    assert (kept.state, kept.content) == (MessageState.PARTIAL, "It is 26 days. [1]")
    assert kept.error == "It was stopped."
    assert [c.marker for c in kept.answer.citations] == [1]
    # Stopping what is not written any more changes nothing.
    assert await room.conversations.stop(OWNER, conversation.id, begun.answer.id) == kept


async def test_what_is_written_is_saved_meanwhile_and_outlives_its_writer(room) -> None:
    conversation = await room.begin()
    room.asker.pause = asyncio.Event().wait
    events = room.turns.ask(OWNER, conversation.id, "How much leave?")
    begun = await anext(events)
    reading = asyncio.create_task(_read_all(events))

    async def saved() -> bool:
        message = await room.conversations.message(OWNER, conversation.id, begun.answer.id)
        return message.content == "It is 26 days. [1]" and message.answer is not None

    await until(saved)
    # While it lives, nobody takes it for dead.
    await asyncio.sleep(4.5)  # longer than the lease
    alive = await room.conversations.message(OWNER, conversation.id, begun.answer.id)
    assert alive.state is MessageState.WRITING
    async with room.catalog.begin() as unit:
        await unit.connection.execute(
            text("UPDATE kaynak.messages SET updated_at = updated_at - interval '1 hour' WHERE id = :id"),
            {"id": begun.answer.id},
        )
        settled = await unit.messages.stale(conversation.id, 60)
        assert [message.id for message in settled] == [begun.answer.id]
        await unit.messages.finish(begun.answer.id, MessageState.PARTIAL, settled[0].content, error="Cut off.")
    # The writer that comes back finds that the message is not its any more, and changes nothing.
    with pytest.raises(Conflict, match="not kept"):
        await reading
    kept = await room.conversations.message(OWNER, conversation.id, begun.answer.id)
    assert (kept.state, kept.error) == (MessageState.PARTIAL, "Cut off.")
    assert [c.marker for c in kept.answer.citations] == [1]


async def test_an_answer_without_a_living_writer_is_found_partial(room) -> None:
    conversation = await room.begin()
    async with room.catalog.begin() as unit:
        asked = await unit.messages.add(conversation.id, None, Role.USER, MessageState.COMPLETE, "How much?")
        some = await unit.messages.add(conversation.id, asked.id, Role.ASSISTANT, MessageState.WRITING, "It is")
        none = await unit.messages.add(conversation.id, asked.id, Role.ASSISTANT, MessageState.WRITING)
        await unit.connection.execute(text("UPDATE kaynak.messages SET updated_at = now() - interval '1 hour'"))
    read = {m.id: m for m in await room.conversations.messages(OWNER, conversation.id)}
    assert (read[some.id].state, read[some.id].content) == (MessageState.PARTIAL, "It is")
    assert "process" in read[some.id].error
    assert read[none.id].state is MessageState.FAILED
    assert (await room.answered(conversation, "And for whom?")).state is MessageState.COMPLETE


async def test_two_questions_at_once(room) -> None:
    conversation = await room.begin()
    first = await room.answered(conversation, "How much leave?")
    go = asyncio.Event()
    room.asker.pause = go.wait
    outcomes = asyncio.gather(
        *(room.ask(conversation, f"Which rule is number {n}?") for n in range(4)), return_exceptions=True
    )
    await until(lambda: _count(room, conversation, 4))
    # With a parent of its own a question becomes a branch, and both are written at once.
    branch = asyncio.create_task(room.ask(conversation, "What else is there?", parent=first.id))
    await until(lambda: _count(room, conversation, 6))
    go.set()
    found = await outcomes
    refused = [one for one in found if isinstance(one, Conflict)]
    assert len(refused) == 3
    assert all("still being written" in one.message for one in refused)
    assert (await room.message(conversation, await branch)).state is MessageState.COMPLETE
    states = [m.state for m in await room.conversations.messages(OWNER, conversation.id)]
    assert states == [MessageState.COMPLETE] * 6


async def test_a_conversation_that_is_deleted_while_it_is_written(room) -> None:
    conversation = await room.begin()
    room.asker.pause = asyncio.Event().wait
    events = room.turns.ask(OWNER, conversation.id, "How much leave?")
    await anext(events)
    reading = asyncio.create_task(_read_all(events))
    await room.conversations.delete(OWNER, conversation.id)
    with pytest.raises(Conflict, match="deleted"):
        await reading


async def _read_all(events) -> None:
    async for _ in events:
        pass


async def _count(room, conversation, number: int) -> bool:
    return len(await room.conversations.messages(OWNER, conversation.id)) == number
