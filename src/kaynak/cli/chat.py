from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kaynak.cli import exits, output
from kaynak.cli.answering import (
    DepthOption,
    FallbackOption,
    MaxTokensOption,
    ModelOption,
    PolicyOption,
    ReasoningOption,
    TemperatureOption,
)
from kaynak.cli.command import AsJson, CollectionsOption, FilterOption, chosen_collections, parsed_filter, services
from kaynak.cli.conversations import conversation_of, json_filter
from kaynak.domain import OWNER, Answering, KaynakError, ModelSettings

if TYPE_CHECKING:
    from kaynak.app import Kaynak
    from kaynak.cli.chatting import Chat

_HISTORY_LINES = 2000


def chat(
    collection: CollectionsOption = None,
    model: ModelOption = None,
    fallback: FallbackOption = None,
    policy: PolicyOption = None,
    depth: DepthOption = None,
    temperature: TemperatureOption = None,
    max_tokens: MaxTokensOption = None,
    reasoning: ReasoningOption = None,
    filter: FilterOption = None,  # noqa: A002 - the option's name
    continued: Annotated[
        str | None, typer.Option("--continue", help="Id of a conversation, or “last”; then go on with it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask one question after the other; the conversation is kept. Type /help in it.

    Without a terminal each line of standard input is a question.
    """
    parsed_filter(filter)
    settings = ModelSettings(temperature, max_tokens, reasoning)
    wish = Answering(model, tuple(fallback or ()), settings, policy, depth)
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not as_json

    async def opened(kaynak: Kaynak) -> Chat:
        from kaynak.cli.chatting import Chat

        if continued is not None:
            going_on = await conversation_of(kaynak, continued)
            if wish != Answering():
                going_on = await kaynak.conversations.update(OWNER, going_on.id, answering=wish)
            return Chat(kaynak, going_on.collections, interactive=interactive, conversation=going_on)
        names = await chosen_collections(kaynak, collection)
        for name in names:
            await kaynak.collections.get(OWNER, name)
        return Chat(kaynak, names, answering=wish, condition=json_filter(filter), interactive=interactive)

    with _loop() as runner, _services(runner) as kaynak:
        chatting = runner.run(opened(kaynak))
        if interactive:
            _converse(runner, chatting, kaynak.settings.data_dir / "chat_history")
        elif not _answer_lines(runner, chatting, as_json=as_json):
            raise typer.Exit(exits.FAILED)


def _converse(runner: asyncio.Runner, chatting: Chat, history: Path) -> None:
    """Asks on the terminal until the person leaves."""
    with _readline(history):
        runner.run(chatting.greet())
        while not chatting.left:
            try:
                line = input("\n› ")
            except EOFError:
                break
            except KeyboardInterrupt:
                output.note("\nType /quit to leave.")
                continue
            try:
                runner.run(chatting.take(line))
            except KaynakError as error:
                output.error(error, as_json=False)
        output.note(f"Kept. Go on with: kaynak chat --continue {chatting.name}" if chatting.name else "")


def _answer_lines(runner: asyncio.Runner, chatting: Chat, *, as_json: bool) -> bool:
    """Answers each line of standard input, and returns whether all went well."""
    well = True
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            runner.run(chatting.take(line, as_json=as_json))
        except KaynakError as error:
            output.error(error, as_json=as_json)
            well = False
        sys.stdout.flush()
        if chatting.left:
            break
    return well


@contextmanager
def _loop() -> Iterator[asyncio.Runner]:
    """A loop that stands still while the person types, so that Ctrl-C is theirs at the prompt."""
    try:
        import uvloop
    except ImportError:
        factory: Any = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        yield runner


@contextmanager
def _services(runner: asyncio.Runner) -> Iterator[Kaynak]:
    stack = AsyncExitStack()
    try:
        yield runner.run(stack.enter_async_context(services()))
    finally:
        runner.run(stack.aclose())


@contextmanager
def _readline(history: Path) -> Iterator[None]:
    """Gives the prompt arrow keys and the questions of earlier days, where Python has readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    with suppress(OSError):
        readline.read_history_file(history)
    readline.set_history_length(_HISTORY_LINES)
    try:
        yield
    finally:
        with suppress(OSError):
            history.touch(mode=0o600)
            readline.write_history_file(history)
