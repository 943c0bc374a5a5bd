from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.messages import stored
from kaynak.domain import Answer

# A message that another transaction holds (its conversation is being deleted, say) is passed over, not waited for:
# the others would wait too, and two that wait for each other's messages would never end. It is told apart from one
# that is nobody's any more by looking at it without a lock.
_SAVE = text(
    """
    WITH draft AS MATERIALIZED (
        SELECT * FROM json_to_recordset(CAST(:drafts AS json))
            AS d(id uuid, content text, asked text, answer text, sources uuid[])
    ), mine AS MATERIALIZED (
        SELECT m.id FROM kaynak.messages m WHERE m.id IN (SELECT id FROM draft) AND m.state = 'writing'
        FOR NO KEY UPDATE SKIP LOCKED
    ), saved AS (
        UPDATE kaynak.messages m SET content = coalesce(d.content, m.content), asked = coalesce(d.asked, m.asked),
            answer = coalesce(CAST(d.answer AS jsonb), m.answer),
            sources = CASE WHEN d.sources <@ m.sources THEN m.sources
                ELSE ARRAY(SELECT DISTINCT unnest(m.sources || d.sources)) END,
            updated_at = clock_timestamp()
        FROM mine JOIN draft d ON d.id = mine.id WHERE m.id = mine.id
        RETURNING m.id, m.stop_requested
    )
    SELECT d.id, saved.stop_requested AS stop FROM draft d LEFT JOIN saved ON saved.id = d.id
    WHERE saved.id IS NOT NULL
        OR NOT EXISTS (SELECT 1 FROM kaynak.messages m WHERE m.id = d.id AND m.state = 'writing')
    """
)


@dataclass(frozen=True, slots=True)
class DraftText:
    """What is written so far of an answer.

    Attributes:
        message_id: Of the answer.
        content: The text so far; None leaves what is there.
        asked: The question as it stands alone; None leaves what is there.
        answer: Sentences and citations so far; None leaves what is there.
        sources: Documents that it rests on, besides those that are known already.
    """

    message_id: UUID
    content: str | None = None
    asked: str | None = None
    answer: Answer | None = None
    sources: frozenset[UUID] = frozenset()


class Drafts:
    """Answers that are being written. `Messages.finish` ends them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def save(self, drafts: Sequence[DraftText]) -> dict[UUID, bool | None]:
        """Keeps what is written so far of some messages, as a sign of life of their writer, in one statement.

        Returns:
            By message whether someone asked the writer to stop; None if the message is not its to write any more:
            it was deleted, or the writer was silent for so long that it was taken for dead. A message that is held
            by another transaction is neither saved nor among them.
        """
        rows = [
            {
                "id": str(one.message_id),
                "content": one.content,
                "asked": one.asked,
                "answer": None if one.answer is None else stored(one.answer),
                "sources": [str(document) for document in one.sources],
            }
            for one in drafts
        ]
        # Not as arrays: their texts are escaped by Python, one by one.
        done = await self._connection.execute(_SAVE, {"drafts": json.dumps(rows, ensure_ascii=False)})
        return {row.id: row.stop for row in done}
