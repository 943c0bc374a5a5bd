from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from kaynak.cli import output
from kaynak.cli.citations import show_citations
from kaynak.cli.command import AsJson, command, lists_by_default, with_services
from kaynak.domain import (
    OWNER,
    Conversation,
    ConversationMatch,
    ConversationMessage,
    ConversationNotFound,
    ExportFormat,
    InvalidRequest,
    Json,
    MessageState,
    Role,
)

app = typer.Typer(help="List, show, search, rename, export and delete conversations.")

Id = Annotated[str, typer.Argument(help="Id of the conversation, or “last”.", metavar="CONVERSATION")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="Show at most so many.")]
_PAGE = 200


@app.command("list")
@command
def list_conversations(limit: Limit = 50, as_json: AsJson = False) -> None:
    """List conversations, those with the newest questions first."""

    async def work(kaynak: Any) -> list[Conversation]:
        found: list[Conversation] = []
        while len(found) <= limit:
            after = (found[-1].updated_at, found[-1].id) if found else None
            page = await kaynak.conversations.list(OWNER, after=after, limit=_PAGE)
            found.extend(page)
            if len(page) < _PAGE:
                break
        return found

    found, more = output.at_most(with_services(work), limit)
    if as_json:
        output.document({"items": found, "more": more})
        return
    if not found:
        output.note("No conversations yet. Begin one: kaynak chat")
    output.table(
        ("conversation", "title", "collections", "asked"),
        [(c.id, c.title or "–", ", ".join(c.collections), f"{c.updated_at:%Y-%m-%d %H:%M}") for c in found],
    )
    if more:
        output.there_is_more(limit)


lists_by_default(app, list_conversations)


@app.command("show")
@command
def show(conversation: Id, as_json: AsJson = False) -> None:
    """Show a conversation: its newest branch, or with --json all branches."""

    async def work(kaynak: Any) -> Any:
        from kaynak.generation.conversing import exported

        found = await conversation_of(kaynak, conversation)
        if as_json:
            return await exported(kaynak.conversations, OWNER, found.id, ExportFormat.JSON)
        return found, await kaynak.conversations.branch(OWNER, found.id)

    found = with_services(work)
    if as_json:
        output.document(found)
    else:
        _show(*found)


@app.command("rename")
@command
def rename(
    conversation: Id,
    title: Annotated[list[str], typer.Argument(help="Its new title.", metavar="TITLE…")],
    as_json: AsJson = False,
) -> None:
    """Give a conversation another title."""

    async def work(kaynak: Any) -> Conversation:
        found = await conversation_of(kaynak, conversation)
        changed: Conversation = await kaynak.conversations.update(OWNER, found.id, title=" ".join(title))
        return changed

    changed = with_services(work)
    if as_json:
        output.document(changed)
    else:
        output.line(f"It is now “{changed.title}”.")


@app.command("search")
@command
def search(
    words: Annotated[list[str], typer.Argument(help="Beginnings of words, in any case.", metavar="WORD…")],
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Find conversations by the words of their titles, questions and answers."""

    async def work(kaynak: Any) -> list[ConversationMatch]:
        return list(await kaynak.conversations.search(OWNER, " ".join(words), limit=limit + 1))

    found, more = output.at_most(with_services(work), limit)
    if as_json:
        output.document({"items": found, "more": more})
        return
    output.table(
        ("conversation", "title", "found"),
        [(match.conversation.id, match.conversation.title, match.snippet) for match in found],
    )
    if not found:
        output.note("Nothing found.")
    if more:
        output.there_is_more(limit)


@app.command("export")
@command
def export(
    conversation: Id,
    format: Annotated[  # noqa: A002 - the option's name
        ExportFormat, typer.Option("--format", help="markdown: the newest branch; json: all branches.")
    ] = ExportFormat.MARKDOWN,
    to: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; default: standard output.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a conversation down, with citations. --json is --format json."""
    kind = ExportFormat.JSON if as_json else format

    async def work(kaynak: Any) -> str | dict[str, Any]:
        from kaynak.generation.conversing import exported

        found = await conversation_of(kaynak, conversation)
        written: str | dict[str, Any] = await exported(kaynak.conversations, OWNER, found.id, kind)
        return written

    found = with_services(work)
    if to is not None:
        from kaynak.api import dumps
        from kaynak.cli.chatting import write_file

        write_file(to, found if isinstance(found, str) else dumps(found).decode())
        if as_json:
            output.document({"written": str(to)})
    elif isinstance(found, str):
        output.line(found.rstrip("\n"))
    else:
        output.document(found)


@app.command("delete")
@command
def delete(
    conversation: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a conversation with its messages. There is no way back."""

    async def work(kaynak: Any) -> Conversation:
        found = await conversation_of(kaynak, conversation)
        if not yes and not as_json:
            typer.confirm(f"Delete “{output.printable(found.title)}”?", abort=True)
        await kaynak.conversations.delete(OWNER, found.id)
        return found

    gone = with_services(work)
    if as_json:
        output.document({"deleted": gone.id})
    else:
        output.line(f"Deleted “{gone.title}”.")


async def conversation_of(kaynak: Any, name: str) -> Conversation:
    """Returns the conversation of that id, or the one with the newest question for ``last``.

    Raises:
        ConversationNotFound: There is none.
        InvalidRequest: It is not an id.
    """
    if name == "last":
        newest = await kaynak.conversations.list(OWNER, limit=1)
        if not newest:
            raise ConversationNotFound("There is no conversation yet.", hint="Begin one: kaynak chat")
        return newest[0]  # type: ignore[no-any-return]
    try:
        number = UUID(name)
    except ValueError as exc:
        raise InvalidRequest(
            "That is not the id of a conversation.", hint="See the ids with: kaynak conversations list"
        ) from exc
    found: Conversation = await kaynak.conversations.get(OWNER, number)
    return found


def json_filter(text: str | None) -> Mapping[str, Json] | None:
    """Returns the filter as it was typed, which was checked before."""
    found: Mapping[str, Json] | None = None if text is None else json.loads(text)
    return found


def _show(conversation: Conversation, branch: Sequence[ConversationMessage]) -> None:
    from rich.text import Text

    console = output.console()
    console.print(Text(output.printable(conversation.title or "No question yet"), style="bold"))
    output.line(f"{conversation.id} · {', '.join(conversation.collections)}")
    for message in branch:
        output.line()
        if message.role is Role.USER:
            console.print(Text("› " + output.printable(message.content), style="bold"))
            continue
        if message.content:
            output.line(message.content)
        if message.state is not MessageState.COMPLETE:
            output.line(f"({message.state}{f': {message.error}' if message.error else ''})")
        if message.answer:
            show_citations(message.answer.citations)
