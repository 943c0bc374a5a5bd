from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import text

from kaynak.catalog import Catalog, DraftText
from kaynak.domain import (
    OWNER,
    Answer,
    Answering,
    AnswerSentence,
    Citation,
    Conversation,
    ConversationMessage,
    ConversationNotFound,
    MessageNotFound,
    MessageState,
    ModelSettings,
    Role,
    Scope,
    Span,
    TokenUsage,
    Verdict,
    search_words,
)

pytestmark = pytest.mark.anyio

OTHER = Scope("someone-else", collections=None)


async def conversation(catalog: Catalog, scope: Scope = OWNER, title: str = "", **more: object) -> Conversation:
    async with catalog.begin() as unit:
        return await unit.conversations.create(scope, ["handbook"], title=title, **more)


async def exchange(
    catalog: Catalog, of: Conversation, question: str, answer: str, parent: ConversationMessage | None = None
) -> ConversationMessage:
    async with catalog.begin() as unit:
        asked = await unit.messages.add(of.id, parent and parent.id, Role.USER, MessageState.COMPLETE, question)
        written = await unit.messages.add(of.id, asked.id, Role.ASSISTANT, MessageState.WRITING)
        assert await unit.messages.finish(written.id, MessageState.COMPLETE, answer, asked=question)
        await unit.conversations.touch(of.id)
        return await unit.messages.get(OWNER, of.id, written.id)


async def test_a_conversation_is_what_was_made(catalog: Catalog) -> None:
    answering = Answering("openai:a", ("extractive",), ModelSettings(temperature=0.5))
    made = await conversation(catalog, title="Leave", answering=answering, condition={"team": "hr"})
    async with catalog.read() as unit:
        assert await unit.conversations.get(OWNER, made.id) == made
    assert (made.title, made.collections, made.answering) == ("Leave", ("handbook",), answering)
    assert made.filter == {"team": "hr"}


async def test_for_others_it_does_not_exist(catalog: Catalog) -> None:
    made = await conversation(catalog, title="Secret plans")
    async with catalog.begin() as unit:
        for attempt in (unit.conversations.get(OTHER, made.id), unit.conversations.delete(OTHER, made.id)):
            with pytest.raises(ConversationNotFound):
                await attempt
        assert await unit.conversations.list(OTHER) == []
        assert await unit.conversations.search(OTHER, ["secret"]) == []
        assert [found.id for found in await unit.conversations.list(OWNER)] == [made.id]


async def test_changes_leave_what_is_not_named(catalog: Catalog) -> None:
    made = await conversation(catalog, title="Old", condition={"team": "hr"})
    async with catalog.begin() as unit:
        await unit.conversations.update(made.id, title="Yıllık izin")
        changed = await unit.conversations.get(OWNER, made.id)
        assert (changed.title, changed.filter, changed.collections) == ("Yıllık izin", {"team": "hr"}, ("handbook",))
        assert [m.snippet for m in await unit.conversations.search(OWNER, search_words("YILLIK"))] == ["Yıllık izin"]
        assert await unit.conversations.search(OWNER, ["old"]) == []
        await unit.conversations.update(
            made.id, collections=["a", "b"], answering=Answering("extractive"), clear_filter=True
        )
        again = await unit.conversations.get(OWNER, made.id)
        assert (again.title, again.filter, again.collections) == ("Yıllık izin", None, ("a", "b"))
        assert again.answering.model == "extractive"


async def test_pages_are_whole_and_the_newest_question_stands_first(catalog: Catalog) -> None:
    made = [await conversation(catalog, title=f"Number {i}") for i in range(7)]
    await exchange(catalog, made[2], "Anything?", "No.")
    seen: list[Conversation] = []
    async with catalog.read() as unit:
        while page := await unit.conversations.list(
            OWNER, after=(seen[-1].updated_at, seen[-1].id) if seen else None, limit=3
        ):
            seen += page
    assert [found.title for found in seen] == [f"Number {i}" for i in (2, 6, 5, 4, 3, 1, 0)]


