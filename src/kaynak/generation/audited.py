from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from kaynak.catalog import AuditWriter
from kaynak.domain import Action, Answer, AnswerEvent, AskRequest, PassagesFound, Scope
from kaynak.generation.ending import answer_of
from kaynak.generation.protocol import Answers
from kaynak.retrieval import looked_up


class AuditedAsker:
    """Writes each question into the audit log before anything of its sources leaves. See `Asking`.

    Args:
        inner: Answers.
        audit: Writes it down.
    """

    def __init__(self, inner: Answers, audit: AuditWriter) -> None:
        self._inner = inner
        self._audit = audit

    async def ask(self, request: AskRequest, scope: Scope) -> Answer:
        """See `Asker`."""
        return await answer_of(self.stream(request, scope))

    async def stream(
        self, request: AskRequest, scope: Scope, *, stop: asyncio.Event | None = None
    ) -> AsyncGenerator[AnswerEvent, None]:
        """See `Asker`."""
        async with aclosing(self._inner.stream(request, scope, stop=stop)) as events:
            async for event in events:
                if isinstance(event, PassagesFound):
                    search = request.search
                    words = await self._audit.query(search.query)
                    await self._audit.write(looked_up(scope, Action.ASKED, search.collections, event.hits, words))
                yield event
