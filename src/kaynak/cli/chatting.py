"""A conversation on the terminal: what a typed line does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from kaynak.cli import output
from kaynak.cli.answers import AnswerPrinter
from kaynak.cli.citations import show_citations
from kaynak.domain import (
    OWNER,
    Answering,
    Conversation,
    ConversationMessage,
    ExportFormat,
    InvalidRequest,
    Json,
    MessageState,
    Role,
    TurnBegun,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from kaynak.app import Kaynak
    from kaynak.generation.conversing import TurnEvent

HELP = """\
/sources            the quotes of the last answer, whole
/list               the questions of this branch, numbered
/branch NUMBER      go on from the answer to that question; 0 begins anew in this conversation
/again              answer the last question once more
/new [COLLECTION…]  a new conversation
/export [FILE]      write this branch as Markdown, or everything as JSON if FILE ends in .json
/quit               leave; Ctrl-D does the same
Ctrl-C stops an answer; what is there is kept."""
_STOP_SECONDS = 5.0


class Chat:
    """One person, one terminal, one conversation at a time. It is made with the first question.

    Args:
        kaynak: The services.
        collections: What is asked.
        answering: How answers are written.
        condition: On the metadata of what may be cited, as typed.
        interactive: Whether a person watches.
        conversation: To go on with.

    Attributes:
        left: Whether the person wants to leave.
    """

    def __init__(
        self,
        kaynak: Kaynak,
        collections: Sequence[str],
        *,
        answering: Answering | None = None,
        condition: Mapping[str, Json] | None = None,
        interactive: bool = False,
        conversation: Conversation | None = None,
    ) -> None:
        self._kaynak = kaynak
        self._collections = tuple(collections)
        self._answering = answering
        self._condition = condition
        self._interactive = interactive
        self._conversation = conversation
        self._last: ConversationMessage | None = None
        self._anew = False
        self.left = False

    @property
    def name(self) -> str:
        """Id of the conversation; empty before the first question."""
        return str(self._conversation.id) if self._conversation else ""

    async def greet(self) -> None:
        """Says what is asked and, of a conversation that goes on, where it is."""
        output.note(f"Asking {', '.join(self._collections)}. /help shows what else can be typed.")
        if self._conversation is not None:
            output.line(self._conversation.title)
            await self._list("")

    async def take(self, line: str, *, as_json: bool = False) -> None:
        """Does what the line says: a command, or a question.

        Raises:
            KaynakError: It could not be done.
        """
        line = line.strip()
        if not line.startswith("/"):
            if line:
                await self._ask(line, as_json=as_json)
            return
        word, _, rest = line.partition(" ")
        commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "/help": self._help,
            "/sources": self._sources,
            "/list": self._list,
            "/branch": self._branch,
            "/again": self._again,
            "/new": self._new,
            "/export": self._export,
            "/quit": self._quit,
            "/exit": self._quit,
        }
        if word not in commands:
            raise InvalidRequest(f"There is no command {word}.", hint="See /help; a question does not begin with “/”.")
        await commands[word](rest.strip())

    async def _ask(self, question: str, *, as_json: bool) -> None:
        from kaynak.generation.conversing import NEWEST

        if not self._interactive and not as_json:
            output.line(f"› {question}")
        if self._conversation is None:
            self._conversation = await self._kaynak.conversations.create(
                OWNER, self._collections, answering=self._answering, condition=self._condition
            )
        parent = None if self._anew else self._last.id if self._last else NEWEST
        stop = asyncio.Event()
        turn = self._kaynak.turns.ask(OWNER, self._conversation.id, question, parent=parent, stop=stop)
        await self._follow(turn, stop, as_json=as_json)
        self._anew = False

    async def _again(self, _: str) -> None:
        if self._conversation is None or (last := await self._current()) is None:
            raise InvalidRequest("There is no question yet.", hint="Ask one.")
        stop = asyncio.Event()
        turn = self._kaynak.turns.again(OWNER, self._conversation.id, last.id, stop=stop)
        await self._follow(turn, stop, as_json=False)

    async def _follow(self, turn: AsyncGenerator[TurnEvent, None], stop: asyncio.Event, *, as_json: bool) -> None:
        """Shows a turn to its end; Ctrl-C, which cancels, ends it where it is."""
        with AnswerPrinter(silent=as_json) as printer:
            reading = asyncio.create_task(self._read(turn, printer))
            try:
                await asyncio.shield(reading)
            except asyncio.CancelledError:
                stop.set()
                await asyncio.wait({reading}, timeout=_STOP_SECONDS)
                reading.cancel()
                await asyncio.wait({reading})
                output.note("Stopped; what is there is kept.")
        if self._last is None:
            return
        # As it was kept, which tells how it ended.
        self._last = await self._kaynak.conversations.message(OWNER, self._last.conversation_id, self._last.id)
        if as_json:
            output.document(self._last)
        elif not self._interactive:
            output.line()

    async def _read(self, turn: AsyncGenerator[TurnEvent, None], printer: AnswerPrinter) -> None:
        async with aclosing(turn) as events:
            async for event in events:
                if isinstance(event, TurnBegun):
                    self._last = event.answer
                else:
                    printer.show(event)

    async def _current(self) -> ConversationMessage | None:
        """Returns the last answer of the branch."""
        if self._last is None and self._conversation is not None and not self._anew:
            branch = await self._kaynak.conversations.branch(OWNER, self._conversation.id)
            self._last = branch[-1] if branch else None
        return self._last

    async def _branch_so_far(self) -> Sequence[ConversationMessage]:
        last = await self._current()
        if self._conversation is None or last is None:
            return ()
        return await self._kaynak.conversations.branch(OWNER, self._conversation.id, last.id)

    async def _help(self, _: str) -> None:
        output.line(HELP)

    async def _quit(self, _: str) -> None:
        self.left = True

    async def _sources(self, _: str) -> None:
        last = await self._current()
        citations = last.answer.citations if last and last.answer else ()
        if not citations:
            output.note("The last answer has no sources.")
        show_citations(citations)

    async def _list(self, _: str) -> None:
        number = 0
        for message in await self._branch_so_far():
            if message.role is Role.USER:
                number += 1
                output.line(f"{number}. {message.content}")
            elif message.state is not MessageState.COMPLETE:
                output.line(f"   ({message.state}: {message.error or 'no answer'})")

    async def _branch(self, rest: str) -> None:
        answers = [message for message in await self._branch_so_far() if message.role is not Role.USER]
        if not rest.isascii() or not rest.isdigit() or int(rest) > len(answers):
            raise InvalidRequest(
                "/branch takes the number of a question.", hint="/list shows the numbers; 0 begins anew."
            )
        number = int(rest)
        self._last = answers[number - 1] if number else None
        self._anew = not number
        output.note(f"The next question follows question {number}." if number else "The next question follows nothing.")

    async def _new(self, rest: str) -> None:
        names = tuple(dict.fromkeys(rest.split()))
        for name in names:
            await self._kaynak.collections.get(OWNER, name)
        self._collections = names or self._collections
        self._conversation, self._last, self._anew = None, None, False
        output.note(f"A new conversation, asking {', '.join(self._collections)}.")

    async def _export(self, rest: str) -> None:
        from kaynak.api import dumps
        from kaynak.generation.conversing import exported

        last = await self._current()
        if self._conversation is None or last is None:
            raise InvalidRequest("There is nothing to export yet.", hint="Ask a question first.")
        path = _path_of(rest)
        kind = ExportFormat.JSON if path and path.suffix == ".json" else ExportFormat.MARKDOWN
        leaf = last.id if kind is ExportFormat.MARKDOWN else None
        found = await exported(self._kaynak.conversations, OWNER, self._conversation.id, kind, leaf)
        content = found if isinstance(found, str) else dumps(found).decode()
        if path is None:
            output.line(content)
        else:
            write_file(path, content)
            output.note(f"Written to {path}.")


def _path_of(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def write_file(path: Path, content: str) -> None:
    """Writes ``content``.

    Raises:
        InvalidRequest: The file cannot be written.
    """
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as exc:
        raise InvalidRequest(f"{path} cannot be written: {exc.strerror}.", hint="Name another file.") from exc