async def test_messages_are_a_tree(catalog: Catalog) -> None:
    made = await conversation(catalog)
    first = await exchange(catalog, made, "How much leave?", "26 days.")
    second = await exchange(catalog, made, "For whom?", "For all.", first)
    branch = await exchange(catalog, made, "Since when?", "2019.", first)
    async with catalog.read() as unit:
        listed = await unit.messages.list(OWNER, made.id)
        assert [m.content for m in listed] == [
            *("How much leave?", "26 days.", "For whom?", "For all.", "Since when?", "2019.")
        ]
        rest = await unit.messages.list(OWNER, made.id, after=(listed[3].created_at, listed[3].id), limit=1)
        assert [m.content for m in rest] == ["Since when?"]
        path = await unit.messages.path(OWNER, made.id, branch.id)
        assert [m.content for m in path] == ["How much leave?", "26 days.", "Since when?", "2019."]
        assert [m.content for m in await unit.messages.path(OWNER, made.id, second.id)][-1] == "For all."
        assert (await unit.messages.newest(OWNER, made.id)) == branch
        elsewhere = uuid4()
        assert await unit.messages.path(OWNER, elsewhere, branch.id) == []
        with pytest.raises(MessageNotFound):
            await unit.messages.get(OWNER, elsewhere, branch.id)


async def test_answers_are_kept_with_their_citations(catalog: Catalog) -> None:
    made = await conversation(catalog)
    citation = Citation(1, "handbook", uuid4(), "leave.md", "Leave", uuid4(), 3, 2, Span(4, 12), "26 days.")
    sentence = AnswerSentence("It is 26 days.", (1,), Verdict.PARTLY, ("“14” is not in the source",))
    answer = Answer(
        *("How much?", "It is 26 days. [1]", (sentence,), (citation,), True, "openai:a", (), ("late",), 12.5),
        *(("leave days",), TokenUsage(10, 5, 2), 0.25, True),
    )
    async with catalog.begin() as unit:
        asked = await unit.messages.add(made.id, None, Role.USER, MessageState.COMPLETE, "How much?")
        written = await unit.messages.add(made.id, asked.id, Role.ASSISTANT, MessageState.WRITING)
        await unit.messages.finish(
            written.id, MessageState.PARTIAL, answer.text, asked="How much leave?", answer=answer, error="Stopped."
        )
    async with catalog.read() as unit:
        kept = await unit.messages.get(OWNER, made.id, written.id)
    assert (kept.answer, kept.state, kept.asked) == (answer, MessageState.PARTIAL, "How much leave?")
    assert kept.error == "Stopped."


async def test_who_writes_learns_of_stops_and_of_its_end(catalog: Catalog) -> None:
    made = await conversation(catalog)
    async with catalog.begin() as unit:
        message = await unit.messages.add(made.id, None, Role.ASSISTANT, MessageState.WRITING)
        assert await unit.drafts.save([DraftText(message.id, "Some", "q")]) == {message.id: False}
        await unit.messages.request_stop(message.id)
        assert await unit.drafts.save([DraftText(message.id, "Some te", "q")]) == {message.id: True}
        assert await unit.messages.finish(message.id, MessageState.PARTIAL, "Some text")
        assert await unit.drafts.save([DraftText(message.id, "Some text and more", "q")]) == {message.id: None}
        assert not await unit.messages.finish(message.id, MessageState.COMPLETE, "Some text and more")
        assert (await unit.messages.get(OWNER, made.id, message.id)).content == "Some text"


async def test_only_silent_writers_are_stale(catalog: Catalog) -> None:
    made = await conversation(catalog)
    async with catalog.begin() as unit:
        silent = await unit.messages.add(made.id, None, Role.ASSISTANT, MessageState.WRITING)
        await unit.messages.add(made.id, None, Role.ASSISTANT, MessageState.WRITING)
        await unit.connection.execute(
            text("UPDATE kaynak.messages SET updated_at = now() - interval '1 minute' WHERE id = :id"),
            {"id": silent.id},
        )
        assert [m.id for m in await unit.messages.stale(made.id, 30)] == [silent.id]


async def test_words_are_found_whatever_their_case(catalog: Catalog) -> None:
    made = await conversation(catalog, title="Isparta gezisi")
    await exchange(catalog, made, "Yıllık izin kaç gün?", "İzin 26 iş günüdür; ŞİRKET izni ayrıdır.")
    other = await conversation(catalog, title="Something else")
    await exchange(catalog, other, "東京の天気は?", "It's fine; 100% sure_thing.")
    for query, found in (
        ("ISPARTA", made),
        ("ısparta", made),
        ("izin GÜNÜ", made),
        ("şirket", made),
        ("SIRKET", made),
        ("天気", other),
        ("Sure_Thing", other),
        ("else", other),
    ):
        async with catalog.read() as unit:
            matches = await unit.conversations.search(OWNER, search_words(query))
        assert [match.conversation.id for match in matches] == [found.id], query
    async with catalog.read() as unit:
        (match,) = await unit.conversations.search(OWNER, search_words("sirket"))
        assert "ŞİRKET izni" in match.snippet
        # All words, but not one in the title and the other in a message.
        assert await unit.conversations.search(OWNER, search_words("isparta şirket")) == []


async def test_ten_thousand_messages_are_searched_through_the_index(catalog: Catalog) -> None:
    async with catalog.begin() as unit:
        await unit.connection.execute(
            text(
                """
                WITH made AS (
                    INSERT INTO kaynak.conversations (id, owner, title, collections, updated_at)
                    SELECT gen_random_uuid(), 'owner', 'c' || n, '{handbook}', now() - n * interval '1 minute'
                    FROM generate_series(1, 500) n RETURNING id
                )
                INSERT INTO kaynak.messages (id, conversation_id, role, state, content, words, created_at)
                SELECT gen_random_uuid(), made.id, 'assistant', 'complete', content,
                    to_tsvector('simple', content), now() - n * interval '1 second'
                FROM made, generate_series(1, 20) n,
                    LATERAL (SELECT repeat('common words of answers ', 40) || 'rare' || n AS content) c
                """
            )
        )
        await unit.connection.execute(text("ANALYZE kaynak.messages, kaynak.conversations"))
        matches = await unit.conversations.search(OWNER, ["rare7"], limit=1000)
        assert len(matches) == 500
        assert [m.conversation.updated_at for m in matches] == sorted(
            (m.conversation.updated_at for m in matches), reverse=True
        )
        plan = await unit.connection.execute(
            text("EXPLAIN SELECT id FROM kaynak.messages WHERE words @@ CAST('''rare7'':*' AS tsquery)")
        )
        assert "ix_messages_words" in "\n".join(plan.scalars())


async def test_deletion_takes_the_messages_along(catalog: Catalog) -> None:
    made = await conversation(catalog)
    await exchange(catalog, made, "How much?", "26.")
    async with catalog.begin() as unit:
        await unit.conversations.delete(OWNER, made.id)
        left = await unit.connection.execute(text("SELECT count(*) FROM kaynak.messages"))
        assert left.scalar_one() == 0


async def test_simultaneous_questions_wait_for_each_other(catalog: Catalog) -> None:
    made = await conversation(catalog)
    order: list[str] = []

    async def hold(name: str, entered: asyncio.Event, leave: asyncio.Event) -> None:
        async with catalog.begin() as unit:
            await unit.conversations.get(OWNER, made.id, lock=True)
            order.append(name)
            entered.set()
            await leave.wait()

    entered, leave, always = asyncio.Event(), asyncio.Event(), asyncio.Event()
    always.set()
    first = asyncio.create_task(hold("first", entered, leave))
    await entered.wait()
    second = asyncio.create_task(hold("second", asyncio.Event(), always))
    await asyncio.sleep(0.1)
    assert order == ["first"]
    leave.set()
    await asyncio.gather(first, second)
    assert order == ["first", "second"]
